//! What is recorded of the events: read back from records and heap.

use super::facts::{Facts, PeerIx};
use super::heap::Reader;
use super::record::{Act, Entry, Next, Record, RecordIx, What};
use super::said::Said;
use crate::event::{Content, Kind, Leave};
use crate::time::Timestamp;
use std::cmp::Ordering;
use uuid::Uuid;

impl Facts {
    /// The events in the order in which they were taken.
    pub(crate) fn events(&self) -> impl Iterator<Item = RecordIx> {
        (0u32..).zip(&self.records).filter(|(_, record)| record.what != What::Present).map(|(ix, _)| ix)
    }

    /// What a record is of.
    pub(crate) fn what(&self, record: RecordIx) -> What {
        self.records[record as usize].what
    }

    /// The event of an entry of a roster; any other is one itself.
    pub(super) fn head(&self, record: RecordIx) -> RecordIx {
        let known = &self.records[record as usize];
        if known.what == What::Present { known.origin } else { record }
    }

    /// The time of a record's event, by the engine's own clock.
    pub(crate) fn time(&self, record: RecordIx) -> Timestamp {
        self.records[self.head(record) as usize].time
    }

    /// The number of the source of a record's event.
    pub(super) fn source(&self, record: RecordIx) -> u32 {
        self.records[self.head(record) as usize].origin
    }

    /// The source and the id of a record's event.
    pub(crate) fn identity(&self, record: RecordIx) -> (&str, &str) {
        (self.sources.read(&self.heap, self.source(record)).text(), self.text(self.head(record)).text())
    }

    pub(super) fn id(&self, event: RecordIx) -> &[u8] {
        self.text(event).raw_text()
    }

    pub(super) fn text(&self, record: RecordIx) -> Reader<'_> {
        self.heap.at(self.records[record as usize].text())
    }

    /// What the event tells of its session, by its place in the list; none of a source's life-cycle.
    pub(crate) fn place(&self, event: RecordIx) -> Option<u32> {
        self.told_by(event).0
    }

    /// The place that an event names, and what else it tells.
    fn told_by(&self, event: RecordIx) -> (Option<u32>, Reader<'_>) {
        let mut text = self.text(event);
        text.raw_text();
        text.content();
        (text.small().checked_sub(1), text)
    }

    /// The digest of what an event tells.
    pub(super) fn content(&self, event: RecordIx) -> Content {
        let mut text = self.text(event);
        text.raw_text();
        text.content()
    }

    /// The records of what a peer's events say, the last in the order of rule 4.1 first.
    pub(crate) fn newest_first(&self, peer: PeerIx) -> impl Iterator<Item = RecordIx> {
        self.from(self.peers.get(peer as usize).map_or(Next::NOTHING, |peer| peer.newest))
    }

    /// The records of a peer that lie before one of them.
    pub(super) fn older(&self, record: RecordIx) -> impl Iterator<Item = RecordIx> {
        self.from(self.records[record as usize].next)
    }

    fn from(&self, mut next: Next) -> impl Iterator<Item = RecordIx> {
        std::iter::from_fn(move || {
            let record = next.get().ok()?;
            next = self.records.get(record as usize)?.next;
            Some(record)
        })
    }

    /// Looks at what will be read of some peers: so the waits for memory that is far away pass together, not one after the other.
    pub(crate) fn look_ahead(&self, peers: &[PeerIx]) {
        // What most is told by is the first event, and most peers have two at most.
        let newest = |peer: &PeerIx| self.newest_first(*peer).next();
        let older = |peer: &PeerIx| self.newest_first(*peer).take(2).last();
        let seen = peers.iter().filter_map(newest).fold(0, |seen, record| seen ^ record);
        let seen = peers.iter().filter_map(older).fold(seen, |seen, record| seen ^ self.records[record as usize].origin);
        let texts = peers.iter().filter_map(older).map(|record| self.text(record).look_ahead());
        std::hint::black_box(texts.fold(u64::from(seen), |seen, text| seen ^ text));
    }

    /// The peer of a record that is in a peer's chain.
    pub(crate) fn peer_of(&self, record: RecordIx) -> Option<PeerIx> {
        let mut next = self.records[record as usize].next;
        if next == Next::NOTHING {
            return None;
        }
        loop {
            match next.get() {
                Ok(record) => next = self.records[record as usize].next,
                Err(peer) => return Some(peer),
            }
        }
    }

    /// The peers that an event names, each with what the event says of it: one, or those of a roster; none where it is about the session
    /// or a slot.
    pub(crate) fn subjects(&self, event: RecordIx) -> Vec<(PeerIx, RecordIx)> {
        let named = |record| Some((self.peer_of(record)?, record));
        if self.what(event) == What::Roster {
            self.entries_of(event).filter_map(named).collect()
        } else {
            named(event).into_iter().collect()
        }
    }

    /// The entries of a roster, each peer's first.
    pub(super) fn entries_of(&self, roster: RecordIx) -> impl Iterator<Item = RecordIx> {
        (roster + 1..).take_while(move |ix| {
            let record = self.records.get(*ix as usize);
            record.is_some_and(|record| record.what == What::Present && record.origin == roster)
        })
    }

    /// The public id of a record's event, or of its entry of a roster.
    pub(crate) fn event_id(&self, record: RecordIx) -> Uuid {
        let (source, id) = self.identity(record);
        let of_entry = (self.what(record) == What::Present).then(|| self.peer_of(record)).flatten();
        self.app.event(self.stream.id, source, id, of_entry.map(|peer| self.peers[peer as usize].id))
    }

    /// A record of a peer's event as the fold takes it.
    pub(crate) fn entry(&self, record: RecordIx) -> Entry {
        let known = &self.records[record as usize];
        let (time, act) = match known.what {
            What::Present => (self.time(record), Act::Present),
            What::Joined => (known.time, Act::Joined),
            What::Left => (known.time, Act::Left),
            What::LeftTelling => (taken_at(known.time, &self.leave(record)), Act::Left),
            What::LeftSlot => {
                let (slot, mut rest) = self.left_slot(record);
                (taken_at(known.time, &rest.leave()), Act::LeftSlot(slot))
            }
            _ => (known.time, Act::Created),
        };
        Entry { time, record, act }
    }

    fn left_slot(&self, leave: RecordIx) -> (u32, Reader<'_>) {
        let (_, mut told) = self.told_by(leave);
        (told.small(), told)
    }

    /// What a leave tells beside who left and when.
    pub(crate) fn leave(&self, record: RecordIx) -> Leave {
        match self.what(record) {
            What::LeftTelling => self.told_by(record).1.leave(),
            What::LeftSlot => self.left_slot(record).1.leave(),
            _ => Leave::default(),
        }
    }

    /// Where what a record says of its peer is written.
    pub(crate) fn said_at(&self, record: RecordIx) -> Option<u64> {
        let known = &self.records[record as usize];
        match known.what {
            What::Present => return Some(known.text()),
            What::Created | What::Joined | What::Left | What::LeftTelling => {}
            _ => return None,
        }
        let (_, mut told) = self.told_by(record);
        if known.what == What::LeftTelling {
            told.leave();
        }
        let elsewhere = told.number().checked_sub(1);
        elsewhere.or_else(|| Some(self.heap.place_of(&told)))
    }

    /// What a record says of its peer; a leave by slot says nothing.
    pub(crate) fn said(&self, record: RecordIx) -> Option<Said<'_>> {
        Some(self.heap.at(self.said_at(record)?).said())
    }

    /// What is written at a place that a record tells (see [`Facts::said_at`]).
    pub(crate) fn said_there(&self, place: u64) -> Said<'_> {
        self.heap.at(place).said()
    }

    /// The name of a preset, or its kind of view, in UTF-8.
    pub(crate) fn preset(&self, number: u32) -> &[u8] {
        self.presets.read(&self.heap, number).raw_text()
    }

    /// Whether a peer is a person: as the earliest of all its events that says so has it.
    pub(crate) fn kind(&self, peer: PeerIx) -> Kind {
        if !self.tells_kinds {
            return Kind::Person;
        }
        let told = self.newest_first(peer).filter_map(|record| Some((record, self.said(record)?.kind?)));
        told.min_by(|(a, _), (b, _)| self.compare_told(*a, *b)).map_or(Kind::Person, |(_, kind)| kind)
    }

    /// The slot that an entry takes.
    pub(crate) fn slot_taken_by(&self, entry: Entry) -> Option<u32> {
        if self.slots.is_empty() || !matches!(entry.act, Act::Joined | Act::Present) {
            return None;
        }
        self.said(entry.record)?.slot
    }

    /// Of an entry of a roster: the roster's tolerance, and since when the peer is in, where it is told.
    pub(crate) fn roll(&self, entry: Entry) -> Option<(i64, Option<Timestamp>)> {
        let record = self.records.get(entry.record as usize).filter(|record| record.what == What::Present)?;
        let tolerance = self.told_by(record.origin).1.number() as i64;
        Some((tolerance, Some(record.time).filter(|time| *time != Record::UNTOLD)))
    }

    /// Rule 4.1 at one time: rosters first, then by source and id; the choice by state is made where the state is known.
    pub(crate) fn compare_order(&self, a: Entry, b: Entry) -> Ordering {
        let rank = |entry: Entry| (entry.time, !matches!(entry.act, Act::Present));
        rank(a).cmp(&rank(b)).then_with(|| self.compare_identities(a.record, b.record))
    }

    /// Events by the engine's own time, as descriptive fields and peer events are ordered.
    pub(crate) fn compare_told(&self, a: RecordIx, b: RecordIx) -> Ordering {
        self.time(a).cmp(&self.time(b)).then_with(|| self.compare_identities(a, b))
    }

    fn compare_identities(&self, a: RecordIx, b: RecordIx) -> Ordering {
        let (of_a, of_b) = (self.source(a), self.source(b));
        let source = |number| self.sources.read(&self.heap, number).raw_text();
        let by_source = if of_a == of_b { Ordering::Equal } else { source(of_a).cmp(source(of_b)) };
        by_source.then_with(|| self.id(self.head(a)).cmp(self.id(self.head(b))))
    }
}

/// A leave that says that its peer joined later than it left comes from a clock of whole seconds.
pub(super) fn taken_at(time: Timestamp, leave: &Leave) -> Timestamp {
    leave.joined_at.map_or(time, |joined| joined.max(time))
}
