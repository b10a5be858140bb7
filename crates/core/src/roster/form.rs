//! The form of a row: as short as its roster allows, and read from its first byte on.
//!
//! ```text
//! shape     one byte: the number of what says which of the rest is there, and how long some texts are (see `shapes`)
//! id        16 bytes
//! own       the shape itself, if it has no number
//! joined    ticks since the roster's base, as many bits as the roster's latest takes
//! length    ticks, as many bits as the roster's longest takes; 0 of who is in
//! session   its number among the roster's sessions, unless it is the first
//! more      what `left` is later than `joined` + `length`; of who is in, what the length counts from later than from `joined`
//! created   what it is later than `joined`, unless they are equal
//! updated   what it is later than `left` (of who is in, than `joined`), unless they are equal
//! texts     user id, custom id, display name
//! details   stays and anomalies, unless there is but the one stay from `joined` to `left`; events, if any (see `details`)
//! ```
//!
//! A tick is what all times of the roster are multiples of, counted from its base: microseconds where they are any, seconds where an engine's
//! clock has no finer ones. What is later than something is in ticks too, and may be negative.

use super::cursor::{Cursor, Two, put_number, put_signed, put_tagged};
use super::row::{Details, Fields, Length, Row, ToldEvent};
use super::shapes::{OWN, Shape, Shapes};
use super::tables::{Names, Sessions};
use crate::time::Timestamp;

/// Bits of the flags.
pub(super) const IS_IN: u8 = 1;
pub(super) const MORE: u8 = 2;
pub(super) const CREATED: u8 = 4;
pub(super) const UPDATED: u8 = 8;
pub(super) const OTHER_SESSION: u8 = 16;
pub(super) const ODD_TEXTS: u8 = 32;
pub(super) const STAYS: u8 = 64;
pub(super) const EVENTS: u8 = 128;
/// What most rows lack.
pub(super) const RARE: u8 = MORE | CREATED | UPDATED | OTHER_SESSION;

/// How the times of a roster are written.
#[derive(Clone, Debug)]
pub(super) struct Form {
    /// What times are counted from, in microseconds.
    pub(super) base: i64,
    /// Microseconds a tick; not 0.
    pub(super) tick: i64,
    /// Joining and length.
    pub(super) spans: Two,
    /// Of rows, by number; where they are read.
    pub(super) shapes: Vec<Shape>,
}

impl Default for Form {
    /// One that any time fits.
    fn default() -> Self {
        Self { base: 0, tick: 1, spans: Two::bits([64, 64]), shapes: Vec::new() }
    }
}

impl Form {
    /// The shortest form that rows fit, which are in order of their joining.
    pub(super) fn of(rows: &[Row]) -> Self {
        let base = rows.first().map_or(0, |row| row.joined_at.micros());
        let mut tick = 0;
        for row in rows {
            row.numbers(|number| tick = common_divisor(tick, number), base);
            if tick == 1 {
                break;
            }
        }
        let ticks = Self { base, tick: i64::try_from(tick).unwrap_or(1).max(1), ..Self::default() };
        let joined = rows.last().map_or(0, |row| ticks.since_base(row.joined_at));
        let length = rows.iter().map(|row| ticks.fixed_length(row.length)).max().unwrap_or(0);
        Self { spans: Two::up_to(joined, length), ..ticks }
    }

    // Every time in a row is a whole number of ticks from every other, so nothing is lost; sums that overflow come back by the way they went.

    fn since_base(&self, at: Timestamp) -> u64 {
        (at.micros().wrapping_sub(self.base) / self.tick).cast_unsigned()
    }

    fn fixed_length(&self, length: Length) -> u64 {
        match length {
            Length::Gone(length) => (length / self.tick).cast_unsigned(),
            Length::In(_) => 0,
        }
    }

    /// In ticks.
    pub(super) fn later(&self, at: Timestamp, than: Timestamp) -> i64 {
        at.micros().wrapping_sub(than.micros()) / self.tick
    }

    pub(super) fn put_later(&self, at: Timestamp, than: Timestamp, out: &mut Vec<u8>) {
        put_signed(self.later(at, than), out);
    }

    #[inline]
    pub(super) fn at(&self, ticks: u64) -> Timestamp {
        Timestamp::from_micros(self.micros(ticks.cast_signed()).wrapping_add(self.base))
    }

    #[inline]
    pub(super) fn micros(&self, ticks: i64) -> i64 {
        ticks.wrapping_mul(self.tick)
    }

    /// A time that is told as ticks later than another.
    pub(super) fn take_later(&self, than: Timestamp, from: &mut Cursor<'_>) -> Timestamp {
        Timestamp::from_micros(than.micros().wrapping_add(self.micros(from.signed())))
    }
}

fn common_divisor(mut a: u64, mut b: u64) -> u64 {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}

impl Row {
    /// Tells every time, as microseconds from the base, and every span of the row.
    fn numbers(&self, mut tell: impl FnMut(u64), base: i64) {
        let mut tell_time = |at: Timestamp| tell(at.micros().wrapping_sub(base).unsigned_abs());
        for at in [self.joined_at, self.created_at, self.updated_at].into_iter().chain(self.left_at) {
            tell_time(at);
        }
        for stay in &self.details.stays {
            tell_time(stay.start);
            stay.out.into_iter().for_each(&mut tell_time);
        }
        self.details.anomalies.iter().map(|anomaly| anomaly.at).for_each(&mut tell_time);
        self.details.events.iter().map(|event| event.at).for_each(&mut tell_time);
        match self.length {
            Length::Gone(length) => tell(length.unsigned_abs()),
            Length::In(since) => tell_time(since),
        }
        self.details.stays.iter().for_each(|stay| tell(stay.uncertain.unsigned_abs()));
    }
}

/// Rows in the making.
#[derive(Debug, Default)]
pub(super) struct Writer {
    pub(super) form: Form,
    pub(super) rows: Vec<u8>,
    pub(super) names: Names,
    pub(super) sessions: Sessions,
    pub(super) shapes: Shapes,
}

impl Writer {
    /// Writes a row, of which all times fit the form.
    pub(super) fn put(&mut self, row: &Fields<Option<&[u8]>>, details: &Details<ToldEvent>) {
        let Self { form, rows, names, sessions, shapes, .. } = self;
        let ends = Ends::of(row);
        let session = sessions.number(row.session);
        let odd = row.texts.into_iter().flatten().any(is_odd);
        let bit = |is: bool, bit| if is { bit } else { 0 };
        let flags = bit(row.left_at.is_none(), IS_IN)
            | bit(ends.told != ends.implied, MORE)
            | bit(row.created_at != row.joined_at, CREATED)
            | bit(row.updated_at != ends.last, UPDATED)
            | bit(session != 0, OTHER_SESSION)
            | bit(odd, ODD_TEXTS)
            | bit(!details.is_one_stay(row), STAYS)
            | bit(!details.events.is_empty(), EVENTS);
        let [own @ .., preset] = row.texts;
        let preset = u32::try_from(names.number_or_none(preset)).unwrap_or(0);
        let (number, shape) = shapes.number(Shape::of(flags, own, preset));
        rows.push(number);
        rows.extend_from_slice(row.id.as_bytes());
        if number == OWN {
            rows.extend(shape.bytes());
        }
        form.spans.put(form.since_base(row.joined_at), form.fixed_length(row.length), rows);
        if session != 0 {
            put_number(session.into(), rows);
        }
        let later = [(MORE, ends.told, ends.implied), (CREATED, row.created_at, row.joined_at), (UPDATED, row.updated_at, ends.last)];
        for (_, at, than) in later.into_iter().filter(|(bit, ..)| flags & bit != 0) {
            form.put_later(at, than, rows);
        }
        own.into_iter().zip(shape.tags).for_each(|(text, tag)| put_tagged(tag, text, rows));
        if flags & STAYS != 0 {
            details.put_stays(row.joined_at, form, rows);
        }
        if flags & EVENTS != 0 {
            details.put_events(row, self);
        }
    }
}

/// Whether a text holds a byte with which it can't stand between quotes as it is in most notations.
pub(super) fn is_odd(text: &[u8]) -> bool {
    /// What is looked at together, without a way out in between.
    const PART: usize = 16;
    let any = |part: &[u8]| part.iter().fold(0, |odd, byte| odd | u8::from((*byte < 0x20) | (*byte == b'"') | (*byte == b'\\'))) != 0;
    let (parts, rest) = text.as_chunks::<PART>();
    // The end is rather looked at twice than byte by byte.
    let rest = if rest.is_empty() { rest } else { text.last_chunk::<PART>().map_or(rest, |last| last) };
    parts.iter().any(|part| any(part)) || any(rest)
}

/// What is told of a row's end, and what joining and length imply of it.
struct Ends {
    told: Timestamp,
    implied: Timestamp,
    /// The last that is known of the attendance itself.
    last: Timestamp,
}

impl Ends {
    fn of<T>(row: &Fields<T>) -> Self {
        match (row.length, row.left_at) {
            (Length::Gone(length), Some(left)) => {
                let implied = Timestamp::from_micros(row.joined_at.micros().wrapping_add(length));
                Self { told: left, implied, last: left }
            }
            (Length::Gone(_), None) => Self { told: row.joined_at, implied: row.joined_at, last: row.joined_at },
            (Length::In(since), left) => Self { told: since, implied: row.joined_at, last: left.unwrap_or(row.joined_at) },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_text_is_odd_by_one_byte(text in prop_oneof!["[ !#-~]{0,40}", "[ -~\n]{0,40}", ".{0,40}"]) {
            prop_assert_eq!(is_odd(text.as_bytes()), text.bytes().any(|byte| matches!(byte, 0..0x20 | b'"' | b'\\')));
        }
    }
}
