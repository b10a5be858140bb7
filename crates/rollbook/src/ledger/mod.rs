//! The ledger over a store: takes events, keeps folds and rosters up to date, answers.
//!
//! Nothing here is the truth: what it holds in memory or in segment files is checked against the store before each answer,
//! and can be dropped at any time. So any number of ledgers may work over one store.

mod basis;
mod breakouts;
mod cache;
mod flight;
mod fold;
mod judge;
mod links;
mod live;
mod making;
mod pace;
mod present;
mod roster;
mod searches;
mod segments;
mod sessions;
mod together;
mod writer;

pub use basis::Print;
pub use present::Inside;

use cache::Cache;
use making::Makers;
use searches::Searches;
use segments::Segments;
use writer::Writers;

use bytes::Bytes;
use rollbook_core::id::App;
use rollbook_core::roster::{Extract, RowView, Snapshot, Summary};
use rollbook_core::time::Timestamp;
use rollbook_store::{Kept, Store, StoreError};
use std::path::PathBuf;
use std::sync::Arc;
use uuid::Uuid;

/// How a ledger uses the machine.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where the rosters of ended sessions are kept; nowhere, where none.
    pub segments: Option<PathBuf>,
    /// How many bytes of folds and rosters to hold in memory, about.
    pub memory: u64,
}

/// What became of a delivery.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Receipt {
    /// Events that were new.
    pub accepted: usize,
    /// Events that were known.
    pub duplicates: usize,
}

/// Why a delivery was not taken. Nothing of it is stored.
#[derive(Debug, thiserror::Error)]
pub enum IngestError {
    /// These events (by place in the delivery) have the identity of known ones and other content.
    #[error("{} events conflict with what is known", .0.len())]
    Conflict(Vec<usize>),
    /// More is waiting than the ledger takes.
    #[error("overloaded")]
    Overloaded,
    /// The store can't write.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Which rows a participants list has.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum View {
    /// The session's own peers.
    #[default]
    Raw,
    /// A row a person, over the session and all its breakouts.
    Consolidated,
}

/// A roster, and the time it is to be read at.
#[derive(Clone, Debug)]
pub struct RosterAnswer {
    /// The rows.
    pub roster: Arc<Snapshot<Bytes>>,
    /// `now`.
    pub now: Timestamp,
    /// Of all that the rows follow from; none where they change with `now`, too.
    pub print: Option<Print>,
    searches: Arc<Searches>,
}

/// A page of a participants list.
#[derive(Clone, Debug)]
pub struct PageAnswer {
    /// How many rows match in all.
    pub total: u32,
    /// How many matching rows lie before the first shown.
    pub offset: u32,
    /// `now`.
    pub now: Timestamp,
    /// Of all that the rows follow from, beside the query; none where they change with `now`, too.
    pub print: Option<Print>,
    rows: PageRows,
}

/// Where the rows of a page are.
#[derive(Clone, Debug)]
enum PageRows {
    /// At these places of a roster, in this order.
    Of(Arc<Snapshot<Bytes>>, Vec<u32>),
    /// By themselves, as they were in a session that goes on.
    Extract(Extract),
}

impl PageAnswer {
    /// How many rows are shown.
    #[must_use]
    pub fn len(&self) -> usize {
        match &self.rows {
            PageRows::Of(_, places) => places.len(),
            PageRows::Extract(extract) => extract.len(),
        }
    }

    /// Whether no rows are shown.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The rows that are shown, in order.
    pub fn rows(&self) -> impl Iterator<Item = RowView<'_>> {
        let (of_roster, alone) = match &self.rows {
            PageRows::Of(roster, places) => (Some(roster.rows(places)), None),
            PageRows::Extract(extract) => (None, Some(extract.rows())),
        };
        of_roster.into_iter().flatten().chain(alone.into_iter().flatten())
    }
}

/// A session, with its breakouts where they were asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionAnswer {
    /// The session.
    pub summary: Summary,
    /// Its breakouts, each with its own, in order of their beginning, then id.
    pub breakouts: Vec<SessionAnswer>,
}

/// Which sessions to list; all given bounds must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SessionsQuery {
    /// Live ones only, or ended ones only.
    pub live: Option<bool>,
    /// `started_at` at this time or later.
    pub from: Option<Timestamp>,
    /// `started_at` at this time or earlier.
    pub until: Option<Timestamp>,
    /// Sessions of this meeting only.
    pub meeting: Option<Uuid>,
    /// At least and at most so many participants.
    pub participants: (Option<u64>, Option<u64>),
    /// Part of the title (case-folded), or how the session's or meeting's id begins.
    pub search: Option<String>,
    /// By minutes consumed instead of by start.
    pub by_consumed: bool,
    /// Whether the greatest comes first.
    pub descending: bool,
    /// How many to pass over.
    pub offset: u64,
    /// How many to show at most.
    pub limit: u32,
}

/// A page of the list of sessions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SessionList {
    /// How many match in all.
    pub total: u64,
    /// How many matching sessions lie before the first shown (`total` at most).
    pub offset: u64,
    /// Those of the page.
    pub sessions: Vec<Summary>,
}

/// Takes events and answers questions. Cheap to clone.
#[derive(Clone)]
pub struct Ledger(Arc<Inner>);

struct Inner {
    store: Arc<dyn Store>,
    cache: Cache,
    segments: Segments,
    writers: Writers,
    makers: Makers,
}

impl Ledger {
    /// A ledger over a store.
    #[must_use]
    pub fn new(store: Arc<dyn Store>, options: Options) -> Self {
        let cache = Cache::new(options.memory);
        let segments = Segments::new(options.segments);
        Self(Arc::new(Inner { store, cache, segments, writers: Writers::default(), makers: Makers::default() }))
    }

    /// How many rosters were made, not counting those that are kept up to date.
    #[must_use]
    pub fn rosters_made(&self) -> u64 {
        self.0.makers.made()
    }

    /// Keeps a delivery that verified and could not be translated.
    ///
    /// # Errors
    /// Where the store can't write.
    pub async fn keep(&self, app: &App, engine: &str, body: Bytes) -> Result<(), StoreError> {
        self.0.store.keep(app, engine, body).await
    }

    /// The kept deliveries after a number, oldest first, each with its own.
    ///
    /// # Errors
    /// Where the store can't read.
    pub async fn kept(&self, app: &App, after: i64, limit: usize) -> Result<Vec<(i64, Kept)>, StoreError> {
        self.0.store.kept(app, after, limit).await
    }

    /// Drops a kept delivery.
    ///
    /// # Errors
    /// Where the store can't write.
    pub async fn discard(&self, app: &App, kept: Kept) -> Result<(), StoreError> {
        self.0.store.discard(app, &kept.engine, kept.body).await
    }

    /// Drops the app's oldest kept deliveries until the others count at most `most` bytes; returns how many were dropped.
    ///
    /// # Errors
    /// Where the store can't write.
    pub async fn bound_kept(&self, app: &App, most: u64) -> Result<u64, StoreError> {
        self.0.store.bound_kept(app, most).await
    }

    /// Whether events can be taken now.
    ///
    /// # Errors
    /// Where the store can't write.
    pub async fn ready(&self) -> Result<(), StoreError> {
        self.0.store.ready().await
    }
}
