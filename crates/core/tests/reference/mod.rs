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
//!
//! READING 0: `now` hides nothing: events later than it are folded like all others (rule 2 of the ledger: a function of the set and of
//! `now`); it only counts where a rule names it: durations of who is in, the maximum stay, LIVE.
#![allow(dead_code, unreachable_pub, missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

pub mod generate;
mod list;
mod sessions;
mod stays;
mod unnamed;

use rollbook_core::event::{Body, Event};
use rollbook_core::id::{App, Stream};
use rollbook_core::time::Timestamp;
use std::collections::{BTreeMap, BTreeSet};
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

/// Everything that can be asked of a ledger, a line an answer: two ledgers are held against each other by comparing these.
/// `events` tell which ids can have been served; they need not all have been accepted.
pub fn everything(ledger: &dyn Ledger, app: &App, events: &[Event]) -> Vec<String> {
    let mut all = vec![];
    for session in ledger.sessions() {
        all.push(format!("{session:?}"));
        for view in [View::Raw, View::Consolidated] {
            for sort in [Sort::JoinedAt, Sort::Duration] {
                let ask = Ask { view, sort, ..Ask::raw() };
                let rows = ledger.participants(session.id, &ask).unwrap_or_default();
                all.extend(rows.iter().map(|row| format!("{view:?} {sort:?} of {}: {row:?}", session.id)));
            }
        }
    }
    let mut ids = BTreeSet::new();
    for event in events {
        let stream = app.stream_of(event);
        ids.insert((stream, app.event(stream.id, &event.source, &event.id, None)));
        if let Body::SessionRoster(_, roll) = &event.body {
            let entries = roll.present.iter().map(|p| app.peer(stream.id, &p.peer.name));
            ids.extend(entries.map(|peer| (stream, app.event(stream.id, &event.source, &event.id, Some(peer)))));
        }
    }
    // An id that leads to no session (READING 23) is compared by what the text says of it: ENDED, and of no rows.
    let shown =
        |s: SessionAnswer| if s.participants == 0 && s.id != s.stream.id { format!("ended: {}", !s.live) } else { format!("{}", s.id) };
    all.extend(ids.iter().map(|(stream, id)| format!("{stream} {id} is {:?}", ledger.session(*id).map(shown))));
    all
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
