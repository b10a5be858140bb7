//! What readers ask the look-ups, the marks and the kept deliveries.

use super::failure::Failure;
use super::lease::Lease;
use super::replicated::confirm;
use super::values::{CLOCK, kind, limit, stream, streams};
use crate::contract::{KEPT_OVERHEAD, LinkKind};
use crate::digest::digest;
use rollbook_core::id::{App, Stream};
use std::time::Duration;
use uuid::Uuid;

pub(super) async fn linked(lease: &Lease, app: &App, link: LinkKind, from: Uuid) -> Result<Vec<Stream>, Failure> {
    let sql = "SELECT to_kind, to_id FROM links WHERE account = $1 AND app = $2 AND kind = $3 AND from_id = $4 ORDER BY to_kind, to_id";
    let statement = lease.prepare_cached(sql).await?;
    streams(&lease.query(&statement, &[&app.account(), &app.app(), &i16::from(link as u8), &from]).await?)
}

/// The first batches of streams, from the index that has no others.
pub(super) async fn listed(lease: &Lease, app: &App, after: Option<Stream>, most: usize) -> Result<Vec<Stream>, Failure> {
    let sql = "SELECT kind, stream FROM journal WHERE account = $1 AND app = $2 AND seq = 1 AND (kind, stream) > ($3, $4)
               ORDER BY kind, stream LIMIT $5";
    let statement = lease.prepare_cached(sql).await?;
    // No kind is below 0: this is before every stream.
    let (kind, id) = after.map_or((-1, Uuid::nil()), |stream| (kind(stream), stream.id));
    streams(&lease.query(&statement, &[&app.account(), &app.app(), &kind, &id, &limit(most)]).await?)
}

pub(super) async fn unsettled(lease: &Lease, app: &App) -> Result<Vec<Stream>, Failure> {
    let sql = "SELECT kind, stream FROM standings WHERE account = $1 AND app = $2 AND unsettled ORDER BY kind, stream";
    let rows = lease.query(&lease.prepare_cached(sql).await?, &[&app.account(), &app.app()]).await?;
    rows.iter().map(|row| stream(row, 0)).collect()
}

pub(super) async fn keep(lease: &Lease, app: &App, engine: &str, body: &[u8]) -> Result<(), Failure> {
    let sql = format!(
        "INSERT INTO kept (account, app, digest, engine, body, received_at) VALUES ($1, $2, $3, $4, $5, {CLOCK}) ON CONFLICT DO NOTHING"
    );
    let digest = digest(engine, body);
    let params: [&(dyn tokio_postgres::types::ToSql + Sync); 5] = [&app.account(), &app.app(), &&digest[..], &engine.as_bytes(), &body];
    if lease.execute(&lease.prepare_cached(&sql).await?, &params).await? == 0 {
        confirm(lease).await?;
    }
    Ok(())
}

/// So many at once are dropped well within a call's patience.
pub(super) const EXPIRED_AT_ONCE: u64 = 10_000;

/// Drops some of the deliveries that were kept more than `age` ago, of all apps; returns how many.
pub(super) async fn expire_kept(lease: &Lease, age: Duration) -> Result<u64, Failure> {
    let sql = format!(
        "DELETE FROM kept k USING (SELECT account, app, digest FROM kept WHERE received_at < {CLOCK} - $1 LIMIT {EXPIRED_AT_ONCE}) AS old
         WHERE k.account = old.account AND k.app = old.app AND k.digest = old.digest"
    );
    let age = i64::try_from(age.as_micros()).unwrap_or(i64::MAX);
    Ok(lease.execute(&lease.prepare_cached(&sql).await?, &[&age]).await?)
}

pub(super) async fn discard(lease: &Lease, app: &App, engine: &str, body: &[u8]) -> Result<(), Failure> {
    let sql = "DELETE FROM kept WHERE account = $1 AND app = $2 AND digest = $3";
    lease.execute(&lease.prepare_cached(sql).await?, &[&app.account(), &app.app(), &&digest(engine, body)[..]]).await?;
    Ok(())
}

/// Drops an app's oldest deliveries, as far as the later ones have more than `most` bytes with them; returns how many.
pub(super) async fn bound_kept(lease: &Lease, app: &App, most: u64) -> Result<u64, Failure> {
    let sql = format!(
        "DELETE FROM kept WHERE account = $1 AND app = $2 AND number <= (
             SELECT max(number) FROM (
                 SELECT number, sum(octet_length(body) + {KEPT_OVERHEAD}) OVER (ORDER BY number DESC) AS bytes
                 FROM kept WHERE account = $1 AND app = $2
             ) AS counted WHERE bytes > $3
         )"
    );
    let most = i64::try_from(most).unwrap_or(i64::MAX);
    Ok(lease.execute(&lease.prepare_cached(&sql).await?, &[&app.account(), &app.app(), &most]).await?)
}
