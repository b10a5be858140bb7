//! The roster of a session that goes on: its orders kept up to date peer by peer, so that no page of it sorts, scans or counts.

use super::found::Searches;
use super::orders::Orders;
use super::page::Query;
use super::row::Part;
use super::search::Search;
use crate::fold::{Changes, Facts, PeerIx, Reading};
use crate::time::Timestamp;
use std::collections::{BTreeMap, BTreeSet};
use uuid::Uuid;

/// A roster of so few peers is kept up to date whatever changes.
const SMALL: usize = 100;

/// The rosters of a stream's sessions that were asked for.
#[derive(Clone, Debug, Default)]
pub struct LiveRosters {
    by_session: BTreeMap<Uuid, LiveRoster>,
}

/// One session's peers.
#[derive(Clone, Debug)]
struct LiveRoster {
    /// The times from which and before which the session's stays start.
    span: (Timestamp, Timestamp),
    all: Orders,
    searches: Searches,
}

impl LiveRosters {
    /// Brings a reading up to date (see [`Reading::update`]), and the rosters with it.
    pub fn update(&mut self, facts: &Facts, reading: &mut Reading, changes: &Changes, now: Timestamp) {
        let stale = reading.stale(facts, changes, now);
        // A roster that mostly changes is made anew when it is asked for.
        self.by_session.retain(|_, roster| stale.len() <= roster.all.len() / 2 + SMALL);
        self.by_session.retain(|session, roster| roster.part(facts, reading, *session).map(|part| roster.take_out(part, &stale)).is_some());
        reading.read_again(facts, &stale, changes, now);
        self.by_session.retain(|session, roster| roster.part(facts, reading, *session).map(|part| roster.put_in(part, &stale)).is_some());
    }

    /// How many rows a session's list has, how many lie before the page, and the page's, as peers in order. None where nobody is in. The
    /// session's roster is made on the first call. A page costs the same wherever it lies; one of a search first looks at the peers that
    /// the search has not looked at (see [`LiveRosters::look`]).
    pub fn page(&mut self, part: Part<'_>, query: &Query, now: Timestamp) -> Option<(u32, u32, Vec<PeerIx>)> {
        let LiveRoster { all, searches, .. } = self.going_on(part)?;
        let listed = match &query.search {
            Some(search) => searches.look(part, search, usize::MAX, all.len()),
            None => all,
        };
        let total = listed.len();
        let from = usize::try_from(query.offset).unwrap_or(usize::MAX).min(total);
        let to = from.saturating_add(query.limit as usize).min(total);
        let small = |number| u32::try_from(number).unwrap_or(u32::MAX);
        Some((small(total), small(from), listed.slice(part, query.order, from, to, now)))
    }

    /// How many peers a search has not looked at. No roster is made for this.
    #[must_use]
    pub fn left(&self, part: Part<'_>, search: &Search) -> usize {
        let roster = part.id().and_then(|session| self.by_session.get(&session));
        roster.map_or(part.facts.peers.len(), |roster| roster.searches.left(part, search))
    }

    /// Lets a search look at so many more peers. What it found is kept up to date as the roster is, also between two calls; a few searches
    /// of a session are kept, those that looked last. Returns how many are left; none where nobody is in.
    pub fn look(&mut self, part: Part<'_>, search: &Search, most: usize) -> Option<usize> {
        let LiveRoster { all, searches, .. } = self.going_on(part)?;
        searches.look(part, search, most, all.len());
        Some(searches.left(part, search))
    }

    /// A session's roster, if anyone is in.
    fn going_on(&mut self, part: Part<'_>) -> Option<&mut LiveRoster> {
        let session = part.id()?;
        // Whoever is in will have been in for too long one day: where nothing can change without an event, nobody is, and nothing is sorted.
        if part.reading.is_final() {
            self.by_session.remove(&session);
            return None;
        }
        let roster = self.by_session.entry(session).or_insert_with(|| LiveRoster::new(part));
        if !roster.all.goes_on() {
            self.by_session.remove(&session);
            return None;
        }
        self.by_session.get_mut(&session)
    }

    /// Bytes of memory.
    #[must_use]
    pub fn size(&self) -> usize {
        self.by_session.values().map(|roster| roster.all.size() + roster.searches.size()).sum()
    }
}

impl LiveRoster {
    fn new(part: Part<'_>) -> Self {
        Self { span: part.reading.span(part.sitting), all: Orders::of(part), searches: Searches::default() }
    }

    /// The session in a reading, as long as its stays are those that start in the same span.
    fn part<'a>(&self, facts: &'a Facts, reading: &'a Reading, session: Uuid) -> Option<Part<'a>> {
        let sitting = reading.sittings().iter().rposition(|sitting| sitting.id == session)?;
        (reading.span(sitting) == self.span).then_some(Part { facts, reading, sitting })
    }

    /// Takes peers out of the lists, before what they stand for changes.
    fn take_out(&mut self, part: Part<'_>, peers: &BTreeSet<PeerIx>) {
        for peer in peers.iter().copied().filter(|peer| part.joined_at(*peer).is_some()) {
            self.all.take_out(part, peer);
            self.searches.take_out(part, peer);
        }
    }

    /// Puts peers in their places.
    fn put_in(&mut self, part: Part<'_>, peers: &BTreeSet<PeerIx>) {
        for peer in peers.iter().copied().filter(|peer| part.joined_at(*peer).is_some()) {
            self.all.put_in(part, peer);
            self.searches.put_in(part, peer);
        }
    }
}
