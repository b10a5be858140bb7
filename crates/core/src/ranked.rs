//! A sorted list in blocks: insert, remove, rank and select in well under a microsecond at a million items.

use std::cmp::Ordering;

/// How many items a block holds before it is split.
const BLOCK: usize = 512;

/// What a list holds.
pub(crate) trait Item<K>: Copy {
    /// How its key compares with another, by what it tells of its key itself; equal where that does not decide. The key proper may lie far away.
    fn compare(self, _key: &K) -> Ordering {
        Ordering::Equal
    }
}

/// A peer, or whatever a number stands for, with another number that orders it; packed, as there is one for everybody.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct Keyed {
    high: i32,
    low: u32,
    pub(crate) of: u32,
}

impl Keyed {
    pub(crate) fn new(key: i64, of: u32) -> Self {
        Self { high: (key >> 32) as i32, low: key as u32, of }
    }

    pub(crate) fn key(self) -> i64 {
        i64::from(self.high) << 32 | i64::from(self.low)
    }
}

/// By the key, then by what it is of.
impl Item<Self> for Keyed {}

/// By the key, then by what is to be looked for elsewhere.
impl<R> Item<(i64, R)> for Keyed {
    fn compare(self, (key, _): &(i64, R)) -> Ordering {
        self.key().cmp(key)
    }
}

/// Items in ascending order of their keys, each once, reachable by their place.
///
/// An item may be but a number that stands for its key: each call is told how to find the key of an item, which must not change while the
/// item is in the list.
#[derive(Clone, Debug)]
pub(crate) struct Ranked<T, K = T> {
    blocks: Vec<Block<T, K>>,
    /// For each block, how many items lie before it.
    before: Vec<u32>,
}

/// Some neighbours; never none.
#[derive(Clone, Debug)]
struct Block<T, K> {
    /// The key of the last item, so that the way to a block leads over no other item.
    last: K,
    items: Vec<T>,
}

impl<T, K> Default for Ranked<T, K> {
    fn default() -> Self {
        Self { blocks: Vec::new(), before: Vec::new() }
    }
}

impl<T: Item<K>, K: Ord + Copy> Ranked<T, K> {
    /// From items in ascending order, each once.
    pub(crate) fn from_sorted(items: &[T], key: impl Fn(T) -> K) -> Self {
        let block = |items: &[T]| Some(Block { last: key(*items.last()?), items: items.to_vec() });
        let mut ranked = Self { blocks: items.chunks(BLOCK).filter_map(block).collect(), before: Vec::new() };
        ranked.count(0);
        ranked
    }

    pub(crate) fn len(&self) -> usize {
        self.before.last().zip(self.blocks.last()).map_or(0, |(before, block)| *before as usize + block.items.len())
    }

    /// Bytes of memory, about: blocks are three quarters full.
    pub(crate) fn size(&self) -> usize {
        self.len() * size_of::<T>() * 4 / 3 + self.blocks.capacity() * size_of::<Block<T, K>>()
    }

    pub(crate) fn insert(&mut self, item: T, key_of: impl Fn(T) -> K) {
        let key = key_of(item);
        let mut at = self.block(&key);
        if at == self.blocks.len() {
            // Behind the last item: most come in order, and fill block after block.
            match self.blocks.last() {
                Some(last) if last.items.len() < BLOCK => at -= 1,
                _ => {
                    self.before.push(u32::try_from(self.len()).unwrap_or(u32::MAX));
                    return self.blocks.push(Block { last: key, items: vec![item] });
                }
            }
        }
        if self.blocks[at].items.len() >= BLOCK && at == 0 && self.blocks[0].items.first().is_some_and(|first| key < key_of(*first)) {
            // Before the first item, likewise.
            self.blocks.insert(0, Block { last: key, items: vec![item] });
            self.before.iter_mut().for_each(|before| *before += 1);
            return self.before.insert(0, 0);
        }
        if self.blocks[at].items.len() >= BLOCK {
            let rest = self.blocks[at].items.split_off(BLOCK / 2);
            let Block { last, items } = &mut self.blocks[at];
            items.shrink_to_fit();
            let of_rest = std::mem::replace(last, items.last().map_or(key, |item| key_of(*item)));
            self.blocks.insert(at + 1, Block { last: of_rest, items: rest });
            self.count(at);
            at += usize::from(self.blocks[at].last < key);
        }
        let Block { last, items } = &mut self.blocks[at];
        // Behind the last item no other is looked at.
        let place = if *last < key { Err(items.len()) } else { place(items, &key, &key_of) };
        if let Err(place) = place {
            if items.capacity() == items.len() {
                items.reserve_exact(items.len() / 8 + 4);
            }
            items.insert(place, item);
            *last = (*last).max(key);
            self.before[at + 1..].iter_mut().for_each(|before| *before += 1);
        }
    }

    pub(crate) fn remove(&mut self, key: &K, key_of: impl Fn(T) -> K) {
        let at = self.block(key);
        let Some(Block { last, items }) = self.blocks.get_mut(at) else { return };
        if let Ok(place) = place(items, key, &key_of) {
            items.remove(place);
            self.before[at + 1..].iter_mut().for_each(|before| *before -= 1);
            match items.last() {
                Some(item) if place == items.len() => *last = key_of(*item),
                Some(_) => {}
                None => {
                    self.blocks.remove(at);
                    self.before.remove(at);
                }
            }
        }
    }

    /// The item at a place.
    pub(crate) fn get(&self, place: usize) -> Option<T> {
        let block = self.before.partition_point(|before| *before as usize <= place).checked_sub(1)?;
        self.blocks[block].items.get(place - self.before[block] as usize).copied()
    }

    /// Keys between which the key of the item at a place lies: not above the second, and not below the first, if there is one. No item is looked at.
    pub(crate) fn bounds(&self, place: usize) -> Option<(Option<K>, K)> {
        let block = self.before.partition_point(|before| *before as usize <= place).checked_sub(1)?;
        let last = |block: usize| self.blocks.get(block).map(|block| block.last);
        Some((block.checked_sub(1).and_then(last), last(block)?))
    }

    /// The items from a place on.
    pub(crate) fn from(&self, place: usize) -> impl Iterator<Item = T> {
        let block = self.before.partition_point(|before| *before as usize <= place).saturating_sub(1);
        let skip = place - self.before.get(block).map_or(place, |before| *before as usize);
        self.blocks.get(block..).unwrap_or_default().iter().flat_map(|block| &block.items).skip(skip).copied()
    }

    /// So many items from a place on, or all that there are.
    pub(crate) fn slice(&self, place: usize, count: usize) -> Vec<T> {
        let block = self.before.partition_point(|before| *before as usize <= place).saturating_sub(1);
        let mut skip = place - self.before.get(block).map_or(place, |before| *before as usize);
        let mut slice = Vec::with_capacity(count.min(self.len()));
        for Block { items, .. } in self.blocks.get(block..).unwrap_or_default() {
            let items = items.get(skip..).unwrap_or_default();
            slice.extend_from_slice(items.get(..count - slice.len()).unwrap_or(items));
            skip = 0;
            if slice.len() == count {
                break;
            }
        }
        slice
    }

    /// How many items have lesser keys.
    pub(crate) fn rank(&self, key: &K, key_of: impl Fn(T) -> K) -> usize {
        let at = self.block(key);
        let Some(block) = self.blocks.get(at) else { return self.len() };
        self.before[at] as usize + place(&block.items, key, key_of).unwrap_or_else(|place| place)
    }

    /// The first block that does not lie before a key as a whole.
    fn block(&self, key: &K) -> usize {
        self.blocks.partition_point(|block| block.last < *key)
    }

    /// Counts anew what lies before the blocks from one on.
    fn count(&mut self, from: usize) {
        self.before.truncate(from);
        let mut before = from.checked_sub(1).map_or(0, |ix| self.before[ix] as usize + self.blocks[ix].items.len());
        for block in &self.blocks[from.min(self.blocks.len())..] {
            self.before.push(u32::try_from(before).unwrap_or(u32::MAX));
            before += block.items.len();
        }
    }
}

/// Where in a block an item with the key is, or would be.
fn place<T: Item<K>, K: Ord>(items: &[T], key: &K, key_of: impl Fn(T) -> K) -> Result<usize, usize> {
    items.binary_search_by(|item| item.compare(key).then_with(|| key_of(*item).cmp(key)))
}

/// Lists of the same items are equal, however they are cut into blocks.
impl<T: Item<K> + PartialEq, K: Ord + Copy> PartialEq for Ranked<T, K> {
    fn eq(&self, other: &Self) -> bool {
        self.from(0).eq(other.from(0))
    }
}

impl<T: Item<K> + Eq, K: Ord + Copy> Eq for Ranked<T, K> {}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    /// An item is what its key is not: only the function between them can order the list. Some tell a part of their keys.
    impl Item<u32> for u32 {
        fn compare(self, key: &u32) -> Ordering {
            if self.is_multiple_of(3) { ((u32::MAX - self) / 64).cmp(&(key / 64)) } else { Ordering::Equal }
        }
    }

    proptest! {
        #[test]
        fn is_a_sorted_set(start in 0u32..2000, steps in prop::collection::vec((any::<bool>(), 0u32..3000), 0..600), later in 0u32..1500) {
            let mut model: BTreeSet<u32> = (300..300 + start).collect();
            let key = |item: u32| u32::MAX - item;
            let mut ranked = Ranked::from_sorted(&model.iter().map(|n| key(*n)).collect::<Vec<_>>(), key);
            for (insert, n) in steps.into_iter().chain((0..later).map(|n| (true, 2500 + n))) {
                if insert {
                    ranked.insert(key(n), key);
                    model.insert(n);
                } else {
                    ranked.remove(&n, key);
                    model.remove(&n);
                }
            }
            let keys: Vec<u32> = model.into_iter().collect();
            prop_assert_eq!(ranked.len(), keys.len());
            for place in (0..=keys.len()).step_by(37).chain([keys.len() + 1]) {
                prop_assert_eq!(ranked.get(place).map(key), keys.get(place).copied());
                if let Some(of_place) = keys.get(place) {
                    let (low, high) = ranked.bounds(place).unwrap();
                    prop_assert!(low.is_none_or(|low| low <= *of_place) && *of_place <= high);
                }
                prop_assert_eq!(ranked.from(place).map(key).collect::<Vec<_>>(), keys.get(place..).unwrap_or_default());
                for count in [0, 1, 25, 700, 4000] {
                    let expected: Vec<u32> = keys.iter().skip(place).take(count).copied().collect();
                    prop_assert_eq!(ranked.slice(place, count).into_iter().map(key).collect::<Vec<_>>(), expected);
                }
            }
            for n in (0..4100).step_by(53) {
                prop_assert_eq!(ranked.rank(&n, key), keys.partition_point(|known| *known < n));
            }
            prop_assert_eq!(&Ranked::from_sorted(&keys.iter().map(|n| key(*n)).collect::<Vec<_>>(), key), &ranked);
        }
    }
}
