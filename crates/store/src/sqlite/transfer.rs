//! A folder's ledger as one end of a move.

use super::known::AppNo;
use super::open::{self, OpenError};
use super::read;
use super::reader::{SqliteReader, number};
use super::txn::{Txn, head};
use super::values::{kind, stream, time};
use super::{SqliteStore, apps, fresh, mark, runs};
use crate::Clock;
use crate::contract::{Batch, Kept, Link, Seq, Store, StoreError};
use crate::digest::digest;
use crate::transfer::{Batches, Chunk, Mark, Span, Transfer};
use async_trait::async_trait;
use rollbook_core::id::{App, Stream, StreamKind};
use rollbook_core::time::Timestamp;
use rusqlite::{Connection, Error, OptionalExtension as _, Row};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::sync::mpsc;
use uuid::Uuid;

/// One end of a move, in a data folder.
pub struct SqliteTransfer {
    place: String,
    file: PathBuf,
    reader: Arc<SqliteReader>,
    /// The end that is written to.
    target: Option<Arc<SqliteStore>>,
}

impl SqliteTransfer {
    /// Opens a folder's ledger to be moved away. A server may be at work in the folder.
    ///
    /// # Errors
    /// Where there is no ledger, it can't be read, or it isn't one that this binary knows.
    pub fn source(dir: &Path, clock: Clock) -> Result<Self, OpenError> {
        Self::new(dir, clock, None)
    }

    /// Opens a folder's ledger to be filled, or makes both. No other process may use the folder meanwhile.
    ///
    /// # Errors
    /// Where the folder can't be used, another process has it, or its ledger isn't one that this binary knows.
    pub fn target(dir: &Path, clock: Clock) -> Result<Self, OpenError> {
        let store = SqliteStore::open_marked(dir, Arc::clone(&clock))?;
        Self::new(dir, clock, Some(Arc::new(store)))
    }

    fn new(dir: &Path, clock: Clock, target: Option<Arc<SqliteStore>>) -> Result<Self, OpenError> {
        let file = open::existing(dir)?;
        let reader = Arc::new(SqliteReader::of(file.clone(), clock));
        let place = dir.canonicalize().unwrap_or_else(|_| dir.into()).display().to_string();
        Ok(Self { place, file, reader, target })
    }

    /// Writes in one transaction, which is synced.
    async fn put(
        &self,
        bytes: usize,
        work: impl FnOnce(&mut Txn<'_>) -> Result<(), StoreError> + Send + 'static,
    ) -> Result<(), StoreError> {
        match &self.target {
            Some(target) => target.writer.submit(bytes, work).await,
            None => Err(StoreError::Unavailable(format!("{} is only read", self.place))),
        }
    }
}

#[async_trait]
impl Transfer for SqliteTransfer {
    fn place(&self) -> &str {
        &self.place
    }

    async fn mark(&self) -> Result<Option<Mark>, StoreError> {
        self.reader.run(mark::read).await
    }

    async fn remark(&self, from: Option<&Mark>, to: Option<&Mark>) -> Result<bool, StoreError> {
        let (file, from, to) = (self.file.clone(), from.cloned(), to.cloned());
        let work = move || mark::replace(&mut open::changing(&file)?, from.as_ref(), to.as_ref());
        tokio::task::spawn_blocking(work).await.unwrap_or_else(|error| Err(StoreError::Unavailable(error.to_string())))
    }

    async fn apps(&self) -> Result<Vec<App>, StoreError> {
        let mut found: Vec<App> = self.reader.run(|conn| Ok(apps(conn)?.into_keys().collect())).await?;
        found.sort_unstable();
        Ok(found)
    }

    async fn heads(&self, app: &App, after: Option<Stream>, limit: usize) -> Result<Vec<(Stream, Seq)>, StoreError> {
        let work = move |conn: &Connection, app| {
            let streams = read::streams(conn, app, after, limit)?.into_iter();
            Ok(streams.map(|stream| Ok((stream, head(conn, app, stream)?))).collect::<Result<_, Error>>()?)
        };
        self.reader.read(app, work).await
    }

    async fn heads_of(&self, app: &App, streams: &[Stream]) -> Result<Vec<Seq>, StoreError> {
        let (app, streams) = (app.clone(), streams.to_vec());
        let work = move |conn: &Connection| {
            let Some(app) = number(conn, &app)? else { return Ok(vec![0; streams.len()]) };
            Ok(streams.into_iter().map(|stream| head(conn, app, stream)).collect::<Result<_, Error>>()?)
        };
        self.reader.run(work).await
    }

    fn batches(&self, app: &App, span: Span) -> Batches {
        let (out, batches) = mpsc::channel(2);
        let (file, app) = (self.file.clone(), app.clone());
        tokio::task::spawn_blocking(move || {
            if let Err(error) = read_span(&file, &app, span, &out) {
                // Nobody listens where the reader has enough.
                let _ = out.blocking_send(Err(error));
            }
        });
        batches
    }

    async fn links(&self, app: &App, after: Option<Link>, limit: usize) -> Result<Vec<Link>, StoreError> {
        self.reader.read(app, move |conn, app| links(conn, app, after, limit)).await
    }

    async fn kept(&self, app: &App, after: i64, limit: usize) -> Result<Vec<(i64, Kept)>, StoreError> {
        self.reader.read(app, move |conn, app| Ok(read::kept(conn, app, after, limit)?)).await
    }

    async fn kept_at(&self, app: &App, kept: &[Kept]) -> Result<Vec<Option<Timestamp>>, StoreError> {
        let app = app.clone();
        let digests: Vec<[u8; 32]> = kept.iter().map(|kept| digest(&kept.engine, &kept.body)).collect();
        let work = move |conn: &Connection| {
            let Some(app) = number(conn, &app)? else { return Ok(vec![None; digests.len()]) };
            let mut query = conn.prepare_cached("SELECT received_at FROM kept WHERE app = ?1 AND digest = ?2")?;
            let times = digests.iter().map(|digest| query.query_row((app, digest), |row| time(row, 0)).optional());
            Ok(times.collect::<Result<_, Error>>()?)
        };
        self.reader.run(work).await
    }

    async fn put_batches(&self, app: &App, batches: Vec<Batch>) -> Result<(), StoreError> {
        let app = app.clone();
        let bytes = batches.iter().map(|batch| batch.batch.len()).sum();
        self.put(bytes, move |txn| put_batches(txn, &app, &batches)).await
    }

    async fn put_links(&self, app: &App, links: Vec<Link>) -> Result<(), StoreError> {
        let app = app.clone();
        let work = move |txn: &mut Txn<'_>| {
            let app = txn.app(&app)?;
            let mut add = txn.prepare("INSERT OR IGNORE INTO links (app, kind, from_id, to_kind, to_id) VALUES (?1, ?2, ?3, ?4, ?5)")?;
            for link in links {
                add.execute((app, link.kind as u8, link.from.into_bytes(), kind(link.to), link.to.id.into_bytes()))?;
            }
            Ok(())
        };
        self.put(0, work).await
    }

    async fn put_kept(&self, app: &App, kept: Vec<Kept>) -> Result<(), StoreError> {
        let app = app.clone();
        let work = move |txn: &mut Txn<'_>| {
            let app = txn.app(&app)?;
            let sql = "INSERT OR IGNORE INTO kept (app, digest, engine, body, received_at) VALUES (?1, ?2, ?3, ?4, ?5)";
            let mut add = txn.prepare(sql)?;
            for Kept { engine, body, received_at } in kept {
                add.execute((app, digest(&engine, &body), engine, &body[..], received_at.micros()))?;
            }
            Ok(())
        };
        self.put(0, work).await
    }

    fn store(&self) -> Arc<dyn Store> {
        match &self.target {
            Some(store) => Arc::clone(store) as Arc<dyn Store>,
            None => Arc::clone(&self.reader) as Arc<dyn Store>,
        }
    }
}

fn read_span(file: &Path, app: &App, span: Span, out: &mpsc::Sender<Result<Vec<Batch>, StoreError>>) -> Result<(), StoreError> {
    let conn = open::reading(file)?;
    let Some(app) = number(&conn, app)? else { return Ok(()) };
    let sql = "SELECT kind, stream, seq, received_at, batch FROM journal
               WHERE app = ?1 AND (kind, stream, seq) > (?2, ?3, ?4) AND (kind, stream, seq) <= (?5, ?6, ?7) ORDER BY kind, stream, seq";
    let mut query = conn.prepare(sql)?;
    let Span { after: (first, after), until: (last, until) } = span;
    let key = (app, kind(first), first.id.into_bytes(), after, kind(last), last.id.into_bytes(), until);
    let mut rows = query.query(key)?;
    let mut chunk = Chunk::default();
    while let Some(row) = rows.next()? {
        if let Some(full) = chunk.push(batch(row)?)
            && out.blocking_send(Ok(full)).is_err()
        {
            return Ok(());
        }
    }
    let _ = out.blocking_send(Ok(chunk.take()));
    Ok(())
}

fn batch(row: &Row<'_>) -> Result<Batch, Error> {
    Ok(Batch { stream: stream(row, 0)?, seq: row.get(2)?, received_at: time(row, 3)?, batch: row.get::<_, Vec<u8>>(4)?.into() })
}

fn links(conn: &Connection, app: AppNo, after: Option<Link>, limit: usize) -> Result<Vec<Link>, StoreError> {
    let sql = "SELECT kind, from_id, to_kind, to_id FROM links
               WHERE app = ?1 AND (kind, from_id, to_kind, to_id) > (?2, ?3, ?4, ?5) ORDER BY kind, from_id, to_kind, to_id LIMIT ?6";
    // No kind is below 0: this is before every link.
    let (what, from, to_kind, to) =
        after.map_or((-1, Uuid::nil(), 0, Uuid::nil()), |link| (i64::from(link.kind as u8), link.from, kind(link.to), link.to.id));
    let mut query = conn.prepare_cached(sql)?;
    let in_table = query.query_map((app, what, from.into_bytes(), to_kind, to.into_bytes(), limit as i64), fresh::link)?;
    let mut all: BTreeSet<Link> = in_table.collect::<Result<_, Error>>()?;
    all.extend(fresh::of_app(conn, app, None)?.into_iter().filter(|link| after.is_none_or(|after| *link > after)));
    runs::add_after(conn, app, after, limit, &mut all)?;
    Ok(all.into_iter().take(limit).collect())
}

fn put_batches(txn: &mut Txn<'_>, app: &App, batches: &[Batch]) -> Result<(), StoreError> {
    let app = txn.app(app)?;
    let mut add = txn.prepare("INSERT INTO journal (app, kind, stream, seq, received_at, batch) VALUES (?1, ?2, ?3, ?4, ?5, ?6)")?;
    let mut changed = None;
    for Batch { stream, seq, batch, received_at } in batches {
        add.execute((app, kind(*stream), stream.id.into_bytes(), seq, received_at.micros(), &batch[..]))?;
        txn.advance(app, *stream, *seq);
        if changed != Some(*stream) {
            changed = Some(*stream);
            unsettle(txn, app, *stream)?;
        }
    }
    Ok(())
}

/// What a source's life-cycle may change is left to the settling to find out: all of the app's is done again.
fn unsettle(txn: &Txn<'_>, app: AppNo, stream: Stream) -> Result<(), StoreError> {
    if stream.kind == StreamKind::Source {
        txn.prepare("UPDATE standings SET unsettled = 1 WHERE app = ?1 AND unsettled = 0")?.execute([app])?;
        return Ok(());
    }
    let sql = "INSERT INTO standings (app, kind, stream, unsettled) VALUES (?1, ?2, ?3, 1)
               ON CONFLICT (app, kind, stream) DO UPDATE SET unsettled = 1 WHERE unsettled = 0";
    txn.prepare(sql)?.execute((app, kind(stream), stream.id.into_bytes()))?;
    Ok(())
}
