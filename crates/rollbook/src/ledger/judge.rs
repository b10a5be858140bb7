//! What waits for a commit, judged against what is known and against each other.

use super::Receipt;
use super::fold::Fold;
use rollbook_core::event::{Content, Event};
use rollbook_core::fold::Verdict;
use rollbook_core::id::{App, Stream, Streams};
use rollbook_store::Seq;
use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// An event with what is derived from it once: where it belongs, and the digest of its content.
pub(super) struct Given {
    pub(super) stream: Stream,
    pub(super) event: Event,
    pub(super) content: Content,
}

impl Given {
    pub(super) fn all(app: &App, events: Vec<Event>) -> Vec<Self> {
        let mut streams = Streams::new(app);
        let derived: Vec<_> = events.iter().map(|event| (streams.of(event), event.content())).collect();
        events.into_iter().zip(derived).map(|(event, (stream, content))| Self { stream, event, content }).collect()
    }
}

/// What one commit is to add to one stream.
pub(super) struct Pending<'d> {
    pub(super) fold: Arc<Fold>,
    pub(super) expected: Seq,
    pub(super) new: Vec<&'d Given>,
    /// The new ones, by source and id.
    contents: HashMap<(&'d str, &'d str), Content>,
}

impl<'d> Pending<'d> {
    pub(super) fn new(fold: Arc<Fold>) -> Self {
        let expected = fold.lock().seq();
        Self { fold, expected, new: Vec::new(), contents: HashMap::new() }
    }

    /// The new ones.
    pub(super) fn events(&self) -> impl ExactSizeIterator<Item = &'d Event> + Clone {
        self.new.iter().map(|given| &given.event)
    }

    /// Adds an event if it is new.
    fn offer(&mut self, given: &'d Given) -> Verdict {
        let Given { event, content, .. } = given;
        let place = match self.contents.entry((&event.source, &event.id)) {
            Entry::Occupied(known) if known.get() == content => return Verdict::Duplicate,
            Entry::Occupied(_) => return Verdict::Conflict,
            Entry::Vacant(place) => place,
        };
        let verdict = self.fold.lock().facts.judge_digested(event, *content);
        if verdict == Verdict::New {
            place.insert(*content);
            self.new.push(given);
        }
        verdict
    }

    /// Takes back an event if it is the one that was added last.
    fn withdraw(&mut self, given: &'d Given) {
        if self.new.pop_if(|last| std::ptr::eq(*last, given)).is_some() {
            self.contents.remove(&(&*given.event.source, &*given.event.id));
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
