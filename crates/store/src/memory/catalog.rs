//! The list of settled sessions, by going over all of them.

use crate::contract::{SessionFilter, SessionOrder, SessionPage, SessionRecord, SessionSort};
use std::ops::Range;
use uuid::Uuid;

/// Those of `records` that match, in order, cut to `range`.
pub(super) fn page<'a>(
    records: impl Iterator<Item = &'a SessionRecord>,
    filter: &SessionFilter,
    order: SessionOrder,
    range: &Range<u64>,
) -> SessionPage {
    let mut matching: Vec<&SessionRecord> = records.filter(|record| matches(record, filter)).collect();
    // The stream makes the order total where two streams claim one session.
    matching.sort_by_key(|record| (key(record, order.sort), record.id, record.stream));
    if order.descending {
        matching.reverse();
    }
    let total = matching.len() as u64;
    let (skip, take) = (index(range.start), index(range.end.saturating_sub(range.start)));
    SessionPage { total, records: matching.into_iter().skip(skip).take(take).cloned().collect() }
}

fn key(record: &SessionRecord, sort: SessionSort) -> i64 {
    match sort {
        SessionSort::StartedAt => record.started_at.micros(),
        SessionSort::Consumed => record.consumed,
    }
}

fn matches(record: &SessionRecord, filter: &SessionFilter) -> bool {
    filter.from.is_none_or(|from| record.started_at >= from)
        && filter.until.is_none_or(|until| record.started_at <= until)
        && filter.meeting.is_none_or(|meeting| record.meeting == Some(meeting))
        && filter.min_participants.is_none_or(|min| record.participants >= min)
        && filter.max_participants.is_none_or(|max| record.participants <= max)
        && filter.search.as_ref().is_none_or(|text| found(record, text))
}

fn found(record: &SessionRecord, text: &str) -> bool {
    let begins = |id: Uuid| id.hyphenated().to_string().starts_with(text);
    record.folded_title.contains(text) || begins(record.id) || record.meeting.is_some_and(begins)
}

fn index(position: u64) -> usize {
    usize::try_from(position).unwrap_or(usize::MAX)
}
