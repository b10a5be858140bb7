//! The stored form of a batch of events: a version byte, then the events. What was written once is readable forever.

mod dense;
mod packed;
mod unpacked;

use crate::event::Event;
use crate::id::Stream;

/// The forms that a batch may have.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Version {
    /// Each event by itself.
    One = 1,
    /// What an event repeats of its batch or its stream is left out: see the module `packed`.
    Two = 2,
}

impl Version {
    /// The newest that this rollbook writes and reads.
    pub const NEWEST: Self = Self::Two;

    /// The version of a batch; none where it is one that this rollbook does not read.
    #[must_use]
    pub fn of(batch: &[u8]) -> Option<Self> {
        batch.first().and_then(|byte| [Self::One, Self::Two].into_iter().find(|version| *version as u8 == *byte))
    }
}

/// Why a stored batch can't be read.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum CodecError {
    /// Written by a newer rollbook.
    #[error("journal batch has version {0}; this rollbook reads up to {known}: use the newer one that wrote it", known = Version::NEWEST as u8)]
    Version(u8),
    /// The bytes are not a batch.
    #[error("journal batch is damaged: {0}")]
    Damaged(String),
}

/// Encodes a batch of a stream's events.
#[must_use]
pub fn encode<'e>(version: Version, stream: Stream, events: impl IntoIterator<Item = &'e Event, IntoIter: ExactSizeIterator>) -> Vec<u8> {
    let events = events.into_iter();
    match version {
        Version::One => one_by_one(events),
        Version::Two => packed::encode(stream, events),
    }
}

/// Extending a `Vec` has no way to fail, and plain data none to refuse serialisation.
fn one_by_one<'e>(events: impl ExactSizeIterator<Item = &'e Event>) -> Vec<u8> {
    let begun = postcard::to_extend(&events.len(), vec![Version::One as u8]);
    events.fold(begun.unwrap_or_default(), |out, event| postcard::to_extend(event, out).unwrap_or_default())
}

/// Decodes a batch of a stream, of any version that was ever written.
///
/// # Errors
/// Where the version is unknown or the bytes are damaged.
pub fn decode(stream: Stream, bytes: &[u8]) -> Result<Vec<Event>, CodecError> {
    let Some((first, rest)) = bytes.split_first() else { return Err(CodecError::Damaged("empty".into())) };
    match Version::of(bytes) {
        Some(Version::One) => postcard::from_bytes(rest).map_err(|e| CodecError::Damaged(e.to_string())),
        Some(Version::Two) => unpacked::decode(stream, rest).map_err(|what| CodecError::Damaged(what.into())),
        None => Err(CodecError::Version(*first)),
    }
}
