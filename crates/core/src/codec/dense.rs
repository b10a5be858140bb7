//! The letters of version 2: numbers, texts, and the bits that say what follows. Both directions go by this file.

use uuid::Uuid;
use uuid::fmt::Hyphenated;

/// What an event is, in the lowest four bits of its first byte.
pub(super) mod what {
    pub(in crate::codec) const CREATED: u64 = 0;
    pub(in crate::codec) const JOINED: u64 = 1;
    pub(in crate::codec) const LEFT: u64 = 2;
    pub(in crate::codec) const LEFT_SLOT: u64 = 3;
    pub(in crate::codec) const SESSION_STARTED: u64 = 4;
    pub(in crate::codec) const SESSION_ENDED: u64 = 5;
    pub(in crate::codec) const ROSTER: u64 = 6;
    pub(in crate::codec) const SOURCE_STARTED: u64 = 7;
    pub(in crate::codec) const SOURCE_STOPPED: u64 = 8;
    pub(in crate::codec) const MASK: u64 = 15;
}

/// The event has the source of the one before it.
pub(super) const SAME_SOURCE: u64 = 1 << 4;
/// The event tells of its session what the one before it does.
pub(super) const SAME_PLACE: u64 = 1 << 5;
/// A leave tells more than who left; an end tells its reason.
pub(super) const TELLS_MORE: u64 = 1 << 6;

/// What is told of a session.
pub(super) mod place {
    pub(in crate::codec) const NAMED: u64 = 1;
    pub(in crate::codec) const MEETING: u64 = 2;
    pub(in crate::codec) const TITLE: u64 = 4;
    pub(in crate::codec) const PARENT_SESSION: u64 = 8;
    pub(in crate::codec) const PARENT_MEETING: u64 = 16;
    pub(in crate::codec) const KEEP_ALIVE: u64 = 32;
    /// The home's id is the stream's, and left out.
    pub(in crate::codec) const OF_STREAM: u64 = 64;
}

/// What is told of a peer: what most tell fits into seven bits.
pub(super) mod peer {
    pub(in crate::codec) const ID: u64 = 1;
    pub(in crate::codec) const KEY: u64 = 2;
    pub(in crate::codec) const USER_ID: u64 = 4;
    pub(in crate::codec) const CUSTOM_ID: u64 = 8;
    pub(in crate::codec) const DISPLAY_NAME: u64 = 16;
    pub(in crate::codec) const PRESET_NAME: u64 = 32;
    pub(in crate::codec) const VIEW_TYPE: u64 = 64;
    pub(in crate::codec) const SLOT: u64 = 128;
    pub(in crate::codec) const PERSON: u64 = 256;
    pub(in crate::codec) const ROBOT: u64 = 512;
    /// Only in a roster.
    pub(in crate::codec) const JOINED_AT: u64 = 1024;
}

/// What a leave tells.
pub(super) mod leave {
    pub(in crate::codec) const REASON: u64 = 1;
    pub(in crate::codec) const JOINED_AT: u64 = 2;
    pub(in crate::codec) const UNCERTAIN: u64 = 4;
}

/// How a text is written: in the lowest two bits of the number that begins it; the others are the length of what follows.
pub(super) mod text {
    pub(in crate::codec) const PLAIN: u64 = 0;
    /// It begins like the one before it of the same field; for how long comes first.
    pub(in crate::codec) const GOES_ON: u64 = 1;
    /// It is a UUID, of 16 bytes.
    pub(in crate::codec) const UUID: u64 = 2;
    pub(in crate::codec) const BITS: u32 = 2;
}

/// Fields whose texts may begin like the one before.
#[derive(Clone, Copy)]
pub(super) enum Field {
    EventId,
    HomeKey,
    MeetingKey,
    Title,
    ParentKey,
    PeerKey,
    Slot,
    UserId,
    CustomId,
    DisplayName,
}

impl Field {
    pub(super) const COUNT: usize = 10;
}

/// How far back something that was written before is found: more would be slow to look through, and is rarely there.
pub(super) const REMEMBERED: usize = 16;

/// The words that every batch begins with: those that a batch of one event would otherwise spell out. Never changed.
pub(super) const WORDS: [&str; 5] = ["GROUP_CALL", "WEBINAR", "AUDIO_ROOM", "LIVESTREAM", "CHAT"];

/// The UUID that a text is, where it is written as this crate writes UUIDs.
pub(super) fn uuid_of(text: &str) -> Option<Uuid> {
    if text.len() != Hyphenated::LENGTH {
        return None;
    }
    let uuid = Uuid::try_parse(text).ok()?;
    let mut again = [0; Hyphenated::LENGTH];
    (uuid.as_hyphenated().encode_lower(&mut again) == text).then_some(uuid)
}

/// A signed number as one whose size is that of its distance from zero.
pub(super) fn folded(number: i64) -> u64 {
    (number as u64) << 1 ^ (number >> 63) as u64
}

/// The inverse of [`folded`].
pub(super) fn unfolded(number: u64) -> i64 {
    (number >> 1) as i64 ^ -((number & 1) as i64)
}
