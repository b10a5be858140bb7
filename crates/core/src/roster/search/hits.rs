//! The rows that a search finds, and pages of them.

use super::super::page::{Page, Query, Sort, bounds};
use super::super::snapshot::Snapshot;
use super::bits::{Bits, Counted};
use crate::time::Timestamp;
use std::ops::Range;
use std::sync::OnceLock;

/// A list takes more memory than a bit a row where more than one in so many rows is found.
const SPARSE: u32 = 32;
/// So many places of an order are looked at for one page, before it is found out where all rows are: a matter of microseconds.
const NEAR: u32 = 8_192;

/// The rows of one roster that a search finds. What the orders of the list need is found out once, when it is first asked for; it takes no more
/// than a bit a row for each.
#[derive(Clone, Debug)]
pub struct Hits {
    found: Found,
    by_length: OnceLock<Found>,
}

/// Some rows in an order.
#[derive(Clone, Debug)]
enum Found {
    /// All of so many.
    All(u32),
    /// These.
    Few(Vec<u32>),
    /// Those at these places of the order.
    Many(Counted),
}

impl Found {
    fn len(&self) -> u32 {
        match self {
            Self::All(len) => *len,
            Self::Few(rows) => u32::try_from(rows.len()).unwrap_or(u32::MAX),
            Self::Many(places) => places.len(),
        }
    }
}

impl Hits {
    pub(super) fn all(rows: u32) -> Self {
        Self { found: Found::All(rows), by_length: OnceLock::from(Found::All(rows)) }
    }

    pub(super) fn of(found: Bits, rows: u32) -> Self {
        let count = found.count();
        if count == rows {
            return Self::all(rows);
        }
        let found = if count < rows / SPARSE { Found::Few(found.iter().collect()) } else { Found::Many(Counted::new(found)) };
        Self { found, by_length: OnceLock::new() }
    }

    /// How many rows are found.
    #[must_use]
    pub fn len(&self) -> u32 {
        self.found.len()
    }

    /// Whether none are found.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl<B: AsRef<[u8]>> Snapshot<B> {
    /// The rows of those found that a query shows at `now`; a page past the end is empty. `hits` are of this roster and the query's search.
    #[must_use]
    pub fn page_of(&self, hits: &Hits, query: &Query, now: Timestamp) -> Page {
        self.page_at_once(hits, query, now).unwrap_or_else(|| {
            let (from, range) = range(hits, query);
            self.page_from(from, self.found_by_length(hits, range, now), hits, query)
        })
    }

    /// The same, if it costs about as much as a page without a search: in the order by joining always, in the other one if it lies near an end of the
    /// list, or another page was shown before.
    #[must_use]
    pub fn page_at_once(&self, hits: &Hits, query: &Query, now: Timestamp) -> Option<Page> {
        let (from, range) = range(hits, query);
        let rows = match (query.order.sort, hits.by_length.get()) {
            (Sort::JoinedAt, _) => part(&hits.found, range, |place| place),
            (Sort::Duration, Some(_)) => self.found_by_length(hits, range, now),
            (Sort::Duration, None) => self.near_an_end(hits, &range)?,
        };
        Some(self.page_from(from, rows, hits, query))
    }

    fn page_from(&self, offset: u32, mut rows: Vec<u32>, hits: &Hits, query: &Query) -> Page {
        if query.order.descending {
            rows.reverse();
        }
        self.look_ahead(&rows);
        Page { total: hits.len(), offset, rows }
    }

    /// A range of the order by length, if it is found by a look at few places from the first or the last one on.
    fn near_an_end(&self, hits: &Hits, range: &Range<u32>) -> Option<Vec<u32>> {
        let Found::Many(found) = &hits.found else { return None };
        if !self.all_gone() {
            return None;
        }
        let (all, from_end) = (self.len(), hits.len() - range.end);
        let rows_at = |place: u32| Some(self.gone_at(place)).filter(|row| found.contains(*row));
        let mut rows: Vec<u32> = if range.start <= from_end {
            (0..all.min(NEAR)).filter_map(rows_at).skip(range.start as usize).take(range.len()).collect()
        } else {
            (all.saturating_sub(NEAR)..all).rev().filter_map(rows_at).skip(from_end as usize).take(range.len()).collect()
        };
        if range.start > from_end {
            rows.reverse();
        }
        (rows.len() == range.len()).then_some(rows)
    }

    fn found_by_length(&self, hits: &Hits, range: Range<u32>, now: Timestamp) -> Vec<u32> {
        if let Found::All(_) = hits.found {
            let mut rows = Vec::with_capacity(range.len());
            self.by_length(range, now, &mut rows);
            return rows;
        }
        if self.all_gone() {
            let by_length = hits.by_length.get_or_init(|| match &hits.found {
                Found::Many(found) => {
                    let mut places = Bits::new(self.len());
                    let found = |place: &u32| found.contains(self.gone_at(*place));
                    (0..self.len()).filter(found).for_each(|place| places.insert(place));
                    Found::Many(Counted::new(places))
                }
                few => Found::Few(self.sorted_by_length(few, now)),
            });
            return part(by_length, range, |place| self.gone_at(place));
        }
        // Of those who are in, lengths grow: the order is of one `now` only.
        let sorted = self.sorted_by_length(&hits.found, now);
        sorted[range.start as usize..range.end as usize].to_vec()
    }

    fn sorted_by_length(&self, found: &Found, now: Timestamp) -> Vec<u32> {
        let mut rows = part(found, 0..found.len(), |place| place);
        rows.sort_by_cached_key(|row| {
            let row = self.row(*row);
            (row.length().at(now), row.id(), row.session())
        });
        rows
    }
}

/// How many of the rows found lie before the page, and which of them it shows, counted from the first in ascending order.
fn range(hits: &Hits, query: &Query) -> (u32, Range<u32>) {
    let total = hits.len();
    let (from, to) = bounds(query, total);
    (from, if query.order.descending { total - to..total - from } else { from..to })
}

/// The rows in a range of those found.
fn part(found: &Found, range: Range<u32>, row_at: impl Fn(u32) -> u32) -> Vec<u32> {
    match found {
        Found::All(_) => range.map(row_at).collect(),
        Found::Few(rows) => rows.get(range.start as usize..range.end as usize).unwrap_or_default().to_vec(),
        Found::Many(places) => places.from(range.start).take(range.len()).map(row_at).collect(),
    }
}
