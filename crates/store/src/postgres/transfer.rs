//! A database's ledger as one end of a move.

use super::connect::ConnectError;
use super::failure::Failure;
use super::lease::Lease;
use super::{PostgresEngines, PostgresOptions, PostgresStore, PostgresTokens, address, bulk, mark, scan};
use crate::contract::{Batch, Kept, Link, Seq, Store, StoreError};
use crate::transfer::{Batches, Mark, Span, Transfer};
use async_trait::async_trait;
use rollbook_core::id::{App, Stream};
use rollbook_core::time::Timestamp;
use std::sync::Arc;
use tokio::sync::{Mutex, mpsc};
use tokio_postgres::error::SqlState;

/// The lock of whoever fills the ledger, beside those of streams' places, which are not below 0.
const FILLING: i32 = -1;

/// One end of a move, in a database.
pub struct PostgresTransfer {
    place: String,
    store: Arc<PostgresStore>,
    /// The session that fills the ledger, and holds the lock of whoever does.
    filling: Option<Mutex<Lease>>,
}

impl PostgresTransfer {
    /// Opens a database's ledger to be moved away. Nodes may be at work on it.
    ///
    /// # Errors
    /// As [`PostgresStore::connect`], but for its mark; and where there is no ledger.
    pub async fn source(url: &str, options: PostgresOptions) -> Result<Self, ConnectError> {
        Self::open(url, PostgresOptions { existing: true, ..options }).await
    }

    async fn open(url: &str, options: PostgresOptions) -> Result<Self, ConnectError> {
        let store = Arc::new(PostgresStore::connect_marked(url, None, options).await?);
        let lease = store.connections.lease().await?;
        let row = lease.query_one("SELECT current_schema()", &[]).await?;
        let place = address::place(url, row.try_get::<_, Option<&str>>(0)?)?;
        lease.done();
        Ok(Self { place, store, filling: None })
    }

    /// Opens a database's ledger to be filled, and makes its tables or brings them up to date.
    ///
    /// # Errors
    /// As [`PostgresStore::connect`], but for its mark; and where another process is filling it.
    pub async fn target(url: &str, options: PostgresOptions) -> Result<Self, ConnectError> {
        let mut end = Self::open(url, options).await?;
        let lease = end.store.connections.lease().await?;
        // The session of one that was killed may not have noticed yet.
        lease.batch_execute("BEGIN; SET LOCAL lock_timeout = '5s'").await?;
        let lock = lease.query_one("SELECT pg_advisory_lock($1, $2)", &[&end.store.spaces.places, &FILLING]).await;
        lock.map_err(|error| match error.code() {
            Some(&SqlState::LOCK_NOT_AVAILABLE) => {
                ConnectError::Database(format!("{} is being filled by another `rollbook migrate`: wait for that one", end.place))
            }
            _ => error.into(),
        })?;
        lease.batch_execute("COMMIT").await?;
        lease.batch_execute(mark::FILLING).await?;
        end.filling = Some(Mutex::new(lease));
        Ok(end)
    }

    /// The meeting engines that were added to the ledger.
    #[must_use]
    pub fn engines(&self) -> PostgresEngines {
        self.store.engines()
    }

    /// The ledger's tokens.
    #[must_use]
    pub fn tokens(&self) -> PostgresTokens {
        self.store.tokens()
    }

    /// Reads on a connection of its own, once: a move that is cut off is simply run again.
    async fn read<T>(&self, work: impl AsyncFnOnce(&Lease) -> Result<T, Failure>) -> Result<T, StoreError> {
        let attempt = async {
            let lease = self.store.connections.lease().await?;
            let found = work(&lease).await?;
            lease.done();
            Ok(found)
        };
        attempt.await.map_err(told)
    }

    async fn put(&self, work: impl AsyncFnOnce(&Lease) -> Result<(), Failure>) -> Result<(), StoreError> {
        match &self.filling {
            Some(lease) => work(&*lease.lock().await).await.map_err(told),
            None => Err(StoreError::Unavailable(format!("{} is only read", self.place))),
        }
    }
}

fn told(failure: Failure) -> StoreError {
    match failure {
        Failure::Lasting(error) => error,
        Failure::Passing(text) => StoreError::Unavailable(text),
    }
}

#[async_trait]
impl Transfer for PostgresTransfer {
    fn place(&self) -> &str {
        &self.place
    }

    async fn mark(&self) -> Result<Option<Mark>, StoreError> {
        self.read(async |lease| mark::read(lease).await).await
    }

    async fn remark(&self, from: Option<&Mark>, to: Option<&Mark>) -> Result<bool, StoreError> {
        self.read(async |lease| mark::replace(lease, from, to).await).await
    }

    async fn apps(&self) -> Result<Vec<App>, StoreError> {
        self.read(async |lease| scan::apps(lease).await).await
    }

    async fn heads(&self, app: &App, after: Option<Stream>, limit: usize) -> Result<Vec<(Stream, Seq)>, StoreError> {
        self.read(async |lease| scan::heads(lease, app, after, limit).await).await
    }

    async fn heads_of(&self, app: &App, streams: &[Stream]) -> Result<Vec<Seq>, StoreError> {
        self.read(async |lease| scan::heads_of(lease, app, streams).await).await
    }

    fn batches(&self, app: &App, span: Span) -> Batches {
        let (out, batches) = mpsc::channel(2);
        let (connections, app) = (Arc::clone(&self.store.connections), app.clone());
        tokio::spawn(async move {
            let attempt = async {
                let lease = connections.lease().await?;
                scan::batches(&lease, &app, span, &out).await?;
                lease.done();
                Ok::<_, Failure>(())
            };
            if let Err(failure) = attempt.await {
                // Nobody listens where the reader has enough.
                let _ = out.send(Err(told(failure))).await;
            }
        });
        batches
    }

    async fn links(&self, app: &App, after: Option<Link>, limit: usize) -> Result<Vec<Link>, StoreError> {
        self.read(async |lease| scan::links(lease, app, after, limit).await).await
    }

    async fn kept(&self, app: &App, after: i64, limit: usize) -> Result<Vec<(i64, Kept)>, StoreError> {
        self.read(async |lease| scan::kept(lease, app, after, limit).await).await
    }

    async fn kept_at(&self, app: &App, kept: &[Kept]) -> Result<Vec<Option<Timestamp>>, StoreError> {
        self.read(async |lease| scan::kept_at(lease, app, kept).await).await
    }

    async fn put_batches(&self, app: &App, batches: Vec<Batch>) -> Result<(), StoreError> {
        self.put(async |lease| bulk::batches(lease, app, &batches).await).await
    }

    async fn put_links(&self, app: &App, links: Vec<Link>) -> Result<(), StoreError> {
        self.put(async |lease| bulk::links(lease, app, &links).await).await
    }

    async fn put_kept(&self, app: &App, kept: Vec<Kept>) -> Result<(), StoreError> {
        self.put(async |lease| bulk::kept(lease, app, &kept).await).await
    }

    fn store(&self) -> Arc<dyn Store> {
        Arc::clone(&self.store) as Arc<dyn Store>
    }
}
