//! LiveKit: what its webhooks report, as protojson.
//!
//! | LiveKit reports | the ledger records |
//! |---|---|
//! | `room_started` | the session started, at the room's creation |
//! | `participant_joined` | a peer joined, at its `joinedAt` |
//! | `participant_left` | the peer left, at the event's `createdAt`, with its `joinedAt` |
//! | `participant_connection_aborted` | the peer left: LiveKit's word for a leave of someone whose connection it never saw, or no longer knows |
//! | `room_finished` | the session ended |
//!
//! Everything else (tracks, egresses, ingresses) is no attendance and is ignored. Names:
//!
//! * source: `livekit`. Its rooms, participants and events have ids that no other server shares.
//! * session key: `room.sid`, new in each life of a room; meeting key and title: `room.name`.
//! * peer key: `participant.sid`, new with each connection. Never the identity, which a second connection takes over
//!   (`DUPLICATE_IDENTITY`) before the leave of the first may come. The identity is the custom id.
//! * event id: LiveKit's own.
//!
//! A delivery is signed by a JWT in `Authorization`, with no word before it, that has the digest of the body.

pub mod asking;
mod read;

use crate::engine::{Delivery, Engine, Refusal, Secret, Settings, SettingsError, Translation};
use crate::fields::{Fault, Fields};
use crate::json::quoted;
use crate::jwt::{self, Claims};
use crate::sample::{Samples, Visit};
use crate::verify;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use read::Message;
use ring::digest::SHA256;
use rollbook_core::event::{Body, Event, Kind, Leave, Leaver, PeerInfo, Place};
use rollbook_core::id::{Home, Name};
use rollbook_core::time::{SECOND, Timestamp};
use serde::Deserialize;
use std::sync::Arc;

/// The source of everything that a LiveKit reports.
pub const SOURCE: &str = "livekit";

/// Members that are personal, or the product's own and may hold anything.
const PERSONAL: &[&str] = &["metadata", "attributes", "email", "phone"];

/// LiveKit, with one app's API keys.
#[derive(Debug)]
pub(crate) struct LiveKit {
    keys: Vec<Secret>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Options {}

impl LiveKit {
    pub(crate) fn open(settings: &Settings) -> Result<Self, SettingsError> {
        let Options {} = settings.read_options()?;
        let keys = settings.checked_secrets()?;
        if keys.iter().any(|key| key.id().is_empty()) {
            return Err(SettingsError::Secrets("each API secret needs its API key as id".to_owned()));
        }
        Ok(Self { keys })
    }
}

impl Engine for LiveKit {
    fn name(&self) -> &'static str {
        SOURCE
    }

    fn verifies(&self) -> bool {
        !self.keys.is_empty()
    }

    fn verify(&self, delivery: &Delivery<'_>) -> Result<(), Refusal> {
        // Where a scheme stands before it, it is not LiveKit's.
        let token = delivery.header("authorization").filter(|token| !token.contains(' '));
        let token = token.ok_or(Refusal::Unsigned("no JWT in the header Authorization"))?;
        let claimed = Claims::of(token, &self.keys, delivery.received_at)?.text("sha256");
        let digest = STANDARD.encode(verify::digest_of(&SHA256, &[delivery.body]));
        match claimed {
            Some(claimed) if verify::equal(claimed.as_bytes(), digest.as_bytes()) => Ok(()),
            Some(_) => Err(Refusal::BadSignature("the body is not what was signed")),
            None => Err(Refusal::BadSignature("the JWT has no sha256 of the body")),
        }
    }

    fn translate(&self, delivery: &Delivery<'_>) -> Result<Translation, Refusal> {
        Ok(Translation::of_items(delivery.body, |item| Ok(event(Message(Fields::of(item, "")?))?.into_iter().collect())))
    }

    fn personal(&self) -> &[&str] {
        PERSONAL
    }

    fn samples(&self, visit: &Visit<'_>) -> Option<Samples> {
        let ((joined, left), mark, title, name, id) = (visit.seconds(), visit.mark, visit.title(), Visit::NAME, Visit::ID);
        let webhook = |number: u8, word: &str, at: i64, more: &str| {
            let room = format!(r#""room":{{"sid":"RM_{mark}","name":"{title}"}}"#);
            format!(r#"{{"event":"{word}","id":"EV_{mark}-{number}","createdAt":"{at}",{room}{more}}}"#)
        };
        let participant = format!(r#","participant":{{"sid":"PA_{mark}","identity":"{id}","name":"{name}","joinedAt":"{joined}"}}"#);
        let bodies = vec![
            webhook(1, "participant_joined", joined, &participant),
            webhook(2, "participant_left", left, &participant),
            webhook(3, "room_finished", left, ""),
        ];
        Some(Samples::of(bodies, |body| {
            let digest = STANDARD.encode(verify::digest_of(&SHA256, &[body.as_bytes()]));
            let (key, from) = (self.keys.first()?, visit.left_at.micros() / SECOND);
            let claims = format!(r#"{{"iss":{},"nbf":{from},"exp":{},"sha256":"{digest}"}}"#, quoted(key.id()), from + 300);
            Some(vec![("authorization".to_owned(), jwt::made(&claims, key))])
        }))
    }
}

/// The event that a webhook is, none where it is no attendance.
fn event(webhook: Message<'_>) -> Result<Option<Event>, Fault> {
    let word = webhook.text("event")?.ok_or_else(|| Fault::missing("event", "a text"))?;
    let read = match word {
        "room_started" => room_started,
        "participant_joined" => joined,
        "participant_left" | "participant_connection_aborted" => left,
        "room_finished" => room_finished,
        _ => return Ok(None),
    };
    let (time, body) = read(webhook)?;
    let id = webhook.text("id")?.filter(|id| !id.is_empty()).ok_or_else(|| Fault::missing("id", "a text"))?;
    Ok(Some(Event { source: SOURCE.into(), id: id.into(), time, body }))
}

fn room_started(webhook: Message<'_>) -> Result<(Timestamp, Body), Fault> {
    let room = webhook.required("room")?;
    let created = room.time("creation_time_ms", "creation_time").map_err(|fault| fault.within("room"))?;
    Ok((created.map_or_else(|| sent(webhook), Ok)?, Body::SessionStarted(place(webhook)?)))
}

fn joined(webhook: Message<'_>) -> Result<(Timestamp, Body), Fault> {
    let participant = webhook.required("participant")?;
    let joined_at = joined_at(participant)?;
    Ok((joined_at.map_or_else(|| sent(webhook), Ok)?, Body::PeerJoined(place(webhook)?, peer(participant)?)))
}

fn left(webhook: Message<'_>) -> Result<(Timestamp, Body), Fault> {
    let participant = webhook.required("participant")?;
    let aborted = webhook.text("event")? == Some("participant_connection_aborted");
    let reason = if aborted { Some("CONNECTION_ABORTED") } else { read::reason(participant) };
    // Who never was in has joined only as far as the signalling: that is no beginning of a stay.
    let joined_at = if aborted { None } else { joined_at(participant)? };
    let leave = Leave { reason: reason.map(Into::into), joined_at, uncertain: 0 };
    Ok((sent(webhook)?, Body::PeerLeft(place(webhook)?, Leaver::Peer(peer(participant)?), leave)))
}

fn room_finished(webhook: Message<'_>) -> Result<(Timestamp, Body), Fault> {
    Ok((sent(webhook)?, Body::SessionEnded(place(webhook)?, None)))
}

/// When the event came to be, by LiveKit's clock, in whole seconds.
fn sent(webhook: Message<'_>) -> Result<Timestamp, Fault> {
    webhook.time("created_at_ms", "created_at")?.ok_or_else(|| Fault::missing("createdAt", "seconds since 1970"))
}

fn joined_at(participant: Message<'_>) -> Result<Option<Timestamp>, Fault> {
    participant.time("joined_at_ms", "joined_at").map_err(|fault| fault.within("participant"))
}

fn place(webhook: Message<'_>) -> Result<Arc<Place>, Fault> {
    let room = webhook.required("room")?;
    let in_room = |fault: Fault| fault.within("room");
    let name = room.text("name").map_err(in_room)?.filter(|name| !name.is_empty());
    Ok(place_of(room.sid().map_err(in_room)?, name))
}

fn place_of(sid: &str, name: Option<&str>) -> Arc<Place> {
    let home = Home::Session { session: Name::key(sid), meeting: name.map(Name::key) };
    Arc::new(Place { meeting_title: name.map(Into::into), ..Place::new(home) })
}

fn peer(participant: Message<'_>) -> Result<PeerInfo, Fault> {
    let in_participant = |fault: Fault| fault.within("participant");
    let text = |member| participant.text(member).map_err(in_participant).map(|text| text.filter(|text| !text.is_empty()));
    Ok(PeerInfo {
        custom_participant_id: text("identity")?.map(Into::into),
        display_name: text("name")?.map(Into::into),
        kind: Some(if read::is_machine(participant) { Kind::Robot } else { Kind::Person }),
        ..PeerInfo::new(Name::key(participant.sid().map_err(in_participant)?))
    })
}
