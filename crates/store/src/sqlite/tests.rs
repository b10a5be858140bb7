//! What only the store in a folder promises. The contract is tested in `tests/sqlite.rs`.

mod checkpoints;
mod disk;
mod folder;
mod fresh;
mod group;
mod random;
mod recent;

use super::open::{self, Folder};
use super::{Pages, SqliteStore, Tuning, schema};
use crate::contract::{AppendError, StoreError};
use crate::suite::fixtures::{HandClock, app, append, entry, head, session};
use crate::{Commit, Store};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

fn store_in(folder: &Path) -> SqliteStore {
    SqliteStore::open(folder, HandClock::default().clock()).unwrap()
}

/// Counts commits, and makes them fail.
#[derive(Clone, Default)]
struct Commits {
    count: Arc<AtomicU64>,
    failing: Arc<AtomicBool>,
}

/// A store that puts off less, or more, than usual.
fn tuned(folder: &Path, tuning: Tuning) -> SqliteStore {
    watched_by(folder, tuning).0
}

/// A store whose commits are watched.
fn watched(folder: &Path) -> (SqliteStore, Commits) {
    watched_by(folder, Tuning::USUAL)
}

fn watched_by(folder: &Path, tuning: Tuning) -> (SqliteStore, Commits) {
    let folder = Folder::take(folder).unwrap();
    let mut conn = open::writing(folder.ledger()).unwrap();
    schema::migrate(&mut conn, folder.ledger()).unwrap();
    let commits = Commits::default();
    let Commits { count, failing } = commits.clone();
    let hook = move || {
        count.fetch_add(1, Ordering::SeqCst);
        failing.load(Ordering::SeqCst)
    };
    conn.commit_hook(Some(hook)).unwrap();
    (SqliteStore::start(folder, conn, HandClock::default().clock(), tuning).unwrap(), commits)
}

/// Reads a number with the writing connection.
async fn ask_writer(store: &SqliteStore, sql: &'static str) -> i64 {
    store.writer.submit::<_, StoreError>(0, |txn| Ok(txn.prepare(sql)?.query_row([], |row| row.get(0))?)).await.unwrap()
}

fn is_unavailable(result: &Result<(), AppendError>) -> bool {
    matches!(result, Err(AppendError::Store(StoreError::Unavailable(_))))
}
