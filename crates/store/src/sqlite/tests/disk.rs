//! A disk that is full: nothing that was acknowledged is lost, reads go on, and appends go on when there is room again.

use super::*;
use crate::contract::Entry;
use crate::suite::fixtures::batches;
use bytes::Bytes;

const SIZE: usize = 64 << 10;

fn large(n: u128, expected: u64) -> Entry {
    Entry { batch: Bytes::from(vec![7; SIZE]), ..entry(session(n), expected, "") }
}

/// Appends until the store can't, several at a time, and returns how much of each stream was acknowledged.
async fn fill(store: &SqliteStore, acknowledged: &mut [u64; 4]) {
    for _ in 0..10_000 {
        let [a, b, c, d] = *acknowledged;
        let entries = [large(0, a), large(1, b), large(2, c), large(3, d)].map(|entry| append(store, [entry]));
        let [a, b, c, d] = entries;
        let results = tokio::join!(a, b, c, d);
        let results = [results.0, results.1, results.2, results.3];
        for (count, result) in acknowledged.iter_mut().zip(&results) {
            assert!(result.is_ok() || is_unavailable(result), "{result:?}");
            *count += u64::from(result.is_ok());
        }
        if results.iter().any(Result::is_err) {
            return;
        }
    }
    panic!("the disk is never full");
}

async fn check(store: &SqliteStore, acknowledged: &[u64; 4]) {
    for (n, count) in (0..).zip(acknowledged) {
        let read = batches(store, session(n)).await.unwrap();
        assert!(read.iter().map(|batch| batch.seq).eq(1..=*count), "session {n}");
        assert!(read.iter().all(|batch| batch.batch.len() == SIZE));
    }
    assert_eq!(store.unsettled(&app()).await.unwrap().len(), 4);
}

async fn limit_pages(store: &SqliteStore, more: i64) {
    let pages = ask_writer(store, "PRAGMA page_count").await + more;
    let limit = format!("PRAGMA max_page_count = {pages}");
    let set = store.writer.submit::<i64, StoreError>(0, move |txn| Ok(txn.prepare(&limit)?.query_row([], |row| row.get(0))?));
    assert_eq!(set.await.unwrap(), pages);
}

#[tokio::test]
async fn a_full_database_takes_appends_again_when_there_is_room() {
    let folder = tempfile::tempdir().unwrap();
    let store = store_in(folder.path());
    let mut acknowledged = [0; 4];
    for entry in (0..4).map(|n| large(n, 0)) {
        append(&store, [entry]).await.unwrap();
    }
    acknowledged.iter_mut().for_each(|count| *count += 1);
    limit_pages(&store, 300).await;
    for _ in 0..3 {
        fill(&store, &mut acknowledged).await;
        check(&store, &acknowledged).await;
        limit_pages(&store, 300).await;
    }
    let full = acknowledged;
    for (n, count) in (0..).zip(&mut acknowledged) {
        append(&store, [large(n, *count)]).await.unwrap();
        *count += 1;
    }
    assert!(full.iter().sum::<u64>() > 4);
    drop(store);
    check(&store_in(folder.path()), &acknowledged).await;
}

/// `./test --only disk` runs it.
#[tokio::test]
#[ignore = "mounts a small tmpfs, which only root may"]
async fn a_full_disk_takes_appends_again_when_there_is_room() {
    let folder = tempfile::tempdir().unwrap();
    let mount = |args: &[&str]| assert!(std::process::Command::new("mount").args(args).arg(folder.path()).status().unwrap().success());
    mount(&["-t", "tmpfs", "-o", "size=24m", "tmpfs"]);
    let store = store_in(folder.path());
    let mut acknowledged = [0; 4];
    for size in ["remount,size=48m", "remount,size=96m"] {
        fill(&store, &mut acknowledged).await;
        check(&store, &acknowledged).await;
        mount(&["-o", size]);
        store.ready().await.unwrap();
    }
    for (n, count) in (0..).zip(&mut acknowledged) {
        append(&store, [large(n, *count)]).await.unwrap();
        *count += 1;
    }
    drop(store);
    let store = store_in(folder.path());
    check(&store, &acknowledged).await;
    drop(store);
    assert!(std::process::Command::new("umount").arg(folder.path()).status().unwrap().success());
}
