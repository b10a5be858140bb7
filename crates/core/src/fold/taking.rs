//! How facts grow: an event is put where the fold will look for it, and what it may change is noted.

use super::facts::{Act, Changes, Entry, Facts, GroupFacts, Life, PeerFacts, PeerIx, RosterFact, SlotFacts, Verdict};
use crate::event::{Body, Event, Leave, Leaver, PeerInfo, Roll};
use crate::id::{App, Stream, StreamKind};
use crate::time::Timestamp;
use std::collections::BTreeSet;
use uuid::Uuid;

impl Facts {
    /// Takes an event of this stream, if it is new. Events of other streams, and life-cycles, change nothing here.
    pub fn take(&mut self, mut event: Event) {
        if self.app.stream_of(&event) != self.stream || self.judge(&event) != Verdict::New {
            return;
        }
        self.identities.insert(event.identity(), event.content());
        if self.stream.kind != StreamKind::Source {
            let at = u32::try_from(self.events.len()).unwrap_or(u32::MAX);
            self.lives.entry(event.source.clone()).or_default();
            // Even what changes no stay may change what is told of the session, and a reading that was never made has none.
            self.changes.from = self.changes.from.min(event.time);
            self.index(&event, at);
            self.note_keep_alive(&event);
            self.derive(&event, at);
        }
        event.share_place(&mut self.places);
        self.events.push(event);
    }

    /// Takes a start or stop of one of this stream's sources; anything else changes nothing.
    pub fn take_life(&mut self, event: &Event) {
        let life = match event.body {
            Body::SourceStarted => Life::Started,
            Body::SourceStopped => Life::Stopped,
            _ => return,
        };
        if self.lives.get_mut(&event.source).is_some_and(|known| known.insert((event.time, life))) {
            self.touch_all();
        }
    }

    /// What changed since this was last called.
    pub fn take_changes(&mut self) -> Changes {
        std::mem::take(&mut self.changes)
    }

    /// How many peers changed since the changes were last taken.
    #[must_use]
    pub fn changed(&self) -> usize {
        self.changes.peers.len()
    }

    /// Puts back changes that were taken and not acted upon.
    pub fn give_back(&mut self, changes: Changes) {
        self.changes.peers.extend(changes.peers);
        self.changes.from = self.changes.from.min(changes.from);
    }

    fn touch_all(&mut self) {
        self.changes.peers.extend(0..u32::try_from(self.peers.len()).unwrap_or(u32::MAX));
    }

    fn index(&mut self, event: &Event, at: u32) {
        match &event.body {
            Body::PeerCreated(_, info) => self.enter(event, at, info, event.time, Act::Created),
            Body::PeerJoined(_, info) => self.enter(event, at, info, event.time, Act::Joined),
            Body::PeerLeft(_, Leaver::Peer(info), leave) => self.enter(event, at, info, taken_at(event.time, leave), Act::Left),
            Body::PeerLeft(_, Leaver::Slot(slot), leave) => {
                let ix = self.slot(&event.source, slot);
                let stray = self.peer_of_id(self.app.peer_by_key(self.stream.id, &self.app.stray_key(event)));
                self.strays.insert(at, stray);
                self.bind(stray, ix);
                self.slots[ix as usize].leaves.push(Entry { time: taken_at(event.time, leave), event: at, act: Act::LeftSlot(ix) });
                self.changes.peers.insert(stray);
            }
            Body::SessionStarted(_) | Body::SourceStarted | Body::SourceStopped => {}
            Body::SessionEnded(..) => {
                if self.ends.insert(event.time) {
                    self.touch_all();
                }
            }
            Body::SessionRoster(_, roll) => self.index_roster(event, at, roll),
        }
    }

    /// Notes the ids that an event of a meeting yields (rule 4.6).
    fn derive(&mut self, event: &Event, at: u32) {
        if self.stream.kind == StreamKind::Meeting {
            for (id, peer) in ids_of(&self.app, self.stream, event) {
                self.derived.insert(id, (at, peer.and_then(|p| self.peer(p))));
            }
        }
    }

    fn note_keep_alive(&mut self, event: &Event) {
        if let Some(seconds) = event.place().and_then(|place| place.keep_alive_seconds) {
            let told = (event.time, event.source.clone(), event.id.clone());
            if self.keep_alive.as_ref().is_none_or(|(known, _)| told < *known) {
                self.keep_alive = Some((told, seconds));
                self.changes.from = Timestamp::from_micros(i64::MIN);
            }
        }
    }

    fn index_roster(&mut self, event: &Event, at: u32, roll: &Roll) {
        let mut has = BTreeSet::new();
        for (position, present) in (0u32..).zip(&roll.present) {
            let peer = self.peer_named(&present.peer);
            if has.insert(peer) {
                self.enter(event, at, &present.peer, event.time, Act::Present(position));
            }
        }
        let fact = RosterFact { time: event.time, tolerance: roll.tolerance, has: has.into_iter().collect() };
        let of_source = self.rosters.entry(event.source.clone()).or_default();
        of_source.insert(of_source.partition_point(|r| r.time <= fact.time), fact);
        self.touch_all();
    }

    fn enter(&mut self, event: &Event, at: u32, info: &PeerInfo, time: Timestamp, act: Act) {
        let peer = self.peer_named(info);
        self.changes.peers.insert(peer);
        self.insert(peer, event, Entry { time, event: at, act });
        if let (Some(slot), Act::Joined | Act::Present(_)) = (&info.slot, act) {
            let ix = self.slot(&event.source, slot);
            self.bind(peer, ix);
        }
    }

    /// Puts an entry in its place; `event` is its event, which may not be among the events yet.
    fn insert(&mut self, peer: PeerIx, event: &Event, entry: Entry) {
        let key = (entry.time, !matches!(entry.act, Act::Present(_)), &*event.source, &*event.id);
        let place = self.peers[peer as usize].entries.partition_point(|known| self.order(*known) < key);
        self.peers[peer as usize].entries.insert(place, entry);
    }

    /// Folds a peer together with a slot, and all that either is folded together with.
    fn bind(&mut self, peer: PeerIx, slot: u32) {
        let to = self.slots[slot as usize].group;
        match self.peers[peer as usize].group {
            None => self.groups[to as usize].peers.push(peer),
            Some(from) if from != to => {
                let merged = std::mem::take(&mut self.groups[from as usize]);
                for other in &merged.peers {
                    self.peers[*other as usize].group = Some(to);
                }
                for other in &merged.slots {
                    self.slots[*other as usize].group = to;
                }
                self.groups[to as usize].peers.extend(merged.peers);
                self.groups[to as usize].slots.extend(merged.slots);
            }
            Some(_) => {}
        }
        self.peers[peer as usize].group = Some(to);
    }

    fn peer_named(&mut self, info: &PeerInfo) -> PeerIx {
        let id = self.app.peer(self.stream.id, &info.name);
        self.peer_of_id(id)
    }

    fn peer_of_id(&mut self, id: Uuid) -> PeerIx {
        *self.peer_ix.entry(id).or_insert_with(|| {
            self.peers.push(PeerFacts { id, entries: Vec::new(), group: None });
            u32::try_from(self.peers.len() - 1).unwrap_or(u32::MAX)
        })
    }

    fn slot(&mut self, source: &str, slot: &str) -> u32 {
        *self.slot_ix.entry((source.into(), slot.into())).or_insert_with(|| {
            let ix = u32::try_from(self.slots.len()).unwrap_or(u32::MAX);
            let group = u32::try_from(self.groups.len()).unwrap_or(u32::MAX);
            self.groups.push(GroupFacts { peers: Vec::new(), slots: vec![ix] });
            self.slots.push(SlotFacts { source: source.into(), leaves: Vec::new(), group });
            ix
        })
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

/// A leave that says that its peer joined later than it left comes from a clock of whole seconds.
fn taken_at(time: Timestamp, leave: &Leave) -> Timestamp {
    leave.joined_at.map_or(time, |joined| joined.max(time))
}
