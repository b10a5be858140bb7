//! The look-ups that events add beside the journal.

use super::Inner;
use super::fold::Fold;
use rollbook_core::event::{Body, Event, Leaver};
use rollbook_core::fold::ids_of;
use rollbook_core::id::{App, Parent, Stream, StreamKind};
use rollbook_store::{Link, LinkKind, StoreError};
use std::collections::{BTreeSet, HashMap};
use uuid::Uuid;

/// What a batch adds to the look-ups.
pub(super) struct Links {
    stream: Stream,
    /// Each once.
    links: BTreeSet<Link>,
    /// The sessions that are named as parents.
    parents: BTreeSet<Uuid>,
}

/// The look-ups that a batch adds by itself; those of peers that the fold knows stand already.
pub(super) fn links(app: &App, stream: Stream, events: &[Event], fold: &Fold) -> Links {
    let (mut links, mut parents) = (BTreeSet::new(), BTreeSet::new());
    let places = if stream.kind == StreamKind::Source { &[] } else { events };
    for event in places {
        let mut link = |kind, from| links.insert(Link { kind, from, to: stream });
        link(LinkKind::Source, app.source_stream(&event.source).id);
        match event.place().and_then(|place| place.parent.as_ref()) {
            Some(Parent::Session(name)) => {
                link(LinkKind::Child, app.session(name));
                parents.insert(app.session(name));
            }
            Some(Parent::Meeting(name)) => {
                link(LinkKind::Child, app.meeting(name));
            }
            None => {}
        }
        for peer in peers(app, stream, event) {
            link(LinkKind::Peer, peer);
        }
        if stream.kind == StreamKind::Meeting {
            for (id, _) in ids_of(app, stream, event) {
                link(LinkKind::Derived, id);
            }
        }
    }
    let known = fold.lock();
    links.retain(|link| link.kind != LinkKind::Peer || known.facts.peer(link.from).is_none());
    Links { stream, links, parents }
}

impl Links {
    fn derived(&self) -> impl Iterator<Item = Uuid> {
        self.links.iter().filter(|link| link.kind == LinkKind::Derived).map(|link| link.from)
    }

    fn add_child(&mut self, meeting: Stream, child: Stream) {
        self.links.insert(Link { kind: LinkKind::Child, from: meeting.id, to: child });
    }

    pub(super) fn into_vec(self) -> Vec<Link> {
        self.links.into_iter().collect()
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
        for id in of_one.derived().collect::<Vec<_>>() {
            let known = inner.store.linked(app, LinkKind::Child, id).await?;
            known.into_iter().for_each(|child| of_one.add_child(stream, child));
        }
    }
    Ok(())
}

/// The ids of the peers that an event may be about. A leave by slot is perhaps a peer of its own: see rule 4.7.
fn peers(app: &App, stream: Stream, event: &Event) -> Vec<Uuid> {
    match &event.body {
        Body::PeerCreated(_, info) | Body::PeerJoined(_, info) | Body::PeerLeft(_, Leaver::Peer(info), _) => {
            vec![app.peer(stream.id, &info.name)]
        }
        Body::PeerLeft(_, Leaver::Slot(_), _) => vec![app.peer_by_key(stream.id, &app.stray_key(event))],
        Body::SessionRoster(_, roll) => roll.present.iter().map(|present| app.peer(stream.id, &present.peer.name)).collect(),
        _ => Vec::new(),
    }
}
