//! Cases of many tasks at once.
#![expect(missing_docs, reason = "a case's name says what it holds")]

use super::fixtures::*;
use crate::contract::{Commit, Entry, Link, LinkKind, Store};
use std::collections::BTreeSet;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use tokio::task::JoinSet;

pub async fn one_appender_wins_each_place(store: Arc<dyn Store>, _: HandClock) {
    const TASKS: u64 = 8;
    const EACH: u64 = 12;
    let mut tasks = JoinSet::new();
    for task in 0..TASKS {
        let store = Arc::clone(&store);
        tasks.spawn(async move {
            let (mut done, mut known) = (0, 0);
            while done < EACH {
                match append(&*store, [entry(session(1), known, &format!("{task}:{done}"))]).await {
                    Ok(()) => (done, known) = (done + 1, known + 1),
                    result => {
                        assert!(is_conflict(&result), "{result:?}");
                        let now = head(&*store, session(1)).await.unwrap();
                        assert!(now > known, "a conflict without another's append");
                        known = now;
                    }
                }
            }
        });
    }
    tasks.join_all().await;
    let batches = batches(&*store, session(1)).await.unwrap();
    assert!(batches.iter().map(|batch| batch.seq).eq(1..=TASKS * EACH));
    assert_eq!(batches.iter().map(|batch| &batch.batch).collect::<BTreeSet<_>>().len() as u64, TASKS * EACH);
}

pub async fn a_commit_is_seen_whole(store: Arc<dyn Store>, _: HandClock) {
    const COMMITS: u64 = 60;
    let mut tasks = JoinSet::new();
    for _ in 0..3 {
        let store = Arc::clone(&store);
        tasks.spawn(async move {
            let mut known = 0;
            while known < COMMITS {
                let batches = store.since(&app(), &[(session(1), known), (meeting(2), known)]).await.unwrap().batches;
                let count = |stream| batches.iter().filter(|batch| batch.stream == stream).count() as u64;
                assert_eq!(count(session(1)), count(meeting(2)));
                known += count(session(1));
                tokio::task::yield_now().await;
            }
        });
    }
    for n in 0..COMMITS {
        append(&*store, [entry(session(1), n, "x"), entry(meeting(2), n, "x")]).await.unwrap();
    }
    tasks.join_all().await;
}

pub async fn what_was_acknowledged_is_seen(store: Arc<dyn Store>, _: HandClock) {
    let mut tasks = JoinSet::new();
    for task in 0..6 {
        let store = Arc::clone(&store);
        tasks.spawn(async move {
            for n in 0..20 {
                // Asked before and after, so that a store that remembers heads has remembered the one that goes out of date.
                assert_eq!(store.since(&app(), &[(session(task), n)]).await.unwrap().batches, []);
                append(&*store, [entry(session(task), n, "x")]).await.unwrap();
                assert_eq!(store.since(&app(), &[(session(task), n)]).await.unwrap().batches.len(), 1);
            }
        });
    }
    tasks.join_all().await;
}

pub async fn a_new_child_is_seen(store: Arc<dyn Store>, _: HandClock) {
    let mut tasks = JoinSet::new();
    for task in 0..6_u128 {
        let store = Arc::clone(&store);
        tasks.spawn(async move {
            // Two tasks to a parent: what one asks and what the other adds meet.
            let parent = id(task / 2);
            for n in 0..20 {
                let stream = session(100 * (task + 1) + n);
                let many = store.linked(&app(), LinkKind::Child, parent).await.unwrap().len() as u64;
                let links = vec![Link { kind: LinkKind::Child, from: parent, to: stream }];
                append(&*store, [Entry { links, ..entry(stream, 0, "x") }]).await.unwrap();
                assert_eq!(store.unchanged(&app(), &[(stream, 1)], &[(parent, many)]).await.unwrap(), None);
            }
        });
    }
    tasks.join_all().await;
    for parent in [0, 1, 2].map(id) {
        assert!(store.unchanged(&app(), &[], &[(parent, 40)]).await.unwrap().is_some());
    }
}

pub async fn a_dropped_append_happens_whole_or_not(store: Arc<dyn Store>, _: HandClock) {
    let (app, streams) = (app(), [session(1), meeting(2), source(3)]);
    for polls in 0..60 {
        let known = head(&*store, streams[0]).await.unwrap();
        let commit = Commit { entries: streams.map(|stream| entry(stream, known, "x")).to_vec() };
        {
            let mut append = pin!(store.append(&app, commit));
            let mut done = false;
            for _ in 0..polls % 3 {
                done = done || poll_fn(|cx| Poll::Ready(append.as_mut().poll(cx).is_ready())).await;
            }
        }
        // What was queued before this is done when this is.
        store.ready().await.unwrap();
        let all = store.since(&app, &streams.map(|stream| (stream, known))).await.unwrap().batches;
        assert!(all.is_empty() || all.iter().map(|batch| batch.stream).eq(streams), "{all:?}");
    }
}

pub async fn settling_never_hides_an_append(store: Arc<dyn Store>, _: HandClock) {
    for n in 1..40 {
        append(&*store, [entry(session(n), 0, "x")]).await.unwrap();
        let (app, records) = (app(), [record(n, session(n))]);
        let vector = vec![(session(n), 1)];
        let settle = store.settle(&app, session(n), &vector, &records);
        let (settled, appended) = tokio::join!(settle, append(&*store, [entry(session(n), 1, "late")]));
        settled.unwrap();
        appended.unwrap();
        assert!(store.unsettled(&app).await.unwrap().contains(&session(n)));
    }
    assert_eq!(list(&*store, &Default::default()).await.unwrap().total, 0);
}
