//! The slow and obvious reading of `domain.md`, sections 4 and 5: every answer from scratch out of the set of events and `now`.
//!
//! Nothing here is fast, nothing is kept between two questions, and every place where the text leaves a choice is marked
//! `READING n`. The crate's own fold is held against this one; the stories in `tests/stories` are held against both.
//!
//! * `stays`: rules 4.1 to 4.5 and 4.7, one stream's peers and their stays
//! * `unnamed`: rule 4.6, a meeting's stays cut into sessions
//! * `sessions`: rules 4.8 to 4.10, and the resolving of ids
//! * `list`: section 5
//! * `generate`: random histories in a small world
#![allow(dead_code, unreachable_pub, missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

pub mod generate;
mod list;
mod sessions;
mod stays;
mod unnamed;

use rollbook_core::event::Event;
use rollbook_core::id::{App, Stream};
use rollbook_core::time::Timestamp;
use std::collections::BTreeMap;
use uuid::Uuid;

/// Everything that an answer is a function of.
#[derive(Clone, Copy)]
pub struct World<'a> {
    pub app: &'a App,
    /// The accepted set: any order, any duplication.
    pub events: &'a [Event],
    pub now: Timestamp,
}

/// What can be asked. A second implementation answers it too, and is then held against the reference.
pub trait Ledger {
    /// Every named and every unnamed session, by id.
    fn sessions(&self) -> Vec<SessionAnswer>;
    /// The session of any id that was ever served.
    fn session(&self, id: Uuid) -> Option<SessionAnswer>;
    /// The participants list of a session (any id that resolves), unpaged.
    fn participants(&self, session: Uuid, ask: &Ask<'_>) -> Option<Vec<RowAnswer>>;
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum View {
    Raw,
    Consolidated,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Sort {
    JoinedAt,
    Duration,
}

/// A question about a participants list.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Ask<'a> {
    pub view: View,
    pub sort: Sort,
    pub descending: bool,
    pub search: Option<&'a str>,
}

impl Ask<'_> {
    pub fn raw() -> Self {
        Self { view: View::Raw, sort: Sort::JoinedAt, descending: false, search: None }
    }

    pub fn consolidated() -> Self {
        Self { view: View::Consolidated, ..Self::raw() }
    }
}

/// What closed a stay, other than its leave; in the order that rule 4.4 gives them at one time.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum ClosedBy {
    SessionEnded,
    Roster,
    SourceStopped,
    SourceStarted,
    SlotTaken,
    MaxStay,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum AnomalyKind {
    DuplicateJoin,
    JoinMissing,
    LeftWithoutJoin,
    LeftAgain,
    JoinedByRoster,
    JoinAfterEnd,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum PeerEventName {
    Created,
    Joining,
    Leaving,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PeerEventAnswer {
    pub id: Uuid,
    pub peer_id: Uuid,
    pub session: Uuid,
    pub name: PeerEventName,
    pub at: Timestamp,
    pub preset_view_type: Option<String>,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StayAnswer {
    pub start: Timestamp,
    pub out: Option<Timestamp>,
    pub closed_by: Option<ClosedBy>,
    /// Microseconds; none while in.
    pub uncertain: Option<i64>,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RowAnswer {
    pub session: Uuid,
    pub id: Uuid,
    pub user_id: Option<String>,
    pub custom_participant_id: Option<String>,
    pub display_name: Option<String>,
    pub preset_name: Option<String>,
    pub joined_at: Timestamp,
    pub left_at: Option<Timestamp>,
    /// Exact and unclamped, as sorted: negative where `now` lies before the join of who is in.
    pub duration_micros: i64,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    pub peer_events: Vec<PeerEventAnswer>,
    /// By (start, out with none last, closed by, uncertain).
    pub stays: Vec<StayAnswer>,
    /// By (time, kind).
    pub anomalies: Vec<(AnomalyKind, Timestamp)>,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SessionAnswer {
    pub id: Uuid,
    pub stream: Stream,
    pub meeting: Option<Uuid>,
    pub title: Option<String>,
    pub parent: Option<Uuid>,
    pub live: bool,
    pub started_at: Timestamp,
    pub ended_at: Option<Timestamp>,
    pub live_participants: u64,
    pub max_concurrent: u64,
    pub consumed_micros: i128,
    pub participants: u64,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    pub keep_alive: u16,
}

impl<'a> World<'a> {
    /// The set: one of each identity (stream, source, id), by stream.
    fn streams(&self) -> BTreeMap<Stream, Vec<&'a Event>> {
        let mut set: BTreeMap<(Stream, &str, &str), &'a Event> = BTreeMap::new();
        for event in self.events {
            set.entry((self.app.stream_of(event), &event.source, &event.id)).or_insert(event);
        }
        let mut streams: BTreeMap<Stream, Vec<&'a Event>> = BTreeMap::new();
        for ((stream, ..), event) in set {
            streams.entry(stream).or_default().push(event);
        }
        for events in streams.values_mut() {
            events.sort_by_key(|e| order(e));
        }
        streams
    }
}

/// The order that everything falls back to: (`time`, `source`, `id`), bytewise.
fn order(event: &Event) -> (Timestamp, &str, &str) {
    (event.time, &event.source, &event.id)
}

/// The value of the earliest event that carries it; `from` is in the order of [`order`].
fn earliest<'e, E, T>(from: impl IntoIterator<Item = E>, carried: impl Fn(E) -> Option<T> + 'e) -> Option<T> {
    from.into_iter().find_map(carried)
}
