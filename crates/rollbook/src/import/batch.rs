//! Lines that travel together.

use super::{MAX_BYTES, MAX_EVENTS};

/// Some lines of one file, an event each, and where they stand in it.
#[derive(Default)]
pub struct Batch {
    body: Vec<u8>,
    lines: Vec<u64>,
}

impl Batch {
    /// The lines, as a body of `application/x-ndjson`.
    #[must_use]
    pub fn body(&self) -> &[u8] {
        &self.body
    }

    /// How many events it has.
    #[must_use]
    pub fn len(&self) -> usize {
        self.lines.len()
    }

    /// Whether it has no event.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    /// The number of the line of an event.
    #[must_use]
    pub fn line(&self, index: usize) -> Option<u64> {
        self.lines.get(index).copied()
    }

    /// The numbers of its first and last line.
    #[must_use]
    pub fn span(&self) -> (u64, u64) {
        (self.lines.first().copied().unwrap_or(0), self.lines.last().copied().unwrap_or(0))
    }

    /// Whether a further line of this length belongs into it. An empty batch takes any.
    pub(crate) fn has_room(&self, len: usize) -> bool {
        self.is_empty() || (self.lines.len() < MAX_EVENTS && self.body.len() + len < MAX_BYTES)
    }

    /// Adds a line, given without its line break.
    pub fn push(&mut self, number: u64, line: &[u8]) {
        self.body.extend_from_slice(line);
        self.body.push(b'\n');
        self.lines.push(number);
    }

    pub(crate) fn clear(&mut self) {
        self.body.clear();
        self.lines.clear();
    }
}
