//! Search in a roster: what it means, and how it is answered without a look at every row.
//!
//! A roster that is to stay comes with an index of its rows' texts: [`build`] writes it, [`index`] looks up in it. It holds whole lists of
//! rows for the words that many names have (`words`), and for all other words lists of rows for each three bytes of them. A search of up to
//! three bytes, or for part of a common word, is answered from lists alone; of what else the lists leave, rows are looked at. Custom ids
//! and ids are found by how they begin, in their order. Without an index every row is looked at, with the same result.

mod bits;
mod build;
mod hits;
mod index;
mod needle;
mod postings;
#[cfg(test)]
mod tests;
mod words;

pub use hits::Hits;

pub(super) use build::{Texts, build};
pub(super) use index::Index;

use super::cursor::Text;
use super::snapshot::Snapshot;
use super::view::RowView;
use bits::Bits;
use needle::Needle;
use unicase::UniCase;
use uuid::Uuid;

/// What to search for: part of the display name, or how the participant's id or custom id begins.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Search {
    text: Box<str>,
    needle: Needle,
    /// The least and the greatest id that begins with the text, if any does.
    ids: Option<(Uuid, Uuid)>,
}

impl Search {
    /// Search for a text; an empty one matches every row.
    #[must_use]
    pub fn new(text: &str) -> Self {
        Self { text: text.into(), needle: Needle::new(text), ids: ids_from(text) }
    }

    /// The text as it was given.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whether a row, as shown, matches.
    #[must_use]
    pub fn matches(&self, row: RowView<'_>) -> bool {
        let mut shown = row.shown();
        shown.next_text();
        let (custom_id, name) = (shown.next_text(), shown.next_text());
        self.finds(row.id(), custom_id, name)
    }

    /// Whether a participant's id, custom id or display name matches.
    pub(super) fn finds(&self, id: Uuid, custom_id: Text<'_>, name: Text<'_>) -> bool {
        self.text.is_empty()
            || self.ids.is_some_and(|(from, to)| from <= id && id <= to)
            || custom_id.is_and(|custom_id| custom_id.starts_with(self.text.as_bytes()))
            || name.is_and(|name| self.needle.is_in(name))
    }
}

/// The ids that begin with a text: in lower case, with hyphens, as they are shown.
fn ids_from(text: &str) -> Option<(Uuid, Uuid)> {
    let (mut digits, mut length) = (0u128, 0);
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            _ if at >= uuid::fmt::Hyphenated::LENGTH => return None,
            b'-' if matches!(at, 8 | 13 | 18 | 23) => {}
            _ if matches!(at, 8 | 13 | 18 | 23) => return None,
            b'0'..=b'9' | b'a'..=b'f' => {
                let digit = if byte <= b'9' { byte - b'0' } else { byte - b'a' + 10 };
                (digits, length) = (digits << 4 | u128::from(digit), length + 1);
            }
            _ => return None,
        }
    }
    let open = 128 - length * 4;
    let rest = u128::MAX.checked_shr(128 - open).unwrap_or_default();
    let from = digits.checked_shl(open).unwrap_or_default();
    Some((Uuid::from_u128(from), Uuid::from_u128(from | rest)))
}

/// Full Unicode case folding, without normalisation.
#[must_use]
pub fn fold_case(text: &str) -> String {
    UniCase::unicode(text).to_folded_case()
}

/// Case folding into a buffer. Each character is folded by itself, and most are ASCII.
fn fold_into(text: &str, folded: &mut Vec<u8>) {
    folded.clear();
    for run in text.as_bytes().chunk_by(|a, b| a.is_ascii() == b.is_ascii()) {
        if run.is_ascii() {
            folded.extend(run.iter().map(u8::to_ascii_lowercase));
        } else {
            folded.extend_from_slice(fold_case(std::str::from_utf8(run).unwrap_or_default()).as_bytes());
        }
    }
}

impl<B: AsRef<[u8]>> Snapshot<B> {
    /// The rows that a search finds, for pages of any order. With an index it looks at few rows, without one at all of them.
    #[must_use]
    pub fn search(&self, search: &Search) -> Hits {
        if search.text.is_empty() {
            return Hits::all(self.len());
        }
        let mut found = Bits::new(self.len());
        if let Some(index) = self.index() {
            let reader = self.reader();
            let holds = |row: u32| reader.row(row).display_name_text().is_and(|name| search.needle.is_in(name));
            index.by_name(search.needle.folded(), holds, &mut found);
            index.by_custom_id(&search.text, |row| self.row(row).custom_participant_id()).for_each(|row| found.insert(row));
            if let Some((from, to)) = search.ids {
                self.with_ids(from, to).for_each(|row| found.insert(row));
            }
        } else {
            let reader = self.reader();
            (0..self.len()).filter(|row| search.matches(reader.row(*row))).for_each(|row| found.insert(row));
        }
        Hits::of(found, self.len())
    }
}
