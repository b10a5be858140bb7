//! What a node counts of its work with the database.

use super::lease::Connections;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Numbers that only grow.
#[derive(Debug, Default)]
pub(super) struct Counts {
    pub(super) commits_retried: Count,
    pub(super) appends_lost: Count,
    pub(super) lanes_entered: Count,
    pub(super) checks: Count,
    pub(super) readers: Count,
}

/// One of them.
#[derive(Debug, Default)]
pub(super) struct Count(AtomicU64);

impl Count {
    pub(super) fn add(&self, many: usize) {
        self.0.fetch_add(many as u64, Ordering::Relaxed);
    }

    fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// The connections of a node to its primary, at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PoolState {
    /// Those that someone uses.
    pub in_use: usize,
    /// Those that are open and that nobody uses.
    pub idle: usize,
    /// Calls that wait for one.
    pub waiting: usize,
}

/// How a node fares with its database, since it was started. Clones are the same.
#[derive(Clone)]
pub struct PostgresCounts(Arc<Connections>);

impl PostgresCounts {
    pub(super) fn new(connections: Arc<Connections>) -> Self {
        Self(connections)
    }

    /// The connections as they are.
    #[must_use]
    pub fn pool(&self) -> PoolState {
        self.0.state()
    }

    /// Commits that failed and were tried again.
    #[must_use]
    pub fn commits_retried(&self) -> u64 {
        self.0.counts().commits_retried.get()
    }

    /// Appends that found another's batch in their place: their writers caught up and judged again.
    #[must_use]
    pub fn appends_lost(&self) -> u64 {
        self.0.counts().appends_lost.get()
    }

    /// Appends that waited for their streams to be theirs alone, as they had lost too often, or another node had the streams alone.
    #[must_use]
    pub fn lanes_entered(&self) -> u64 {
        self.0.counts().lanes_entered.get()
    }

    /// Shared checks that were asked.
    #[must_use]
    pub fn checks(&self) -> u64 {
        self.0.counts().checks.get()
    }

    /// Readers that shared them.
    #[must_use]
    pub fn readers(&self) -> u64 {
        self.0.counts().readers.get()
    }
}

impl std::fmt::Debug for PostgresCounts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("PostgresCounts").field(self.0.counts()).finish()
    }
}
