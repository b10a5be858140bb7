//! The look-ups that events add beside the journal.

use super::Inner;
use super::fold::Fold;
use rollbook_core::event::{Body, Event, Leaver, Place};
use rollbook_core::fold::ids_of;
use rollbook_core::id::{App, Parent, Stream, StreamKind};
use rollbook_store::{Link, LinkKind, StoreError};
use std::collections::BTreeSet;
use uuid::Uuid;

/// The look-ups of a batch, each once; those of sources and peers that the fold knows stand already.
pub(super) async fn links<'e>(
    inner: &Inner,
    app: &App,
    stream: Stream,
    events: impl Iterator<Item = &'e Event> + Clone,
    fold: &Fold,
) -> Result<Vec<Link>, StoreError> {
    if stream.kind == StreamKind::Source {
        return Ok(Vec::new());
    }
    let mut links = new_to(fold, app, stream, events.clone());
    let mut told: Option<&Place> = None;
    let mut parents = BTreeSet::new();
    for place in events.filter_map(Event::place) {
        if told.is_some_and(|before| std::ptr::eq(before, place)) {
            continue;
        }
        told = Some(place);
        let from = match &place.parent {
            Some(Parent::Session(name)) => app.session(name),
            Some(Parent::Meeting(name)) => app.meeting(name),
            None => continue,
        };
        links.push(Link { kind: LinkKind::Child, from, to: stream });
        if matches!(place.parent, Some(Parent::Session(_))) {
            parents.insert(from);
        }
    }
    across(inner, app, stream, &mut links, parents).await?;
    links.sort_unstable();
    links.dedup();
    Ok(links)
}

/// The look-ups of sources and peers that a fold does not know, and those of the ids that events of a meeting yield.
fn new_to<'e>(fold: &Fold, app: &App, stream: Stream, events: impl Iterator<Item = &'e Event>) -> Vec<Link> {
    let known = fold.lock();
    let (mut links, mut ids) = (Vec::new(), Vec::new());
    let mut link = |kind, from| links.push(Link { kind, from, to: stream });
    let mut source = None;
    for event in events {
        if source.replace(&*event.source) != Some(&*event.source) && !known.facts.has_source(&event.source) {
            link(LinkKind::Source, app.source_stream(&event.source).id);
        }
        ids.clear();
        peers(app, stream, event, &mut ids);
        ids.iter().filter(|peer| known.facts.peer(**peer).is_none()).for_each(|peer| link(LinkKind::Peer, *peer));
        if stream.kind == StreamKind::Meeting {
            ids_of(app, stream, event).into_iter().for_each(|(id, _)| link(LinkKind::Derived, id));
        }
    }
    links
}

/// A breakout may name its parent by any id that an unnamed session was ever served under, before or after the event that yields the id
/// is known. Either way the breakout is found under the meeting, which keeps all those ids.
async fn across(inner: &Inner, app: &App, stream: Stream, links: &mut Vec<Link>, parents: BTreeSet<Uuid>) -> Result<(), StoreError> {
    for parent in parents {
        for meeting in inner.store.linked(app, LinkKind::Derived, parent).await? {
            links.push(Link { kind: LinkKind::Child, from: meeting.id, to: stream });
        }
    }
    let derived: Vec<_> = links.iter().filter(|link| link.kind == LinkKind::Derived).map(|link| link.from).collect();
    for id in derived {
        for child in inner.store.linked(app, LinkKind::Child, id).await? {
            links.push(Link { kind: LinkKind::Child, from: stream.id, to: child });
        }
    }
    Ok(())
}

/// Adds the ids of the peers that an event may be about. A leave by slot is perhaps a peer of its own: see rule 4.7.
fn peers(app: &App, stream: Stream, event: &Event, ids: &mut Vec<Uuid>) {
    match &event.body {
        Body::PeerCreated(_, info) | Body::PeerJoined(_, info) | Body::PeerLeft(_, Leaver::Peer(info), _) => {
            ids.push(app.peer(stream.id, &info.name));
        }
        Body::PeerLeft(_, Leaver::Slot(_), _) => ids.push(app.peer_by_key(stream.id, &app.stray_key(event))),
        Body::SessionRoster(_, roll) => ids.extend(roll.present.iter().map(|present| app.peer(stream.id, &present.peer.name))),
        _ => {}
    }
}
