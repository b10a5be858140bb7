//! What the room plugins report.

use super::{JanusOptions, emitter};
use crate::fields::{Fault, Fields};
use crate::names;
use rollbook_core::event::{Body, Leave, Leaver, PeerInfo, Place, Roll};
use rollbook_core::id::{Home, Name};
use std::sync::Arc;

/// What a room plugin reports about attendance.
#[derive(Clone, Copy)]
enum Report {
    Joined,
    Left,
    Kicked,
    KickedAll,
    Destroyed,
}

impl Report {
    fn of(plugin: &str, word: &str) -> Option<Self> {
        match (plugin, word) {
            (_, "joined") => Some(Self::Joined),
            (VIDEOROOM, "leaving") | (AUDIOBRIDGE, "left") => Some(Self::Left),
            // Of AudioBridge a `left` follows: the person is in until then.
            (VIDEOROOM, "kicked") => Some(Self::Kicked),
            (AUDIOBRIDGE, "kicked_all") => Some(Self::KickedAll),
            (_, "destroyed") => Some(Self::Destroyed),
            _ => None,
        }
    }
}

pub(super) const VIDEOROOM: &str = "videoroom";
pub(super) const AUDIOBRIDGE: &str = "audiobridge";

/// What happened in a room, none where it is no attendance.
pub(super) fn body(envelope: Fields<'_>, options: JanusOptions) -> Result<Option<Body>, Fault> {
    let event = envelope.object("event")?.ok_or_else(|| Fault::missing("event", "an object"))?;
    let in_event = |fault: Fault| fault.within("event");
    let name = event.text("plugin").and_then(|text| text.ok_or_else(|| Fault::missing("plugin", "a text"))).map_err(in_event)?;
    let Some(plugin) = [VIDEOROOM, AUDIOBRIDGE].into_iter().find(|short| name.strip_prefix("janus.plugin.") == Some(short)) else {
        return Ok(None);
    };
    let data = event.object("data").and_then(|data| data.ok_or_else(|| Fault::missing("data", "an object"))).map_err(in_event)?;
    let in_data = |fault: Fault| fault.within("event.data");
    let word = data.text("event").and_then(|text| text.ok_or_else(|| Fault::missing("event", "a text"))).map_err(in_data)?;
    let Some(report) = Report::of(plugin, word) else { return Ok(None) };

    let emitter = emitter(envelope)?;
    let room = Room { emitter, plugin, data, room: &names::id(data, "room").map_err(in_data)?, options };
    Ok(Some(match report {
        Report::Joined => Body::PeerJoined(room.place(), room.peer(room.key(envelope)?).map_err(in_data)?),
        Report::Left => Body::PeerLeft(room.place(), room.holder().map_err(in_data)?, room.leave(None)),
        Report::Kicked => Body::PeerLeft(room.place(), room.holder().map_err(in_data)?, room.leave(Some("kicked"))),
        Report::KickedAll => Body::SessionRoster(room.place(), Roll { present: Vec::new(), tolerance: 0 }),
        Report::Destroyed => Body::SessionEnded(room.place(), Some("destroyed".into())),
    }))
}

/// A room of one plugin, and the report about it.
struct Room<'j> {
    emitter: &'j str,
    plugin: &'static str,
    room: &'j str,
    data: Fields<'j>,
    options: JanusOptions,
}

impl Room<'_> {
    fn place(&self) -> Arc<Place> {
        let key = if self.options.rooms_shared {
            names::joined(&[self.plugin, self.room])
        } else {
            names::joined(&[self.emitter, self.plugin, self.room])
        };
        Arc::new(Place { meeting_title: Some(self.room.into()), ..Place::new(Home::Meeting(Name::key(key))) })
    }

    /// The key of the connection that joins.
    fn key(&self, envelope: Fields<'_>) -> Result<Name, Fault> {
        let (session, handle) = (names::id(envelope, "session_id")?, names::id(envelope, "handle_id")?);
        let key = if self.options.rooms_shared {
            // Two instances may draw the same numbers, and here their people meet in one room.
            names::joined(&[self.emitter, &session, &handle])
        } else {
            names::joined(&[&session, &handle])
        };
        Ok(Name::key(key))
    }

    fn slot(&self) -> Result<Box<str>, Fault> {
        Ok(names::joined(&[self.plugin, self.room, &names::id(self.data, "id")?]))
    }

    fn peer(&self, name: Name) -> Result<PeerInfo, Fault> {
        Ok(PeerInfo {
            slot: Some(self.slot()?),
            custom_participant_id: Some(names::id(self.data, "id")?.into()),
            display_name: self.data.owned("display")?,
            ..PeerInfo::new(name)
        })
    }

    fn holder(&self) -> Result<Leaver, Fault> {
        self.slot().map(Leaver::Slot)
    }

    /// A kick is seen at once; any other leave may be that of a client that fell silent before.
    fn leave(&self, reason: Option<&str>) -> Leave {
        let uncertain = if reason.is_some() { 0 } else { i64::from(self.options.silence) };
        Leave { reason: reason.map(Into::into), joined_at: None, uncertain }
    }
}
