//! Many jobs, one commit.

use super::*;
use crate::suite::fixtures::{batches, other_app};
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::mpsc;
use std::task::Poll;

/// Keeps the writer busy until the sender is dropped.
async fn occupy(store: &SqliteStore) -> mpsc::Sender<()> {
    let (release, released) = mpsc::channel();
    let (busy, started) = tokio::sync::oneshot::channel();
    let mut job = Box::pin(store.writer.submit::<(), StoreError>(0, move |_| {
        let _ = busy.send(());
        let _ = released.recv();
        Ok(())
    }));
    queue(job.as_mut()).await;
    started.await.unwrap();
    release
}

/// Puts a job on the queue and leaves it there.
async fn queue<T>(mut job: Pin<&mut impl Future<Output = T>>) {
    assert!(poll_fn(|cx| Poll::Ready(job.as_mut().poll(cx).is_pending())).await, "answered before it was done");
}

#[tokio::test]
async fn jobs_that_wait_share_a_commit() {
    let folder = tempfile::tempdir().unwrap();
    let (store, commits) = watched(folder.path());
    let release = occupy(&store).await;
    let before = commits.count.load(Ordering::SeqCst);
    let mut appends: Vec<_> = (0..50).map(|n| Box::pin(append(&store, [entry(session(n), 0, "x")]))).collect();
    for append in &mut appends {
        queue(append.as_mut()).await;
    }
    drop(release);
    for append in appends {
        append.await.unwrap();
    }
    let after = commits.count.load(Ordering::SeqCst);
    assert!(after - before <= 2, "the writer's own job and one for all: {}", after - before);
    assert_eq!(store.streams(&app(), None, 99).await.unwrap().len(), 50);
}

#[tokio::test]
async fn a_conflict_in_a_shared_commit_is_alone() {
    let folder = tempfile::tempdir().unwrap();
    let (store, _) = watched(folder.path());
    {
        let release = occupy(&store).await;
        let theirs = |expected| store_append(&store, expected);
        let mut first = pin!(append(&store, [entry(session(1), 0, "first")]));
        let mut lost = pin!(append(&store, [entry(session(2), 0, "lost"), entry(session(1), 0, "lost")]));
        let mut next = pin!(append(&store, [entry(session(1), 1, "next"), entry(session(2), 0, "taken")]));
        // The first job of an app that fails takes the app's number with it; the second needs one all the same.
        let (mut wrong, mut right) = (pin!(theirs(1)), pin!(theirs(0)));
        queue(first.as_mut()).await;
        queue(lost.as_mut()).await;
        queue(next.as_mut()).await;
        queue(wrong.as_mut()).await;
        queue(right.as_mut()).await;
        drop(release);
        first.await.unwrap();
        assert!(matches!(lost.await, Err(AppendError::Conflict)));
        next.await.unwrap();
        assert!(matches!(wrong.await, Err(AppendError::Conflict)));
        right.await.unwrap();
    }
    // An app's number that was handed out and undone would only be missed by the next process.
    drop(store);
    let store = store_in(folder.path());
    assert_eq!(batches(&store, session(1)).await.unwrap().len(), 2);
    assert_eq!(batches(&store, session(2)).await.unwrap()[0].batch, "taken");
    assert_eq!(store.since(&other_app(), &[(session(1), 0)]).await.unwrap().batches.len(), 1);
}

#[tokio::test]
async fn what_a_job_alone_wrote_before_it_failed_is_undone() {
    let folder = tempfile::tempdir().unwrap();
    let (store, _) = watched(folder.path());
    // It adds the app before it finds that the stream is elsewhere.
    assert!(matches!(store_append(&store, 1).await, Err(AppendError::Conflict)));
    assert_eq!(store.streams(&other_app(), None, 9).await.unwrap(), []);
    append(&store, [entry(session(1), 0, "ours")]).await.unwrap();
    store_append(&store, 0).await.unwrap();
    drop(store);
    let store = store_in(folder.path());
    assert_eq!(store.since(&other_app(), &[(session(1), 0)]).await.unwrap().batches.len(), 1);
    assert_eq!(batches(&store, session(1)).await.unwrap()[0].batch, "ours");
}

async fn store_append(store: &SqliteStore, expected: u64) -> Result<(), AppendError> {
    store.append(&other_app(), Commit { entries: vec![entry(session(1), expected, "theirs")] }).await
}

#[tokio::test]
async fn a_commit_that_fails_acknowledges_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let (store, commits) = watched(folder.path());
    append(&store, [entry(session(1), 0, "stands")]).await.unwrap();
    let release = occupy(&store).await;
    let mut one = pin!(append(&store, [entry(session(1), 1, "lost")]));
    let mut two = pin!(append(&store, [entry(session(2), 0, "lost")]));
    let mut conflict = pin!(append(&store, [entry(session(1), 1, "second to one that is lost")]));
    let mut new_app = pin!(store_append(&store, 0));
    queue(one.as_mut()).await;
    queue(two.as_mut()).await;
    queue(conflict.as_mut()).await;
    queue(new_app.as_mut()).await;
    commits.failing.store(true, Ordering::SeqCst);
    drop(release);
    for result in [one.await, two.await, conflict.await, new_app.await, append(&store, [entry(session(3), 0, "lost")]).await] {
        assert!(is_unavailable(&result), "{result:?}");
    }
    assert!(store.ready().await.is_err());
    assert_eq!((head(&store, session(1)).await.unwrap(), head(&store, session(2)).await.unwrap()), (1, 0));
    assert_eq!(store.streams(&other_app(), None, 9).await.unwrap(), []);
    commits.failing.store(false, Ordering::SeqCst);
    append(&store, [entry(session(1), 1, "b"), entry(session(2), 0, "b")]).await.unwrap();
    store_append(&store, 0).await.unwrap();
    store.ready().await.unwrap();
    assert_eq!((head(&store, session(1)).await.unwrap(), head(&store, session(2)).await.unwrap()), (2, 1));
}

#[tokio::test]
async fn dropping_the_store_finishes_what_is_queued() {
    let folder = tempfile::tempdir().unwrap();
    let (store, _) = watched(folder.path());
    let release = occupy(&store).await;
    {
        let mut forgotten = pin!(append(&store, [entry(session(1), 0, "x"), entry(session(2), 0, "x")]));
        queue(forgotten.as_mut()).await;
    }
    drop(release);
    drop(store);
    let store = store_in(folder.path());
    assert_eq!((head(&store, session(1)).await.unwrap(), head(&store, session(2)).await.unwrap()), (1, 1));
}
