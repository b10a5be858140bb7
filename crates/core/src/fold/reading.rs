//! What the facts of one stream say at one `now`: each peer's attendance, and the sessions.

use super::facts::{Act, Changes, Facts, PeerIx};
use super::group::{Attendance, attend};
use super::sitting::{Sitting, Timeline, cut};
use super::stay::{Stay, Validity};
use crate::event::{Body, Kind};
use crate::id::StreamKind;
use crate::time::Timestamp;
use std::collections::BTreeSet;
use uuid::Uuid;

/// The place of a session among those of its stream.
pub type SittingIx = usize;

/// The facts of one stream, read at one `now`. Equal facts and an equal `now` make equal readings, whatever the way to them.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Reading {
    pub(crate) attendances: Vec<Attendance>,
    robots: Vec<bool>,
    sittings: Vec<Sitting>,
    timeline: Timeline,
    relied_on: Option<Timestamp>,
    /// When a peer's attendance may change without an event.
    deadlines: BTreeSet<(Timestamp, PeerIx)>,
}

/// What an id that a stream knows leads to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Resolved {
    /// One of its sessions.
    Sitting(SittingIx),
    /// The id of an event of a meeting in which no session is left.
    Gone,
}

impl Reading {
    /// Reads all facts anew. `facts` must have no changes that were not taken (see [`Facts::take_changes`]).
    #[must_use]
    pub fn full(facts: &Facts, now: Timestamp) -> Self {
        let mut reading = Self::default();
        let peers = (0..u32::try_from(facts.peers.len()).unwrap_or(u32::MAX)).collect();
        reading.update(facts, &Changes { peers, from: Timestamp::from_micros(i64::MIN) }, now);
        reading
    }

    /// Reads anew what changed: the peers that the facts name as changed, and those whose deadline passed.
    /// `now` must not be earlier than what the reading relies on: see [`Reading::validity`]. Returns the peers that were read anew.
    pub fn update(&mut self, facts: &Facts, changed: &Changes, now: Timestamp) -> BTreeSet<PeerIx> {
        let mut again = changed.peers.clone();
        again.extend(self.deadlines.iter().take_while(|(at, _)| *at < now).map(|(_, peer)| *peer));
        self.attendances.resize_with(facts.peers.len(), Attendance::default);
        self.robots.resize(facts.peers.len(), false);
        let mut from = changed.from;
        let mut touched = BTreeSet::new();
        while let Some(peer) = again.pop_first() {
            let alone = [peer];
            let (peers, slots) = facts.group(peer).map_or((&alone[..], &[][..]), |group| (&group.peers, &group.slots));
            for (peer, attendance) in attend(facts, peers, slots, now) {
                again.remove(&peer);
                touched.insert(peer);
                from = from.min(self.replace(facts, peer, attendance));
            }
        }
        if facts.stream.kind == StreamKind::Meeting {
            self.cut_again(facts, from);
        } else {
            self.sittings =
                vec![Sitting { id: facts.stream.id, begun: Timestamp::from_micros(i64::MIN), ended: facts.ends.last().copied() }];
        }
        touched
    }

    /// The same reading, as one that relies on what `other` does: the way to a reading may have relied on more than the reading needs.
    #[must_use]
    pub fn relying_like(mut self, other: &Self) -> Self {
        self.relied_on = other.relied_on;
        self
    }

    /// The span of `now` for which this reading holds.
    #[must_use]
    pub fn validity(&self) -> Validity {
        let mut validity = Validity::default();
        validity.relied_on = self.relied_on.unwrap_or(validity.relied_on);
        validity.until = self.deadlines.first().map_or(validity.until, |(at, _)| *at);
        validity
    }

    /// Whether it holds at every later `now`.
    #[must_use]
    pub fn is_final(&self) -> bool {
        self.deadlines.is_empty()
    }

    /// The stream's sessions in order of their beginning.
    #[must_use]
    pub fn sittings(&self) -> &[Sitting] {
        &self.sittings
    }

    /// What a session id leads to, if this stream knows it: every id that was ever served does.
    #[must_use]
    pub fn resolve(&self, facts: &Facts, id: Uuid) -> Option<Resolved> {
        if facts.stream.kind != StreamKind::Meeting {
            return (id == facts.stream.id).then_some(Resolved::Sitting(0));
        }
        let (event, entry_of) = facts.derived(id)?;
        let home = match entry_of {
            Some(peer) => self.home_with(facts, event, peer),
            None if matches!(facts.events[event as usize].body, Body::SessionRoster(..)) => {
                self.begun_by(facts.events[event as usize].time)
            }
            None => self.homes(facts, event).first().copied(),
        };
        Some(home.map_or(Resolved::Gone, Resolved::Sitting))
    }

    /// The sessions that contain an event, which are those that its ids lead to: of a peer's event one; of a roster the one of its time
    /// and those of its entries; of an end the one that it ended.
    pub(crate) fn homes(&self, facts: &Facts, event: u32) -> Vec<SittingIx> {
        let mut homes: Vec<_> = self.subjects(facts, event).into_iter().filter_map(|peer| self.home_with(facts, event, peer)).collect();
        let is_roster = matches!(facts.events[event as usize].body, Body::SessionRoster(..));
        if homes.is_empty() || is_roster {
            homes.extend(self.ended_at(facts, event).or_else(|| self.begun_by(facts.events[event as usize].time)));
        }
        homes
    }

    /// The session that contains what an event says of one peer.
    fn home_with(&self, facts: &Facts, event: u32, peer: PeerIx) -> Option<SittingIx> {
        let place = self.attendances[peer as usize].entries.iter().position(|(e, _)| e.event == event)?;
        self.containing(facts, peer, place)
    }

    /// The session last begun at or before a time, else the first.
    #[must_use]
    pub fn begun_by(&self, time: Timestamp) -> Option<SittingIx> {
        let begun = self.sittings.partition_point(|sitting| sitting.begun <= time);
        (!self.sittings.is_empty()).then(|| begun.saturating_sub(1))
    }

    /// The session that contains a peer's event: by the event's stay, a `created` by the peer's next stay, else by its time.
    pub(crate) fn containing(&self, facts: &Facts, peer: PeerIx, place: usize) -> Option<SittingIx> {
        let attendance = &self.attendances[peer as usize];
        let (entry, stay) = attendance.entries[place];
        // What came at the stay's very start may still lie before the event that opened it.
        let opens_later = |ix: &u32| attendance.entries[*ix as usize].0.time >= entry.time;
        let next = || attendance.stays.iter().zip(&attendance.opened_by).find(|(_, ix)| opens_later(ix)).map(|(stay, _)| *stay);
        let by_stay = stay.map(|ix| attendance.stays[ix as usize]);
        let stay = by_stay.or_else(|| if entry.act == Act::Created { next() } else { None }).filter(|_| !self.is_robot(peer));
        self.begun_by(stay.map_or(facts.event_of(entry).time, |stay| stay.start))
    }

    /// Whether the peer is a robot: recorded, and neither listed nor counted.
    #[must_use]
    pub fn is_robot(&self, peer: PeerIx) -> bool {
        self.robots.get(peer as usize).copied().unwrap_or(false)
    }

    /// The peers that a session lists, ascending.
    pub(crate) fn listed(&self, facts: &Facts, sitting: SittingIx) -> Vec<PeerIx> {
        if facts.stream.kind != StreamKind::Meeting {
            let all = (0..).zip(&self.attendances);
            return all.filter(|(peer, a)| !a.stays.is_empty() && !self.is_robot(*peer)).map(|(peer, _)| peer).collect();
        }
        let (from, to) = self.span(sitting);
        let peers: BTreeSet<PeerIx> = self.timeline.range((from, 0, 0)..(to, 0, 0)).map(|(&(_, peer, _), _)| peer).collect();
        peers.into_iter().collect()
    }

    /// A peer's stays in a session.
    pub(crate) fn stays(&self, sitting: SittingIx, peer: PeerIx) -> &[Stay] {
        let (from, to) = self.span(sitting);
        let stays = self.attendances.get(peer as usize).map_or(&[][..], |a| &a.stays);
        &stays[stays.partition_point(|stay| stay.start < from)..stays.partition_point(|stay| stay.start < to)]
    }

    /// The times from which and before which the stays of a session start.
    pub(crate) fn span(&self, sitting: SittingIx) -> (Timestamp, Timestamp) {
        let begun = |ix: SittingIx| self.sittings.get(ix).map(|sitting| sitting.begun);
        let far = Timestamp::from_micros(i64::MAX);
        (begun(sitting).unwrap_or(far), begun(sitting + 1).unwrap_or(far))
    }

    /// Puts a peer's new attendance in place of its old one; returns the earliest start of a stay that changed.
    fn replace(&mut self, facts: &Facts, peer: PeerIx, attendance: Attendance) -> Timestamp {
        let never = Timestamp::from_micros(i64::MAX);
        let robot = facts.kind(peer) == Kind::Robot;
        let old = std::mem::replace(&mut self.attendances[peer as usize], attendance);
        let was_robot = std::mem::replace(&mut self.robots[peer as usize], robot);
        let new = &self.attendances[peer as usize];
        self.deadlines.remove(&(old.validity.until, peer));
        if new.validity.until < never {
            self.deadlines.insert((new.validity.until, peer));
        }
        if new.validity != Validity::default() {
            self.relied_on = self.relied_on.max(Some(new.validity.relied_on).filter(|at| at.micros() > i64::MIN));
        }
        if facts.stream.kind != StreamKind::Meeting || (&old, was_robot) == (new, robot) {
            return never;
        }
        let mut from = never;
        for (ix, stay) in (0..).zip(&old.stays).filter(|_| !was_robot) {
            self.timeline.remove(&(stay.start, peer, ix));
            from = from.min(stay.start);
        }
        for (ix, stay) in (0..).zip(&new.stays).filter(|_| !robot) {
            self.timeline.insert((stay.start, peer, ix), *stay);
            from = from.min(stay.start);
        }
        from
    }

    /// Cuts a meeting's timeline into sessions again from where it may have changed.
    fn cut_again(&mut self, facts: &Facts, from: Timestamp) {
        // A session depends on its own stays and on where the one before it stopped: go back to the beginning of that one.
        let keep = self.sittings.partition_point(|s| s.begun <= from).saturating_sub(2);
        let start = if keep == 0 { Timestamp::from_micros(i64::MIN) } else { self.sittings[keep].begun };
        let attendances = &self.attendances;
        let opener = |peer: PeerIx, ix: u32| {
            let entry = attendances[peer as usize].entries[attendances[peer as usize].opened_by[ix as usize] as usize].0;
            let event = facts.event_of(entry);
            ((&event.source, &event.id, facts.peers[peer as usize].id), facts.event_id(peer, entry))
        };
        let again = cut(facts, &self.timeline, start, keep.checked_sub(1).map(|ix| &self.sittings[ix]), opener);
        self.sittings.truncate(keep);
        self.sittings.extend(again);
    }

    /// The peers that an event is about: of a leave by slot whoever held it, or the peer of its own that it is.
    fn subjects(&self, facts: &Facts, event: u32) -> Vec<PeerIx> {
        let of_slot = facts.stray_of(event).map(|stray| {
            let holds = |peer: &PeerIx| self.attendances[*peer as usize].entries.iter().any(|(e, _)| e.event == event);
            let candidates = facts.group(stray).map_or(&[][..], |group| &group.peers);
            candidates.iter().copied().find(holds).unwrap_or(stray)
        });
        of_slot.map_or_else(|| facts.subjects(event), |peer| vec![peer])
    }

    /// The session that an explicit end ended.
    fn ended_at(&self, facts: &Facts, event: u32) -> Option<SittingIx> {
        let event = &facts.events[event as usize];
        let is_end = matches!(event.body, Body::SessionEnded(..));
        let before = self.sittings.partition_point(|s| s.begun < event.time);
        let candidates = before.saturating_sub(1)..(before + 1).min(self.sittings.len());
        candidates.filter(|_| is_end).find(|ix| self.sittings[*ix].ended == Some(event.time))
    }
}
