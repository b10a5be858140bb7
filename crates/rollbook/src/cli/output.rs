//! What the program says: answers on stdout, errors on stderr. Everything else is the log's.

#![allow(clippy::print_stderr, reason = "the one place that writes to the terminal")]

use std::io::{self, Write as _};

/// Writes a line to stdout at once: whoever waits for it may be a program.
///
/// # Errors
/// Where stdout can't be written.
pub(super) fn line(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.write_all(b"\n")?;
    out.flush()
}

/// Writes rows to stdout, each column as wide as its widest cell.
///
/// # Errors
/// Where stdout can't be written.
pub(super) fn table<const COLUMNS: usize>(rows: &[[String; COLUMNS]]) -> io::Result<()> {
    let widths: [usize; COLUMNS] = std::array::from_fn(|column| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0));
    rows.iter().try_for_each(|row| {
        let cells: Vec<_> = row.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}")).collect();
        line(cells.join("  ").trim_end())
    })
}

/// Tells on stderr how something went that is no answer.
pub(super) fn note(text: &str) {
    eprintln!("{text}");
}

/// Tells on stderr why the command failed.
pub(super) fn error(error: &anyhow::Error) {
    eprintln!("error: {error:#}");
}
