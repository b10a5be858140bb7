//! Peers of a session that goes on in the orders of the list, each in its place whoever comes and goes.

use super::page::{Order, Sort};
use super::row::{Length, Part, length};
use crate::fold::{Facts, PeerIx};
use crate::ranked::{Item, Keyed, Ranked};
use crate::time::Timestamp;
use uuid::Uuid;

/// Some of a session's peers. They stand for their keys, which the reading has.
#[derive(Clone, Debug, Default)]
pub(super) struct Orders {
    joined: Ranked<Joined, (Timestamp, Uuid)>,
    gone: ByLength,
    /// Who has been in longest comes last, at any `now`.
    present: ByLength,
}

/// A peer in the order of joining.
#[derive(Clone, Copy, Debug)]
struct Joined(PeerIx);

impl Item<(Timestamp, Uuid)> for Joined {}

/// Peers in the order of their lengths, with what decides it: peers lie far from each other, and where a page begins is found by looking at many.
/// Of those who are gone it is the length, of those who are in since when, negated.
type ByLength = Ranked<Keyed, (i64, Uuid)>;

fn gone(length: i64, peer: PeerIx) -> Keyed {
    Keyed::new(length, peer)
}

fn present(since: Timestamp, peer: PeerIx) -> Keyed {
    Keyed::new(since.micros().saturating_neg(), peer)
}

/// The length at `now` of someone who is in, by what decides the order.
fn present_at(now: Timestamp, key: i64) -> i64 {
    Length::In(Timestamp::from_micros(key.saturating_neg())).at(now)
}

fn joined_key(part: Part<'_>) -> impl Fn(Joined) -> (Timestamp, Uuid) {
    move |Joined(peer)| (part.joined_at(peer).unwrap_or_default(), part.facts.peer_id(peer))
}

fn length_key(facts: &Facts) -> impl Fn(Keyed) -> (i64, Uuid) {
    move |placed| (placed.key(), facts.peer_id(placed.of))
}

impl Part<'_> {
    fn length(&self, peer: PeerIx) -> Length {
        length(&self.reading.stays(self.sitting, peer))
    }
}

impl Orders {
    /// Of all peers that the session lists.
    pub(super) fn of(part: Part<'_>) -> Self {
        let listed = part.reading.listed(part.facts, part.sitting);
        let (mut of_gone, mut of_present) = (Vec::new(), Vec::new());
        for peer in &listed {
            match part.length(*peer) {
                Length::Gone(length) => of_gone.push(gone(length, *peer)),
                Length::In(since) => of_present.push(present(since, *peer)),
            }
        }
        let mut joined: Vec<Joined> = listed.into_iter().map(Joined).collect();
        joined.sort_by_cached_key(|peer| joined_key(part)(*peer));
        let sorted = |mut peers: Vec<Keyed>| {
            peers.sort_unstable_by_key(|placed| length_key(part.facts)(*placed));
            Ranked::from_sorted(&peers, length_key(part.facts))
        };
        let (gone, present) = (sorted(of_gone), sorted(of_present));
        Self { joined: Ranked::from_sorted(&joined, joined_key(part)), gone, present }
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.joined.len()
    }

    /// Whether any of them is in.
    pub(super) fn goes_on(&self) -> bool {
        self.present.len() > 0
    }

    /// Bytes of memory.
    pub(super) fn size(&self) -> usize {
        self.joined.size() + self.gone.size() + self.present.size()
    }

    /// Takes out a peer that is listed, before what it stands for changes; one that is not there is none.
    pub(super) fn take_out(&mut self, part: Part<'_>, peer: PeerIx) {
        self.joined.remove(&joined_key(part)(Joined(peer)), joined_key(part));
        let (list, placed) = self.place(part, peer);
        list.remove(&length_key(part.facts)(placed), length_key(part.facts));
    }

    /// Puts a peer that is listed in its places.
    pub(super) fn put_in(&mut self, part: Part<'_>, peer: PeerIx) {
        self.joined.insert(Joined(peer), joined_key(part));
        let (list, placed) = self.place(part, peer);
        list.insert(placed, length_key(part.facts));
    }

    /// The list by length that a peer belongs to, and what it is there.
    fn place(&mut self, part: Part<'_>, peer: PeerIx) -> (&mut ByLength, Keyed) {
        match part.length(peer) {
            Length::Gone(length) => (&mut self.gone, gone(length, peer)),
            Length::In(since) => (&mut self.present, present(since, peer)),
        }
    }

    /// The peers of a range of the list.
    pub(super) fn slice(&self, part: Part<'_>, order: Order, from: usize, to: usize, now: Timestamp) -> Vec<PeerIx> {
        let total = self.joined.len();
        let (low, high) = if order.descending { (total - to, total - from) } else { (from, to) };
        let mut peers = match order.sort {
            Sort::JoinedAt => self.joined.slice(low, high - low).into_iter().map(|Joined(peer)| peer).collect(),
            Sort::Duration => self.by_length(part, low, high - low, now),
        };
        if order.descending {
            peers.reverse();
        }
        peers
    }

    /// The rows of a range of the order by length: one binary search for where the two lists are cut, then a merge.
    fn by_length(&self, part: Part<'_>, start: usize, count: usize, now: Timestamp) -> Vec<PeerIx> {
        // Most lengths differ: only where they don't, ids are looked up.
        let before = |gone: Keyed, present: Keyed| {
            let by_length = gone.key().cmp(&present_at(now, present.key()));
            by_length.then_with(|| part.facts.peer_id(gone.of).cmp(&part.facts.peer_id(present.of))).is_lt()
        };
        let before_at = |gone: usize, present: usize| {
            self.differ(gone, present, now).unwrap_or_else(|| {
                let both = self.gone.get(gone).zip(self.present.get(present));
                both.is_some_and(|(gone, present)| before(gone, present))
            })
        };
        let (mut low, mut high) = (start.saturating_sub(self.present.len()), start.min(self.gone.len()));
        while low < high {
            let middle = low + (high - low) / 2;
            if before_at(middle, start - middle - 1) { low = middle + 1 } else { high = middle }
        }
        let mut gone = self.gone.slice(low, count).into_iter().peekable();
        let mut present = self.present.slice(start - low, count).into_iter().peekable();
        let next = || match (gone.peek(), present.peek()) {
            (Some(g), Some(p)) if before(*g, *p) => gone.next(),
            (Some(_), None) => gone.next(),
            _ => present.next(),
        };
        std::iter::from_fn(next).take(count).map(|placed| placed.of).collect()
    }

    /// Whether who is at a place of those who are gone was in for less time than who is at a place of those who are in, or for more; where the
    /// keys around both tell it. The places themselves lie far away from the last that were looked at.
    fn differ(&self, gone: usize, present: usize, now: Timestamp) -> Option<bool> {
        let ((shortest, (longest, _)), (least, (most, _))) = (self.gone.bounds(gone)?, self.present.bounds(present)?);
        if least.is_some_and(|(least, _)| longest < present_at(now, least)) {
            return Some(true);
        }
        shortest.is_some_and(|(length, _)| length > present_at(now, most)).then_some(false)
    }
}
