//! Opening, locking, versions, and what outlives the process.

use super::*;
use crate::contract::{Entry, LinkKind, SessionFilter};
use crate::sqlite::OpenError;
use crate::suite::fixtures::{BY_START, link, list, record, settled, source};
use bytes::Bytes;
use rusqlite::Connection;

fn refused(folder: &Path) -> OpenError {
    SqliteStore::open(folder, HandClock::default().clock()).err().unwrap()
}

#[tokio::test]
async fn every_commit_is_synced() {
    let folder = tempfile::tempdir().unwrap();
    let store = store_in(folder.path());
    assert_eq!(ask_writer(&store, "PRAGMA synchronous").await, 2, "FULL");
    assert_eq!(ask_writer(&store, "SELECT count(*) FROM pragma_journal_mode WHERE journal_mode = 'wal'").await, 1);
    assert_eq!(ask_writer(&store, "PRAGMA foreign_keys").await, 0);
    assert_eq!(ask_writer(&store, "PRAGMA user_version").await, schema::VERSION as i64);
}

#[tokio::test]
async fn all_is_there_after_opening_again() {
    let folder = tempfile::tempdir().unwrap();
    let streams = [session(1), session(2), source(3)];
    let known = streams.map(|stream| (stream, 0));
    let all = async |store: &SqliteStore| {
        let list = store.sessions(&app(), &SessionFilter::default(), BY_START, 0..9).await.unwrap();
        let since = store.since(&app(), &known).await.unwrap();
        let linked = store.linked(&app(), LinkKind::Source, source(3).id).await.unwrap();
        let (unsettled, kept) = (store.unsettled(&app()).await.unwrap(), store.kept(&app(), 0, 9).await.unwrap());
        (list, since, linked, unsettled, kept, store.streams(&app(), None, 9).await.unwrap())
    };
    let before = {
        let store = store_in(&folder.path().join("made/on/the/way"));
        append(&store, [entry(session(1), 0, "a"), entry(source(3), 0, "b")]).await.unwrap();
        append(&store, [Entry { links: vec![link(source(3), session(2))], ..entry(session(2), 0, "c") }]).await.unwrap();
        assert!(settled(&store, session(1), &[record(1, session(1))]).await.unwrap());
        store.keep(&app(), "zoom", Bytes::from_static(b"odd")).await.unwrap();
        all(&store).await
    };
    assert_eq!(before.1.batches.len(), 3);
    let store = store_in(&folder.path().join("made/on/the/way"));
    assert_eq!(all(&store).await, before);
    assert!(matches!(append(&store, [entry(session(1), 0, "x")]).await, Err(AppendError::Conflict)));
    append(&store, [entry(session(1), 1, "x")]).await.unwrap();
    assert_eq!(head(&store, session(1)).await.unwrap(), 2);
    assert_eq!(list(&store, &SessionFilter::default()).await.unwrap().total, 0);
}

#[tokio::test]
async fn heads_that_were_never_touched_are_found() {
    let folder = tempfile::tempdir().unwrap();
    append(&store_in(folder.path()), [entry(session(1), 0, "a")]).await.unwrap();
    let store = store_in(folder.path());
    let number = store.known.app(&app()).unwrap();
    assert_eq!(store.known.head(number, session(1)), None);
    assert_eq!(store.since(&app(), &[(session(1), 1), (session(2), 5)]).await.unwrap().batches, []);
    assert_eq!(store.known.head(number, session(1)), Some(1));
    assert_eq!(store.known.head(number, session(2)), Some(0));
    append(&store, [entry(session(2), 0, "b")]).await.unwrap();
    assert_eq!(store.since(&app(), &[(session(1), 1), (session(2), 0)]).await.unwrap().batches.len(), 1);
}

#[test]
fn a_folder_is_one_process_s_own() {
    let folder = tempfile::tempdir().unwrap();
    let store = store_in(folder.path());
    let error = refused(folder.path());
    let expected = format!(
        "data folder {} is in use by another rollbook: stop that one first, or give this one a data folder of its own",
        folder.path().display()
    );
    assert_eq!(error.to_string(), expected);
    drop(store);
    store_in(folder.path());
}

#[test]
fn a_newer_ledger_is_refused_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    drop(store_in(folder.path()));
    let file = folder.path().join("ledger.db");
    Connection::open(&file).unwrap().pragma_update(None, "user_version", schema::VERSION + 1).unwrap();
    let error = refused(folder.path());
    assert!(matches!(error, OpenError::Newer { .. }));
    assert!(error.to_string().contains("start the newer rollbook that wrote it"), "{error}");
    let version: usize = Connection::open(&file).unwrap().pragma_query_value(None, "user_version", |row| row.get(0)).unwrap();
    assert_eq!(version, schema::VERSION + 1);
}

#[tokio::test]
async fn a_ledger_of_the_first_version_is_read_and_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let conn = Connection::open(folder.path().join("ledger.db")).unwrap();
    conn.execute_batch(include_str!("../migrations/0001.sql")).unwrap();
    let (from, to) = (source(3).id.into_bytes(), session(1).id.into_bytes());
    conn.execute("INSERT INTO apps VALUES (1, 'acme', 'school')", []).unwrap();
    conn.execute("INSERT INTO journal VALUES (1, 0, ?1, 1, 7, x'01')", [to]).unwrap();
    conn.execute("INSERT INTO links VALUES (1, 2, ?1, 0, ?2)", [from, to]).unwrap();
    conn.pragma_update(None, "user_version", 1).unwrap();
    drop(conn);
    let reader = crate::sqlite::SqliteReader::open(folder.path(), HandClock::default().clock()).unwrap();
    assert_eq!(reader.linked(&app(), LinkKind::Peer, source(3).id).await.unwrap(), [session(1)]);
    let store = store_in(folder.path());
    append(&store, [entry(session(1), 1, "x")]).await.unwrap();
    for all in [&store as &dyn Store, &reader] {
        assert_eq!(all.linked(&app(), LinkKind::Peer, source(3).id).await.unwrap(), [session(1)]);
        assert_eq!(all.since(&app(), &[(session(1), 0)]).await.unwrap().batches.len(), 2);
    }
}

#[tokio::test]
async fn a_ledger_of_the_second_version_is_read_and_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let conn = Connection::open(folder.path().join("ledger.db")).unwrap();
    conn.execute_batch(include_str!("../migrations/0001.sql")).unwrap();
    conn.execute_batch(include_str!("../migrations/0002.sql")).unwrap();
    let peer = |n: u128| uuid::Uuid::from_u128(n);
    let to = session(1).id.into_bytes();
    conn.execute("INSERT INTO apps VALUES (1, 'acme', 'school')", []).unwrap();
    conn.execute("INSERT INTO journal VALUES (1, 0, ?1, 1, 7, x'01')", [to]).unwrap();
    conn.execute("INSERT INTO links VALUES (1, 2, ?1, 0, ?2), (1, 2, ?3, 0, ?2)", (peer(1).as_bytes(), to, peer(2).as_bytes())).unwrap();
    // The move of the second was under way.
    let waiting = [peer(2), peer(3)].map(|id| id.into_bytes()).concat();
    conn.execute("INSERT INTO fresh VALUES (9, 1, 2, 0, ?1, ?2)", (to, waiting)).unwrap();
    conn.pragma_update(None, "user_version", 2).unwrap();
    drop(conn);
    let reader = crate::sqlite::SqliteReader::open(folder.path(), HandClock::default().clock()).unwrap();
    for n in 1..4 {
        assert_eq!(reader.linked(&app(), LinkKind::Peer, peer(n)).await.unwrap(), [session(1)], "{n}, before the step");
    }
    let store = store_in(folder.path());
    for all in [&store as &dyn Store, &reader] {
        for n in 1..4 {
            assert_eq!(all.linked(&app(), LinkKind::Peer, peer(n)).await.unwrap(), [session(1)], "{n}");
        }
    }
    append(&store, [entry(session(1), 1, "x")]).await.unwrap();
    assert_eq!(store.since(&app(), &[(session(1), 0)]).await.unwrap().batches.len(), 2);
}

#[test]
fn what_is_no_ledger_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("ledger.db");
    Connection::open(&file).unwrap().execute_batch("CREATE TABLE other (x)").unwrap();
    assert!(matches!(refused(folder.path()), OpenError::Foreign { .. }));
    std::fs::write(&file, "no database at all, but longer than the header of one: ".repeat(9)).unwrap();
    assert!(matches!(refused(folder.path()), OpenError::Database { .. }));
    assert!(matches!(refused(&file), OpenError::Folder { .. }));
}

#[tokio::test]
async fn a_gap_in_the_journal_is_damage() {
    let folder = tempfile::tempdir().unwrap();
    let store = store_in(folder.path());
    for n in 0..3 {
        append(&store, [entry(session(1), n, "x")]).await.unwrap();
    }
    drop(store);
    Connection::open(folder.path().join("ledger.db")).unwrap().execute("DELETE FROM journal WHERE seq = 2", []).unwrap();
    let store = store_in(folder.path());
    assert!(matches!(store.since(&app(), &[(session(1), 0)]).await, Err(StoreError::Damaged(_))));
    assert_eq!(store.since(&app(), &[(session(1), 2)]).await.unwrap().batches.len(), 1);
}
