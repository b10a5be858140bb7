//! A session with its breakouts, and theirs: transitive, and cut where a cycle comes back to a session that is there already.

use super::basis::Basis;
use super::fold::Fold;
use super::making::Family;
use super::roster::Found;
use super::{Inner, Ledger, SessionAnswer};
use rollbook_core::fold::Resolved;
use rollbook_core::id::{App, Stream};
use rollbook_core::roster::{Part, Summary, summaries};
use rollbook_core::time::Timestamp;
use rollbook_store::{LinkKind, StoreError};
use std::collections::BTreeSet;
use std::sync::Arc;
use uuid::Uuid;

/// How deep breakouts are nested in an answer; what is deeper is shown at this depth, as no client walks a chain of thousands.
const DEEPEST: usize = 32;

/// One session of a family.
struct Member {
    stream: Stream,
    fold: Arc<Fold>,
    session: Uuid,
    /// The place of its parent among the members; the first has none.
    parent: Option<usize>,
    /// How many parents it has.
    depth: usize,
}

impl Ledger {
    /// A session, with its breakouts where asked for; none where the app knows no such session.
    ///
    /// # Errors
    /// Where the store can't read.
    pub async fn session(&self, app: &App, session: Uuid, breakouts: bool) -> Result<Option<SessionAnswer>, StoreError> {
        let Some(found) = self.0.find(app, session).await? else { return Ok(None) };
        let now = found.now;
        let Some(root) = summary(&found.fold, session, now) else { return Ok(None) };
        let mut members = vec![Member { stream: found.stream, fold: found.fold, session: root.id, parent: None, depth: 0 }];
        if breakouts {
            self.0.grow(app, &mut members, now, None, &mut Basis::default()).await?;
        }
        let mut answers: Vec<Option<SessionAnswer>> = members
            .iter()
            .map(|member| Some(SessionAnswer { summary: summary(&member.fold, member.session, now)?, breakouts: Vec::new() }))
            .collect();
        // A member comes after its parent: from the last to the first, each is whole when it is put into its parent.
        for ix in (1..members.len()).rev() {
            let mut parent = members[ix].parent;
            while let Some(above) = parent.filter(|above| members[*above].depth > DEEPEST) {
                parent = members[above].parent;
            }
            if let (Some(answer), Some(parent)) = (answers[ix].take(), parent)
                && let Some(parent) = &mut answers[parent]
            {
                parent.breakouts.push(answer);
                parent.breakouts.sort_by_key(|breakout| (breakout.summary.started_at, breakout.summary.id));
            }
        }
        Ok(answers.into_iter().next().flatten())
    }
}

/// The summary of the session that an id leads to.
pub(super) fn summary(fold: &Fold, session: Uuid, now: Timestamp) -> Option<Summary> {
    fold.lock().at(now, None, |facts, reading| match reading.resolve(facts, session)? {
        Resolved::Sitting(sitting) => Part { facts, reading, sitting }.summary(now),
        Resolved::Gone => Some(Summary::gone(facts.stream(), session, facts.yielded_at(session)?)),
    })
}

impl Inner {
    /// The session asked for and all its breakouts, as what a consolidated roster is made from.
    pub(super) async fn family(
        self: &Arc<Self>,
        app: &App,
        found: &Found,
        asked: Uuid,
        as_of: Option<Timestamp>,
    ) -> Result<Family, StoreError> {
        let now = found.now;
        let root = found.fold.lock().at(now, as_of, |facts, reading| match reading.resolve(facts, asked) {
            Some(Resolved::Sitting(sitting)) => Some(reading.sittings()[sitting].id),
            _ => None,
        });
        let mut basis = Basis::default();
        basis.add(found.fold.lock().vector());
        let mut members =
            vec![Member { stream: found.stream, fold: Arc::clone(&found.fold), session: root.unwrap_or(asked), parent: None, depth: 0 }];
        if root.is_some() {
            self.grow(app, &mut members, now, as_of, &mut basis).await?;
        }
        Ok(Family { members: members.into_iter().map(|member| (member.fold, Some(member.session))).collect(), basis })
    }

    /// Adds to a family every breakout of its members that is not there yet, noting what was read.
    async fn grow(
        self: &Arc<Self>,
        app: &App,
        members: &mut Vec<Member>,
        now: Timestamp,
        as_of: Option<Timestamp>,
        basis: &mut Basis,
    ) -> Result<(), StoreError> {
        let mut seen: BTreeSet<Uuid> = members.iter().map(|member| member.session).collect();
        let mut next = 0;
        while let Some(member) = members.get(next) {
            let (of, stream, fold, depth) = (member.session, member.stream, Arc::clone(&member.fold), member.depth);
            let mut streams = BTreeSet::new();
            for id in BTreeSet::from([of, stream.id]) {
                let found = self.store.linked(app, LinkKind::Child, id).await?;
                streams.extend(found.iter().copied());
                basis.children.push((id, found));
            }
            for child in streams {
                let (child_fold, _) = self.current(app, child).await?;
                basis.add(child_fold.lock().vector());
                let candidates = candidates(&child_fold, now, as_of);
                let mine = fold.lock().at(now, as_of, |facts, reading| {
                    let Some(Resolved::Sitting(sitting)) = reading.resolve(facts, of) else { return Vec::new() };
                    let parent = Part { facts, reading, sitting };
                    let is_mine = |c: &&Summary| c.parent.is_some_and(|named| parent.is_parent(named, c.started_at));
                    candidates.iter().filter(is_mine).map(|c| c.id).collect::<Vec<_>>()
                });
                let new = mine.into_iter().filter(|session| seen.insert(*session));
                let member =
                    |session| Member { stream: child, fold: Arc::clone(&child_fold), session, parent: Some(next), depth: depth + 1 };
                members.extend(new.map(member));
            }
            next += 1;
        }
        Ok(())
    }
}

/// The sessions of a stream at the time asked about, of which some may be breakouts.
fn candidates(fold: &Fold, now: Timestamp, as_of: Option<Timestamp>) -> Vec<Summary> {
    let mut state = fold.lock();
    match as_of {
        None => state.summaries(now).0,
        Some(asked) => state.at(now, as_of, |facts, reading| summaries(facts, reading, asked)).0,
    }
}
