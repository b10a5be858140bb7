//! Look-ups that wait, move into a run, and from runs into larger ones, are found all the same, wherever they are.

use super::*;
use crate::contract::{Entry, Link, LinkKind};
use crate::sqlite::runs::Sizes;
use crate::sqlite::{SqliteReader, SqliteTransfer};
use crate::suite::fixtures::{link, source};
use crate::transfer::Transfer;
use std::collections::BTreeSet;
use uuid::Uuid;

/// Look-ups move as soon as there are a few, runs are merged as soon as there are some, and all of that in small steps.
pub(super) const HASTY: Tuning = Tuning { fresh: 5, runs: Sizes { chunk: 3, merged: 3, step: 4 }, ..Tuning::USUAL };

fn hasty(folder: &Path) -> SqliteStore {
    tuned(folder, HASTY)
}

/// Some look-ups to a session, from ids that are all over the tree; some of them stand already.
fn links_of(n: u128, to: u128) -> Vec<Link> {
    let scattered = |n: u128| Uuid::from_u128((n + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835));
    let peers = (n * 3..n * 3 + 4).map(|n| Link { kind: LinkKind::Peer, from: scattered(n), to: session(to) });
    let derived = Link { kind: LinkKind::Derived, from: scattered(n), to: session(to) };
    peers.chain([derived, link(source(n % 2), session(to))]).collect()
}

/// Every id leads to just the streams that it should: for the store, for a reader beside it, and for a move.
pub(super) async fn all_is_found(store: &SqliteStore, folder: &Path, expected: &BTreeSet<Link>) {
    let reader = SqliteReader::open(folder, HandClock::default().clock()).unwrap();
    for Link { kind, from, .. } in expected {
        let of_id = expected.iter().filter(|link| (link.kind, link.from) == (*kind, *from)).map(|link| link.to);
        let of_id: Vec<_> = of_id.collect();
        assert_eq!(store.linked(&app(), *kind, *from).await.unwrap(), of_id, "{kind:?} {from}");
        assert_eq!(reader.linked(&app(), *kind, *from).await.unwrap(), of_id, "{kind:?} {from}");
    }
    assert_eq!(store.linked(&app(), LinkKind::Peer, Uuid::nil()).await.unwrap(), []);
    let moving = SqliteTransfer::source(folder, HandClock::default().clock()).unwrap();
    let (mut paged, mut after) = (Vec::new(), None);
    loop {
        let page = moving.links(&app(), after, 3).await.unwrap();
        after = page.last().copied();
        paged.extend(page);
        if after.is_none() {
            break;
        }
    }
    assert!(paged.iter().eq(expected), "{} of {}", paged.len(), expected.len());
}

#[tokio::test]
async fn look_ups_are_found_before_they_move_while_they_do_and_after() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = hasty(folder.path());
    let (mut expected, mut waited, mut dropped) = (BTreeSet::new(), 0, false);
    for n in 0..40u128 {
        let links = links_of(n, n % 7);
        expected.extend(links.iter().copied());
        let seq = head(&store, session(n % 7)).await.unwrap();
        append(&store, [Entry { links, ..entry(session(n % 7), seq, "x") }]).await.unwrap();
        if n % 13 == 0 {
            all_is_found(&store, folder.path(), &expected).await;
            drop(store);
            store = hasty(folder.path());
        }
        all_is_found(&store, folder.path(), &expected).await;
        let waiting = ask_writer(&store, "SELECT count(*) FROM fresh").await;
        dropped |= waiting < waited;
        waited = waiting;
    }
    assert!(dropped, "what has moved is dropped");
    let moved = ask_writer(&store, IN_RUNS).await;
    assert!(moved > expected.len() as i64 / 2, "{moved} of {}", expected.len());
    assert!(ask_writer(&store, "SELECT max(level) FROM runs").await >= 1, "runs were merged");
}

#[tokio::test]
async fn whoever_opens_what_any_commit_left_finds_all_that_was_committed() {
    let (folder, copies) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let store = hasty(folder.path());
    let (mut expected, mut stages) = (BTreeSet::new(), BTreeSet::new());
    for n in 0..36u128 {
        let links = links_of(n, n % 7);
        expected.extend(links.iter().copied());
        let seq = head(&store, session(n % 7)).await.unwrap();
        append(&store, [Entry { links, ..entry(session(n % 7), seq, "x") }]).await.unwrap();
        for sql in UNDER_WAY {
            if ask_writer(&store, sql).await > 0 {
                stages.insert(sql);
            }
        }
        // As a kill leaves them: no connection is closed first.
        let copy = copies.path().join(n.to_string());
        std::fs::create_dir(&copy).unwrap();
        for file in ["ledger.db", "ledger.db-wal"] {
            std::fs::copy(folder.path().join(file), copy.join(file)).unwrap();
        }
        let mut reopened = hasty(&copy);
        all_is_found(&reopened, &copy, &expected).await;
        let mut expected = expected.clone();
        for more in 100..103 {
            let links = links_of(more, 99);
            expected.extend(links.iter().copied());
            append(&reopened, [Entry { links, ..entry(session(99), more as u64 - 100, "x") }]).await.unwrap();
            drop(reopened);
            reopened = hasty(&copy);
        }
        all_is_found(&reopened, &copy, &expected).await;
    }
    assert_eq!(stages, BTreeSet::from(UNDER_WAY), "each was seen");
}

#[tokio::test]
async fn an_id_in_more_streams_than_a_chunk_holds_leads_to_each_once() {
    let folder = tempfile::tempdir().unwrap();
    let store = hasty(folder.path());
    let peer = Uuid::from_u128(0x77 << 96);
    let mut expected = BTreeSet::new();
    for n in 0..30u128 {
        // The second time round, each of them stands in a run already.
        let to = session(n % 15);
        let links: Vec<_> = (0..3).map(|n| Link { kind: LinkKind::Peer, from: Uuid::from_u128(peer.as_u128() + n), to }).collect();
        expected.extend(links.iter().copied());
        append(&store, [Entry { links, ..entry(to, n as u64 / 15, "x") }]).await.unwrap();
        all_is_found(&store, folder.path(), &expected).await;
    }
    assert_eq!(expected.len(), 45);
}

#[tokio::test]
async fn runs_are_merged_before_they_are_many() {
    let folder = tempfile::tempdir().unwrap();
    let store = hasty(folder.path());
    let (mut most, mut added) = (0, 0);
    for n in 0..400u128 {
        let links = links_of(n, 1);
        added += links.len();
        append(&store, [Entry { links, ..entry(session(1), n as u64, "x") }]).await.unwrap();
        most = most.max(ask_writer(&store, "SELECT max(count) FROM (SELECT count(*) AS count FROM runs GROUP BY level)").await);
    }
    assert!(most <= 7, "{most} runs of a level: three rest, three are merged, one is written");
    let twice = ask_writer(&store, IN_RUNS).await - added as i64;
    assert!(twice < 0, "what is taken over goes: {twice}");
}

/// How many look-ups the runs have, some of them twice.
const IN_RUNS: &str = "SELECT coalesce(sum(length(entries)), 0) / 33 FROM chunks";
/// How many runs are being written from memory, and how many are being merged.
const UNDER_WAY: [&str; 3] = [
    "SELECT count(*) FROM runs WHERE level = 0 AND whole = 0",
    "SELECT count(*) FROM runs WHERE level = 1 AND whole = 0 AND number IN (SELECT run FROM chunks)",
    "SELECT count(*) FROM runs WHERE level = 2 AND whole = 0 AND number IN (SELECT run FROM chunks)",
];

#[tokio::test]
async fn a_process_that_ends_again_and_again_lets_nothing_pile_up() {
    let folder = tempfile::tempdir().unwrap();
    let mut expected = BTreeSet::new();
    for n in 0..20u128 {
        let store = hasty(folder.path());
        let links = links_of(n, 1);
        expected.extend(links.iter().copied());
        append(&store, [Entry { links, ..entry(session(1), n as u64, "x") }]).await.unwrap();
        let waiting = ask_writer(&store, "SELECT coalesce(sum(length(ids)), 0) / 16 FROM fresh").await;
        assert!(waiting <= 12, "{waiting} after {n}");
        all_is_found(&store, folder.path(), &expected).await;
    }
}

#[tokio::test]
async fn a_move_that_was_undone_begins_again() {
    let folder = tempfile::tempdir().unwrap();
    let (store, commits) = watched_by(folder.path(), HASTY);
    let mut expected = BTreeSet::new();
    let mut seq = 0;
    for n in 0..30u128 {
        let links = links_of(n, 1);
        commits.failing.store(n % 3 == 1, Ordering::SeqCst);
        let result = append(&store, [Entry { links: links.clone(), ..entry(session(1), seq, "x") }]).await;
        commits.failing.store(false, Ordering::SeqCst);
        if result.is_ok() {
            expected.extend(links);
            seq += 1;
        }
        all_is_found(&store, folder.path(), &expected).await;
    }
    assert_eq!(seq, 20);
}
