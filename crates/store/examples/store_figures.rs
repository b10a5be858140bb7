//! Appends and reads of SQLite and PostgreSQL side by side, in one run, on disks that sync: only the ratios count.
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a measurement, run by hand")]

#[path = "../tests/cluster/mod.rs"]
mod cluster;

use cluster::Cluster;
use rollbook_core::time::Timestamp;
use rollbook_store::suite::fixtures::{app, append, entry, head, is_conflict, session};
use rollbook_store::{PostgresOptions, PostgresStore, SqliteStore, Store};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::Instant;

const SPAN: Duration = Duration::from_secs(2);
const ROUNDS: usize = 3;
static NEXT: AtomicU64 = AtomicU64::new(1);

/// How much `work` gets done a second by so many tasks; each turn says how much it was.
async fn rate<F: Future<Output = u64> + Send>(tasks: u64, work: impl Fn(u64, u64) -> F + Clone + Send + Sync + 'static) -> f64 {
    let (end, mut all) = (Instant::now() + SPAN, JoinSet::new());
    for task in 0..tasks {
        let work = work.clone();
        all.spawn(async move {
            let (mut done, mut turn) = (0, 0);
            while Instant::now() < end {
                done += work(task, turn).await;
                turn += 1;
            }
            done
        });
    }
    all.join_all().await.iter().sum::<u64>() as f64 / SPAN.as_secs_f64()
}

async fn appends(store: &Arc<dyn Store>, clients: u64, streams: u64) -> f64 {
    let base = NEXT.fetch_add(clients * streams, Ordering::Relaxed);
    let store = Arc::clone(store);
    let batch = "x".repeat(200);
    rate(clients, move |client, turn| {
        let (store, batch) = (Arc::clone(&store), batch.clone());
        async move {
            let own = |n: u64| session((u128::from(base + client * streams + n) * 0x9e37_79b9_7f4a_7c15) << 32);
            append(&*store, (0..streams).map(|n| entry(own(n), turn, &batch))).await.unwrap();
            streams
        }
    })
    .await
}

async fn reads(store: &Arc<dyn Store>, readers: u64, streams: u64) -> f64 {
    let base = NEXT.fetch_add(streams, Ordering::Relaxed);
    let stream = move |n: u64| session((u128::from(base + n) * 0x9e37_79b9_7f4a_7c15) << 32);
    for n in 0..streams {
        append(&**store, [entry(stream(n), 0, "x")]).await.unwrap();
    }
    let store = Arc::clone(store);
    rate(readers, move |reader, turn| {
        let store = Arc::clone(&store);
        async move {
            store.since(&app(), &[(stream((reader * 7919 + turn * 31) % streams), 1)]).await.unwrap();
            1
        }
    })
    .await
}

/// Two nodes append to one stream as fast as they can: what each got done, its most tries and its longest append.
async fn contest(nodes: [Arc<dyn Store>; 2]) {
    let stream = session(u128::from(NEXT.fetch_add(1, Ordering::Relaxed)) << 64);
    let end = Instant::now() + SPAN;
    let mut all = JoinSet::new();
    for node in nodes {
        all.spawn(async move {
            let (mut known, mut done, mut most, mut longest) = (0, 0_u64, 0, Duration::ZERO);
            while Instant::now() < end {
                let (began, mut tries) = (Instant::now(), 1);
                while is_conflict(&append(&*node, [entry(stream, known, "x")]).await) {
                    known += node.since(&app(), &[(stream, known)]).await.unwrap().batches.len() as u64;
                    tries += 1;
                }
                (known, done, most, longest) = (known + 1, done + 1, most.max(tries), longest.max(began.elapsed()));
            }
            (done, most, longest)
        });
    }
    let got = all.join_all().await;
    println!("two nodes, one stream: (appends, most tries, longest) {got:?}");
}

async fn raw(url: &str) -> f64 {
    let (client, connection) = tokio_postgres::connect(url, tokio_postgres::NoTls).await.unwrap();
    tokio::spawn(connection);
    client.batch_execute("CREATE TABLE IF NOT EXISTS raw (n bigint PRIMARY KEY, batch bytea)").await.unwrap();
    let client = Arc::new(client);
    let insert = client.prepare("INSERT INTO raw VALUES ($1, $2)").await.unwrap();
    rate(1, move |_, _| {
        let (client, insert, n) = (Arc::clone(&client), insert.clone(), NEXT.fetch_add(1, Ordering::Relaxed) as i64);
        async move { client.execute(&insert, &[&n, &vec![0_u8; 200]]).await.unwrap() }
    })
    .await
}

fn median(mut rates: Vec<f64>) -> f64 {
    rates.sort_by(f64::total_cmp);
    rates[rates.len() / 2]
}

#[tokio::main]
async fn main() {
    let cluster = Cluster::start("-c max_wal_size=4GB");
    let folder = tempfile::tempdir().unwrap();
    let sqlite: Arc<dyn Store> = Arc::new(SqliteStore::open(folder.path(), Arc::new(|| Timestamp::from_micros(0))).unwrap());
    let url = cluster.schema().await;
    let postgres: Arc<dyn Store> = Arc::new(PostgresStore::connect(&url, PostgresOptions::default()).await.unwrap());
    let other: Arc<dyn Store> = Arc::new(PostgresStore::connect(&url, PostgresOptions::default()).await.unwrap());
    assert_eq!(head(&*postgres, session(0)).await.unwrap(), 0);
    if std::env::args().nth(1).is_some_and(|only| only == "contest") {
        for _ in 0..ROUNDS {
            contest([Arc::clone(&postgres), Arc::clone(&other)]).await;
        }
        return;
    }
    let raws = [raw(&url).await, raw(&url).await, raw(&url).await];
    println!("PostgreSQL, one connection, one row a commit: {:.0}/s", median(raws.to_vec()));
    for (clients, streams) in [(1, 1), (64, 1), (256, 1), (1, 64), (16, 64)] {
        let (mut first, mut second) = (Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            first.push(appends(&sqlite, clients, streams).await);
            second.push(appends(&postgres, clients, streams).await);
        }
        let (first, second) = (median(first), median(second));
        println!(
            "batches/s, {clients} clients x {streams} streams a commit: SQLite {first:.0}, PostgreSQL {second:.0} ({:.2})",
            second / first
        );
    }
    for (readers, streams) in [(1, 1), (32, 1), (32, 1000), (256, 1), (256, 1000)] {
        let (mut first, mut second) = (Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            first.push(reads(&sqlite, readers, streams).await);
            second.push(reads(&postgres, readers, streams).await);
        }
        let (first, second) = (median(first), median(second));
        println!("since/s, {readers} readers on {streams} streams: SQLite {first:.0}, PostgreSQL {second:.0} ({:.2})", second / first);
    }
    for _ in 0..ROUNDS {
        contest([Arc::clone(&postgres), Arc::clone(&other)]).await;
    }
}
