//! What is held in memory: folds and rosters, within a budget, the least used going first.

use super::View;
use super::basis::Held;
use super::fold::Fold;
use quick_cache::Weighter;
use rollbook_core::id::{App, Stream};
use std::sync::Arc;
use uuid::Uuid;

/// Folds and rosters within a budget of bytes, about.
pub(super) struct Cache {
    held: quick_cache::sync::Cache<Key, Value, Weight>,
    /// What one fold counts at most: a session that is larger than the whole budget would else be folded anew for each question.
    heaviest: u64,
}

#[derive(Clone, PartialEq, Eq, Hash)]
enum Key {
    Fold(Uuid, Stream),
    Roster(Uuid, Uuid, View),
}

#[derive(Clone)]
enum Value {
    /// With its weight when it was last put here: a fold grows.
    Fold(Arc<Fold>, u64),
    Roster(Arc<Held>),
}

#[derive(Clone)]
struct Weight;

impl Weighter<Key, Value> for Weight {
    fn weight(&self, _: &Key, value: &Value) -> u64 {
        match value {
            Value::Fold(_, weight) => *weight,
            // A mapped roster costs address space; what of it is resident, the system takes back by itself.
            Value::Roster(held) => 512 + if held.mapped { 0 } else { held.roster.size() as u64 },
        }
    }
}

impl Cache {
    pub(super) fn new(bytes: u64) -> Self {
        let expected = usize::try_from(bytes / 65_536).unwrap_or(usize::MAX).clamp(64, 100_000);
        Self { held: quick_cache::sync::Cache::with_weighter(expected, bytes, Weight), heaviest: bytes / 4 }
    }

    /// The fold of a stream. Where none is held, an empty one: it catches up when it is read.
    pub(super) fn fold(&self, app: &App, stream: Stream) -> Arc<Fold> {
        let key = Key::Fold(app.namespace(), stream);
        match self.held.get(&key) {
            Some(Value::Fold(fold, weight)) => {
                let now = fold.weight().min(self.heaviest);
                if now > weight + weight / 4 {
                    self.held.insert(key, Value::Fold(Arc::clone(&fold), now));
                }
                fold
            }
            _ => {
                let fold = Arc::new(Fold::new(app, stream));
                self.held.insert(key, Value::Fold(Arc::clone(&fold), fold.weight().min(self.heaviest)));
                fold
            }
        }
    }

    pub(super) fn roster(&self, app: &App, session: Uuid, view: View) -> Option<Arc<Held>> {
        match self.held.get(&Key::Roster(app.namespace(), session, view)) {
            Some(Value::Roster(held)) => Some(held),
            _ => None,
        }
    }

    pub(super) fn hold_roster(&self, app: &App, session: Uuid, view: View, held: Arc<Held>) {
        self.held.insert(Key::Roster(app.namespace(), session, view), Value::Roster(held));
    }

    /// Drops a fold that nobody is expected to ask for soon.
    pub(super) fn drop_fold(&self, app: &App, stream: Stream) {
        self.held.remove(&Key::Fold(app.namespace(), stream));
    }
}
