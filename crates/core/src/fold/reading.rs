//! What the facts of one stream say at one `now`: each peer's attendance, and the sessions.

use super::attended::Attended;
use super::brief::Stays;
use super::facts::{Changes, Facts, PeerIx};
use super::record::{Act, RecordIx, What};
use super::sitting::{Sitting, Timeline, cut};
use super::stay::{Anomaly, Validity};
use crate::id::StreamKind;
use crate::time::Timestamp;
use std::collections::BTreeSet;
use uuid::Uuid;

/// The place of a session among those of its stream.
pub type SittingIx = usize;

/// The facts of one stream, read at one `now`. Equal facts and an equal `now` make equal readings, whatever the way to them.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Reading {
    pub(super) attended: Attended,
    sittings: Vec<Sitting>,
    pub(super) timeline: Timeline,
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

    /// The peers that an update has to read anew: those that the facts name as changed, those whose deadline passed, and whoever is
    /// folded together with them.
    pub(crate) fn stale(&self, facts: &Facts, changed: &Changes, now: Timestamp) -> BTreeSet<PeerIx> {
        let mut stale = changed.peers.clone();
        stale.extend(self.attended.overdue(now));
        if facts.has_groups() {
            let groups: Vec<_> = stale.iter().filter_map(|peer| facts.group(*peer)).collect();
            stale.extend(groups.into_iter().flat_map(|group| &group.peers).copied());
        }
        stale
    }

    /// Reads anew what changed. `now` must not be earlier than what the reading relies on: see [`Reading::validity`].
    pub fn update(&mut self, facts: &Facts, changed: &Changes, now: Timestamp) {
        let stale = self.stale(facts, changed, now);
        self.read_again(facts, &stale, changed, now);
    }

    /// Reads peers anew, as [`Reading::stale`] names them.
    pub(crate) fn read_again(&mut self, facts: &Facts, stale: &BTreeSet<PeerIx>, changed: &Changes, now: Timestamp) {
        let timeline = (facts.stream.kind == StreamKind::Meeting).then_some(&mut self.timeline);
        let from = self.attended.read_again(facts, stale, timeline, now).min(changed.from);
        if facts.stream.kind == StreamKind::Meeting {
            self.cut_again(facts, from);
        } else {
            self.sittings =
                vec![Sitting { id: facts.stream.id, begun: Timestamp::from_micros(i64::MIN), ended: facts.ends.last().copied() }];
        }
    }

    /// The same reading, as one that relies on what `other` does: the way to a reading may have relied on more than the reading needs.
    #[must_use]
    pub fn relying_like(mut self, other: &Self) -> Self {
        self.attended.rely_like(&other.attended);
        self
    }

    /// The span of `now` for which this reading holds.
    #[must_use]
    pub fn validity(&self) -> Validity {
        self.attended.validity()
    }

    /// Whether it holds at every later `now`.
    #[must_use]
    pub fn is_final(&self) -> bool {
        self.attended.is_final()
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
        let record = facts.derived(id)?;
        let home = match facts.what(record) {
            What::Present => facts.peer_of(record).and_then(|peer| self.home_with(facts, record, peer)),
            What::Roster => self.begun_by(facts.time(record)),
            _ => self.homes(facts, record).first().copied(),
        };
        Some(home.map_or(Resolved::Gone, Resolved::Sitting))
    }

    /// The sessions that contain an event, which are those that its ids lead to: of a peer's event one; of a roster the one of its time
    /// and those of its entries; of an end the one that it ended.
    pub(crate) fn homes(&self, facts: &Facts, event: RecordIx) -> Vec<SittingIx> {
        let subjects = self.subjects(facts, event).into_iter();
        let mut homes: Vec<_> = subjects.filter_map(|(peer, record)| self.home_with(facts, record, peer)).collect();
        if homes.is_empty() || facts.what(event) == What::Roster {
            homes.extend(self.ended_at(facts, event).or_else(|| self.begun_by(facts.time(event))));
        }
        homes
    }

    /// The session that contains what a record says of one peer.
    fn home_with(&self, facts: &Facts, record: RecordIx, peer: PeerIx) -> Option<SittingIx> {
        let entries = self.attended.of(facts, peer).entries.iter().position(|(known, _)| *known == record);
        entries.and_then(|place| self.containing(facts, peer, place))
    }

    /// The session last begun at or before a time, else the first.
    #[must_use]
    pub fn begun_by(&self, time: Timestamp) -> Option<SittingIx> {
        let begun = self.sittings.partition_point(|sitting| sitting.begun <= time);
        (!self.sittings.is_empty()).then(|| begun.saturating_sub(1))
    }

    /// The session that contains a peer's event: by the event's stay, a `created` by the peer's next stay, else by its time.
    fn containing(&self, facts: &Facts, peer: PeerIx, place: usize) -> Option<SittingIx> {
        let attendance = self.attended.of(facts, peer);
        let (record, stay) = attendance.entries[place];
        let entry = facts.entry(record);
        // What came at the stay's very start may still lie before the event that opened it.
        let opens_later = |ix: &u32| facts.entry(attendance.entries[*ix as usize].0).time >= entry.time;
        let next = || attendance.stays.iter().zip(&attendance.opened_by).find(|(_, ix)| opens_later(ix)).map(|(stay, _)| *stay);
        let by_stay = stay.map(|ix| attendance.stays[ix as usize]);
        let stay = by_stay.or_else(|| if entry.act == Act::Created { next() } else { None }).filter(|_| !self.is_robot(peer));
        self.begun_by(stay.map_or(facts.time(record), |stay| stay.start))
    }

    /// What the peer's events that a session contains say, in no particular order.
    pub(crate) fn contained(&self, facts: &Facts, sitting: SittingIx, peer: PeerIx) -> Vec<RecordIx> {
        let attendance = self.attended.of(facts, peer);
        let places = (0..attendance.entries.len()).filter(|place| self.contains(facts, sitting, peer, *place));
        places.map(|place| attendance.entries[place].0).collect()
    }

    /// The anomalies that the peer's events in a session show, by time.
    pub(crate) fn anomalies(&self, facts: &Facts, sitting: SittingIx, peer: PeerIx) -> Vec<Anomaly> {
        let attendance = self.attended.of(facts, peer);
        let all = attendance.anomalies.iter();
        all.filter(|(_, place)| self.contains(facts, sitting, peer, *place as usize)).map(|(anomaly, _)| *anomaly).collect()
    }

    fn contains(&self, facts: &Facts, sitting: SittingIx, peer: PeerIx, place: usize) -> bool {
        facts.stream.kind != StreamKind::Meeting || self.containing(facts, peer, place) == Some(sitting)
    }

    /// The times of the peer's first and last event that a session contains.
    pub(crate) fn heard_of(&self, facts: &Facts, sitting: SittingIx, peer: PeerIx) -> Option<(Timestamp, Timestamp)> {
        let span = |known: Option<(Timestamp, Timestamp)>, record| {
            let time = facts.time(record);
            Some(known.map_or((time, time), |(first, last)| (time.min(first), time.max(last))))
        };
        if facts.stream.kind != StreamKind::Meeting && self.attended.in_brief(peer) {
            return facts.newest_first(peer).fold(None, span);
        }
        self.contained(facts, sitting, peer).into_iter().fold(None, span)
    }

    /// Whether the peer is a robot: recorded, and neither listed nor counted.
    #[must_use]
    pub fn is_robot(&self, peer: PeerIx) -> bool {
        self.attended.is_robot(peer)
    }

    /// The peers that a session lists, ascending.
    pub(crate) fn listed(&self, facts: &Facts, sitting: SittingIx) -> Vec<PeerIx> {
        if facts.stream.kind != StreamKind::Meeting {
            return self.attended.peers().filter(|peer| !self.attended.stays(*peer).is_empty() && !self.is_robot(*peer)).collect();
        }
        let (from, to) = self.span(sitting);
        let peers: BTreeSet<PeerIx> = self.timeline.between(from, to).map(|at| at.peer).collect();
        peers.into_iter().collect()
    }

    /// A peer's stays in a session.
    pub(crate) fn stays(&self, sitting: SittingIx, peer: PeerIx) -> Stays<'_> {
        let (from, to) = self.span(sitting);
        self.attended.stays(peer).between(from, to)
    }

    /// Looks at the attendance of peers that will be read, as [`Facts::look_ahead`] does.
    pub(crate) fn look_ahead(&self, peers: &[PeerIx]) {
        let is_more = |peer: &&PeerIx| self.attended.briefs.get(**peer as usize).is_some_and(|brief| brief.is_more());
        std::hint::black_box(peers.iter().filter(is_more).count());
    }

    /// The times from which and before which the stays of a session start.
    pub(crate) fn span(&self, sitting: SittingIx) -> (Timestamp, Timestamp) {
        let begun = |ix: SittingIx| self.sittings.get(ix).map(|sitting| sitting.begun);
        let far = Timestamp::from_micros(i64::MAX);
        (begun(sitting).unwrap_or(far), begun(sitting + 1).unwrap_or(far))
    }

    /// Cuts a meeting's timeline into sessions again from where it may have changed.
    fn cut_again(&mut self, facts: &Facts, from: Timestamp) {
        // A session depends on its own stays and on where the one before it stopped: go back to the beginning of that one.
        let keep = self.sittings.partition_point(|s| s.begun <= from).saturating_sub(2);
        let start = if keep == 0 { Timestamp::from_micros(i64::MIN) } else { self.sittings[keep].begun };
        let opener = |peer: PeerIx, ix: u32| {
            let attendance = self.attended.of(facts, peer);
            let record = attendance.entries[attendance.opened_by[ix as usize] as usize].0;
            let (source, id) = facts.identity(record);
            ((source, id, facts.peers[peer as usize].id), facts.event_id(record))
        };
        let starts = self.timeline.from(start).map(|at| (at, self.attended.stays(at.peer)[at.stay as usize].out));
        let again = cut(facts, starts, start, keep.checked_sub(1).map(|ix| &self.sittings[ix]), opener);
        self.sittings.truncate(keep);
        self.sittings.extend(again);
    }

    /// The peers that an event is about, each with what the event says of it: of a leave by slot whoever held it, or the peer of its own
    /// that it is.
    fn subjects(&self, facts: &Facts, event: RecordIx) -> Vec<(PeerIx, RecordIx)> {
        let of_slot = facts.stray(event).map(|stray| {
            let holds = |peer: &PeerIx| self.attended.of(facts, *peer).entries.iter().any(|(record, _)| *record == event);
            let candidates = facts.group(stray).map_or(&[][..], |group| &group.peers);
            candidates.iter().copied().find(holds).unwrap_or(stray)
        });
        of_slot.map_or_else(|| facts.subjects(event), |peer| vec![(peer, event)])
    }

    /// The session that an explicit end ended.
    fn ended_at(&self, facts: &Facts, event: RecordIx) -> Option<SittingIx> {
        let time = facts.time(event);
        let before = self.sittings.partition_point(|s| s.begun < time);
        let candidates = before.saturating_sub(1)..(before + 1).min(self.sittings.len());
        candidates.filter(|_| facts.what(event) == What::SessionEnded).find(|ix| self.sittings[*ix].ended == Some(time))
    }
}
