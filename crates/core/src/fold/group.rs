//! The stays of one peer, or of peers that share slots (rules 4.1 to 4.5 and 4.7): their events in order, and the evidence that closes
//! what these leave open.
//!
//! Peers that ever took one slot are folded together, as a leave that names only the slot is the leave of whoever holds it then. One
//! order serves each peer and each slot: rosters; then, again and again, a leave of someone who is in; if there is none, a join; if there
//! is none, a leave of someone who is out; each time the least by source and id.

use super::facts::{Facts, Life, PeerIx};
use super::record::{Act, Entry, RecordIx};
use super::stay::{Anomaly, AnomalyKind, ClosedBy, MAX_STAY, Stay, Validity};
use crate::event::Leave;
use crate::id::StreamKind;
use crate::time::Timestamp;
use std::cmp::Ordering;
use std::collections::BTreeMap;

/// What the fold says of one peer at one `now`.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Attendance {
    /// In order of their starts; they don't overlap. Only the last may be open.
    pub(super) stays: Vec<Stay>,
    /// By time, each with the entry that shows it.
    pub(super) anomalies: Vec<(Anomaly, u32)>,
    /// What the peer's events say, in order, each with the stay that it opened, confirmed or closed.
    pub(super) entries: Vec<(RecordIx, Option<u32>)>,
    /// For each stay, the entry that opened it (of a stay known only by its leave: that leave).
    pub(super) opened_by: Vec<u32>,
    /// True for every later `now` up to `until`, and for every earlier one after `relied_on`.
    pub(super) validity: Validity,
}

/// Folds peers that share slots, or one that shares none, at `now`.
pub(super) fn attend(facts: &Facts, peers: &[PeerIx], slots: &[u32], now: Timestamp) -> BTreeMap<PeerIx, Attendance> {
    let named = facts.stream.kind == StreamKind::Session;
    let end = if named { facts.ends.last().copied() } else { None };
    let peers = peers.iter().map(|&peer| (peer, PeerState::default())).collect();
    let mut fold = Group { facts, now, end, peers, holders: BTreeMap::new() };
    for at_one_time in steps(facts, &fold.peers, slots).chunk_by(|a, b| a.at == b.at) {
        fold.instant(at_one_time);
    }
    fold.finish()
}

/// Something that happens to a group.
#[derive(Clone, Copy)]
struct Step {
    at: Timestamp,
    what: What,
}

#[derive(Clone, Copy)]
enum What {
    /// The source of this slot starts or stops.
    Freed(u32),
    /// A peer's own event.
    Of(PeerIx, Entry),
    /// A leave that names only a slot.
    LeaveSlot(Entry),
}

fn steps(facts: &Facts, peers: &BTreeMap<PeerIx, PeerState>, slots: &[u32]) -> Vec<Step> {
    let mut steps = Vec::new();
    for &peer in peers.keys() {
        let first = steps.len();
        steps.extend(facts.newest_first(peer).map(|record| facts.entry(record)).map(|e| Step { at: e.time, what: What::Of(peer, e) }));
        steps[first..].reverse();
    }
    if slots.is_empty() && peers.len() < 2 {
        return steps;
    }
    for &ix in slots {
        let slot = &facts.slots[ix as usize];
        steps.extend(facts.lives_of(slot.source).map(|(at, _)| Step { at, what: What::Freed(ix) }));
        steps.extend(slot.leaves.iter().map(|leave| facts.entry(*leave)).map(|e| Step { at: e.time, what: What::LeaveSlot(e) }));
    }
    steps.sort_by(|a, b| {
        a.at.cmp(&b.at).then_with(|| match (a.what, b.what) {
            (What::Freed(_), What::Freed(_)) => Ordering::Equal,
            (What::Freed(_), _) => Ordering::Less,
            (_, What::Freed(_)) => Ordering::Greater,
            // The entries of one roster stand in its order.
            (What::Of(_, a) | What::LeaveSlot(a), What::Of(_, b) | What::LeaveSlot(b)) => {
                facts.compare_order(a, b).then(a.record.cmp(&b.record))
            }
        })
    });
    steps
}

/// A stay that no leave has closed yet.
#[derive(Clone, Copy)]
struct Open {
    start: Timestamp,
    opener: Entry,
    /// The latest join or roster that has the peer.
    last_known: Timestamp,
    /// When another peer took a slot that this one held.
    slot_taken: Option<Timestamp>,
}

#[derive(Default)]
struct PeerState {
    open: Option<Open>,
    last_leave: Option<Timestamp>,
    /// Stays opened by a roster whose leave tells an earlier start.
    moved_back: Vec<(usize, Timestamp)>,
    out: Attendance,
}

struct Group<'a> {
    facts: &'a Facts,
    now: Timestamp,
    /// The explicit end of a named session.
    end: Option<Timestamp>,
    peers: BTreeMap<PeerIx, PeerState>,
    /// By slot.
    holders: BTreeMap<u32, PeerIx>,
}

impl Group<'_> {
    fn instant(&mut self, steps: &[Step]) {
        let (mut joins, mut leaves) = (Vec::new(), Vec::new());
        for step in steps {
            match step.what {
                What::Freed(slot) => drop(self.holders.remove(&slot)),
                What::Of(peer, entry) => match entry.act {
                    Act::Present => self.join(peer, entry),
                    Act::Joined => joins.push((peer, entry)),
                    Act::Left => leaves.push((Some(peer), entry)),
                    Act::Created | Act::LeftSlot(_) => self.state(peer).mention(entry, None),
                },
                What::LeaveSlot(entry) => leaves.push((None, entry)),
            }
        }
        let mut joins = joins.into_iter();
        loop {
            let of_someone_in = leaves.iter().position(|&(peer, entry)| {
                let leaver = self.leaver(peer, entry);
                self.peers.get(&leaver).is_some_and(|state| state.open.is_some())
            });
            if let Some(next) = of_someone_in {
                let (peer, entry) = leaves.remove(next);
                self.leave(peer, entry);
            } else if let Some((peer, entry)) = joins.next() {
                self.join(peer, entry);
            } else if !leaves.is_empty() {
                let (peer, entry) = leaves.remove(0);
                self.leave(peer, entry);
            } else {
                return;
            }
        }
    }

    /// Who leaves: the peer that is named, or the slot's holder; on a free slot, a peer of its own.
    fn leaver(&self, named: Option<PeerIx>, entry: Entry) -> PeerIx {
        let holder = || if let Act::LeftSlot(slot) = entry.act { self.holders.get(&slot).copied() } else { None };
        named.or_else(holder).or_else(|| self.facts.stray(entry.record)).unwrap_or_default()
    }

    fn state(&mut self, peer: PeerIx) -> &mut PeerState {
        self.peers.entry(peer).or_default()
    }

    /// Rule 4.2, and the roster that has the peer in rule 4.4.
    fn join(&mut self, peer: PeerIx, entry: Entry) {
        let roll = self.facts.roll(entry);
        let mut state = self.peers.remove(&peer).unwrap_or_default();
        let stays_in = state.open.is_some_and(|open| match self.earliest(peer, open, Some(entry.time), &mut state.out) {
            Some(evidence) => {
                state.close(open, evidence, self.end);
                false
            }
            None => true,
        });
        if stays_in {
            state.confirm(entry, roll.is_none());
        } else if roll.is_some_and(|(tolerance, _)| state.last_leave.is_some_and(|left| entry.time.since(left) < tolerance)) {
            state.mention(entry, None);
        } else {
            let told = roll.and_then(|(_, joined_at)| joined_at);
            let told = told.filter(|&at| at <= entry.time && state.last_out().is_none_or(|out| at >= out));
            state.open(entry, told.unwrap_or(entry.time), self.end);
        }
        let is_in = state.open.is_some();
        self.peers.insert(peer, state);
        if is_in {
            self.take_slot(peer, entry);
        }
    }

    /// A join with a slot takes it: whoever held it is out. A roster's entry that opened nothing takes none.
    fn take_slot(&mut self, peer: PeerIx, entry: Entry) {
        let Some(slot) = self.facts.slot_taken_by(entry) else { return };
        if let Some(held) = self.holders.insert(slot, peer).filter(|held| *held != peer)
            && let Some(open) = self.peers.get_mut(&held).and_then(|state| state.open.as_mut())
        {
            open.slot_taken.get_or_insert(entry.time);
        }
    }

    /// Rule 4.3. Any leave of a holder frees its slots.
    fn leave(&mut self, named: Option<PeerIx>, entry: Entry) {
        let peer = self.leaver(named, entry);
        self.holders.retain(|_, holder| *holder != peer);
        let leave = self.facts.leave(entry.record);
        let mut state = self.peers.remove(&peer).unwrap_or_default();
        state.last_leave = Some(entry.time);
        if let Some(open) = state.open {
            let reset = self.facts.life_after(self.facts.source(open.opener.record), open.opener.time);
            let evidence = reset.filter(|(at, _)| *at <= entry.time);
            let evidence = evidence.and_then(|_| self.earliest(peer, open, Some(entry.time), &mut state.out));
            match evidence {
                Some(evidence) => {
                    state.close(open, evidence, self.end);
                    state.leave_while_out(entry, &leave);
                }
                None => state.close_by_leave(open, entry, &leave),
            }
        } else {
            state.leave_while_out(entry, &leave);
        }
        self.peers.insert(peer, state);
    }

    /// The earliest closing evidence of an open stay, at or before `limit` where there is one.
    fn earliest(&self, peer: PeerIx, open: Open, limit: Option<Timestamp>, attendance: &mut Attendance) -> Option<(Timestamp, ClosedBy)> {
        let in_time = |at: &Timestamp| limit.is_none_or(|limit| *at <= limit);
        let source = self.facts.source(open.opener.record);
        let opened = open.opener.time;
        let end = match self.facts.stream.kind {
            StreamKind::Session => self.end.filter(|&end| end > open.start),
            _ => self.facts.ends.range(open.start.plus(1)..).next().copied(),
        };
        let rosters = self.facts.rosters_after(source, opened).iter().take_while(|r| in_time(&r.time));
        let roster = rosters.into_iter().find(|r| r.time.since(opened) >= r.tolerance && r.has.binary_search(&peer).is_err());
        let life = self.facts.life_after(source, opened).map(|(at, life)| match life {
            Life::Stopped => (at, ClosedBy::SourceStopped),
            Life::Started => (at, ClosedBy::SourceStarted),
        });
        let known = [
            end.map(|at| (at, ClosedBy::SessionEnded)),
            roster.map(|r| (r.time, ClosedBy::Roster)),
            life,
            open.slot_taken.map(|at| (at, ClosedBy::SlotTaken)),
        ];
        let first = known.into_iter().flatten().filter(|(at, _)| in_time(at)).min();
        let max = open.last_known.plus(MAX_STAY);
        let max_matters = in_time(&max) && first.is_none_or(|(at, _)| max < at);
        if max_matters && attendance.validity.later_than(max, self.now) { Some((max, ClosedBy::MaxStay)) } else { first }
    }

    /// What is still open after the last events, and what rule 4.3 applies last.
    fn finish(mut self) -> BTreeMap<PeerIx, Attendance> {
        let peers: Vec<PeerIx> = self.peers.keys().copied().collect();
        for peer in peers {
            let mut state = self.peers.remove(&peer).unwrap_or_default();
            if let Some(open) = state.open {
                let evidence = if self.end.is_some_and(|end| open.start >= end) {
                    Some((open.start, ClosedBy::SessionEnded))
                } else {
                    self.earliest(peer, open, None, &mut state.out)
                };
                if let Some(evidence) = evidence {
                    state.close(open, evidence, self.end);
                }
            }
            state.move_back();
            self.peers.insert(peer, state);
        }
        self.peers.into_iter().map(|(peer, state)| (peer, state.out)).collect()
    }
}

impl PeerState {
    fn open(&mut self, entry: Entry, start: Timestamp, end: Option<Timestamp>) {
        if matches!(entry.act, Act::Present) {
            self.odd(entry, AnomalyKind::JoinedByRoster);
        }
        if end.is_some_and(|end| start >= end) {
            self.odd(entry, AnomalyKind::JoinAfterEnd);
        }
        self.open = Some(Open { start, opener: entry, last_known: entry.time, slot_taken: None });
        self.stay(entry, Stay { start, out: None, closed_by: None, uncertain: 0 });
    }

    fn confirm(&mut self, entry: Entry, is_join: bool) {
        if let Some(open) = &mut self.open {
            open.last_known = entry.time;
        }
        if is_join {
            self.odd(entry, AnomalyKind::DuplicateJoin);
        }
        self.mention(entry, self.out.stays.len().checked_sub(1));
    }

    fn close_by_leave(&mut self, open: Open, entry: Entry, leave: &Leave) {
        let ix = self.out.stays.len().saturating_sub(1);
        if let Some(stay) = self.out.stays.last_mut() {
            (stay.out, stay.uncertain) = (Some(entry.time), leave.uncertain);
        }
        if let (Act::Present, Some(joined)) = (open.opener.act, leave.joined_at) {
            self.moved_back.push((ix, joined));
        }
        self.mention(entry, Some(ix));
        self.open = None;
    }

    fn leave_while_out(&mut self, entry: Entry, leave: &Leave) {
        let known_join = leave.joined_at.filter(|&at| self.last_out().is_none_or(|out| at >= out));
        let (start, kind) = match known_join {
            Some(at) => (at, AnomalyKind::JoinMissing),
            None if self.out.stays.is_empty() => (entry.time, AnomalyKind::LeftWithoutJoin),
            None => {
                self.odd(entry, AnomalyKind::LeftAgain);
                return self.mention(entry, None);
            }
        };
        self.odd(entry, kind);
        self.stay(entry, Stay { start, out: Some(entry.time), closed_by: None, uncertain: leave.uncertain });
    }

    /// Closes the last stay by evidence; one that starts at or after the session's end has no length (rule 4.5).
    fn close(&mut self, open: Open, (at, by): (Timestamp, ClosedBy), end: Option<Timestamp>) {
        let after_end = end.is_some_and(|end| open.start >= end);
        if let Some(stay) = self.out.stays.last_mut() {
            (stay.out, stay.closed_by, stay.uncertain) = if after_end {
                (Some(open.start), Some(ClosedBy::SessionEnded), 0)
            } else {
                (Some(at), Some(by), at.since(open.last_known).max(0))
            };
        }
        self.open = None;
    }

    fn move_back(&mut self) {
        for (ix, joined) in std::mem::take(&mut self.moved_back) {
            let before = ix.checked_sub(1).and_then(|i| self.out.stays[i].out);
            let stay = &mut self.out.stays[ix];
            stay.start = stay.start.min(before.map_or(joined, |out| joined.max(out)));
        }
        self.out.anomalies.sort();
    }

    fn last_out(&self) -> Option<Timestamp> {
        self.out.stays.last().and_then(|stay| stay.out)
    }

    fn stay(&mut self, entry: Entry, stay: Stay) {
        self.out.stays.push(stay);
        self.out.opened_by.push(u32::try_from(self.out.entries.len()).unwrap_or(u32::MAX));
        self.mention(entry, Some(self.out.stays.len() - 1));
    }

    fn mention(&mut self, entry: Entry, stay: Option<usize>) {
        self.out.entries.push((entry.record, stay.and_then(|ix| u32::try_from(ix).ok())));
    }

    /// Notes an anomaly of the entry that is mentioned next.
    fn odd(&mut self, entry: Entry, kind: AnomalyKind) {
        let place = u32::try_from(self.out.entries.len()).unwrap_or(u32::MAX);
        self.out.anomalies.push((Anomaly { at: entry.time, kind }, place));
    }
}
