//! Numbers and texts of a row: as they are written one after the other, and read again.

use super::packed::{bits_for, mask, word};
use std::borrow::Cow;
use uuid::Uuid;

/// In place of a text's length, where that is one byte.
const LONG: u8 = 253;
const ID: u8 = 254;
const NONE: u8 = 255;

/// A text of a row, as it is kept.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Text<'a> {
    /// There is none.
    None,
    /// It is this id, in lower case and with hyphens.
    Id(Uuid),
    /// Its bytes, in UTF-8.
    Bytes(&'a [u8]),
}

impl<'a> Text<'a> {
    /// As a string.
    #[must_use]
    pub fn read(self) -> Option<Cow<'a, str>> {
        match self {
            Self::None => None,
            Self::Id(id) => Some(Cow::Owned(id.to_string())),
            Self::Bytes(bytes) => std::str::from_utf8(bytes).ok().map(Cow::Borrowed),
        }
    }
}

/// Seven bits a byte, the lowest first; the eighth bit says that more follow.
pub(super) fn put_number(mut number: u64, out: &mut Vec<u8>) {
    while number > 0x7f {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

/// A number that may be negative: small ones of either sign are short.
pub(super) fn put_signed(number: i64, out: &mut Vec<u8>) {
    put_number((number << 1 ^ number >> 63).cast_unsigned(), out);
}

/// A text or none, in UTF-8. One that is an id in its one form takes no more than an id.
pub(super) fn put_text(text: Option<&[u8]>, out: &mut Vec<u8>) {
    let Some(text) = text else { return out.push(NONE) };
    if let Some(id) = id_of(text) {
        out.push(ID);
        return out.extend_from_slice(id.as_bytes());
    }
    match u8::try_from(text.len()) {
        Ok(length) if length < LONG => out.push(length),
        _ => {
            out.push(LONG);
            put_number(text.len() as u64, out);
        }
    }
    out.extend_from_slice(text);
}

fn id_of(text: &[u8]) -> Option<Uuid> {
    let one_form = || text.iter().all(|byte| *byte == b'-' || byte.is_ascii_digit() || (b'a'..=b'f').contains(byte));
    if text.len() == 36 && one_form() { Uuid::try_parse_ascii(text).ok() } else { None }
}

/// What was written, in the order in which it was. Past the end there are zeros and empty texts.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cursor<'a>(pub(super) &'a [u8]);

impl<'a> Cursor<'a> {
    #[inline]
    pub(super) fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        *first
    }

    /// A number of so many bytes, eight at most, the lowest first.
    #[inline]
    pub(super) fn fixed(&mut self, bytes: Fixed) -> u64 {
        let number = word(self.0, 0) & bytes.mask;
        self.0 = self.0.get(usize::from(bytes.width)..).unwrap_or_default();
        number
    }

    #[inline]
    pub(super) fn number(&mut self) -> u64 {
        let first = self.byte();
        if first & 0x80 == 0 { first.into() } else { self.rest_of_number(first & 0x7f) }
    }

    fn rest_of_number(&mut self, low: u8) -> u64 {
        let (mut number, mut shift) = (u64::from(low), 7);
        loop {
            let byte = self.byte();
            number |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 || shift == 63 {
                return number;
            }
            shift += 7;
        }
    }

    /// How many things follow, none of which takes no room.
    pub(super) fn count(&mut self) -> u64 {
        self.number().min(self.0.len() as u64)
    }

    pub(super) fn signed(&mut self) -> i64 {
        let number = self.number();
        (number >> 1).cast_signed() ^ -(number & 1).cast_signed()
    }

    #[inline]
    pub(super) fn bytes(&mut self, length: usize) -> &'a [u8] {
        let (bytes, rest) = self.0.split_at_checked(length).unwrap_or((self.0, &[]));
        self.0 = rest;
        bytes
    }

    #[inline]
    pub(super) fn id(&mut self) -> Uuid {
        let (id, rest) = self.0.split_first_chunk().unwrap_or((&[0; 16], &[]));
        self.0 = rest;
        Uuid::from_bytes(*id)
    }

    #[inline]
    pub(super) fn text(&mut self) -> Text<'a> {
        match self.byte() {
            NONE => Text::None,
            ID => Text::Id(self.id()),
            LONG => Text::Bytes(self.long()),
            length => Text::Bytes(self.bytes(length.into())),
        }
    }

    #[cold]
    fn long(&mut self) -> &'a [u8] {
        let length = usize::try_from(self.number()).unwrap_or(usize::MAX);
        self.bytes(length)
    }
}

/// How many bytes each number of some kind takes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fixed {
    pub(super) width: u8,
    mask: u64,
}

impl Fixed {
    /// So many bytes, of which more than eight are eight.
    pub(super) fn bytes(width: u8) -> Self {
        let width = width.min(8);
        Self { width, mask: mask(u32::from(width) * 8) }
    }

    /// As many bytes as the greatest number takes.
    pub(super) fn up_to(most: u64) -> Self {
        Self::bytes(bits_for(most).div_ceil(8) as u8)
    }

    pub(super) fn put(self, number: u64, out: &mut Vec<u8>) {
        out.extend_from_slice(&number.to_le_bytes()[..usize::from(self.width)]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn texts() -> impl Strategy<Value = Option<String>> {
        let id = any::<u128>().prop_map(|id| Uuid::from_u128(id).to_string());
        let text = prop_oneof![".{0,30}", ".{80,90}", id.clone(), id.prop_map(|id| id.to_uppercase()), "[0-9a-f-]{36}"];
        prop::option::of(text)
    }

    fn shown(text: Text<'_>) -> Option<String> {
        text.read().map(Cow::into_owned)
    }

    proptest! {
        #[test]
        fn what_was_written_is_read(all in prop::collection::vec((any::<u64>(), any::<i64>(), texts()), 0..9)) {
            let mut bytes = Vec::new();
            for (number, signed, text) in &all {
                put_number(*number, &mut bytes);
                put_signed(*signed, &mut bytes);
                put_text(text.as_deref().map(str::as_bytes), &mut bytes);
                Fixed::up_to(*number).put(*number, &mut bytes);
            }
            let mut cursor = Cursor(&bytes);
            for (number, signed, text) in &all {
                prop_assert_eq!((cursor.number(), cursor.signed(), shown(cursor.text())), (*number, *signed, text.clone()));
                prop_assert_eq!(cursor.fixed(Fixed::up_to(*number)), *number);
            }
            prop_assert_eq!((cursor.number(), cursor.signed(), cursor.text(), cursor.id()), (0, 0, Text::Bytes(&[]), Uuid::nil()));
        }
    }

    #[test]
    fn ids_take_seventeen_bytes() {
        let (mut bytes, id) = (Vec::new(), "00000000-0000-4000-8000-0123456789ab");
        put_text(Some(id.as_bytes()), &mut bytes);
        assert_eq!(bytes.len(), 17);
        put_text(Some("x".repeat(300).as_bytes()), &mut bytes);
        assert_eq!(bytes.len(), 17 + 1 + 2 + 300);
    }
}
