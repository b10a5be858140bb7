//! A store at one moment, for reading.

use async_trait::async_trait;
use bytes::Bytes;
use rollbook_core::id::{App, Stream};
use rollbook_core::time::Timestamp;
use rollbook_store::{
    AppendError, Commit, Duty, Kept, LinkKind, Seq, SessionFilter, SessionOrder, SessionPage, SessionRecord, Since, Store, StoreError,
    Vector,
};
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;
use uuid::Uuid;

/// Says that it is the time that `now` holds, in microseconds, whatever the store's own clock says, and takes nothing: so that two stores can
/// be asked the same.
pub(super) struct Frozen {
    pub(super) store: Arc<dyn Store>,
    pub(super) now: Arc<AtomicI64>,
    /// Whether sessions may be settled in the store; else they stay as they are.
    pub(super) settles: bool,
}

fn refused() -> StoreError {
    StoreError::Unavailable("only read while it is moved".into())
}

#[async_trait]
impl Store for Frozen {
    async fn append(&self, _: &App, _: Commit) -> Result<(), AppendError> {
        Err(refused().into())
    }

    async fn since(&self, app: &App, known: &[(Stream, Seq)]) -> Result<Since, StoreError> {
        let now = Timestamp::from_micros(self.now.load(Ordering::Relaxed));
        Ok(Since { now, ..self.store.since(app, known).await? })
    }

    async fn unchanged(&self, app: &App, known: &[(Stream, Seq)], children: &[(Uuid, u64)]) -> Result<Option<Timestamp>, StoreError> {
        let now = Timestamp::from_micros(self.now.load(Ordering::Relaxed));
        Ok(self.store.unchanged(app, known, children).await?.map(|_| now))
    }

    async fn linked(&self, app: &App, kind: LinkKind, from: Uuid) -> Result<Vec<Stream>, StoreError> {
        self.store.linked(app, kind, from).await
    }

    async fn streams(&self, app: &App, after: Option<Stream>, limit: usize) -> Result<Vec<Stream>, StoreError> {
        self.store.streams(app, after, limit).await
    }

    async fn unsettled(&self, app: &App) -> Result<Vec<Stream>, StoreError> {
        self.store.unsettled(app).await
    }

    async fn settle(&self, app: &App, stream: Stream, vector: &Vector, records: &[SessionRecord]) -> Result<bool, StoreError> {
        Ok(self.settles && self.store.settle(app, stream, vector, records).await?)
    }

    async fn sessions(&self, app: &App, filter: &SessionFilter, order: SessionOrder, range: Range<u64>) -> Result<SessionPage, StoreError> {
        self.store.sessions(app, filter, order, range).await
    }

    async fn keep(&self, _: &App, _: &str, _: Bytes) -> Result<(), StoreError> {
        Err(refused())
    }

    async fn kept(&self, app: &App, after: i64, limit: usize) -> Result<Vec<(i64, Kept)>, StoreError> {
        self.store.kept(app, after, limit).await
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
