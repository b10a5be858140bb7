//! The consolidated view: a row a person, over a session and all its breakouts.

use super::row::{Length, Row, shown_order};
use crate::fold::{Stay, Validity};
use crate::time::Timestamp;
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use uuid::Uuid;

/// Whose a row is.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Person<'a> {
    User(&'a str),
    Custom(&'a str),
    Peer(Uuid, Uuid),
}

/// Joins the raw rows of the session asked for and of its breakouts into a row a person, in no particular order.
/// `validity` is narrowed to where the result holds.
#[must_use]
pub fn consolidate(asked: Uuid, rows: Vec<Row>, now: Timestamp, validity: &mut Validity) -> Vec<Row> {
    let people = people(&rows);
    let mut order: Vec<usize> = (0..rows.len()).collect();
    // A person's rows together: the one that gives the name first, which is the earliest in the session asked for, else in any breakout.
    order.sort_unstable_by_key(|&ix| {
        let row = &rows[ix];
        (people[ix], row.session != asked, row.joined_at, row.session, row.id)
    });
    // Rows are large, so each is moved but once.
    let mut rows: Vec<Option<Row>> = rows.into_iter().map(Some).collect();
    let of_one = order.chunk_by(|a, b| people[*a] == people[*b]);
    of_one.filter_map(|of_one| merge(of_one.iter().filter_map(|ix| rows[*ix].take()), now, validity)).collect()
}

/// The number of the person that each row is of.
fn people(rows: &[Row]) -> Vec<usize> {
    let users = users_of_custom_ids(rows);
    let mut numbers = HashMap::with_capacity(rows.len());
    let mut number = |row| {
        let next = numbers.len();
        *numbers.entry(person(row, &users)).or_insert(next)
    };
    rows.iter().map(&mut number).collect()
}

/// For each custom id, the one user id that its rows carry between them; none where they carry several.
fn users_of_custom_ids(rows: &[Row]) -> HashMap<&str, Option<&str>> {
    let mut users = HashMap::new();
    for row in rows {
        let (Some(custom), Some(user)) = (row.custom_participant_id.as_deref(), row.user_id.as_deref()) else { continue };
        match users.entry(custom) {
            Entry::Vacant(new) => drop(new.insert(Some(user))),
            Entry::Occupied(mut known) => {
                if *known.get() != Some(user) {
                    known.insert(None);
                }
            }
        }
    }
    users
}

fn person<'a>(row: &'a Row, users: &HashMap<&'a str, Option<&'a str>>) -> Person<'a> {
    match (row.user_id.as_deref(), row.custom_participant_id.as_deref()) {
        (Some(user), _) => Person::User(user),
        (None, Some(custom)) => users.get(custom).copied().flatten().map_or(Person::Custom(custom), Person::User),
        (None, None) => Person::Peer(row.session, row.id),
    }
}

/// One person's row, of all of them; it is named after the first.
fn merge(mut rows: impl Iterator<Item = Row>, now: Timestamp, validity: &mut Validity) -> Option<Row> {
    let mut merged = rows.next()?;
    for row in rows {
        merged.joined_at = merged.joined_at.min(row.joined_at);
        merged.left_at = merged.left_at.zip(row.left_at).map(|(a, b)| a.max(b));
        merged.created_at = merged.created_at.min(row.created_at);
        merged.updated_at = merged.updated_at.max(row.updated_at);
        merged.details.stays.extend(row.details.stays);
        merged.details.anomalies.extend(row.details.anomalies);
        merged.details.events.extend(row.details.events);
    }
    merged.details.stays.sort_by_key(shown_order);
    merged.details.anomalies.sort();
    merged.details.events.sort_by(|a, b| a.order().cmp(&b.order()));
    merged.length = union(&merged.details.stays, now, validity);
    Some(merged)
}

/// The length of the union of stays that are in order of their starts.
fn union(stays: &[Stay], now: Timestamp, validity: &mut Validity) -> Length {
    let closed = stays.iter().filter_map(|stay| Some((stay.start, stay.out?)));
    let Some(since) = stays.iter().filter(|stay| stay.out.is_none()).map(|stay| stay.start).min() else {
        return Length::Gone(covered(closed));
    };
    let last_out = closed.clone().map(|(_, out)| out).max();
    if last_out.is_none_or(|out| out <= now) {
        // Whatever is closed after the open stay's start lies within it, as long as `now` is not before its end.
        if let Some(out) = last_out.filter(|out| *out > since) {
            validity.relied_on = validity.relied_on.max(out.plus(-1));
        }
        let before = covered(closed.map(|(start, out)| (start.min(since), out.min(since))));
        return Length::In(since.plus(-before));
    }
    // Someone's leave lies in the future: the length does not grow with `now`, so the row holds at this one only.
    validity.narrow(Validity { relied_on: now.plus(-1), until: now });
    let open = now.since(since).min(0);
    let all = covered(stays.iter().map(|stay| (stay.start, stay.out.unwrap_or(now.max(stay.start)))));
    Length::In(now.plus(-(all + open)))
}

/// The length that intervals cover between them; they come in order of their starts.
fn covered(intervals: impl Iterator<Item = (Timestamp, Timestamp)>) -> i64 {
    let mut length = 0;
    let mut reached = Timestamp::from_micros(i64::MIN);
    for (start, out) in intervals {
        length += out.since(start.max(reached)).max(0);
        reached = reached.max(out);
    }
    length
}
