//! Three nodes on one database: what one acknowledged, all know.

use super::cluster::cluster;
use super::{Dice, nodes};
use rollbook_store::suite::fixtures::{app, append, batches, entry, head, id, is_conflict, link, meeting, record, session, source};
use rollbook_store::{Entry, PostgresOptions, PostgresStore, Seq, SessionRecord, Store};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::task::JoinSet;

const STREAMS: usize = 5;
const ROUNDS: u64 = 10_000;
const APPENDS: u64 = 1000;

/// The last sequence number of each stream that was acknowledged, and how often anyone looked.
#[derive(Default)]
struct Seen {
    acknowledged: [AtomicU64; STREAMS],
    rounds: AtomicU64,
}

impl Seen {
    fn appends(&self) -> u64 {
        self.acknowledged.iter().map(|last| last.load(Ordering::SeqCst)).sum()
    }

    fn is_enough(&self) -> bool {
        self.rounds.load(Ordering::SeqCst) >= ROUNDS && self.appends() >= APPENDS
    }
}

async fn write(node: Arc<PostgresStore>, seen: Arc<Seen>, mut dice: Dice) {
    while !seen.is_enough() {
        let n = dice.roll(STREAMS as u64) as usize;
        let stream = session(n as u128);
        let known = head(&*node, stream).await.unwrap();
        match append(&*node, [entry(stream, known, "x")]).await {
            Ok(()) => drop(seen.acknowledged[n].fetch_max(known + 1, Ordering::SeqCst)),
            result => assert!(is_conflict(&result), "{result:?}"),
        }
    }
}

async fn read(node: Arc<PostgresStore>, seen: Arc<Seen>, mut dice: Dice) {
    let mut last = rollbook_core::time::Timestamp::default();
    while !seen.is_enough() {
        seen.rounds.fetch_add(1, Ordering::SeqCst);
        let n = dice.roll(STREAMS as u64) as usize;
        let must = seen.acknowledged[n].load(Ordering::SeqCst);
        let known = must.saturating_sub(dice.roll(3));
        if must > 0 && dice.roll(2) == 0 {
            let unchanged = node.unchanged(&app(), &[(session(n as u128), must - 1)], &[]).await.unwrap();
            assert_eq!(unchanged, None, "stream {n}: {must} was acknowledged before, and nothing changed");
        }
        let since = node.since(&app(), &[(session(n as u128), known)]).await.unwrap();
        let end = since.batches.last().map_or(known, |batch| batch.seq);
        assert!(end >= must, "stream {n}: {must} was acknowledged before, and {end} is read");
        assert!(since.now >= last, "time goes back");
        last = since.now;
    }
}

/// The database's answers are kept back: whoever joins a check that is under way reads what was before.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_node_sees_what_any_acknowledged() {
    let options = PostgresOptions { check_delay: Duration::from_millis(1), ..PostgresOptions::default() };
    let (nodes, seen) = (nodes(&cluster().schema().await, options).await, Arc::new(Seen::default()));
    let mut tasks = JoinSet::new();
    for (n, node) in (0..).zip(&nodes) {
        for task in 0..8 {
            tasks.spawn(read(Arc::clone(node), Arc::clone(&seen), Dice(n * 100 + task)));
        }
        for task in 0..4 {
            tasks.spawn(write(Arc::clone(node), Arc::clone(&seen), Dice(n * 100 + 50 + task)));
        }
    }
    tasks.join_all().await;
    for (n, last) in seen.acknowledged.iter().enumerate() {
        let stored = batches(&*nodes[0], session(n as u128)).await.unwrap();
        assert!(stored.iter().map(|batch| batch.seq).eq(1..=stored.len() as Seq), "numbers have gaps");
        assert_eq!(stored.len() as Seq, last.load(Ordering::SeqCst));
    }
}

/// What is measured against: without the check, what is new is not told.
#[tokio::test]
async fn without_the_check_nothing_is_new() {
    let address = cluster().schema().await;
    let store =
        async |unchecked| PostgresStore::connect(&address, PostgresOptions { unchecked, ..PostgresOptions::default() }).await.unwrap();
    let (checked, unchecked) = (store(false).await, store(true).await);
    append(&checked, [entry(session(1), 0, "x")]).await.unwrap();
    let first = unchecked.since(&app(), &[(session(1), 0)]).await.unwrap();
    assert_eq!(first.batches.len(), 1);
    append(&checked, [entry(session(1), 1, "x")]).await.unwrap();
    let since = unchecked.since(&app(), &[(session(1), 1)]).await.unwrap();
    assert_eq!((since.batches, since.now), (Vec::new(), first.now));
    assert_eq!(checked.since(&app(), &[(session(1), 1)]).await.unwrap().batches.len(), 1);
}

/// Each node appends to one stream as fast as it can, and comes to its turn.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_node_starves() {
    const EACH: u64 = 150;
    let nodes = nodes(&cluster().schema().await, PostgresOptions::default()).await;
    let mut tasks = JoinSet::new();
    for node in nodes.iter().map(Arc::clone) {
        tasks.spawn(async move {
            let (mut known, mut most) = (0, 0);
            for _ in 0..EACH {
                let mut tries = 1;
                while is_conflict(&append(&*node, [entry(session(1), known, "x")]).await) {
                    tries += 1;
                    known = head(&*node, session(1)).await.unwrap();
                }
                known += 1;
                most = most.max(tries);
            }
            most
        });
    }
    let most = tasks.join_all().await;
    assert_eq!(head(&*nodes[0], session(1)).await.unwrap(), 3 * EACH);
    assert!(most.iter().all(|tries| *tries <= 10), "one append needed {most:?} tries");
}

/// Appends of two nodes, each to many streams, meet at all of them while several commits of each are under way: nobody waits in a circle,
/// and of each stream what was acknowledged is there in order. Those of one stream and those of several share their commits.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn commits_under_way_side_by_side_meet_at_many_streams() {
    const MANY: u64 = 12;
    let nodes = nodes(&cluster().schema().await, PostgresOptions::default()).await;
    let client = cluster().client().await;
    let sql = "SELECT coalesce(sum(deadlocks), 0)::bigint FROM pg_stat_database";
    let before: i64 = client.query_one(sql, &[]).await.unwrap().get(0);
    let mut tasks = JoinSet::new();
    for (n, node) in (0..).zip(nodes[..2].iter().map(Arc::clone)) {
        for task in 0..8 {
            let (node, mut dice) = (Arc::clone(&node), Dice(n * 100 + task));
            tasks.spawn(async move {
                let mut done = 0_u64;
                while done < 40 {
                    let first = dice.roll(MANY);
                    let mut entries = Vec::new();
                    for other in 0..=if task < 6 { 0 } else { dice.roll(3) } {
                        let stream = session(((first + other * 5) % MANY).into());
                        entries.push(entry(stream, head(&*node, stream).await.unwrap(), &format!("{n}:{task}:{done}")));
                    }
                    match append(&*node, entries).await {
                        Ok(()) => done += 1,
                        result => assert!(is_conflict(&result), "{result:?}"),
                    }
                }
            });
        }
    }
    tasks.join_all().await;
    for n in 0..MANY {
        let stored = batches(&*nodes[2], session(n.into())).await.unwrap();
        assert!(stored.iter().map(|batch| batch.seq).eq(1..=stored.len() as Seq), "numbers have gaps");
    }
    let after: i64 = client.query_one(sql, &[]).await.unwrap().get(0);
    assert_eq!(after, before, "deadlocks");
}

/// A session is settled on one node while another appends to it or to its source, in a commit that takes a while: it is never left as
/// settled before the latest.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn settling_meets_appends_of_other_nodes() {
    let nodes = nodes(&cluster().schema().await, PostgresOptions::default()).await;
    let mut settled_first = 0;
    for n in 1..160_u128 {
        // Ids apart, so that the two are apart in all that goes by id.
        let (stream, life) = (session(n), source(n + 1));
        append(&*nodes[0], [Entry { links: vec![link(life, stream)], ..entry(stream, 0, "x") }]).await.unwrap();
        let (app, vector, records) = (app(), vec![(stream, 1), (life, 0)], [SessionRecord { id: id(n), ..record(n, stream) }]);
        let late = if n % 4 == 0 { entry(stream, 1, "late") } else { entry(life, 0, "late") };
        let beside = (0..60).map(|k| entry(meeting(n * 100 + k), 0, "beside"));
        let settle = async {
            tokio::time::sleep(Duration::from_millis(n as u64 % 7)).await;
            nodes[1].settle(&app, stream, &vector, &records).await.unwrap()
        };
        let append_late = async {
            // All of one commit; or many commits, which the store puts into one statement.
            if n % 4 > 0 {
                return append(&*nodes[2], beside.chain([late])).await.unwrap();
            }
            let mut all = JoinSet::new();
            for entry in beside.chain([late]) {
                let node = Arc::clone(&nodes[2]);
                all.spawn(async move { append(&*node, [entry]).await.unwrap() });
            }
            all.join_all().await;
        };
        let (settled, ()) = tokio::join!(settle, append_late);
        settled_first += u32::from(settled);
        let open = nodes[0].unsettled(&app).await.unwrap().contains(&stream);
        assert!(open, "session {n}, settled: {settled}, does not wait for its latest news");
    }
    assert!(settled_first > 0, "they never met");
}
