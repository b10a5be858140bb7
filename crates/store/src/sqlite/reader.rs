//! A folder's ledger for reading only, beside the process that serves it.

use super::known::AppNo;
use super::open::{self, OpenError};
use super::readers::Readers;
use super::{fresh, mark, most_readers, read, sessions};
use crate::Clock;
use crate::contract::{
    AppendError, Commit, Kept, LinkKind, Seq, SessionFilter, SessionOrder, SessionPage, SessionRecord, Since, Store, StoreError, Vector,
};
use crate::duty::Duty;
use crate::transfer::Standing;
use async_trait::async_trait;
use bytes::Bytes;
use rollbook_core::id::{App, Stream};
use rollbook_core::time::Timestamp;
use rusqlite::{Connection, OptionalExtension as _};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::time::Duration;
use uuid::Uuid;

/// Reads what is on disk at each call, and writes nothing: another process may be at work in the folder. Sessions that the catalog does not
/// have stay unsettled.
pub struct SqliteReader {
    readers: Readers,
    clock: Clock,
}

impl SqliteReader {
    /// Opens the ledger of a folder.
    ///
    /// # Errors
    /// Where there is none, it can't be read, isn't one that this binary knows, or is not whole yet.
    pub fn open(dir: &Path, clock: Clock) -> Result<Self, OpenError> {
        let file = open::existing(dir)?;
        match mark::of(&file)? {
            Some(mark) if mark.standing == Standing::Arriving => Err(OpenError::Marked { folder: dir.into(), mark }),
            _ => Ok(Self::of(file, clock)),
        }
    }

    /// The same, whatever mark of a move it has.
    pub(super) fn of(file: PathBuf, clock: Clock) -> Self {
        Self { readers: Readers::new(file, most_readers()), clock }
    }

    /// Reads within one app, whose number it looks up; an app that is not there has nothing.
    pub(super) async fn read<T: Default + Send + 'static>(
        &self,
        app: &App,
        work: impl FnOnce(&Connection, AppNo) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let app = app.clone();
        self.readers.run(move |conn| number(conn, &app)?.map_or_else(|| Ok(T::default()), |app| work(conn, app))).await
    }

    /// Reads at one moment.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.readers.run(work).await
    }
}

/// The app's number.
pub(super) fn number(conn: &Connection, app: &App) -> Result<Option<AppNo>, StoreError> {
    let mut query = conn.prepare_cached("SELECT number FROM apps WHERE account = ?1 AND app = ?2")?;
    Ok(query.query_row([app.account(), app.app()], |row| row.get(0)).optional()?)
}

fn refused() -> StoreError {
    StoreError::Unavailable("the ledger is opened for reading only".into())
}

#[async_trait]
impl Store for SqliteReader {
    async fn append(&self, _: &App, _: Commit) -> Result<(), AppendError> {
        Err(refused().into())
    }

    async fn since(&self, app: &App, known: &[(Stream, Seq)]) -> Result<Since, StoreError> {
        let (now, known) = ((self.clock)(), known.to_vec());
        let batches = self.read(app, move |conn, app| Ok(read::after(conn, app, &known)?.batches)).await?;
        Ok(Since { now, batches })
    }

    async fn unchanged(&self, app: &App, known: &[(Stream, Seq)], children: &[(Uuid, u64)]) -> Result<Option<Timestamp>, StoreError> {
        let now = (self.clock)();
        let (known, children) = (known.to_vec(), children.to_vec());
        let of_none = children.iter().all(|(_, many)| *many == 0);
        let same = self.read(app, move |conn, app| Ok(Some(read::Ends::of(conn, app, &known, &children)?.are(&known, &children)))).await?;
        Ok(same.unwrap_or(of_none).then_some(now))
    }

    async fn linked(&self, app: &App, kind: LinkKind, from: Uuid) -> Result<Vec<Stream>, StoreError> {
        let work = move |conn: &Connection, app| {
            let fresh = fresh::of_app(conn, app, Some(kind))?.into_iter().filter(|link| link.from == from).map(|link| link.to);
            Ok(read::linked(conn, app, kind, from, fresh.collect())?)
        };
        self.read(app, work).await
    }

    async fn streams(&self, app: &App, after: Option<Stream>, limit: usize) -> Result<Vec<Stream>, StoreError> {
        self.read(app, move |conn, app| Ok(read::streams(conn, app, after, limit)?)).await
    }

    async fn unsettled(&self, app: &App) -> Result<Vec<Stream>, StoreError> {
        self.read(app, |conn, app| Ok(read::unsettled(conn, app)?)).await
    }

    async fn settle(&self, _: &App, _: Stream, _: &Vector, _: &[SessionRecord]) -> Result<bool, StoreError> {
        Ok(false)
    }

    async fn sessions(&self, app: &App, filter: &SessionFilter, order: SessionOrder, range: Range<u64>) -> Result<SessionPage, StoreError> {
        let filter = filter.clone();
        self.read(app, move |conn, app| Ok(sessions::page(conn, app, &filter, order, &range)?)).await
    }

    async fn keep(&self, _: &App, _: &str, _: Bytes) -> Result<(), StoreError> {
        Err(refused())
    }

    async fn kept(&self, app: &App, after: i64, limit: usize) -> Result<Vec<(i64, Kept)>, StoreError> {
        self.read(app, move |conn, app| Ok(read::kept(conn, app, after, limit)?)).await
    }

    async fn discard(&self, _: &App, _: &str, _: Bytes) -> Result<(), StoreError> {
        Err(refused())
    }

    async fn bound_kept(&self, _: &App, _: u64) -> Result<u64, StoreError> {
        Err(refused())
    }

    async fn expire_kept(&self, _: Duration) -> Result<u64, StoreError> {
        Err(refused())
    }

    async fn duty(&self, _: &str) -> Result<Option<Duty>, StoreError> {
        Ok(None)
    }

    async fn ready(&self) -> Result<(), StoreError> {
        Err(refused())
    }
}
