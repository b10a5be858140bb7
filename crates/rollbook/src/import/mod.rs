//! Import: files of events, a line each, into a data folder or a running server.
//!
//! Repeating is harmless (what is known is a duplicate), so an import that stopped is simply run again.

mod batch;
mod folder;
mod lines;
mod server;

pub use batch::Batch;
pub use folder::Folder;
pub use lines::Lines;
pub(crate) use server::{MAX_ANSWER, configured, path_segment};
pub use server::{Server, ServerError};

use crate::ledger::Receipt;
use std::io::{self, Read};

/// The most events of a batch.
const MAX_EVENTS: usize = 1000;
/// The most bytes of a batch; a single event may be larger.
const MAX_BYTES: usize = 1 << 20;

/// Where events go.
pub trait Target {
    /// Hands over a batch: all of it or nothing.
    ///
    /// # Errors
    /// Where it was not taken.
    fn send(&mut self, batch: &Batch) -> Result<Receipt, SendError>;
}

/// Why a batch was not taken.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    /// An event of it was refused: its place in the batch, and why.
    #[error("event {index} was refused: {message}")]
    Refused {
        /// The event's place in the batch, counted from 0.
        index: usize,
        /// What is wrong with it.
        message: String,
    },
    /// Events of it, by their places in the batch, are known in other words. There may be more of them.
    #[error("{} events are known, with another time, type or data", .0.len())]
    Known(Vec<usize>),
    /// There was nobody to take it.
    #[error("{0}")]
    Failed(String),
}

/// Why an import stopped. What went before is stored.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// A line is no event, or one that can't be taken.
    #[error("{name}:{line}: {message}")]
    BadLine {
        /// The file.
        name: String,
        /// The line, counted from 1.
        line: u64,
        /// Why.
        message: String,
    },
    /// The file can't be read.
    #[error("can't read {name} after line {line}: {cause}")]
    Unreadable {
        /// The file.
        name: String,
        /// The last line that could be read.
        line: u64,
        /// Why.
        cause: io::Error,
    },
    /// The target fails.
    #[error("{name}, lines {first} to {last}: {message}")]
    Failed {
        /// The file.
        name: String,
        /// The first line of the batch that failed.
        first: u64,
        /// Its last.
        last: u64,
        /// Why.
        message: String,
    },
}

/// Imports one file; `name` is what errors call it. Adds what became of its events to `total`, which is right where it fails, too.
///
/// # Errors
/// See [`ImportError`].
pub fn import(name: &str, file: impl Read, target: &mut dyn Target, total: &mut Receipt) -> Result<(), ImportError> {
    let unreadable = |line, cause| ImportError::Unreadable { name: name.into(), line, cause };
    let mut lines = Lines::new(file).map_err(|cause| unreadable(0, cause))?;
    let (mut batch, mut line) = (Batch::default(), Vec::new());
    loop {
        let number = lines.next(&mut line).map_err(|cause| unreadable(lines.read(), cause))?;
        let full = number.is_none() || !batch.has_room(line.len());
        if full && !batch.is_empty() {
            let receipt = target.send(&batch).map_err(|error| placed(name, &batch, error))?;
            total.accepted += receipt.accepted;
            total.duplicates += receipt.duplicates;
            batch.clear();
        }
        let Some(number) = number else { return Ok(()) };
        batch.push(number, &line);
    }
}

fn placed(name: &str, batch: &Batch, error: SendError) -> ImportError {
    let (first, last) = batch.span();
    match error {
        SendError::Refused { index, message } => {
            ImportError::BadLine { name: name.into(), line: batch.line(index).unwrap_or(first), message: within_line(&message).into() }
        }
        SendError::Known(places) => {
            let line = places.first().and_then(|index| batch.line(*index)).unwrap_or(first);
            let message = "an event of the same source and id is known, with another time, type or data".into();
            ImportError::BadLine { name: name.into(), line, message }
        }
        SendError::Failed(message) => ImportError::Failed { name: name.into(), first, last, message },
    }
}

/// A reader of lines counts them within the batch, which says nothing to whoever looks for one in a file.
fn within_line(message: &str) -> &str {
    let rest = message.strip_prefix("line ").map(|rest| rest.trim_start_matches(|c: char| c.is_ascii_digit()));
    rest.and_then(|rest| rest.strip_prefix(", ")).unwrap_or(message)
}

#[cfg(test)]
mod tests;
