//! What searches find in the roster of a session that goes on. It is kept up to date with the roster, so that another page of the same search costs
//! no more than a page without one.

use super::cursor::Text;
use super::orders::Orders;
use super::row::Part;
use super::search::Search;
use crate::fold::PeerIx;

/// How many searches of a session are kept, those that were asked for last.
const KEPT: usize = 4;

/// The searches that are kept, the one that was asked for last at the end.
#[derive(Clone, Debug, Default)]
pub(super) struct Searches(Vec<Found>);

/// What a search finds among the peers that were looked at.
#[derive(Clone, Debug)]
pub(super) struct Found {
    search: Search,
    orders: Orders,
    /// All peers before this one were looked at.
    next: PeerIx,
}

impl Searches {
    /// A search that has looked at so many peers more than before. Others go: all but the last few, and those with which there would be more than
    /// twice as many peers as are listed.
    pub(super) fn look(&mut self, part: Part<'_>, search: &Search, most: usize, listed: usize) -> &Orders {
        let known = self.0.iter().position(|found| found.search == *search).map(|at| self.0.remove(at));
        let mut asked = known.unwrap_or_else(|| Found { search: search.clone(), orders: Orders::default(), next: 0 });
        asked.look(part, most);
        let (mut count, mut peers) = (1, asked.orders.len());
        let gone = self.0.iter().rposition(|found| {
            (count, peers) = (count + 1, peers + found.orders.len());
            count > KEPT || peers > 2 * listed
        });
        self.0.drain(..gone.map_or(0, |last| last + 1));
        &self.0.push_mut(asked).orders
    }

    /// How many peers a search has not looked at.
    pub(super) fn left(&self, part: Part<'_>, search: &Search) -> usize {
        let next = self.0.iter().find(|found| found.search == *search).map_or(0, |found| found.next);
        part.facts.peers.len().saturating_sub(next as usize)
    }

    /// Takes out a peer that is listed, before what it stands for changes.
    pub(super) fn take_out(&mut self, part: Part<'_>, peer: PeerIx) {
        self.0.iter_mut().for_each(|found| found.orders.take_out(part, peer));
    }

    /// Looks again at a peer that is listed, where it was looked at before.
    pub(super) fn put_in(&mut self, part: Part<'_>, peer: PeerIx) {
        self.0.iter_mut().filter(|found| peer < found.next).for_each(|found| found.put_in(part, peer));
    }

    /// Bytes of memory.
    pub(super) fn size(&self) -> usize {
        self.0.iter().map(|found| found.orders.size()).sum()
    }
}

impl Found {
    /// Looks at so many more peers.
    fn look(&mut self, part: Part<'_>, most: usize) {
        let all = part.facts.peers.len();
        let to = all.min((self.next as usize).saturating_add(most));
        let peers = self.next..u32::try_from(to).unwrap_or(u32::MAX);
        self.next = peers.end;
        peers.filter(|peer| part.joined_at(*peer).is_some()).for_each(|peer| self.put_in(part, peer));
    }

    fn put_in(&mut self, part: Part<'_>, peer: PeerIx) {
        let told = part.facts.told_of(peer);
        if self.search.finds(part.facts.peer_id(peer), Text::of(told.custom_participant_id), Text::of(told.display_name)) {
            self.orders.put_in(part, peer);
        }
    }
}
