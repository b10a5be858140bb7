//! Connections for as long as they are needed.

use super::counts::{Counts, PoolState};
use super::epoch::Epoch;
use super::failure::{Failure, Patience, stopped};
use crate::contract::StoreError;
use deadpool_postgres::{ClientWrapper, Object, Pool};
use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::time::Instant;

/// So many connections are for appends and for the check, however many other calls wait.
const RESERVED: usize = 6;

/// The connections of a node.
pub(super) struct Connections {
    pool: Pool,
    turns: Semaphore,
    patience: Duration,
    /// None where nothing that is read here is held by itself: at a replica.
    epoch: Option<Epoch>,
    counts: Counts,
}

impl Connections {
    /// The fewest connections that a pool must allow.
    pub(super) const FEWEST: usize = RESERVED + 2;

    pub(super) fn new(pool: Pool, patience: Duration, epoch: Option<Epoch>) -> Self {
        let turns = pool.status().max_size.saturating_sub(RESERVED).max(1);
        Self { pool, turns: Semaphore::new(turns), patience, epoch, counts: Counts::default() }
    }

    /// The epoch of what is told.
    pub(super) fn epoch(&self) -> u64 {
        self.epoch.as_ref().map_or(0, Epoch::number)
    }

    /// What is counted of the work with them.
    pub(super) fn counts(&self) -> &Counts {
        &self.counts
    }

    /// How they are used at this moment.
    pub(super) fn state(&self) -> PoolState {
        let status = self.pool.status();
        PoolState { in_use: status.size.saturating_sub(status.available), idle: status.available, waiting: status.waiting }
    }

    /// When a call that begins now gives up.
    pub(super) fn deadline(&self) -> Instant {
        Instant::now() + self.patience
    }

    pub(super) async fn lease(&self) -> Result<Lease, Failure> {
        loop {
            let mut lease = Lease { object: Some(self.pool.get().await?), clean: AtomicBool::new(false), epoch: 0 };
            let Some(epoch) = &self.epoch else { return Ok(lease) };
            let metrics = lease.object.as_ref().map(|object| *Object::metrics(object)).unwrap_or_default();
            if let Some(epoch) = epoch.of(&lease, &metrics).await? {
                lease.epoch = epoch;
                return Ok(lease);
            }
        }
    }

    /// Does `work`, which may be done twice, in a task of its own: it comes to its end whether or not anyone still waits for it.
    pub(super) async fn run<T, F>(self: &Arc<Self>, work: impl Fn(Arc<Lease>) -> F + Send + Sync + 'static) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, Failure>> + Send + 'static,
    {
        let all = Arc::clone(self);
        let task = tokio::spawn(async move {
            let mut patience = Patience::until(all.deadline());
            loop {
                match patience.bound(all.attempt(&work)).await {
                    Ok(done) => return Ok(done),
                    Err(failure) => patience.after(failure).await?,
                }
            }
        });
        task.await.unwrap_or_else(|_| Err(stopped()))
    }

    /// Does `work` once, in a task of its own, unless it takes longer than `within`.
    pub(super) async fn once<T, F>(
        self: &Arc<Self>,
        within: Duration,
        work: impl Fn(Arc<Lease>) -> F + Send + Sync + 'static,
    ) -> Result<T, Failure>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, Failure>> + Send + 'static,
    {
        let all = Arc::clone(self);
        let task = tokio::spawn(async move { tokio::time::timeout(within, all.attempt(&work)).await? });
        task.await.unwrap_or_else(|_| Err(Failure::Lasting(stopped())))
    }

    async fn attempt<T, F>(&self, work: &(impl Fn(Arc<Lease>) -> F + Sync)) -> Result<T, Failure>
    where
        F: Future<Output = Result<T, Failure>>,
    {
        let _turn = self.turns.acquire().await.map_err(|_| Failure::Lasting(stopped()))?;
        let lease = Arc::new(self.lease().await?);
        let done = work(Arc::clone(&lease)).await?;
        lease.done();
        Ok(done)
    }
}

/// One connection. Only after [`Lease::done`] does it go back to the others: else it may be amid a transaction or broken, and is closed.
pub(super) struct Lease {
    object: Option<Object>,
    clean: AtomicBool,
    epoch: u64,
}

impl Lease {
    /// Takes the connection from the others for good.
    pub(super) fn detach(mut self) -> Option<ClientWrapper> {
        self.object.take().map(Object::take)
    }

    /// The epoch of what is read and written here.
    pub(super) fn epoch(&self) -> u64 {
        self.epoch
    }

    /// Says that no transaction is open and nothing is under way.
    pub(super) fn done(&self) {
        self.clean.store(true, Ordering::Relaxed);
    }
}

impl Deref for Lease {
    type Target = ClientWrapper;

    #[expect(clippy::expect_used, reason = "only `drop` takes the connection out")]
    fn deref(&self) -> &ClientWrapper {
        self.object.as_ref().expect("a lease has its connection until it is dropped")
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if let Some(object) = self.object.take()
            && !self.clean.load(Ordering::Relaxed)
        {
            drop(Object::take(object));
        }
    }
}
