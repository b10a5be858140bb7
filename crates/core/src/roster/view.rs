//! A row as it is read: in a roster's bytes, from its first byte on, in the form of `form`; or copied by itself.

use super::cursor::{Cursor, Text};
use super::details::Of;
use super::extract::CopiedRow;
use super::form::{CREATED, EVENTS, Form, IS_IN, MORE, ODD_TEXTS, OTHER_SESSION, RARE, STAYS, UPDATED};
use super::row::{Details, Fields, Length};
use super::shapes::{OWN, SIZE, Shape};
use super::tables::{Tables, name};
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
    is_plain: bool,
    texts: Texts<'a>,
}

/// Texts of a packed row, in their order.
#[derive(Clone, Copy, Debug)]
struct Rest<'a> {
    bytes: Cursor<'a>,
    /// The lowest byte is the tag of the next text.
    tags: u32,
    preset: u32,
    names: &'a [u8],
}

impl<'a> Rest<'a> {
    #[inline]
    fn of(bytes: Cursor<'a>, shape: Shape, tables: Tables<'a>) -> Self {
        let [a, b, c] = shape.tags;
        Self { bytes, tags: u32::from_le_bytes([a, b, c, 0]), preset: shape.preset, names: tables.names }
    }

    #[inline]
    fn next(&mut self) -> Text<'a> {
        let tag = self.tags as u8;
        self.tags >>= 8;
        self.bytes.tagged(tag)
    }
}

/// Where the next text is.
#[derive(Clone, Copy, Debug)]
enum Texts<'a> {
    Packed(Rest<'a>),
    /// At this place.
    Copied(CopiedRow<'a>, usize),
}

impl<'a> Shown<'a> {
    /// Whether no text holds a control character, a quote or a backslash: most notations take such texts as they are.
    #[must_use]
    #[inline]
    pub fn is_plain(&self) -> bool {
        self.is_plain
    }

    /// The first time the person's permanent id, then the id that the product gave the person, then the name shown in the call.
    #[inline]
    pub fn next_text(&mut self) -> Text<'a> {
        match &mut self.texts {
            Texts::Packed(rest) => rest.next(),
            Texts::Copied(row, place) => {
                *place += 1;
                row.text(*place - 1)
            }
        }
    }

    /// After these three, the preset that the peer came with.
    #[inline]
    pub fn preset_name(&mut self) -> Text<'a> {
        match &mut self.texts {
            Texts::Packed(rest) => name(rest.names, rest.preset.into()),
            Texts::Copied(row, place) => row.text(*place),
        }
    }
}

/// A row of a roster.
#[derive(Clone, Copy, Debug)]
pub struct RowView<'a>(Kept<'a>);

#[derive(Clone, Copy, Debug)]
enum Kept<'a> {
    Packed(Packed<'a>),
    Copied(CopiedRow<'a>),
}

/// A row within a roster's bytes.
#[derive(Clone, Copy, Debug)]
struct Packed<'a> {
    form: &'a Form,
    tables: Tables<'a>,
    row: &'a [u8],
}

/// What of a packed row is not shown.
struct Hidden {
    flags: u8,
    /// By its number.
    session: u64,
}

impl<'a> Packed<'a> {
    #[inline]
    fn read(&self) -> (Shown<'a>, Hidden) {
        let (number, mut rest) = self.head();
        let shape = match self.form.shapes.get(usize::from(number)) {
            Some(shape) => *shape,
            None => Shape::from_bytes(rest.bytes(SIZE)),
        };
        let flags = shape.flags;
        let (joined_at, length) = rest.two(self.form.spans);
        let (joined_at, length) = (self.form.at(joined_at), self.form.micros(length.cast_signed()));
        let implied = Timestamp::from_micros(joined_at.micros().wrapping_add(length));
        let (left_at, length) = if flags & IS_IN == 0 { (Some(implied), Length::Gone(length)) } else { (None, Length::In(joined_at)) };
        let (created_at, updated_at) = (joined_at, left_at.unwrap_or(joined_at));
        let (is_plain, texts) = (flags & ODD_TEXTS == 0, Texts::Packed(Rest::of(rest, shape, self.tables)));
        let mut shown = Shown { joined_at, left_at, length, created_at, updated_at, is_plain, texts };
        let mut hidden = Hidden { flags, session: 0 };
        if flags & RARE != 0 {
            self.rarely(&mut shown, &mut hidden, rest, shape);
        }
        (shown, hidden)
    }

    /// What most rows lack.
    fn rarely(&self, shown: &mut Shown<'a>, hidden: &mut Hidden, mut rest: Cursor<'a>, shape: Shape) {
        let joined_at = shown.joined_at;
        let is = |bit| hidden.flags & bit != 0;
        if is(OTHER_SESSION) {
            hidden.session = rest.number();
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
        shown.texts = Texts::Packed(Rest::of(rest, shape, self.tables));
    }

    #[inline]
    fn id(&self) -> Uuid {
        Cursor(self.row.get(1..).unwrap_or_default()).id()
    }

    /// The display name, of most rows without a look at what lies before it.
    #[inline]
    fn name(&self) -> Text<'a> {
        let (number, mut rest) = self.head();
        let Some(shape) = self.form.shapes.get(usize::from(number)).filter(|shape| shape.flags & RARE == 0) else {
            let mut shown = self.read().0;
            shown.next_text();
            shown.next_text();
            return shown.next_text();
        };
        rest.bytes(self.form.spans.size());
        let [user_id, custom_id, name] = shape.tags;
        rest.tagged(user_id);
        rest.tagged(custom_id);
        rest.tagged(name)
    }

    /// The number of its shape, and what follows the id.
    #[inline]
    fn head(&self) -> (u8, Cursor<'a>) {
        self.row.split_first_chunk::<17>().map_or((OWN, Cursor(&[])), |(head, rest)| (head[0], Cursor(rest)))
    }

    fn details(&self) -> Details {
        let (Shown { joined_at, left_at, texts, .. }, Hidden { flags, session }) = self.read();
        let mut details = Details::one_stay(joined_at, left_at);
        let Texts::Packed(mut rest) = texts else { return details };
        (0..3).for_each(|_| {
            rest.next();
        });
        let mut rest = rest.bytes;
        if flags & STAYS != 0 {
            details.take_stays(joined_at, self.form, &mut rest);
        }
        if flags & EVENTS != 0 {
            let of = Of { peer: self.id(), session, joined_at, last: left_at.unwrap_or(joined_at) };
            details.take_events(&of, self.form, self.tables, &mut rest);
        }
        details
    }
}

impl<'a> RowView<'a> {
    #[inline]
    pub(super) fn packed(form: &'a Form, tables: Tables<'a>, row: &'a [u8]) -> Self {
        Self(Kept::Packed(Packed { form, tables, row }))
    }

    #[inline]
    pub(super) fn copied(row: CopiedRow<'a>) -> Self {
        Self(Kept::Copied(row))
    }

    /// The row from its beginning on.
    #[must_use]
    #[inline]
    pub fn shown(&self) -> Shown<'a> {
        match &self.0 {
            Kept::Packed(row) => row.read().0,
            Kept::Copied(row) => {
                let Fields { joined_at, left_at, length, created_at, updated_at, .. } = row.row.fields;
                let (is_plain, texts) = (row.row.is_plain, Texts::Copied(*row, 0));
                Shown { joined_at, left_at, length, created_at, updated_at, is_plain, texts }
            }
        }
    }

    /// The peer's id.
    #[must_use]
    #[inline]
    pub fn id(&self) -> Uuid {
        match &self.0 {
            Kept::Packed(row) => row.id(),
            Kept::Copied(row) => row.row.fields.id,
        }
    }

    /// The session of that peer.
    #[must_use]
    pub fn session(&self) -> Uuid {
        match &self.0 {
            Kept::Packed(row) => row.tables.session(row.read().1.session),
            Kept::Copied(row) => row.row.fields.session,
        }
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
        self.display_name_text().read()
    }

    /// The same, as it is kept.
    #[inline]
    pub(super) fn display_name_text(&self) -> Text<'a> {
        match &self.0 {
            Kept::Packed(row) => row.name(),
            Kept::Copied(row) => row.text(2),
        }
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
        match &self.0 {
            Kept::Packed(row) => row.details(),
            Kept::Copied(row) => row.details(),
        }
    }

    /// Of the three texts the one at a place.
    #[inline]
    fn text(&self, place: usize) -> Text<'a> {
        let mut shown = self.shown();
        (0..place).for_each(|_| {
            shown.next_text();
        });
        shown.next_text()
    }
}
