//! Ascending lists of rows as few bytes, in the form that suits how many of all rows a list has.
//!
//! Lists of less than an eighth of the rows are written as the distances between rows, each as a Rice code: the distance divided by a
//! power of two that suits the list, as so many zero bits and a one, then the remainder. Lists of more than seven eighths are written as
//! the rows that they lack, and what is between as a bit a row. How long a list is tells which.

use super::bits::Bits;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Form {
    Distances,
    Bits,
    Lacking,
}

fn form(count: u32, rows: u32) -> Form {
    let (count, rows) = (u64::from(count), u64::from(rows));
    if count * 8 < rows {
        Form::Distances
    } else if (rows - count.min(rows)) * 8 < rows {
        Form::Lacking
    } else {
        Form::Bits
    }
}

/// The power of two by which distances are divided, where `count` of `rows` are listed: about the mean distance times ln 2.
fn remainder_bits(count: u32, rows: u32) -> u32 {
    let scaled = u64::from(rows) * 11 / 16 / u64::from(count.max(1));
    scaled.checked_ilog2().unwrap_or(0)
}

/// Appends a list. It has none twice, and none past the end.
pub(super) fn put(list: &[u32], rows: u32, out: &mut Vec<u8>) {
    let count = u32::try_from(list.len()).unwrap_or(u32::MAX);
    match form(count, rows) {
        Form::Distances => put_distances(list.iter().copied(), count, rows, out),
        Form::Lacking => {
            let mut listed = list.iter().copied().peekable();
            let lacking = (0..rows).filter(|row| listed.next_if_eq(row).is_none());
            put_distances(lacking, rows - count, rows, out);
        }
        Form::Bits => {
            let from = out.len();
            out.resize(from + (rows as usize).div_ceil(8), 0);
            list.iter().for_each(|row| out[from + *row as usize / 8] |= 1 << (row % 8));
        }
    }
}

fn put_distances(list: impl Iterator<Item = u32>, count: u32, rows: u32, out: &mut Vec<u8>) {
    let low = remainder_bits(count, rows);
    // Bits that are not written yet, and how many.
    let (mut open, mut held) = (0u64, 0u32);
    let mut put = |value: u64, bits: u32| {
        open |= value << held;
        held += bits;
        while held >= 8 {
            out.push(open.to_le_bytes()[0]);
            (open, held) = (open >> 8, held - 8);
        }
    };
    let mut next = 0;
    for row in list {
        let distance = u64::from(row - next);
        (0..distance >> low).for_each(|_| put(0, 1));
        put(1, 1);
        put(distance & ((1 << low) - 1), low);
        next = row + 1;
    }
    put(0, 7);
}

/// Adds a list of `count` rows, which begins at the first of these bytes, to a set of rows out of `rows`.
pub(super) fn add(bytes: &[u8], count: u32, rows: u32, set: &mut Bits) {
    match form(count, rows) {
        Form::Distances => each(bytes, count, rows, |row| set.insert(row)),
        Form::Lacking if count >= rows => set.fill(),
        Form::Lacking => {
            let mut lacking = Bits::new(rows);
            each(bytes, rows - count, rows, |row| lacking.insert(row));
            set.unite_with_others_than(&lacking);
        }
        Form::Bits => set.unite_with_bytes(&bytes[..bytes.len().min((rows as usize).div_ceil(8))]),
    }
}

/// Tells each row of a list that is written as distances. Damaged bytes come to an end, too.
fn each(bytes: &[u8], count: u32, rows: u32, mut tell: impl FnMut(u32)) {
    let low = remainder_bits(count, rows);
    let mask = (1u64 << low) - 1;
    let (mut at, mut next) = (0usize, 0u64);
    for _ in 0..count {
        let mut distance = 0u64;
        // A look shows 57 bits at least.
        let mut look = look_at(bytes, at);
        while look == 0 {
            at += 56;
            distance += 56;
            if at / 8 >= bytes.len() {
                return;
            }
            look = look_at(bytes, at);
        }
        let zeros = look.trailing_zeros();
        at += zeros as usize + 1;
        let rest = if zeros + 1 + low <= 57 { look >> zeros >> 1 } else { look_at(bytes, at) };
        at += low as usize;
        let row = next.saturating_add((distance + u64::from(zeros)) << low | rest & mask);
        let Ok(row) = u32::try_from(row) else { return };
        tell(row);
        next = u64::from(row) + 1;
    }
}

/// The bits from a place on.
fn look_at(bytes: &[u8], at: usize) -> u64 {
    let byte = at / 8;
    let word = match bytes.get(byte..byte + 8) {
        Some(eight) => eight.try_into().map_or(0, u64::from_le_bytes),
        None => {
            let tail = bytes.get(byte..).unwrap_or_default();
            tail.iter().rev().fold(0, |word, byte| word << 8 | u64::from(*byte))
        }
    };
    word >> (at % 8)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    fn read(bytes: &[u8], count: u32, rows: u32) -> Vec<u32> {
        let mut set = Bits::new(rows);
        add(bytes, count, rows, &mut set);
        set.iter().collect()
    }

    fn back(list: &[u32], rows: u32) -> Vec<u32> {
        let mut bytes = vec![0xab; 3];
        put(list, rows, &mut bytes);
        // Another list follows.
        bytes.extend_from_slice(&[0xff; 9]);
        read(&bytes[3..], u32::try_from(list.len()).unwrap(), rows)
    }

    proptest! {
        #[test]
        fn lists_read_back(rows in 1..5000u32, picks in proptest::collection::vec(any::<u32>(), 0..4000), invert in any::<bool>()) {
            let picked: BTreeSet<u32> = picks.iter().map(|pick| pick % rows).collect();
            let list: Vec<u32> = (0..rows).filter(|row| picked.contains(row) != invert).collect();
            prop_assert_eq!(back(&list, rows), list);
        }

        #[test]
        fn damage_does_no_harm(bytes in proptest::collection::vec(any::<u8>(), 0..100), count in any::<u32>(), rows in 0..5000u32) {
            prop_assert!(read(&bytes, count.min(rows), rows).iter().all(|row| *row < rows));
        }
    }

    #[test]
    fn far_apart_and_side_by_side() {
        let rows = 40_000_000;
        for list in [&[][..], &[0], &[rows - 1], &[0, rows - 1], &[1, 2, 3, 4, 5, 30_000_000, 30_000_001]] {
            assert_eq!(back(list, rows), list);
        }
    }

    #[test]
    fn a_row_in_250_takes_less_than_ten_bits() {
        let list: Vec<u32> = (0..4000).map(|n: u32| n * 250 + n.wrapping_mul(2_654_435_761) % 250).collect();
        let mut bytes = Vec::new();
        put(&list, 1_000_000, &mut bytes);
        assert!(bytes.len() * 8 < list.len() * 10, "{}", bytes.len());
    }
}
