//! Texts and numbers that the events of a stream tell, one after the other in one piece of memory.

use super::table::Table;
use foldhash::quality::RandomState;
use std::hash::BuildHasher;

/// What is written stays where it is, and is found by its place.
#[derive(Debug, Default)]
pub(crate) struct Heap(Vec<u8>);

impl Heap {
    /// Where the next byte will be.
    pub(super) fn end(&self) -> u64 {
        self.0.len() as u64
    }

    /// Bytes of memory.
    pub(super) fn size(&self) -> usize {
        self.0.capacity()
    }

    /// Takes back everything from a place on.
    pub(super) fn forget(&mut self, from: u64) {
        self.0.truncate(usize::try_from(from).unwrap_or(usize::MAX));
    }

    /// Seven bits a byte, the lowest first; the eighth bit says that more follow.
    pub(super) fn number(&mut self, mut number: u64) {
        if number < 0x80 {
            return self.bytes(&[number as u8]);
        }
        let (mut bytes, mut length) = ([0; 10], 0);
        loop {
            bytes[length] = (number & 0x7f) as u8 | if number > 0x7f { 0x80 } else { 0 };
            (number, length) = (number >> 7, length + 1);
            if number == 0 {
                return self.bytes(&bytes[..length]);
            }
        }
    }

    pub(super) fn text(&mut self, text: &str) {
        self.number(text.len() as u64);
        self.bytes(text.as_bytes());
    }

    pub(super) fn bytes(&mut self, bytes: &[u8]) {
        make_room(&mut self.0, bytes.len());
        self.0.extend_from_slice(bytes);
    }

    /// The place that a reader has come to.
    pub(super) fn place_of(&self, reader: &Reader<'_>) -> u64 {
        self.end() - reader.0.len() as u64
    }

    /// Reads from a place on.
    pub(super) fn at(&self, place: u64) -> Reader<'_> {
        Reader(usize::try_from(place).ok().and_then(|place| self.0.get(place..)).unwrap_or_default())
    }
}

/// Grows a list by an eighth instead of doubling it: a session of a million must not hold room for another.
pub(super) fn make_room<T>(list: &mut Vec<T>, more: usize) {
    if list.capacity() - list.len() < more {
        list.reserve_exact(more.max(list.len() / 8 + 4));
    }
}

/// Bytes of memory that are fetched together.
const CACHE_LINE: usize = 64;

/// What was written, in the order in which it was. Past the end there are zeros and empty texts.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    /// Looks at what is written next, as much as an event mostly takes.
    pub(super) fn look_ahead(self) -> u64 {
        let at = |place| self.0.get(place).copied().unwrap_or_default();
        (at(0) ^ at(CACHE_LINE) ^ at(2 * CACHE_LINE)).into()
    }

    #[inline]
    pub(super) fn number(&mut self) -> u64 {
        match self.0.split_first() {
            Some((byte @ ..0x80, rest)) => {
                self.0 = rest;
                (*byte).into()
            }
            _ => self.long_number(),
        }
    }

    fn long_number(&mut self) -> u64 {
        let (mut number, mut shift) = (0, 0);
        while let Some((byte, rest)) = self.0.split_first() {
            self.0 = rest;
            number |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 || shift == 63 {
                break;
            }
            shift += 7;
        }
        number
    }

    pub(super) fn bytes(&mut self, length: usize) -> &'a [u8] {
        let (bytes, rest) = self.0.split_at(length.min(self.0.len()));
        self.0 = rest;
        bytes
    }

    /// Whether all that is left of another is what is read here next.
    pub(super) fn begins_like(&self, other: Self) -> bool {
        self.0.starts_with(other.0)
    }

    /// A text's bytes, of which the order is the order of texts.
    pub(super) fn raw_text(&mut self) -> &'a [u8] {
        let length = usize::try_from(self.number()).unwrap_or(usize::MAX);
        self.bytes(length)
    }

    pub(super) fn text(&mut self) -> &'a str {
        std::str::from_utf8(self.raw_text()).unwrap_or_default()
    }
}

/// Of so many names each is looked at: that takes less than a hash.
const FEW: usize = 8;

/// Texts that are told again and again, each kept once and named by a number.
#[derive(Debug, Default)]
pub(crate) struct Names {
    /// Their places in the heap.
    places: Vec<u64>,
    by_text: Table,
    hasher: RandomState,
}

impl Names {
    /// The number of a text that was told before.
    pub(super) fn find(&self, heap: &Heap, text: &str) -> Option<u32> {
        let same = |ix: u32| heap.at(self.places[ix as usize]).raw_text() == text.as_bytes();
        if self.places.len() <= FEW {
            return (0..self.len()).find(|ix| same(*ix));
        }
        self.by_text.find(self.hasher.hash_one(text.as_bytes()), same)
    }

    /// The number of a text.
    pub(super) fn number(&mut self, heap: &mut Heap, text: &str) -> u32 {
        if let Some(known) = self.find(heap, text) {
            return known;
        }
        let new = u32::try_from(self.places.len()).unwrap_or(u32::MAX);
        self.places.push(heap.end());
        heap.text(text);
        let Self { places, by_text, hasher } = self;
        by_text.insert(hasher.hash_one(text.as_bytes()), new, |ix| hasher.hash_one(heap.at(places[ix as usize]).raw_text()));
        new
    }

    /// The text's place in the heap.
    pub(super) fn read<'a>(&self, heap: &'a Heap, number: u32) -> Reader<'a> {
        heap.at(self.places.get(number as usize).copied().unwrap_or(u64::MAX))
    }

    /// How many there are.
    pub(super) fn len(&self) -> u32 {
        u32::try_from(self.places.len()).unwrap_or(u32::MAX)
    }

    /// Bytes of memory beside the texts.
    pub(super) fn size(&self) -> usize {
        self.places.capacity() * 8 + self.by_text.size()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_was_written_is_read(all in prop::collection::vec((any::<u64>(), any::<String>()), 0..20)) {
            let mut heap = Heap::default();
            let places: Vec<u64> = all.iter().map(|(number, text)| {
                let place = heap.end();
                heap.number(*number);
                heap.text(text);
                place
            }).collect();
            for ((number, text), place) in all.iter().zip(places) {
                let mut reader = heap.at(place);
                prop_assert_eq!((reader.number(), reader.text()), (*number, text.as_str()));
            }
            prop_assert_eq!((heap.at(heap.end()).number(), heap.at(u64::MAX).text()), (0, ""));
        }
    }

    #[test]
    fn a_name_has_one_number() {
        let (mut heap, mut names) = (Heap::default(), Names::default());
        let texts: Vec<String> = (0..300).map(|n| format!("preset {n}")).collect();
        let numbers: Vec<u32> = texts.iter().map(|text| names.number(&mut heap, text)).collect();
        assert_eq!(numbers, (0..300).collect::<Vec<_>>());
        assert_eq!((names.number(&mut heap, "preset 7"), names.find(&heap, "preset 300"), names.len()), (7, None, 300));
        assert_eq!(names.read(&heap, 299).text(), "preset 299");
    }
}
