//! Reads that a streaming replica answers in the primary's place, with the same answers.
//!
//! A reader must see what was acknowledged before it asked. So the primary is asked first, for its position in the log after that; and the
//! replica answers once it has replayed the log that far. Whoever looks at the position and at the data does so in this order, in two
//! statements: within one, the data would be looked at first. Where the replica is not so far within a moment, is away, or is no replica of
//! this primary any more, the primary answers.

use super::check::Check;
use super::failure::Failure;
use super::follow::{self, Wait};
use super::lease::{Connections, Lease};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
use tokio_postgres::types::PgLsn;

/// A position in the log of a primary. Of two on one timeline the greater is the later; what differs in the timeline can't be compared.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Horizon {
    timeline: u32,
    position: u64,
}

impl Horizon {
    /// The position up to which the log is synced, as a number. A commit is acknowledged after that.
    pub(super) const POSITION: &str = "(pg_current_wal_flush_lsn() - '0/0')::bigint";
    /// The timeline, in the first eight hexadecimal digits of a file's name.
    pub(super) const TIMELINE: &str = "convert_to(pg_walfile_name(pg_current_wal_flush_lsn()), 'UTF8')";

    /// Reads the two columns.
    pub(super) fn read(position: u64, file: &[u8]) -> Option<Self> {
        let digits = std::str::from_utf8(file.get(..8)?).ok()?;
        Some(Self { timeline: u32::from_str_radix(digits, 16).ok()?, position })
    }

    /// Where a replica stands: the timeline that it receives, and how much it has replayed. The timeline of what it receives is that of its
    /// primary, and a server never receives what does not continue its own log.
    pub(super) async fn of_replica(lease: &Lease) -> Result<Self, Failure> {
        let sql = "SELECT received_tli, pg_last_wal_replay_lsn() FROM pg_stat_wal_receiver WHERE pg_is_in_recovery()";
        let Some(row) = lease.query_opt(&lease.prepare_cached(sql).await?, &[]).await? else {
            return Err(Failure::Passing("the replica receives nothing: it is none any more, or its primary is away".into()));
        };
        let Some(timeline) = row.try_get::<_, Option<i32>>(0)? else {
            return Err(Failure::Passing("the role may not see what the replica receives: GRANT pg_read_all_stats to it".into()));
        };
        let position = row.try_get::<_, Option<PgLsn>>(1)?.map_or(0, u64::from);
        Ok(Self { timeline: timeline.cast_unsigned(), position })
    }

    pub(super) fn has_reached(self, wanted: Self) -> bool {
        self.timeline == wanted.timeline && self.position >= wanted.position
    }
}

/// How many reads a replica answered, and how many the primary had to, which should have been the replica's. Clones are the same.
#[derive(Clone, Debug, Default)]
pub struct ReplicaReads(Arc<(AtomicU64, AtomicU64)>);

impl ReplicaReads {
    /// How many the replica answered.
    #[must_use]
    pub fn by_replica(&self) -> u64 {
        self.0.0.load(Ordering::Relaxed)
    }

    /// How many the primary answered because the replica could not.
    #[must_use]
    pub fn by_primary(&self) -> u64 {
        self.0.1.load(Ordering::Relaxed)
    }
}

/// For how long the replica may take to come as far as the primary was.
pub(super) const PATIENCE: Duration = Duration::from_millis(500);
/// For how long it may take to answer then.
const LONGEST: Duration = Duration::from_secs(5);

/// A replica of the primary, as long as it is one.
pub(super) struct Replica {
    connections: Arc<Connections>,
    waits: mpsc::Sender<Wait>,
    usable: Usable,
    reads: ReplicaReads,
}

/// Whether the replica is asked at all. Clones are the same.
#[derive(Clone)]
pub(super) struct Usable(Arc<AtomicBool>);

impl Usable {
    pub(super) fn get(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// Says once what the matter is.
    pub(super) fn lose(&self, why: &str) {
        if self.0.swap(false, Ordering::Relaxed) {
            tracing::warn!(why, "the primary answers what the replica should");
        }
    }

    pub(super) fn gain(&self) {
        if !self.0.swap(true, Ordering::Relaxed) {
            tracing::info!("the replica answers again");
        }
    }
}

impl Replica {
    /// Starts to follow the replica. `check` asks the primary.
    pub(super) fn start(connections: Arc<Connections>, check: Check, reads: ReplicaReads) -> Self {
        let usable = Usable(Arc::new(AtomicBool::new(true)));
        let waits = follow::start(Arc::clone(&connections), check, usable.clone());
        Self { connections, waits, usable, reads }
    }

    pub(super) fn is_usable(&self) -> bool {
        self.usable.get()
    }

    /// Does `work` on the replica once that has reached the horizon. None where the primary has to answer.
    pub(super) async fn read<T, F>(&self, horizon: Option<Horizon>, work: impl Fn(Arc<Lease>) -> F + Send + Sync + 'static) -> Option<T>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, Failure>> + Send + 'static,
    {
        let found = match horizon {
            Some(horizon) if self.reaches(horizon).await => self.attempt(horizon, work).await,
            _ => None,
        };
        match &found {
            Some(_) => drop(self.reads.0.0.fetch_add(1, Ordering::Relaxed)),
            None => self.passed(),
        }
        found
    }

    /// Counts a read as the primary's.
    pub(super) fn passed(&self) {
        self.reads.0.1.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts a read as the primary's after all.
    pub(super) fn missed(&self, why: &str) {
        self.reads.0.0.fetch_sub(1, Ordering::Relaxed);
        self.passed();
        self.usable.lose(why);
    }

    async fn reaches(&self, horizon: Horizon) -> bool {
        if !self.usable.get() {
            return false;
        }
        let (reply, answer) = oneshot::channel();
        let wait = Wait::new(horizon, Some(reply));
        self.waits.send(wait).await.is_ok() && answer.await.is_ok()
    }

    async fn attempt<T, F>(&self, horizon: Horizon, work: impl Fn(Arc<Lease>) -> F + Send + Sync + 'static) -> Option<T>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, Failure>> + Send + 'static,
    {
        let guarded = move |lease: Arc<Lease>| {
            let work = work(Arc::clone(&lease));
            async move {
                // This connection may lead to another replica than the one that was waited for.
                if !Horizon::of_replica(&lease).await?.has_reached(horizon) {
                    return Ok(None);
                }
                work.await.map(Some)
            }
        };
        match self.connections.once(LONGEST, guarded).await {
            Ok(found) => found,
            Err(failure) => {
                // Such as a query that was in the way of what was to be replayed.
                tracing::debug!(%failure, "the replica failed to answer");
                None
            }
        }
    }
}
