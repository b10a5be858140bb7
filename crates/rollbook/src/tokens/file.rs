//! The tokens file: its format, reading it, and replacing it whole.

use super::record::StoredRecord;
use super::{TokenChanges, TokenRecord, TokenStore, TokensError};
use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

/// The name of the tokens file in the data folder.
pub const TOKENS_FILE: &str = "tokens.json";
const LOCK_FILE: &str = "tokens.lock";
const VERSION: u32 = 1;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Stored {
    version: u32,
    tokens: Vec<StoredRecord>,
}

/// The tokens of a data folder, which needs not exist yet.
pub struct TokenFile {
    dir: PathBuf,
}

impl TokenFile {
    /// Those of the folder.
    #[must_use]
    pub fn new(dir: &Path) -> Self {
        Self { dir: dir.to_owned() }
    }
}

#[async_trait]
impl TokenStore for TokenFile {
    async fn add(&self, token: &TokenRecord) -> Result<bool, TokensError> {
        let (dir, token) = (self.dir.clone(), token.clone());
        let added = move |tokens: &mut Vec<TokenRecord>| {
            let new = tokens.iter().all(|known| known.id != token.id);
            if new {
                tokens.push(token);
            }
            new
        };
        aside(move || edit(&dir, added)).await
    }

    async fn remove(&self, id: &str) -> Result<(), TokensError> {
        let (dir, id) = (self.dir.clone(), id.to_owned());
        aside(move || edit(&dir, |tokens| tokens.retain(|token| token.id != id))).await
    }

    async fn list(&self) -> Result<Vec<TokenRecord>, TokensError> {
        let dir = self.dir.clone();
        aside(move || read(&dir).tokens).await
    }

    fn changes(&self) -> Box<dyn TokenChanges> {
        Box::new(Changes { dir: self.dir.clone(), told: None })
    }
}

struct Changes {
    dir: PathBuf,
    /// The state of the file that was told.
    told: Option<Option<Stamp>>,
}

#[async_trait]
impl TokenChanges for Changes {
    async fn next(&mut self) -> Result<Option<Vec<TokenRecord>>, TokensError> {
        let (dir, told) = (self.dir.clone(), self.told);
        let reading = aside(move || {
            let stands = stamp(&dir).map_err(TokensError::io("can't look at", &dir.join(TOKENS_FILE)))?;
            Ok((told != Some(stands)).then(|| read(&dir)))
        });
        let Some(Reading { stamp, tokens }) = reading.await? else { return Ok(None) };
        let tokens = tokens?;
        self.told = Some(stamp);
        Ok(Some(tokens))
    }
}

/// Does what waits for the disk where no request waits behind it.
async fn aside<T: Send + 'static>(work: impl FnOnce() -> Result<T, TokensError> + Send + 'static) -> Result<T, TokensError> {
    tokio::task::spawn_blocking(work).await.unwrap_or(Err(TokensError::Stopped))
}

/// What tells one state of the file from another. Every change is a rename of a new file, so one of these always differs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Stamp {
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
struct Reading {
    stamp: Option<Stamp>,
    tokens: Result<Vec<TokenRecord>, TokensError>,
}

/// The stamp of the file as it stands; none where there is no file.
fn stamp(dir: &Path) -> io::Result<Option<Stamp>> {
    match fs::metadata(dir.join(TOKENS_FILE)) {
        Ok(meta) => Ok(Some(Stamp::of(&meta))),
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(cause) => Err(cause),
    }
}

fn read(dir: &Path) -> Reading {
    let path = dir.join(TOKENS_FILE);
    let mut file = match File::open(&path) {
        Ok(file) => file,
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => return Reading { stamp: None, tokens: Ok(Vec::new()) },
        Err(cause) => return Reading { stamp: stamp(dir).ok().flatten(), tokens: Err(TokensError::io("can't open", &path)(cause)) },
    };
    let stamp = file.metadata().ok().map(|meta| Stamp::of(&meta));
    let mut text = String::new();
    let tokens = match file.read_to_string(&mut text) {
        Ok(_) => parse(&text).map_err(|cause| damaged(&path, cause)),
        Err(cause) if cause.kind() == io::ErrorKind::InvalidData => Err(damaged(&path, cause.to_string())),
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
            let token = TokenRecord::try_from(token)?;
            if ids.insert(token.id.clone()) { Ok(token) } else { Err(format!("the id {:?} occurs twice", token.id)) }
        })
        .collect()
}

fn damaged(path: &Path, cause: String) -> TokensError {
    TokensError::Damaged { place: path.display().to_string(), cause }
}

/// Reads the tokens, lets `change` alter them, and replaces the file. One process at a time, so that of two commands at once neither
/// undoes the other's work.
fn edit<T>(dir: &Path, change: impl FnOnce(&mut Vec<TokenRecord>) -> T) -> Result<T, TokensError> {
    make(dir).map_err(TokensError::io("can't create", dir))?;
    let lock_path = dir.join(LOCK_FILE);
    // The lock is a file of its own because the tokens file is replaced: a lock on it would be one on its former self.
    let lock = private().create(true).truncate(false).open(&lock_path).map_err(TokensError::io("can't open", &lock_path))?;
    lock.lock().map_err(TokensError::io("can't lock", &lock_path))?;
    let mut tokens = read(dir).tokens?;
    let outcome = change(&mut tokens);
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
    let stored = Stored { version: VERSION, tokens: tokens.iter().map(StoredRecord::from).collect() };
    let text = serde_json::to_string_pretty(&stored);
    text.map(|text| text + "\n").map_err(|cause| damaged(Path::new(TOKENS_FILE), cause.to_string()))
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

#[cfg(test)]
mod tests;
