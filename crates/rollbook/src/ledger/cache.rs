//! What is held in memory: folds and rosters, within a budget, the least used going first.

use super::View;
use super::basis::Held;
use super::fold::Fold;
use quick_cache::Weighter;
use rollbook_core::id::{App, Stream};
use std::sync::Arc;
use uuid::Uuid;

/// Folds and rosters within a budget of bytes, about.
pub(super) struct Cache(quick_cache::sync::Cache<Key, Value, Weight>);

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
        Self(quick_cache::sync::Cache::with_weighter(expected, bytes, Weight))
    }

    /// The fold of a stream. Where none is held, an empty one: it catches up when it is read.
    pub(super) fn fold(&self, app: &App, stream: Stream) -> Arc<Fold> {
        let key = Key::Fold(app.namespace(), stream);
        match self.0.get(&key) {
            Some(Value::Fold(fold, weight)) => {
                let now = fold.weight();
                if now > weight + weight / 4 {
                    self.0.insert(key, Value::Fold(Arc::clone(&fold), now));
                }
                fold
            }
            _ => {
                let fold = Arc::new(Fold::new(app, stream));
                self.0.insert(key, Value::Fold(Arc::clone(&fold), fold.weight()));
                fold
            }
        }
    }

    pub(super) fn roster(&self, app: &App, session: Uuid, view: View) -> Option<Arc<Held>> {
        match self.0.get(&Key::Roster(app.namespace(), session, view)) {
            Some(Value::Roster(held)) => Some(held),
            _ => None,
        }
    }

    pub(super) fn hold_roster(&self, app: &App, session: Uuid, view: View, held: Arc<Held>) {
        self.0.insert(Key::Roster(app.namespace(), session, view), Value::Roster(held));
    }

    /// Drops a fold that nobody is expected to ask for soon.
    pub(super) fn drop_fold(&self, app: &App, stream: Stream) {
        self.0.remove(&Key::Fold(app.namespace(), stream));
    }
}
