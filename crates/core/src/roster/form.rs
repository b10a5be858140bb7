//! The form of a row: as short as its roster allows, and read from its first byte on.
//!
//! ```text
//! flags     one byte, which says what of the rest is there
//! id        16 bytes
//! joined    ticks since the roster's base, as many bytes as the roster's latest takes
//! length    ticks, as many bytes as the roster's longest takes; 0 of who is in
//! session   its number among the roster's sessions, unless it is the first
//! more      what `left` is later than `joined` + `length`; of who is in, what the length counts from later than from `joined`
//! created   what it is later than `joined`, unless they are equal
//! updated   what it is later than `left` (of who is in, than `joined`), unless they are equal
//! texts     user id, custom id, display name; then the preset's number among the roster's names, or 0
//! details   stays and anomalies, unless there is but the one stay from `joined` to `left`; events, if any (see `details`)
//! ```
//!
//! A tick is what all times of the roster are multiples of, counted from its base: microseconds where they are any, seconds where an engine's
//! clock has no finer ones. What is later than something is in ticks too, and may be negative.

use super::cursor::{Cursor, Fixed, Text, put_number, put_signed, put_text};
use super::row::{Details, Fields, Length, Row, ToldEvent};
use super::tables::{Names, Sessions, Tables};
use crate::time::Timestamp;
use std::borrow::Cow;
use uuid::Uuid;

/// Bits of the flags.
const IS_IN: u8 = 1;
const MORE: u8 = 2;
const CREATED: u8 = 4;
const UPDATED: u8 = 8;
const OTHER_SESSION: u8 = 16;
const ODD_TEXTS: u8 = 32;
const STAYS: u8 = 64;
const EVENTS: u8 = 128;
/// What most rows lack.
const RARE: u8 = MORE | CREATED | UPDATED | OTHER_SESSION;

/// How the times of a roster are written.
#[derive(Clone, Copy, Debug)]
pub(super) struct Form {
    /// What times are counted from, in microseconds.
    pub(super) base: i64,
    /// Microseconds a tick; not 0.
    pub(super) tick: i64,
    pub(super) joined: Fixed,
    pub(super) length: Fixed,
}

impl Default for Form {
    /// One that any time fits.
    fn default() -> Self {
        Self { base: 0, tick: 1, joined: Fixed::bytes(8), length: Fixed::bytes(8) }
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
        Self { joined: Fixed::up_to(joined), length: Fixed::up_to(length), ..ticks }
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
    fn at(&self, ticks: u64) -> Timestamp {
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
}

impl Writer {
    /// Writes a row, of which all times fit the form.
    pub(super) fn put(&mut self, row: &Fields<'_>, details: &Details<ToldEvent>) {
        let Self { form, rows, names, sessions } = self;
        let ends = Ends::of(row);
        let session = sessions.number(row.session);
        let odd = row.texts.into_iter().flatten().any(|text| text.bytes().any(is_odd));
        let bit = |is: bool, bit| if is { bit } else { 0 };
        let flags = bit(row.left_at.is_none(), IS_IN)
            | bit(ends.told != ends.implied, MORE)
            | bit(row.created_at != row.joined_at, CREATED)
            | bit(row.updated_at != ends.last, UPDATED)
            | bit(session != 0, OTHER_SESSION)
            | bit(odd, ODD_TEXTS)
            | bit(!details.is_one_stay(row), STAYS)
            | bit(!details.events.is_empty(), EVENTS);
        rows.push(flags);
        rows.extend_from_slice(row.id.as_bytes());
        form.joined.put(form.since_base(row.joined_at), rows);
        form.length.put(form.fixed_length(row.length), rows);
        if session != 0 {
            put_number(session.into(), rows);
        }
        let later = [(MORE, ends.told, ends.implied), (CREATED, row.created_at, row.joined_at), (UPDATED, row.updated_at, ends.last)];
        for (_, at, than) in later.into_iter().filter(|(bit, ..)| flags & bit != 0) {
            form.put_later(at, than, rows);
        }
        let [own @ .., preset] = row.texts;
        own.into_iter().for_each(|text| put_text(text, rows));
        put_number(names.number_or_none(preset), rows);
        if flags & STAYS != 0 {
            details.put_stays(row.joined_at, form, rows);
        }
        if flags & EVENTS != 0 {
            details.put_events(row, self);
        }
    }
}

/// Whether a text with this byte can't stand between quotes as it is in most notations.
fn is_odd(byte: u8) -> bool {
    matches!(byte, 0..0x20 | b'"' | b'\\')
}

/// What is told of a row's end, and what joining and length imply of it.
struct Ends {
    told: Timestamp,
    implied: Timestamp,
    /// The last that is known of the attendance itself.
    last: Timestamp,
}

impl Ends {
    fn of(row: &Fields<'_>) -> Self {
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

/// A row that is read from its beginning to its end: the times at once, the texts one after the other.
#[derive(Clone, Copy, Debug)]
pub struct Shown<'a> {
    /// The start of the first stay.
    pub joined_at: Timestamp,
    /// The end of the last stay; none while in.
    pub left_at: Option<Timestamp>,
    /// How long in all.
    pub length: Length,
    /// The time of the first event.
    pub created_at: Timestamp,
    /// The time of the last event.
    pub updated_at: Timestamp,
    /// By its number.
    session: u64,
    flags: u8,
    rest: Cursor<'a>,
    tables: Tables<'a>,
}

impl<'a> Shown<'a> {
    /// Whether no text holds a control character, a quote or a backslash: most notations take such texts as they are.
    #[must_use]
    #[inline]
    pub fn is_plain(&self) -> bool {
        self.flags & ODD_TEXTS == 0
    }

    /// The first time the person's permanent id, then the id that the product gave the person, then the name shown in the call.
    #[inline]
    pub fn next_text(&mut self) -> Text<'a> {
        self.rest.text()
    }

    /// After these three, the preset that the peer came with.
    #[inline]
    pub fn preset_name(&mut self) -> Text<'a> {
        self.tables.name(self.rest.number())
    }
}

/// A row within a roster's bytes.
#[derive(Clone, Copy, Debug)]
pub struct RowView<'a> {
    form: &'a Form,
    tables: Tables<'a>,
    row: &'a [u8],
}

impl<'a> RowView<'a> {
    #[inline]
    pub(super) fn new(form: &'a Form, tables: Tables<'a>, row: &'a [u8]) -> Self {
        Self { form, tables, row }
    }

    /// The row from its beginning on.
    #[must_use]
    #[inline]
    pub fn shown(&self) -> Shown<'a> {
        let mut rest = Cursor(self.row);
        let flags = rest.byte();
        rest.bytes(16);
        let (joined_at, length) = (self.form.at(rest.fixed(self.form.joined)), rest.fixed(self.form.length));
        let length = self.form.micros(length.cast_signed());
        let implied = Timestamp::from_micros(joined_at.micros().wrapping_add(length));
        let (left_at, length) = if flags & IS_IN == 0 { (Some(implied), Length::Gone(length)) } else { (None, Length::In(joined_at)) };
        let updated_at = left_at.unwrap_or(joined_at);
        let tables = self.tables;
        let mut shown = Shown { joined_at, left_at, length, created_at: joined_at, updated_at, session: 0, flags, rest, tables };
        if flags & RARE != 0 {
            self.rarely(&mut shown);
        }
        shown
    }

    /// What most rows lack.
    fn rarely(&self, shown: &mut Shown<'a>) {
        let Shown { joined_at, flags, mut rest, .. } = *shown;
        let is = |bit| flags & bit != 0;
        if is(OTHER_SESSION) {
            shown.session = rest.number();
        }
        if is(MORE) {
            let told = self.form.take_later(shown.left_at.unwrap_or(joined_at), &mut rest);
            if is(IS_IN) {
                shown.length = Length::In(told);
            } else {
                shown.left_at = Some(told);
            }
        }
        if is(CREATED) {
            shown.created_at = self.form.take_later(joined_at, &mut rest);
        }
        shown.updated_at = shown.left_at.unwrap_or(joined_at);
        if is(UPDATED) {
            shown.updated_at = self.form.take_later(shown.updated_at, &mut rest);
        }
        shown.rest = rest;
    }

    /// The peer's id.
    #[must_use]
    #[inline]
    pub fn id(&self) -> Uuid {
        Cursor(self.row.get(1..).unwrap_or_default()).id()
    }

    /// The session of that peer.
    #[must_use]
    pub fn session(&self) -> Uuid {
        self.tables.session(self.shown().session)
    }

    /// The start of the first stay.
    #[must_use]
    pub fn joined_at(&self) -> Timestamp {
        self.shown().joined_at
    }

    /// The end of the last stay; none while in.
    #[must_use]
    pub fn left_at(&self) -> Option<Timestamp> {
        self.shown().left_at
    }

    /// How long in all.
    #[must_use]
    pub fn length(&self) -> Length {
        self.shown().length
    }

    /// The time of the first event.
    #[must_use]
    pub fn created_at(&self) -> Timestamp {
        self.shown().created_at
    }

    /// The time of the last event.
    #[must_use]
    pub fn updated_at(&self) -> Timestamp {
        self.shown().updated_at
    }

    /// The person's permanent id.
    #[must_use]
    pub fn user_id(&self) -> Option<Cow<'a, str>> {
        self.text(0).read()
    }

    /// The id that the product gave the person.
    #[must_use]
    pub fn custom_participant_id(&self) -> Option<Cow<'a, str>> {
        self.text(1).read()
    }

    /// The name shown in the call.
    #[must_use]
    pub fn display_name(&self) -> Option<Cow<'a, str>> {
        self.text(2).read()
    }

    /// The preset that the peer came with.
    #[must_use]
    pub fn preset_name(&self) -> Option<Cow<'a, str>> {
        let mut shown = self.shown();
        (0..3).for_each(|_| {
            shown.next_text();
        });
        shown.preset_name().read()
    }

    /// What is shown on demand.
    #[must_use]
    pub fn details(&self) -> Details {
        let mut shown = self.shown();
        (0..3).for_each(|_| {
            shown.next_text();
        });
        shown.preset_name();
        let Shown { flags, session, joined_at, left_at, mut rest, .. } = shown;
        let mut details = Details::one_stay(joined_at, left_at);
        if flags & STAYS != 0 {
            details.take_stays(joined_at, self.form, &mut rest);
        }
        if flags & EVENTS != 0 {
            let of = super::details::Of { peer: self.id(), session, joined_at, last: left_at.unwrap_or(joined_at) };
            details.take_events(&of, self.form, self.tables, &mut rest);
        }
        details
    }

    /// Of the three texts the one at a place.
    fn text(&self, place: usize) -> Text<'a> {
        let mut shown = self.shown();
        (0..place).for_each(|_| {
            shown.next_text();
        });
        shown.next_text()
    }
}
