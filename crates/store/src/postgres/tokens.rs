//! The tokens of a ledger, which all of its nodes share. What one allows is the caller's to know.

use super::failure::Failure;
use super::lease::{Connections, Lease};
use crate::contract::StoreError;
use std::sync::Arc;
use tokio_postgres::Row;
use uuid::Uuid;

/// What is kept of a token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredToken {
    /// Its public id. No two tokens have one.
    pub id: String,
    /// SHA-256 of the token. No two tokens have one.
    pub digest: [u8; 32],
    /// All that is known of it, as the caller wrote it.
    pub record: String,
}

/// All tokens, as they stood at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenSet {
    /// Another after each change.
    pub version: Uuid,
    /// The records, in the order in which they were added.
    pub records: Vec<String>,
}

/// The tokens of a ledger in PostgreSQL.
#[derive(Clone)]
pub struct PostgresTokens(Arc<Connections>);

impl PostgresTokens {
    pub(super) fn new(connections: Arc<Connections>) -> Self {
        Self(connections)
    }

    /// Adds a token; returns whether it did, which it does not where another has its id. Returns once it is committed.
    ///
    /// # Errors
    /// Where the database is away; then it may be there or not.
    pub async fn add(&self, token: StoredToken) -> Result<bool, StoreError> {
        let token = Arc::new(token);
        let work = move |lease: Arc<Lease>| {
            let token = Arc::clone(&token);
            async move { add(&lease, &token).await }
        };
        self.0.run(work).await
    }

    /// Removes the token of an id; one that is not there is removed already. Returns once that is committed.
    ///
    /// # Errors
    /// Where the database is away; then it may be there or not.
    pub async fn remove(&self, id: &str) -> Result<(), StoreError> {
        let id: Arc<str> = id.into();
        let work = move |lease: Arc<Lease>| {
            let id = Arc::clone(&id);
            async move { remove(&lease, &id).await }
        };
        self.0.run(work).await
    }

    /// All tokens, where they are not the version that is known; else none.
    ///
    /// # Errors
    /// Where the database is away.
    pub async fn unless(&self, known: Option<Uuid>) -> Result<Option<TokenSet>, StoreError> {
        self.0.run(move |lease: Arc<Lease>| async move { read(&lease, known).await }).await
    }
}

async fn add(lease: &Lease, token: &StoredToken) -> Result<bool, Failure> {
    // Where it is done twice, the second time finds its own.
    let sql = "WITH added AS (INSERT INTO tokens (digest, id, record) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING RETURNING id),
                    noted AS (UPDATE tokens_version SET version = gen_random_uuid() WHERE EXISTS (SELECT FROM added))
               SELECT EXISTS (SELECT FROM added) OR EXISTS (SELECT FROM tokens WHERE id = $2 AND digest = $1)";
    let digest = &token.digest[..];
    let row = lease.query_one(&lease.prepare_cached(sql).await?, &[&digest, &token.id, &token.record]).await?;
    Ok(row.try_get(0)?)
}

async fn remove(lease: &Lease, id: &str) -> Result<(), Failure> {
    let sql = "WITH removed AS (DELETE FROM tokens WHERE id = $1 RETURNING id)
               UPDATE tokens_version SET version = gen_random_uuid() WHERE EXISTS (SELECT FROM removed)";
    lease.execute(&lease.prepare_cached(sql).await?, &[&id]).await?;
    Ok(())
}

async fn read(lease: &Lease, known: Option<Uuid>) -> Result<Option<TokenSet>, Failure> {
    let sql = "SELECT v.version, t.record FROM tokens_version v LEFT JOIN tokens t ON true
               WHERE v.version IS DISTINCT FROM $1 ORDER BY t.number";
    let rows = lease.query(&lease.prepare_cached(sql).await?, &[&known]).await?;
    let Some(first) = rows.first() else { return Ok(None) };
    // Without tokens there is one row, which has none.
    let records: Result<Vec<Option<String>>, _> = rows.iter().map(|row: &Row| row.try_get(1)).collect();
    Ok(Some(TokenSet { version: first.try_get(0)?, records: records?.into_iter().flatten().collect() }))
}
