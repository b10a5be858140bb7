//! What the cases are written with.

use crate::contract::{
    AppendError, Batch, Commit, Entry, Link, LinkKind, Seq, SessionFilter, SessionOrder, SessionPage, SessionRecord, SessionSort, Store,
};
use crate::{Clock, StoreError};
use bytes::Bytes;
use rollbook_core::id::{App, Stream, StreamKind};
use rollbook_core::time::Timestamp;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use uuid::Uuid;

/// A clock that stands still until it is set.
#[derive(Clone, Default)]
pub struct HandClock {
    micros: Arc<AtomicI64>,
    let_go: Arc<AtomicBool>,
}

impl HandClock {
    /// What a store takes.
    #[must_use]
    pub fn clock(&self) -> Clock {
        let micros = Arc::clone(&self.micros);
        Arc::new(move || Timestamp::from_micros(micros.load(Ordering::SeqCst)))
    }

    /// Sets the time.
    pub fn set(&self, time: Timestamp) {
        self.micros.store(time.micros(), Ordering::SeqCst);
    }

    /// Says whether the store goes by a time of its own.
    pub fn let_go(&self, own_time: bool) {
        self.let_go.store(own_time, Ordering::SeqCst);
    }

    /// Whether the store goes by this clock.
    #[must_use]
    pub fn is_obeyed(&self) -> bool {
        !self.let_go.load(Ordering::SeqCst)
    }

    /// Whether a store told these times, where the clock had been set to `set`, which ascend. A time of the store's own goes on by itself:
    /// of that only the order is known.
    #[must_use]
    pub fn agrees(&self, told: &[Timestamp], set: &[i64]) -> bool {
        let ascend = told.len() == set.len() && told.is_sorted();
        ascend && (self.let_go.load(Ordering::SeqCst) || told.iter().map(|time| time.micros()).eq(set.iter().copied()))
    }
}

/// The app that most cases write to.
#[must_use]
pub fn app() -> App {
    App::new("acme", "school").unwrap()
}

/// Another app of the same account.
#[must_use]
pub fn other_app() -> App {
    App::new("acme", "college").unwrap()
}

/// A time; the unit is of no meaning.
#[must_use]
pub fn at(micros: i64) -> Timestamp {
    Timestamp::from_micros(micros)
}

/// An id.
#[must_use]
pub fn id(n: u128) -> Uuid {
    Uuid::from_u128(n)
}

/// A session's stream.
#[must_use]
pub fn session(n: u128) -> Stream {
    Stream::session(id(n))
}

/// A meeting's stream.
#[must_use]
pub fn meeting(n: u128) -> Stream {
    Stream::meeting(id(n))
}

/// A source's stream.
#[must_use]
pub fn source(n: u128) -> Stream {
    Stream { kind: StreamKind::Source, id: id(n) }
}

/// A batch for a stream, without links.
#[must_use]
pub fn entry(stream: Stream, expected: Seq, batch: &str) -> Entry {
    Entry { stream, expected, batch: Bytes::copy_from_slice(batch.as_bytes()), earliest: at(0), links: Vec::new() }
}

/// The link from a source to a stream.
#[must_use]
pub fn link(source: Stream, to: Stream) -> Link {
    Link { kind: LinkKind::Source, from: source.id, to }
}

/// A session of a stream that nobody was in.
#[must_use]
pub fn record(n: u128, stream: Stream) -> SessionRecord {
    SessionRecord {
        id: id(n),
        stream,
        meeting: None,
        started_at: at(0),
        last_change_at: at(0),
        consumed: 0,
        participants: 0,
        folded_title: String::new(),
        summary: Bytes::from_static(b"summary"),
    }
}

/// Sessions from the first on.
pub const BY_START: SessionOrder = SessionOrder { sort: SessionSort::StartedAt, descending: false };

/// Appends to the app's streams, all or none.
///
/// # Errors
/// What the store says.
pub async fn append(store: &dyn Store, entries: impl IntoIterator<Item = Entry>) -> Result<(), AppendError> {
    store.append(&app(), Commit { entries: entries.into_iter().collect() }).await
}

/// Whether an append was refused as a conflict.
#[must_use]
pub fn is_conflict(result: &Result<(), AppendError>) -> bool {
    matches!(result, Err(AppendError::Conflict))
}

/// All batches of a stream.
///
/// # Errors
/// What the store says.
pub async fn batches(store: &dyn Store, stream: Stream) -> Result<Vec<Batch>, StoreError> {
    Ok(store.since(&app(), &[(stream, 0)]).await?.batches)
}

/// The last sequence number of a stream.
///
/// # Errors
/// What the store says.
pub async fn head(store: &dyn Store, stream: Stream) -> Result<Seq, StoreError> {
    Ok(batches(store, stream).await?.last().map_or(0, |batch| batch.seq))
}

/// Appends to the stream where it has no batches yet, and settles it with the records.
///
/// # Errors
/// What the store says.
pub async fn settled(store: &dyn Store, stream: Stream, records: &[SessionRecord]) -> Result<bool, AppendError> {
    if head(store, stream).await? == 0 {
        append(store, [entry(stream, 0, "settled")]).await?;
    }
    let vector = vec![(stream, head(store, stream).await?)];
    Ok(store.settle(&app(), stream, &vector, records).await?)
}

/// All settled sessions that match, from the first on.
///
/// # Errors
/// What the store says.
pub async fn list(store: &dyn Store, filter: &SessionFilter) -> Result<SessionPage, StoreError> {
    store.sessions(&app(), filter, BY_START, 0..u64::MAX).await
}

/// The numbers of the sessions of a page.
#[must_use]
pub fn numbers(page: &SessionPage) -> Vec<u128> {
    page.records.iter().map(|record| record.id.as_u128()).collect()
}
