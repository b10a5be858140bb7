//! What the events of one stream say, before `now` comes in: who did what when, and who held which slot.

use crate::event::{Body, Content, Event, Identity, Kind, Leave, Leaver, PeerInfo, Place, Present, Roll};
use crate::id::{App, Parent, ParentId, Stream};
use crate::time::{SECOND, Timestamp};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use uuid::Uuid;

/// How long a session outlives its last peer where no event says it: 60 seconds.
pub const DEFAULT_KEEP_ALIVE: u16 = 60;

/// The place of a peer among those of its stream, in the order in which they were first heard of.
pub type PeerIx = u32;

/// What a new event is beside those that are known.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// Not known yet.
    New,
    /// Known, with the same content.
    Duplicate,
    /// Its identity is known with other content.
    Conflict,
}

/// The events of one stream in the order that the fold wants them, beside the life-cycles of its sources.
#[derive(Debug)]
pub struct Facts {
    pub(crate) app: App,
    pub(crate) stream: Stream,
    pub(crate) events: Vec<Event>,
    /// What the events tell of their sessions, each once.
    pub(super) places: Vec<Arc<Place>>,
    pub(super) identities: HashMap<Identity, Content>,
    pub(crate) peers: Vec<PeerFacts>,
    pub(super) peer_ix: HashMap<Uuid, PeerIx>,
    /// In a meeting: the ids that its events yield, each with the event and, of a roster's entry, the peer.
    pub(super) derived: HashMap<Uuid, (u32, Option<PeerIx>)>,
    pub(crate) slots: Vec<SlotFacts>,
    pub(super) slot_ix: BTreeMap<(Box<str>, Box<str>), u32>,
    /// Peers and slots that are folded together, as the peers took the slots.
    pub(super) groups: Vec<GroupFacts>,
    /// The peer that a leave by slot is if the slot turns out to be free, by event.
    pub(super) strays: HashMap<u32, PeerIx>,
    /// The times of the explicit ends.
    pub(crate) ends: BTreeSet<Timestamp>,
    /// By source, in order of time.
    pub(super) rosters: BTreeMap<Box<str>, Vec<RosterFact>>,
    /// By source, in order of time; every source that reported here has its line.
    pub(super) lives: BTreeMap<Box<str>, BTreeSet<(Timestamp, Life)>>,
    /// What new events may have changed since it was last asked for.
    pub(super) changes: Changes,
    /// The earliest event that tells a keep-alive: its time, source and id, and the seconds.
    pub(super) keep_alive: Option<(Told, u16)>,
}

/// When an event told something: its time, source and id.
pub(super) type Told = (Timestamp, Box<str>, Box<str>);

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
        Self { peers: BTreeSet::new(), from: Timestamp::from_micros(i64::MAX) }
    }
}

/// A start or a stop of a source. Stops come first, as in the order in which evidence is named.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Life {
    Stopped,
    Started,
}

/// One roster as evidence.
#[derive(Debug)]
pub(crate) struct RosterFact {
    pub(crate) time: Timestamp,
    pub(crate) tolerance: i64,
    /// Ascending.
    pub(crate) has: Vec<PeerIx>,
}

/// One peer's events.
#[derive(Debug)]
pub(crate) struct PeerFacts {
    pub(crate) id: Uuid,
    /// In the order of rule 4.1, but for the choice by state at one time.
    pub(crate) entries: Vec<Entry>,
    /// Those that it is folded together with.
    pub(super) group: Option<u32>,
}

/// One slot's events.
#[derive(Debug)]
pub(crate) struct SlotFacts {
    pub(crate) source: Box<str>,
    /// Leaves that name only the slot.
    pub(crate) leaves: Vec<Entry>,
    pub(super) group: u32,
}

/// Peers that took one slot or another, and these slots. Merged into another, it is empty.
#[derive(Debug, Default)]
pub(crate) struct GroupFacts {
    pub(crate) peers: Vec<PeerIx>,
    pub(crate) slots: Vec<u32>,
}

/// What one event says of one peer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Entry {
    /// The event's time; of a leave whose `joined_at` is later, that.
    pub(crate) time: Timestamp,
    /// The event's place in [`Facts::events`].
    pub(crate) event: u32,
    pub(crate) act: Act,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Act {
    /// The entry of a roster at this position.
    Present(u32),
    Created,
    Joined,
    Left,
    /// A leave that named only this slot.
    LeftSlot(u32),
}

impl Facts {
    /// No events yet.
    #[must_use]
    pub fn new(app: App, stream: Stream) -> Self {
        Self {
            app,
            stream,
            events: Vec::new(),
            places: Vec::new(),
            identities: HashMap::new(),
            peers: Vec::new(),
            peer_ix: HashMap::new(),
            derived: HashMap::new(),
            slots: Vec::new(),
            slot_ix: BTreeMap::new(),
            groups: Vec::new(),
            strays: HashMap::new(),
            ends: BTreeSet::new(),
            rosters: BTreeMap::new(),
            lives: BTreeMap::new(),
            changes: Changes::default(),
            keep_alive: None,
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

    /// The events in the order in which they were taken.
    #[must_use]
    pub fn events(&self) -> &[Event] {
        &self.events
    }

    /// Whether an event is new, known, or in conflict with what is known.
    #[must_use]
    pub fn judge(&self, event: &Event) -> Verdict {
        match self.identities.get(&event.identity()) {
            None => Verdict::New,
            Some(content) if *content == event.content() => Verdict::Duplicate,
            Some(_) => Verdict::Conflict,
        }
    }

    /// The sources that reported here: their life-cycles belong to the evidence.
    pub fn sources(&self) -> impl Iterator<Item = &str> {
        self.lives.keys().map(AsRef::as_ref)
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
        Some(self.events[self.derived(id)?.0 as usize].time)
    }

    /// The peer of this id.
    #[must_use]
    pub fn peer(&self, id: Uuid) -> Option<PeerIx> {
        self.peer_ix.get(&id).copied()
    }

    /// The event of a meeting that yields an id, and the peer where the event is a roster and the id is that of one entry.
    pub(crate) fn derived(&self, id: Uuid) -> Option<(u32, Option<PeerIx>)> {
        self.derived.get(&id).copied()
    }

    /// The peers that an event names: one, or those of a roster; none where it is about the session or a slot.
    pub(crate) fn subjects(&self, event: u32) -> Vec<PeerIx> {
        let named = |info: &PeerInfo| self.peer(self.app.peer(self.stream.id, &info.name));
        match &self.events[event as usize].body {
            Body::PeerCreated(_, info) | Body::PeerJoined(_, info) | Body::PeerLeft(_, Leaver::Peer(info), _) => {
                named(info).into_iter().collect()
            }
            Body::SessionRoster(_, roll) => roll.present.iter().filter_map(|present| named(&present.peer)).collect(),
            _ => Vec::new(),
        }
    }

    /// The public id of an entry's event.
    pub(crate) fn event_id(&self, peer: PeerIx, entry: Entry) -> Uuid {
        let event = self.event_of(entry);
        let of_entry = matches!(entry.act, Act::Present(_)).then(|| self.peers[peer as usize].id);
        self.app.event(self.stream.id, &event.source, &event.id, of_entry)
    }

    pub(crate) fn lives_of(&self, source: &str) -> impl Iterator<Item = (Timestamp, Life)> {
        self.lives.get(source).into_iter().flatten().copied()
    }

    /// The first start or stop of a source after a time.
    pub(crate) fn life_after(&self, source: &str, after: Timestamp) -> Option<(Timestamp, Life)> {
        let from = (Timestamp::from_micros(after.micros().saturating_add(1)), Life::Stopped);
        self.lives.get(source)?.range(from..).next().copied()
    }

    /// A source's rosters later than a time, in order of time.
    pub(crate) fn rosters_after(&self, source: &str, after: Timestamp) -> &[RosterFact] {
        let all = self.rosters.get(source).map_or(&[][..], Vec::as_slice);
        &all[all.partition_point(|r| r.time <= after)..]
    }

    pub(crate) fn event_of(&self, entry: Entry) -> &Event {
        &self.events[entry.event as usize]
    }

    /// What an entry's event tells of the peer; a leave by slot tells nothing.
    pub(crate) fn info(&self, entry: Entry) -> Option<&PeerInfo> {
        match (&self.event_of(entry).body, entry.act) {
            (Body::SessionRoster(_, roll), Act::Present(at)) => roll.present.get(at as usize).map(|p| &p.peer),
            (Body::PeerCreated(_, info) | Body::PeerJoined(_, info) | Body::PeerLeft(_, Leaver::Peer(info), _), _) => Some(info),
            _ => None,
        }
    }

    /// The peer that a leave by slot is where the slot is free.
    pub(crate) fn stray(&self, leave: Entry) -> PeerIx {
        self.strays.get(&leave.event).copied().unwrap_or_default()
    }

    /// The peer that an event is where it is a leave by slot and the slot is free.
    pub(crate) fn stray_of(&self, event: u32) -> Option<PeerIx> {
        self.strays.get(&event).copied()
    }

    /// Whether a peer is a person: as the earliest of all its events that says so has it.
    pub(crate) fn kind(&self, peer: PeerIx) -> Kind {
        let entries = self.peers[peer as usize].entries.iter();
        let told = entries.filter_map(|e| Some((self.told(*e), self.info(*e)?.kind?)));
        told.min_by_key(|(order, _)| *order).map_or(Kind::Person, |(_, kind)| kind)
    }

    /// The slot that an entry takes.
    pub(crate) fn slot_taken_by(&self, entry: Entry) -> Option<u32> {
        let slot = self.info(entry)?.slot.as_ref().filter(|_| matches!(entry.act, Act::Joined | Act::Present(_)))?;
        self.slot_ix.get(&(self.event_of(entry).source.clone(), slot.clone())).copied()
    }

    /// What a peer is folded together with.
    pub(crate) fn group(&self, peer: PeerIx) -> Option<&GroupFacts> {
        Some(&self.groups[self.peers[peer as usize].group? as usize])
    }

    pub(crate) fn leave(&self, entry: Entry) -> Leave {
        match &self.event_of(entry).body {
            Body::PeerLeft(_, _, leave) => leave.clone(),
            _ => Leave::default(),
        }
    }

    pub(crate) fn roll(&self, entry: Entry) -> Option<(&Roll, &Present)> {
        match (&self.event_of(entry).body, entry.act) {
            (Body::SessionRoster(_, roll), Act::Present(at)) => Some((roll, roll.present.get(at as usize)?)),
            _ => None,
        }
    }

    /// Rule 4.1 at one time: rosters first, then by source and id; the choice by state is made where the state is known.
    pub(crate) fn order(&self, entry: Entry) -> (Timestamp, bool, &str, &str) {
        let event = self.event_of(entry);
        (entry.time, !matches!(entry.act, Act::Present(_)), &event.source, &event.id)
    }

    /// Events by the engine's own time, as descriptive fields and peer events are ordered.
    pub(crate) fn told(&self, entry: Entry) -> (Timestamp, &str, &str) {
        let event = self.event_of(entry);
        (event.time, &event.source, &event.id)
    }
}
