//! The attendance of all peers of a stream, and when it may change without an event.

use super::brief::{Brief, Stays, at_a_glance};
use super::facts::{Facts, PeerIx};
use super::group::{Attendance, attend};
use super::heap::make_room;
use super::record::RecordIx;
use super::sitting::{StayAt, Timeline};
use super::stay::Validity;
use crate::event::Kind;
use crate::ranked::{Keyed, Ranked};
use crate::time::Timestamp;
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

/// The attendance of each peer.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Attended {
    pub(super) briefs: Vec<Brief>,
    /// Of those of whom there is more to say.
    pub(super) more: BTreeMap<PeerIx, Box<Attendance>>,
    /// Of those of whom there is no more to say: the leave by slot that closed the stay.
    pub(super) by_slot: BTreeMap<PeerIx, RecordIx>,
    robots: BTreeSet<PeerIx>,
    /// When each peer's attendance may change without an event, in microseconds since 1970.
    pub(super) deadlines: Ranked<Keyed>,
    relied_on: Option<Timestamp>,
}

fn at(deadline: Keyed) -> Timestamp {
    Timestamp::from_micros(deadline.key())
}

fn itself(deadline: Keyed) -> Keyed {
    deadline
}

impl Attended {
    /// Those whose deadline passed.
    pub(super) fn overdue(&self, now: Timestamp) -> impl Iterator<Item = PeerIx> {
        self.deadlines.from(0).take_while(move |deadline| at(*deadline) < now).map(|deadline| deadline.of)
    }

    pub(super) fn validity(&self) -> Validity {
        let always = Validity::default();
        Validity { relied_on: self.relied_on.unwrap_or(always.relied_on), until: self.deadlines.get(0).map_or(always.until, at) }
    }

    pub(super) fn is_final(&self) -> bool {
        self.deadlines.len() == 0
    }

    pub(super) fn rely_like(&mut self, other: &Self) {
        self.relied_on = other.relied_on;
    }

    pub(super) fn is_robot(&self, peer: PeerIx) -> bool {
        !self.robots.is_empty() && self.robots.contains(&peer)
    }

    pub(super) fn peers(&self) -> impl Iterator<Item = PeerIx> {
        0..u32::try_from(self.briefs.len()).unwrap_or(u32::MAX)
    }

    /// Whether all of a peer's events that anything follows from are its own.
    pub(super) fn in_brief(&self, peer: PeerIx) -> bool {
        let in_brief = self.briefs.get(peer as usize).is_none_or(|brief| !brief.is_more());
        in_brief && (self.by_slot.is_empty() || !self.by_slot.contains_key(&peer))
    }

    pub(super) fn stays(&self, peer: PeerIx) -> Stays<'_> {
        let brief = self.briefs.get(peer as usize).copied().unwrap_or(Brief::NONE);
        match brief.stay() {
            Some(stay) => Stays::One(stay),
            None if brief.is_more() => Stays::Many(self.more.get(&peer).map_or(&[], |attendance| &attendance.stays)),
            None => Stays::Many(&[]),
        }
    }

    /// What the fold says of a peer.
    pub(super) fn of(&self, facts: &Facts, peer: PeerIx) -> Cow<'_, Attendance> {
        match self.more.get(&peer) {
            Some(attendance) => Cow::Borrowed(attendance),
            None => {
                let brief = self.briefs.get(peer as usize).copied().unwrap_or(Brief::NONE);
                Cow::Owned(brief.in_full(facts, peer, self.by_slot.get(&peer).copied()))
            }
        }
    }

    /// Reads peers anew, and in a meeting puts their stays into the timeline. Returns the earliest start of a stay that changed there.
    pub(super) fn read_again(
        &mut self,
        facts: &Facts,
        stale: &BTreeSet<PeerIx>,
        mut timeline: Option<&mut Timeline>,
        now: Timestamp,
    ) -> Timestamp {
        let new = facts.peers.len() - self.briefs.len();
        make_room(&mut self.briefs, new);
        self.briefs.resize(facts.peers.len(), Brief::NONE);
        let mut from = Timestamp::from_micros(i64::MAX);
        let mut read = BTreeSet::new();
        for &peer in stale {
            if let Some(brief) = at_a_glance(facts, peer, now) {
                from = from.min(self.replace(facts, peer, (brief, None), None, timeline.as_deref_mut()));
            } else if !read.contains(&peer) {
                let alone = [peer];
                let (peers, slots) = facts.group(peer).map_or((&alone[..], &[][..]), |group| (&group.peers, &group.slots));
                for (peer, attendance) in attend(facts, peers, slots, now) {
                    read.insert(peer);
                    let brief = Brief::of(facts, &attendance);
                    let more = brief.is_none().then_some(attendance);
                    let brief = brief.unwrap_or((Brief::MORE, None));
                    from = from.min(self.replace(facts, peer, brief, more, timeline.as_deref_mut()));
                }
            }
        }
        from
    }

    fn deadline(&self, peer: PeerIx) -> Option<Keyed> {
        let of_more = || self.more.get(&peer).map(|attendance| attendance.validity.until);
        let brief = self.briefs[peer as usize];
        let at = if brief.is_more() { of_more() } else { brief.deadline() };
        at.filter(|at| at.micros() < i64::MAX).map(|at| Keyed::new(at.micros(), peer))
    }

    /// Puts a peer's new attendance in place of its old one.
    fn replace(
        &mut self,
        facts: &Facts,
        peer: PeerIx,
        (brief, by_slot): (Brief, Option<RecordIx>),
        more: Option<Attendance>,
        timeline: Option<&mut Timeline>,
    ) -> Timestamp {
        let never = Timestamp::from_micros(i64::MAX);
        let robot = facts.kind(peer) == Kind::Robot;
        let same_more = self.more.get(&peer).map(AsRef::as_ref) == more.as_ref() && self.by_slot.get(&peer).copied() == by_slot;
        if self.briefs[peer as usize] == brief && same_more && self.is_robot(peer) == robot {
            return never;
        }
        if let Some(relied_on) = more.as_ref().map(|more| more.validity.relied_on).filter(|at| at.micros() > i64::MIN) {
            self.relied_on = self.relied_on.max(Some(relied_on));
        }
        let old_deadline = self.deadline(peer);
        let starts = |attended: &Self| -> Vec<StayAt> {
            let stays = (0..).zip(attended.stays(peer).iter().map(|stay| stay.start)).collect::<Vec<(u32, Timestamp)>>();
            let listed = stays.into_iter().filter(|_| !attended.is_robot(peer));
            listed.map(|(stay, start)| StayAt { start, peer, stay }).collect()
        };
        let old = timeline.is_some().then(|| starts(self));
        self.briefs[peer as usize] = brief;
        match by_slot {
            Some(leave) => drop(self.by_slot.insert(peer, leave)),
            None => drop(self.by_slot.remove(&peer)),
        }
        match more {
            Some(more) => drop(self.more.insert(peer, Box::new(more))),
            None => drop(self.more.remove(&peer)),
        }
        if robot {
            self.robots.insert(peer)
        } else {
            self.robots.remove(&peer)
        };
        let deadline = self.deadline(peer);
        if old_deadline != deadline {
            if let Some(old) = old_deadline {
                self.deadlines.remove(&old, itself);
            }
            if let Some(new) = deadline {
                self.deadlines.insert(new, itself);
            }
        }
        let (Some(timeline), Some(old)) = (timeline, old) else { return never };
        timeline.replace(&old, &starts(self))
    }
}
