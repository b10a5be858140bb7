//! The same random operations on memory and on SQLite give the same answers.
#![expect(clippy::unwrap_used, reason = "these are tests")]

use bytes::Bytes;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use rollbook_core::id::{App, Stream};
use rollbook_store::suite::fixtures::{HandClock, app, at, id, meeting, other_app, session, source};
use rollbook_store::{
    Commit, Entry, Link, LinkKind, MemoryStore, SessionFilter, SessionOrder, SessionRecord, SessionSort, SqliteStore, Store,
};
use std::ops::Range;

/// One call. Sequence numbers are given as how far they are off the right one, so that most are right.
#[derive(Clone, Debug)]
enum Op {
    Append(Vec<(Stream, u64, i64, Vec<Link>)>),
    Since(Vec<(Stream, u64)>),
    Linked(LinkKind, u128),
    Streams(Option<Stream>, usize),
    Settle(Stream, Vec<(Stream, u64)>, Vec<SessionRecord>),
    Sessions(SessionFilter, SessionOrder, Range<u64>),
    Keep(&'static str, Vec<u8>),
    Kept(usize),
    Tick(i64),
}

fn stream() -> impl Strategy<Value = Stream> {
    (0..3_u128, select(vec![session, meeting, source])).prop_map(|(n, kind)| kind(n))
}

fn foldable() -> impl Strategy<Value = Stream> {
    (0..3_u128, select(vec![session, meeting])).prop_map(|(n, kind)| kind(n))
}

fn off() -> impl Strategy<Value = u64> {
    prop_oneof![9 => Just(0_u64), 1 => Just(1)]
}

fn link() -> impl Strategy<Value = Link> {
    let kind = prop_oneof![4 => Just(LinkKind::Source), 1 => Just(LinkKind::Child), 1 => Just(LinkKind::Peer)];
    (kind, 0..3_u128, stream()).prop_map(|(kind, from, to)| Link { kind, from: id(from), to })
}

fn title() -> impl Strategy<Value = String> {
    vec(select(vec!['a', 'b', '%', '_', 'é', '0']), 0..4).prop_map(String::from_iter)
}

fn record(stream: Stream) -> impl Strategy<Value = SessionRecord> {
    let ids = (0..9_u128, option::of(0..3_u128));
    let numbers = (0..4_i64, 0..6_i64, 0..4_i64, 0..3_u64);
    (ids, numbers, title(), vec(any::<u8>(), 0..3)).prop_map(
        move |((n, meeting), (start, change, consumed, participants), title, summary)| {
            SessionRecord {
                // Ids that begin with every digit.
                id: id(n * (u128::MAX / 8)),
                stream,
                meeting: meeting.map(|n| id(n << 126)),
                started_at: at(start),
                last_change_at: at(change),
                consumed,
                participants,
                folded_title: title,
                summary: summary.into(),
            }
        },
    )
}

fn filter() -> impl Strategy<Value = SessionFilter> {
    let bounds = (option::of(0..4_i64), option::of(0..4_i64), option::of(0..3_u64), option::of(0..3_u64));
    let search = prop_oneof![title(), "[0-9a-f]{1,2}"];
    (bounds, option::of(0..3_u128), option::of(search)).prop_map(|((from, until, min, max), meeting, search)| SessionFilter {
        from: from.map(at),
        until: until.map(at),
        meeting: meeting.map(|n| id(n << 126)),
        min_participants: min,
        max_participants: max,
        search,
    })
}

fn order() -> impl Strategy<Value = SessionOrder> {
    (select(vec![SessionSort::StartedAt, SessionSort::Consumed]), any::<bool>())
        .prop_map(|(sort, descending)| SessionOrder { sort, descending })
}

fn op() -> impl Strategy<Value = Op> {
    let entry = (stream(), off(), 0..6_i64, vec(link(), 0..3));
    let records = foldable().prop_flat_map(|stream| (Just(stream), vec(record(stream), 0..4)));
    prop_oneof![
        6 => vec(entry, 0..4).prop_map(Op::Append),
        3 => vec((stream(), 0..4_u64), 0..4).prop_map(Op::Since),
        1 => (select(vec![LinkKind::Source, LinkKind::Child, LinkKind::Peer]), 0..3_u128).prop_map(|(kind, from)| Op::Linked(kind, from)),
        1 => (option::of(stream()), 0..6_usize).prop_map(|(after, limit)| Op::Streams(after, limit)),
        5 => (records, vec((stream(), off()), 0..3)).prop_map(|((stream, records), vector)| Op::Settle(stream, vector, records)),
        4 => (filter(), order(), 0..6_u64, 0..9_u64).prop_map(|(filter, order, from, to)| Op::Sessions(filter, order, from..to)),
        1 => (select(vec!["zoom", "jitsi"]), vec(0..2_u8, 0..3)).prop_map(|(engine, body)| Op::Keep(engine, body)),
        1 => (0..5_usize).prop_map(Op::Kept),
        1 => (0..9_i64).prop_map(Op::Tick),
    ]
}

async fn head(store: &dyn Store, app: &App, stream: Stream) -> u64 {
    store.since(app, &[(stream, 0)]).await.unwrap().batches.len() as u64
}

/// Does the operation, and tells all that came of it.
async fn answer(store: &dyn Store, app: &App, op: &Op) -> String {
    match op {
        Op::Append(entries) => {
            let mut commit = Commit::default();
            for (n, (stream, off, earliest, links)) in entries.iter().enumerate() {
                let (expected, batch) = (head(store, app, *stream).await + off, Bytes::from(vec![n as u8, *off as u8]));
                commit.entries.push(Entry { stream: *stream, expected, batch, earliest: at(*earliest), links: links.clone() });
            }
            format!("{:?}", store.append(app, commit).await)
        }
        Op::Since(known) => format!("{:?}", store.since(app, known).await),
        Op::Linked(kind, from) => format!("{:?}", store.linked(app, *kind, id(*from)).await),
        Op::Streams(after, limit) => format!("{:?}", store.streams(app, *after, *limit).await),
        Op::Settle(stream, others, records) => {
            let mut vector = vec![(*stream, head(store, app, *stream).await)];
            for (other, off) in others {
                vector.push((*other, head(store, app, *other).await + off));
            }
            format!("{:?}", store.settle(app, *stream, &vector, records).await)
        }
        Op::Sessions(filter, order, range) => format!("{:?}", store.sessions(app, filter, *order, range.clone()).await),
        Op::Keep(engine, body) => format!("{:?}", store.keep(app, engine, body.clone().into()).await),
        Op::Kept(limit) => format!("{:?}", store.kept(app, *limit).await),
        Op::Tick(_) => String::new(),
    }
}

async fn compare(ops: &[(bool, Op)]) -> Result<(), TestCaseError> {
    let folder = tempfile::tempdir().unwrap();
    let clock = HandClock::default();
    let (memory, mut sqlite) = (MemoryStore::new(clock.clock()), SqliteStore::open(folder.path(), clock.clock()).unwrap());
    for (n, (other, op)) in ops.iter().enumerate() {
        if let Op::Tick(micros) = op {
            clock.set(at(*micros));
            drop(sqlite);
            sqlite = SqliteStore::open(folder.path(), clock.clock()).unwrap();
        }
        let app = if *other { other_app() } else { app() };
        prop_assert_eq!(answer(&memory, &app, op).await, answer(&sqlite, &app, op).await, "operation {}: {:?}", n, op);
        prop_assert_eq!(memory.unsettled(&app).await.unwrap(), sqlite.unsettled(&app).await.unwrap(), "after operation {}: {:?}", n, op);
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn memory_and_sqlite_agree(ops in vec((prop::bool::weighted(0.1), op()), 1..60)) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(compare(&ops))?;
    }
}
