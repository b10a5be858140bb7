//! The look-ups that events add beside the journal.

use super::Inner;
use super::fold::Fold;
use rollbook_core::event::{Body, Event, Leaver};
use rollbook_core::fold::ids_of;
use rollbook_core::id::{App, Parent, Stream, StreamKind};
use rollbook_store::{Link, LinkKind, StoreError};
use std::collections::BTreeSet;

/// The look-ups of a batch, each once; those of peers that the fold knows stand already.
pub(super) async fn links(inner: &Inner, app: &App, stream: Stream, events: &[Event], fold: &Fold) -> Result<Vec<Link>, StoreError> {
    if stream.kind == StreamKind::Source {
        return Ok(Vec::new());
    }
    let mut links = BTreeSet::new();
    let mut parents = BTreeSet::new();
    for event in events {
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
    {
        let known = fold.lock();
        links.retain(|link| link.kind != LinkKind::Peer || known.facts.peer(link.from).is_none());
    }
    across(inner, app, stream, &mut links, parents).await?;
    Ok(links.into_iter().collect())
}

/// A breakout may name its parent by any id that an unnamed session was ever served under, before or after the event that yields the id
/// is known. Either way the breakout is found under the meeting, which keeps all those ids.
async fn across(
    inner: &Inner,
    app: &App,
    stream: Stream,
    links: &mut BTreeSet<Link>,
    parents: BTreeSet<uuid::Uuid>,
) -> Result<(), StoreError> {
    for parent in parents {
        for meeting in inner.store.linked(app, LinkKind::Derived, parent).await? {
            links.insert(Link { kind: LinkKind::Child, from: meeting.id, to: stream });
        }
    }
    let derived: Vec<_> = links.iter().filter(|link| link.kind == LinkKind::Derived).map(|link| link.from).collect();
    for id in derived {
        for child in inner.store.linked(app, LinkKind::Child, id).await? {
            links.insert(Link { kind: LinkKind::Child, from: stream.id, to: child });
        }
    }
    Ok(())
}

/// The ids of the peers that an event may be about. A leave by slot is perhaps a peer of its own: see rule 4.7.
fn peers(app: &App, stream: Stream, event: &Event) -> Vec<uuid::Uuid> {
    match &event.body {
        Body::PeerCreated(_, info) | Body::PeerJoined(_, info) | Body::PeerLeft(_, Leaver::Peer(info), _) => {
            vec![app.peer(stream.id, &info.name)]
        }
        Body::PeerLeft(_, Leaver::Slot(_), _) => vec![app.peer_by_key(stream.id, &app.stray_key(event))],
        Body::SessionRoster(_, roll) => roll.present.iter().map(|present| app.peer(stream.id, &present.peer.name)).collect(),
        _ => Vec::new(),
    }
}
