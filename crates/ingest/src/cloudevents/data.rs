//! `data`, by the type of its event.

use crate::fields::{Fault, Fields};
use crate::json::{self, Json};
use rollbook_core::event::{Body, Kind, Leave, Leaver, PeerInfo, Place, Present, Roll};
use rollbook_core::id::{Home, Name, Parent};
use std::collections::HashSet;
use std::sync::Arc;
use uuid::Uuid;

type Reader = fn(Option<&Json<'_>>, &mut Earlier<'_>) -> Result<Body, Fault>;

/// Every type of event, and how its data is read. The writer names the same types.
const TYPES: [(&str, Reader); 8] = [
    ("rollbook.peer.created", |data, e| with(data, |d| Ok(Body::PeerCreated(place(d, e)?, known_peer(d)?)))),
    ("rollbook.peer.joined", |data, e| with(data, |d| Ok(Body::PeerJoined(place(d, e)?, known_peer(d)?)))),
    ("rollbook.peer.left", |data, e| with(data, |d| Ok(Body::PeerLeft(place(d, e)?, leaver(d)?, leave(d)?)))),
    ("rollbook.session.started", |data, e| with(data, |d| Ok(Body::SessionStarted(place(d, e)?)))),
    ("rollbook.session.ended", |data, e| with(data, |d| Ok(Body::SessionEnded(place(d, e)?, d.owned("reason")?)))),
    ("rollbook.session.roster", |data, e| with(data, |d| Ok(Body::SessionRoster(place(d, e)?, roll(d)?)))),
    ("rollbook.source.started", |_, _| Ok(Body::SourceStarted)),
    ("rollbook.source.stopped", |_, _| Ok(Body::SourceStopped)),
];

/// What the event before told of its session: those of one request mostly tell the same, and then share it.
#[derive(Default)]
pub(super) struct Earlier<'t> {
    place: Option<Arc<Place>>,
    /// The object that told it.
    object: &'t str,
}

/// The most arrays and objects around what is told of a session: a batch, an event, its data.
const AROUND: usize = 3;

impl<'t> Earlier<'t> {
    fn shared(&mut self, place: Place) -> Arc<Place> {
        match &self.place {
            Some(known) if **known == place => Arc::clone(known),
            _ => {
                self.object = "";
                Arc::clone(self.place.insert(Arc::new(place)))
            }
        }
    }

    /// The place that an object tells which a text begins with, and how many bytes it is long; none where anything is wrong with it.
    pub(super) fn leading(&mut self, text: &'t str) -> Option<(Arc<Place>, usize)> {
        if let Some(place) = self.place.as_ref().filter(|_| !self.object.is_empty() && text.starts_with(self.object)) {
            return Some((Arc::clone(place), self.object.len()));
        }
        let (object, length) = json::leading(text, AROUND)?;
        let place = described_place(Fields::of(&object, "").ok()?).ok()?;
        let place = self.shared(place);
        self.object = text.get(..length)?;
        Some((place, length))
    }
}

/// The kinds of view that a preset may have.
pub(super) const VIEW_TYPES: [&str; 5] = ["GROUP_CALL", "WEBINAR", "AUDIO_ROOM", "LIVESTREAM", "CHAT"];

/// How the data of a type is read.
pub(super) fn reader(kind: &str) -> Option<Reader> {
    TYPES.iter().find(|(name, _)| *name == kind).map(|(_, read)| *read)
}

/// The types, for a message.
pub(super) fn allowed_types() -> String {
    format!("one of {}", TYPES.map(|(name, _)| name).join(", "))
}

fn with(data: Option<&Json<'_>>, read: impl FnOnce(Fields<'_>) -> Result<Body, Fault>) -> Result<Body, Fault> {
    let data = data.ok_or_else(|| Fault::missing("data", "an object"))?;
    read(Fields::of(data, "data")?).map_err(|fault| fault.within("data"))
}

fn place(data: Fields<'_>, earlier: &mut Earlier<'_>) -> Result<Arc<Place>, Fault> {
    let session = data.object("session")?.ok_or_else(|| Fault::missing("session", "an object"))?;
    described_place(session).map(|place| earlier.shared(place)).map_err(|fault| fault.within("session"))
}

fn described_place(session: Fields<'_>) -> Result<Place, Fault> {
    let meeting = session.name("meeting_id", "meeting_key")?;
    let home = match (session.name("id", "key")?, meeting) {
        (Some(session), meeting) => Home::Session { session, meeting },
        (None, Some(meeting)) => Home::Meeting(meeting),
        (None, None) => return Err(Fault::new("", "one of id, key, meeting_id, meeting_key is required")),
    };
    let parent_session = session.name("parent_id", "parent_key")?.map(Parent::Session);
    let parent_meeting = session.name("parent_meeting_id", "parent_meeting_key")?.map(Parent::Meeting);
    Ok(Place {
        home,
        meeting_title: session.owned("meeting_title")?,
        parent: parent_session.or(parent_meeting),
        keep_alive_seconds: session.whole("keep_alive_seconds", 60, 600)?,
    })
}

fn known_peer(data: Fields<'_>) -> Result<PeerInfo, Fault> {
    let fields = data.object("peer")?.ok_or_else(|| Fault::missing("peer", "an object"))?;
    peer(fields).map_err(|fault| fault.within("peer"))
}

fn peer(fields: Fields<'_>) -> Result<PeerInfo, Fault> {
    let name = fields.name("id", "key")?.ok_or_else(|| Fault::new("", "one of id, key is required"))?;
    described_peer(name, fields)
}

fn described_peer(name: Name, fields: Fields<'_>) -> Result<PeerInfo, Fault> {
    Ok(PeerInfo {
        name,
        slot: fields.owned("slot")?,
        user_id: fields.owned("user_id")?,
        custom_participant_id: fields.owned("custom_participant_id")?,
        display_name: fields.owned("display_name")?,
        preset_name: fields.owned("preset_name")?,
        preset_view_type: fields.word("preset_view_type", &VIEW_TYPES)?.map(Into::into),
        kind: fields.word("kind", &["person", "robot"])?.map(|word| if word == "robot" { Kind::Robot } else { Kind::Person }),
    })
}

fn leaver(data: Fields<'_>) -> Result<Leaver, Fault> {
    let Some(fields) = data.object("peer")? else {
        let slot = data.owned("slot")?.ok_or_else(|| Fault::missing("peer", "an object with id or key, or only a slot"))?;
        return Ok(Leaver::Slot(slot));
    };
    leaving_peer(fields).map_err(|fault| fault.within("peer"))
}

fn leaving_peer(fields: Fields<'_>) -> Result<Leaver, Fault> {
    match (fields.name("id", "key")?, fields.owned("slot")?) {
        (Some(name), _) => described_peer(name, fields).map(Leaver::Peer),
        // A holder's description would have nobody to belong to; it is judged all the same.
        (None, Some(slot)) => described_peer(Name::key(""), fields).map(|_| Leaver::Slot(slot)),
        (None, None) => Err(Fault::new("", "one of id, key, slot is required")),
    }
}

fn leave(data: Fields<'_>) -> Result<Leave, Fault> {
    let uncertain = data.seconds("uncertain_seconds")?.unwrap_or(0);
    Ok(Leave { reason: data.owned("reason")?, joined_at: data.time("joined_at")?, uncertain })
}

fn roll(data: Fields<'_>) -> Result<Roll, Fault> {
    let items = data.array("peers")?.ok_or_else(|| Fault::missing("peers", "an array"))?;
    let mut named = HashSet::new();
    let mut present = Vec::with_capacity(items.len());
    for (index, item) in items.iter().enumerate() {
        let entry = entry(item).map_err(|fault| fault.at(index).within("peers"))?;
        if named.insert(Named::of(&entry.peer.name)) {
            present.push(entry);
        }
    }
    let tolerance = data.seconds("tolerance_seconds")?.unwrap_or(Roll::DEFAULT_TOLERANCE);
    Ok(Roll { present, tolerance })
}

fn entry(item: &Json<'_>) -> Result<Present, Fault> {
    let fields = Fields::of(item, "")?;
    Ok(Present { peer: peer(fields)?, joined_at: fields.time("joined_at")? })
}

/// What tells the peers of one roster apart: the id, else the key.
#[derive(PartialEq, Eq, Hash)]
enum Named {
    Id(Uuid),
    Key(Option<Box<str>>),
}

impl Named {
    fn of(name: &Name) -> Self {
        name.id.map_or_else(|| Self::Key(name.key.clone()), Self::Id)
    }
}
