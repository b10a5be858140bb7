//! One event, or one entry of a roster, in the few bytes that the fold works with; the rest of what it tells lies in the heap.

use super::facts::PeerIx;
use crate::time::Timestamp;

/// The place of a record among those of its stream. A stream has at most 2³¹ of them.
pub(crate) type RecordIx = u32;

/// What a record is of.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum What {
    /// `peer.created`.
    Created,
    /// `peer.joined`.
    Joined,
    /// `peer.left`, which tells no more than who left.
    Left,
    /// `peer.left` that tells a join or an uncertainty.
    LeftTelling,
    /// `peer.left` that names only a slot.
    LeftSlot,
    /// `session.started`.
    SessionStarted,
    /// `session.ended`.
    SessionEnded,
    /// `session.roster`; its entries are the records that follow.
    Roster,
    /// An entry of a roster.
    Present,
    /// A start or stop of a source.
    Life,
}

/// An event, or an entry of a roster.
///
/// In the heap an event has its id, the digest of its content, and what else it tells, as `taking` writes it. An entry of a roster has
/// what the roster says of its peer, which may be what was written for an earlier one.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Record {
    /// The event's time; of an entry its `joined_at`, or [`Record::UNTOLD`].
    pub(super) time: Timestamp,
    /// The peer's record that lies before this one, or the peer.
    pub(super) next: Next,
    /// The number of the event's source; of an entry its roster's record.
    pub(super) origin: u32,
    text: [u8; 5],
    pub(super) what: What,
}

// A session of a million people has some millions of these.
const _: () = assert!(size_of::<Record>() == 24);

impl Record {
    /// In place of an instant that was not told.
    pub(super) const UNTOLD: Timestamp = Timestamp::from_micros(i64::MIN);

    pub(super) fn new(what: What, time: Timestamp, origin: u32, text: u64) -> Self {
        let [a, b, c, d, e, ..] = text.to_le_bytes();
        Self { time, next: Next::NOTHING, origin, text: [a, b, c, d, e], what }
    }

    pub(super) fn set_text(&mut self, text: u64) {
        *self = Self { next: self.next, ..Self::new(self.what, self.time, self.origin, text) };
    }

    /// Its place in the heap.
    pub(super) fn text(&self) -> u64 {
        let [a, b, c, d, e] = self.text;
        u64::from_le_bytes([a, b, c, d, e, 0, 0, 0])
    }
}

/// A link of the chain of a peer's records, which begins at the latest and ends with the peer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Next(u32);

impl Next {
    const PEER: u32 = 1 << 31;
    /// A record that is in no chain.
    pub(super) const NOTHING: Self = Self(u32::MAX);

    pub(super) fn record(ix: RecordIx) -> Self {
        Self(ix & !Self::PEER)
    }

    pub(super) fn peer(ix: PeerIx) -> Self {
        Self(ix | Self::PEER)
    }

    /// The record, or the peer at the end.
    pub(super) fn get(self) -> Result<RecordIx, PeerIx> {
        if self.0 & Self::PEER == 0 { Ok(self.0) } else { Err(self.0 & !Self::PEER) }
    }
}

/// What one event says of one peer, as the fold takes it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Entry {
    /// The event's time; of a leave whose `joined_at` is later, that.
    pub(crate) time: Timestamp,
    /// Where it is recorded.
    pub(crate) record: RecordIx,
    pub(crate) act: Act,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Act {
    /// The entry of a roster.
    Present,
    Created,
    Joined,
    Left,
    /// A leave that named only this slot.
    LeftSlot(u32),
}
