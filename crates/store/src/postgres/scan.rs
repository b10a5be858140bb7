//! What a move reads of a ledger.

use super::failure::Failure;
use super::lease::Lease;
use super::values::{Keys, bounded, kind, limit, stream, time, unsigned};
use crate::contract::{Batch, Kept, Link, LinkKind, Seq, StoreError};
use crate::digest::digest;
use crate::transfer::{Chunk, Span};
use futures_util::TryStreamExt as _;
use rollbook_core::id::{App, Stream};
use rollbook_core::time::Timestamp;
use std::collections::BTreeSet;
use std::pin::pin;
use tokio::sync::mpsc;
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;
use uuid::Uuid;

type Params<'a> = [&'a (dyn ToSql + Sync)];

/// From one app to the next, by the keys of the two tables of which each app has something.
pub(super) async fn apps(lease: &Lease) -> Result<Vec<App>, Failure> {
    let mut apps = BTreeSet::new();
    for table in ["journal", "kept"] {
        let sql = format!("SELECT account, app FROM {table} WHERE (account, app) > ($1, $2) ORDER BY account, app LIMIT 1");
        let next = lease.prepare_cached(&sql).await?;
        let (mut account, mut app) = (String::new(), String::new());
        while let Some(row) = lease.query_opt(&next, &[&account, &app]).await? {
            (account, app) = (row.try_get(0)?, row.try_get(1)?);
            apps.insert(App::new(&account, &app).map_err(|error| Failure::damaged(error.to_string()))?);
        }
    }
    Ok(apps.into_iter().collect())
}

pub(super) async fn heads(lease: &Lease, app: &App, after: Option<Stream>, most: usize) -> Result<Vec<(Stream, Seq)>, Failure> {
    let sql = "SELECT s.kind, s.stream, h.seq
               FROM (SELECT kind, stream FROM journal WHERE account = $1 AND app = $2 AND seq = 1 AND (kind, stream) > ($3, $4)
                     ORDER BY kind, stream LIMIT $5) AS s
               CROSS JOIN LATERAL (SELECT seq FROM journal j WHERE j.account = $1 AND j.app = $2 AND j.kind = s.kind AND j.stream = s.stream
                                   ORDER BY seq DESC LIMIT 1) AS h
               ORDER BY s.kind, s.stream";
    // No kind is below 0: this is before every stream.
    let (kind, id) = after.map_or((-1, Uuid::nil()), |stream| (kind(stream), stream.id));
    let rows = lease.query(&lease.prepare_cached(sql).await?, &[&app.account(), &app.app(), &kind, &id, &limit(most)]).await?;
    rows.iter().map(|row| Ok((stream(row, 0)?, unsigned(row, 2)?))).collect()
}

pub(super) async fn heads_of(lease: &Lease, app: &App, streams: &[Stream]) -> Result<Vec<Seq>, Failure> {
    let mut keys = Keys::default();
    for stream in streams {
        keys.push(app, *stream);
    }
    let sql = "SELECT coalesce((SELECT j.seq FROM journal j WHERE j.account = $1 AND j.app = $2 AND j.kind = q.kind AND j.stream = q.stream
                                ORDER BY j.seq DESC LIMIT 1), 0)
               FROM unnest($3::smallint[], $4::uuid[]) WITH ORDINALITY AS q (kind, stream, n) ORDER BY q.n";
    let rows = lease.query(&lease.prepare_cached(sql).await?, &[&app.account(), &app.app(), &keys.kinds, &keys.ids]).await?;
    rows.iter().map(|row| unsigned(row, 0)).collect()
}

/// Sends the batches of a part of the journal as they come. The database goes no faster than they are taken.
pub(super) async fn batches(
    lease: &Lease,
    app: &App,
    span: Span,
    out: &mpsc::Sender<Result<Vec<Batch>, StoreError>>,
) -> Result<(), Failure> {
    let sql = "SELECT kind, stream, seq, received_at, batch FROM journal
               WHERE account = $1 AND app = $2 AND (kind, stream, seq) > ($3, $4, $5) AND (kind, stream, seq) <= ($6, $7, $8)
               ORDER BY kind, stream, seq";
    let Span { after: (first, after), until: (last, until) } = span;
    let (account, within) = (app.account(), app.app());
    let (first_kind, after, last_kind, until) = (kind(first), bounded(after), kind(last), bounded(until));
    let params: &Params<'_> = &[&account, &within, &first_kind, &first.id, &after, &last_kind, &last.id, &until];
    let statement = lease.prepare_cached(sql).await?;
    let mut rows = pin!(lease.query_raw(&statement, params.iter().copied()).await?);
    let mut chunk = Chunk::default();
    while let Some(row) = rows.try_next().await? {
        let batch = row.try_get::<_, &[u8]>(4)?.to_vec().into();
        let batch = Batch { stream: stream(&row, 0)?, seq: unsigned(&row, 2)?, received_at: time(&row, 3)?, batch };
        if let Some(full) = chunk.push(batch) {
            out.send(Ok(full)).await.map_err(|_| Failure::Passing("nobody reads on".into()))?;
        }
    }
    let _ = out.send(Ok(chunk.take())).await;
    Ok(())
}

pub(super) async fn links(lease: &Lease, app: &App, after: Option<Link>, most: usize) -> Result<Vec<Link>, Failure> {
    let sql = "SELECT kind, from_id, to_kind, to_id FROM links
               WHERE account = $1 AND app = $2 AND (kind, from_id, to_kind, to_id) > ($3, $4, $5, $6)
               ORDER BY kind, from_id, to_kind, to_id LIMIT $7";
    let (what, from, to_kind, to) =
        after.map_or((-1, Uuid::nil(), 0, Uuid::nil()), |link| (i16::from(link.kind as u8), link.from, kind(link.to), link.to.id));
    let params: &Params<'_> = &[&app.account(), &app.app(), &what, &from, &to_kind, &to, &limit(most)];
    let rows = lease.query(&lease.prepare_cached(sql).await?, params).await?;
    rows.iter().map(link).collect()
}

fn link(row: &Row) -> Result<Link, Failure> {
    let number: i16 = row.try_get(0)?;
    let kind = u8::try_from(number).ok().and_then(LinkKind::from_u8);
    let kind = kind.ok_or_else(|| Failure::damaged(format!("no look-up has kind {number}")))?;
    Ok(Link { kind, from: row.try_get(1)?, to: stream(row, 2)? })
}

pub(super) async fn kept(lease: &Lease, app: &App, after: i64, most: usize) -> Result<Vec<(i64, Kept)>, Failure> {
    let sql = "SELECT number, engine, body, received_at FROM kept WHERE account = $1 AND app = $2 AND number > $3 ORDER BY number LIMIT $4";
    let rows = lease.query(&lease.prepare_cached(sql).await?, &[&app.account(), &app.app(), &after, &limit(most)]).await?;
    let kept = |row: &Row| {
        let engine = String::from_utf8(row.try_get(1)?).map_err(|_| Failure::damaged("a kept delivery's engine is no text"))?;
        Ok((row.try_get(0)?, Kept { engine, body: row.try_get::<_, Vec<u8>>(2)?.into(), received_at: time(row, 3)? }))
    };
    rows.iter().map(kept).collect()
}

pub(super) async fn kept_at(lease: &Lease, app: &App, kept: &[Kept]) -> Result<Vec<Option<Timestamp>>, Failure> {
    let digests: Vec<Vec<u8>> = kept.iter().map(|kept| digest(&kept.engine, &kept.body).to_vec()).collect();
    let sql = "SELECT (SELECT k.received_at FROM kept k WHERE k.account = $1 AND k.app = $2 AND k.digest = q.digest)
               FROM unnest($3::bytea[]) WITH ORDINALITY AS q (digest, n) ORDER BY q.n";
    let rows = lease.query(&lease.prepare_cached(sql).await?, &[&app.account(), &app.app(), &digests]).await?;
    rows.iter().map(|row| Ok(row.try_get::<_, Option<i64>>(0)?.map(Timestamp::from_micros))).collect()
}
