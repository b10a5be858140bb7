//! Which rows of a roster an answer shows, in which order.

use super::snapshot::Snapshot;
use super::view::RowView;
use crate::time::Timestamp;
use unicase::UniCase;
use uuid::Uuid;

/// What the list is ordered by; ties by id, then session.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Sort {
    /// The start of the first stay.
    #[default]
    JoinedAt,
    /// The length at `now`, by exact microseconds.
    Duration,
}

/// The list's order. Descending is the exact reverse of ascending.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Order {
    /// By what.
    pub sort: Sort,
    /// Whether the greatest comes first.
    pub descending: bool,
}

/// What to search for: part of the display name, or how the participant's id or custom id begins.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Search {
    text: Box<str>,
    folded: Box<str>,
}

impl Search {
    /// Search for a text; an empty one matches every row.
    #[must_use]
    pub fn new(text: &str) -> Self {
        Self { text: text.into(), folded: fold_case(text).into() }
    }

    /// Whether a row, as shown, matches.
    #[must_use]
    pub fn matches(&self, row: RowView<'_>) -> bool {
        self.finds(row.id(), row.custom_participant_id().as_deref(), row.display_name().as_deref())
    }

    /// Whether a participant's id, custom id or display name matches.
    pub(super) fn finds(&self, id: Uuid, custom_id: Option<&str>, name: Option<&str>) -> bool {
        let mut buffer = Uuid::encode_buffer();
        let id: &str = id.hyphenated().encode_lower(&mut buffer);
        self.text.is_empty()
            || id.starts_with(&*self.text)
            || custom_id.is_some_and(|custom| custom.starts_with(&*self.text))
            || name.is_some_and(|name| fold_case(name).contains(&*self.folded))
    }
}

/// Full Unicode case folding, without normalisation.
#[must_use]
pub fn fold_case(text: &str) -> String {
    UniCase::unicode(text).to_folded_case()
}

/// Which rows to show.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Query {
    /// In which order.
    pub order: Order,
    /// Only rows that match.
    pub search: Option<Search>,
    /// How many rows to pass over.
    pub offset: u64,
    /// How many rows to show at most.
    pub limit: u32,
    /// Whether the rows' details are wanted. A roster that has them keeps them; one that goes on makes them only then.
    pub details: bool,
}

/// The rows that a query shows.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Page {
    /// How many rows match in all.
    pub total: u32,
    /// How many matching rows lie before the first shown.
    pub offset: u32,
    /// The places of the rows, in order (see [`Snapshot::row`]).
    pub rows: Vec<u32>,
}

impl<B: AsRef<[u8]>> Snapshot<B> {
    /// The rows that a query shows at `now`; a page past the end is empty. Without a search it costs the same wherever the page lies.
    #[must_use]
    pub fn page(&self, query: &Query, now: Timestamp) -> Page {
        if let Some(search) = &query.search {
            let mut all = self.slice(query.order, 0, self.len(), now);
            all.retain(|ix| search.matches(self.row(*ix)));
            let total = u32::try_from(all.len()).unwrap_or(u32::MAX);
            let (from, to) = bounds(query, total);
            return Page { total, offset: from, rows: all[from as usize..to as usize].to_vec() };
        }
        let (from, to) = bounds(query, self.len());
        Page { total: self.len(), offset: from, rows: self.slice(query.order, from, to, now) }
    }

    fn slice(&self, order: Order, from: u32, to: u32, now: Timestamp) -> Vec<u32> {
        let (from, to) = if order.descending { (self.len() - to, self.len() - from) } else { (from, to) };
        let mut rows = Vec::with_capacity((to - from) as usize);
        match order.sort {
            Sort::JoinedAt => rows.extend(from..to),
            Sort::Duration => {
                self.by_length(from..to, now, &mut rows);
                self.look_ahead(&rows);
            }
        }
        if order.descending {
            rows.reverse();
        }
        rows
    }
}

fn bounds(query: &Query, total: u32) -> (u32, u32) {
    let from = u32::try_from(query.offset).unwrap_or(u32::MAX).min(total);
    (from, from.saturating_add(query.limit).min(total))
}
