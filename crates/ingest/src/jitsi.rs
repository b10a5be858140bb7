//! Jitsi Meet, self-hosted: what the Prosody component `event_sync` reports.
//!
//! | Jitsi reports | the ledger records |
//! |---|---|
//! | `muc-occupant-joined` | a peer joined, at its `joined_at` |
//! | `muc-occupant-left` | the same join again, and the leave at `left_at` |
//! | `muc-room-created` | an empty roster: whoever was in a former life of the room, which nobody saw end, is out |
//! | `muc-room-destroyed` | for each of `all_occupants` the same join and leave again (who has no `left_at` leaves as the room ends), and the end of the session in progress |
//!
//! Everything else is ignored. So each delivery repeats all that it knows: of a lost one nothing is missing
//! once a later one has come, and what is repeated is known by its id. Names:
//!
//! * source: `jitsi`. Rooms have no session ids: meeting key: `room_jid`; of a breakout room `{room_jid}/{breakout_room_id}`, a
//!   breakout of the meeting `room_jid`.
//! * peer key: `occupant_jid`, one connection; who moves between rooms keeps it. Custom id: `id`, unless the app chooses otherwise (`identity`).
//! * event id: a digest of room, occupant and times. Times are whole seconds.
//!
//! Nothing is signed: a secret is the bearer that `api_headers` sends along.

use crate::engine::{Delivery, Engine, Refusal, Secret, Settings, SettingsError, Translation};
use crate::fields::{Fault, Fields, Unit};
use crate::identity::Identity;
use crate::json::Json;
use crate::sample::{Samples, Visit};
use crate::{names, redact, verify};
use rollbook_core::event::{Body, Event, Leave, Leaver, PeerInfo, Place, Roll};
use rollbook_core::id::{Home, Name, Parent};
use rollbook_core::time::Timestamp;
use serde::Deserialize;
use std::sync::Arc;

/// Jitsi, with the bearers of one app.
#[derive(Debug)]
pub(crate) struct Jitsi {
    secrets: Vec<Secret>,
    identity: Identity,
    personal: Vec<&'static str>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Options {
    identity: Option<Vec<String>>,
}

impl Jitsi {
    pub(crate) fn open(settings: &Settings) -> Result<Self, SettingsError> {
        let Options { identity } = settings.read_options()?;
        let identity = Identity::choose(identity.as_deref(), &["id", "email", "name"], &["id"])?;
        let personal = identity.spare(redact::PERSONAL);
        Ok(Self { secrets: settings.checked_secrets()?, identity, personal })
    }
}

impl Engine for Jitsi {
    fn name(&self) -> &'static str {
        "jitsi"
    }

    fn verifies(&self) -> bool {
        !self.secrets.is_empty()
    }

    fn verify(&self, delivery: &Delivery<'_>) -> Result<(), Refusal> {
        verify::bearer(delivery, &self.secrets)
    }

    fn translate(&self, delivery: &Delivery<'_>) -> Result<Translation, Refusal> {
        Ok(Translation::of_items(delivery.body, |item| events(item, &self.identity)))
    }

    fn personal(&self) -> &[&str] {
        &self.personal
    }

    fn samples(&self, visit: &Visit<'_>) -> Option<Samples> {
        let ((joined, left), mark, title, name, id) = (visit.seconds(), visit.mark, visit.title(), Visit::NAME, Visit::ID);
        let occupant = |left: &str| {
            format!(r#"{{"occupant_jid":"{mark}@rollbook.invalid/test","joined_at":{joined}{left},"id":"{id}","name":"{name}"}}"#)
        };
        let gone = occupant(&format!(r#","left_at":{left}"#));
        let about = |word: &str, more: &str| {
            let room = format!(r#""room_name":"{title}","room_jid":"{mark}@test.rollbook.invalid","is_breakout":false"#);
            format!(r#"{{"event_name":"{word}",{room},{more}}}"#)
        };
        let bodies = vec![
            about("muc-occupant-joined", &format!(r#""active_occupants_count":1,"occupant":{}"#, occupant(""))),
            about("muc-occupant-left", &format!(r#""active_occupants_count":0,"occupant":{gone}"#)),
            about("muc-room-destroyed", &format!(r#""created_at":{joined},"destroyed_at":{left},"all_occupants":[{gone}]"#)),
        ];
        let mut samples =
            Samples::of(bodies, |_| Some(vec![("authorization".to_owned(), format!("Bearer {}", self.secrets.first()?.text()?))]));
        for (sample, below) in samples.deliveries.iter_mut().zip(["occupant/joined", "occupant/left", "room/destroyed"]) {
            sample.below = format!("/events/{below}");
        }
        Some(samples)
    }
}

fn events(item: &Json<'_>, identity: &Identity) -> Result<Vec<Event>, Fault> {
    let payload = Fields::of(item, "")?;
    let word = payload.needed("event_name")?;
    if !["muc-room-created", "muc-occupant-joined", "muc-occupant-left", "muc-room-destroyed"].contains(&word) {
        return Ok(Vec::new());
    }
    let room = Room::of(payload)?;
    match word {
        "muc-room-created" => return Ok(vec![created(&room, payload)?]),
        "muc-room-destroyed" => return destroyed(&room, payload, identity),
        _ => {}
    }
    let occupant = payload.needed_object("occupant")?;
    let in_occupant = |fault: Fault| fault.within("occupant");
    let mut events = vec![joined(&room, occupant, identity).map_err(in_occupant)?];
    if word == "muc-occupant-left" {
        let left_at = needed_time(occupant, "left_at").map_err(in_occupant)?;
        events.push(left(&room, occupant, left_at, identity).map_err(in_occupant)?);
    }
    Ok(events)
}

/// Prosody that was killed tells of no leave, and nothing of the room but that it is made anew. Who came at the same second is in: at one
/// time rosters come first.
fn created(room: &Room, payload: Fields<'_>) -> Result<Event, Fault> {
    let time = needed_time(payload, "created_at")?;
    let id = names::digest(&["created", &room.key, &time.micros().to_string()]);
    let nobody = Roll { present: Vec::new(), tolerance: 0 };
    Ok(Event { source: "jitsi".into(), id, time, body: Body::SessionRoster(room.place.clone(), nobody) })
}

fn destroyed(room: &Room, payload: Fields<'_>, identity: &Identity) -> Result<Vec<Event>, Fault> {
    let destroyed_at = needed_time(payload, "destroyed_at")?;
    let nobody = [];
    let occupants = match payload.get("all_occupants") {
        Some(Json::Array(occupants)) => occupants.as_slice(),
        // Lua has one kind of table: an empty list may be written as an empty object.
        _ => &nobody,
    };
    let mut events = Vec::new();
    for (index, occupant) in occupants.iter().enumerate() {
        let located = |fault: Fault| fault.at(index).within("all_occupants");
        let occupant = Fields::of(occupant, "").map_err(located)?;
        let left_at = occupant.epoch("left_at", Unit::Seconds).map_err(located)?.unwrap_or(destroyed_at);
        events.push(joined(room, occupant, identity).map_err(located)?);
        events.push(left(room, occupant, left_at, identity).map_err(located)?);
    }
    let id = names::digest(&["destroyed", &room.key, &destroyed_at.micros().to_string()]);
    events.push(Event {
        source: "jitsi".into(),
        id,
        time: destroyed_at,
        body: Body::SessionEnded(room.place.clone(), Some("destroyed".into())),
    });
    Ok(events)
}

/// A room, and the key of its meeting.
struct Room {
    key: Box<str>,
    place: Arc<Place>,
}

impl Room {
    /// Of a breakout room, `room_*` is the room that it belongs to.
    fn of(payload: Fields<'_>) -> Result<Self, Fault> {
        let jid = payload.needed("room_jid")?;
        let is_breakout = payload.get("is_breakout") == Some(&Json::Bool(true));
        let (key, parent) = if is_breakout {
            (names::joined(&[jid, payload.needed("breakout_room_id")?]), Some(Parent::Meeting(Name::key(jid))))
        } else {
            (jid.into(), None)
        };
        let title = payload.filled("room_name")?.map(Into::into);
        let place = Place { meeting_title: title, parent, ..Place::new(Home::Meeting(Name::key(key.clone()))) };
        Ok(Self { key, place: Arc::new(place) })
    }
}

fn joined(room: &Room, occupant: Fields<'_>, identity: &Identity) -> Result<Event, Fault> {
    let (time, jid) = (needed_time(occupant, "joined_at")?, occupant.needed("occupant_jid")?);
    let id = names::digest(&["joined", &room.key, jid, &time.micros().to_string()]);
    Ok(Event { source: "jitsi".into(), id, time, body: Body::PeerJoined(room.place.clone(), peer(occupant, jid, identity)?) })
}

fn left(room: &Room, occupant: Fields<'_>, time: Timestamp, identity: &Identity) -> Result<Event, Fault> {
    let (joined_at, jid) = (needed_time(occupant, "joined_at")?, occupant.needed("occupant_jid")?);
    let id = names::digest(&["left", &room.key, jid, &joined_at.micros().to_string(), &time.micros().to_string()]);
    let leave = Leave { joined_at: Some(joined_at), ..Leave::default() };
    let body = Body::PeerLeft(room.place.clone(), Leaver::Peer(peer(occupant, jid, identity)?), leave);
    Ok(Event { source: "jitsi".into(), id, time, body })
}

fn peer(occupant: Fields<'_>, jid: &str, identity: &Identity) -> Result<PeerInfo, Fault> {
    Ok(PeerInfo {
        custom_participant_id: identity.of(occupant)?,
        display_name: occupant.filled("name")?.map(Into::into),
        ..PeerInfo::new(Name::key(jid))
    })
}

fn needed_time(fields: Fields<'_>, member: &str) -> Result<Timestamp, Fault> {
    fields.epoch(member, Unit::Seconds)?.ok_or_else(|| Fault::missing(member, "seconds since 1970"))
}
