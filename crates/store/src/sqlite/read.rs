//! What readers ask the journal, the look-ups and the kept deliveries.

use super::known::AppNo;
use super::runs;
use super::txn::{head, many_children};
use super::values::{kind, stream, time};
use crate::contract::{Batch, KEPT_OVERHEAD, Kept, LinkKind, Seq, StoreError};
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

/// Where streams end, and to how many streams ids lead as parents; in the order asked for.
pub(super) struct Ends {
    pub(super) heads: Vec<(Stream, Seq)>,
    pub(super) children: Vec<(Uuid, u64)>,
}

impl Ends {
    pub(super) fn of(conn: &Connection, app: AppNo, known: &[(Stream, Seq)], children: &[(Uuid, u64)]) -> Result<Self, Error> {
        Ok(Self {
            heads: known.iter().map(|(stream, _)| Ok((*stream, head(conn, app, *stream)?))).collect::<Result<_, Error>>()?,
            children: children.iter().map(|(parent, _)| Ok((*parent, many_children(conn, app, *parent)?))).collect::<Result<_, Error>>()?,
        })
    }

    /// Whether a reader that knows so much misses nothing.
    pub(super) fn are(&self, known: &[(Stream, Seq)], children: &[(Uuid, u64)]) -> bool {
        self.heads.iter().zip(known).all(|((_, head), (_, seq))| head <= seq) && self.children == children
    }
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

/// The streams that an id leads to, by the runs, by the table, and by what is in neither yet.
pub(super) fn linked(conn: &Connection, app: AppNo, link: LinkKind, from: Uuid, fresh: Vec<Stream>) -> Result<Vec<Stream>, Error> {
    let sql = "SELECT to_kind, to_id FROM links WHERE app = ?1 AND kind = ?2 AND from_id = ?3";
    let mut query = conn.prepare_cached(sql)?;
    let in_table = query.query_map((app, link as u8, from.into_bytes()), |row| stream(row, 0))?;
    let mut all: BTreeSet<Stream> = in_table.collect::<Result<_, Error>>()?;
    all.extend(runs::linked(conn, app, link, from)?);
    all.extend(fresh);
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

/// The kept deliveries after a number, each with its own.
pub(super) fn kept(conn: &Connection, app: AppNo, after: i64, limit: usize) -> Result<Vec<(i64, Kept)>, Error> {
    let sql = "SELECT number, engine, body, received_at FROM kept WHERE app = ?1 AND number > ?2 ORDER BY number LIMIT ?3";
    let mut query = conn.prepare_cached(sql)?;
    let rows = query.query_map((app, after, i64::try_from(limit).unwrap_or(i64::MAX)), |row| {
        Ok((row.get(0)?, Kept { engine: row.get(1)?, body: row.get::<_, Vec<u8>>(2)?.into(), received_at: time(row, 3)? }))
    })?;
    rows.collect()
}

/// The number of the latest kept delivery with which, from the latest back, there are more than `most` bytes.
pub(super) fn beyond(conn: &Connection, app: AppNo, most: u64) -> Result<Option<i64>, Error> {
    let sql = "SELECT number FROM (SELECT number, sum(length(body) + ?3) OVER (ORDER BY number DESC) AS bytes FROM kept WHERE app = ?1)
               WHERE bytes > ?2 ORDER BY number DESC LIMIT 1";
    let most = i64::try_from(most).unwrap_or(i64::MAX);
    conn.prepare_cached(sql)?.query_row((app, most, KEPT_OVERHEAD), |row| row.get(0)).optional()
}
