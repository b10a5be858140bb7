//! The contract, held by PostgreSQL; and what only many nodes and lost connections can show.
#![expect(clippy::unwrap_used, reason = "these are tests")]

#[path = "../cluster/mod.rs"]
mod cluster;
mod connecting;
mod counting;
mod doubting;
mod duties;
mod epochs;
mod killing;
mod nodes;
mod replicas;
mod returning;
mod rotating;

use cluster::cluster;
use rollbook_store::suite::Subject;
use rollbook_store::{Clock, PostgresOptions, PostgresStore};
use std::sync::Arc;

fn postgres(_: Clock) -> Subject {
    let store = tokio::runtime::Handle::current().block_on(cluster().store());
    Subject { store: Arc::new(store), own_time: true, alive: Box::new(()) }
}

rollbook_store::contract_suite!(postgres);

/// Three nodes of one ledger.
async fn nodes(url: &str, options: PostgresOptions) -> Vec<Arc<PostgresStore>> {
    let mut nodes = Vec::new();
    for _ in 0..3 {
        nodes.push(Arc::new(PostgresStore::connect(url, options.clone()).await.unwrap()));
    }
    nodes
}

/// Numbers that look random and are the same in every run.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides
    }
}
