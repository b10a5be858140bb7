//! Numbers and texts of a row: as they are written one after the other, and read again.

use super::packed::{bits_for, mask, word};
use std::borrow::Cow;
use uuid::Uuid;

/// In place of a text's length, where that is one byte.
const LONG: u8 = 252;
/// What is told apart from a text says no more than that the text tells it itself.
pub(super) const HERE: u8 = 253;
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
    /// From UTF-8 or none.
    pub(super) fn of(bytes: Option<&'a [u8]>) -> Self {
        bytes.map_or(Self::None, Self::Bytes)
    }

    /// As a string.
    #[must_use]
    pub fn read(self) -> Option<Cow<'a, str>> {
        match self {
            Self::None => None,
            Self::Id(id) => Some(Cow::Owned(id.to_string())),
            Self::Bytes(bytes) => std::str::from_utf8(bytes).ok().map(Cow::Borrowed),
        }
    }

    /// Whether there is one, and its bytes are as asked.
    #[inline]
    pub(super) fn is_and(self, is: impl FnOnce(&[u8]) -> bool) -> bool {
        match self {
            Self::None => false,
            Self::Id(id) => is(id.hyphenated().encode_lower(&mut Uuid::encode_buffer()).as_bytes()),
            Self::Bytes(bytes) => is(bytes),
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

/// What a text or none, in UTF-8, begins with: its length, or what it is.
pub(super) fn tag(text: Option<&[u8]>) -> u8 {
    match text {
        None => NONE,
        Some(text) if id_of(text).is_some() => ID,
        Some(text) => u8::try_from(text.len()).unwrap_or(LONG).min(LONG),
    }
}

/// A text or none, in UTF-8. One that is an id in its one form takes no more than an id.
pub(super) fn put_text(text: Option<&[u8]>, out: &mut Vec<u8>) {
    out.push(tag(text));
    put_tagged(tag(text), text, out);
}

/// The same, where what it begins with is told apart from it.
pub(super) fn put_tagged(tag: u8, text: Option<&[u8]>, out: &mut Vec<u8>) {
    if tag == HERE {
        return put_text(text, out);
    }
    let Some(text) = text else { return };
    if let Some(id) = id_of(text) {
        return out.extend_from_slice(id.as_bytes());
    }
    if tag == LONG {
        put_number(text.len() as u64, out);
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

    /// Two numbers of so many bits each, the lowest first.
    #[inline]
    pub(super) fn two(&mut self, two: Two) -> (u64, u64) {
        let both = word(self.0, 0);
        let second = if two.bytes <= 8 { both.wrapping_shr(two.at.into()) } else { two.far(self.0) } & two.second;
        let first = both & two.first;
        self.0 = self.0.get(usize::from(two.bytes)..).unwrap_or_default();
        (first, second)
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

    /// A text of which it is told apart what it begins with.
    #[inline]
    pub(super) fn tagged(&mut self, tag: u8) -> Text<'a> {
        let tag = if tag == HERE { self.byte() } else { tag };
        match tag {
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

/// How many bits the numbers of each pair take, which lie side by side.
#[derive(Clone, Copy, Debug)]
pub(super) struct Two {
    /// All ones, as many as either has bits.
    first: u64,
    second: u64,
    /// The bit at which the second begins.
    at: u8,
    /// Bytes of both.
    bytes: u8,
}

impl Two {
    /// So many bits each, of which more than 64 are 64.
    pub(super) fn bits([first, second]: [u8; 2]) -> Self {
        let (first, second) = (first.min(64), second.min(64));
        // A look shows 57 bits wherever it begins within a byte, and 64 where it begins with one.
        let at = if second > 57 { first.next_multiple_of(8) } else { first };
        Self { first: mask(first.into()), second: mask(second.into()), at, bytes: (at + second).div_ceil(8) }
    }

    /// As many bits as the greatest of each take.
    pub(super) fn up_to(first: u64, second: u64) -> Self {
        Self::bits([bits_for(first) as u8, bits_for(second) as u8])
    }

    /// The bits of each.
    pub(super) fn widths(self) -> [u8; 2] {
        [self.first, self.second].map(|mask| bits_for(mask) as u8)
    }

    /// The second, with others above, where a look at the first does not show all of it.
    #[cold]
    fn far(self, bytes: &[u8]) -> u64 {
        word(bytes, usize::from(self.at / 8)) >> (self.at % 8)
    }

    /// Bytes of a pair.
    #[inline]
    pub(super) fn size(self) -> usize {
        self.bytes.into()
    }

    pub(super) fn put(self, first: u64, second: u64, out: &mut Vec<u8>) {
        let both = u128::from(first) | u128::from(second) << self.at;
        out.extend_from_slice(&both.to_le_bytes()[..usize::from(self.bytes)]);
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
                put_tagged(tag(text.as_deref().map(str::as_bytes)), text.as_deref().map(str::as_bytes), &mut bytes);
                put_tagged(HERE, text.as_deref().map(str::as_bytes), &mut bytes);
                for shift in [0, 9, 40, 64] {
                    let (a, b) = (number.checked_shr(shift).unwrap_or(0), signed.cast_unsigned().checked_shr(shift / 2).unwrap_or(0));
                    Two::up_to(a, b).put(a, b, &mut bytes);
                    Two::up_to(b, a).put(b, a, &mut bytes);
                }
            }
            let mut cursor = Cursor(&bytes);
            for (number, signed, text) in &all {
                prop_assert_eq!((cursor.number(), cursor.signed(), shown(cursor.tagged(HERE))), (*number, *signed, text.clone()));
                prop_assert_eq!(shown(cursor.tagged(tag(text.as_deref().map(str::as_bytes)))), text.clone());
                prop_assert_eq!(shown(cursor.tagged(HERE)), text.clone());
                for shift in [0, 9, 40, 64] {
                    let (a, b) = (number.checked_shr(shift).unwrap_or(0), signed.cast_unsigned().checked_shr(shift / 2).unwrap_or(0));
                    let two = Two::up_to(a, b);
                    prop_assert_eq!(cursor.two(two), (a, b));
                    prop_assert_eq!(Two::bits(two.widths()).bytes, two.bytes);
                    prop_assert_eq!(cursor.two(Two::up_to(b, a)), (b, a));
                }
            }
            prop_assert_eq!((cursor.number(), cursor.signed(), cursor.tagged(HERE), cursor.id()), (0, 0, Text::Bytes(&[]), Uuid::nil()));
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
