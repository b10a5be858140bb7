//! Sets of rows, a bit a row.

/// How many words lie between two counts.
const STRIDE: usize = 16;

/// A set of the rows of one roster, or of the places of one of its orders.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Bits {
    words: Vec<u64>,
    len: u32,
}

impl Bits {
    /// None of so many rows.
    pub(crate) fn new(len: u32) -> Self {
        Self { words: vec![0; (len as usize).div_ceil(64)], len }
    }

    /// Adds a row; one past the end is none.
    pub(crate) fn insert(&mut self, row: u32) {
        if row < self.len {
            self.words[row as usize / 64] |= 1 << (row % 64);
        }
    }

    pub(crate) fn contains(&self, row: u32) -> bool {
        self.words.get(row as usize / 64).is_some_and(|word| word >> (row % 64) & 1 == 1)
    }

    pub(crate) fn count(&self) -> u32 {
        self.words.iter().map(|word| word.count_ones()).sum()
    }

    /// Adds all rows.
    pub(crate) fn fill(&mut self) {
        self.words.fill(u64::MAX);
        self.cut();
    }

    /// Adds the rows that a set does not have.
    pub(crate) fn unite_with_others_than(&mut self, other: &Self) {
        self.words.iter_mut().zip(&other.words).for_each(|(word, other)| *word |= !other);
        self.cut();
    }

    /// Adds the rows of a set as bytes, the lowest bit first.
    pub(crate) fn unite_with_bytes(&mut self, bytes: &[u8]) {
        for (word, bytes) in self.words.iter_mut().zip(bytes.chunks(8)) {
            let mut of_word = [0; 8];
            of_word[..bytes.len()].copy_from_slice(bytes);
            *word |= u64::from_le_bytes(of_word);
        }
        self.cut();
    }

    /// Keeps the rows that a set has, too.
    pub(crate) fn intersect(&mut self, other: &Self) {
        self.words.iter_mut().zip(&other.words).for_each(|(word, other)| *word &= other);
    }

    /// The rows, ascending.
    pub(crate) fn iter(&self) -> impl Iterator<Item = u32> {
        self.words_from(0)
    }

    fn words_from(&self, word: usize) -> impl Iterator<Item = u32> {
        (0u32..).zip(&self.words).skip(word).flat_map(|(ix, word)| {
            let mut rest = *word;
            std::iter::from_fn(move || {
                let bit = (rest != 0).then(|| rest.trailing_zeros())?;
                rest &= rest - 1;
                Some(ix * 64 + bit)
            })
        })
    }

    /// Takes away what lies past the last row.
    fn cut(&mut self) {
        if let (Some(last), rest @ 1..) = (self.words.last_mut(), self.len % 64) {
            *last &= (1 << rest) - 1;
        }
    }
}

/// A set that knows the rows' places in it.
#[derive(Clone, Debug)]
pub(crate) struct Counted {
    bits: Bits,
    /// How many rows lie before each stretch of words.
    before: Vec<u32>,
    count: u32,
}

impl Counted {
    pub(crate) fn new(bits: Bits) -> Self {
        let mut count = 0;
        let stretch = |words: &[u64]| {
            let before = count;
            count += words.iter().map(|word| word.count_ones()).sum::<u32>();
            before
        };
        let before = bits.words.chunks(STRIDE).map(stretch).collect();
        Self { bits, before, count }
    }

    pub(crate) fn len(&self) -> u32 {
        self.count
    }

    pub(crate) fn contains(&self, row: u32) -> bool {
        self.bits.contains(row)
    }

    /// The rows from the `place`-th on, counted from 0, ascending.
    pub(crate) fn from(&self, place: u32) -> impl Iterator<Item = u32> {
        let stretch = self.before.partition_point(|before| *before <= place).saturating_sub(1);
        let skip = place - self.before.get(stretch).copied().unwrap_or(place);
        self.bits.words_from(stretch * STRIDE).skip(skip as usize)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    proptest! {
        #[test]
        fn it_is_a_set(len in 0..3000u32, dense in any::<bool>(), rows in proptest::collection::vec(any::<u32>(), 0..2000), place in 0..2100u32) {
            let rows: BTreeSet<u32> = rows.iter().map(|row| if dense { row % 4096 } else { row % 65_536 }).collect();
            let mut bits = Bits::new(len);
            rows.iter().for_each(|row| bits.insert(*row));
            let within: Vec<u32> = rows.range(..len).copied().collect();
            prop_assert_eq!(&bits.iter().collect::<Vec<_>>(), &within);
            prop_assert!(rows.iter().all(|row| bits.contains(*row) == (*row < len)));
            prop_assert_eq!(bits.count() as usize, within.len());
            let mut all = Bits::new(len);
            all.fill();
            prop_assert_eq!(all.count(), len);
            let mut rest = Bits::new(len);
            rest.unite_with_others_than(&bits);
            prop_assert_eq!(rest.count() + bits.count(), len);
            rest.intersect(&bits);
            prop_assert_eq!(rest.count(), 0);
            let counted = Counted::new(bits);
            prop_assert_eq!(counted.len() as usize, within.len());
            prop_assert_eq!(counted.from(place).collect::<Vec<_>>(), within.into_iter().skip(place as usize).collect::<Vec<_>>());
        }
    }
}
