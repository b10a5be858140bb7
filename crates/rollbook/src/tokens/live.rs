//! Tokens as a running server knows them: looked up by digest, re-read when the file changes.

use super::file::{self, Stamp};
use super::{Digest, Grant, TokenRecord};
use crate::http::TokenLookup;
use rollbook_core::time::{SECOND, Timestamp};
use rollbook_store::Clock;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Mutex, PoisonError, RwLock};

/// How long a revoked token may still be taken, in microseconds.
const FRESH: i64 = SECOND;

/// The tokens of a data folder. Changes of the file are seen without a restart: a new token at its first use, a revocation within a
/// second. No task runs for it: whoever asks looks.
pub struct TokenFile {
    dir: PathBuf,
    clock: Clock,
    known: RwLock<BTreeMap<Digest, Grant>>,
    /// The state of the file that was last read, good or damaged: the same state is never read twice, however many wrong tokens come.
    seen: Mutex<Seen>,
    /// When the file was last looked at, in microseconds.
    looked: AtomicI64,
}

#[derive(Default)]
struct Seen {
    stamp: Option<Stamp>,
    /// Whether the trouble that stands has been told: once is enough.
    told: bool,
}

impl TokenFile {
    /// The tokens of a data folder, which needs not exist yet. A damaged file is logged, and knows no tokens until it is mended.
    #[must_use]
    pub fn open(dir: &Path, clock: Clock) -> Self {
        let looked = AtomicI64::new(clock().micros());
        let file = Self { dir: dir.to_owned(), clock, known: RwLock::default(), seen: Mutex::default(), looked };
        file.look();
        file
    }

    /// What a token allows; none where it is unknown or was revoked.
    #[must_use]
    pub fn look_up(&self, token: &str) -> Option<Grant> {
        let digest = Digest::of(token);
        let now = (self.clock)();
        let age = now.since(Timestamp::from_micros(self.looked.load(Ordering::Relaxed)));
        // A clock that was set back must not stretch the second.
        let stale = !(0..FRESH).contains(&age);
        if stale {
            self.looked.store(now.micros(), Ordering::Relaxed);
            self.look();
        }
        let found = self.find(&digest);
        if found.is_some() || stale {
            return found;
        }
        // Unknown: perhaps it was made since. Asking the file system for the stamp costs less than the digest did.
        self.look();
        self.find(&digest)
    }

    fn find(&self, digest: &Digest) -> Option<Grant> {
        self.known.read().unwrap_or_else(PoisonError::into_inner).get(digest).cloned()
    }

    /// Reads the file if it changed. Where it can't be read, what was last known good stays.
    fn look(&self) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        match file::stamp(&self.dir) {
            Ok(stamp) if stamp == seen.stamp => return,
            Ok(_) => {}
            Err(cause) => return seen.tell(&format!("can't look at it: {cause}")),
        }
        let reading = file::read(&self.dir);
        if reading.stamp != seen.stamp {
            *seen = Seen { stamp: reading.stamp, told: false };
        }
        match reading.tokens {
            Ok(tokens) => {
                seen.told = false;
                *self.known.write().unwrap_or_else(PoisonError::into_inner) = by_digest(tokens);
            }
            Err(cause) => seen.tell(&cause.to_string()),
        }
    }
}

impl TokenLookup for TokenFile {
    fn look_up(&self, token: &str) -> Option<Grant> {
        TokenFile::look_up(self, token)
    }
}

impl Seen {
    fn tell(&mut self, cause: &str) {
        if !std::mem::replace(&mut self.told, true) {
            tracing::error!(cause, "the tokens file can't be used; the tokens known before stay in force");
        }
    }
}

fn by_digest(tokens: Vec<TokenRecord>) -> BTreeMap<Digest, Grant> {
    tokens.into_iter().map(|token| (token.digest, token.grant)).collect()
}

#[cfg(test)]
mod tests {
    use super::super::{Permission, TOKENS_FILE, create, revoke};
    use super::*;
    use std::sync::Arc;

    fn grant() -> Grant {
        Grant { account: "acme".into(), app: None, permission: Permission::Ingest }
    }

    /// A folder, a clock to set, and the tokens as a server at that clock knows them.
    struct Running {
        dir: tempfile::TempDir,
        now: Arc<AtomicI64>,
        tokens: TokenFile,
    }

    impl Running {
        fn start() -> Self {
            let dir = tempfile::tempdir().unwrap();
            let now = Arc::new(AtomicI64::new(1_000 * SECOND));
            let clock = Arc::clone(&now);
            let tokens = TokenFile::open(dir.path(), Arc::new(move || Timestamp::from_micros(clock.load(Ordering::Relaxed))));
            Self { dir, now, tokens }
        }

        fn create(&self) -> super::super::Issued {
            create(self.dir.path(), grant(), Timestamp::from_micros(0)).unwrap()
        }
    }

    #[test]
    fn a_new_token_works_at_once() {
        let server = Running::start();
        assert_eq!(server.tokens.look_up("rb_nonsense"), None);
        let made = server.create();
        assert_eq!(server.tokens.look_up(&made.token), Some(grant()));
        assert_eq!(server.tokens.look_up(&made.id), None);
    }

    #[test]
    fn a_revocation_is_seen_within_a_second() {
        let server = Running::start();
        let (kept, made) = (server.create(), server.create());
        assert!(server.tokens.look_up(&made.token).is_some());
        revoke(server.dir.path(), &made.id).unwrap();
        server.now.fetch_add(SECOND, Ordering::Relaxed);
        assert_eq!(server.tokens.look_up(&made.token), None);
        assert!(server.tokens.look_up(&kept.token).is_some());
    }

    #[test]
    fn a_clock_that_is_set_back_delays_no_revocation() {
        let server = Running::start();
        let made = server.create();
        assert!(server.tokens.look_up(&made.token).is_some());
        revoke(server.dir.path(), &made.id).unwrap();
        server.now.fetch_sub(500 * SECOND, Ordering::Relaxed);
        assert_eq!(server.tokens.look_up(&made.token), None);
    }

    #[test]
    fn a_damaged_file_changes_nothing_until_it_is_mended() {
        let server = Running::start();
        let made = server.create();
        assert!(server.tokens.look_up(&made.token).is_some());
        let path = server.dir.path().join(TOKENS_FILE);
        let good = std::fs::read(&path).unwrap();
        for damaged in [&b"{"[..], b"", b"\xff\xfe"] {
            std::fs::write(&path, damaged).unwrap();
            server.now.fetch_add(2 * SECOND, Ordering::Relaxed);
            assert!(server.tokens.look_up(&made.token).is_some() && server.tokens.look_up("rb_other").is_none());
        }
        std::fs::write(&path, good).unwrap();
        revoke(server.dir.path(), &made.id).unwrap();
        assert_eq!(server.tokens.look_up("rb_other"), None);
        assert_eq!(server.tokens.look_up(&made.token), None);
    }

    #[test]
    fn a_server_that_starts_on_a_damaged_file_knows_nobody() {
        let server = Running::start();
        let made = server.create();
        let path = server.dir.path().join(TOKENS_FILE);
        let good = std::fs::read_to_string(&path).unwrap();
        std::fs::write(&path, good.replace("\"version\": 1", "\"version\": 9")).unwrap();
        let restarted = TokenFile::open(server.dir.path(), Arc::new(|| Timestamp::from_micros(0)));
        assert_eq!(restarted.look_up(&made.token), None);
        std::fs::write(&path, good).unwrap();
        assert!(restarted.look_up(&made.token).is_some());
    }
}
