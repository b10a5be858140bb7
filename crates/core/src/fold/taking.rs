//! How facts grow: an event is recorded where the fold will look for it, and what it may change is noted.

use super::facts::{Changes, Facts, GroupFacts, Life, NEVER, PeerFacts, PeerIx, PlaceFacts, RosterFact, SlotFacts};
use super::heap::make_room;
use super::judging::New;
use super::record::{Next, Record, RecordIx, What};
use super::said::Numbers;
use crate::event::{Body, Content, Event, Leave, Leaver, PeerInfo, Place, Roll};
use crate::id::{App, Stream, StreamKind};
use crate::time::Timestamp;
use std::collections::BTreeSet;
use std::hash::BuildHasher;
use std::sync::Arc;
use uuid::Uuid;

/// How many of the places last heard of an event's is compared with.
const PLACES_COMPARED: usize = 8;
/// With how many earlier records of a peer it is compared what another says of it.
const SAID_COMPARED: usize = 4;

impl Facts {
    /// Takes an event of this stream, if it is new. Events of other streams, and life-cycles, change nothing here.
    pub fn take(&mut self, event: &Event) {
        self.take_digested(event, event.content());
    }

    /// The same, of an event whose content's digest is known already.
    pub fn take_digested(&mut self, event: &Event, content: Content) {
        if !self.is_own(event) {
            return;
        }
        let hash = self.hash(event);
        let source = self.sources.find(&self.heap, &event.source);
        if source.and_then(|source| self.event(source, &event.id, hash)).is_none() {
            self.take_new(New { event, content, peer: self.app.peer_of(self.stream, event), hash });
        }
    }

    /// The same, of an event of this stream that is new: see [`Verdict::New`](super::Verdict::New).
    pub fn take_new(&mut self, new: New<'_>) {
        let New { event, content, peer, hash } = new;
        let source = self.sources.number(&mut self.heap, &event.source);
        let head = self.record(event, source, content, peer);
        let mut known = std::mem::take(&mut self.known);
        known.insert(hash.of(source), head, |event| {
            let source = self.source(event);
            self.hash_of(self.id(event)).of(source)
        });
        self.known = known;
        if self.stream.kind == StreamKind::Source {
            return;
        }
        // Even what changes no stay may change what is told of the session, and a reading that was never made has none.
        self.changed_from = self.changed_from.min(event.time);
        self.times.take(self.what(head), event.time);
        self.note_place(event, head);
        if self.stream.kind == StreamKind::Meeting {
            self.derived.insert(self.event_id(head), head);
        }
    }

    /// Whether an event is of this stream. What tells of its session just what an earlier one did is; of any other the stream's id decides.
    fn is_own(&self, event: &Event) -> bool {
        let known = match event.shared_place() {
            Some(place) => self.known_place(place).is_some(),
            None => self.stream.kind == StreamKind::Source && self.sources.find(&self.heap, &event.source).is_some(),
        };
        known || self.app.stream_of(event) == self.stream
    }

    /// Takes a start or stop of one of this stream's sources; anything else changes nothing.
    pub fn take_life(&mut self, event: &Event) {
        let life = match event.body {
            Body::SourceStarted => Life::Started,
            Body::SourceStopped => Life::Stopped,
            _ => return,
        };
        if let Some(source) = self.sources.find(&self.heap, &event.source)
            && self.lives.entry(source).or_default().insert((event.time, life))
        {
            self.touch_all();
        }
    }

    /// What changed since this was last called.
    pub fn take_changes(&mut self) -> Changes {
        Changes { peers: self.touched.take(), from: std::mem::replace(&mut self.changed_from, NEVER) }
    }

    /// About how many peers changed since the changes were last taken; none only where none did.
    #[must_use]
    pub fn changed(&self) -> usize {
        self.touched.len()
    }

    /// Puts back changes that were taken and not acted upon.
    pub fn give_back(&mut self, changes: Changes) {
        changes.peers.into_iter().for_each(|peer| self.touched.insert(peer));
        self.changed_from = self.changed_from.min(changes.from);
    }

    fn touch_all(&mut self) {
        (0..u32::try_from(self.peers.len()).unwrap_or(u32::MAX)).for_each(|peer| self.touched.insert(peer));
    }

    /// Records an event with all that an answer can depend on; returns its head.
    fn record(&mut self, event: &Event, source: u32, content: Content, peer: Option<Uuid>) -> RecordIx {
        let named = |info: &PeerInfo, facts: &Self| peer.unwrap_or_else(|| facts.app.peer(facts.stream.id, &info.name));
        match &event.body {
            Body::PeerCreated(_, info) => self.record_peer(event, What::Created, source, content, (named(info, self), info), None),
            Body::PeerJoined(_, info) => self.record_peer(event, What::Joined, source, content, (named(info, self), info), None),
            Body::PeerLeft(_, Leaver::Peer(info), leave) => {
                let tells = leave.joined_at.is_some() || leave.uncertain != 0;
                let what = if tells { What::LeftTelling } else { What::Left };
                self.record_peer(event, what, source, content, (named(info, self), info), tells.then_some(leave))
            }
            Body::PeerLeft(_, Leaver::Slot(slot), leave) => self.record_leave_of_slot(event, source, content, slot, leave),
            Body::SessionRoster(_, roll) => self.record_roster(event, source, content, roll),
            Body::SessionStarted(_) => self.record_alone(event, What::SessionStarted, source, content),
            Body::SourceStarted | Body::SourceStopped => self.record_alone(event, What::Life, source, content),
            Body::SessionEnded(..) => {
                if self.ends.insert(event.time) {
                    self.touch_all();
                }
                self.record_alone(event, What::SessionEnded, source, content)
            }
        }
    }

    fn record_alone(&mut self, event: &Event, what: What, source: u32, content: Content) -> RecordIx {
        let text = self.write_head(event, content);
        self.push(Record::new(what, event.time, source, text))
    }

    /// What every event has in the heap: its id, the digest of its content, its place (the number + 1, or 0).
    fn write_head(&mut self, event: &Event, content: Content) -> u64 {
        let place = self.place_number(event);
        let text = self.heap.end();
        self.heap.text(&event.id);
        self.heap.bytes(&content.0);
        self.heap.number(place.map_or(0, |place| u64::from(place) + 1));
        text
    }

    fn push(&mut self, record: Record) -> RecordIx {
        let ix = self.next_record();
        make_room(&mut self.records, 1);
        self.records.push(record);
        ix
    }

    fn next_record(&self) -> RecordIx {
        u32::try_from(self.records.len()).unwrap_or(u32::MAX)
    }

    /// Of a peer's event the heap also has what a leave tells, where it tells anything; then 0 and what is said of the peer, or where
    /// the same is written + 1.
    fn record_peer(
        &mut self,
        event: &Event,
        what: What,
        source: u32,
        content: Content,
        (id, info): (Uuid, &PeerInfo),
        leave: Option<&Leave>,
    ) -> RecordIx {
        let takes = what == What::Joined;
        let numbers = self.numbers(source, info, takes);
        let peer = self.peer_of_id(id);
        let text = self.write_head(event, content);
        if let Some(leave) = leave {
            self.heap.leave(leave);
        }
        let unsaid = self.heap.end();
        self.heap.number(0);
        let said = self.heap.say(info, numbers);
        let ix = self.push(Record::new(what, event.time, source, text));
        self.chain(peer, ix);
        if let Some(known) = self.said_before(peer, ix, said, takes) {
            self.heap.forget(unsaid);
            self.heap.number(known + 1);
        }
        self.bind_to(peer, numbers.slot);
        ix
    }

    /// Of a leave by slot the heap also has the slot's number, and what the leave tells.
    fn record_leave_of_slot(&mut self, event: &Event, source: u32, content: Content, slot: &str, leave: &Leave) -> RecordIx {
        let slot = self.slot(source, slot);
        let stray = self.peer_of_id(self.app.peer_by_key(self.stream.id, &self.app.stray_key(event)));
        let text = self.write_head(event, content);
        self.heap.number(u64::from(slot));
        self.heap.leave(leave);
        let ix = self.push(Record::new(What::LeftSlot, event.time, source, text));
        self.strays.insert(ix, stray);
        self.bind_to(stray, Some(slot));
        self.slots[slot as usize].leaves.push(ix);
        self.touched.insert(stray);
        ix
    }

    /// Of a roster the heap also has its tolerance; the records of its entries follow its own.
    fn record_roster(&mut self, event: &Event, source: u32, content: Content, roll: &Roll) -> RecordIx {
        let text = self.write_head(event, content);
        self.heap.number(roll.tolerance as u64);
        let head = self.push(Record::new(What::Roster, event.time, source, text));
        let mut has = BTreeSet::new();
        for present in &roll.present {
            let peer = self.peer_named(&present.peer);
            if !has.insert(peer) {
                continue;
            }
            let numbers = self.numbers(source, &present.peer, true);
            let said = self.heap.say(&present.peer, numbers);
            let told = present.joined_at.unwrap_or(Record::UNTOLD);
            let ix = self.push(Record::new(What::Present, told, head, said));
            self.chain(peer, ix);
            if let Some(known) = self.said_before(peer, ix, said, true) {
                self.heap.forget(said);
                self.records[ix as usize].set_text(known);
            }
            self.bind_to(peer, numbers.slot);
            if self.stream.kind == StreamKind::Meeting {
                let id = self.app.event(self.stream.id, &event.source, &event.id, Some(self.peers[peer as usize].id));
                self.derived.insert(id, ix);
            }
        }
        let fact = RosterFact { time: event.time, tolerance: roll.tolerance, has: has.into_iter().collect() };
        let of_source = self.rosters.entry(source).or_default();
        of_source.insert(of_source.partition_point(|r| r.time <= fact.time), fact);
        self.touch_all();
        head
    }

    /// The numbers of what is told again and again. They are written to the heap themselves, and so before what refers to them.
    fn numbers(&mut self, source: u32, info: &PeerInfo, takes_slot: bool) -> Numbers {
        self.tells_kinds |= info.kind.is_some();
        let mut preset = |name: &Option<Box<str>>| name.as_ref().map(|name| self.presets.number(&mut self.heap, name));
        let (preset_name, preset_view_type) = (preset(&info.preset_name), preset(&info.preset_view_type));
        let slot = info.slot.as_ref().filter(|_| takes_slot).map(|slot| self.slot(source, slot));
        Numbers { slot, preset_name, preset_view_type }
    }

    /// Where what was just written of a peer is written already, in a record near by in its chain.
    fn said_before(&self, peer: PeerIx, ix: RecordIx, said: u64, takes_slot: bool) -> Option<u64> {
        let older = self.older(ix).take(SAID_COMPARED);
        let near = older.chain(self.newest_first(peer).take(1)).filter(|near| *near != ix);
        near.filter_map(|near| self.said_at(near)).find(|known| self.heap.same_said(*known, said, takes_slot))
    }

    /// Puts a record in its place among those of its peer.
    fn chain(&mut self, peer: PeerIx, ix: RecordIx) {
        self.touched.insert(peer);
        let entry = self.entry(ix);
        let (mut later, mut next) = (None, self.peers[peer as usize].newest);
        while let Ok(known) = next.get()
            && self.compare_order(self.entry(known), entry).is_gt()
        {
            (later, next) = (Some(known), self.records[known as usize].next);
        }
        self.records[ix as usize].next = next;
        match later {
            Some(later) => self.records[later as usize].next = Next::record(ix),
            None => self.peers[peer as usize].newest = Next::record(ix),
        }
    }

    fn note_place(&mut self, event: &Event, head: RecordIx) {
        if let Some(seconds) = event.place().and_then(|place| place.keep_alive_seconds)
            && self.keep_alive.is_none_or(|(known, _)| self.compare_told(head, known).is_lt())
        {
            self.keep_alive = Some((head, seconds));
            self.changed_from = Timestamp::from_micros(i64::MIN);
        }
        if let Some(place) = event.shared_place().and_then(|place| self.known_place(place)) {
            let known = self.places[place].earliest;
            if self.compare_told(head, known).is_lt() {
                self.places[place].earliest = head;
            }
        }
    }

    /// The number of what an event tells of its session: a stream's events mostly tell the same.
    fn place_number(&mut self, event: &Event) -> Option<u32> {
        let place = event.shared_place()?;
        let known = self.known_place(place);
        let number = known.unwrap_or(self.places.len());
        match known {
            // The events of one delivery share it, and are then known by its address.
            Some(known) => self.places[known].place.clone_from(place),
            None => self.places.push(PlaceFacts { place: place.clone(), earliest: self.next_record() }),
        }
        u32::try_from(number).ok()
    }

    fn known_place(&self, place: &Arc<Place>) -> Option<usize> {
        let last = self.places.len().saturating_sub(PLACES_COMPARED);
        self.places[last..].iter().rposition(|known| known.place == *place).map(|ix| last + ix)
    }

    /// Folds a peer together with a slot, and all that either is folded together with.
    fn bind_to(&mut self, peer: PeerIx, slot: Option<u32>) {
        let Some(slot) = slot else { return };
        let to = self.slots[slot as usize].group;
        match self.bound.insert(peer, to) {
            None => self.groups[to as usize].peers.push(peer),
            Some(from) if from != to => {
                let merged = std::mem::take(&mut self.groups[from as usize]);
                for other in &merged.peers {
                    self.bound.insert(*other, to);
                }
                for other in &merged.slots {
                    self.slots[*other as usize].group = to;
                }
                self.groups[to as usize].peers.extend(merged.peers);
                self.groups[to as usize].slots.extend(merged.slots);
            }
            Some(_) => {}
        }
    }

    fn peer_named(&mut self, info: &PeerInfo) -> PeerIx {
        let id = self.app.peer(self.stream.id, &info.name);
        self.peer_of_id(id)
    }

    fn peer_of_id(&mut self, id: Uuid) -> PeerIx {
        if let Some(known) = self.peer(id) {
            return known;
        }
        let new = u32::try_from(self.peers.len()).unwrap_or(u32::MAX);
        make_room(&mut self.peers, 1);
        self.peers.push(PeerFacts { id, newest: Next::peer(new) });
        let (hasher, peers) = (&self.hasher, &self.peers);
        self.by_id.insert(hasher.hash_one(id), new, |ix| hasher.hash_one(peers[ix as usize].id));
        new
    }

    fn slot(&mut self, source: u32, slot: &str) -> u32 {
        let (heap, slots, hasher) = (&self.heap, &self.slots, &self.hasher);
        let name = |ix: u32| heap.at(slots[ix as usize].name).raw_text();
        let hash = hasher.hash_one((source, slot.as_bytes()));
        let same = |ix| slots[ix as usize].source == source && name(ix) == slot.as_bytes();
        if let Some(known) = self.by_slot.find(hash, same) {
            return known;
        }
        let ix = u32::try_from(self.slots.len()).unwrap_or(u32::MAX);
        let group = u32::try_from(self.groups.len()).unwrap_or(u32::MAX);
        self.groups.push(GroupFacts { peers: Vec::new(), slots: vec![ix] });
        self.slots.push(SlotFacts { source, name: self.heap.end(), leaves: Vec::new(), group });
        self.heap.text(slot);
        let (heap, slots, hasher) = (&self.heap, &self.slots, &self.hasher);
        let name = |ix: u32| heap.at(slots[ix as usize].name).raw_text();
        self.by_slot.insert(hash, ix, |ix| hasher.hash_one((slots[ix as usize].source, name(ix))));
        ix
    }
}

/// The ids that an event of a meeting yields (rule 4.6): its own, and of a roster one more for each entry, with that entry's peer.
pub fn ids_of(app: &App, meeting: Stream, event: &Event) -> Vec<(Uuid, Option<Uuid>)> {
    let mut ids = vec![(app.event(meeting.id, &event.source, &event.id, None), None)];
    if let Body::SessionRoster(_, roll) = &event.body {
        ids.extend(roll.present.iter().map(|present| {
            let peer = app.peer(meeting.id, &present.peer.name);
            (app.event(meeting.id, &event.source, &event.id, Some(peer)), Some(peer))
        }));
    }
    ids
}
