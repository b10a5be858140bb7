//! The look-ups that events add beside the journal.

use super::Inner;
use super::fold::Fold;
use super::judge::Given;
use rollbook_core::event::{Body, Event, Leaver, Place};
use rollbook_core::fold::ids_of;
use rollbook_core::id::{App, Parent, Stream, StreamKind};
use rollbook_store::{Link, LinkKind, StoreError};
use std::collections::{BTreeSet, HashMap};
use uuid::Uuid;

/// What a batch adds to the look-ups.
pub(super) struct Links {
    stream: Stream,
    links: Vec<Link>,
    /// The sessions that are named as parents.
    parents: BTreeSet<Uuid>,
}

/// The look-ups that a batch adds by itself; those of sources and peers that the fold knows stand already.
pub(super) fn links<'e>(app: &App, stream: Stream, events: impl Iterator<Item = &'e Given> + Clone, fold: &Fold) -> Links {
    let mut all = Links { stream, links: Vec::new(), parents: BTreeSet::new() };
    if stream.kind == StreamKind::Source {
        return all;
    }
    all.links = new_to(fold, app, stream, events.clone());
    let mut told: Option<&Place> = None;
    for place in events.filter_map(|given| given.event.place()) {
        if told.is_some_and(|before| std::ptr::eq(before, place)) {
            continue;
        }
        told = Some(place);
        let from = match &place.parent {
            Some(Parent::Session(name)) => app.session(name),
            Some(Parent::Meeting(name)) => app.meeting(name),
            None => continue,
        };
        all.links.push(Link { kind: LinkKind::Child, from, to: stream });
        if matches!(place.parent, Some(Parent::Session(_))) {
            all.parents.insert(from);
        }
    }
    all
}

/// The look-ups of sources and peers that a fold does not know, and those of the ids that events of a meeting yield.
fn new_to<'e>(fold: &Fold, app: &App, stream: Stream, events: impl Iterator<Item = &'e Given>) -> Vec<Link> {
    let known = fold.lock();
    let (mut links, mut ids) = (Vec::new(), Vec::new());
    let mut link = |kind, from| links.push(Link { kind, from, to: stream });
    let mut source = None;
    for given in events {
        let event = &given.event;
        if source.replace(&*event.source) != Some(&*event.source) && !known.facts.has_source(&event.source) {
            link(LinkKind::Source, app.source_stream(&event.source).id);
        }
        ids.clear();
        ids.extend(given.peer);
        others(app, stream, event, &mut ids);
        ids.iter().filter(|peer| known.facts.peer(**peer).is_none()).for_each(|peer| link(LinkKind::Peer, *peer));
        if stream.kind == StreamKind::Meeting {
            ids_of(app, stream, event).into_iter().for_each(|(id, _)| link(LinkKind::Derived, id));
        }
    }
    links
}

impl Links {
    fn derived(&self) -> impl Iterator<Item = Uuid> {
        self.links.iter().filter(|link| link.kind == LinkKind::Derived).map(|link| link.from)
    }

    fn add_child(&mut self, meeting: Stream, child: Stream) {
        self.links.push(Link { kind: LinkKind::Child, from: meeting.id, to: child });
    }

    /// Each once.
    pub(super) fn into_vec(mut self) -> Vec<Link> {
        self.links.sort_unstable();
        self.links.dedup();
        self.links
    }
}

/// A breakout may name its parent by any id that an unnamed session was ever served under, before or after the event that yields the id
/// is known, or in the same commit. In each case the breakout is found under the meeting, which keeps all those ids.
pub(super) async fn across(inner: &Inner, app: &App, commit: &mut [Links]) -> Result<(), StoreError> {
    let derived: HashMap<Uuid, Stream> = commit.iter().flat_map(|of_one| of_one.derived().map(|id| (id, of_one.stream))).collect();
    for of_one in commit {
        let stream = of_one.stream;
        for parent in std::mem::take(&mut of_one.parents) {
            let known = inner.store.linked(app, LinkKind::Derived, parent).await?;
            known.into_iter().chain(derived.get(&parent).copied()).for_each(|meeting| of_one.add_child(meeting, stream));
        }
        for id in of_one.derived().collect::<BTreeSet<_>>() {
            let known = inner.store.linked(app, LinkKind::Child, id).await?;
            known.into_iter().for_each(|child| of_one.add_child(stream, child));
        }
    }
    Ok(())
}

/// Adds the ids of the peers that an event may be about beside the one that it names. A leave by slot is perhaps a peer of its own: see rule
/// 4.7.
fn others(app: &App, stream: Stream, event: &Event, ids: &mut Vec<Uuid>) {
    match &event.body {
        Body::PeerLeft(_, Leaver::Slot(_), _) => ids.push(app.peer_by_key(stream.id, &app.stray_key(event))),
        Body::SessionRoster(_, roll) => ids.extend(roll.present.iter().map(|present| app.peer(stream.id, &present.peer.name))),
        _ => {}
    }
}
