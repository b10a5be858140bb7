//! The tokens file: its format, reading it, and replacing it whole.

use super::{Digest, Grant, Permission, TokenRecord};
use rollbook_core::id::App;
use rollbook_core::time::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

/// The name of the tokens file in the data folder.
pub const TOKENS_FILE: &str = "tokens.json";
const LOCK_FILE: &str = "tokens.lock";
const VERSION: u32 = 1;

/// Why tokens could not be read or changed.
#[derive(Debug, thiserror::Error)]
pub enum TokensError {
    /// The file system said no.
    #[error("{what} {path}: {cause}", path = .path.display())]
    Io {
        /// What was tried.
        what: &'static str,
        /// With which file.
        path: PathBuf,
        /// Why it failed.
        cause: io::Error,
    },
    /// The file is not what a token command writes.
    #[error("{path} is damaged: {cause}", path = .path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        cause: String,
    },
    /// The ids can't be those of an account and an app.
    #[error(transparent)]
    BadIds(#[from] rollbook_core::id::AppError),
    /// No token has this id.
    #[error("no token has the id {0:?}; `rollbook token list` shows them")]
    UnknownId(String),
    /// The system gives no random numbers.
    #[error("no random numbers: {0}")]
    Random(#[from] getrandom::Error),
}

impl TokensError {
    fn io<'a>(what: &'static str, path: &'a Path) -> impl FnOnce(io::Error) -> Self + 'a {
        move |cause| Self::Io { what, path: path.to_owned(), cause }
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Stored {
    version: u32,
    tokens: Vec<StoredToken>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StoredToken {
    id: String,
    sha256: Digest,
    account: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    app: Option<String>,
    permission: Permission,
    created_at: String,
}

/// What tells one state of the file from another. Every change is a rename of a new file, so one of these always differs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Stamp {
    modified: Option<std::time::SystemTime>,
    len: u64,
    #[cfg(unix)]
    inode: (u64, u64, i64, i64),
}

impl Stamp {
    fn of(meta: &Metadata) -> Self {
        #[cfg(unix)]
        use std::os::unix::fs::MetadataExt as _;
        Self {
            modified: meta.modified().ok(),
            len: meta.len(),
            #[cfg(unix)]
            inode: (meta.dev(), meta.ino(), meta.ctime(), meta.ctime_nsec()),
        }
    }
}

/// The file as it stands, with the stamp of exactly what was read; no file is no tokens.
pub(super) struct Reading {
    pub(super) stamp: Option<Stamp>,
    pub(super) tokens: Result<Vec<TokenRecord>, TokensError>,
}

/// The stamp of the file as it stands; none where there is no file.
pub(super) fn stamp(dir: &Path) -> io::Result<Option<Stamp>> {
    match fs::metadata(dir.join(TOKENS_FILE)) {
        Ok(meta) => Ok(Some(Stamp::of(&meta))),
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(cause) => Err(cause),
    }
}

pub(super) fn read(dir: &Path) -> Reading {
    let path = dir.join(TOKENS_FILE);
    let mut file = match File::open(&path) {
        Ok(file) => file,
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => return Reading { stamp: None, tokens: Ok(Vec::new()) },
        Err(cause) => return Reading { stamp: stamp(dir).ok().flatten(), tokens: Err(TokensError::io("can't open", &path)(cause)) },
    };
    let stamp = file.metadata().ok().map(|meta| Stamp::of(&meta));
    let mut text = String::new();
    let tokens = match file.read_to_string(&mut text) {
        Ok(_) => parse(&text).map_err(|cause| TokensError::Damaged { path, cause }),
        Err(cause) if cause.kind() == io::ErrorKind::InvalidData => Err(TokensError::Damaged { path, cause: cause.to_string() }),
        Err(cause) => Err(TokensError::io("can't read", &path)(cause)),
    };
    Reading { stamp, tokens }
}

/// All of the file or nothing: a file with one bad entry was not written by us, so none of it can be trusted.
fn parse(text: &str) -> Result<Vec<TokenRecord>, String> {
    let stored: Stored = serde_json::from_str(text).map_err(|cause| cause.to_string())?;
    if stored.version != VERSION {
        return Err(format!("version {} is not known to this rollbook (it knows {VERSION})", stored.version));
    }
    let mut ids = BTreeSet::new();
    stored
        .tokens
        .into_iter()
        .map(|token| {
            check_ids(&token.account, token.app.as_deref()).map_err(|cause| cause.to_string())?;
            let created_at = Timestamp::parse_rfc3339(&token.created_at).map_err(|cause| format!("created_at: {cause}"))?;
            if !ids.insert(token.id.clone()) {
                return Err(format!("the id {:?} occurs twice", token.id));
            }
            let grant = Grant { account: token.account, app: token.app, permission: token.permission };
            Ok(TokenRecord { id: token.id, digest: token.sha256, grant, created_at })
        })
        .collect()
}

/// Whether these can be the ids of an account and, where given, an app.
pub(super) fn check_ids(account: &str, app: Option<&str>) -> Result<(), rollbook_core::id::AppError> {
    // Any app's id does for the check of an account's alone.
    App::new(account, app.unwrap_or("any")).map(drop)
}

/// Reads the tokens, lets `change` alter them, and replaces the file. One process at a time, so that of two commands at once neither
/// undoes the other's work.
pub(super) fn edit<T>(dir: &Path, change: impl FnOnce(&mut Vec<TokenRecord>) -> Result<T, TokensError>) -> Result<T, TokensError> {
    make(dir).map_err(TokensError::io("can't create", dir))?;
    let lock_path = dir.join(LOCK_FILE);
    // The lock is a file of its own because the tokens file is replaced: a lock on it would be one on its former self.
    let lock = private().create(true).truncate(false).open(&lock_path).map_err(TokensError::io("can't open", &lock_path))?;
    lock.lock().map_err(TokensError::io("can't lock", &lock_path))?;
    let mut tokens = read(dir).tokens?;
    let outcome = change(&mut tokens)?;
    replace(dir, &tokens)?;
    Ok(outcome)
}

/// A crash leaves the old file or the new one, never a part: written aside, synced, renamed, and the rename synced too.
fn replace(dir: &Path, tokens: &[TokenRecord]) -> Result<(), TokensError> {
    let (path, aside) = (dir.join(TOKENS_FILE), dir.join(format!("{TOKENS_FILE}.new")));
    let failed = |what| TokensError::io(what, &path);
    // Left over by a crash, and perhaps with another mode: a file keeps the mode that it was created with.
    fs::remove_file(&aside)
        .or_else(|cause| if cause.kind() == io::ErrorKind::NotFound { Ok(()) } else { Err(cause) })
        .map_err(failed("can't write"))?;
    let mut file = private().create_new(true).open(&aside).map_err(failed("can't write"))?;
    file.write_all(render(tokens)?.as_bytes()).and_then(|()| file.sync_all()).map_err(failed("can't write"))?;
    fs::rename(&aside, &path).map_err(failed("can't replace"))?;
    // Elsewhere a folder can't be opened as a file, and the rename is on its own.
    if cfg!(unix) {
        File::open(dir).and_then(|dir| dir.sync_all()).map_err(TokensError::io("can't sync", dir))?;
    }
    Ok(())
}

fn render(tokens: &[TokenRecord]) -> Result<String, TokensError> {
    let tokens = tokens.iter().map(|token| StoredToken {
        id: token.id.clone(),
        sha256: token.digest,
        account: token.grant.account.clone(),
        app: token.grant.app.clone(),
        permission: token.grant.permission,
        created_at: token.created_at.to_rfc3339_micros(),
    });
    let stored = Stored { version: VERSION, tokens: tokens.collect() };
    let text = serde_json::to_string_pretty(&stored);
    text.map(|text| text + "\n").map_err(|cause| TokensError::Damaged { path: TOKENS_FILE.into(), cause: cause.to_string() })
}

/// Files that only their owner reads: digests open nothing, but who has which access is nobody else's business.
fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.write(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

/// Like the store, which may find the folder made by us: a data folder is its owner's alone.
fn make(dir: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.recursive(true).create(dir)
}
