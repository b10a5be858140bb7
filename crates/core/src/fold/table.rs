//! A hash table of numbers, each standing for something that it is found by, which never grows all at once.

use hashbrown::HashTable;

/// How many numbers are held in one table. More are spread over [`PARTS`] of them: to make a table larger, the hash of all that it holds
/// is needed again, and of a million it would take a third of a second.
const TOGETHER: usize = 8 << 10;
const PARTS: usize = 256;

/// Numbers by the hash of what they stand for; the caller knows that, and tells it where it is needed.
#[derive(Debug, Default)]
pub(super) struct Table {
    parts: Vec<HashTable<u32>>,
    held: usize,
}

impl Table {
    /// How many numbers it holds.
    pub(super) fn len(&self) -> usize {
        self.held
    }

    /// The number with this hash for which `is` says so.
    pub(super) fn find(&self, hash: u64, mut is: impl FnMut(u32) -> bool) -> Option<u32> {
        self.parts.get(self.part(hash))?.find(hash, |number| is(*number)).copied()
    }

    /// Adds a number that is not there yet, with its hash; those of others are asked for where they have to move.
    pub(super) fn insert(&mut self, hash: u64, number: u32, hash_of: impl Fn(u32) -> u64) {
        if self.parts.is_empty() {
            self.parts.push(HashTable::new());
        } else if self.held == TOGETHER {
            let together = std::mem::replace(&mut self.parts, vec![HashTable::new(); PARTS]);
            for number in together.into_iter().flatten() {
                self.put(hash_of(number), number, &hash_of);
            }
        }
        self.put(hash, number, &hash_of);
        self.held += 1;
    }

    fn put(&mut self, hash: u64, number: u32, hash_of: impl Fn(u32) -> u64) {
        let part = self.part(hash);
        if let Some(part) = self.parts.get_mut(part) {
            part.insert_unique(hash, number, |number| hash_of(*number));
        }
    }

    /// A table itself goes by the lowest and the highest bits.
    fn part(&self, hash: u64) -> usize {
        if self.parts.len() == 1 { 0 } else { (hash >> 40) as usize % PARTS }
    }

    /// Bytes of memory, about: all parts are as large as the first.
    pub(super) fn size(&self) -> usize {
        let part = self.parts.first().map_or(0, HashTable::allocation_size);
        self.parts.len() * (part + size_of::<HashTable<u32>>())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_is_found() {
        let hash_of = |number: u32| u64::from(number).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let mut table = Table::default();
        assert_eq!(table.find(hash_of(7), |_| true), None);
        for number in 0..3 * TOGETHER as u32 {
            table.insert(hash_of(number), number, hash_of);
            assert_eq!(table.len(), number as usize + 1);
        }
        for number in 0..4 * TOGETHER as u32 {
            let found = table.find(hash_of(number), |known| known == number);
            assert_eq!(found, (number < 3 * TOGETHER as u32).then_some(number));
        }
    }
}
