//! Decimal numbers and ids as text, by tables instead of `fmt`: an answer has thousands of them.

use uuid::Uuid;

/// The two digits of each number below 100; what is above is never asked for, and makes an index that always fits.
const PAIRS: [[u8; 2]; 128] = {
    let mut pairs = [*b"00"; 128];
    let mut number = 0;
    while number < 100 {
        pairs[number] = [b'0' + (number / 10) as u8, b'0' + (number % 10) as u8];
        number += 1;
    }
    pairs
};

/// The two digits of a number below 100.
#[must_use]
#[inline]
pub fn pair(number: u32) -> [u8; 2] {
    PAIRS[(number & 127) as usize]
}

/// The two hexadecimal digits of each byte.
const HEX: [[u8; 2]; 256] = {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut pairs = [[0; 2]; 256];
    let mut byte = 0;
    while byte < 256 {
        pairs[byte] = [DIGITS[byte >> 4], DIGITS[byte & 15]];
        byte += 1;
    }
    pairs
};

/// Where an id's text has the digits of each of its bytes.
const DIGITS_AT: [usize; 16] = [0, 2, 4, 6, 9, 11, 14, 16, 19, 21, 24, 26, 28, 30, 32, 34];

/// An id as every client writes it: 32 lower-case hexadecimal digits in five groups.
#[must_use]
#[inline]
pub fn hyphenated(id: Uuid) -> [u8; 36] {
    let mut text = [0; 36];
    put_hyphenated(id, &mut text);
    text
}

/// The same, where it is to be.
#[inline]
pub fn put_hyphenated(id: Uuid, text: &mut [u8; 36]) {
    for (at, byte) in DIGITS_AT.into_iter().zip(id.as_bytes()) {
        text[at..at + 2].copy_from_slice(&HEX[usize::from(*byte)]);
    }
    for at in [8, 13, 18, 23] {
        text[at] = b'-';
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn pairs_are_what_fmt_writes() {
        for number in 0..100 {
            assert_eq!(pair(number), *format!("{number:02}").as_bytes());
        }
    }

    proptest! {
        #[test]
        fn ids_are_what_fmt_writes(id in any::<u128>()) {
            let id = Uuid::from_u128(id);
            prop_assert_eq!(hyphenated(id).to_vec(), id.to_string().into_bytes());
        }
    }
}
