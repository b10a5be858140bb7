//! What the events of one stream say, before `now` comes in: who did what when, and who held which slot.

use super::heap::{Heap, Names};
use super::record::{Next, Record, RecordIx, What};
use super::table::Table;
use super::touched::Touched;
use crate::event::Place;
use crate::id::{App, Parent, ParentId, Stream};
use crate::time::{SECOND, Timestamp};
use foldhash::quality::RandomState;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::hash::BuildHasher;
use std::sync::Arc;
use uuid::Uuid;

/// How long a session outlives its last peer where no event says it: 60 seconds.
pub const DEFAULT_KEEP_ALIVE: u16 = 60;

/// The place of a peer among those of its stream, in the order in which they were first heard of.
pub type PeerIx = u32;

/// What the events of one stream say, in the order that the fold wants it, beside the life-cycles of its sources.
///
/// Of an event no more is kept than an answer can depend on: of its content, a digest for the rest.
#[derive(Debug)]
pub struct Facts {
    pub(crate) app: App,
    pub(crate) stream: Stream,
    pub(super) heap: Heap,
    pub(super) records: Vec<Record>,
    /// The events by source and id.
    pub(super) known: Table,
    pub(super) hasher: RandomState,
    pub(super) sources: Names,
    /// Presets and their kinds of view.
    pub(super) presets: Names,
    /// What the events tell of their sessions.
    pub(crate) places: Vec<PlaceFacts>,
    /// The times that the events tell of their sessions.
    pub(crate) times: Times,
    pub(crate) peers: Vec<PeerFacts>,
    pub(super) by_id: Table,
    /// In a meeting: the ids that its events and the entries of its rosters yield.
    pub(super) derived: HashMap<Uuid, RecordIx>,
    pub(crate) slots: Vec<SlotFacts>,
    pub(super) by_slot: Table,
    /// Peers and slots that are folded together, as the peers took the slots.
    pub(super) groups: Vec<GroupFacts>,
    /// The group of each peer that is in one.
    pub(super) bound: BTreeMap<PeerIx, u32>,
    /// The peer that a leave by slot is if the slot turns out to be free.
    pub(super) strays: HashMap<RecordIx, PeerIx>,
    /// The times of the explicit ends.
    pub(crate) ends: BTreeSet<Timestamp>,
    /// By source, in order of time.
    pub(super) rosters: BTreeMap<u32, Vec<RosterFact>>,
    /// By source, in order of time.
    pub(super) lives: BTreeMap<u32, BTreeSet<(Timestamp, Life)>>,
    /// The peers that new events may have changed since it was last asked for.
    pub(super) touched: Touched,
    /// The sessions of a meeting may have changed from this time on.
    pub(super) changed_from: Timestamp,
    /// The earliest event that tells a keep-alive, and the seconds.
    pub(super) keep_alive: Option<(RecordIx, u16)>,
    /// Whether any event tells a peer's kind.
    pub(super) tells_kinds: bool,
}

/// Later than anything.
pub(super) const NEVER: Timestamp = Timestamp::from_micros(i64::MAX);

/// What new events may have changed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Changes {
    /// These peers.
    pub(crate) peers: BTreeSet<PeerIx>,
    /// The sessions of a meeting from this time on, whatever its peers.
    pub(crate) from: Timestamp,
}

impl Changes {
    /// Whether nothing changed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

impl Default for Changes {
    fn default() -> Self {
        Self { peers: BTreeSet::new(), from: NEVER }
    }
}

/// A start or a stop of a source. Stops come first, as in the order in which evidence is named.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Life {
    Stopped,
    Started,
}

/// What events tell of their session, with the earliest that tells just this.
#[derive(Debug)]
pub(crate) struct PlaceFacts {
    pub(crate) place: Arc<Place>,
    pub(crate) earliest: RecordIx,
}

/// When the events of a stream happened.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Times {
    /// The earliest start of the session.
    pub(crate) started: Option<Timestamp>,
    /// The latest end of the session.
    pub(crate) ended: Option<Timestamp>,
    /// The first and the last event.
    pub(crate) span: Option<(Timestamp, Timestamp)>,
}

impl Times {
    /// Adds an event.
    pub(crate) fn take(&mut self, what: What, time: Timestamp) {
        let (first, last) = self.span.unwrap_or((time, time));
        self.span = Some((first.min(time), last.max(time)));
        match what {
            What::SessionStarted => self.started = Some(self.started.map_or(time, |at| at.min(time))),
            What::SessionEnded => self.ended = self.ended.max(Some(time)),
            _ => {}
        }
    }
}

/// One roster as evidence.
#[derive(Debug)]
pub(crate) struct RosterFact {
    pub(crate) time: Timestamp,
    pub(crate) tolerance: i64,
    /// Ascending.
    pub(crate) has: Box<[PeerIx]>,
}

/// One peer.
#[derive(Debug)]
pub(crate) struct PeerFacts {
    pub(crate) id: Uuid,
    /// The first link of the chain of what its events say, in the reverse of the order of rule 4.1, but for the choice by state at one time.
    pub(super) newest: Next,
}

/// One slot's events.
#[derive(Debug)]
pub(crate) struct SlotFacts {
    pub(crate) source: u32,
    /// Where its name is in the heap.
    pub(super) name: u64,
    /// Leaves that name only the slot.
    pub(crate) leaves: Vec<RecordIx>,
    pub(super) group: u32,
}

/// Peers that took one slot or another, and these slots. Merged into another, it is empty.
#[derive(Debug, Default)]
pub(crate) struct GroupFacts {
    pub(crate) peers: Vec<PeerIx>,
    pub(crate) slots: Vec<u32>,
}

impl Facts {
    /// No events yet.
    #[must_use]
    pub fn new(app: App, stream: Stream) -> Self {
        Self {
            app,
            stream,
            heap: Heap::default(),
            records: Vec::new(),
            known: Table::default(),
            hasher: RandomState::default(),
            sources: Names::default(),
            presets: Names::default(),
            places: Vec::new(),
            times: Times::default(),
            peers: Vec::new(),
            by_id: Table::default(),
            derived: HashMap::new(),
            slots: Vec::new(),
            by_slot: Table::default(),
            groups: Vec::new(),
            bound: BTreeMap::new(),
            strays: HashMap::new(),
            ends: BTreeSet::new(),
            rosters: BTreeMap::new(),
            lives: BTreeMap::new(),
            touched: Touched::default(),
            changed_from: NEVER,
            keep_alive: None,
            tells_kinds: false,
        }
    }

    /// The app that the stream belongs to.
    #[must_use]
    pub fn app(&self) -> &App {
        &self.app
    }

    /// The stream.
    #[must_use]
    pub fn stream(&self) -> Stream {
        self.stream
    }

    /// Whether a source reported here.
    #[must_use]
    pub fn has_source(&self, source: &str) -> bool {
        self.sources.find(&self.heap, source).is_some()
    }

    /// The sources that reported here: their life-cycles belong to the evidence.
    pub fn sources(&self) -> impl Iterator<Item = &str> {
        (0..self.sources.len()).map(|ix| self.sources.read(&self.heap, ix).text())
    }

    /// How long the stream's sessions outlive their last peer, in microseconds: as the earliest event says that says so.
    #[must_use]
    pub fn keep_alive(&self) -> i64 {
        i64::from(self.keep_alive.as_ref().map_or(DEFAULT_KEEP_ALIVE, |(_, seconds)| *seconds)) * SECOND
    }

    /// The id that a parent's name leads to.
    pub(crate) fn parent_id(&self, parent: &Parent) -> ParentId {
        match parent {
            Parent::Session(name) => ParentId::Session(self.app.session(name)),
            Parent::Meeting(name) => ParentId::Meeting(self.app.meeting(name)),
        }
    }

    /// The time of the event of a meeting that yields an id.
    #[must_use]
    pub fn yielded_at(&self, id: Uuid) -> Option<Timestamp> {
        Some(self.time(self.derived(id)?))
    }

    /// The peer of this id.
    #[must_use]
    pub fn peer(&self, id: Uuid) -> Option<PeerIx> {
        self.by_id.find(self.hasher.hash_one(id), |ix| self.peers[ix as usize].id == id)
    }

    /// The event of a meeting that yields an id, or the entry of a roster.
    pub(crate) fn derived(&self, id: Uuid) -> Option<RecordIx> {
        self.derived.get(&id).copied()
    }

    pub(crate) fn lives_of(&self, source: u32) -> impl Iterator<Item = (Timestamp, Life)> {
        self.lives.get(&source).into_iter().flatten().copied()
    }

    /// The first start or stop of a source after a time.
    pub(crate) fn life_after(&self, source: u32, after: Timestamp) -> Option<(Timestamp, Life)> {
        let from = (Timestamp::from_micros(after.micros().saturating_add(1)), Life::Stopped);
        self.lives.get(&source)?.range(from..).next().copied()
    }

    /// A source's rosters later than a time, in order of time.
    pub(crate) fn rosters_after(&self, source: u32, after: Timestamp) -> &[RosterFact] {
        let all = self.rosters.get(&source).map_or(&[][..], Vec::as_slice);
        &all[all.partition_point(|r| r.time <= after)..]
    }

    /// The peer that a leave by slot is where the slot is free.
    pub(crate) fn stray(&self, leave: RecordIx) -> Option<PeerIx> {
        self.strays.get(&leave).copied()
    }

    /// Whether anyone is folded together with others.
    pub(crate) fn has_groups(&self) -> bool {
        !self.bound.is_empty()
    }

    /// What a peer is folded together with.
    pub(crate) fn group(&self, peer: PeerIx) -> Option<&GroupFacts> {
        Some(&self.groups[*self.bound.get(&peer)? as usize])
    }
}
