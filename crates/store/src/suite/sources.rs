//! Cases of what a source's batch marks as unsettled.
#![expect(missing_docs, reason = "a case's name says what it holds")]

use super::fixtures::*;
use crate::contract::{Commit, Entry, Link, LinkKind, SessionRecord, Store};
use rollbook_core::id::Stream;
use std::sync::Arc;

fn changed_at(n: u128, stream: Stream, micros: i64) -> SessionRecord {
    SessionRecord { last_change_at: at(micros), ..record(n, stream) }
}

/// A batch of source 1 with its earliest event at a time.
fn life(expected: u64, micros: i64) -> Entry {
    Entry { earliest: at(micros), ..entry(source(1), expected, "life") }
}

async fn linked(store: &dyn Store, stream: Stream, changes: &[i64]) {
    append(store, [Entry { links: vec![link(source(1), stream)], ..entry(stream, 0, "x") }]).await.unwrap();
    let records: Vec<_> = (1..).zip(changes).map(|(n, micros)| changed_at(stream.id.as_u128() * 100 + n, stream, *micros)).collect();
    assert!(settled(store, stream, &records).await.unwrap());
}

async fn unsettled(store: &dyn Store) -> Vec<Stream> {
    store.unsettled(&app()).await.unwrap()
}

pub async fn a_source_marks_what_it_may_change(store: Arc<dyn Store>, _: HandClock) {
    for (stream, micros) in [(session(1), 9), (session(2), 10), (meeting(3), 11), (meeting(4), -10)] {
        linked(&*store, stream, &[micros]).await;
    }
    assert!(settled(&*store, session(5), &[changed_at(5, session(5), 99)]).await.unwrap());
    append(&*store, [Entry { links: vec![link(source(1), session(6))], ..entry(session(6), 0, "never settled") }]).await.unwrap();
    append(&*store, [life(0, 10)]).await.unwrap();
    assert_eq!(unsettled(&*store).await, [session(2), session(6), meeting(3)]);
    assert_eq!(numbers(&list(&*store, &Default::default()).await.unwrap()), [5, 101, 401]);
    append(&*store, [life(1, -10)]).await.unwrap();
    assert_eq!(unsettled(&*store).await, [session(1), session(2), session(6), meeting(3), meeting(4)]);
    append(&*store, [life(2, 1000)]).await.unwrap();
    assert_eq!(unsettled(&*store).await.len(), 5);
    let theirs = Commit { entries: vec![Entry { earliest: at(0), ..entry(source(1), 0, "another app's") }] };
    store.append(&other_app(), theirs).await.unwrap();
    assert_eq!(store.unsettled(&other_app()).await.unwrap(), []);
}

pub async fn one_late_session_is_enough(store: Arc<dyn Store>, _: HandClock) {
    linked(&*store, meeting(1), &[5, 10, 7]).await;
    linked(&*store, meeting(2), &[5, 9, 7]).await;
    linked(&*store, meeting(3), &[]).await;
    append(&*store, [life(0, 10)]).await.unwrap();
    assert_eq!(unsettled(&*store).await, [meeting(1)]);
    assert!(settled(&*store, meeting(1), &[changed_at(1, meeting(1), 5)]).await.unwrap());
    append(&*store, [life(1, 6)]).await.unwrap();
    assert_eq!(unsettled(&*store).await, [meeting(2)]);
}

pub async fn links_of_the_commit_count(store: Arc<dyn Store>, _: HandClock) {
    assert!(settled(&*store, session(1), &[changed_at(1, session(1), 50)]).await.unwrap());
    let other = Entry { links: vec![link(source(1), session(1))], ..entry(session(2), 0, "x") };
    append(&*store, [life(0, 10), other]).await.unwrap();
    assert_eq!(unsettled(&*store).await, [session(1), session(2)]);
}

pub async fn only_source_links_count(store: Arc<dyn Store>, _: HandClock) {
    let kinds = [LinkKind::Child, LinkKind::Peer, LinkKind::Derived];
    let links = kinds.map(|kind| Link { kind, from: source(1).id, to: session(1) }).to_vec();
    append(&*store, [Entry { links, ..entry(session(1), 0, "x") }]).await.unwrap();
    assert!(settled(&*store, session(1), &[changed_at(1, session(1), 50)]).await.unwrap());
    append(&*store, [life(0, 10)]).await.unwrap();
    assert_eq!(unsettled(&*store).await, []);
}

pub async fn a_linked_stream_that_is_empty_is_not_marked(store: Arc<dyn Store>, _: HandClock) {
    let links = vec![link(source(1), session(8)), link(source(1), source(9)), link(source(1), source(1))];
    append(&*store, [Entry { links, ..life(0, 10) }]).await.unwrap();
    append(&*store, [life(1, 10)]).await.unwrap();
    assert_eq!(unsettled(&*store).await, []);
    append(&*store, [entry(session(8), 0, "x")]).await.unwrap();
    assert_eq!(unsettled(&*store).await, [session(8)]);
}

pub async fn a_source_of_many_streams_marks_them(store: Arc<dyn Store>, _: HandClock) {
    const MANY: u128 = 1500;
    for (stream, micros) in [(session(1), 9), (session(2), 10), (meeting(3), 11)] {
        linked(&*store, stream, &[micros]).await;
    }
    assert!(settled(&*store, session(4), &[changed_at(4, session(4), 99)]).await.unwrap());
    let links = (0..MANY).map(|n| link(source(1), session(1000 + n))).collect();
    append(&*store, [Entry { links, ..entry(session(1000), 0, "x") }]).await.unwrap();
    append(&*store, [life(0, 10)]).await.unwrap();
    assert_eq!(unsettled(&*store).await, [session(2), session(1000), meeting(3)]);
}
