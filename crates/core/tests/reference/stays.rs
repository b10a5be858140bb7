//! Rules 4.1 to 4.5 and 4.7: who was in when, one stream at a time, by walking through its instants once.

use super::{AnomalyKind, ClosedBy, order};
use rollbook_core::event::{Body, Event, Kind, Leave, Leaver, PeerInfo, Present};
use rollbook_core::id::{App, Stream, StreamKind};
use rollbook_core::time::{DAY, Timestamp};
use std::collections::{BTreeMap, BTreeSet};
use uuid::Uuid;

/// Rule 4.4: the maximum stay.
const MAX_STAY: i64 = DAY;

/// A stream's peers, folded.
pub struct Folded<'a> {
    pub stream: Stream,
    /// By (time, source, id).
    pub events: Vec<&'a Event>,
    pub peers: BTreeMap<Uuid, Peer<'a>>,
}

#[derive(Default)]
pub struct Peer<'a> {
    /// Each event of the peer, and each roster that has it.
    pub mentions: Vec<Mention<'a>>,
    pub stays: Vec<Stay<'a>>,
}

/// An event of a peer.
#[derive(Clone)]
pub struct Mention<'a> {
    pub event: &'a Event,
    /// What the event tells of the peer; nothing where a leave names only the slot.
    pub info: Option<&'a PeerInfo>,
    /// The stay that the event opened, confirmed or closed.
    pub stay: Option<usize>,
    pub anomalies: Vec<AnomalyKind>,
}

#[derive(Clone)]
pub struct Stay<'a> {
    pub start: Timestamp,
    pub out: Option<Timestamp>,
    pub closed_by: Option<ClosedBy>,
    pub uncertain: Option<i64>,
    /// The event that opened it: a join, a roster, or the leave that a stay is known by.
    pub opener: &'a Event,
    /// When the opening event is taken.
    pub opened: Timestamp,
    /// The latest join or roster that has the peer in this stay.
    pub seen: Timestamp,
    /// When another peer first took a slot that this stay held.
    pub slot_taken: Option<Timestamp>,
    /// The leave that closed it.
    pub leave: Option<&'a Leave>,
}

impl Stay<'_> {
    pub fn by_roster(&self) -> bool {
        matches!(self.opener.body, Body::SessionRoster(..))
    }
}

impl<'a> Peer<'a> {
    /// The stay that is open as far as joins and leaves tell; evidence is only looked at where a rule says so.
    fn open(&self) -> Option<usize> {
        self.stays.len().checked_sub(1).filter(|last| self.stays[*last].out.is_none())
    }

    fn last_end(&self) -> Option<Timestamp> {
        self.stays.last().and_then(|s| s.out)
    }

    /// The mentions by (time, source, id), as descriptive fields are taken.
    pub fn in_order(&self) -> Vec<&Mention<'a>> {
        let mut mentions: Vec<_> = self.mentions.iter().collect();
        mentions.sort_by_key(|m| order(m.event));
        mentions
    }

    /// READING 1 (4.9, 4.10 "`kind` is judged over all the peer's events"): like the descriptive fields, the earliest event that
    /// carries a kind decides; but over all the peer's events of the stream, also where the peer is in two unnamed sessions.
    pub fn is_robot(&self) -> bool {
        super::earliest(self.in_order(), |m: &Mention<'_>| m.info?.kind) == Some(Kind::Robot)
    }
}

/// When an event is taken (rule 4.1): a leave whose `joined_at` is later than its `time`, at `joined_at`.
///
/// READING 2: the stay's end, anomalies, tolerances, slots and ends all see the leave at that time; `created_at`, `updated_at`,
/// `peer_events` and the order of descriptive fields keep the event's own `time`.
pub fn taken(event: &Event) -> Timestamp {
    match &event.body {
        Body::PeerLeft(_, _, leave) => leave.joined_at.map_or(event.time, |joined| joined.max(event.time)),
        _ => event.time,
    }
}

/// Folds the events of one stream. `cycles` are the starts and stops of all sources.
pub fn fold<'a>(app: &'a App, stream: Stream, events: &[&'a Event], cycles: &[&'a Event], now: Timestamp) -> Folded<'a> {
    let ends = events.iter().filter(|e| matches!(e.body, Body::SessionEnded(..))).map(|e| e.time);
    // A named session's explicit end is the latest of its end events (4.5). An unnamed meeting has no such thing: each of its end
    // events that finds someone in closes them (4.6), and a stay that reaches over an end event is someone in.
    let (end, ends) = match stream.kind {
        StreamKind::Session => (ends.clone().max(), ends.max().into_iter().collect()),
        _ => (None, ends.collect()),
    };
    let mut fold = Fold { app, stream, events, cycles, now, end, ends, peers: BTreeMap::new(), holders: BTreeMap::new() };
    for event in events {
        if let Body::PeerCreated(_, info) = &event.body {
            let id = app.peer(stream.id, &info.name);
            fold.mention(id, Mention { event, info: Some(info), stay: None, anomalies: vec![] });
        }
    }
    let instants: BTreeSet<Timestamp> = events.iter().chain(cycles).map(|e| taken(e)).collect();
    for at in instants {
        fold.instant(at);
    }
    fold.finish();
    Folded { stream, events: events.to_vec(), peers: fold.peers }
}

/// A roster's entry: since when, and how far the roster may be off.
type Entry = (Option<Timestamp>, i64);

struct Fold<'a, 'f> {
    app: &'a App,
    stream: Stream,
    events: &'f [&'a Event],
    cycles: &'f [&'a Event],
    now: Timestamp,
    /// The named session's explicit end.
    end: Option<Timestamp>,
    /// The ends that are evidence.
    ends: Vec<Timestamp>,
    peers: BTreeMap<Uuid, Peer<'a>>,
    /// Who holds which slot (source, slot).
    holders: BTreeMap<(&'a str, &'a str), Uuid>,
}

impl<'a> Fold<'a, '_> {
    /// Takes what happens at one time, in the order of rule 4.1.
    ///
    /// READING 3: rule 4.1 orders one peer's events, and rule 4.7 uses "rule 1's order" for a slot, whose events are several peers'.
    /// One order serves both: rosters; then, again and again, a leave of someone who is in (least source, id); if there is none, a
    /// join (least source, id); if there is none, a leave of someone who is out. For each peer and for each slot that is rule 4.1.
    /// READING 4: a start or stop of a source frees its slots before anything else of the same time: a stay opened at that time is
    /// not closed by it (4.4 "strictly after"), a leave at that time doesn't win over it (4.3 "not later than the leave").
    fn instant(&mut self, at: Timestamp) {
        for cycle in self.cycles.iter().filter(|c| c.time == at) {
            self.holders.retain(|(source, _), _| *source != &*cycle.source);
        }
        let (mut joins, mut leaves) = (vec![], vec![]);
        // `events` is in the order of (time, source, id), but leaves may be taken later than their time.
        let mut now: Vec<&'a Event> = self.events.iter().copied().filter(|e| taken(e) == at).collect();
        now.sort_by_key(|e| (&e.source, &e.id));
        for event in now {
            match &event.body {
                Body::SessionRoster(_, roll) => {
                    for present in once(self.app, self.stream.id, &roll.present) {
                        self.comes(event, &present.peer, Some((present.joined_at, roll.tolerance)));
                    }
                }
                Body::PeerJoined(_, info) => joins.push((event, info)),
                Body::PeerLeft(_, leaver, leave) => leaves.push((event, leaver, leave)),
                _ => {}
            }
        }
        loop {
            if let Some(next) = leaves.iter().position(|(event, leaver, _)| self.is_in(event, leaver)) {
                let (event, leaver, leave) = leaves.remove(next);
                self.goes(event, leaver, leave);
            } else if !joins.is_empty() {
                let (event, info) = joins.remove(0);
                self.comes(event, info, None);
            } else if !leaves.is_empty() {
                let (event, leaver, leave) = leaves.remove(0);
                self.goes(event, leaver, leave);
            } else {
                return;
            }
        }
    }

    /// Rule 4.7: who leaves. On a free slot, a peer of its own.
    fn leaver(&self, event: &Event, leaver: &Leaver) -> Uuid {
        match leaver {
            Leaver::Peer(info) => self.app.peer(self.stream.id, &info.name),
            Leaver::Slot(slot) => self.holders.get(&(&*event.source, &**slot)).copied().unwrap_or_else(|| {
                let key = format!("event:{}:{}", event.source, event.id);
                self.app.peer_by_key(self.stream.id, &key)
            }),
        }
    }

    fn is_in(&self, event: &Event, leaver: &Leaver) -> bool {
        self.peers.get(&self.leaver(event, leaver)).is_some_and(|p| p.open().is_some())
    }

    fn mention(&mut self, peer: Uuid, mention: Mention<'a>) {
        self.peers.entry(peer).or_default().mentions.push(mention);
    }

    /// Rule 4.2, and the roster that has the peer in rule 4.4.
    fn comes(&mut self, event: &'a Event, info: &'a PeerInfo, entry: Option<Entry>) {
        let id = self.app.peer(self.stream.id, &info.name);
        let peer = self.peers.entry(id).or_default();
        let mut mention = Mention { event, info: Some(info), stay: None, anomalies: vec![] };
        if let Some(open) = peer.open() {
            let evidence = self.evidence(id, open, Some(event.time));
            let stay = &mut self.peers.get_mut(&id).unwrap().stays[open];
            if let Some(evidence) = evidence {
                close(stay, evidence, self.end);
            } else {
                stay.seen = event.time;
                mention.stay = Some(open);
                if entry.is_none() {
                    mention.anomalies.push(AnomalyKind::DuplicateJoin);
                }
                self.mention(id, mention);
                self.take_slot(id, event, info);
                return;
            }
        }
        // READING 5 (4.4 "a roster opens no stay for a peer whose explicit leave lies less than `tolerance_seconds` before it"): any
        // leave of the peer, of any source, by name or slot, whether it closed a stay or not, taken strictly before the roster.
        // READING 6: such a roster also closes by rule 4.2 what evidence had closed, and then opens nothing; and since a peer that
        // is not in holds no slot, its entry takes none.
        if let Some((_, tolerance)) = entry
            && self.left_within(id, event.time, tolerance)
        {
            self.mention(id, mention);
            return;
        }
        let peer = self.peers.get_mut(&id).unwrap();
        let known = entry.and_then(|(joined_at, _)| joined_at);
        let fits = |joined: &Timestamp| *joined <= event.time && peer.last_end().is_none_or(|end| *joined >= end);
        let start = known.filter(fits).unwrap_or(event.time);
        mention.stay = Some(peer.stays.len());
        if entry.is_some() {
            mention.anomalies.push(AnomalyKind::JoinedByRoster);
        }
        // READING 7: what starts at or after the end is judged by the start as opened, before rule 4.3's "applied last".
        if self.end.is_some_and(|end| start >= end) {
            mention.anomalies.push(AnomalyKind::JoinAfterEnd);
        }
        let (opened, seen) = (event.time, event.time);
        let (out, closed_by, uncertain, slot_taken, leave) = (None, None, None, None, None);
        peer.stays.push(Stay { start, out, closed_by, uncertain, opener: event, opened, seen, slot_taken, leave });
        peer.mentions.push(mention);
        self.take_slot(id, event, info);
    }

    fn left_within(&self, peer: Uuid, roster: Timestamp, tolerance: i64) -> bool {
        let leaves = self.peers[&peer].mentions.iter().filter(|m| matches!(m.event.body, Body::PeerLeft(..)));
        leaves.map(|m| taken(m.event)).any(|left| left < roster && roster.since(left) < tolerance)
    }

    /// Rule 4.7: a join with a slot takes it: whoever held it is out.
    ///
    /// READING 8: also a repeated join and a roster's entry take their slot; a peer may hold several.
    /// READING 9: a holder is someone who is in: any leave of the holder frees its slots, whether it names the peer or the slot.
    /// READING 10: a roster's entry with a slot takes it whatever the tolerance: the tolerance is about whom a roster lacks.
    fn take_slot(&mut self, by: Uuid, event: &'a Event, info: &'a PeerInfo) {
        let Some(slot) = &info.slot else { return };
        let held = self.holders.insert((&event.source, slot), by).filter(|held| *held != by);
        if let Some(peer) = held.and_then(|held| self.peers.get_mut(&held))
            && let Some(open) = peer.open()
        {
            peer.stays[open].slot_taken.get_or_insert(event.time);
        }
    }

    /// Rule 4.3.
    fn goes(&mut self, event: &'a Event, leaver: &'a Leaver, leave: &'a Leave) {
        let (id, at) = (self.leaver(event, leaver), taken(event));
        let info = if let Leaver::Peer(info) = leaver { Some(info) } else { None };
        let mut mention = Mention { event, info, stay: None, anomalies: vec![] };
        self.holders.retain(|_, holder| *holder != id);
        let peer = self.peers.entry(id).or_default();
        if let Some(open) = peer.open() {
            let stay = &mut peer.stays[open];
            let gone = self.cycles.iter().any(|c| c.source == stay.opener.source && c.time > stay.opened && c.time <= at);
            if !gone {
                stay.out = Some(at);
                stay.uncertain = Some(leave.uncertain);
                stay.leave = Some(leave);
                mention.stay = Some(open);
                peer.mentions.push(mention);
                return;
            }
            let evidence = self.evidence(id, open, Some(at)).unwrap();
            close(&mut self.peers.get_mut(&id).unwrap().stays[open], evidence, self.end);
        }
        let peer = self.peers.get_mut(&id).unwrap();
        let fits = |joined: &Timestamp| peer.last_end().is_none_or(|end| *joined >= end);
        let (start, anomaly) = match leave.joined_at.filter(fits) {
            Some(joined_at) => (joined_at, AnomalyKind::JoinMissing),
            None if peer.stays.is_empty() => (at, AnomalyKind::LeftWithoutJoin),
            None => {
                mention.anomalies.push(AnomalyKind::LeftAgain);
                peer.mentions.push(mention);
                return;
            }
        };
        mention.stay = Some(peer.stays.len());
        mention.anomalies.push(anomaly);
        let (out, uncertain, leave) = (Some(at), Some(leave.uncertain), Some(leave));
        let (closed_by, slot_taken) = (None, None);
        peer.stays.push(Stay { start, out, closed_by, uncertain, opener: event, opened: at, seen: at, slot_taken, leave });
        peer.mentions.push(mention);
    }

    /// Rule 4.4: the earliest closing evidence after the event that opened the stay, not later than `until`.
    fn evidence(&self, peer: Uuid, stay: usize, until: Option<Timestamp>) -> Option<(Timestamp, ClosedBy)> {
        let stay = &self.peers[&peer].stays[stay];
        let mut all: Vec<(Timestamp, ClosedBy)> = vec![];
        // The end counts from after the stay's start, all other evidence from strictly after the event that opened it.
        all.extend(self.ends.iter().filter(|end| **end > stay.start).map(|end| (*end, ClosedBy::SessionEnded)));
        for event in self.events.iter().filter(|e| e.source == stay.opener.source && e.time > stay.opened) {
            // READING 11 ("closes none that was opened less than that before it"): from the event that opened the stay.
            if let Body::SessionRoster(_, roll) = &event.body
                && event.time.since(stay.opened) >= roll.tolerance
                && !roll.present.iter().any(|p| self.app.peer(self.stream.id, &p.peer.name) == peer)
            {
                all.push((event.time, ClosedBy::Roster));
            }
        }
        for cycle in self.cycles.iter().filter(|c| c.source == stay.opener.source && c.time > stay.opened) {
            let stopped = matches!(cycle.body, Body::SourceStopped);
            all.push((cycle.time, if stopped { ClosedBy::SourceStopped } else { ClosedBy::SourceStarted }));
        }
        // Whoever took the slot came after the opening event in order, if only at the same time.
        all.extend(stay.slot_taken.map(|taken| (taken, ClosedBy::SlotTaken)));
        // READING 12: there is no maximum stay before `now` > it, also between two joins and before a leave.
        let longest = stay.seen.plus(MAX_STAY);
        if self.now > longest {
            all.push((longest, ClosedBy::MaxStay));
        }
        all.into_iter().filter(|(at, _)| until.is_none_or(|until| *at <= until)).min()
    }

    /// What is still open after the peers' last events, and what rule 4.3 applies last.
    fn finish(&mut self) {
        for id in self.peers.keys().copied().collect::<Vec<_>>() {
            if let Some(open) = self.peers[&id].open() {
                let evidence = self.evidence(id, open, None);
                let stay = &mut self.peers.get_mut(&id).unwrap().stays[open];
                if let Some(evidence) = evidence {
                    close(stay, evidence, self.end);
                } else if let Some(end) = self.end.filter(|end| stay.start >= *end) {
                    close(stay, (end, ClosedBy::SessionEnded), self.end);
                }
            }
        }
        for peer in self.peers.values_mut() {
            for i in 0..peer.stays.len() {
                let previous = i.checked_sub(1).and_then(|p| peer.stays[p].out);
                let stay = &mut peer.stays[i];
                if let Some(joined_at) = stay.leave.filter(|_| stay.by_roster()).and_then(|l| l.joined_at) {
                    // READING 13: "moves its start back": never forward.
                    stay.start = stay.start.min(previous.map_or(joined_at, |end| joined_at.max(end)));
                }
            }
        }
    }
}

/// Closes a stay that has no leave; one that starts at or after the session's explicit end has length 0 (rule 4.5).
///
/// READING 14: the length 0 is in force at once, where later events ask for "the last stay's end".
/// READING 15: `uncertain_seconds` counts from the stay's latest join or roster; 0 where that lies after the close (an end between a
/// roster's `joined_at` and the roster: the roster vouches for the whole time between).
fn close(stay: &mut Stay<'_>, (at, by): (Timestamp, ClosedBy), end: Option<Timestamp>) {
    let after_end = end.is_some_and(|end| stay.start >= end);
    stay.out = Some(if after_end { stay.start } else { at });
    stay.closed_by = Some(if after_end { ClosedBy::SessionEnded } else { by });
    stay.uncertain = Some(if after_end { 0 } else { at.since(stay.seen).max(0) });
}

/// A peer twice in one roster: the first counts.
fn once<'a>(app: &App, home: Uuid, present: &'a [Present]) -> Vec<&'a Present> {
    let mut seen = BTreeSet::new();
    present.iter().filter(|p| seen.insert(app.peer(home, &p.peer.name))).collect()
}
