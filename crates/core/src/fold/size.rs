//! How much memory a fold takes.

use super::attended::Attended;
use super::brief::Brief;
use super::facts::{Facts, GroupFacts, PeerFacts, PlaceFacts, SlotFacts};
use super::group::Attendance;
use super::reading::Reading;
use super::record::Record;
use crate::event::{Content, Place};
use std::ops::Add;
use uuid::Uuid;

/// Bytes of memory, apart by what they are for. Lists and tables are counted exactly, what only few sessions have is estimated.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Size {
    /// Events and peers, their stays, and what their order and their deadlines take.
    pub records: usize,
    /// From a peer's or a session's id to where it is.
    pub ids: usize,
    /// Which events are known: their identities, and the digests of their contents.
    pub known: usize,
    /// What the events tell in texts, their own ids among them.
    pub texts: usize,
}

impl Size {
    /// All of it.
    #[must_use]
    pub fn whole(&self) -> usize {
        self.records + self.ids + self.known + self.texts
    }
}

impl Add for Size {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            records: self.records + other.records,
            ids: self.ids + other.ids,
            known: self.known + other.known,
            texts: self.texts + other.texts,
        }
    }
}

/// What an entry of a tree takes beside its own bytes, about: nodes are two thirds full.
const fn in_tree(bytes: usize) -> usize {
    bytes * 3 / 2 + 2
}

impl Facts {
    /// The memory that the facts take.
    #[must_use]
    pub fn size(&self) -> Size {
        let digests = self.known.len() * size_of::<Content>();
        let entries_of_rosters = self.records.len().saturating_sub(self.known.len()) * size_of::<u32>();
        let records = self.records.capacity() * size_of::<Record>() + entries_of_rosters;
        let peers = self.peers.capacity() * size_of::<PeerFacts>();
        let slots = self.slots.len() * (size_of::<SlotFacts>() + size_of::<GroupFacts>() + 32);
        let bound = self.bound.len() * in_tree(8);
        Size {
            records: records + peers + slots + bound,
            ids: self.by_id.size() + self.derived.capacity() * (size_of::<(Uuid, u32)>() + 1) + self.strays.capacity() * 9,
            known: self.known.size() + digests,
            texts: self.heap.size().saturating_sub(digests)
                + self.sources.size()
                + self.presets.size()
                + self.places.len() * (size_of::<PlaceFacts>() + 2 * size_of::<Place>()),
        }
    }
}

impl Reading {
    /// The memory that the reading takes.
    #[must_use]
    pub fn size(&self) -> Size {
        Size { records: self.attended.size() + self.timeline.size(), ..Size::default() }
    }
}

impl Attended {
    fn size(&self) -> usize {
        // Beside its own fields an attendance has some stays and entries.
        let in_full = in_tree(12) + size_of::<Attendance>() + 200;
        self.briefs.capacity() * size_of::<Brief>() + self.more.len() * in_full + self.by_slot.len() * in_tree(8) + self.deadlines.size()
    }
}
