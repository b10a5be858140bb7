//! The figures of the store in PostgreSQL next to what is asked of them: all in one run, in rounds that take turns, on disks that sync.
//! Only the ratios count. `store_figures [SECONDS]`, a second each where not given; `store_figures SECONDS NAME` measures only the figures
//! whose name contains it.
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a measurement, run by hand")]

mod appends;
#[path = "../../tests/cluster/mod.rs"]
mod cluster;
mod disk;
mod node;
mod reads;
mod table;

use appends::Appends;
use cluster::Cluster;
use reads::{Check, Reads};
use rollbook_core::time::Timestamp;
use rollbook_store::{PostgresOptions, PostgresStore, SqliteStore, Store};
use std::sync::Arc;
use std::time::Duration;
use table::{Measured, report};

const ROUNDS: usize = 3;

/// What is measured.
struct Bench {
    span: Duration,
    only: String,
    cluster: Cluster,
    url: String,
    nodes: [Arc<dyn Store>; 2],
    sqlite: Arc<dyn Store>,
    /// Keeps the file of the embedded store.
    _folder: tempfile::TempDir,
}

impl Bench {
    async fn new(span: Duration, only: String) -> Self {
        let cluster = Cluster::start("-c max_wal_size=4GB");
        let url = cluster.schema().await;
        let folder = tempfile::tempdir().unwrap();
        let sqlite = SqliteStore::open(folder.path(), Arc::new(|| Timestamp::from_micros(0))).unwrap();
        let nodes = [node(&url, PostgresOptions::default()).await, node(&url, PostgresOptions::default()).await];
        Self { span, only, cluster, url, nodes, sqlite: Arc::new(sqlite), _folder: folder }
    }

    fn wants(&self, name: &str) -> bool {
        name.contains(&self.only)
    }

    async fn round(&self, into: &mut Measured) {
        into.add("fdatasync", disk::fdatasync(self.span).await);
        into.add("one row", disk::one_row(&self.url, self.span).await);
        for (name, streams) in [("hot", 1), ("1000", 1000)] {
            if self.wants("appends") {
                let one = Appends { streams, clients: 64, span: self.span };
                into.add(&format!("sqlite {name}"), one.run(&[Arc::clone(&self.sqlite)]).await.rate());
                let alone = one.run(&self.nodes[..1]).await;
                into.add(&format!("one {name}"), alone.rate());
                into.add(&format!("one {name} a batch"), alone.events_a_batch());
                let both = one.run(&self.nodes).await;
                into.add(&format!("two {name}"), both.rate());
                into.add(&format!("two {name} slower"), both.slower());
                into.add(&format!("two {name} tries"), both.most_tries as f64);
                into.add(&format!("two {name} longest"), both.longest.as_secs_f64() * 1e3);
                into.add(&format!("two {name} p99"), both.p99.as_secs_f64() * 1e3);
            }
            if self.wants("reads") {
                for readers in [32, 256] {
                    for check in [Check::Shared, Check::None, Check::Each] {
                        let reads = Reads { readers, streams, span: self.span, check };
                        reads.run(&self.nodes[0], &self.url).await.note(into, &format!("{readers} {name} {check:?}"));
                    }
                }
            }
        }
        if self.wants("contest") {
            let one_each = Appends { streams: 1, clients: 1, span: self.span * 2 };
            let got = one_each.run(&self.nodes).await;
            into.add("contest slower", got.slower());
            into.add("contest tries", got.most_tries as f64);
            into.add("contest longest", got.longest.as_secs_f64() * 1e3);
        }
        if self.wants("stale") {
            into.add("stale", reads::stale(&self.url, &self.nodes[0], self.span).await);
        }
        into.add("deadlocks", self.deadlocks().await);
    }

    async fn deadlocks(&self) -> f64 {
        let client = self.cluster.client().await;
        client.query_one("SELECT coalesce(sum(deadlocks), 0)::float8 FROM pg_stat_database", &[]).await.unwrap().get(0)
    }
}

async fn node(url: &str, options: PostgresOptions) -> Arc<dyn Store> {
    Arc::new(PostgresStore::connect(url, options).await.unwrap())
}

#[tokio::main]
async fn main() {
    let mut args = std::env::args().skip(1);
    let seconds = args.next().map_or(1.0, |seconds| seconds.parse().unwrap());
    let bench = Bench::new(Duration::from_secs_f64(seconds), args.next().unwrap_or_default()).await;
    let mut measured = Measured::default();
    for _ in 0..ROUNDS {
        bench.round(&mut measured).await;
    }
    report(&measured);
}
