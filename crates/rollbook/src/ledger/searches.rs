//! What searches of one roster found: for more pages of them, and for the same again.

use bytes::Bytes;
use lru::LruCache;
use rollbook_core::roster::{Hits, Search, Snapshot};
use std::sync::{Arc, Mutex, PoisonError};

/// Of rosters of fewer rows nothing is kept: all of them are looked at in some tenths of a millisecond.
const KEPT_FROM: u32 = 4_096;
/// How many searches are kept, those that were asked for last.
const KEPT: usize = 8;

/// What the last searches of a roster found.
#[derive(Debug)]
pub(super) struct Searches(Mutex<LruCache<Box<str>, Arc<Hits>>>);

impl Default for Searches {
    fn default() -> Self {
        Self(Mutex::new(LruCache::unbounded()))
    }
}

impl Searches {
    /// What a search finds, kept or found now.
    pub(super) fn hits(&self, roster: &Snapshot<Bytes>, search: &Search) -> Arc<Hits> {
        if let Some(kept) = self.kept(search) {
            return kept;
        }
        let hits = Arc::new(roster.search(search));
        if roster.len() >= KEPT_FROM {
            let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            all.put(search.text().into(), Arc::clone(&hits));
            if all.len() > KEPT {
                all.pop_lru();
            }
        }
        hits
    }

    /// What is kept of a search.
    pub(super) fn kept(&self, search: &Search) -> Option<Arc<Hits>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(search.text()).cloned()
    }
}

/// How many bytes the searches of a roster take at most, about: two bits a row each.
pub(super) fn weight(rows: u32) -> u64 {
    if rows < KEPT_FROM { 0 } else { u64::from(rows) / 4 * KEPT as u64 }
}
