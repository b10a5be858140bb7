//! The same random operations on memory, on SQLite and on PostgreSQL give the same answers.
#![expect(clippy::unwrap_used, reason = "these are tests")]

mod cluster;

use bytes::Bytes;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use rollbook_core::id::{App, Stream};
use rollbook_core::time::Timestamp;
use rollbook_store::suite::fixtures::{HandClock, at, id, meeting, session, source};
use rollbook_store::{
    Batch, Commit, Entry, Kept, Link, LinkKind, MemoryStore, PostgresStore, SessionFilter, SessionOrder, SessionRecord, SessionSort, Since,
    SqliteStore, Store, StoreError,
};
use std::ops::Range;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::runtime::Runtime;

/// One call. Sequence numbers are given as how far they are off the right one, so that most are right.
#[derive(Clone, Debug)]
enum Op {
    Append(Vec<(Stream, u64, i64, Vec<Link>)>),
    Since(Vec<(Stream, u64)>),
    /// Parents with how many streams they lead to; both as far off as given.
    Unchanged(Vec<(Stream, u64)>, Vec<(u128, u64)>),
    Linked(LinkKind, u128),
    Streams(Option<Stream>, usize),
    Settle(Stream, Vec<(Stream, u64)>, Vec<SessionRecord>),
    Sessions(SessionFilter, SessionOrder, Range<u64>),
    Keep(&'static str, Vec<u8>),
    Kept(usize),
    Discard(&'static str, Vec<u8>),
    Bound(u64),
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

fn delivery() -> impl Strategy<Value = (&'static str, Vec<u8>)> {
    (select(vec!["zoom", "jitsi"]), vec(0..2_u8, 0..3))
}

fn op() -> impl Strategy<Value = Op> {
    let entry = (stream(), off(), 0..6_i64, vec(link(), 0..3));
    let records = foldable().prop_flat_map(|stream| (Just(stream), vec(record(stream), 0..4)));
    prop_oneof![
        6 => vec(entry, 0..4).prop_map(Op::Append),
        3 => vec((stream(), 0..4_u64), 0..4).prop_map(Op::Since),
        3 => (vec((stream(), off()), 0..3), vec((0..3_u128, off()), 0..3)).prop_map(|(known, parents)| Op::Unchanged(known, parents)),
        1 => (select(vec![LinkKind::Source, LinkKind::Child, LinkKind::Peer]), 0..3_u128).prop_map(|(kind, from)| Op::Linked(kind, from)),
        1 => (option::of(stream()), 0..6_usize).prop_map(|(after, limit)| Op::Streams(after, limit)),
        5 => (records, vec((stream(), off()), 0..3)).prop_map(|((stream, records), vector)| Op::Settle(stream, vector, records)),
        4 => (filter(), order(), 0..6_u64, 0..9_u64).prop_map(|(filter, order, from, to)| Op::Sessions(filter, order, from..to)),
        2 => delivery().prop_map(|(engine, body)| Op::Keep(engine, body)),
        1 => (0..5_usize).prop_map(Op::Kept),
        1 => delivery().prop_map(|(engine, body)| Op::Discard(engine, body)),
        1 => (0..4_u64).prop_map(|deliveries| Op::Bound(deliveries * 257)),
        1 => (0..9_i64).prop_map(Op::Tick),
    ]
}

async fn head(store: &dyn Store, app: &App, stream: Stream) -> u64 {
    store.since(app, &[(stream, 0)]).await.unwrap().batches.len() as u64
}

/// All that came of an operation; and the same without times, which a database takes from its own clock.
#[derive(Debug, PartialEq)]
struct Answer {
    timed: String,
    timeless: String,
}

impl Answer {
    fn of(answer: impl std::fmt::Debug) -> Self {
        let timed = format!("{answer:?}");
        Self { timeless: timed.clone(), timed }
    }

    fn since(answer: Result<Since, StoreError>) -> Self {
        let timed = format!("{answer:?}");
        let timeless = |batch: Batch| Batch { received_at: at(0), ..batch };
        let answer = answer.map(|since| since.batches.into_iter().map(timeless).collect::<Vec<_>>());
        Self { timed, timeless: format!("{answer:?}") }
    }

    fn unchanged(answer: Result<Option<Timestamp>, StoreError>) -> Self {
        Self { timed: format!("{answer:?}"), timeless: format!("{:?}", answer.map(|now| now.is_some())) }
    }

    fn kept(answer: Result<Vec<(i64, Kept)>, StoreError>) -> Self {
        // Numbers are each store's own.
        let answer = answer.map(|kept| kept.into_iter().map(|(_, kept)| kept).collect::<Vec<_>>());
        let timed = format!("{answer:?}");
        let answer = answer.map(|kept| kept.into_iter().map(|kept| Kept { received_at: at(0), ..kept }).collect::<Vec<_>>());
        Self { timed, timeless: format!("{answer:?}") }
    }
}

/// Does the operation.
async fn answer(store: &dyn Store, app: &App, op: &Op) -> Answer {
    match op {
        Op::Append(entries) => {
            let mut commit = Commit::default();
            for (n, (stream, off, earliest, links)) in entries.iter().enumerate() {
                let (expected, batch) = (head(store, app, *stream).await + off, Bytes::from(vec![n as u8, *off as u8]));
                commit.entries.push(Entry { stream: *stream, expected, batch, earliest: at(*earliest), links: links.clone() });
            }
            Answer::of(store.append(app, commit).await)
        }
        Op::Since(known) => Answer::since(store.since(app, known).await),
        Op::Unchanged(streams, parents) => {
            let (mut known, mut children) = (Vec::new(), Vec::new());
            for (stream, off) in streams {
                known.push((*stream, head(store, app, *stream).await.saturating_sub(*off)));
            }
            for (parent, off) in parents {
                let many = store.linked(app, LinkKind::Child, id(*parent)).await.unwrap().len() as u64;
                children.push((id(*parent), many + off));
            }
            Answer::unchanged(store.unchanged(app, &known, &children).await)
        }
        Op::Linked(kind, from) => Answer::of(store.linked(app, *kind, id(*from)).await),
        Op::Streams(after, limit) => Answer::of(store.streams(app, *after, *limit).await),
        Op::Settle(stream, others, records) => {
            let mut vector = vec![(*stream, head(store, app, *stream).await)];
            for (other, off) in others {
                vector.push((*other, head(store, app, *other).await + off));
            }
            Answer::of(store.settle(app, *stream, &vector, records).await)
        }
        Op::Sessions(filter, order, range) => Answer::of(store.sessions(app, filter, *order, range.clone()).await),
        Op::Keep(engine, body) => Answer::of(store.keep(app, engine, body.clone().into()).await),
        Op::Kept(limit) => Answer::kept(store.kept(app, 0, *limit).await),
        Op::Discard(engine, body) => Answer::of(store.discard(app, engine, body.clone().into()).await),
        Op::Bound(most) => Answer::of(store.bound_kept(app, *most).await),
        Op::Tick(_) => Answer::of(()),
    }
}

/// Two apps that no case before had: the database is the same for all.
fn new_apps() -> [App; 2] {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    let case = NEXT.fetch_add(1, Ordering::Relaxed);
    ["school", "college"].map(|name| App::new("acme", &format!("{name} {case}")).unwrap())
}

async fn compare(postgres: &PostgresStore, ops: &[(bool, Op)]) -> Result<(), TestCaseError> {
    let folder = tempfile::tempdir().unwrap();
    let (clock, apps) = (HandClock::default(), new_apps());
    let (memory, mut sqlite) = (MemoryStore::new(clock.clock()), SqliteStore::open(folder.path(), clock.clock()).unwrap());
    for (n, (other, op)) in ops.iter().enumerate() {
        if let Op::Tick(micros) = op {
            clock.set(at(*micros));
            drop(sqlite);
            sqlite = SqliteStore::open(folder.path(), clock.clock()).unwrap();
        }
        let app = &apps[usize::from(*other)];
        let expected = answer(&memory, app, op).await;
        prop_assert_eq!(&expected, &answer(&sqlite, app, op).await, "SQLite, operation {}: {:?}", n, op);
        prop_assert_eq!(&expected.timeless, &answer(postgres, app, op).await.timeless, "PostgreSQL, operation {}: {:?}", n, op);
        let unsettled = memory.unsettled(app).await.unwrap();
        prop_assert_eq!(&unsettled, &sqlite.unsettled(app).await.unwrap(), "SQLite, after operation {}: {:?}", n, op);
        prop_assert_eq!(&unsettled, &postgres.unsettled(app).await.unwrap(), "PostgreSQL, after operation {}: {:?}", n, op);
    }
    Ok(())
}

/// One runtime for all cases: the store's tasks are on it.
fn database() -> &'static (Runtime, PostgresStore) {
    static DATABASE: OnceLock<(Runtime, PostgresStore)> = OnceLock::new();
    DATABASE.get_or_init(|| {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let store = runtime.block_on(cluster::cluster().store());
        (runtime, store)
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn all_stores_agree(ops in vec((prop::bool::weighted(0.1), op()), 1..60)) {
        let (runtime, postgres) = database();
        runtime.block_on(compare(postgres, &ops))?;
    }
}
