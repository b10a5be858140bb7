//! Clients that each add one event after the other, on one node or on two at once.

use crate::node::Node;
use rollbook_core::id::Stream;
use rollbook_store::Store;
use rollbook_store::suite::fixtures::session;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::Instant;

static NEXT: AtomicU64 = AtomicU64::new(1);

pub(crate) struct Appends {
    pub(crate) streams: u64,
    /// Of each node.
    pub(crate) clients: u64,
    pub(crate) span: Duration,
}

#[derive(Default)]
pub(crate) struct Got {
    seconds: f64,
    /// Events that each node acknowledged.
    events: Vec<u64>,
    batches: u64,
    pub(crate) most_tries: u64,
    pub(crate) longest: Duration,
    pub(crate) p99: Duration,
}

impl Got {
    /// Events a second, of all nodes.
    pub(crate) fn rate(&self) -> f64 {
        self.events.iter().sum::<u64>() as f64 / self.seconds
    }

    pub(crate) fn events_a_batch(&self) -> f64 {
        self.events.iter().sum::<u64>() as f64 / self.batches as f64
    }

    /// What the slower node got done, as a part of what the faster did.
    pub(crate) fn slower(&self) -> f64 {
        *self.events.iter().min().unwrap() as f64 / *self.events.iter().max().unwrap() as f64
    }
}

/// A stream whose id looks random, as derived ids do.
pub(crate) fn stream(n: u64) -> Stream {
    session((u128::from(n) << 64 | u128::from(n)).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835))
}

/// The first of so many numbers of streams that nobody else uses.
pub(crate) fn reserve(streams: u64) -> u64 {
    NEXT.fetch_add(streams, Ordering::Relaxed)
}

impl Appends {
    pub(crate) async fn run(&self, stores: &[Arc<dyn Store>]) -> Got {
        let nodes: Vec<_> = stores.iter().map(|store| Node::new(Arc::clone(store))).collect();
        let base = reserve(self.streams);
        self.warm(&nodes, base).await;
        let (began, streams, span) = (Instant::now(), self.streams, self.span);
        let mut all = JoinSet::new();
        for (number, node) in nodes.iter().enumerate() {
            for client in 0..self.clients {
                let node = Arc::clone(node);
                let mut dice = (number as u64) << 32 | client;
                all.spawn(async move {
                    let mut took = Vec::new();
                    while began.elapsed() < span {
                        dice = dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                        took.push(node.event(stream(base + (dice >> 33) % streams)).await);
                    }
                    (number, took)
                });
            }
        }
        let mut got = Got { events: vec![0; nodes.len()], ..Got::default() };
        let mut took = Vec::new();
        for (number, of_one) in all.join_all().await {
            got.events[number] += of_one.len() as u64;
            took.extend(of_one);
        }
        took.sort_unstable();
        got.seconds = began.elapsed().as_secs_f64();
        got.longest = took.last().copied().unwrap_or_default();
        got.p99 = took.get(took.len() * 99 / 100).copied().unwrap_or_default();
        got.most_tries = nodes.iter().map(|node| node.most_tries()).max().unwrap_or_default();
        got.batches = nodes.iter().map(|node| node.batches()).sum();
        got
    }

    /// Opens connections and makes every node know every stream: what is measured goes on for long.
    async fn warm(&self, nodes: &[Arc<Node>], base: u64) {
        for node in nodes {
            let mut all = JoinSet::new();
            for n in 0..self.streams {
                let node = Arc::clone(node);
                all.spawn(async move { node.event(stream(base + n)).await });
            }
            all.join_all().await;
            node.forget();
        }
    }
}
