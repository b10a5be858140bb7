//! What this process knows of the database without asking it: every app's number, and of what it touched where the streams end and how
//! many breakouts the sessions have.

use super::fresh::Fresh;
use super::recent::Recent;
use crate::contract::{Batch, Link, Seq};
use rollbook_core::id::{App, Stream};
use std::collections::HashMap;
use std::sync::{PoisonError, RwLock};
use uuid::Uuid;

/// An app's number in the database.
pub(super) type AppNo = i64;

/// The most heads and parents that are held: some 50 MiB. Past it all are forgotten and learnt anew as they are asked for.
const MOST_HEADS: usize = 1 << 19;

/// Apps and heads that one transaction adds.
#[derive(Default)]
pub(super) struct Changes {
    /// Apps that are new, with their numbers.
    pub(super) apps: HashMap<App, AppNo>,
    /// Streams that were appended to, with their new last sequence numbers.
    pub(super) heads: HashMap<(AppNo, Stream), Seq>,
    /// Ids that lead to more streams as parents, with to how many.
    pub(super) children: HashMap<(AppNo, Uuid), u64>,
    /// Look-ups that are in no run yet.
    pub(super) fresh: Vec<(AppNo, Link)>,
    /// What was appended.
    pub(super) batches: Vec<(AppNo, Batch)>,
}

impl Changes {
    pub(super) fn absorb(&mut self, later: Self) {
        self.apps.extend(later.apps);
        self.heads.extend(later.heads);
        self.children.extend(later.children);
        self.fresh.extend(later.fresh);
        self.batches.extend(later.batches);
    }
}

/// Shared by the writer, which publishes what is committed before it acknowledges it, and by readers.
pub(super) struct Known {
    state: RwLock<State>,
    pub(super) fresh: Fresh,
}

struct State {
    apps: HashMap<App, AppNo>,
    heads: HashMap<(AppNo, Stream), Seq>,
    children: HashMap<(AppNo, Uuid), u64>,
    recent: Recent,
    forgotten: u64,
}

/// How often heads were forgotten; what a reader learnt across such a moment may be older than what was forgotten.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Era(u64);

impl Known {
    /// With all the apps that the database has: an app that is not here has no data.
    pub(super) fn new(apps: HashMap<App, AppNo>, fresh: Fresh) -> Self {
        let state = State { apps, heads: HashMap::new(), children: HashMap::new(), recent: Recent::default(), forgotten: 0 };
        Self { state: RwLock::new(state), fresh }
    }

    pub(super) fn app(&self, app: &App) -> Option<AppNo> {
        self.read(|state| state.apps.get(app).copied())
    }

    pub(super) fn head(&self, app: AppNo, stream: Stream) -> Option<Seq> {
        self.read(|state| state.heads.get(&(app, stream)).copied())
    }

    /// The batches of some streams after what the reader knows of each, where they are certain to be all that there are. Else what to hand
    /// to [`Known::learn`] with heads that are read from now on.
    pub(super) fn after(&self, app: AppNo, known: &[(Stream, Seq)]) -> Result<Vec<Batch>, Era> {
        self.read(|state| {
            let mut missing = Vec::new();
            for &(stream, seq) in known {
                let unknown = || Era(state.forgotten);
                let head = *state.heads.get(&(app, stream)).ok_or_else(unknown)?;
                if head > seq {
                    missing.extend(state.recent.between(app, stream, seq, head).ok_or_else(unknown)?.cloned());
                }
            }
            Ok(missing)
        })
    }

    /// Whether nothing came to streams and to look-ups of parents, of which a reader knows so much; where that is not certain, as
    /// [`Known::after`].
    pub(super) fn unchanged(&self, app: AppNo, known: &[(Stream, Seq)], children: &[(Uuid, u64)]) -> Result<bool, Era> {
        self.read(|state| {
            let heads = known.iter().map(|(stream, seq)| state.heads.get(&(app, *stream)).map(|head| head <= seq));
            let lengths = children.iter().map(|(parent, many)| state.children.get(&(app, *parent)).map(|now| now == many));
            let mut certain = true;
            for same in heads.chain(lengths) {
                match same {
                    Some(false) => return Ok(false),
                    Some(true) => {}
                    None => certain = false,
                }
            }
            if certain { Ok(true) } else { Err(Era(state.forgotten)) }
        })
    }

    /// Takes over what a transaction committed.
    pub(super) fn publish(&self, changes: Changes) {
        self.fresh.publish(changes.fresh);
        self.write(|state| {
            state.apps.extend(changes.apps);
            state.make_room();
            state.heads.extend(changes.heads);
            state.children.extend(changes.children);
            changes.batches.into_iter().for_each(|(app, batch)| state.recent.add(app, batch));
        });
    }

    /// Takes over what a reader found. Its snapshot may be older than what the writer published since: the greater one is right.
    pub(super) fn learn(
        &self,
        era: Era,
        app: AppNo,
        heads: impl IntoIterator<Item = (Stream, Seq)>,
        children: impl IntoIterator<Item = (Uuid, u64)>,
    ) {
        self.write(|state| {
            if era != Era(state.forgotten) {
                return;
            }
            state.make_room();
            for (stream, seq) in heads {
                let head = state.heads.entry((app, stream)).or_default();
                *head = seq.max(*head);
            }
            for (parent, many) in children {
                let known = state.children.entry((app, parent)).or_default();
                *known = many.max(*known);
            }
        });
    }

    fn read<T>(&self, look: impl FnOnce(&State) -> T) -> T {
        look(&self.state.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn write<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        change(&mut self.state.write().unwrap_or_else(PoisonError::into_inner))
    }
}

impl State {
    fn make_room(&mut self) {
        if self.heads.len() + self.children.len() >= MOST_HEADS {
            self.heads.clear();
            self.children.clear();
            self.forgotten += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STREAM: Stream = Stream { kind: rollbook_core::id::StreamKind::Session, id: Uuid::from_u128(7) };

    fn published(seq: Seq) -> Changes {
        Changes { heads: HashMap::from([((1, STREAM), seq)]), ..Changes::default() }
    }

    #[test]
    fn a_stale_head_never_replaces_a_newer_one() {
        let known = Known::new(HashMap::new(), Fresh::default());
        let era = known.after(1, &[(STREAM, 5)]).err().unwrap();
        known.publish(published(6));
        known.learn(era, 1, [(STREAM, 5)], []);
        assert_eq!(known.head(1, STREAM), Some(6));
    }

    #[test]
    fn a_head_read_before_forgetting_is_not_learnt() {
        let known = Known::new(HashMap::new(), Fresh::default());
        let era = known.after(1, &[(STREAM, 5)]).err().unwrap();
        known.publish(published(6));
        let others = (0..MOST_HEADS as u128).map(|n| (Stream::meeting(Uuid::from_u128(n)), 1));
        known.learn(era, 1, others, []);
        known.publish(Changes::default());
        known.learn(era, 1, [(STREAM, 5)], []);
        assert_eq!(known.head(1, STREAM), None);
    }

    #[test]
    fn a_stale_length_never_replaces_a_greater_one() {
        let (known, parent) = (Known::new(HashMap::new(), Fresh::default()), Uuid::from_u128(8));
        let grown = Changes { children: HashMap::from([((1, parent), 3)]), ..published(1) };
        let era = known.unchanged(1, &[(STREAM, 0)], &[(parent, 2)]).err().unwrap();
        known.publish(grown);
        known.learn(era, 1, [], [(parent, 2)]);
        let same = |seq, many| known.unchanged(1, &[(STREAM, seq)], &[(parent, many)]).ok();
        assert_eq!((same(1, 3), same(1, 2), same(0, 3), same(2, 3)), (Some(true), Some(false), Some(false), Some(true)));
        let other = Uuid::from_u128(9);
        assert_eq!(known.unchanged(1, &[(STREAM, 1)], &[(other, 0)]).ok(), None, "of that nothing is known");
        assert_eq!(known.unchanged(1, &[(STREAM, 0)], &[(other, 0)]).ok(), Some(false), "one change is enough");
    }
}
