//! What an event is beside those that are known: each is known by its source and id.

use super::facts::Facts;
use super::record::RecordIx;
use crate::event::{Content, Event};
use std::hash::BuildHasher;
use uuid::Uuid;

/// What a new event is beside those that are known.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// Not known yet.
    New,
    /// Known, with the same content.
    Duplicate,
    /// Its identity is known with other content.
    Conflict,
}

/// The hash of an event's id, as the facts of its stream have it; it means nothing to others.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct IdHash(pub(super) u64);

impl IdHash {
    /// The number that it stands for.
    #[must_use]
    pub fn number(self) -> u64 {
        self.0
    }

    /// That of the event itself: sources may count alike.
    pub(super) fn of(self, source: u32) -> u64 {
        self.0 ^ u64::from(source).wrapping_mul(0x9e37_79b9_7f4a_7c15)
    }
}

/// An event that facts don't know yet, with what was derived from it once.
#[derive(Clone, Copy, Debug)]
pub struct New<'e> {
    /// The event.
    pub event: &'e Event,
    /// The digest of its content.
    pub content: Content,
    /// The id of the peer that it names: see [`App::peer_of`](crate::id::App::peer_of). Where it is not given it is derived.
    pub peer: Option<Uuid>,
    /// The hash of its id, by the facts that are to take it.
    pub hash: IdHash,
}

impl Facts {
    /// Whether an event is new, known, or in conflict with what is known.
    #[must_use]
    pub fn judge(&self, event: &Event) -> Verdict {
        self.judge_digested(event, event.content())
    }

    /// The same, of an event whose content's digest is known already.
    #[must_use]
    pub fn judge_digested(&self, event: &Event, content: Content) -> Verdict {
        self.judge_hashed(event, content, self.hash(event))
    }

    /// The same, with the event's own hash.
    #[must_use]
    pub fn judge_hashed(&self, event: &Event, content: Content, hash: IdHash) -> Verdict {
        let known = self.sources.find(&self.heap, &event.source).and_then(|source| self.event(source, &event.id, hash));
        match known {
            None => Verdict::New,
            Some(known) if self.content(known) == content => Verdict::Duplicate,
            Some(_) => Verdict::Conflict,
        }
    }

    /// The hash of an event's id, as these facts look for it.
    #[must_use]
    pub fn hash(&self, event: &Event) -> IdHash {
        self.hash_of(event.id.as_bytes())
    }

    pub(super) fn hash_of(&self, id: &[u8]) -> IdHash {
        IdHash(self.hasher.hash_one(id))
    }

    /// The event of a source and an id.
    pub(super) fn event(&self, source: u32, id: &str, hash: IdHash) -> Option<RecordIx> {
        let same = |known| self.source(known) == source && self.id(known) == id.as_bytes();
        self.known.find(hash.of(source), same)
    }
}
