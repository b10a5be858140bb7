//! Look-ups that are in no run yet.
//!
//! A commit writes those of peers and of sessions one after the other into the table `fresh`, and all of these are in memory. Once there are many
//! they become a run, a part with each commit (`moving`).

use super::known::AppNo;
use super::runs::{self, Cutter, Sizes};
use super::txn::Txn;
use super::values::{kind, stream, uuid};
use crate::contract::{Link, LinkKind, StoreError};
use rollbook_core::id::Stream;
use rusqlite::types::Type;
use rusqlite::{Connection, Error, Row};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use uuid::Uuid;

/// How many there are before they become a run: some 3 MB of memory, and half as many again come while they do.
pub(super) const MANY: usize = 1 << 16;

/// A look-up of an app.
pub(super) type Of = (AppNo, Link);

/// Whether look-ups of a kind wait here at first. Those of sources and of breakouts are few, and appends themselves look for them.
pub(super) fn waits(kind: LinkKind) -> bool {
    matches!(kind, LinkKind::Peer | LinkKind::Derived)
}

/// All that are committed and in no whole run.
#[derive(Default)]
pub(super) struct Fresh(Mutex<State>);

#[derive(Default)]
struct State {
    /// What becomes a run, in its order, each once.
    leaving: Arc<Vec<Of>>,
    /// What came since, each part in order, and each at least twice as long as the next: there are few to look in, and one that is added is
    /// put in order again only as often as the length doubles.
    parts: Vec<Vec<Of>>,
}

impl Fresh {
    /// Those that the database has. Where there are more than a move that is under way leaves, all of them become a run: else a process that
    /// always ends before its move is done would let them pile up. A run that such a process left half written is not whole, and goes: all that
    /// it has is still here.
    pub(super) fn open(conn: &mut Connection, many: usize, sizes: Sizes) -> rusqlite::Result<Self> {
        let all = in_order(of_all(conn)?);
        let txn = conn.transaction()?;
        let unfinished = "SELECT number FROM runs WHERE level = 0 AND whole = 0";
        txn.execute(&format!("DELETE FROM chunks WHERE run IN ({unfinished})"), [])?;
        txn.execute("DELETE FROM runs WHERE level = 0 AND whole = 0", [])?;
        let too_many = all.len() > many + many / 2;
        if too_many {
            let run = runs::begin(&txn, 0)?;
            let mut cutter = Cutter::new(&txn, run, sizes)?;
            all.iter().try_for_each(|link| cutter.push(&runs::place(link)))?;
            cutter.cut()?;
            drop(cutter);
            runs::end(&txn, run)?;
            txn.execute("DELETE FROM fresh", [])?;
        }
        txn.commit()?;
        let parts = if too_many { Vec::new() } else { vec![all] };
        Ok(Self(Mutex::new(State { parts, ..State::default() })))
    }

    /// Adds what was committed.
    pub(super) fn publish(&self, mut links: Vec<Of>) {
        if links.is_empty() {
            return;
        }
        links.sort();
        let State { parts, .. } = &mut *self.lock();
        parts.push(links);
        while let [.., longer, last] = &mut parts[..]
            && longer.len() < last.len() * 2
        {
            longer.append(last);
            // Two runs in order: a merge.
            longer.sort();
            parts.pop();
        }
    }

    /// How many have come that do not leave, those that came more than once as often.
    pub(super) fn staying(&self) -> usize {
        self.lock().parts.iter().map(Vec::len).sum()
    }

    /// All leave that are here.
    pub(super) fn leave(&self) {
        let state = &mut *self.lock();
        state.leaving = Arc::new(in_order(std::mem::take(&mut state.parts).concat()));
    }

    /// What leaves.
    pub(super) fn leaving(&self) -> Arc<Vec<Of>> {
        Arc::clone(&self.lock().leaving)
    }

    /// What left is in a run.
    pub(super) fn left(&self) {
        self.lock().leaving = Arc::default();
    }

    /// The streams that an id leads to by those that are here. What leaves is in its run before it is gone from here: so this comes first.
    pub(super) fn linked(&self, app: AppNo, kind: LinkKind, from: Uuid) -> Vec<Stream> {
        let mut found = Vec::new();
        let state = self.lock();
        for part in state.parts.iter().chain([&*state.leaving]) {
            let start = part.partition_point(|(of, link)| (*of, link.kind, link.from) < (app, kind, from));
            let of_id = part[start..].iter().take_while(|(of, link)| (*of, link.kind, link.from) == (app, kind, from));
            found.extend(of_id.map(|(_, link)| link.to));
        }
        found
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn in_order(mut all: Vec<Of>) -> Vec<Of> {
    // Parts of it are in order.
    all.sort();
    all.dedup();
    all
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

/// All look-ups that wait, of every app.
fn of_all(conn: &Connection) -> rusqlite::Result<Vec<Of>> {
    let mut query = conn.prepare("SELECT app, kind, to_kind, to_id, ids FROM fresh")?;
    let mut rows = query.query([])?;
    let mut all = Vec::new();
    while let Some(row) = rows.next()? {
        let app = row.get(0)?;
        all.extend(of_row(row, 1)?.into_iter().map(|link| (app, link)));
    }
    Ok(all)
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
