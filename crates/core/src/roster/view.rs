//! A row as it is read: from its first byte on, in the form of `form`.

use super::cursor::{Cursor, Text};
use super::details::Of;
use super::form::{CREATED, EVENTS, Form, IS_IN, MORE, ODD_TEXTS, OTHER_SESSION, RARE, STAYS, UPDATED};
use super::row::{Details, Length};
use super::tables::Tables;
use crate::time::Timestamp;
use std::borrow::Cow;
use uuid::Uuid;

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
            let of = Of { peer: self.id(), session, joined_at, last: left_at.unwrap_or(joined_at) };
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
