//! The store in PostgreSQL, for any number of nodes.
//!
//! What is acknowledged is committed there. A read asks there too, one query for all that wait, so that every node answers with what any
//! node acknowledged; nothing is remembered between calls. Connections that break are replaced, and what they were at is tried again.

mod bulk;
mod check;
mod connect;
mod failure;
mod lanes;
mod lease;
mod locks;
mod mark;
mod marks;
mod read;
mod scan;
mod schema;
mod sessions;
mod settle;
mod tls;
mod transaction;
mod transfer;
mod values;
mod waiting;
mod writer;

pub use connect::ConnectError;
pub use transfer::PostgresTransfer;

use crate::contract::{
    AppendError, Commit, Kept, LinkKind, Seq, SessionFilter, SessionOrder, SessionPage, SessionRecord, Since, Store, StoreError, Vector,
};
use crate::transfer::gate;
use async_trait::async_trait;
use bytes::Bytes;
use check::Check;
use failure::stopped;
use lanes::Lanes;
use lease::{Connections, Lease};
use locks::Spaces;
use rollbook_core::id::{App, Stream};
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
use uuid::Uuid;
use waiting::Append;
use writer::Job;

/// How a node uses its database.
#[derive(Clone, Debug)]
pub struct PostgresOptions {
    /// The most connections that the node opens; at least 8.
    pub connections: usize,
    /// For how long a call tries again while the database is away, before it fails.
    pub patience: Duration,
    /// Keeps back what the database answers to the shared check, after it has looked. For tests: on a fast loopback a reader that joined
    /// a check under way would hardly ever be told what is no longer so.
    #[doc(hidden)]
    pub check_delay: Duration,
}

impl Default for PostgresOptions {
    fn default() -> Self {
        Self { connections: 16, patience: Duration::from_secs(10), check_delay: Duration::ZERO }
    }
}

/// The ledger in a database. Dropping it lets what was asked of it come to its end in the background.
pub struct PostgresStore {
    connections: Arc<Connections>,
    spaces: Spaces,
    jobs: mpsc::Sender<Job>,
    lanes: Arc<Lanes>,
    check: Check,
}

impl PostgresStore {
    /// Opens the ledger at `url` (`postgres://…`), and makes its tables or brings them up to date. Its tasks run on the runtime of the call.
    ///
    /// `sslmode` may be `disable`, `prefer`, `require`, `verify-ca` or `verify-full`. Wherever TLS is used the server's certificate and name
    /// are verified, against the system's authorities or the file that `sslrootcert` names; so `require` is as strict as `verify-full`, and
    /// `prefer` does without TLS only where the server has none. Through a proxy, connections must stay whole sessions (no transaction
    /// pooling).
    ///
    /// # Errors
    /// Where the address is wrong, the database can't be used, its ledger isn't one that this binary knows, or is being moved or was.
    pub async fn connect(url: &str, options: PostgresOptions) -> Result<Self, ConnectError> {
        let store = Self::connect_marked(url, options).await?;
        let lease = store.connections.lease().await?;
        gate(mark::read(&lease).await?).map_err(ConnectError::Marked)?;
        lease.done();
        Ok(store)
    }

    /// The same, whatever mark of a move the ledger has.
    async fn connect_marked(url: &str, options: PostgresOptions) -> Result<Self, ConnectError> {
        let pool = connect::pool(url, options.connections.max(Connections::FEWEST))?;
        let mut client = pool.get().await.map_err(|error| ConnectError::refused(failure::Failure::from(error).to_string()))?;
        schema::migrate(&mut client).await?;
        let spaces = Spaces::read(&client).await?;
        drop(client);
        let connections = Arc::new(Connections::new(pool, options.patience));
        let (jobs, lanes) = writer::start(Arc::clone(&connections), spaces);
        let check = Check::start(Arc::clone(&connections), options.check_delay);
        Ok(Self { connections, spaces, jobs, lanes, check })
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
        let (append, answer) = Append::new(app.clone(), commit, self.connections.deadline());
        if let Err(append) = self.lanes.offer(append) {
            self.jobs.send(Job::Append(append)).await.map_err(|_| stopped())?;
        }
        answer.await.map_err(|_| stopped())?
    }

    async fn since(&self, app: &App, known: &[(Stream, Seq)]) -> Result<Since, StoreError> {
        self.check.since(app, known).await
    }

    async fn linked(&self, app: &App, kind: LinkKind, from: Uuid) -> Result<Vec<Stream>, StoreError> {
        self.run(app, move |lease, app| async move { read::linked(&lease, &app, kind, from).await }).await
    }

    async fn streams(&self, app: &App, after: Option<Stream>, limit: usize) -> Result<Vec<Stream>, StoreError> {
        self.run(app, move |lease, app| async move { read::listed(&lease, &app, after, limit).await }).await
    }

    async fn unsettled(&self, app: &App) -> Result<Vec<Stream>, StoreError> {
        self.run(app, move |lease, app| async move { read::unsettled(&lease, &app).await }).await
    }

    async fn settle(&self, app: &App, stream: Stream, vector: &Vector, records: &[SessionRecord]) -> Result<bool, StoreError> {
        let records = records.iter().map(|record| (record.id, SessionRecord { stream, ..record.clone() })).collect();
        let (spaces, asked) = (self.spaces, Arc::new((vector.clone(), records)));
        let work = move |lease: Arc<Lease>, app| {
            let asked = Arc::clone(&asked);
            async move { settle::settle(&lease, spaces, &app, stream, &asked.0, &asked.1).await }
        };
        self.run(app, work).await
    }

    async fn sessions(&self, app: &App, filter: &SessionFilter, order: SessionOrder, range: Range<u64>) -> Result<SessionPage, StoreError> {
        let filter = Arc::new(filter.clone());
        let work = move |lease: Arc<Lease>, app| {
            let (filter, range) = (Arc::clone(&filter), range.clone());
            async move { sessions::page(&lease, &app, &filter, order, &range).await }
        };
        self.run(app, work).await
    }

    async fn keep(&self, app: &App, engine: &str, body: Bytes) -> Result<(), StoreError> {
        let engine: Arc<str> = engine.into();
        let work = move |lease: Arc<Lease>, app| {
            let (engine, body) = (Arc::clone(&engine), body.clone());
            async move { read::keep(&lease, &app, &engine, &body).await }
        };
        self.run(app, work).await
    }

    async fn kept(&self, app: &App, limit: usize) -> Result<Vec<Kept>, StoreError> {
        self.run(app, move |lease, app| async move { read::kept(&lease, &app, limit).await }).await
    }

    async fn ready(&self) -> Result<(), StoreError> {
        let (reply, answer) = oneshot::channel();
        let probe = Job::Probe(self.connections.deadline(), reply);
        self.jobs.send(probe).await.map_err(|_| stopped())?;
        answer.await.map_err(|_| stopped())?
    }
}
