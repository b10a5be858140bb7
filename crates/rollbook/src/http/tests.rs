//! The whole suite, once on every store that a server may have.
#![allow(clippy::duplicate_mod, reason = "one suite, compiled for each store")]

use rollbook_core::time::Timestamp;
use rollbook_store::suite::Subject;
use rollbook_store::{MemoryStore, SqliteStore};
use std::sync::Arc;

#[path = "."]
mod memory {
    use super::{Arc, MemoryStore, Subject, Timestamp};

    async fn store(now: Timestamp) -> Subject {
        Subject::alone(MemoryStore::new(Arc::new(move || now)))
    }

    #[path = "suite/mod.rs"]
    mod suite;
}

#[path = "."]
mod sqlite {
    use super::{Arc, SqliteStore, Subject, Timestamp};

    async fn store(now: Timestamp) -> Subject {
        let folder = tempfile::tempdir().unwrap();
        let store = SqliteStore::open(folder.path(), Arc::new(move || now)).unwrap();
        Subject { store: Arc::new(store), alive: Box::new(folder), own_time: false }
    }

    #[path = "suite/mod.rs"]
    mod suite;
}

#[path = "."]
mod postgres {
    use super::{Arc, Subject, Timestamp};

    async fn store(now: Timestamp) -> Subject {
        let (store, clock) = crate::cluster::cluster().clocked_store(now).await;
        Subject { store: Arc::new(store), alive: Box::new(clock), own_time: false }
    }

    #[path = "suite/mod.rs"]
    mod suite;
}
