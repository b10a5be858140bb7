//! The store in PostgreSQL, for any number of nodes.
//!
//! What is acknowledged is committed there. A read asks there too, one query for all that wait, so that every node answers with what any
//! node acknowledged; nothing is remembered between calls. Connections that break are replaced, and what they were at is tried again.

mod address;
mod asked;
mod bulk;
mod catchup;
mod check;
mod connect;
mod counts;
mod dial;
mod duty;
mod engines;
mod epoch;
mod failure;
mod follow;
mod followed;
mod group;
mod identity;
mod lanes;
mod lease;
mod locks;
mod mark;
mod marks;
mod once;
mod passwords;
mod read;
mod replica;
mod replicated;
mod scan;
mod schema;
mod sessions;
mod settle;
mod tls;
mod tokens;
mod transaction;
mod transfer;
mod values;
mod waiting;
mod writer;

pub use connect::ConnectError;
pub use counts::{PoolState, PostgresCounts};
pub use engines::{EngineSet, PostgresEngines, StoredEngine};
pub use replica::ReplicaReads;
pub use tokens::{PostgresTokens, StoredToken, TokenSet};
pub use transfer::PostgresTransfer;

use crate::contract::{
    AppendError, Commit, Kept, LinkKind, Seq, SessionFilter, SessionOrder, SessionPage, SessionRecord, Since, Store, StoreError, Vector,
};
use crate::duty::Duty;
use crate::transfer::gate;
use asked::Manner;
use async_trait::async_trait;
use bytes::Bytes;
use check::Check;
use connect::Role;
use epoch::Epoch;
use failure::{Patience, stopped};
use group::Job;
use identity::Identity;
use lanes::Lanes;
use lease::{Connections, Lease};
use locks::Spaces;
use replica::{Horizon, Replica};
use rollbook_core::codec::Version;
use rollbook_core::id::{App, Stream};
use rollbook_core::time::Timestamp;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
use uuid::Uuid;
use waiting::{Append, Stored, is_safe};

/// How a node uses its database.
#[derive(Clone, Debug)]
pub struct PostgresOptions {
    /// The most connections that the node opens; at least 8.
    pub connections: usize,
    /// For how long a call tries again while the database is away, before it fails.
    pub patience: Duration,
    /// For how long a connection is used: credentials that were replaced, and a role's old rights, are out of use after it.
    pub lifetime: Duration,
    /// Whether a ledger must be there already: one is not made then, as where there is nothing to read the address may have a slip in it.
    pub existing: bool,
    /// Keeps back what the database answers to the shared check, after it has looked. For tests: on a fast loopback a reader that joined
    /// a check under way would hardly ever be told what is no longer so.
    #[doc(hidden)]
    pub check_delay: Duration,
    /// The most batches of one stream that the shared check itself reads, at least 1. For tests: with few, all that is new is read apart.
    #[doc(hidden)]
    pub check_batches: u32,
    /// Does without the check where a reader knows something of every stream: it is told that nothing is new. What the check costs is measured
    /// against that; nobody is served so.
    #[doc(hidden)]
    pub unchecked: bool,
}

impl Default for PostgresOptions {
    fn default() -> Self {
        Self {
            connections: 16,
            patience: Duration::from_secs(10),
            lifetime: Duration::from_secs(30 * 60),
            existing: false,
            check_delay: Duration::ZERO,
            check_batches: check::FEW,
            unchecked: false,
        }
    }
}

/// The ledger in a database. Dropping it lets what was asked of it come to its end in the background.
pub struct PostgresStore {
    ledger: Uuid,
    connections: Arc<Connections>,
    spaces: Spaces,
    jobs: mpsc::Sender<Job>,
    lanes: Arc<Lanes>,
    check: Check,
    replica: Option<Replica>,
    reads: ReplicaReads,
    /// The time that the last check told, where readers do without.
    unchecked: Option<AtomicI64>,
}

impl PostgresStore {
    /// Opens the ledger at `url` (`postgres://…`), and makes its tables (see [`PostgresOptions::existing`]) or brings them up to date. Its tasks run on the runtime of the call.
    ///
    /// `sslmode` may be `disable`, `prefer`, `require`, `verify-ca` or `verify-full`. Wherever TLS is used the server's certificate and name
    /// are verified, against the system's authorities or the file that `sslrootcert` names; so `require` is as strict as `verify-full`, and
    /// `prefer` does without TLS only where the server has none. `sslcert` and `sslkey` name a certificate by which the server knows us, and
    /// `passfile` a file of passwords in libpq's form. The files are read for each connection: what they say can be replaced at any time.
    /// Through a proxy, connections must stay whole sessions (no transaction pooling).
    ///
    /// # Errors
    /// Where the address is wrong, the database can't be used, its ledger isn't one that this binary knows, or is being moved or was.
    pub async fn connect(url: &str, options: PostgresOptions) -> Result<Self, ConnectError> {
        Self::connect_with_replica(url, None, options).await
    }

    /// The same, with a streaming replica at another address. Catch-ups of journals, look-ups and lists are read there once it has replayed
    /// what they must show, and from the primary where that takes more than half a second, or the replica is away, behind, of another
    /// cluster, or none any more. It need not be there at the start. The role needs `pg_read_all_stats` to see how far the replica is.
    ///
    /// # Errors
    /// As [`Self::connect`], and where the replica's address is wrong.
    pub async fn connect_with_replica(url: &str, replica: Option<&str>, options: PostgresOptions) -> Result<Self, ConnectError> {
        let store = Self::connect_marked(url, replica, options).await?;
        let lease = store.connections.lease().await?;
        gate(mark::read(&lease).await?).map_err(ConnectError::Marked)?;
        lease.done();
        Ok(store)
    }

    /// The same, whatever mark of a move the ledger has.
    async fn connect_marked(url: &str, replica: Option<&str>, options: PostgresOptions) -> Result<Self, ConnectError> {
        let identity = if replica.is_some() { Identity::of_two() } else { Identity::default() };
        let pool = connect::pool(url, &options, Role::Primary, &identity)?;
        let replica = replica.map(|url| connect::pool(url, &options, Role::Replica, &identity)).transpose()?;
        let mut client = pool.get().await.map_err(|error| ConnectError::refused(failure::Failure::from(error).to_string()))?;
        schema::migrate(&mut client, options.existing).await?;
        identity.learn(&client).await?;
        if replica.is_some() {
            // Each check will ask for it: a server that does not tell is better known of at the start.
            client.query_one(&format!("SELECT {}, {}", Horizon::POSITION, Horizon::TIMELINE), &[]).await?;
        }
        let spaces = Spaces::read(&client).await?;
        let epoch = Epoch::begin(&client, deadpool_postgres::Object::metrics(&client).created).await?;
        let ledger = epoch.ledger();
        drop(client);
        let connections = Arc::new(Connections::new(pool, options.patience, Some(epoch)));
        let (jobs, lanes) = writer::start(Arc::clone(&connections), spaces);
        let manner = Manner { delay: options.check_delay, few: options.check_batches.max(1).into(), replicated: replica.is_some() };
        let check = Check::start(Arc::clone(&connections), manner);
        let reads = ReplicaReads::default();
        let replica = replica.map(|pool| {
            let connections = Arc::new(Connections::new(pool, options.patience, None));
            Replica::start(connections, check.clone(), reads.clone())
        });
        Ok(Self { ledger, connections, spaces, jobs, lanes, check, replica, reads, unchecked: options.unchecked.then(AtomicI64::default) })
    }

    /// How this node fares with its database.
    #[must_use]
    pub fn counts(&self) -> PostgresCounts {
        PostgresCounts::new(Arc::clone(&self.connections))
    }

    /// How the reads fare that a replica should answer.
    #[must_use]
    pub fn replica_reads(&self) -> ReplicaReads {
        self.reads.clone()
    }

    /// Does `work`, which may be done twice, on the replica if that knows enough in time, else on the primary.
    async fn read<T, F>(&self, app: &App, work: impl Fn(Arc<Lease>, App) -> F + Clone + Send + Sync + 'static) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, failure::Failure>> + Send + 'static,
    {
        if let Some(replica) = &self.replica {
            let horizon = if replica.is_usable() { self.check.horizon().await } else { None };
            let (app, work) = (app.clone(), work.clone());
            if let Some(found) = replica.read(horizon, move |lease| work(lease, app.clone())).await {
                return Ok(found);
            }
        }
        self.run(app, work).await
    }

    /// The time that the last check told, where a reader who knows so much does without another.
    fn unchecked(&self, known: &[(Stream, Seq)]) -> Option<Timestamp> {
        let last = self.unchecked.as_ref().filter(|_| known.iter().all(|(_, seq)| *seq > 0))?;
        Some(Timestamp::from_micros(last.load(Ordering::Relaxed)))
    }

    /// Which ledger this is: the same at every node, and of no other ledger.
    #[must_use]
    pub fn id(&self) -> Uuid {
        self.ledger
    }

    /// The meeting engines that were added to the ledger.
    #[must_use]
    pub fn engines(&self) -> PostgresEngines {
        PostgresEngines::new(Arc::clone(&self.connections))
    }

    /// The ledger's tokens.
    #[must_use]
    pub fn tokens(&self) -> PostgresTokens {
        PostgresTokens::new(Arc::clone(&self.connections))
    }

    /// Does `work`, which may be done twice, on a connection of its own.
    async fn run<T, F>(&self, app: &App, work: impl Fn(Arc<Lease>, App) -> F + Send + Sync + 'static) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, failure::Failure>> + Send + 'static,
    {
        let app = app.clone();
        self.connections.run(move |lease| work(lease, app.clone())).await
    }
}

#[async_trait]
impl Store for PostgresStore {
    async fn append(&self, app: &App, commit: Commit) -> Result<(), AppendError> {
        if commit.entries.is_empty() {
            return Ok(());
        }
        if commit.repeats_a_stream() {
            return Err(AppendError::Conflict);
        }
        let (append, answer) = Append::new(app.clone(), commit, self.connections.deadline(), self.epoch());
        if let Err(append) = self.lanes.offer(append) {
            self.jobs.send(Job::Append(append)).await.map_err(|_| stopped())?;
        }
        let Stored::Seen(app, commit) = answer.await.map_err(|_| stopped())?? else { return Ok(()) };
        let commit = Arc::new(commit);
        let work = move |lease: Arc<Lease>, app: App| {
            let commit = Arc::clone(&commit);
            async move { is_safe(&lease, &app, &commit).await }
        };
        // Where it is gone again, its writer has to judge again.
        if self.run(&app, work).await? { Ok(()) } else { Err(AppendError::Conflict) }
    }

    async fn since(&self, app: &App, known: &[(Stream, Seq)]) -> Result<Since, StoreError> {
        if let Some(now) = self.unchecked(known) {
            return Ok(Since { now, batches: Vec::new() });
        }
        if let Some(since) = self.check.ask(app, known, &[]).await?.since {
            self.unchecked.as_ref().inspect(|last| last.store(since.now.micros(), Ordering::Relaxed));
            return Ok(since);
        }
        if let Some(replica) = self.replica.as_ref()
            && let Some(since) = catchup::from_replica(&self.connections, replica, app, known).await?
        {
            return Ok(since);
        }
        catchup::from_primary(&self.connections, app, known).await
    }

    async fn unchanged(&self, app: &App, known: &[(Stream, Seq)], children: &[(Uuid, u64)]) -> Result<Option<Timestamp>, StoreError> {
        if let Some(now) = self.unchecked(known) {
            return Ok(Some(now));
        }
        let answer = self.check.ask(app, known, children).await?;
        Ok(answer.since.filter(|since| answer.same_children && since.batches.is_empty()).map(|since| since.now))
    }

    async fn linked(&self, app: &App, kind: LinkKind, from: Uuid) -> Result<Vec<Stream>, StoreError> {
        let work = move |lease: Arc<Lease>, app| async move { read::linked(&lease, &app, kind, from).await };
        match kind {
            // How many there are is what a reader knows them by, and a replica may show one that the primary does not show yet: with
            // another in its place later, as many would be others.
            LinkKind::Child => self.run(app, work).await,
            _ => self.read(app, work).await,
        }
    }

    async fn streams(&self, app: &App, after: Option<Stream>, limit: usize) -> Result<Vec<Stream>, StoreError> {
        self.read(app, move |lease, app| async move { read::listed(&lease, &app, after, limit).await }).await
    }

    async fn unsettled(&self, app: &App) -> Result<Vec<Stream>, StoreError> {
        self.run(app, move |lease, app| async move { read::unsettled(&lease, &app).await }).await
    }

    async fn settle(&self, app: &App, stream: Stream, vector: &Vector, records: &[SessionRecord]) -> Result<bool, StoreError> {
        let records = records.iter().map(|record| (record.id, SessionRecord { stream, ..record.clone() })).collect();
        let (spaces, epoch, asked) = (self.spaces, self.epoch(), Arc::new((vector.clone(), records)));
        let work = move |lease: Arc<Lease>, app| {
            let asked = Arc::clone(&asked);
            async move { Ok(lease.epoch() == epoch && settle::settle(&lease, spaces, &app, stream, &asked.0, &asked.1).await?) }
        };
        self.run(app, work).await
    }

    async fn sessions(&self, app: &App, filter: &SessionFilter, order: SessionOrder, range: Range<u64>) -> Result<SessionPage, StoreError> {
        let filter = Arc::new(filter.clone());
        let work = move |lease: Arc<Lease>, app| {
            let (filter, range) = (Arc::clone(&filter), range.clone());
            async move { sessions::page(&lease, &app, &filter, order, &range).await }
        };
        self.read(app, work).await
    }

    async fn keep(&self, app: &App, engine: &str, body: Bytes) -> Result<(), StoreError> {
        let engine: Arc<str> = engine.into();
        let work = move |lease: Arc<Lease>, app| {
            let (engine, body) = (Arc::clone(&engine), body.clone());
            async move { read::keep(&lease, &app, &engine, &body).await }
        };
        self.run(app, work).await
    }

    async fn kept(&self, app: &App, after: i64, limit: usize) -> Result<Vec<(i64, Kept)>, StoreError> {
        self.run(app, move |lease, app| async move { scan::kept(&lease, &app, after, limit).await }).await
    }

    async fn discard(&self, app: &App, engine: &str, body: Bytes) -> Result<(), StoreError> {
        let engine: Arc<str> = engine.into();
        let work = move |lease: Arc<Lease>, app| {
            let (engine, body) = (Arc::clone(&engine), body.clone());
            async move { read::discard(&lease, &app, &engine, &body).await }
        };
        self.run(app, work).await
    }

    async fn bound_kept(&self, app: &App, most: u64) -> Result<u64, StoreError> {
        self.run(app, move |lease, app| async move { read::bound_kept(&lease, &app, most).await }).await
    }

    async fn expire_kept(&self, age: Duration) -> Result<u64, StoreError> {
        let mut dropped = 0;
        loop {
            let some = self.connections.run(move |lease: Arc<Lease>| async move { read::expire_kept(&lease, age).await }).await?;
            dropped += some;
            if some < read::EXPIRED_AT_ONCE {
                return Ok(dropped);
            }
        }
    }

    async fn duty(&self, name: &str) -> Result<Option<Duty>, StoreError> {
        let mut patience = Patience::until(self.connections.deadline());
        loop {
            let attempt = async { duty::claim(self.connections.lease().await?, self.spaces, name).await };
            match patience.bound(attempt).await {
                Ok(duty) => return Ok(duty),
                Err(failure) => patience.after(failure).await?,
            }
        }
    }

    /// Nodes of the release before this one, which run beside it during an upgrade, read no other.
    fn codec(&self) -> Version {
        Version::One
    }

    fn epoch(&self) -> u64 {
        self.connections.epoch()
    }

    async fn confirm(&self) -> Result<(), StoreError> {
        // A commit of no meaning, which the standby confirms with all before it.
        self.ready().await
    }

    async fn ready(&self) -> Result<(), StoreError> {
        let (reply, answer) = oneshot::channel();
        let probe = Job::Probe(self.connections.deadline(), reply);
        self.jobs.send(probe).await.map_err(|_| stopped())?;
        answer.await.map_err(|_| stopped())?
    }
}
