//! Peers that something happened to, each once.

use super::facts::PeerIx;
use std::collections::BTreeSet;

/// Peers in the order in which they were first touched, with a bit for each so that it is known that they are here.
#[derive(Debug, Default)]
pub(super) struct Touched {
    peers: Vec<PeerIx>,
    bits: Vec<u64>,
}

impl Touched {
    pub(super) fn insert(&mut self, peer: PeerIx) {
        let (word, bit) = (peer as usize / 64, 1 << (peer % 64));
        if word >= self.bits.len() {
            self.bits.resize(word + 1, 0);
        }
        if self.bits[word] & bit == 0 {
            self.bits[word] |= bit;
            self.peers.push(peer);
        }
    }

    pub(super) fn len(&self) -> usize {
        self.peers.len()
    }

    /// Takes all of them out.
    pub(super) fn take(&mut self) -> BTreeSet<PeerIx> {
        self.peers.iter().for_each(|peer| self.bits[*peer as usize / 64] = 0);
        std::mem::take(&mut self.peers).into_iter().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn is_a_set(rounds in prop::collection::vec(prop::collection::vec(0u32..300, 0..200), 1..4)) {
            let mut touched = Touched::default();
            for peers in rounds {
                peers.iter().for_each(|peer| touched.insert(*peer));
                let model: BTreeSet<u32> = peers.into_iter().collect();
                prop_assert_eq!((touched.len(), touched.take()), (model.len(), model));
                prop_assert_eq!(touched.len(), 0);
            }
        }
    }
}
