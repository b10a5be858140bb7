//! The contract, held by SQLite in a folder.
#![expect(clippy::unwrap_used, reason = "these are tests")]

use rollbook_store::suite::Subject;
use rollbook_store::{Clock, SqliteStore};
use std::sync::Arc;

fn sqlite(clock: Clock) -> Subject {
    let folder = tempfile::tempdir().unwrap();
    Subject { store: Arc::new(SqliteStore::open(folder.path(), clock).unwrap()), own_time: false, alive: Box::new(folder) }
}

rollbook_store::contract_suite!(sqlite);
