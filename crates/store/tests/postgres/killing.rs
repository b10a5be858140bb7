//! Connections that break at any moment, and a database that goes away.

use super::cluster::{Cluster, cluster};
use super::{Dice, nodes};
use bytes::Bytes;
use rollbook_store::suite::fixtures::{app, append, batches, entry, head, is_conflict, meeting, session};
use rollbook_store::{AppendError, PostgresOptions, PostgresStore, Store, StoreError};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;
use tokio::task::JoinSet;

const EACH: u64 = 80;

/// Appends texts of its own, each until it is acknowledged.
async fn write(node: Arc<PostgresStore>, writer: u64) -> u64 {
    let (mut dice, mut conflicts) = (Dice(writer), 0);
    for n in 0..EACH {
        let text = format!("{writer}:{n}");
        let (one, other) = (session(dice.roll(3).into()), meeting(dice.roll(3).into()));
        loop {
            let entries = [entry(one, head(&*node, one).await.unwrap(), &text), entry(other, head(&*node, other).await.unwrap(), &text)];
            let result = append(&*node, entries).await;
            if result.is_ok() {
                break;
            }
            assert!(is_conflict(&result), "{result:?}");
            conflicts += 1;
        }
    }
    conflicts
}

/// Ends connections of the stores that are named so, until told to stop. Returns how many.
async fn kill(name: &'static str, stop: Arc<AtomicBool>, killed: Arc<AtomicU64>) {
    let client = cluster().client().await;
    let sql = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
               WHERE application_name = $1 AND (random() < 0.3 OR state <> 'idle')";
    while !stop.load(Ordering::SeqCst) {
        let count: i64 = client.query_one(sql, &[&name]).await.unwrap().get(0);
        killed.fetch_add(count as u64, Ordering::SeqCst);
        tokio::time::sleep(Duration::from_millis(15)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lost_connections_lose_nothing_and_repeat_nothing() {
    let url = format!("{}&application_name=killed", cluster().schema().await);
    let nodes = nodes(&url, PostgresOptions { patience: Duration::from_secs(60), ..PostgresOptions::default() }).await;
    let (stop, killed) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let killer = tokio::spawn(kill("killed", Arc::clone(&stop), Arc::clone(&killed)));
    let mut tasks = JoinSet::new();
    for writer in 0..6 {
        tasks.spawn(write(Arc::clone(&nodes[writer as usize % 3]), writer));
    }
    tasks.join_all().await;
    stop.store(true, Ordering::SeqCst);
    killer.await.unwrap();
    assert!(killed.load(Ordering::SeqCst) > 50, "only {killed:?} connections were killed");
    for kind in [session, meeting] {
        let mut times: BTreeMap<Bytes, usize> = BTreeMap::new();
        for n in 0..3 {
            let stored = batches(&*nodes[0], kind(n)).await.unwrap();
            assert!(stored.iter().map(|batch| batch.seq).eq(1..=stored.len() as u64), "numbers have gaps");
            stored.into_iter().for_each(|batch| *times.entry(batch.batch).or_default() += 1);
        }
        assert_eq!(times.len() as u64, 6 * EACH, "not all that was acknowledged is there");
        assert!(times.values().all(|times| *times == 1), "something is there twice");
    }
}

/// A call's patience counts from the call, not from when its turn came: many that fail one after the other keep nobody for longer.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_waits_for_a_check_that_fails_gives_up_in_time() {
    const PATIENCE: Duration = Duration::from_secs(4);
    let own = Cluster::start("-c fsync=off");
    let store = PostgresStore::connect(own.url(), PostgresOptions { patience: PATIENCE, ..Default::default() }).await.unwrap();
    append(&store, [entry(session(1), 0, "before")]).await.unwrap();
    own.control("stop");
    let (began, checks) = (tokio::time::Instant::now(), store.counts().checks());
    let (app, behind) = (app(), [(session(1), 0)]);
    let (first, second) = tokio::join!(store.since(&app, &behind), async {
        while store.counts().checks() == checks {
            tokio::task::yield_now().await;
        }
        // The first is under way, and this one waits for a check of its own.
        store.since(&app, &behind).await
    });
    assert!(first.is_err() && second.is_err());
    assert!(began.elapsed() < PATIENCE + PATIENCE / 2, "{:?}", began.elapsed());
}

/// While the database is away nothing is acknowledged, and calls fail after their patience; when it is back, so is the store.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_was_away_is_found_again() {
    let own = Cluster::start("-c fsync=off");
    let store = PostgresStore::connect(own.url(), PostgresOptions { patience: Duration::from_millis(500), ..Default::default() }).await;
    let store = store.unwrap();
    append(&store, [entry(session(1), 0, "before")]).await.unwrap();
    own.control("stop");
    let away = append(&store, [entry(session(1), 1, "while away")]).await;
    assert!(matches!(away, Err(AppendError::Store(StoreError::Unavailable(_)))), "{away:?}");
    assert!(store.since(&app(), &[(session(1), 0)]).await.is_err());
    assert!(store.ready().await.is_err());
    assert!(store.unsettled(&app()).await.is_err());
    own.control("start");
    store.ready().await.unwrap();
    assert_eq!(head(&store, session(1)).await.unwrap(), 1);
    append(&store, [entry(session(1), 1, "after")]).await.unwrap();
    assert!(is_conflict(&append(&store, [entry(session(1), 1, "behind")]).await));
}
