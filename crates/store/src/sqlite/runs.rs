//! Sorted runs of look-ups: what they are made of, and how they are read.
//!
//! The id of a peer or of a session is a digest, so that in one large tree each look-up would be at a random place: a page to change, to log
//! and to copy for 33 bytes. In a run they are side by side, written once in their order and never changed. A few runs are made into a larger one
//! (`merge`), so that there are never many to look in.

use super::fresh::{self, Of};
use super::known::AppNo;
use crate::contract::{Link, LinkKind, StoreError};
use rollbook_core::id::{Stream, StreamKind};
use rusqlite::types::Type;
use rusqlite::{CachedStatement, Connection, Error};
use std::collections::BTreeSet;
use uuid::Uuid;

/// How many bytes an entry has: of an id, of the kind and the id of the stream that it leads to.
const SIZE: usize = 33;
/// A look-up of an app and a kind that are known.
pub(super) type Entry = [u8; SIZE];
/// Where a look-up has its place in every run.
pub(super) type Place = (AppNo, u8, Entry);
/// Before every look-up: no app has this number.
pub(super) const FIRST: Place = (0, 0, [0; SIZE]);

/// How large runs and their parts are.
#[derive(Clone, Copy)]
pub(super) struct Sizes {
    /// The most entries in a chunk.
    pub(super) chunk: usize,
    /// So many runs of a level become one of the next.
    pub(super) merged: usize,
    /// How many entries are written at once, at least.
    pub(super) step: usize,
}

impl Sizes {
    /// A chunk with its key fills a page of 4 KiB. Eight chunks are a few hundred microseconds of work.
    pub(super) const USUAL: Self = Self { chunk: 121, merged: 8, step: 8 * 121 };
}

/// A run as the table of runs has it.
pub(super) struct Run {
    pub(super) number: i64,
    pub(super) level: u32,
    pub(super) whole: bool,
    pub(super) target: Option<i64>,
}

/// All runs, the greatest first.
pub(super) fn all(conn: &Connection) -> rusqlite::Result<Vec<Run>> {
    let mut query = conn.prepare_cached("SELECT number, level, whole, target FROM runs ORDER BY level DESC, number")?;
    let rows = query.query_map([], |row| Ok(Run { number: row.get(0)?, level: row.get(1)?, whole: row.get(2)?, target: row.get(3)? }))?;
    rows.collect()
}

/// All runs of a ledger that may be one that only earlier binaries wrote to: such a one has none.
fn any(conn: &Connection) -> rusqlite::Result<Vec<Run>> {
    let exists = "SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE name = 'runs')";
    if conn.prepare_cached(exists)?.query_row([], |row| row.get(0))? { all(conn) } else { Ok(Vec::new()) }
}

/// Begins a run of a level.
pub(super) fn begin(conn: &Connection, level: u32) -> rusqlite::Result<i64> {
    let sql = "INSERT INTO runs (level, whole) VALUES (?1, 0) RETURNING number";
    conn.prepare_cached(sql)?.query_row([level], |row| row.get(0))
}

/// Ends a run: all that it is to have is in it.
pub(super) fn end(conn: &Connection, run: i64) -> rusqlite::Result<()> {
    conn.prepare_cached("UPDATE runs SET whole = 1 WHERE number = ?1")?.execute([run])?;
    Ok(())
}

/// The place of a look-up.
pub(super) fn place((app, link): &Of) -> Place {
    let mut entry = [0; SIZE];
    entry[..16].copy_from_slice(link.from.as_bytes());
    entry[16] = link.to.kind as u8;
    entry[17..].copy_from_slice(link.to.id.as_bytes());
    (*app, link.kind as u8, entry)
}

/// Cuts what comes in order into a run's chunks.
pub(super) struct Cutter<'c> {
    add: CachedStatement<'c>,
    run: i64,
    of: (AppNo, u8),
    entries: Vec<u8>,
    full: usize,
}

impl<'c> Cutter<'c> {
    pub(super) fn new(conn: &'c Connection, run: i64, sizes: Sizes) -> rusqlite::Result<Self> {
        let add = conn.prepare_cached("INSERT INTO chunks (run, app, kind, last, entries) VALUES (?1, ?2, ?3, ?4, ?5)")?;
        let full = sizes.chunk * SIZE;
        Ok(Self { add, run, of: (0, 0), entries: Vec::with_capacity(full), full })
    }

    /// Adds the next look-up.
    pub(super) fn push(&mut self, (app, kind, entry): &Place) -> rusqlite::Result<()> {
        if self.of != (*app, *kind) {
            self.cut()?;
            self.of = (*app, *kind);
        }
        self.entries.extend_from_slice(entry);
        if self.entries.len() >= self.full { self.cut() } else { Ok(()) }
    }

    /// Whether all that was added is in chunks.
    pub(super) fn is_even(&self) -> bool {
        self.entries.is_empty()
    }

    /// Ends the chunk, however little is in it.
    pub(super) fn cut(&mut self) -> rusqlite::Result<()> {
        if let Some(last) = self.entries.last_chunk::<SIZE>() {
            self.add.execute((self.run, self.of.0, self.of.1, last, &self.entries))?;
            self.entries.clear();
        }
        Ok(())
    }
}

/// The entries of a chunk.
pub(super) fn entries(chunk: &[u8]) -> rusqlite::Result<&[Entry]> {
    let (entries, rest) = chunk.as_chunks();
    if rest.is_empty() { Ok(entries) } else { Err(damaged("a chunk of look-ups has a part of one".into())) }
}

fn damaged(what: String) -> Error {
    Error::FromSqlConversionFailure(0, Type::Blob, what.into())
}

fn from(entry: &Entry) -> &[u8] {
    &entry[..16]
}

/// Where an entry leads to.
fn to(entry: &Entry) -> rusqlite::Result<Stream> {
    let (_, [kind, id @ ..]) = entry.split_at(16) else { return Err(damaged("an entry without a stream".into())) };
    let id = Uuid::from_slice(id).map_err(|error| damaged(error.to_string()))?;
    let kind = StreamKind::from_u8(*kind).ok_or_else(|| damaged(format!("no stream has kind {kind}")))?;
    Ok(Stream { kind, id })
}

/// The streams that an id leads to by all runs; some more than once.
pub(super) fn linked(conn: &Connection, app: AppNo, kind: LinkKind, id: Uuid) -> rusqlite::Result<Vec<Stream>> {
    let runs = if fresh::waits(kind) { any(conn)? } else { Vec::new() };
    let mut found = Vec::new();
    if runs.is_empty() {
        return Ok(found);
    }
    // An id is before every entry from it, and so are chunks that end before it.
    let sql = "SELECT entries FROM chunks WHERE run = ?1 AND app = ?2 AND kind = ?3 AND last >= ?4 ORDER BY last";
    let mut query = conn.prepare_cached(sql)?;
    for run in runs {
        let mut rows = query.query((run.number, app, kind as u8, id.as_bytes()))?;
        while let Some(row) = rows.next()? {
            let chunk = row.get_ref(0)?.as_blob()?;
            let entries = entries(chunk)?;
            let start = entries.partition_point(|entry| from(entry) < &id.as_bytes()[..]);
            let of_id = entries[start..].iter().take_while(|entry| from(entry) == id.as_bytes());
            for entry in of_id {
                found.push(to(entry)?);
            }
            if entries.last().is_none_or(|last| from(last) != id.as_bytes()) {
                break;
            }
        }
    }
    Ok(found)
}

/// Adds to the first of an app's look-ups after one those that runs have, so that there are the first of all, up to a number.
pub(super) fn add_after(
    conn: &Connection,
    app: AppNo,
    after: Option<Link>,
    most: usize,
    all: &mut BTreeSet<Link>,
) -> Result<(), StoreError> {
    let runs = any(conn)?;
    if runs.is_empty() {
        return Ok(());
    }
    // No kind is below 0.
    let (kind, after) = after.map_or((-1, FIRST.2), |link| (link.kind as i8, place(&(app, link)).2));
    let sql = "SELECT kind, entries FROM chunks WHERE run = ?1 AND app = ?2 AND (kind, last) > (?3, ?4) ORDER BY kind, last";
    let mut query = conn.prepare_cached(sql)?;
    while all.len() > most {
        all.pop_last();
    }
    for run in runs {
        let mut rows = query.query((run.number, app, kind, after))?;
        'run: while let Some(row) = rows.next()? {
            let of = fresh::link_kind(row, 0)?;
            let chunk = entries(row.get_ref(1)?.as_blob().map_err(Error::from)?)?;
            let start = if of as i8 == kind { chunk.partition_point(|entry| *entry <= after) } else { 0 };
            for entry in &chunk[start..] {
                let id = Uuid::from_slice(from(entry)).map_err(|error| damaged(error.to_string()))?;
                let link = Link { kind: of, from: id, to: to(entry)? };
                if all.len() >= most && all.last().is_some_and(|last| link > *last) {
                    break 'run;
                }
                all.insert(link);
                if all.len() > most {
                    all.pop_last();
                }
            }
        }
    }
    Ok(())
}
