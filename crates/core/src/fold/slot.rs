//! Slots (rule 4.7): who holds a place in a meeting where the engine's leaves name only the place.

use super::facts::{Act, Displaced, Entry, Facts, PeerIx};
use crate::time::Timestamp;
use std::collections::BTreeSet;

/// One slot's events.
#[derive(Debug)]
pub(crate) struct SlotFacts {
    pub(crate) source: Box<str>,
    /// Joins and roster entries that name the slot, with their peers.
    pub(crate) takes: Vec<(Entry, PeerIx)>,
    /// Leaves that name only the slot.
    pub(crate) leaves: Vec<Entry>,
    /// The peers that the slot's last course gave a leave to, or displaced.
    pub(crate) affected: BTreeSet<PeerIx>,
}

impl SlotFacts {
    pub(crate) fn new(source: Box<str>) -> Self {
        Self { source, takes: Vec::new(), leaves: Vec::new(), affected: BTreeSet::new() }
    }
}

/// What became of a slot's events.
#[derive(Debug, Default)]
pub(crate) struct Course {
    /// Each leave by slot with its holder; none where the slot was free.
    pub(crate) leaves: Vec<(Entry, Option<PeerIx>)>,
    /// Who was displaced.
    pub(crate) displaced: Vec<(PeerIx, Displaced)>,
}

/// Something that happens to a slot.
#[derive(Clone, Copy)]
enum Step {
    /// Its source starts or stops.
    Freed,
    Take(Entry, PeerIx),
    LeaveSlot(Entry),
    /// A leave by name of a peer that took the slot at some time.
    LeavePeer(Entry, PeerIx),
}

/// Follows a slot through its events: by time; at one time a start or stop of the source first, then rosters, then by the slot's state:
/// held, a leave before a join; free, a join before a leave; then by source and id.
pub(crate) fn follow(facts: &Facts, ix: u32) -> Course {
    let slot = &facts.slots[ix as usize];
    let mut steps: Vec<(Timestamp, Step)> = facts.lives_of(&slot.source).map(|(at, _)| (at, Step::Freed)).collect();
    steps.extend(slot.takes.iter().map(|&(entry, peer)| (entry.time, Step::Take(entry, peer))));
    steps.extend(slot.leaves.iter().map(|&entry| (entry.time, Step::LeaveSlot(entry))));
    for peer in slot.takes.iter().map(|&(_, peer)| peer).collect::<BTreeSet<_>>() {
        let leaves = facts.peers[peer as usize].entries.iter().filter(|e| e.act == Act::Left);
        steps.extend(leaves.map(|&e| (e.time, Step::LeavePeer(e, peer))));
    }
    steps.sort_by(|a, b| a.0.cmp(&b.0).then_with(|| rank(facts, a.1).cmp(&rank(facts, b.1))));
    let mut state = State { ix, holder: None, course: Course::default() };
    for at_one_time in steps.chunk_by(|a, b| a.0 == b.0) {
        state.moment(at_one_time);
    }
    state.course
}

fn rank(facts: &Facts, step: Step) -> (u8, &str, &str) {
    match step {
        Step::Freed => (0, "", ""),
        Step::Take(e, _) | Step::LeaveSlot(e) | Step::LeavePeer(e, _) => {
            let (_, not_roster, source, id) = facts.order(e);
            (1 + u8::from(not_roster), source, id)
        }
    }
}

struct State {
    ix: u32,
    holder: Option<(PeerIx, Entry)>,
    course: Course,
}

impl State {
    fn moment(&mut self, steps: &[(Timestamp, Step)]) {
        let mut waiting: Vec<Step> = Vec::new();
        for &(_, step) in steps {
            match step {
                Step::Freed => self.holder = None,
                Step::Take(entry, peer) if matches!(entry.act, Act::Present(_)) => self.take(entry, peer),
                other => waiting.push(other),
            }
        }
        while let Some(next) = self.next(&waiting) {
            match waiting.remove(next) {
                Step::Take(entry, peer) => self.take(entry, peer),
                Step::LeaveSlot(entry) => {
                    let holder = self.holder.take().map(|(peer, _)| peer);
                    self.course.leaves.push((entry, holder));
                }
                Step::LeavePeer(_, peer) => {
                    self.holder.take_if(|(holder, _)| *holder == peer);
                }
                Step::Freed => {}
            }
        }
    }

    /// The place of the step that rule 4.1 takes next.
    fn next(&self, waiting: &[Step]) -> Option<usize> {
        let is_join = |s: &Step| matches!(s, Step::Take(..));
        let ends_holding = |s: &Step| match s {
            Step::LeaveSlot(_) => true,
            Step::LeavePeer(_, peer) => self.holder.is_some_and(|(holder, _)| holder == *peer),
            _ => false,
        };
        let (first, then): (&dyn Fn(&Step) -> bool, &dyn Fn(&Step) -> bool) =
            if self.holder.is_some() { (&ends_holding, &is_join) } else { (&is_join, &ends_holding) };
        waiting.iter().position(first).or_else(|| waiting.iter().position(then)).or(if waiting.is_empty() { None } else { Some(0) })
    }

    fn take(&mut self, entry: Entry, peer: PeerIx) {
        if let Some((holder, taken_by)) = self.holder.replace((peer, entry))
            && holder != peer
        {
            self.course.displaced.push((holder, Displaced { slot: self.ix, at: entry.time, taken_by }));
        }
    }
}
