//! What is held in memory: folds and rosters, within a budget, the least recently used going first.

use super::View;
use super::basis::Held;
use super::fold::Fold;
use super::searches;
use lru::LruCache;
use rollbook_core::id::{App, Stream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use uuid::Uuid;

/// What an entry weighs beside what it holds.
const OVERHEAD: u64 = 512;

/// Folds and rosters within a budget of bytes, about.
pub(super) struct Cache {
    entries: Mutex<Entries>,
    budget: u64,
}

struct Entries {
    by_use: LruCache<Key, Entry>,
    weight: u64,
    /// The store's, of all entries.
    epoch: u64,
}

impl Entries {
    /// Drops what is of an earlier epoch; returns whether an epoch is not over.
    fn is_of(&mut self, epoch: u64) -> bool {
        if self.epoch < epoch {
            *self = Self { by_use: LruCache::unbounded(), weight: 0, epoch };
        }
        self.epoch == epoch
    }
}

struct Entry {
    value: Value,
    /// Its part of the whole weight: what it weighed when it was last looked at.
    weight: u64,
}

#[derive(Clone, PartialEq, Eq, Hash)]
enum Key {
    Fold(Uuid, Stream),
    Roster(Uuid, Uuid, View),
}

#[derive(Clone)]
enum Value {
    Fold(Arc<Fold>),
    Roster(Arc<Held>),
}

impl Cache {
    pub(super) fn new(budget: u64) -> Self {
        Self { entries: Mutex::new(Entries { by_use: LruCache::unbounded(), weight: 0, epoch: 0 }), budget }
    }

    /// The fold of a stream. Where none is held of this epoch, an empty one: it catches up when it is read.
    pub(super) fn fold(&self, app: &App, stream: Stream, epoch: u64) -> Arc<Fold> {
        let key = Key::Fold(app.namespace(), stream);
        if let Some(fold) = self.held_fold(&key, epoch) {
            return fold;
        }
        let fold = Arc::new(Fold::new(app, stream, epoch));
        self.hold(key, Value::Fold(Arc::clone(&fold)), epoch);
        fold
    }

    /// A fold that is held. It grows, and is weighed whenever it is asked for.
    fn held_fold(&self, key: &Key, epoch: u64) -> Option<Arc<Fold>> {
        let mut entries = self.lock();
        let is_of = entries.is_of(epoch);
        let entry = entries.by_use.get_mut(key).filter(|_| is_of)?;
        let Value::Fold(fold) = &entry.value else { return None };
        let (fold, before) = (Arc::clone(fold), entry.weight);
        entry.weight = self.weight(&entry.value);
        let after = entry.weight;
        entries.weight = entries.weight - before + after;
        self.make_room(&mut entries);
        Some(fold)
    }

    pub(super) fn roster(&self, app: &App, session: Uuid, view: View, epoch: u64) -> Option<Arc<Held>> {
        match self.get(&Key::Roster(app.namespace(), session, view), epoch)? {
            Value::Roster(held) => Some(held),
            Value::Fold(_) => None,
        }
    }

    fn get(&self, key: &Key, epoch: u64) -> Option<Value> {
        let mut entries = self.lock();
        if entries.is_of(epoch) { entries.by_use.get(key).map(|entry| entry.value.clone()) } else { None }
    }

    pub(super) fn hold_roster(&self, app: &App, session: Uuid, view: View, held: Arc<Held>) {
        let epoch = held.epoch;
        self.hold(Key::Roster(app.namespace(), session, view), Value::Roster(held), epoch);
    }

    /// Whether a fold of a stream is held.
    pub(super) fn has_fold(&self, app: &App, stream: Stream) -> bool {
        self.lock().by_use.contains(&Key::Fold(app.namespace(), stream))
    }

    /// Drops a roster that something has changed since; not another that was made meanwhile.
    pub(super) fn drop_roster(&self, app: &App, session: Uuid, view: View, changed: &Arc<Held>) {
        let (mut entries, key) = (self.lock(), Key::Roster(app.namespace(), session, view));
        let is_it = |entry: &Entry| matches!(&entry.value, Value::Roster(held) if Arc::ptr_eq(held, changed));
        if entries.by_use.peek(&key).is_some_and(is_it)
            && let Some(entry) = entries.by_use.pop(&key)
        {
            entries.weight -= entry.weight;
        }
    }

    /// Drops a fold that nobody is expected to ask for soon.
    pub(super) fn drop_fold(&self, app: &App, stream: Stream) {
        let mut entries = self.lock();
        if let Some(entry) = entries.by_use.pop(&Key::Fold(app.namespace(), stream)) {
            entries.weight -= entry.weight;
        }
    }

    fn hold(&self, key: Key, value: Value, epoch: u64) {
        let weight = self.weight(&value);
        let mut entries = self.lock();
        if !entries.is_of(epoch) {
            return;
        }
        if let Some(entry) = entries.by_use.put(key, Entry { value, weight }) {
            entries.weight -= entry.weight;
        }
        entries.weight += weight;
        self.make_room(&mut entries);
    }

    fn make_room(&self, entries: &mut Entries) {
        while entries.weight > self.budget {
            let Some((_, entry)) = entries.by_use.pop_lru() else { return };
            entries.weight -= entry.weight;
        }
    }

    /// What a value counts. A session that is larger than the whole budget would else be folded anew for each question.
    fn weight(&self, value: &Value) -> u64 {
        value.weight().min(self.budget / 2)
    }

    fn lock(&self) -> MutexGuard<'_, Entries> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Value {
    fn weight(&self) -> u64 {
        OVERHEAD
            + match self {
                Self::Fold(fold) => fold.weight(),
                // A mapped roster costs address space; what of it is resident, the system takes back by itself.
                Self::Roster(held) => {
                    let rows = if held.mapped { 0 } else { held.roster.size() as u64 };
                    rows + searches::weight(held.roster.len())
                }
            }
    }
}
