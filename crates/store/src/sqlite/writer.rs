//! The thread that owns the writing connection. It takes all jobs that wait and commits them with one sync.

use super::checkpoints::Checkpoints;
use super::known::Known;
use super::moving::Moving;
use super::txn::Txn;
use crate::Clock;
use crate::contract::StoreError;
use rusqlite::Connection;
use std::sync::Arc;
use std::thread::JoinHandle;
use tokio::sync::{mpsc, oneshot};

/// The most jobs that wait, and the most that share a commit.
const MOST_JOBS: usize = 1024;
/// Once the jobs of a commit hold so many bytes, no more join it.
const MANY_BYTES: usize = 32 << 20;

/// Something to do in a transaction. Once it is on the queue it is done whether or not anyone still waits for it.
pub(super) trait Job: Send {
    /// About how much it writes.
    fn bytes(&self) -> usize;
    /// Does it; `false` where what it wrote must be undone.
    fn run(&mut self, txn: &mut Txn<'_>) -> bool;
    /// Tells whoever waits, after the commit.
    fn answer(self: Box<Self>, committed: Result<(), &StoreError>);
}

struct Task<W, T, E> {
    bytes: usize,
    work: Option<W>,
    result: Option<Result<T, E>>,
    reply: oneshot::Sender<Result<T, E>>,
}

impl<W, T, E> Job for Task<W, T, E>
where
    W: FnOnce(&mut Txn<'_>) -> Result<T, E> + Send,
    T: Send,
    E: From<StoreError> + Send,
{
    fn bytes(&self) -> usize {
        self.bytes
    }

    fn run(&mut self, txn: &mut Txn<'_>) -> bool {
        self.result = self.work.take().map(|work| work(txn));
        matches!(self.result, Some(Ok(_)))
    }

    fn answer(self: Box<Self>, committed: Result<(), &StoreError>) {
        let result = match (committed, self.result) {
            (Ok(()), Some(result)) => result,
            (Ok(()), None) => Err(stopped().into()),
            (Err(error), _) => Err(error.clone().into()),
        };
        // Nobody listens where the caller's future was dropped.
        let _ = self.reply.send(result);
    }
}

fn stopped() -> StoreError {
    StoreError::Unavailable("the writer has stopped".into())
}

/// The way to the thread. Dropping it waits until the thread has done what is queued.
pub(super) struct Writer {
    jobs: Option<mpsc::Sender<Box<dyn Job>>>,
    thread: Option<JoinHandle<()>>,
}

impl Writer {
    pub(super) fn start(
        conn: Connection,
        checkpoints: Checkpoints,
        known: Arc<Known>,
        clock: Clock,
        moving: Moving,
    ) -> std::io::Result<Self> {
        let (jobs, queue) = mpsc::channel(MOST_JOBS);
        let work = move || write_all(&conn, checkpoints, &known, &clock, moving, queue);
        let thread = std::thread::Builder::new().name("rollbook-writer".into()).spawn(work)?;
        Ok(Self { jobs: Some(jobs), thread: Some(thread) })
    }

    /// Queues `work` and waits until it is committed. `bytes` is about what it writes.
    pub(super) async fn submit<T, E>(&self, bytes: usize, work: impl FnOnce(&mut Txn<'_>) -> Result<T, E> + Send + 'static) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        let job = Box::new(Task { bytes, work: Some(work), result: None, reply });
        let jobs = self.jobs.as_ref().ok_or_else(stopped)?;
        jobs.send(job).await.map_err(|_| stopped())?;
        answer.await.map_err(|_| stopped())?
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        drop(self.jobs.take());
        if let Some(Err(_)) = self.thread.take().map(JoinHandle::join) {
            tracing::error!("the writer thread panicked");
        }
    }
}

fn write_all(
    conn: &Connection,
    mut checkpoints: Checkpoints,
    known: &Known,
    clock: &Clock,
    mut moving: Moving,
    mut queue: mpsc::Receiver<Box<dyn Job>>,
) {
    while let Some(first) = queue.blocking_recv() {
        let mut group = gather(first, &mut queue);
        let result = Txn::new(conn, known, clock(), &mut moving).run(&mut group);
        if let Err(error) = &result {
            tracing::warn!(jobs = group.len(), %error, "a commit failed; none of its jobs is acknowledged");
        }
        for job in group {
            job.answer(result.as_ref().copied());
        }
        checkpoints.after_commit(conn);
    }
}

/// The first job, and those that wait already: an idle store never waits for company.
fn gather(first: Box<dyn Job>, queue: &mut mpsc::Receiver<Box<dyn Job>>) -> Vec<Box<dyn Job>> {
    let mut bytes = first.bytes();
    let mut group = vec![first];
    while group.len() < MOST_JOBS && bytes < MANY_BYTES {
        let Ok(job) = queue.try_recv() else { break };
        bytes += job.bytes();
        group.push(job);
    }
    group
}
