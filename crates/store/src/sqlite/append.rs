//! The writer's side of the journal: appends with their look-ups and marks, kept deliveries, and the probe.

use super::fresh;
use super::known::AppNo;
use super::txn::Txn;
use super::values::{kind, stream};
use crate::contract::{AppendError, Batch, Commit, Entry, Link, LinkKind, StoreError};
use crate::digest::digest;
use bytes::Bytes;
use rollbook_core::id::{App, Stream, StreamKind};
use rusqlite::Error;
use std::collections::BTreeSet;
use std::time::Duration;

/// Up to so many streams of a source are gone through one by one; past it, the settled streams from `earliest` on are.
const FEW_LINKS: usize = 1000;

pub(super) fn append(txn: &mut Txn<'_>, app: &App, commit: &Commit) -> Result<(), AppendError> {
    if commit.repeats_a_stream() {
        return Err(AppendError::Conflict);
    }
    let app = txn.app(app)?;
    for entry in &commit.entries {
        if txn.head(app, entry.stream)? != entry.expected {
            return Err(AppendError::Conflict);
        }
    }
    for entry in &commit.entries {
        insert(txn, app, entry)?;
    }
    for entry in &commit.entries {
        mark(txn, app, entry)?;
    }
    Ok(())
}

fn insert(txn: &mut Txn<'_>, app: AppNo, entry: &Entry) -> Result<(), Error> {
    let Entry { stream, expected, batch, links, .. } = entry;
    let seq = expected + 1;
    let sql = "INSERT INTO journal (app, kind, stream, seq, received_at, batch) VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
    txn.prepare(sql)?.execute((app, kind(*stream), stream.id.into_bytes(), seq, txn.now().micros(), &batch[..]))?;
    txn.advance(app, *stream, seq);
    txn.add_batch(app, Batch { stream: *stream, seq, batch: batch.clone(), received_at: txn.now() });
    let mut add = txn.prepare("INSERT OR IGNORE INTO links (app, kind, from_id, to_kind, to_id) VALUES (?1, ?2, ?3, ?4, ?5)")?;
    let (waiting, at_once): (Vec<Link>, Vec<Link>) = links.iter().partition(|link| fresh::waits(link.kind));
    let mut parents = BTreeSet::new();
    for link in at_once {
        let added = add.execute((app, link.kind as u8, link.from.into_bytes(), kind(link.to), link.to.id.into_bytes()))? > 0;
        if added && link.kind == LinkKind::Child {
            parents.insert(link.from);
        }
    }
    parents.into_iter().try_for_each(|parent| txn.has_more_children(app, parent))?;
    fresh::write(txn, app, &waiting)
}

/// Marks as unsettled what an entry may change. The commit's links stand already.
fn mark(txn: &Txn<'_>, app: AppNo, entry: &Entry) -> Result<(), Error> {
    let streams = if entry.stream.kind == StreamKind::Source { disturbed(txn, app, entry)? } else { vec![entry.stream] };
    let sql = "INSERT INTO standings (app, kind, stream, unsettled) VALUES (?1, ?2, ?3, 1)
               ON CONFLICT (app, kind, stream) DO UPDATE SET unsettled = 1 WHERE unsettled = 0";
    let mut mark = txn.prepare(sql)?;
    for stream in streams {
        mark.execute((app, kind(stream), stream.id.into_bytes()))?;
    }
    Ok(())
}

/// The settled streams that a source's batch may change: linked to it, with a change at its earliest time or later.
fn disturbed(txn: &Txn<'_>, app: AppNo, entry: &Entry) -> Result<Vec<Stream>, Error> {
    let source = entry.stream.id.into_bytes();
    let link = LinkKind::Source as u8;
    let count = "SELECT count(*) FROM (SELECT 1 FROM links WHERE app = ?1 AND kind = ?2 AND from_id = ?3 LIMIT ?4)";
    let links: usize = txn.prepare(count)?.query_row((app, link, source, FEW_LINKS + 1), |row| row.get(0))?;
    let order =
        if links > FEW_LINKS { "standings s INDEXED BY standings_settled CROSS JOIN links l" } else { "links l CROSS JOIN standings s" };
    let sql = format!(
        "SELECT s.kind, s.stream FROM {order}
         WHERE l.app = ?1 AND l.kind = ?2 AND l.from_id = ?3 AND l.to_kind = s.kind AND l.to_id = s.stream
           AND s.app = ?1 AND s.unsettled = 0 AND s.last_change >= ?4"
    );
    txn.prepare(&sql)?.query_map((app, link, source, entry.earliest.micros()), |row| stream(row, 0))?.collect()
}

pub(super) fn keep(txn: &mut Txn<'_>, app: &App, engine: &str, body: &Bytes) -> Result<(), StoreError> {
    let app = txn.app(app)?;
    let sql = "INSERT OR IGNORE INTO kept (app, digest, engine, body, received_at) VALUES (?1, ?2, ?3, ?4, ?5)";
    txn.prepare(sql)?.execute((app, digest(engine, body), engine, &body[..], txn.now().micros()))?;
    Ok(())
}

pub(super) fn discard(txn: &mut Txn<'_>, app: &App, engine: &str, body: &Bytes) -> Result<(), StoreError> {
    let app = txn.app(app)?;
    txn.prepare("DELETE FROM kept WHERE app = ?1 AND digest = ?2")?.execute((app, digest(engine, body)))?;
    Ok(())
}

/// So many at once keep no append waiting for long.
pub(super) const EXPIRED_AT_ONCE: u64 = 1000;

/// Drops some of the deliveries that were kept more than `age` ago; returns how many.
pub(super) fn expire_kept(txn: &Txn<'_>, age: Duration) -> Result<u64, StoreError> {
    let before = txn.now().micros().saturating_sub(i64::try_from(age.as_micros()).unwrap_or(i64::MAX));
    let sql = "DELETE FROM kept WHERE number IN (SELECT number FROM kept WHERE received_at < ?1 LIMIT ?2)";
    Ok(txn.prepare(sql)?.execute((before, EXPIRED_AT_ONCE))? as u64)
}

/// Drops some of an app's deliveries up to a number; returns how many.
pub(super) fn drop_kept(txn: &Txn<'_>, app: AppNo, last: i64) -> Result<u64, StoreError> {
    let sql = "DELETE FROM kept WHERE number IN (SELECT number FROM kept WHERE app = ?1 AND number <= ?2 LIMIT ?3)";
    Ok(txn.prepare(sql)?.execute((app, last, EXPIRED_AT_ONCE))? as u64)
}

pub(super) fn probe(txn: &Txn<'_>) -> Result<(), StoreError> {
    txn.prepare("UPDATE probe SET writes = writes + 1")?.execute([])?;
    Ok(())
}
