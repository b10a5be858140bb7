//! The whole suite, once on every store that a server may have.
#![allow(clippy::duplicate_mod, reason = "one suite, compiled for each store")]

use rollbook_store::suite::Subject;
use rollbook_store::{Clock, MemoryStore, SqliteStore};

#[path = "."]
mod memory {
    use super::{Clock, MemoryStore, Subject};

    fn store(clock: Clock) -> Subject {
        Subject::alone(MemoryStore::new(clock))
    }

    #[path = "suite/mod.rs"]
    mod suite;
}

#[path = "."]
mod sqlite {
    use super::{Clock, SqliteStore, Subject};

    fn store(clock: Clock) -> Subject {
        let folder = tempfile::tempdir().unwrap();
        let store = SqliteStore::open(folder.path(), clock).unwrap();
        Subject { store: std::sync::Arc::new(store), alive: Box::new(folder), own_time: false }
    }

    #[path = "suite/mod.rs"]
    mod suite;
}
