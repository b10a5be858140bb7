//! What is told from memory.

use super::*;
use crate::suite::fixtures::{at, source};

#[tokio::test]
async fn what_was_committed_last_is_told_as_it_is_on_disk() {
    let folder = tempfile::tempdir().unwrap();
    let clock = HandClock::default();
    let store = SqliteStore::open(folder.path(), clock.clock()).unwrap();
    for seq in 0..3 {
        clock.set(at(1_000 + i64::try_from(seq).unwrap()));
        let batches = [session(1), session(2), source(3)].map(|stream| entry(stream, seq, &format!("{stream} {seq}")));
        append(&store, batches).await.unwrap();
    }
    let known = [(session(2), 1), (session(1), 0), (source(3), 3)];
    assert_eq!(store.known.after(1, &known).ok().map(|batches| batches.len()), Some(5), "nothing is read from the database");
    let told = store.since(&app(), &known).await.unwrap().batches;
    drop(store);

    let store = SqliteStore::open(folder.path(), clock.clock()).unwrap();
    assert!(store.known.after(1, &known).is_err(), "after a restart it is");
    assert_eq!(store.since(&app(), &known).await.unwrap().batches, told);
}

#[tokio::test]
async fn what_was_taken_back_is_not_told() {
    let folder = tempfile::tempdir().unwrap();
    let (store, commits) = watched(folder.path());
    append(&store, [entry(session(1), 0, "kept")]).await.unwrap();
    commits.failing.store(true, Ordering::SeqCst);
    assert!(is_unavailable(&append(&store, [entry(session(1), 1, "lost")]).await));
    commits.failing.store(false, Ordering::SeqCst);
    append(&store, [entry(session(1), 1, "kept, too")]).await.unwrap();
    let told = store.since(&app(), &[(session(1), 0)]).await.unwrap().batches;
    assert_eq!(told.iter().map(|batch| &batch.batch[..]).collect::<Vec<_>>(), [&b"kept"[..], b"kept, too"]);
}
