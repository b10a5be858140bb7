//! The consolidated view: a row a person, over a session and all its breakouts.

use super::row::{Length, Row, shown_order};
use crate::fold::{Stay, Validity};
use crate::time::Timestamp;
use std::collections::{BTreeMap, BTreeSet};
use uuid::Uuid;

/// Whose a row is.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Person {
    User(Box<str>),
    Custom(Box<str>),
    Peer(Uuid, Uuid),
}

/// Joins the raw rows of the session asked for and of its breakouts into a row a person.
/// `validity` is narrowed to where the result holds.
#[must_use]
pub fn consolidate(asked: Uuid, rows: Vec<Row>, now: Timestamp, validity: &mut Validity) -> Vec<Row> {
    let users = users_of_custom_ids(&rows);
    let mut people: BTreeMap<Person, Vec<Row>> = BTreeMap::new();
    for row in rows {
        people.entry(person(&row, &users)).or_default().push(row);
    }
    people.into_values().filter_map(|of_one| merge(asked, of_one, now, validity)).collect()
}

/// For each custom id, the one user id that its rows carry between them; none where they carry several.
fn users_of_custom_ids(rows: &[Row]) -> BTreeMap<Box<str>, Option<Box<str>>> {
    let mut users: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for row in rows {
        if let (Some(custom), Some(user)) = (&row.custom_participant_id, &row.user_id) {
            users.entry(custom).or_default().insert(user);
        }
    }
    let only = |of: BTreeSet<&str>| if of.len() == 1 { of.first().map(|user| Box::from(*user)) } else { None };
    users.into_iter().map(|(custom, of)| (custom.into(), only(of))).collect()
}

fn person(row: &Row, users: &BTreeMap<Box<str>, Option<Box<str>>>) -> Person {
    match (&row.user_id, &row.custom_participant_id) {
        (Some(user), _) => Person::User(user.clone()),
        (None, Some(custom)) => {
            let user = users.get(custom).cloned().flatten();
            user.map_or_else(|| Person::Custom(custom.clone()), Person::User)
        }
        (None, None) => Person::Peer(row.session, row.id),
    }
}

/// One person's row: named after the earliest peer in the session asked for, else in any breakout.
fn merge(asked: Uuid, mut rows: Vec<Row>, now: Timestamp, validity: &mut Validity) -> Option<Row> {
    rows.sort_by_key(|row| (row.session != asked, row.joined_at, row.session, row.id));
    let mut rows = rows.into_iter();
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
