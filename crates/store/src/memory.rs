//! A store in this process's memory: for tests, for trying things out, and as the plainest reading of the contract.

mod catalog;
mod ledger;

use crate::Clock;
use crate::contract::{
    AppendError, Batch, Commit, Kept, LinkKind, Seq, SessionFilter, SessionOrder, SessionPage, SessionRecord, Since, Store, StoreError,
    Vector,
};
use crate::duty::Duty;
use async_trait::async_trait;
use bytes::Bytes;
use ledger::Ledger;
use rollbook_core::id::{App, Stream};
use rollbook_core::time::Timestamp;
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use uuid::Uuid;

/// Keeps everything under one lock until it is dropped.
pub struct MemoryStore {
    clock: Clock,
    ledgers: Mutex<BTreeMap<App, Ledger>>,
}

impl MemoryStore {
    /// An empty store.
    #[must_use]
    pub fn new(clock: Clock) -> Self {
        Self { clock, ledgers: Mutex::default() }
    }

    /// Runs `work` on the app's ledger, alone.
    fn with<T>(&self, app: &App, work: impl FnOnce(&mut Ledger) -> T) -> T {
        let mut ledgers = self.ledgers.lock().unwrap_or_else(PoisonError::into_inner);
        work(ledgers.entry(app.clone()).or_default())
    }
}

#[async_trait]
impl Store for MemoryStore {
    async fn append(&self, app: &App, commit: Commit) -> Result<(), AppendError> {
        let now = (self.clock)();
        self.with(app, |ledger| ledger.append(commit, now))
    }

    async fn since(&self, app: &App, known: &[(Stream, Seq)]) -> Result<Since, StoreError> {
        let now = (self.clock)();
        let batches: Vec<Batch> = self.with(app, |ledger| known.iter().flat_map(|(stream, seq)| ledger.after(*stream, *seq)).collect());
        Ok(Since { now, batches })
    }

    async fn unchanged(&self, app: &App, known: &[(Stream, Seq)], children: &[(Uuid, u64)]) -> Result<Option<Timestamp>, StoreError> {
        let now = (self.clock)();
        let same = self.with(app, |ledger| {
            let length = |parent: &Uuid| ledger.linked(LinkKind::Child, *parent).len() as u64;
            known.iter().all(|(stream, seq)| ledger.head(*stream) <= *seq) && children.iter().all(|(parent, many)| length(parent) == *many)
        });
        Ok(same.then_some(now))
    }

    async fn linked(&self, app: &App, kind: LinkKind, from: Uuid) -> Result<Vec<Stream>, StoreError> {
        Ok(self.with(app, |ledger| ledger.linked(kind, from)))
    }

    async fn streams(&self, app: &App, after: Option<Stream>, limit: usize) -> Result<Vec<Stream>, StoreError> {
        Ok(self.with(app, |ledger| ledger.streams(after, limit)))
    }

    async fn unsettled(&self, app: &App) -> Result<Vec<Stream>, StoreError> {
        Ok(self.with(app, |ledger| ledger.unsettled()))
    }

    async fn settle(&self, app: &App, stream: Stream, vector: &Vector, records: &[SessionRecord]) -> Result<bool, StoreError> {
        Ok(self.with(app, |ledger| ledger.settle(stream, vector, records)))
    }

    async fn sessions(&self, app: &App, filter: &SessionFilter, order: SessionOrder, range: Range<u64>) -> Result<SessionPage, StoreError> {
        Ok(self.with(app, |ledger| catalog::page(ledger.settled_records(), filter, order, &range)))
    }

    async fn keep(&self, app: &App, engine: &str, body: Bytes) -> Result<(), StoreError> {
        let now = (self.clock)();
        self.with(app, |ledger| ledger.keep(engine, body, now));
        Ok(())
    }

    async fn kept(&self, app: &App, after: i64, limit: usize) -> Result<Vec<(i64, Kept)>, StoreError> {
        Ok(self.with(app, |ledger| ledger.kept(after, limit)))
    }

    async fn discard(&self, app: &App, engine: &str, body: Bytes) -> Result<(), StoreError> {
        self.with(app, |ledger| ledger.discard(engine, &body));
        Ok(())
    }

    async fn bound_kept(&self, app: &App, most: u64) -> Result<u64, StoreError> {
        Ok(self.with(app, |ledger| ledger.bound_kept(most)))
    }

    async fn expire_kept(&self, age: Duration) -> Result<u64, StoreError> {
        let before = (self.clock)().micros().saturating_sub(i64::try_from(age.as_micros()).unwrap_or(i64::MAX));
        let mut ledgers = self.ledgers.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(ledgers.values_mut().map(|ledger| ledger.expire_kept(Timestamp::from_micros(before))).sum())
    }

    async fn duty(&self, _: &str) -> Result<Option<Duty>, StoreError> {
        Ok(Some(Duty::for_good()))
    }

    async fn ready(&self) -> Result<(), StoreError> {
        Ok(())
    }
}
