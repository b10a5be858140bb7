//! The store in a folder: one SQLite database, one process.
//!
//! One thread writes and shares a sync between all that waits; reads go past it. What is acknowledged is on disk.

mod append;
mod checkpoints;
mod fresh;
mod known;
mod mark;
mod merge;
mod moving;
mod open;
mod read;
mod reader;
mod readers;
mod recent;
mod runs;
mod schema;
mod sessions;
mod settle;
#[cfg(test)]
mod tests;
mod transfer;
mod txn;
mod values;
mod writer;

pub use open::OpenError;
pub use reader::SqliteReader;
pub use transfer::SqliteTransfer;

use crate::Clock;
use crate::contract::{
    AppendError, Commit, Kept, LinkKind, Seq, SessionFilter, SessionOrder, SessionPage, SessionRecord, Since, Store, StoreError, Vector,
};
use crate::duty::Duty;
use crate::transfer::gate;
use async_trait::async_trait;
use bytes::Bytes;
use checkpoints::{Checkpoints, Pages};
use fresh::Fresh;
use known::{AppNo, Known};
use moving::Moving;
use open::Folder;
use readers::Readers;
use rollbook_core::id::{App, Stream};
use rollbook_core::time::Timestamp;
use runs::Sizes;
use rusqlite::types::Type;
use rusqlite::{Connection, Error};
use std::collections::HashMap;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use txn::Txn;
use uuid::Uuid;
use writer::Writer;

/// The ledger in a data folder. Dropping it finishes what was asked of it, then lets go of the folder.
pub struct SqliteStore {
    // Dropped in this order: the folder is let go when nothing is written any more.
    writer: Writer,
    readers: Readers,
    known: Arc<Known>,
    clock: Clock,
    folder: Folder,
}

impl SqliteStore {
    /// Opens the folder's ledger, or makes both.
    ///
    /// # Errors
    /// Where the folder can't be used, another process has it, its ledger isn't one that this binary knows, or is being moved or was.
    pub fn open(dir: &Path, clock: Clock) -> Result<Self, OpenError> {
        let store = Self::open_marked(dir, clock)?;
        gate(mark::of(store.folder.ledger())?).map_err(|mark| OpenError::Marked { folder: dir.into(), mark })?;
        Ok(store)
    }

    /// The same, whatever mark of a move it has.
    fn open_marked(dir: &Path, clock: Clock) -> Result<Self, OpenError> {
        let folder = Folder::take(dir)?;
        let file = folder.ledger();
        let failed = |error| OpenError::database(file, &error);
        let mut conn = open::writing(file).map_err(failed)?;
        schema::migrate(&mut conn, file)?;
        Self::start(folder, conn, clock, Tuning::USUAL)
    }

    fn start(folder: Folder, mut conn: Connection, clock: Clock, tuning: Tuning) -> Result<Self, OpenError> {
        let failed = |error| OpenError::database(folder.ledger(), &error);
        let fresh = Fresh::open(&mut conn, tuning.fresh, tuning.runs).map_err(failed)?;
        let known = Arc::new(Known::new(apps(&conn).map_err(failed)?, fresh));
        let readers = Readers::new(folder.ledger().into(), most_readers());
        let checkpoints = Checkpoints::start(&mut conn, folder.ledger(), tuning.log).map_err(failed)?;
        let moving = Moving::new(tuning.fresh, tuning.runs);
        let writer = Writer::start(conn, checkpoints, Arc::clone(&known), Arc::clone(&clock), moving)
            .map_err(|error| OpenError::thread(folder.ledger(), &error))?;
        Ok(Self { writer, readers, known, clock, folder })
    }

    /// Reads of an app that never wrote find nothing, and need no database for it.
    async fn read<T: Default + Send + 'static>(
        &self,
        app: &App,
        work: impl FnOnce(&Connection, AppNo) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        let Some(app) = self.known.app(app) else { return Ok(T::default()) };
        self.readers.run(move |conn| Ok(work(conn, app)?)).await
    }
}

/// When what is put off is done.
#[derive(Clone, Copy)]
struct Tuning {
    log: Pages,
    /// How many look-ups wait before they become a run.
    fresh: usize,
    runs: Sizes,
}

impl Tuning {
    const USUAL: Self = Self { log: Pages::USUAL, fresh: fresh::MANY, runs: Sizes::USUAL };
}

impl SqliteStore {
    /// Drops kept deliveries, some at a time; returns how many in all.
    async fn drop_some(&self, some: impl Fn(&Txn<'_>) -> Result<u64, StoreError> + Copy + Send + 'static) -> Result<u64, StoreError> {
        let mut dropped = 0;
        loop {
            let now = self.writer.submit(0, move |txn| some(txn)).await?;
            dropped += now;
            if now < append::EXPIRED_AT_ONCE {
                return Ok(dropped);
            }
        }
    }
}

/// How many reads are done at once.
fn most_readers() -> usize {
    std::thread::available_parallelism().map_or(4, |threads| threads.get().clamp(2, 16))
}

fn apps(conn: &Connection) -> rusqlite::Result<HashMap<App, AppNo>> {
    let mut query = conn.prepare("SELECT account, app, number FROM apps")?;
    let mut rows = query.query([])?;
    let mut apps = HashMap::new();
    while let Some(row) = rows.next()? {
        let (account, app): (String, String) = (row.get(0)?, row.get(1)?);
        let app = App::new(&account, &app).map_err(|error| Error::FromSqlConversionFailure(0, Type::Text, Box::new(error)))?;
        apps.insert(app, row.get(2)?);
    }
    Ok(apps)
}

#[async_trait]
impl Store for SqliteStore {
    async fn append(&self, app: &App, commit: Commit) -> Result<(), AppendError> {
        if commit.entries.is_empty() {
            return Ok(());
        }
        let app = app.clone();
        let bytes = commit.entries.iter().map(|entry| entry.batch.len()).sum();
        self.writer.submit(bytes, move |txn| append::append(txn, &app, &commit)).await
    }

    async fn since(&self, app: &App, known: &[(Stream, Seq)]) -> Result<Since, StoreError> {
        let now = (self.clock)();
        let Some(app) = self.known.app(app) else { return Ok(Since { now, batches: Vec::new() }) };
        let era = match self.known.after(app, known) {
            Ok(batches) => return Ok(Since { now, batches }),
            Err(era) => era,
        };
        let known: Vec<_> = known.to_vec();
        let missing = self.readers.run(move |conn| read::after(conn, app, &known)).await?;
        self.known.learn(era, app, missing.heads, []);
        Ok(Since { now, batches: missing.batches })
    }

    async fn unchanged(&self, app: &App, known: &[(Stream, Seq)], children: &[(Uuid, u64)]) -> Result<Option<Timestamp>, StoreError> {
        let now = (self.clock)();
        let Some(app) = self.known.app(app) else { return Ok(children.iter().all(|(_, many)| *many == 0).then_some(now)) };
        let era = match self.known.unchanged(app, known, children) {
            Ok(same) => return Ok(same.then_some(now)),
            Err(era) => era,
        };
        let (streams, parents) = (known.to_vec(), children.to_vec());
        let ends = self.readers.run(move |conn| Ok(read::Ends::of(conn, app, &streams, &parents)?)).await?;
        let same = ends.are(known, children);
        self.known.learn(era, app, ends.heads, ends.children);
        Ok(same.then_some(now))
    }

    async fn linked(&self, app: &App, kind: LinkKind, from: Uuid) -> Result<Vec<Stream>, StoreError> {
        let fresh = self.known.app(app).map(|app| self.known.fresh.linked(app, kind, from)).unwrap_or_default();
        self.read(app, move |conn, app| read::linked(conn, app, kind, from, fresh)).await
    }

    async fn streams(&self, app: &App, after: Option<Stream>, limit: usize) -> Result<Vec<Stream>, StoreError> {
        self.read(app, move |conn, app| read::streams(conn, app, after, limit)).await
    }

    async fn unsettled(&self, app: &App) -> Result<Vec<Stream>, StoreError> {
        self.read(app, read::unsettled).await
    }

    async fn settle(&self, app: &App, stream: Stream, vector: &Vector, records: &[SessionRecord]) -> Result<bool, StoreError> {
        let (app, vector) = (app.clone(), vector.clone());
        let bytes = records.iter().map(|record| record.summary.len()).sum();
        let records = records.iter().map(|record| (record.id, SessionRecord { stream, ..record.clone() })).collect();
        self.writer.submit(bytes, move |txn| settle::settle(txn, &app, stream, &vector, &records)).await
    }

    async fn sessions(&self, app: &App, filter: &SessionFilter, order: SessionOrder, range: Range<u64>) -> Result<SessionPage, StoreError> {
        let filter = filter.clone();
        self.read(app, move |conn, app| sessions::page(conn, app, &filter, order, &range)).await
    }

    async fn keep(&self, app: &App, engine: &str, body: Bytes) -> Result<(), StoreError> {
        let (app, engine) = (app.clone(), engine.to_owned());
        self.writer.submit(body.len(), move |txn| append::keep(txn, &app, &engine, &body)).await
    }

    async fn kept(&self, app: &App, after: i64, limit: usize) -> Result<Vec<(i64, Kept)>, StoreError> {
        self.read(app, move |conn, app| read::kept(conn, app, after, limit)).await
    }

    async fn discard(&self, app: &App, engine: &str, body: Bytes) -> Result<(), StoreError> {
        let (app, engine) = (app.clone(), engine.to_owned());
        self.writer.submit(0, move |txn| append::discard(txn, &app, &engine, &body)).await
    }

    async fn bound_kept(&self, app: &App, most: u64) -> Result<u64, StoreError> {
        let work = move |conn: &Connection, app| Ok(read::beyond(conn, app, most)?.map(|last| (app, last)));
        let Some((app, last)) = self.read(app, work).await? else { return Ok(0) };
        self.drop_some(move |txn| append::drop_kept(txn, app, last)).await
    }

    async fn expire_kept(&self, age: Duration) -> Result<u64, StoreError> {
        self.drop_some(move |txn| append::expire_kept(txn, age)).await
    }

    async fn duty(&self, _: &str) -> Result<Option<Duty>, StoreError> {
        Ok(Some(Duty::for_good()))
    }

    async fn ready(&self) -> Result<(), StoreError> {
        self.writer.submit(0, |txn| append::probe(txn)).await
    }
}
