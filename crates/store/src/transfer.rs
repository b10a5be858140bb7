//! What moves a whole ledger from one store to another.
//!
//! This alone looks across apps, and reads and writes what is stored as it stands. It is no part of [`Store`], and only `rollbook migrate`
//! has it in hand: nothing that answers a request can ask for it.

use crate::contract::{Batch, Kept, Link, Seq, Store, StoreError};
use async_trait::async_trait;
use rollbook_core::id::{App, Stream};
use rollbook_core::time::Timestamp;
use std::fmt;
use std::sync::Arc;
use tokio::sync::mpsc;

/// Rows that are handed over at once: at most so many.
pub(crate) const MANY_ROWS: usize = 10_000;
/// Once rows hold so many bytes, no more are handed over with them.
pub(crate) const MANY_BYTES: usize = 8 << 20;

/// Where a ledger stands in a move. While a ledger has a mark it is not opened to be served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It is being filled, and is not whole yet.
    Arriving,
    /// It takes nothing any more; what it has may not all be at the other end yet.
    Leaving,
    /// The other end has all of it.
    Moved,
}

impl Standing {
    const ALL: [(Self, &'static str); 3] = [(Self::Arriving, "arriving"), (Self::Leaving, "leaving"), (Self::Moved, "moved")];

    pub(crate) fn name(self) -> &'static str {
        Self::ALL.into_iter().find(|(standing, _)| *standing == self).map_or("", |(_, name)| name)
    }

    pub(crate) fn named(text: &str) -> Result<Self, StoreError> {
        let found = Self::ALL.into_iter().find(|(_, name)| *name == text);
        found.map(|(standing, _)| standing).ok_or_else(|| StoreError::Damaged(format!("no ledger is marked as {text:?}")))
    }
}

/// The mark of a ledger that is being moved, or was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mark {
    /// Where it stands.
    pub standing: Standing,
    /// The other end, as [`Transfer::place`] names it.
    pub other: String,
    /// When it was marked so.
    pub at: Timestamp,
}

/// What whoever opens the ledger is told, and whoever writes to it.
impl fmt::Display for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { standing, other, at } = self;
        match standing {
            Standing::Arriving => write!(f, "a migration from {other} into this ledger is not finished: run that `rollbook migrate` again"),
            Standing::Leaving => write!(
                f,
                "this ledger is on its way to {other}: run that `rollbook migrate --switch` again to finish it, or with --undo to go on here"
            ),
            Standing::Moved => write!(f, "this ledger moved to {other} on {}: serve that one", at.to_rfc3339_micros()),
        }
    }
}

/// A part of an app's journal in the order of its keys (stream, sequence number): what comes after one key, up to and with another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// The key before the first.
    pub after: (Stream, Seq),
    /// The last.
    pub until: (Stream, Seq),
}

/// Batches on their way out of a store, in the order of their keys.
pub type Batches = mpsc::Receiver<Result<Vec<Batch>, StoreError>>;

/// One end of a move. Reading, it is used beside a server at work; written to, it belongs to one process alone.
#[async_trait]
pub trait Transfer: Send + Sync {
    /// What messages and marks call it. Never has a password in it.
    fn place(&self) -> &str;

    /// The ledger's mark, where it has one.
    async fn mark(&self) -> Result<Option<Mark>, StoreError>;

    /// Replaces the mark `from` by `to`; changes nothing where the ledger's mark is another. Returns whether it did.
    ///
    /// From the moment that a mark stands, nothing is appended or kept in the ledger but through `put_…`, by no process that has it open
    /// already either: such a process reads on, and its writes fail, with the mark's text. What was acknowledged before then is there to
    /// be read when this returns.
    async fn remark(&self, from: Option<&Mark>, to: Option<&Mark>) -> Result<bool, StoreError>;

    /// The apps that have anything, ascending.
    async fn apps(&self) -> Result<Vec<App>, StoreError>;

    /// The app's streams after `after`, ascending, at most `limit`, each with its last sequence number.
    async fn heads(&self, app: &App, after: Option<Stream>, limit: usize) -> Result<Vec<(Stream, Seq)>, StoreError>;

    /// The last sequence numbers of these streams, in their order.
    async fn heads_of(&self, app: &App, streams: &[Stream]) -> Result<Vec<Seq>, StoreError>;

    /// The batches of a part of the journal. Batches that are appended meanwhile may be among them.
    fn batches(&self, app: &App, span: Span) -> Batches;

    /// The look-ups after `after`, ascending, at most `limit`.
    async fn links(&self, app: &App, after: Option<Link>, limit: usize) -> Result<Vec<Link>, StoreError>;

    /// The kept deliveries whose number is greater than `after`, ascending, at most `limit`. Numbers may have gaps, and may come late.
    async fn kept(&self, app: &App, after: i64, limit: usize) -> Result<Vec<(i64, Kept)>, StoreError>;

    /// When each of these deliveries was kept here, in their order; none where it was not.
    async fn kept_at(&self, app: &App, kept: &[Kept]) -> Result<Vec<Option<Timestamp>>, StoreError>;

    /// Adds batches as they are, each the next of its stream, and marks as unsettled what they may change. On disk when it returns.
    async fn put_batches(&self, app: &App, batches: Vec<Batch>) -> Result<(), StoreError>;

    /// Adds look-ups that are not there. On disk when it returns.
    async fn put_links(&self, app: &App, links: Vec<Link>) -> Result<(), StoreError>;

    /// Adds kept deliveries that are not there, with their times, in their order. On disk when it returns.
    async fn put_kept(&self, app: &App, kept: Vec<Kept>) -> Result<(), StoreError>;

    /// The ledger as it is served, whatever its mark. Of an end that is only read, it is for reading only.
    fn store(&self) -> Arc<dyn Store>;
}

/// Whether a ledger with this mark may be served.
pub(crate) fn gate(mark: Option<Mark>) -> Result<(), Mark> {
    mark.map_or(Ok(()), Err)
}

/// Gathers batches until they are enough to hand over.
#[derive(Default)]
pub(crate) struct Chunk {
    batches: Vec<Batch>,
    bytes: usize,
}

impl Chunk {
    /// Adds one; returns what was gathered once it is enough.
    pub(crate) fn push(&mut self, batch: Batch) -> Option<Vec<Batch>> {
        self.bytes += batch.batch.len();
        self.batches.push(batch);
        (self.batches.len() >= MANY_ROWS || self.bytes >= MANY_BYTES).then(|| self.take())
    }

    /// What was gathered; may be empty.
    pub(crate) fn take(&mut self) -> Vec<Batch> {
        self.bytes = 0;
        std::mem::take(&mut self.batches)
    }
}
