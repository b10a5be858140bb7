//! Look-ups that are not in their table yet.
//!
//! The id of a peer or of a session is a digest, so that each look-up from one lands at a random place of a tree that may be large: a page to
//! change, to log and to copy for 50 bytes. So a commit writes them one after the other into the table `fresh`, and all of these are in memory.
//! Once there are many they move into their table in its order, a few with each commit, many of them to a page.

use super::known::AppNo;
use super::txn::Txn;
use super::values::{kind, stream, uuid};
use crate::contract::{Link, LinkKind, StoreError};
use rollbook_core::id::Stream;
use rusqlite::types::Type;
use rusqlite::{Connection, Error, Row, Statement};
use std::collections::BTreeSet;
use std::ops::Bound;
use std::sync::{Mutex, MutexGuard, PoisonError};
use uuid::Uuid;

/// How many there are before they move: some 5 MB of memory.
pub(super) const MANY: usize = 1 << 16;
/// For each that a commit adds it moves so many, so that there are never half as many again.
const MOVED_FOR_ONE: usize = 2;
/// How many rows of the table a commit drops, once all that they have has moved.
const DROPPED: usize = 512;

/// A look-up of an app.
type Of = (AppNo, Link);

/// Whether a look-up waits here at first. Those of sources and of breakouts are few, and appends themselves look for them.
pub(super) fn waits(link: &Link) -> bool {
    matches!(link.kind, LinkKind::Peer | LinkKind::Derived)
}

/// All that are committed and have not moved.
#[derive(Default)]
pub(super) struct Fresh(Mutex<BTreeSet<Of>>);

impl Fresh {
    /// Those that the database has. Where there are more than a move that is under way leaves, all of them move: else a process that always
    /// ends before its move is done would let them pile up.
    pub(super) fn open(conn: &mut Connection, many: usize) -> rusqlite::Result<Self> {
        let all = of_all(conn)?;
        if all.len() <= many + many / MOVED_FOR_ONE {
            return Ok(Self(Mutex::new(all)));
        }
        let txn = conn.transaction()?;
        add_to_table(&mut *txn.prepare_cached(ADD)?, &all)?;
        txn.execute("DELETE FROM fresh", [])?;
        txn.commit()?;
        Ok(Self::default())
    }

    /// Adds what was committed.
    pub(super) fn publish(&self, links: Vec<Of>) {
        if !links.is_empty() {
            self.lock().extend(links);
        }
    }

    /// The streams that an id leads to by those that are here. What moves is in its table before it is gone from here: so this comes first.
    pub(super) fn linked(&self, app: AppNo, kind: LinkKind, from: Uuid) -> Vec<Stream> {
        let links = self.lock();
        let start = Link { kind, from, to: Stream::session(Uuid::nil()) };
        let found = links.range((app, start)..).take_while(|(of, link)| (*of, link.kind, link.from) == (app, kind, from));
        found.map(|(_, link)| link.to).collect()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeSet<Of>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How the look-ups move: all that there were when the move began, then the rows that had them go.
#[derive(Clone, Copy, Default)]
pub(super) enum Moving {
    /// There are too few.
    #[default]
    Resting,
    /// Those up to one have moved; rows up to a number have no others than those that were there at the beginning.
    Going { upto: i64, after: Option<Of> },
    /// The rows up to a number go.
    Dropping { upto: i64 },
}

/// What one commit moved, to be noted once it is committed.
pub(super) struct Moved {
    links: Vec<Of>,
    then: Moving,
}

impl Moved {
    /// Notes it.
    pub(super) fn publish(self, fresh: &Fresh, moving: &mut Moving) {
        *moving = self.then;
        let mut links = fresh.lock();
        for link in &self.links {
            links.remove(link);
        }
    }
}

impl Moving {
    /// Nothing moves.
    pub(super) fn still(self) -> Moved {
        Moved { links: Vec::new(), then: self }
    }

    /// Does a part of the move within a transaction that adds so many.
    pub(super) fn go_on(self, txn: &Txn<'_>, fresh: &Fresh, added: usize, many: usize) -> rusqlite::Result<Moved> {
        match self {
            Self::Resting if fresh.lock().len() < many => Ok(self.still()),
            Self::Resting => {
                let upto = txn.prepare("SELECT coalesce(max(number), 0) FROM fresh")?.query_row([], |row| row.get(0))?;
                Ok(Self::Going { upto, after: None }.still())
            }
            Self::Going { upto, after } => {
                let from = after.map_or(Bound::Unbounded, Bound::Excluded);
                let links: Vec<Of> = fresh.lock().range((from, Bound::Unbounded)).take(added * MOVED_FOR_ONE).copied().collect();
                add_to_table(&mut *txn.prepare(ADD)?, &links)?;
                let then = match links.last() {
                    Some(last) => Self::Going { upto, after: Some(*last) },
                    None if added == 0 => self,
                    None => Self::Dropping { upto },
                };
                Ok(Moved { links, then })
            }
            Self::Dropping { upto } => {
                let sql = "DELETE FROM fresh WHERE number IN (SELECT number FROM fresh WHERE number <= ?1 LIMIT ?2)";
                let dropped = txn.prepare(sql)?.execute((upto, DROPPED))?;
                let then = if dropped < DROPPED { Self::Resting } else { self };
                Ok(then.still())
            }
        }
    }
}

/// Writes look-ups: a row for those of one kind that lead to one stream.
pub(super) fn write(txn: &mut Txn<'_>, app: AppNo, links: &[Link]) -> rusqlite::Result<()> {
    let sql = "INSERT INTO fresh (app, kind, to_kind, to_id, ids) VALUES (?1, ?2, ?3, ?4, ?5)";
    for alike in links.chunk_by(|a, b| (a.kind, a.to) == (b.kind, b.to)) {
        let Some(Link { kind: what, to, .. }) = alike.first() else { continue };
        let ids: Vec<u8> = alike.iter().flat_map(|link| link.from.into_bytes()).collect();
        txn.prepare(sql)?.execute((app, *what as u8, kind(*to), to.id.into_bytes(), ids))?;
        txn.add_fresh(alike.iter().map(|link| (app, *link)));
    }
    Ok(())
}

const ADD: &str = "INSERT OR IGNORE INTO links (app, kind, from_id, to_kind, to_id) VALUES (?1, ?2, ?3, ?4, ?5)";

fn add_to_table<'a>(add: &mut Statement<'_>, links: impl IntoIterator<Item = &'a Of>) -> rusqlite::Result<()> {
    for (app, link) in links {
        add.execute((app, link.kind as u8, link.from.into_bytes(), kind(link.to), link.to.id.into_bytes()))?;
    }
    Ok(())
}

/// All look-ups that wait, of every app.
fn of_all(conn: &Connection) -> rusqlite::Result<BTreeSet<Of>> {
    let mut query = conn.prepare("SELECT app, kind, to_kind, to_id, ids FROM fresh")?;
    let mut rows = query.query([])?;
    let mut all = Vec::new();
    while let Some(row) = rows.next()? {
        let app = row.get(0)?;
        all.extend(of_row(row, 1)?.into_iter().map(|link| (app, link)));
    }
    Ok(all.into_iter().collect())
}

/// The app's look-ups in the table, of all kinds or of one.
pub(super) fn of_app(conn: &Connection, app: AppNo, what: Option<LinkKind>) -> Result<Vec<Link>, StoreError> {
    // A ledger that only earlier binaries wrote to has no such table, and is read as it is.
    let exists = "SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE name = 'fresh')";
    if !conn.prepare_cached(exists)?.query_row([], |row| row.get::<_, bool>(0))? {
        return Ok(Vec::new());
    }
    let sql = "SELECT kind, to_kind, to_id, ids FROM fresh WHERE app = ?1 AND (?2 IS NULL OR kind = ?2)";
    let mut query = conn.prepare_cached(sql)?;
    let mut rows = query.query((app, what.map(|what| what as u8)))?;
    let mut all = Vec::new();
    while let Some(row) = rows.next()? {
        all.extend(of_row(row, 0)?);
    }
    Ok(all)
}

fn of_row(row: &Row<'_>, column: usize) -> rusqlite::Result<Vec<Link>> {
    let kind = link_kind(row, column)?;
    let to = stream(row, column + 1)?;
    let ids: Vec<u8> = row.get(column + 3)?;
    let (ids, rest) = ids.as_chunks::<16>();
    if !rest.is_empty() {
        return Err(Error::FromSqlConversionFailure(column + 3, Type::Blob, "not whole UUIDs".into()));
    }
    Ok(ids.iter().map(|id| Link { kind, from: Uuid::from_bytes(*id), to }).collect())
}

/// The kind of look-up that a column has the number of.
pub(super) fn link_kind(row: &Row<'_>, column: usize) -> rusqlite::Result<LinkKind> {
    let number: u8 = row.get(column)?;
    let unknown = || Error::FromSqlConversionFailure(column, Type::Integer, format!("no look-up has kind {number}").into());
    LinkKind::from_u8(number).ok_or_else(unknown)
}

/// The look-up in a row of `links`: kind, id, and the stream's two columns.
pub(super) fn link(row: &Row<'_>) -> rusqlite::Result<Link> {
    Ok(Link { kind: link_kind(row, 0)?, from: uuid(row, 1)?, to: stream(row, 2)? })
}
