//! Peers that something happened to.

use super::facts::PeerIx;
use std::collections::BTreeSet;

/// How many are noted before it is looked for those that are noted twice.
const FEW: usize = 1024;

/// Peers as they were touched, some of them twice: to note one takes no look at the others, and nothing is held once they are taken.
#[derive(Debug, Default)]
pub(super) struct Touched {
    peers: Vec<PeerIx>,
    /// How many of them, from the first on, are there once.
    once: usize,
}

impl Touched {
    pub(super) fn insert(&mut self, peer: PeerIx) {
        if self.peers.last() == Some(&peer) {
            return;
        }
        if self.peers.len() >= 2 * self.once + FEW {
            self.peers.sort_unstable();
            self.peers.dedup();
            self.once = self.peers.len();
        }
        self.peers.push(peer);
    }

    /// How many there are, about: less than two for each and a few.
    pub(super) fn len(&self) -> usize {
        self.peers.len()
    }

    /// Takes all of them out.
    pub(super) fn take(&mut self) -> BTreeSet<PeerIx> {
        std::mem::take(self).peers.into_iter().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn is_a_set(rounds in prop::collection::vec(prop::collection::vec(0u32..300, 0..4 * FEW), 1..4)) {
            let mut touched = Touched::default();
            for peers in rounds {
                peers.iter().for_each(|peer| touched.insert(*peer));
                let model: BTreeSet<u32> = peers.into_iter().collect();
                prop_assert!((model.len()..=2 * model.len() + FEW).contains(&touched.len()));
                prop_assert_eq!(touched.take(), model);
                prop_assert_eq!(touched.len(), 0);
            }
        }
    }
}
