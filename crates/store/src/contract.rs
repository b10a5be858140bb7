//! The trait that every backend implements, in the ledger's own words.

use crate::duty::Duty;
use async_trait::async_trait;
use bytes::Bytes;
use rollbook_core::codec::Version;
use rollbook_core::id::{App, Stream};
use rollbook_core::time::Timestamp;
use std::collections::BTreeSet;
use std::ops::Range;
use std::time::Duration;
use uuid::Uuid;

/// The place of a batch in its stream: 1, 2, 3 without gaps; 0 is a stream without batches.
pub type Seq = u64;

/// What a derived answer depends on: streams, each with the last sequence number that the answer knows.
pub type Vector = Vec<(Stream, Seq)>;

/// Everything that one acceptance writes: to each of its streams, or to none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Commit {
    /// One entry a stream; a stream at most once.
    pub entries: Vec<Entry>,
}

impl Commit {
    /// Whether an entry builds on another of the same commit, which none may: no store could tell which comes first.
    pub(crate) fn repeats_a_stream(&self) -> bool {
        let mut seen = BTreeSet::new();
        !self.entries.iter().all(|entry| seen.insert(entry.stream))
    }
}

/// One encoded batch for one stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Where it goes.
    pub stream: Stream,
    /// The stream's last sequence number as the writer knows it; the batch becomes the next.
    pub expected: Seq,
    /// The events, as `rollbook_core::codec` encodes them. Opaque here, and never empty.
    pub batch: Bytes,
    /// The earliest time of the batch's events.
    pub earliest: Timestamp,
    /// The look-ups that the batch adds. Adding one that stands already changes nothing.
    pub links: Vec<Link>,
}

/// One line of a look-up from an id to the streams where it occurs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Link {
    /// Which look-up.
    pub kind: LinkKind,
    /// The id to look up.
    pub from: Uuid,
    /// Where it occurs.
    pub to: Stream,
}

/// The look-ups beside the journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LinkKind {
    /// A source's stream id to the sessions and meetings that it reported to.
    Source = 0,
    /// A parent's id (session or meeting) to the streams whose events name it as their parent.
    Child = 1,
    /// A peer's id to the streams that know it.
    Peer = 2,
    /// An id derived from an event of a meeting to that meeting: ids of unnamed sessions.
    Derived = 3,
}

impl LinkKind {
    /// The kind of a stored number.
    pub(crate) fn from_u8(number: u8) -> Option<Self> {
        [Self::Source, Self::Child, Self::Peer, Self::Derived].into_iter().find(|kind| *kind as u8 == number)
    }
}

/// A stored batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Batch {
    /// The stream.
    pub stream: Stream,
    /// The batch's place in it.
    pub seq: Seq,
    /// The encoded events.
    pub batch: Bytes,
    /// When the store took it: provenance, part of no answer.
    pub received_at: Timestamp,
}

/// What a reader did not know yet, and the store's time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Since {
    /// The store's clock at the check.
    pub now: Timestamp,
    /// The missing batches: for each stream in ascending sequence, without gaps.
    pub batches: Vec<Batch>,
}

/// What a kept delivery counts beside its body, in bytes.
pub const KEPT_OVERHEAD: u64 = 256;

/// A delivery that verified and could not be translated, kept as it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    /// The engine's address that it came to.
    pub engine: String,
    /// The body.
    pub body: Bytes,
    /// When the store took it.
    pub received_at: Timestamp,
}

/// The summary of one settled session, as the fold wrote it: what the sessions list filters and sorts by, and the rest as an opaque blob.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionRecord {
    /// The session.
    pub id: Uuid,
    /// The stream that it was folded from.
    pub stream: Stream,
    /// Its meeting, where it has one.
    pub meeting: Option<Uuid>,
    /// When it began.
    pub started_at: Timestamp,
    /// The latest time at which anything happened in it: a source's life-cycle event later than this changes nothing.
    pub last_change_at: Timestamp,
    /// Participant minutes, in microseconds; not negative.
    pub consumed: i64,
    /// How many rows its raw list has.
    pub participants: u64,
    /// The meeting's title, case-folded for search; empty where it has none.
    pub folded_title: String,
    /// The whole summary, encoded by the caller.
    pub summary: Bytes,
}

/// Which settled sessions to list. All given bounds must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SessionFilter {
    /// `started_at` at this time or later.
    pub from: Option<Timestamp>,
    /// `started_at` at this time or earlier.
    pub until: Option<Timestamp>,
    /// Sessions of this meeting only.
    pub meeting: Option<Uuid>,
    /// At least so many participants.
    pub min_participants: Option<u64>,
    /// At most so many participants.
    pub max_participants: Option<u64>,
    /// Text that the folded title contains, or with which the session's or the meeting's id begins (hyphenated, lower case).
    /// Already folded; matched byte for byte: no character is a wildcard.
    pub search: Option<String>,
}

/// What the list of sessions is ordered by; ties by id, bytewise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SessionSort {
    /// `started_at`.
    StartedAt,
    /// `consumed`.
    Consumed,
}

/// The order of a list of sessions. Descending is the exact reverse of ascending, ties too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionOrder {
    /// The key.
    pub sort: SessionSort,
    /// Whether the greatest comes first.
    pub descending: bool,
}

/// A slice of the settled sessions that match.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SessionPage {
    /// How many match in all.
    pub total: u64,
    /// Those of the range asked for.
    pub records: Vec<SessionRecord>,
}

/// Why the store could not do what was asked. The text is for the operator's log, never for a client.
#[derive(Clone, Debug, thiserror::Error)]
pub enum StoreError {
    /// The disk is full or failed, the database is gone, the process is stopping. Nothing is known to have changed.
    #[error("store unavailable: {0}")]
    Unavailable(String),
    /// What is stored can't be what was written.
    #[error("store is damaged: {0}")]
    Damaged(String),
}

/// Why an append was not acknowledged.
#[derive(Debug, thiserror::Error)]
pub enum AppendError {
    /// Someone else appended to one of the streams first. Nothing was written: read what is new, and try again.
    #[error("another writer appended first")]
    Conflict,
    /// Not acknowledged; it may or may not be stored: read the streams to learn which.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Journal, look-ups and catalog of all apps. Every method that touches data is scoped to one app: there is no way to ask across tenants.
///
/// Methods may be called from any number of tasks at once. A method whose future is dropped half-way has either its whole effect or none.
#[async_trait]
pub trait Store: Send + Sync + 'static {
    /// Appends each entry's batch at `expected + 1` of its stream, with its links, and marks what the batch may change as unsettled:
    /// a session's or meeting's stream itself; for a source's stream, every stream linked to the source (by [`LinkKind::Source`], from the
    /// source's stream id; the commit's own links count) that is not settled with all its sessions' `last_change_at` before the batch's
    /// `earliest`. A linked stream that was neither appended to nor settled yet has nothing to mark.
    /// All of it or nothing. Returns once it is on disk (committed and synced).
    ///
    /// A commit without entries does nothing. Commits that wait at the same time may share one sync.
    ///
    /// # Errors
    /// [`AppendError::Conflict`] where a stream's last sequence number is not `expected`, or a stream is twice in the commit.
    async fn append(&self, app: &App, commit: Commit) -> Result<(), AppendError>;

    /// Reads, for each stream, the batches after the sequence number that the reader knows, and the store's time.
    /// What was acknowledged before the call is among them, and so is what was acknowledged before the time that it returns.
    /// The streams come in the order asked for. A stream without batches yields none, nor does one that the reader knows past its end.
    /// Of a commit over several of the streams, the batches that are new to the reader come all or not at all.
    async fn since(&self, app: &App, known: &[(Stream, Seq)]) -> Result<Since, StoreError>;

    /// The store's time, if nothing came to what an answer was made from; else none. Nothing came to it if [`Store::since`] would read no
    /// batch of the streams of `known`, and each id of `children` leads to as many streams by [`LinkKind::Child`] as is given there:
    /// look-ups only grow, so one of the same length is the same.
    /// What was acknowledged before the call counts, and so does what was acknowledged before the time that it returns.
    /// One look at the store, however many streams and look-ups it is about.
    async fn unchanged(&self, app: &App, known: &[(Stream, Seq)], children: &[(Uuid, u64)]) -> Result<Option<Timestamp>, StoreError>;

    /// The streams that an id leads to, ascending.
    async fn linked(&self, app: &App, kind: LinkKind, from: Uuid) -> Result<Vec<Stream>, StoreError>;

    /// The app's streams (all kinds) after `after`, ascending, at most `limit`.
    async fn streams(&self, app: &App, after: Option<Stream>, limit: usize) -> Result<Vec<Stream>, StoreError>;

    /// The streams of sessions and meetings that changed since they were last settled, or never were; ascending.
    async fn unsettled(&self, app: &App) -> Result<Vec<Stream>, StoreError>;

    /// Replaces the catalog's records of `stream` by `records`, and marks it settled, if every stream of `vector` still stands at the
    /// sequence number given there; else changes nothing. `vector` has the stream itself and each source's stream that the fold read.
    /// Returns whether it was settled. Every record's `stream` is `stream`, and no two records have one id.
    async fn settle(&self, app: &App, stream: Stream, vector: &Vector, records: &[SessionRecord]) -> Result<bool, StoreError>;

    /// The settled sessions that match, in order, cut to `range`; `total` is their number before the cut.
    /// Sessions of unsettled streams are not among them.
    async fn sessions(&self, app: &App, filter: &SessionFilter, order: SessionOrder, range: Range<u64>) -> Result<SessionPage, StoreError>;

    /// Keeps a delivery as it came; one that stands already, engine and body byte for byte, is not kept twice. Returns once it is on disk.
    async fn keep(&self, app: &App, engine: &str, body: Bytes) -> Result<(), StoreError>;

    /// The kept deliveries in the order in which they were kept, oldest first, at most `limit`, each with its number; only those of a number
    /// greater than `after`. Numbers are positive and ascend; while a delivery stands, no other of the app has its number.
    async fn kept(&self, app: &App, after: i64, limit: usize) -> Result<Vec<(i64, Kept)>, StoreError>;

    /// Drops a kept delivery, engine and body byte for byte; one that is not there is dropped already. One that comes again is kept again.
    async fn discard(&self, app: &App, engine: &str, body: Bytes) -> Result<(), StoreError>;

    /// Drops the app's oldest kept deliveries until those that are left count at most `most` bytes in all, each its body and
    /// [`KEPT_OVERHEAD`]; returns how many were dropped. Those that are kept meanwhile may be left beyond that.
    async fn bound_kept(&self, app: &App, most: u64) -> Result<u64, StoreError>;

    /// Drops the deliveries that were kept more than `age` ago by the store's clock, and returns how many. One that comes again is kept again.
    /// This is housekeeping, in every app at once: the one exception to the scope, as nobody learns anything of any app. Doing it twice, or
    /// on two nodes at once, does no harm.
    async fn expire_kept(&self, age: Duration) -> Result<u64, StoreError>;

    /// Takes on a duty: work that is to be done on one node of those that share the store, whichever that is. None where another node has it.
    /// A store that has one node grants it always.
    ///
    /// A duty is lost with its holder's way to the store, and for a moment the holder does not know: two nodes may both believe that they have
    /// it. So what is done under it must be safe to do twice, and at once.
    async fn duty(&self, name: &str) -> Result<Option<Duty>, StoreError>;

    /// The form in which batches are to be written: the newest that every process reads that may be at work on the ledger. Every form is
    /// read, whatever this says.
    fn codec(&self) -> Version {
        Version::NEWEST
    }

    /// The epoch of what is told. While it is the same, whatever was read or acknowledged still stands: no batch is gone, none was replaced.
    /// Where that may be so no longer, as when a backup was put back or a standby took over, it is another before anything is told of
    /// what stands since. An append, or a settling, that begins in one epoch does not go into another: it is a conflict, or settles nothing.
    fn epoch(&self) -> u64 {
        0
    }

    /// Makes sure that what was read before is as safe as what is acknowledged: for who vouches for what it has only seen, as for a duplicate.
    /// Nothing to do where nothing is told before it is as safe as it gets.
    async fn confirm(&self) -> Result<(), StoreError> {
        Ok(())
    }

    /// Whether the store can take appends now: writes and syncs something of no meaning.
    async fn ready(&self) -> Result<(), StoreError>;
}
