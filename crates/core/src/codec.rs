//! The stored form of a batch of events: a version byte, then the events. What was written once is readable forever.

use crate::event::Event;

/// The version that is written today. Older ones stay readable; see the fixtures in the tests.
pub const VERSION: u8 = 1;

/// Why a stored batch can't be read.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum CodecError {
    /// Written by a newer rollbook.
    #[error("journal batch has version {0}; this rollbook reads up to {VERSION}: use the newer one that wrote it")]
    Version(u8),
    /// The bytes are not a batch.
    #[error("journal batch is damaged: {0}")]
    Damaged(String),
}

/// Encodes a batch.
#[must_use]
pub fn encode(events: &[Event]) -> Vec<u8> {
    // Extending a `Vec` has no way to fail, and plain data none to refuse serialisation.
    postcard::to_extend(events, vec![VERSION]).unwrap_or_default()
}

/// Decodes a batch of any version that was ever written.
///
/// # Errors
/// Where the version is unknown or the bytes are damaged.
pub fn decode(bytes: &[u8]) -> Result<Vec<Event>, CodecError> {
    match bytes.split_first() {
        Some((&VERSION, rest)) => postcard::from_bytes(rest).map_err(|e| CodecError::Damaged(e.to_string())),
        Some((&other, _)) => Err(CodecError::Version(other)),
        None => Err(CodecError::Damaged("empty".into())),
    }
}
