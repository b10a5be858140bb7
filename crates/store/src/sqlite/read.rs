//! What readers ask the journal, the look-ups and the kept deliveries.

use super::known::AppNo;
use super::txn::head;
use super::values::{kind, stream, time};
use crate::contract::{Batch, Kept, LinkKind, Seq, StoreError};
use rollbook_core::id::Stream;
use rusqlite::{Connection, Error, OptionalExtension};
use std::collections::BTreeSet;
use uuid::Uuid;

/// The missing batches, and the head of every stream asked for.
pub(super) struct Missing {
    pub(super) batches: Vec<Batch>,
    pub(super) heads: Vec<(Stream, Seq)>,
}

/// Reads what is after `known`. `conn` is in a transaction: a commit over several streams is seen whole or not at all.
pub(super) fn after(conn: &Connection, app: AppNo, known: &[(Stream, Seq)]) -> Result<Missing, StoreError> {
    let mut missing = Missing { batches: Vec::new(), heads: Vec::with_capacity(known.len()) };
    for (stream, seq) in known {
        let before = missing.batches.len();
        missing.batches.extend(batches(conn, app, *stream, *seq)?);
        let new = &missing.batches[before..];
        if let Some((batch, _)) = new.iter().zip(*seq..).find(|(batch, before)| batch.seq != before + 1) {
            return Err(StoreError::Damaged(format!("{stream} has batch {} where another was expected", batch.seq)));
        }
        let end = match new.last() {
            Some(batch) => batch.seq,
            // A stream without batches, of which a commit may find many.
            None if *seq == 0 => 0,
            None => head(conn, app, *stream)?,
        };
        missing.heads.push((*stream, end));
    }
    Ok(missing)
}

fn batches(conn: &Connection, app: AppNo, stream: Stream, after: Seq) -> Result<Vec<Batch>, Error> {
    let Ok(after) = i64::try_from(after) else { return Ok(Vec::new()) };
    let sql = "SELECT seq, received_at, batch FROM journal WHERE app = ?1 AND kind = ?2 AND stream = ?3 AND seq > ?4 ORDER BY seq";
    let mut query = conn.prepare_cached(sql)?;
    let rows = query.query_map((app, kind(stream), stream.id.into_bytes(), after), |row| {
        Ok(Batch { stream, seq: row.get(0)?, received_at: time(row, 1)?, batch: row.get::<_, Vec<u8>>(2)?.into() })
    })?;
    rows.collect()
}

/// The streams that an id leads to, by the table and by what waits to move there.
pub(super) fn linked(conn: &Connection, app: AppNo, link: LinkKind, from: Uuid, fresh: Vec<Stream>) -> Result<Vec<Stream>, Error> {
    let sql = "SELECT to_kind, to_id FROM links WHERE app = ?1 AND kind = ?2 AND from_id = ?3";
    let mut query = conn.prepare_cached(sql)?;
    let moved = query.query_map((app, link as u8, from.into_bytes()), |row| stream(row, 0))?;
    let all: BTreeSet<Stream> = moved.chain(fresh.into_iter().map(Ok)).collect::<Result<_, Error>>()?;
    Ok(all.into_iter().collect())
}

/// One seek a stream, however many batches the streams have.
pub(super) fn streams(conn: &Connection, app: AppNo, mut after: Option<Stream>, limit: usize) -> Result<Vec<Stream>, Error> {
    let sql = "SELECT kind, stream FROM journal WHERE app = ?1 AND (kind, stream) > (?2, ?3) ORDER BY kind, stream LIMIT 1";
    let mut query = conn.prepare_cached(sql)?;
    let mut found = Vec::new();
    while found.len() < limit {
        // No kind is below 0: this is before every stream.
        let (kind, id) = after.map_or((-1, Uuid::nil()), |stream| (i64::from(kind(stream)), stream.id));
        after = query.query_row((app, kind, id.into_bytes()), |row| stream(row, 0)).optional()?;
        let Some(next) = after else { break };
        found.push(next);
    }
    Ok(found)
}

pub(super) fn unsettled(conn: &Connection, app: AppNo) -> Result<Vec<Stream>, Error> {
    let sql = "SELECT kind, stream FROM standings WHERE app = ?1 AND unsettled = 1 ORDER BY kind, stream";
    conn.prepare_cached(sql)?.query_map([app], |row| stream(row, 0))?.collect()
}

pub(super) fn kept(conn: &Connection, app: AppNo, limit: usize) -> Result<Vec<Kept>, Error> {
    let sql = "SELECT engine, body, received_at FROM kept WHERE app = ?1 ORDER BY number LIMIT ?2";
    let mut query = conn.prepare_cached(sql)?;
    let rows = query.query_map((app, i64::try_from(limit).unwrap_or(i64::MAX)), |row| {
        Ok(Kept { engine: row.get(0)?, body: row.get::<_, Vec<u8>>(1)?.into(), received_at: time(row, 2)? })
    })?;
    rows.collect()
}
