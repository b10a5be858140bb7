//! The log is copied beside the commits, begins anew, and is bounded.

use super::*;
use crate::suite::fixtures::batches;
use std::time::Duration;

fn log_bytes(folder: &Path) -> u64 {
    std::fs::metadata(folder.join("ledger.db-wal")).unwrap().len()
}

/// A page of the log with what tells its place.
const PAGE: u64 = 4096 + 24;

#[tokio::test]
async fn the_log_begins_anew_while_commits_go_on() {
    let folder = tempfile::tempdir().unwrap();
    let log = Pages { many: 16, few: 16, most: u32::MAX };
    let store = tuned(folder.path(), Tuning { log, ..Tuning::USUAL });
    let deadline = tokio::time::Instant::now() + Duration::from_secs(60);
    let (mut seq, mut largest) = (0, 0);
    // It is as large as it ever was; so it began anew once many more pages were written than it has room for.
    while seq < 200 || seq * PAGE < 2 * largest {
        assert!(tokio::time::Instant::now() < deadline, "the log has {largest} bytes after {seq} commits");
        append(&store, [entry(session(1), seq, "x")]).await.unwrap();
        seq += 1;
        largest = log_bytes(folder.path());
    }
    drop(store);
    assert_eq!(batches(&store_in(folder.path()), session(1)).await.unwrap().len() as u64, seq);
}

#[tokio::test]
async fn the_log_has_a_bound() {
    let folder = tempfile::tempdir().unwrap();
    let log = Pages { many: u32::MAX, few: 0, most: 40 };
    let store = tuned(folder.path(), Tuning { log, ..Tuning::USUAL });
    for seq in 0..300 {
        append(&store, [entry(session(1), seq, "x")]).await.unwrap();
    }
    assert!(log_bytes(folder.path()) < 80 * PAGE, "{}", log_bytes(folder.path()));
    drop(store);
    assert_eq!(batches(&store_in(folder.path()), session(1)).await.unwrap().len(), 300);
}
