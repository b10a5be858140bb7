//! What a row shows on demand, as it is written after the row's fields.
//!
//! ```text
//! stays      how many; of each its start, what closed it, and of one that is closed its end and what is uncertain
//! anomalies  how many; of each its kind and time
//! events     their shape, and of each what that says is there:
//!            its time, unless it is that of joining or leaving
//!            its peer, unless it is the row's
//!            its public id, or where that is longer what it is derived from: the source's own id, without what it shares with the one before
//! ```
//!
//! Most rows have events that differ in no more than their ids. So what they have in common is kept once: a row has the number of it, or 0,
//! its length and itself.
//!
//! ```text
//! shape      how many; of each a byte of flags, and what they say is there:
//!            its session, unless it is the row's
//!            its source and kind of view, unless they are those of the event before
//!            of the source's own id, what it shares with the one before, and how much is left
//! ```
//!
//! A start is told from the end before it, the first from joining; what is no start or end, from joining.

use super::cursor::{Cursor, Text, put_number};
use super::form::{Form, Writer};
use super::row::{Details, Fields, PeerAct, PeerEvent, ToldEvent};
use super::tables::Tables;
use crate::fold::{Anomaly, AnomalyKind, ClosedBy, Stay};
use crate::time::Timestamp;
use uuid::Uuid;

/// What closed a stay, by its number.
const CLOSED_BY: [Option<ClosedBy>; 7] = [
    None,
    Some(ClosedBy::SessionEnded),
    Some(ClosedBy::Roster),
    Some(ClosedBy::SourceStopped),
    Some(ClosedBy::SourceStarted),
    Some(ClosedBy::SlotTaken),
    Some(ClosedBy::MaxStay),
];
/// In place of that number: nothing did.
const OPEN: u8 = CLOSED_BY.len() as u8;
const KINDS: [AnomalyKind; 6] = [
    AnomalyKind::DuplicateJoin,
    AnomalyKind::JoinMissing,
    AnomalyKind::LeftWithoutJoin,
    AnomalyKind::LeftAgain,
    AnomalyKind::JoinedByRoster,
    AnomalyKind::JoinAfterEnd,
];
const ACTS: [PeerAct; 3] = [PeerAct::Created, PeerAct::Joined, PeerAct::Left];

/// The two lowest bits of an event's flags are its act.
const ACT: u8 = 3;
const AT_JOIN: u8 = 4;
const AT_LAST: u8 = 8;
const BY_ID: u8 = 16;
const SESSION: u8 = 32;
const PEER: u8 = 64;
const SOURCE: u8 = 128;

/// The longest id of a source's own that is kept: for a longer one the id that is derived from it takes less room, and less time.
const LONGEST: usize = 14;
/// Shapes that are longer are not kept for other rows, nor any where so many names are kept already.
const LONGEST_SHAPE: usize = 32;
const SHAPES: usize = 4_096;

impl<E> Details<E> {
    /// What most rows show: one stay, closed by the peer's own leave if it is closed.
    pub(super) fn one_stay(joined_at: Timestamp, left_at: Option<Timestamp>) -> Self {
        Self { stays: vec![Stay { start: joined_at, out: left_at, closed_by: None, uncertain: 0 }], ..Self::default() }
    }

    /// Whether this is what most rows show, or nothing.
    pub(super) fn is_one_stay<T>(&self, row: &Fields<T>) -> bool {
        let one = Stay { start: row.joined_at, out: row.left_at, closed_by: None, uncertain: 0 };
        self.anomalies.is_empty() && (self.stays.is_empty() || self.stays == [one])
    }

    pub(super) fn put_stays(&self, joined_at: Timestamp, form: &Form, out: &mut Vec<u8>) {
        let mut before = joined_at;
        put_number(self.stays.len() as u64, out);
        for stay in &self.stays {
            form.put_later(stay.start, before, out);
            let Some(left) = stay.out else {
                out.push(OPEN);
                continue;
            };
            out.push(CLOSED_BY.iter().position(|by| *by == stay.closed_by).unwrap_or_default() as u8);
            form.put_later(left, stay.start, out);
            form.put_later(Timestamp::from_micros(stay.uncertain), Timestamp::default(), out);
            before = left;
        }
        put_number(self.anomalies.len() as u64, out);
        for anomaly in &self.anomalies {
            out.push(KINDS.iter().position(|kind| *kind == anomaly.kind).unwrap_or_default() as u8);
            form.put_later(anomaly.at, joined_at, out);
        }
    }

    pub(super) fn take_stays(&mut self, joined_at: Timestamp, form: &Form, from: &mut Cursor<'_>) {
        let mut before = joined_at;
        self.stays.clear();
        for _ in 0..from.count() {
            let start = form.take_later(before, from);
            let mut stay = Stay { start, out: None, closed_by: None, uncertain: 0 };
            let by = from.byte();
            if by != OPEN {
                before = form.take_later(start, from);
                stay.out = Some(before);
                stay.closed_by = CLOSED_BY.get(usize::from(by)).copied().flatten();
                stay.uncertain = form.micros(from.signed());
            }
            self.stays.push(stay);
        }
        for _ in 0..from.count() {
            let kind = KINDS.get(usize::from(from.byte())).copied().unwrap_or(AnomalyKind::DuplicateJoin);
            self.anomalies.push(Anomaly { kind, at: form.take_later(joined_at, from) });
        }
    }
}

impl Details<ToldEvent> {
    pub(super) fn put_events<T>(&self, row: &Fields<T>, writer: &mut Writer) {
        let last = row.left_at.unwrap_or(row.joined_at);
        let (mut named, mut before) = ("", None);
        let Writer { form, rows, names, sessions, .. } = writer;
        let (mut shape, mut rest) = (Vec::with_capacity(LONGEST_SHAPE), Vec::with_capacity(LONGEST_SHAPE));
        put_number(self.events.len() as u64, &mut shape);
        for event in &self.events {
            let session = sessions.number(event.session);
            let source = (
                names.number_or_none(Some(event.source.as_bytes())),
                names.number_or_none(event.preset_view_type.as_deref().map(str::as_bytes)),
            );
            let by_id = event.source_id.len() > LONGEST || !sessions.are_of(session, event.origin);
            let bit = |is: bool, bit| if is { bit } else { 0 };
            let flags = ACTS.iter().position(|act| *act == event.act).unwrap_or_default() as u8
                | bit(event.at == row.joined_at, AT_JOIN)
                | bit(event.at == last, AT_LAST)
                | bit(by_id, BY_ID)
                | bit(event.session != row.session, SESSION)
                | bit(event.peer != row.id, PEER)
                | bit(before != Some(source), SOURCE);
            shape.push(flags);
            if flags & (AT_JOIN | AT_LAST) == 0 {
                form.put_later(event.at, row.joined_at, &mut rest);
            }
            if flags & SESSION != 0 {
                put_number(session.into(), &mut shape);
            }
            if flags & PEER != 0 {
                rest.extend_from_slice(event.peer.as_bytes());
            }
            if flags & SOURCE != 0 {
                put_number(source.0, &mut shape);
                put_number(source.1, &mut shape);
            }
            if by_id {
                rest.extend_from_slice(event.origin.event_id(&event.source, &event.source_id).as_bytes());
            } else {
                put_name(&event.source_id, named, &mut shape, &mut rest);
                named = &event.source_id;
            }
            before = Some(source);
        }
        let kept = if shape.len() > LONGEST_SHAPE { None } else { names.number_within(&shape, SHAPES) };
        put_number(kept.unwrap_or(0), rows);
        if kept.is_none() {
            put_number(shape.len() as u64, rows);
            rows.append(&mut shape);
        }
        rows.append(&mut rest);
    }
}

/// How much of the name before a name begins with, unless there is none before, and how long the rest is; the rest.
fn put_name(name: &str, before: &str, shape: &mut Vec<u8>, rest: &mut Vec<u8>) {
    let shared = name.bytes().zip(before.bytes()).take_while(|(a, b)| a == b).count();
    let shared = (0..=shared).rev().find(|end| name.is_char_boundary(*end)).unwrap_or_default();
    if !before.is_empty() {
        shape.push(shared as u8);
    }
    shape.push((name.len() - shared) as u8);
    rest.extend_from_slice(&name.as_bytes()[shared..]);
}

/// The row that events are of.
pub(super) struct Of {
    pub(super) peer: Uuid,
    /// By its number.
    pub(super) session: u64,
    pub(super) joined_at: Timestamp,
    /// When it left; of who is in, when it joined.
    pub(super) last: Timestamp,
}

impl Details {
    pub(super) fn take_events(&mut self, of: &Of, form: &Form, tables: Tables<'_>, from: &mut Cursor<'_>) {
        let (mut name, mut source, mut view) = (String::new(), Text::None, Text::None);
        let number = from.number();
        let mut shape = Cursor(if number == 0 {
            let length = from.count();
            from.bytes(length as usize)
        } else {
            tables.shape_of_events(number)
        });
        for _ in 0..shape.count() {
            let flags = shape.byte();
            let at = match flags & (AT_JOIN | AT_LAST) {
                0 => form.take_later(of.joined_at, from),
                AT_LAST => of.last,
                _ => of.joined_at,
            };
            let session = if flags & SESSION == 0 { of.session } else { shape.number() };
            let peer = if flags & PEER == 0 { of.peer } else { from.id() };
            if flags & SOURCE != 0 {
                (source, view) = (tables.name(shape.number()), tables.name(shape.number()));
            }
            let id = if flags & BY_ID != 0 {
                from.id()
            } else {
                take_name(&mut name, &mut shape, from);
                tables.origin(session).event_id(&source.read().unwrap_or_default(), &name)
            };
            let act = ACTS.get(usize::from(flags & ACT)).copied().unwrap_or(PeerAct::Left);
            let preset_view_type = view.read().map(|view| view.as_ref().into());
            self.events.push(PeerEvent { at, session: tables.session(session), id, peer, act, preset_view_type });
        }
    }
}

/// The inverse of [`put_name`].
fn take_name(name: &mut String, shape: &mut Cursor<'_>, from: &mut Cursor<'_>) {
    let shared = if name.is_empty() { 0 } else { usize::from(shape.byte()) };
    let length = usize::from(shape.byte());
    name.truncate((0..=shared).rev().find(|end| name.is_char_boundary(*end)).unwrap_or_default());
    name.push_str(std::str::from_utf8(from.bytes(length)).unwrap_or_default());
}
