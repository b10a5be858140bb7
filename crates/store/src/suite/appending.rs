//! Cases of `append`.
#![expect(missing_docs, reason = "a case's name says what it holds")]

use super::fixtures::*;
use crate::contract::{Commit, Entry, Seq, Store};
use bytes::Bytes;
use rollbook_core::id::Stream;
use std::sync::Arc;

async fn texts(store: &dyn Store, stream: Stream) -> Vec<(Seq, String)> {
    let batches = batches(store, stream).await.unwrap();
    batches.iter().map(|batch| (batch.seq, String::from_utf8_lossy(&batch.batch).into_owned())).collect()
}

fn numbered(texts: &[&str]) -> Vec<(Seq, String)> {
    (1..).zip(texts.iter().map(|text| (*text).to_owned())).collect()
}

pub async fn sequence_numbers_have_no_gaps(store: Arc<dyn Store>, _: HandClock) {
    for (expected, text) in (0..).zip(["a", "b", "c"]) {
        append(&*store, [entry(session(1), expected, text)]).await.unwrap();
    }
    assert_eq!(texts(&*store, session(1)).await, numbered(&["a", "b", "c"]));
}

pub async fn an_append_behind_or_ahead_conflicts(store: Arc<dyn Store>, _: HandClock) {
    assert!(is_conflict(&append(&*store, [entry(session(1), 1, "ahead of nothing")]).await));
    append(&*store, [entry(session(1), 0, "a")]).await.unwrap();
    for expected in [0, 2, 3, Seq::MAX] {
        assert!(is_conflict(&append(&*store, [entry(session(1), expected, "x")]).await), "{expected}");
    }
    append(&*store, [entry(session(1), 1, "b")]).await.unwrap();
    assert_eq!(texts(&*store, session(1)).await, numbered(&["a", "b"]));
}

pub async fn a_conflict_leaves_nothing(store: Arc<dyn Store>, _: HandClock) {
    append(&*store, [entry(session(2), 0, "first")]).await.unwrap();
    settled(&*store, meeting(3), &[record(3, meeting(3))]).await.unwrap();
    append(&*store, [Entry { links: vec![link(source(5), meeting(3))], ..entry(session(4), 0, "linked") }]).await.unwrap();
    let before = store.unsettled(&app()).await.unwrap();
    let entries = [
        Entry { links: vec![link(source(9), session(1))], ..entry(session(1), 0, "lost") },
        entry(meeting(3), 1, "lost"),
        entry(source(5), 0, "lost"),
        entry(session(2), 0, "too late"),
    ];
    for turn in 0..entries.len() {
        let mut entries = entries.to_vec();
        entries.rotate_left(turn);
        assert!(is_conflict(&append(&*store, entries).await));
    }
    assert_eq!(texts(&*store, session(1)).await, []);
    assert_eq!(texts(&*store, session(2)).await, numbered(&["first"]));
    assert_eq!(texts(&*store, source(5)).await, []);
    assert_eq!(store.linked(&app(), crate::LinkKind::Source, id(9)).await.unwrap(), []);
    assert_eq!(store.streams(&app(), None, 9).await.unwrap(), [session(2), session(4), meeting(3)]);
    assert_eq!(store.unsettled(&app()).await.unwrap(), before);
    assert_eq!(numbers(&list(&*store, &Default::default()).await.unwrap()), [3]);
    append(&*store, [entry(session(1), 0, "as if nothing was")]).await.unwrap();
}

pub async fn a_commit_reaches_all_its_streams(store: Arc<dyn Store>, _: HandClock) {
    append(&*store, [entry(session(1), 0, "a"), entry(meeting(2), 0, "b"), entry(source(3), 0, "c")]).await.unwrap();
    append(&*store, [entry(source(3), 1, "d"), entry(session(1), 1, "e")]).await.unwrap();
    assert_eq!(texts(&*store, session(1)).await, numbered(&["a", "e"]));
    assert_eq!(texts(&*store, meeting(2)).await, numbered(&["b"]));
    assert_eq!(texts(&*store, source(3)).await, numbered(&["c", "d"]));
}

pub async fn a_stream_twice_in_a_commit_conflicts(store: Arc<dyn Store>, _: HandClock) {
    for second in [0, 1] {
        assert!(is_conflict(&append(&*store, [entry(session(1), 0, "a"), entry(session(1), second, "b")]).await));
    }
    assert_eq!(texts(&*store, session(1)).await, []);
}

pub async fn a_commit_without_entries_does_nothing(store: Arc<dyn Store>, _: HandClock) {
    append(&*store, []).await.unwrap();
    assert_eq!(store.streams(&app(), None, 9).await.unwrap(), []);
}

pub async fn kinds_with_one_id_are_different_streams(store: Arc<dyn Store>, _: HandClock) {
    for stream in [session(1), meeting(1), source(1)] {
        append(&*store, [entry(stream, 0, &stream.to_string())]).await.unwrap();
        assert_eq!(texts(&*store, stream).await, numbered(&[&stream.to_string()]));
    }
}

pub async fn apps_share_nothing(store: Arc<dyn Store>, _: HandClock) {
    append(&*store, [Entry { links: vec![link(source(1), session(1))], ..entry(session(1), 0, "mine") }]).await.unwrap();
    let theirs = other_app();
    assert_eq!(store.since(&theirs, &[(session(1), 0)]).await.unwrap().batches, []);
    assert_eq!(store.streams(&theirs, None, 9).await.unwrap(), []);
    assert_eq!(store.unsettled(&theirs).await.unwrap(), []);
    let behind = Commit { entries: vec![entry(session(1), 1, "theirs")] };
    assert!(is_conflict(&store.append(&theirs, behind).await));
    let commit = Commit { entries: vec![entry(session(1), 0, "theirs")] };
    store.append(&theirs, commit).await.unwrap();
    assert_eq!(store.since(&theirs, &[(session(1), 0)]).await.unwrap().batches[0].batch, "theirs");
    assert_eq!(texts(&*store, session(1)).await, numbered(&["mine"]));
    for other in [rollbook_core::id::App::new("school", "acme"), rollbook_core::id::App::new("ac", "meschool")] {
        assert_eq!(store.streams(&other.unwrap(), None, 9).await.unwrap(), []);
    }
}

pub async fn batches_are_opaque(store: Arc<dyn Store>, _: HandClock) {
    let all: Vec<u8> = (0..=255).collect();
    let one = Entry { batch: Bytes::from(all.clone()), ..entry(session(1), 0, "") };
    append(&*store, [one, Entry { batch: Bytes::from_static(&[0]), ..entry(session(2), 0, "") }]).await.unwrap();
    assert_eq!(batches(&*store, session(1)).await.unwrap()[0].batch, all);
    assert_eq!(batches(&*store, session(2)).await.unwrap()[0].batch, &[0][..]);
}

pub async fn big_batches_come_back(store: Arc<dyn Store>, _: HandClock) {
    let big = |n: u8| Bytes::from((0..1 << 20).map(|i: u32| (i % 251) as u8 ^ n).collect::<Vec<u8>>());
    for n in 0..3 {
        let entries = [session(1), meeting(2)].map(|stream| Entry { batch: big(n), ..entry(stream, n.into(), "") });
        append(&*store, entries).await.unwrap();
    }
    for stream in [session(1), meeting(2)] {
        let read = batches(&*store, stream).await.unwrap();
        assert!(read.len() == 3 && read.iter().zip(0..).all(|(batch, n)| batch.batch == big(n)), "{stream}");
    }
}
