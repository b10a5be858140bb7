//! The roster of a session that goes on: its orders kept up to date peer by peer, so that no page of it sorts, scans or counts.

use super::page::{Query, Sort};
use super::ranked::Ranked;
use super::row::{Length, Part, length};
use crate::fold::{Facts, PeerIx, Reading, SittingIx};
use crate::time::Timestamp;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use uuid::Uuid;

/// The rosters of a stream's sessions that were asked for.
#[derive(Clone, Debug, Default)]
pub struct LiveRosters {
    by_session: BTreeMap<Uuid, LiveRoster>,
}

/// One session's peers, in the orders of the list.
#[derive(Clone, Debug)]
struct LiveRoster {
    /// The times from which and before which the session's stays start.
    span: (Timestamp, Timestamp),
    keys: HashMap<PeerIx, Key>,
    joined: Ranked<(Timestamp, Uuid, PeerIx)>,
    gone: Ranked<(i64, Uuid, PeerIx)>,
    /// Who has been in longest comes last, at any `now`.
    present: Ranked<(Reverse<Timestamp>, Uuid, PeerIx)>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Key {
    joined: Timestamp,
    length: Length,
    id: Uuid,
}

impl LiveRosters {
    /// Follows a reading that was updated: `touched` are the peers that were read anew.
    pub fn follow(&mut self, facts: &Facts, reading: &Reading, touched: &BTreeSet<PeerIx>) {
        self.by_session.retain(|session, roster| {
            let sitting = reading.sittings().iter().rposition(|sitting| sitting.id == *session);
            let Some(sitting) = sitting.filter(|sitting| reading.span(*sitting) == roster.span) else { return false };
            for peer in touched {
                roster.put(*peer, key(facts, reading, sitting, *peer));
            }
            true
        });
    }

    /// How many rows a session's list has, how many lie before the page, and the page's, as peers in order. None where nobody is in.
    /// The session's roster is made on the first call; a search in the query is not looked at.
    pub fn page(&mut self, part: Part<'_>, query: &Query, now: Timestamp) -> Option<(u32, u32, Vec<PeerIx>)> {
        let (session, order) = (part.id()?, query.order);
        let roster = self.by_session.entry(session).or_insert_with(|| LiveRoster::new(part));
        if roster.present.len() == 0 {
            self.by_session.remove(&session);
            return None;
        }
        let total = roster.joined.len();
        let from = usize::try_from(query.offset).unwrap_or(usize::MAX).min(total);
        let to = from.saturating_add(query.limit as usize).min(total);
        let (low, high) = if order.descending { (total - to, total - from) } else { (from, to) };
        let mut peers = match order.sort {
            Sort::JoinedAt => roster.joined.from(low).take(high - low).map(|(.., peer)| peer).collect(),
            Sort::Duration => roster.by_length(low, high - low, now),
        };
        if order.descending {
            peers.reverse();
        }
        let small = |number| u32::try_from(number).unwrap_or(u32::MAX);
        Some((small(total), small(from), peers))
    }
}

fn key(facts: &Facts, reading: &Reading, sitting: SittingIx, peer: PeerIx) -> Option<Key> {
    let stays = reading.stays(sitting, peer);
    let first = stays.first().filter(|_| !reading.is_robot(peer))?;
    Some(Key { joined: first.start, length: length(stays), id: facts.peer_id(peer) })
}

impl LiveRoster {
    fn new(part: Part<'_>) -> Self {
        let Part { facts, reading, sitting } = part;
        let all = reading.listed(facts, sitting).into_iter();
        let keys: HashMap<PeerIx, Key> = all.filter_map(|peer| Some((peer, key(facts, reading, sitting, peer)?))).collect();
        let (mut joined, mut gone, mut present) = (Vec::new(), Vec::new(), Vec::new());
        #[expect(clippy::iter_over_hash_type, reason = "each of the lists is sorted before it is used")]
        for (&peer, key) in &keys {
            joined.push((key.joined, key.id, peer));
            match key.length {
                Length::Gone(length) => gone.push((length, key.id, peer)),
                Length::In(since) => present.push((Reverse(since), key.id, peer)),
            }
        }
        joined.sort_unstable();
        gone.sort_unstable();
        present.sort_unstable();
        Self {
            span: reading.span(sitting),
            keys,
            joined: Ranked::from_sorted(&joined),
            gone: Ranked::from_sorted(&gone),
            present: Ranked::from_sorted(&present),
        }
    }

    /// Puts a peer in its places, or out of the list.
    fn put(&mut self, peer: PeerIx, new: Option<Key>) {
        let old = self.keys.get(&peer).copied();
        if old == new {
            return;
        }
        if let Some(key) = old {
            self.joined.remove(&(key.joined, key.id, peer));
            match key.length {
                Length::Gone(length) => self.gone.remove(&(length, key.id, peer)),
                Length::In(since) => self.present.remove(&(Reverse(since), key.id, peer)),
            }
            self.keys.remove(&peer);
        }
        if let Some(key) = new {
            self.joined.insert((key.joined, key.id, peer));
            match key.length {
                Length::Gone(length) => self.gone.insert((length, key.id, peer)),
                Length::In(since) => self.present.insert((Reverse(since), key.id, peer)),
            }
            self.keys.insert(peer, key);
        }
    }

    /// The rows of a range of the order by length: one binary search for where the two lists are cut, then a merge.
    fn by_length(&self, start: usize, count: usize, now: Timestamp) -> Vec<PeerIx> {
        let gone_key = |(length, id, peer): (i64, Uuid, PeerIx)| (length, id, peer);
        let present_key = |(Reverse(since), id, peer): (Reverse<Timestamp>, Uuid, PeerIx)| (now.since(since), id, peer);
        let (mut low, mut high) = (start.saturating_sub(self.present.len()), start.min(self.gone.len()));
        while low < high {
            let middle = low + (high - low) / 2;
            let gone = self.gone.get(middle).map(gone_key);
            let present = self.present.get(start - middle - 1).map(present_key);
            if gone < present { low = middle + 1 } else { high = middle }
        }
        let mut gone = self.gone.from(low).map(gone_key).peekable();
        let mut present = self.present.from(start - low).map(present_key).peekable();
        let next = || match (gone.peek(), present.peek()) {
            (Some(g), Some(p)) if g < p => gone.next(),
            (Some(_), None) => gone.next(),
            _ => present.next(),
        };
        std::iter::from_fn(next).take(count).map(|(.., peer)| peer).collect()
    }
}
