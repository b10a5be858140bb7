//! What waits for a commit, judged against what is known and against each other.

use super::Receipt;
use super::fold::Fold;
use hashbrown::HashTable;
use hashbrown::hash_table::Entry;
use rollbook_core::event::{Content, Event};
use rollbook_core::fold::{IdHash, New, Verdict};
use rollbook_core::id::{App, Stream, Streams};
use rollbook_store::Seq;
use std::collections::BTreeMap;
use std::sync::Arc;
use uuid::Uuid;

/// An event with what is derived from it once: where it belongs, the digest of its content, and the id of the one peer that it names.
pub(super) struct Given {
    pub(super) stream: Stream,
    pub(super) event: Event,
    pub(super) peer: Option<Uuid>,
    content: Content,
}

impl Given {
    pub(super) fn all(app: &App, events: Vec<Event>) -> Vec<Self> {
        let mut streams = Streams::new(app);
        let derive = |event| {
            let stream = streams.of(event);
            (stream, event.content(), app.peer_of(stream, event))
        };
        let derived: Vec<_> = events.iter().map(derive).collect();
        events.into_iter().zip(derived).map(|(event, (stream, content, peer))| Self { stream, event, peer, content }).collect()
    }
}

/// What one commit is to add to one stream.
pub(super) struct Pending<'d> {
    pub(super) fold: Arc<Fold>,
    pub(super) expected: Seq,
    new: Vec<(&'d Given, IdHash)>,
    /// The places of the new ones, by source and id.
    places: HashTable<usize>,
}

impl<'d> Pending<'d> {
    pub(super) fn new(fold: Arc<Fold>) -> Self {
        let expected = fold.lock().seq();
        Self { fold, expected, new: Vec::new(), places: HashTable::new() }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.new.is_empty()
    }

    /// The new ones.
    pub(super) fn given(&self) -> impl ExactSizeIterator<Item = &'d Given> + Clone {
        self.new.iter().map(|(given, _)| *given)
    }

    /// The new ones, by themselves.
    pub(super) fn events(&self) -> impl ExactSizeIterator<Item = &'d Event> + Clone {
        self.given().map(|given| &given.event)
    }

    /// The new ones as the fold takes them, once they are its next batch.
    pub(super) fn taken(&self) -> impl Iterator<Item = New<'d>> {
        self.new.iter().map(|(given, hash)| New { event: &given.event, content: given.content, peer: given.peer, hash: *hash })
    }

    /// Adds an event if it is new.
    fn offer(&mut self, given: &'d Given) -> Verdict {
        let Given { event, content, .. } = given;
        let fold = self.fold.lock();
        let hash = fold.facts.hash(event);
        let new = &self.new;
        let same =
            |place: &usize| new.get(*place).is_some_and(|(known, _)| known.event.id == event.id && known.event.source == event.source);
        let place = match self.places.entry(hash.number(), same, |place| new.get(*place).map_or(0, |(_, hash)| hash.number())) {
            Entry::Occupied(known) if new.get(*known.get()).is_some_and(|(known, _)| known.content == *content) => {
                return Verdict::Duplicate;
            }
            Entry::Occupied(_) => return Verdict::Conflict,
            Entry::Vacant(place) => place,
        };
        let verdict = fold.facts.judge_hashed(event, *content, hash);
        if verdict == Verdict::New {
            place.insert(new.len());
            self.new.push((given, hash));
        }
        verdict
    }

    /// Takes back an event if it is the one that was added last.
    fn withdraw(&mut self, given: &'d Given) {
        if let Some((_, hash)) = self.new.pop_if(|(last, _)| std::ptr::eq(*last, given))
            && let Ok(place) = self.places.find_entry(hash.number(), |place| *place == self.new.len())
        {
            place.remove();
        }
    }
}

/// Adds a delivery's new events to what is pending; or, where some conflict, adds nothing and names them.
pub(super) fn judge<'d>(streams: &mut BTreeMap<Stream, Pending<'d>>, delivery: &'d [Given]) -> Result<Receipt, Vec<usize>> {
    let mut receipt = Receipt::default();
    let mut conflicts = Vec::new();
    for (ix, given) in delivery.iter().enumerate() {
        let Some(pending) = streams.get_mut(&given.stream) else { continue };
        match pending.offer(given) {
            Verdict::New => receipt.accepted += 1,
            Verdict::Duplicate => receipt.duplicates += 1,
            Verdict::Conflict => conflicts.push(ix),
        }
    }
    if conflicts.is_empty() {
        return Ok(receipt);
    }
    for given in delivery.iter().rev() {
        if let Some(pending) = streams.get_mut(&given.stream) {
            pending.withdraw(given);
        }
    }
    Err(conflicts)
}
