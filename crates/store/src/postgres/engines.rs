//! The meeting engines that were added to a ledger, which all of its nodes share. What one's record says is the caller's to know.

use super::failure::Failure;
use super::lease::{Connections, Lease};
use crate::contract::StoreError;
use std::sync::Arc;
use tokio_postgres::Row;
use uuid::Uuid;

/// What is kept of an engine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredEngine {
    /// The account.
    pub account: String,
    /// The app.
    pub app: String,
    /// The engine's name. No two engines of an app have one.
    pub engine: String,
    /// All that is known of it, as the caller wrote it.
    pub record: String,
}

/// All engines, as they stood at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EngineSet {
    /// Another after each change.
    pub version: Uuid,
    /// The records, in the order in which their engines were first added.
    pub records: Vec<String>,
}

/// The added engines of a ledger in PostgreSQL.
#[derive(Clone)]
pub struct PostgresEngines(Arc<Connections>);

impl PostgresEngines {
    pub(super) fn new(connections: Arc<Connections>) -> Self {
        Self(connections)
    }

    /// Puts an engine in the place of the one whose record is `before`; none: where there is no engine of its names. Returns whether it did.
    /// Returns once it is committed.
    ///
    /// # Errors
    /// Where the database is away; then it may be there or not.
    pub async fn put(&self, engine: StoredEngine, before: Option<String>) -> Result<bool, StoreError> {
        let asked = Arc::new((engine, before));
        let work = move |lease: Arc<Lease>| {
            let asked = Arc::clone(&asked);
            async move { put(&lease, &asked.0, asked.1.as_deref()).await }
        };
        self.0.run(work).await
    }

    /// Removes an app's engine of a name; one that is not there is removed already. Returns once that is committed.
    ///
    /// # Errors
    /// Where the database is away; then it may be there or not.
    pub async fn remove(&self, account: &str, app: &str, engine: &str) -> Result<(), StoreError> {
        let names: Arc<[String; 3]> = Arc::new([account, app, engine].map(str::to_owned));
        let work = move |lease: Arc<Lease>| {
            let names = Arc::clone(&names);
            async move { remove(&lease, &names).await }
        };
        self.0.run(work).await
    }

    /// All engines, where they are not the version that is known; else none.
    ///
    /// # Errors
    /// Where the database is away.
    pub async fn unless(&self, known: Option<Uuid>) -> Result<Option<EngineSet>, StoreError> {
        self.0.run(move |lease: Arc<Lease>| async move { read(&lease, known).await }).await
    }
}

async fn put(lease: &Lease, engine: &StoredEngine, before: Option<&str>) -> Result<bool, Failure> {
    // Where it is done twice, the second time finds its own.
    let change = match before {
        None => "INSERT INTO engines (account, app, engine, record) SELECT $1, $2, $3, $4 WHERE $5::text IS NULL ON CONFLICT DO NOTHING",
        Some(_) => "UPDATE engines SET record = $4 WHERE account = $1 AND app = $2 AND engine = $3 AND record = $5",
    };
    let sql = format!(
        "WITH put AS ({change} RETURNING engine),
              noted AS (UPDATE engines_version SET version = gen_random_uuid() WHERE EXISTS (SELECT FROM put))
         SELECT EXISTS (SELECT FROM put) OR EXISTS (SELECT FROM engines WHERE account = $1 AND app = $2 AND engine = $3 AND record = $4)"
    );
    let StoredEngine { account, app, engine, record } = engine;
    let row = lease.query_one(&lease.prepare_cached(&sql).await?, &[account, app, engine, record, &before]).await?;
    Ok(row.try_get(0)?)
}

async fn remove(lease: &Lease, [account, app, engine]: &[String; 3]) -> Result<(), Failure> {
    let sql = "WITH removed AS (DELETE FROM engines WHERE account = $1 AND app = $2 AND engine = $3 RETURNING engine)
               UPDATE engines_version SET version = gen_random_uuid() WHERE EXISTS (SELECT FROM removed)";
    lease.execute(&lease.prepare_cached(sql).await?, &[account, app, engine]).await?;
    Ok(())
}

async fn read(lease: &Lease, known: Option<Uuid>) -> Result<Option<EngineSet>, Failure> {
    let sql = "SELECT v.version, e.record FROM engines_version v LEFT JOIN engines e ON true
               WHERE v.version IS DISTINCT FROM $1 ORDER BY e.number";
    let rows = lease.query(&lease.prepare_cached(sql).await?, &[&known]).await?;
    let Some(first) = rows.first() else { return Ok(None) };
    // Without engines there is one row, which has none.
    let records: Result<Vec<Option<String>>, _> = rows.iter().map(|row: &Row| row.try_get(1)).collect();
    Ok(Some(EngineSet { version: first.try_get(0)?, records: records?.into_iter().flatten().collect() }))
}
