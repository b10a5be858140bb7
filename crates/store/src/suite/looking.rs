//! Cases of `since`, `unchanged`, `linked` and `streams`.
#![expect(missing_docs, reason = "a case's name says what it holds")]

use super::fixtures::*;
use crate::contract::{Commit, Entry, Link, LinkKind, Seq, Store};
use rollbook_core::id::Stream;
use std::sync::Arc;

async fn seqs(store: &dyn Store, known: &[(Stream, Seq)]) -> Vec<(Stream, Seq)> {
    store.since(&app(), known).await.unwrap().batches.iter().map(|batch| (batch.stream, batch.seq)).collect()
}

pub async fn since_reads_what_is_after(store: Arc<dyn Store>, _: HandClock) {
    for n in 0..4 {
        append(&*store, [entry(session(1), n, "x")]).await.unwrap();
    }
    let one = |known: Seq| [(session(1), known)];
    assert_eq!(seqs(&*store, &one(0)).await, [1, 2, 3, 4].map(|seq| (session(1), seq)));
    assert_eq!(seqs(&*store, &one(2)).await, [3, 4].map(|seq| (session(1), seq)));
    assert_eq!(seqs(&*store, &one(4)).await, []);
}

pub async fn since_asks_many_streams(store: Arc<dyn Store>, _: HandClock) {
    append(&*store, [entry(session(2), 0, "x"), entry(session(1), 0, "x"), entry(source(3), 0, "x")]).await.unwrap();
    append(&*store, [entry(session(1), 1, "x"), entry(session(2), 1, "x")]).await.unwrap();
    let known = [(session(2), 0), (meeting(9), 0), (source(3), 1), (session(1), 1)];
    assert_eq!(seqs(&*store, &known).await, [(session(2), 1), (session(2), 2), (session(1), 2)]);
    assert_eq!(seqs(&*store, &[]).await, []);
}

pub async fn since_has_nothing_past_the_end(store: Arc<dyn Store>, _: HandClock) {
    assert_eq!(seqs(&*store, &[(session(1), 0), (session(2), 7)]).await, []);
    append(&*store, [entry(session(1), 0, "x")]).await.unwrap();
    for known in [1, 2, Seq::MAX] {
        assert_eq!(seqs(&*store, &[(session(1), known), (session(2), known)]).await, [], "{known}");
    }
    append(&*store, [entry(session(2), 0, "x")]).await.unwrap();
    assert_eq!(seqs(&*store, &[(session(1), 1), (session(2), 0)]).await, [(session(2), 1)]);
}

pub async fn times_come_from_the_clock(store: Arc<dyn Store>, clock: HandClock) {
    let now = async |app| store.since(&app, &[]).await.unwrap().now;
    clock.set(at(-6));
    let before = now(app()).await;
    clock.set(at(-5));
    append(&*store, [entry(session(1), 0, "x")]).await.unwrap();
    clock.set(at(1_700_000_000_123_456));
    append(&*store, [entry(session(1), 1, "x")]).await.unwrap();
    clock.set(at(1_700_000_000_123_457));
    let since = store.since(&app(), &[(session(1), 0)]).await.unwrap();
    let [first, second] = [0, 1].map(|n| since.batches[n].received_at);
    clock.set(at(1_800_000_000_000_000));
    let after = store.since(&app(), &[(session(1), 2)]).await.unwrap().now;
    let told = [before, first, second, since.now, after, now(other_app()).await];
    let set = [-6, -5, 1_700_000_000_123_456, 1_700_000_000_123_457, 1_800_000_000_000_000, 1_800_000_000_000_000];
    assert!(clock.agrees(&told, &set), "{told:?}");
}

pub async fn what_came_to_a_stream_is_a_change(store: Arc<dyn Store>, clock: HandClock) {
    let unchanged = async |known: &[(Stream, Seq)]| store.unchanged(&app(), known, &[]).await.unwrap();
    clock.set(at(5));
    let before = unchanged(&[]).await.unwrap();
    assert!(unchanged(&[(session(1), 0), (source(2), 0)]).await.is_some(), "an app that never wrote");
    append(&*store, [entry(session(1), 0, "x"), entry(meeting(1), 0, "x")]).await.unwrap();
    assert_eq!(unchanged(&[(session(1), 0), (source(2), 0)]).await, None);
    assert_eq!(unchanged(&[(session(1), 1), (meeting(1), 0)]).await, None);
    append(&*store, [entry(session(1), 1, "x")]).await.unwrap();
    assert_eq!(unchanged(&[(session(1), 1)]).await, None);
    clock.set(at(7));
    let after = unchanged(&[(session(1), 2), (meeting(1), Seq::MAX), (source(2), 0), (session(9), 4)]).await.unwrap();
    assert!(clock.agrees(&[before, after], &[5, 7]), "{before} {after}");
}

pub async fn what_came_to_a_parent_is_a_change(store: Arc<dyn Store>, _: HandClock) {
    let unchanged = async |children: &[(u128, u64)]| {
        let children: Vec<_> = children.iter().map(|(parent, many)| (id(*parent), *many)).collect();
        store.unchanged(&app(), &[(session(1), 1), (session(2), 1)], &children).await.unwrap().is_some()
    };
    let child = |from, to| Link { kind: LinkKind::Child, from: id(from), to };
    assert!(unchanged(&[(7, 0), (8, 0)]).await, "an app that never wrote");
    assert!(!unchanged(&[(7, 1)]).await);
    append(&*store, [Entry { links: vec![child(7, session(1)), child(7, session(1))], ..entry(session(1), 0, "x") }]).await.unwrap();
    assert!(!unchanged(&[(7, 0), (8, 0)]).await);
    assert!(!unchanged(&[(8, 0), (7, 0)]).await, "one is enough");
    assert!(unchanged(&[(8, 0), (7, 1)]).await);
    // The same again, others in one commit, and what is no child or not of this app.
    let again = Entry { links: vec![child(7, session(1)), child(8, session(2))], ..entry(session(2), 0, "x") };
    append(&*store, [again, Entry { links: vec![child(8, meeting(3))], ..entry(meeting(3), 0, "x") }]).await.unwrap();
    assert!(unchanged(&[(7, 1), (8, 2)]).await);
    let others = [LinkKind::Source, LinkKind::Peer, LinkKind::Derived].map(|kind| Link { kind, from: id(7), to: session(4) });
    append(&*store, [Entry { links: others.to_vec(), ..entry(session(4), 0, "x") }]).await.unwrap();
    let elsewhere = Entry { links: vec![child(7, session(5))], ..entry(session(5), 0, "x") };
    store.append(&other_app(), Commit { entries: vec![elsewhere] }).await.unwrap();
    assert!(unchanged(&[(7, 1), (8, 2)]).await);
    assert!(!unchanged(&[(7, 1), (8, 1)]).await);
    assert!(!unchanged(&[(7, 1), (8, 3)]).await);
    append(&*store, [entry(session(1), 1, "x")]).await.unwrap();
    assert!(!unchanged(&[(7, 1), (8, 2)]).await, "a stream changed, and no parent");
    let refused = Entry { links: vec![child(7, session(6))], ..entry(session(2), 7, "behind") };
    assert!(is_conflict(&append(&*store, [refused]).await));
    assert!(store.unchanged(&app(), &[(session(1), 2)], &[(id(7), 1)]).await.unwrap().is_some(), "what conflicts leaves nothing");
}

pub async fn links_stand_once_and_ascend(store: Arc<dyn Store>, _: HandClock) {
    let peer = |to| Link { kind: LinkKind::Peer, from: id(7), to };
    let links = vec![peer(source(1)), peer(session(u128::MAX)), peer(meeting(3)), peer(session(2)), peer(session(2))];
    append(&*store, [Entry { links, ..entry(session(1), 0, "x") }]).await.unwrap();
    append(&*store, [Entry { links: vec![peer(meeting(3)), peer(meeting(1))], ..entry(session(2), 0, "x") }]).await.unwrap();
    let linked = store.linked(&app(), LinkKind::Peer, id(7)).await.unwrap();
    assert_eq!(linked, [session(2), session(u128::MAX), meeting(1), meeting(3), source(1)]);
}

pub async fn links_are_scoped(store: Arc<dyn Store>, _: HandClock) {
    let kinds = [LinkKind::Source, LinkKind::Child, LinkKind::Peer, LinkKind::Derived];
    let links = (0..).zip(kinds).map(|(n, kind)| Link { kind, from: id(7), to: session(n) }).collect();
    append(&*store, [Entry { links, ..entry(session(1), 0, "x") }]).await.unwrap();
    let links = vec![Link { kind: LinkKind::Child, from: id(7), to: meeting(9) }];
    store.append(&other_app(), Commit { entries: vec![Entry { links, ..entry(session(1), 0, "x") }] }).await.unwrap();
    for (n, kind) in (0..).zip(kinds) {
        assert_eq!(store.linked(&app(), kind, id(7)).await.unwrap(), [session(n)]);
        assert_eq!(store.linked(&app(), kind, id(8)).await.unwrap(), []);
    }
    assert_eq!(store.linked(&other_app(), LinkKind::Child, id(7)).await.unwrap(), [meeting(9)]);
}

pub async fn streams_ascend_and_page(store: Arc<dyn Store>, _: HandClock) {
    let all = [session(1), session(2), session(u128::MAX), meeting(1), source(0), source(5)];
    for stream in [3, 0, 5, 1, 4, 2].map(|n| all[n]) {
        append(&*store, [entry(stream, 0, "x")]).await.unwrap();
        append(&*store, [entry(stream, 1, "x")]).await.unwrap();
    }
    let streams = async |after, limit| store.streams(&app(), after, limit).await.unwrap();
    assert_eq!(streams(None, usize::MAX).await, all);
    assert_eq!(streams(None, 2).await, all[..2]);
    assert_eq!(streams(None, 0).await, []);
    for (n, stream) in all.into_iter().enumerate() {
        assert_eq!(streams(Some(stream), 9).await, all[n + 1..]);
        assert_eq!(streams(Some(stream), 1).await, all[n + 1..].iter().take(1).copied().collect::<Vec<_>>());
    }
    assert_eq!(streams(Some(session(3)), 2).await, all[2..4]);
}
