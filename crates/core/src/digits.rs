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

/// An id as every client writes it: 32 lower-case hexadecimal digits in five groups.
#[must_use]
#[inline]
pub fn hyphenated(id: Uuid) -> [u8; 36] {
    let mut digits = [0; 32];
    for (two, byte) in digits.as_chunks_mut::<2>().0.iter_mut().zip(id.as_bytes()) {
        *two = [digit(byte >> 4), digit(byte & 15)];
    }
    let mut text = [b'-'; 36];
    text[..8].copy_from_slice(&digits[..8]);
    text[9..13].copy_from_slice(&digits[8..12]);
    text[14..18].copy_from_slice(&digits[12..16]);
    text[19..23].copy_from_slice(&digits[16..20]);
    text[24..].copy_from_slice(&digits[20..]);
    text
}

#[inline]
fn digit(four_bits: u8) -> u8 {
    four_bits + if four_bits > 9 { b'a' - 10 } else { b'0' }
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
