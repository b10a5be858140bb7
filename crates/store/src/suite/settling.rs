//! Cases of `unsettled` and `settle`.
#![expect(missing_docs, reason = "a case's name says what it holds")]

use super::fixtures::*;
use crate::contract::{SessionRecord, Store};
use rollbook_core::id::Stream;
use std::sync::Arc;

async fn unsettled(store: &dyn Store) -> Vec<Stream> {
    store.unsettled(&app()).await.unwrap()
}

async fn listed(store: &dyn Store) -> Vec<u128> {
    numbers(&list(store, &Default::default()).await.unwrap())
}

pub async fn what_changed_is_unsettled(store: Arc<dyn Store>, _: HandClock) {
    append(&*store, [entry(meeting(1), 0, "x"), entry(source(1), 0, "x"), entry(session(2), 0, "x")]).await.unwrap();
    append(&*store, [entry(session(1), 0, "x")]).await.unwrap();
    append(&*store, [entry(session(1), 1, "x")]).await.unwrap();
    assert_eq!(unsettled(&*store).await, [session(1), session(2), meeting(1)]);
    assert!(store.settle(&app(), session(2), &vec![(session(2), 1)], &[]).await.unwrap());
    assert_eq!(unsettled(&*store).await, [session(1), meeting(1)]);
    append(&*store, [entry(session(2), 1, "x")]).await.unwrap();
    assert_eq!(unsettled(&*store).await, [session(1), session(2), meeting(1)]);
    assert_eq!(store.unsettled(&other_app()).await.unwrap(), []);
}

pub async fn settling_needs_the_whole_vector(store: Arc<dyn Store>, _: HandClock) {
    append(&*store, [entry(session(1), 0, "x"), entry(source(2), 0, "x")]).await.unwrap();
    append(&*store, [entry(session(1), 1, "x")]).await.unwrap();
    let settle =
        async |vector: &[(Stream, u64)]| store.settle(&app(), session(1), &vector.to_vec(), &[record(1, session(1))]).await.unwrap();
    let wrong: [&[_]; 5] = [
        &[(session(1), 1)],
        &[(session(1), 3)],
        &[(session(1), 2), (source(2), 0)],
        &[(source(2), 2), (session(1), 2)],
        &[(session(1), 2), (source(2), 1), (source(3), 1)],
    ];
    for vector in wrong {
        assert!(!settle(vector).await, "{vector:?}");
        assert_eq!(unsettled(&*store).await, [session(1)]);
        assert_eq!(listed(&*store).await, []);
    }
    assert!(settle(&[(session(1), 2), (source(2), 1), (source(3), 0)]).await);
    assert_eq!(unsettled(&*store).await, []);
    assert_eq!(listed(&*store).await, [1]);
}

pub async fn a_refused_settling_changes_nothing(store: Arc<dyn Store>, _: HandClock) {
    assert!(settled(&*store, session(1), &[record(1, session(1))]).await.unwrap());
    let others = [SessionRecord { folded_title: "other".into(), ..record(1, session(1)) }, record(2, session(1))];
    assert!(!store.settle(&app(), session(1), &vec![(session(1), 0)], &others).await.unwrap());
    assert!(!store.settle(&other_app(), session(1), &vec![(session(1), 1)], &others).await.unwrap());
    assert_eq!(list(&*store, &Default::default()).await.unwrap().records, [record(1, session(1))]);
    assert_eq!(unsettled(&*store).await, []);
}

pub async fn settling_replaces_all_records(store: Arc<dyn Store>, _: HandClock) {
    let (one, two) = (meeting(1), meeting(2));
    assert!(settled(&*store, two, &[record(9, two)]).await.unwrap());
    assert!(settled(&*store, one, &[record(1, one), record(2, one), record(3, one)]).await.unwrap());
    let changed = SessionRecord { summary: "changed".into(), ..record(2, one) };
    assert!(settled(&*store, one, &[changed.clone(), record(3, one), record(4, one)]).await.unwrap());
    let records = list(&*store, &Default::default()).await.unwrap().records;
    assert_eq!(records, [changed, record(3, one), record(4, one), record(9, two)]);
    assert!(settled(&*store, one, &[]).await.unwrap());
    assert_eq!(listed(&*store).await, [9]);
}

pub async fn a_changed_session_leaves_the_list(store: Arc<dyn Store>, _: HandClock) {
    assert!(settled(&*store, session(1), &[record(1, session(1))]).await.unwrap());
    assert!(settled(&*store, meeting(2), &[record(2, meeting(2)), record(3, meeting(2))]).await.unwrap());
    assert_eq!(listed(&*store).await, [1, 2, 3]);
    append(&*store, [entry(meeting(2), 1, "again")]).await.unwrap();
    let page = list(&*store, &Default::default()).await.unwrap();
    assert_eq!((page.total, numbers(&page)), (1, vec![1]));
    assert!(!store.settle(&app(), meeting(2), &vec![(meeting(2), 1)], &[record(2, meeting(2))]).await.unwrap());
    assert_eq!(listed(&*store).await, [1]);
    assert!(settled(&*store, meeting(2), &[record(3, meeting(2)), record(4, meeting(2))]).await.unwrap());
    assert_eq!(listed(&*store).await, [1, 3, 4]);
}

pub async fn a_stream_without_sessions_settles(store: Arc<dyn Store>, _: HandClock) {
    assert!(settled(&*store, meeting(1), &[]).await.unwrap());
    assert_eq!(unsettled(&*store).await, []);
    assert_eq!(listed(&*store).await, []);
}
