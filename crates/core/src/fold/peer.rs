//! One peer's stays (rules 4.1 to 4.5): its events in order, and the evidence that closes what they leave open.

use super::facts::{Act, Entry, Facts, Life, PeerFacts, PeerIx};
use super::stay::{Anomaly, AnomalyKind, Attendance, ClosedBy, MAX_STAY, Stay};
use crate::event::Leave;
use crate::id::StreamKind;
use crate::time::Timestamp;

/// Folds one peer's events at `now`.
pub(crate) fn attend(facts: &Facts, peer: PeerIx, now: Timestamp) -> Attendance {
    let of_peer = &facts.peers[peer as usize];
    let named = facts.stream.kind == StreamKind::Session;
    let end = if named { facts.ends.last().copied() } else { None };
    let mut out = Attendance { of_entry: vec![None; of_peer.entries.len()], ..Attendance::default() };
    let mut fold = PeerFold { facts, of_peer, peer, now, end, open: None, last_leave: None, moved_back: Vec::new(), out: &mut out };
    let mut from = 0;
    for at_one_time in of_peer.entries.chunk_by(|a, b| a.time == b.time) {
        fold.moment(from, at_one_time);
        from += at_one_time.len();
    }
    fold.finish();
    out
}

/// A stay that no leave has closed yet.
#[derive(Clone, Copy)]
struct Open {
    start: Timestamp,
    opener: Entry,
    /// The latest join or roster that has the peer.
    last_known: Timestamp,
}

struct PeerFold<'a> {
    facts: &'a Facts,
    of_peer: &'a PeerFacts,
    peer: PeerIx,
    now: Timestamp,
    /// The explicit end of a named session.
    end: Option<Timestamp>,
    open: Option<Open>,
    last_leave: Option<Timestamp>,
    /// Stays opened by a roster whose leave tells an earlier start.
    moved_back: Vec<(usize, Timestamp)>,
    out: &'a mut Attendance,
}

impl PeerFold<'_> {
    /// Rule 4.1 at one time: rosters come first; then the next is chosen by state.
    fn moment(&mut self, from: usize, entries: &[Entry]) {
        let places = |wanted: fn(Act) -> bool| {
            let all = entries.iter().enumerate().filter(move |(_, e)| wanted(e.act));
            all.map(|(place, e)| (from + place, *e)).collect::<Vec<_>>().into_iter()
        };
        for (place, entry) in places(|act| matches!(act, Act::Present(_))) {
            self.join(place, entry);
        }
        let (mut joins, mut leaves) = (places(|act| act == Act::Joined), places(|act| matches!(act, Act::Left | Act::LeftSlot(_))));
        loop {
            let leave_first = self.open.is_some() && leaves.len() > 0 || joins.len() == 0;
            let Some((place, entry)) = (if leave_first { leaves.next() } else { joins.next() }) else { return };
            if leave_first { self.leave(place, entry) } else { self.join(place, entry) }
        }
    }

    fn join(&mut self, place: usize, entry: Entry) {
        let roll = self.facts.roll(entry);
        if let Some(mut open) = self.open {
            if let Some(evidence) = self.earliest(open, Some(entry.time)) {
                self.close(open, evidence);
            } else {
                open.last_known = entry.time;
                self.open = Some(open);
                self.belongs(place, self.out.stays.len().saturating_sub(1));
                if roll.is_none() {
                    self.odd(place, entry.time, AnomalyKind::DuplicateJoin);
                }
                return;
            }
        }
        let start = match roll {
            None => entry.time,
            Some((roll, _)) if self.last_leave.is_some_and(|left| entry.time.since(left) < roll.tolerance) => return,
            Some((_, present)) => {
                self.odd(place, entry.time, AnomalyKind::JoinedByRoster);
                let told = present.joined_at.filter(|&at| at <= entry.time && self.last_out().is_none_or(|out| at >= out));
                told.unwrap_or(entry.time)
            }
        };
        if self.end.is_some_and(|end| start >= end) {
            self.odd(place, entry.time, AnomalyKind::JoinAfterEnd);
        }
        self.open = Some(Open { start, opener: entry, last_known: entry.time });
        self.stay(place, Stay { start, out: None, closed_by: None, uncertain: 0 });
    }

    fn leave(&mut self, place: usize, entry: Entry) {
        let leave = self.facts.leave(entry);
        self.last_leave = Some(entry.time);
        if let Some(open) = self.open {
            let reset = self.facts.life_after(&self.facts.event_of(open.opener).source, open.opener.time);
            if reset.is_some_and(|(at, _)| at <= entry.time) {
                if let Some(evidence) = self.earliest(open, Some(entry.time)) {
                    self.close(open, evidence);
                }
            } else {
                return self.close_by_leave(place, open, entry, &leave);
            }
        }
        let none_yet = self.out.stays.is_empty();
        let known_join = leave.joined_at.filter(|&at| self.last_out().is_none_or(|out| at >= out));
        let (start, kind) = match known_join {
            Some(at) => (at, AnomalyKind::JoinMissing),
            None if none_yet => (entry.time, AnomalyKind::LeftWithoutJoin),
            None => return self.odd(place, entry.time, AnomalyKind::LeftAgain),
        };
        self.odd(place, entry.time, kind);
        self.stay(place, Stay { start, out: Some(entry.time), closed_by: None, uncertain: leave.uncertain });
    }

    fn close_by_leave(&mut self, place: usize, open: Open, entry: Entry, leave: &Leave) {
        let ix = self.out.stays.len().saturating_sub(1);
        if let Some(stay) = self.out.stays.last_mut() {
            (stay.out, stay.uncertain) = (Some(entry.time), leave.uncertain);
        }
        if let (Act::Present(_), Some(joined)) = (open.opener.act, leave.joined_at) {
            self.moved_back.push((ix, joined));
        }
        self.belongs(place, ix);
        self.open = None;
    }

    fn finish(mut self) {
        if let Some(open) = self.open {
            if self.end.is_some_and(|end| open.start >= end) {
                self.close(open, (open.start, ClosedBy::SessionEnded));
            } else if let Some(evidence) = self.earliest(open, None) {
                self.close(open, evidence);
            }
        }
        for (ix, joined) in std::mem::take(&mut self.moved_back) {
            let before = ix.checked_sub(1).and_then(|i| self.out.stays[i].out);
            let stay = &mut self.out.stays[ix];
            stay.start = stay.start.min(before.map_or(joined, |out| joined.max(out)));
        }
        self.out.anomalies.sort();
    }

    /// The earliest closing evidence of an open stay, at or before `limit` where there is one.
    fn earliest(&mut self, open: Open, limit: Option<Timestamp>) -> Option<(Timestamp, ClosedBy)> {
        let in_time = |at: &Timestamp| limit.is_none_or(|limit| *at <= limit);
        let source = &self.facts.event_of(open.opener).source;
        let opened = open.opener.time;
        let end = match self.facts.stream.kind {
            StreamKind::Session => self.end.filter(|&end| end > open.start),
            _ => self.facts.ends.range(open.start.plus(1)..).next().copied(),
        };
        let roster = self.facts.rosters_after(source, opened).iter();
        let roster = roster
            .take_while(|r| in_time(&r.time))
            .find(|r| r.time.since(opened) >= r.tolerance && r.has.binary_search(&self.peer).is_err());
        let life = self.facts.life_after(source, opened).map(|(at, life)| match life {
            Life::Stopped => (at, ClosedBy::SourceStopped),
            Life::Started => (at, ClosedBy::SourceStarted),
        });
        let displaced = self.of_peer.displaced.iter().filter(|d| d.at > opened || d.at == opened && d.taken_by == open.opener);
        let known = [
            end.map(|at| (at, ClosedBy::SessionEnded)),
            roster.map(|r| (r.time, ClosedBy::Roster)),
            life,
            displaced.map(|d| (d.at, ClosedBy::SlotTaken)).min(),
        ];
        let first = known.into_iter().flatten().filter(|(at, _)| in_time(at)).min();
        let max = open.last_known.plus(MAX_STAY);
        let max_matters = in_time(&max) && first.is_none_or(|(at, _)| max < at);
        if max_matters && self.out.validity.later_than(max, self.now) { Some((max, ClosedBy::MaxStay)) } else { first }
    }

    /// Closes the last stay by evidence; one that starts at or after the session's end has no length.
    fn close(&mut self, open: Open, (at, by): (Timestamp, ClosedBy)) {
        let after_end = self.end.is_some_and(|end| open.start >= end);
        if let Some(stay) = self.out.stays.last_mut() {
            (stay.out, stay.closed_by, stay.uncertain) = if after_end {
                (Some(open.start), Some(ClosedBy::SessionEnded), 0)
            } else {
                (Some(at), Some(by), at.since(open.last_known).max(0))
            };
        }
        self.open = None;
    }

    fn last_out(&self) -> Option<Timestamp> {
        self.out.stays.last().and_then(|stay| stay.out)
    }

    fn stay(&mut self, place: usize, stay: Stay) {
        self.out.stays.push(stay);
        self.out.opened_by.push(u32::try_from(place).unwrap_or(u32::MAX));
        self.belongs(place, self.out.stays.len() - 1);
    }

    fn belongs(&mut self, place: usize, stay: usize) {
        self.out.of_entry[place] = u32::try_from(stay).ok();
    }

    fn odd(&mut self, place: usize, at: Timestamp, kind: AnomalyKind) {
        self.out.anomalies.push((Anomaly { at, kind }, u32::try_from(place).unwrap_or(u32::MAX)));
    }
}
