//! The contract, held by PostgreSQL; and what only many nodes and lost connections can show.
#![expect(clippy::unwrap_used, reason = "these are tests")]

#[path = "../cluster/mod.rs"]
mod cluster;

use cluster::cluster;
use rollbook_store::Clock;
use rollbook_store::suite::Subject;
use std::sync::Arc;

fn postgres(_: Clock) -> Subject {
    let store = tokio::runtime::Handle::current().block_on(cluster().store());
    Subject { store: Arc::new(store), own_time: true, alive: Box::new(()) }
}

rollbook_store::contract_suite!(postgres);
