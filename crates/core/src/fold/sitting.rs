//! Sittings: the sessions that a stream holds. A named session's stream holds one; a meeting's as many as rule 4.6 finds in its stays.

use super::facts::{Facts, PeerIx};
use crate::ranked::{Item, Ranked};
use crate::time::Timestamp;
use uuid::Uuid;

/// One session of a stream.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Sitting {
    /// The session's id.
    pub id: Uuid,
    /// The start of its first stay; of a named session the beginning of time, as all that is in its stream belongs to it.
    pub begun: Timestamp,
    /// Its explicit end.
    pub ended: Option<Timestamp>,
}

/// Where a stay of a meeting is found: at its start, by its peer, at its place among that peer's stays.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct StayAt {
    pub(crate) start: Timestamp,
    pub(crate) peer: PeerIx,
    pub(crate) stay: u32,
}

impl Item<Self> for StayAt {}

/// The stays of a meeting's people, by start.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Timeline(Ranked<StayAt>);

impl Timeline {
    /// Bytes of memory.
    pub(super) fn size(&self) -> usize {
        self.0.size()
    }

    pub(super) fn from(&self, start: Timestamp) -> impl Iterator<Item = StayAt> {
        self.0.from(self.0.rank(&StayAt { start, peer: 0, stay: 0 }, |at| at))
    }

    pub(super) fn between(&self, from: Timestamp, to: Timestamp) -> impl Iterator<Item = StayAt> {
        self.from(from).take_while(move |at| at.start < to)
    }

    /// Puts a peer's new stays in place of its old ones; returns the earliest start of any of them.
    pub(super) fn replace(&mut self, old: &[StayAt], new: &[StayAt]) -> Timestamp {
        old.iter().for_each(|at| self.0.remove(at, |at| at));
        new.iter().for_each(|at| self.0.insert(*at, |at| at));
        old.iter().chain(new).map(|at| at.start).min().unwrap_or(Timestamp::from_micros(i64::MAX))
    }
}

/// Cuts a meeting's timeline into sittings, from the start of one that is known (or from the beginning); `before` is the one before it.
/// `starts` are the stays from there on, each with its end.
///
/// `opener` tells the id that a stay's opening event yields, with what breaks ties between stays of one start.
pub(crate) fn cut<K: Ord>(
    facts: &Facts,
    starts: impl Iterator<Item = (StayAt, Option<Timestamp>)>,
    from: Timestamp,
    before: Option<&Sitting>,
    opener: impl Fn(PeerIx, u32) -> (K, Uuid),
) -> Vec<Sitting> {
    let mut cut = Cut {
        unmet: None,
        keep_alive: facts.keep_alive(),
        ends: facts.ends.range(from..).copied().filter(|at| before.is_none_or(|before| before.ended != Some(*at))).collect(),
        next_end: 0,
        last_out: None,
        sittings: Vec::new(),
    };
    let mut first: Option<K> = None;
    for (StayAt { start, peer, stay }, out) in starts {
        cut.ends_until(start);
        if cut.in_progress_at(start) {
            let last = cut.sittings.last_mut().filter(|sitting| sitting.begun == start);
            if let (Some(sitting), Some(key)) = (last, &mut first) {
                let (other, id) = opener(peer, stay);
                if other < *key {
                    (*key, sitting.id) = (other, id);
                }
            }
            cut.last_out = cut.last_out.zip(out).map(|(a, b)| a.max(b));
        } else {
            let (key, id) = opener(peer, stay);
            first = Some(key);
            cut.sittings.push(Sitting { id, begun: start, ended: None });
            cut.last_out = out;
        }
    }
    cut.ends_until(Timestamp::from_micros(i64::MAX));
    cut.sittings
}

struct Cut {
    keep_alive: i64,
    ends: Vec<Timestamp>,
    next_end: usize,
    /// An end that found nothing in progress.
    unmet: Option<Timestamp>,
    /// When the last of the newest sitting went; none while someone is in.
    last_out: Option<Timestamp>,
    sittings: Vec<Sitting>,
}

impl Cut {
    /// Whether the newest sitting neither was ended nor has been empty for keep-alive.
    fn in_progress_at(&self, at: Timestamp) -> bool {
        let open = self.sittings.last().is_some_and(|sitting| sitting.ended.is_none());
        open && self.last_out.is_none_or(|out| at < out.plus(self.keep_alive))
    }

    /// Lets the explicit ends up to a time end what is in progress then; stays that start at that time come after them, unless
    /// nothing else was there to end: then an end at the time of stays of no length is one at the time of the last leave.
    fn ends_until(&mut self, until: Timestamp) {
        if let Some(at) = self.unmet.take_if(|at| *at < until)
            && self.last_out == Some(at)
            && let Some(sitting) = self.sittings.last_mut().filter(|sitting| sitting.begun == at)
        {
            sitting.ended = Some(at);
        }
        while let Some(&at) = self.ends.get(self.next_end).filter(|&&at| at <= until) {
            self.next_end += 1;
            let goes_on = self.in_progress_at(at);
            match self.sittings.last_mut().filter(|sitting| goes_on && sitting.begun < at) {
                Some(sitting) => sitting.ended = Some(at),
                None => self.unmet = Some(at),
            }
        }
    }
}
