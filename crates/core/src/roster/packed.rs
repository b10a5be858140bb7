//! Whole numbers of a few bits each, side by side; and bytes read where there may be none.

/// How many bits all numbers up to this one fit in.
pub(super) fn bits_for(most: u64) -> u32 {
    u64::BITS - most.leading_zeros()
}

/// Appends numbers of `bits` bits each, 56 at most, and fills the last byte up.
pub(super) fn put(numbers: impl IntoIterator<Item = u64>, bits: u32, out: &mut Vec<u8>) {
    let (mut held, mut count) = (0, 0);
    for number in numbers {
        held |= number << count;
        count += bits;
        while count >= 8 {
            out.push(held as u8);
            (held, count) = (held >> 8, count - 8);
        }
    }
    if count > 0 {
        out.push(held as u8);
    }
}

/// The number at a place.
#[inline]
pub(super) fn get(bytes: &[u8], place: usize, bits: u32) -> u64 {
    let at = place * bits as usize;
    (word(bytes, at / 8) >> (at % 8)) & mask(bits)
}

/// So many ones; 64 at most.
#[inline]
pub(super) fn mask(bits: u32) -> u64 {
    u64::MAX.checked_shr(u64::BITS - bits).unwrap_or(0)
}

/// Eight bytes from a place on, the lowest first; past the end there are zeros.
#[inline]
pub(super) fn word(bytes: &[u8], at: usize) -> u64 {
    match bytes.get(at..).and_then(<[u8]>::first_chunk) {
        Some(eight) => u64::from_le_bytes(*eight),
        None => last_word(bytes, at),
    }
}

#[cold]
fn last_word(bytes: &[u8], at: usize) -> u64 {
    let rest = bytes.get(at..).unwrap_or_default();
    rest.iter().rev().fold(0, |word, byte| word << 8 | u64::from(*byte))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_was_put_is_got(bits in 0u32..=56, numbers in prop::collection::vec(any::<u64>(), 0..40)) {
            let numbers: Vec<u64> = numbers.into_iter().map(|number| number & mask(bits)).collect();
            let mut bytes = Vec::new();
            put(numbers.iter().copied(), bits, &mut bytes);
            prop_assert_eq!(bytes.len(), (numbers.len() * bits as usize).div_ceil(8));
            for (place, number) in numbers.iter().enumerate() {
                prop_assert_eq!(get(&bytes, place, bits), *number);
                prop_assert!(bits_for(*number) <= bits);
            }
            prop_assert_eq!(get(&bytes, numbers.len() + 8, bits), 0);
        }
    }
}
