//! Jitsi as a service (8x8 JaaS): what its webhooks report.
//!
//! | JaaS reports | the ledger records |
//! |---|---|
//! | `ROOM_CREATED` | the session started |
//! | `PARTICIPANT_JOINED` | a peer joined |
//! | `PARTICIPANT_LEFT` | the peer left, with the `disconnectReason` |
//! | `ROOM_DESTROYED` | the session ended |
//!
//! Everything else is ignored, the lobby too: who waits is not in. Names:
//!
//! * source: `jaas`. Session key: `sessionId`; of a breakout room `{sessionId}/{breakoutRoomId}`, a breakout of `sessionId`.
//!   Meeting key: `fqn`; title: the room in it.
//! * peer key: `participantId`, or `participantJid` where that is missing. Custom id: `id`, unless the app chooses otherwise (`identity`).
//! * event id: `idempotencyKey`. Times: `timestamp`, in milliseconds, which 8x8 calls the truth, as deliveries are not ordered.
//!
//! A delivery is signed with HMAC-SHA256 over time and body. How long 8x8 repeats a delivery is not documented: a signature holds for a
//! day. A replay is a known event.

use crate::engine::{Delivery, Engine, Refusal, Secret, Settings, SettingsError, Translation};
use crate::fields::{Fault, Fields, Unit};
use crate::identity::Identity;
use crate::json::Json;
use crate::sample::{Samples, Visit};
use crate::{names, redact, verify};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::hmac::HMAC_SHA256;
use rollbook_core::event::{Body, Event, Leave, Leaver, PeerInfo, Place};
use rollbook_core::id::{Home, Name, Parent};
use rollbook_core::time::SECOND;
use serde::Deserialize;
use std::sync::Arc;

/// JaaS, with one app's signing secrets.
#[derive(Debug)]
pub(crate) struct Jaas {
    secrets: Vec<Secret>,
    identity: Identity,
    personal: Vec<&'static str>,
    max_age: i64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Options {
    identity: Option<Vec<String>>,
    max_age_seconds: u32,
}

impl Default for Options {
    fn default() -> Self {
        Self { identity: None, max_age_seconds: 86_400 }
    }
}

impl Jaas {
    pub(crate) fn open(settings: &Settings) -> Result<Self, SettingsError> {
        let Options { identity, max_age_seconds } = settings.read_options()?;
        let identity = Identity::choose(identity.as_deref(), &["id", "email", "name"], &["id"])?;
        let personal = identity.spare(redact::PERSONAL);
        Ok(Self { secrets: settings.checked_secrets()?, identity, personal, max_age: i64::from(max_age_seconds) * SECOND })
    }
}

impl Engine for Jaas {
    fn name(&self) -> &'static str {
        "jaas"
    }

    fn verifies(&self) -> bool {
        !self.secrets.is_empty()
    }

    fn verify(&self, delivery: &Delivery<'_>) -> Result<(), Refusal> {
        let header = delivery.header("x-jaas-signature").ok_or(Refusal::Unsigned("the header X-Jaas-Signature is missing"))?;
        // Base64 ends in '=' itself: a part is split at its first.
        let part = |name| header.split(',').filter_map(|part| part.trim().split_once('=')).find(|(given, _)| *given == name);
        let (Some((_, at)), Some((_, tag))) = (part("t"), part("v1")) else {
            return Err(Refusal::BadSignature("X-Jaas-Signature is not t=TIME,v1=SIGNATURE"));
        };
        let tag = STANDARD.decode(tag).map_err(|_| Refusal::BadSignature("X-Jaas-Signature is not base64"))?;
        if !verify::hmac_of_any(HMAC_SHA256, &self.secrets, &[at.as_bytes(), b".", delivery.body], &tag) {
            return Err(Refusal::BadSignature("X-Jaas-Signature is not that of the body by a known secret"));
        }
        let sent = verify::unix_time(at).ok_or(Refusal::Stale("X-Jaas-Signature has no time"))?;
        verify::fresh(sent, delivery.received_at, self.max_age)
    }

    fn translate(&self, delivery: &Delivery<'_>) -> Result<Translation, Refusal> {
        Ok(Translation::of_items(delivery.body, |item| Ok(event(item, &self.identity)?.into_iter().collect())))
    }

    fn personal(&self) -> &[&str] {
        &self.personal
    }

    fn samples(&self, visit: &Visit<'_>) -> Option<Samples> {
        let ((joined, left), mark, title, name, id) = (visit.seconds(), visit.mark, visit.title(), Visit::NAME, Visit::ID);
        let webhook = |number: u8, word: &str, at: i64, data: &str| {
            let which = format!(r#""sessionId":"{mark}","fqn":"rollbook/{title}","timestamp":{at}000"#);
            format!(r#"{{"idempotencyKey":"{mark}-{number}","eventType":"{word}",{which},"data":{{{data}}}}}"#)
        };
        let person = format!(r#""participantId":"{mark}","id":"{id}","name":"{name}""#);
        let bodies = vec![
            webhook(1, "PARTICIPANT_JOINED", joined, &person),
            webhook(2, "PARTICIPANT_LEFT", left, &person),
            webhook(3, "ROOM_DESTROYED", left, ""),
        ];
        Some(Samples::of(bodies, |body| {
            let signed = [left.to_string().as_bytes(), b".", body.as_bytes()].concat();
            let tag = verify::hmac_of(HMAC_SHA256, self.secrets.first()?.bytes(), &[&signed]);
            Some(vec![("x-jaas-signature".to_owned(), format!("t={left},v1={}", STANDARD.encode(tag.as_ref())))])
        }))
    }
}

fn event(item: &Json<'_>, identity: &Identity) -> Result<Option<Event>, Fault> {
    let webhook = Fields::of(item, "")?;
    let word = webhook.needed("eventType")?;
    if !["ROOM_CREATED", "ROOM_DESTROYED", "PARTICIPANT_JOINED", "PARTICIPANT_LEFT"].contains(&word) {
        return Ok(None);
    }
    let data = webhook.needed_object("data")?;
    let in_data = |fault: Fault| fault.within("data");
    let place = place(webhook, data)?;
    let peer = || peer(data, identity).map_err(in_data);
    let body = match word {
        "ROOM_CREATED" => Body::SessionStarted(place),
        "ROOM_DESTROYED" => Body::SessionEnded(place, None),
        "PARTICIPANT_JOINED" => Body::PeerJoined(place, peer()?),
        _ => {
            let reason = data.filled("disconnectReason").map_err(in_data)?.map(Into::into);
            Body::PeerLeft(place, Leaver::Peer(peer()?), Leave { reason, ..Leave::default() })
        }
    };
    let time = webhook.epoch("timestamp", Unit::Millis)?.ok_or_else(|| Fault::missing("timestamp", "milliseconds since 1970"))?;
    Ok(Some(Event { source: "jaas".into(), id: webhook.needed("idempotencyKey")?.into(), time, body }))
}

/// Whether a member says yes: JaaS writes some of them as texts.
fn is_true(fields: Fields<'_>, member: &str) -> bool {
    match fields.get(member) {
        Some(Json::Bool(value)) => *value,
        Some(Json::Text(text)) => text == "true",
        _ => false,
    }
}

fn place(webhook: Fields<'_>, data: Fields<'_>) -> Result<Arc<Place>, Fault> {
    let session = webhook.needed("sessionId")?;
    let fqn = webhook.filled("fqn")?;
    let breakout =
        if is_true(data, "isBreakout") { Some(data.needed("breakoutRoomId").map_err(|fault| fault.within("data"))?) } else { None };
    let place = match breakout {
        Some(room) => {
            let home = Home::Session { session: Name::key(names::joined(&[session, room])), meeting: None };
            Place { parent: Some(Parent::Session(Name::key(session))), ..Place::new(home) }
        }
        None => Place::new(Home::Session { session: Name::key(session), meeting: fqn.map(Name::key) }),
    };
    let title = fqn.map(|fqn| fqn.split_once('/').map_or(fqn, |(_, room)| room).into());
    Ok(Arc::new(Place { meeting_title: title, ..place }))
}

fn peer(data: Fields<'_>, identity: &Identity) -> Result<PeerInfo, Fault> {
    let key = data.filled("participantId")?.map_or_else(|| data.needed("participantJid"), Ok)?;
    Ok(PeerInfo {
        custom_participant_id: identity.of(data)?,
        display_name: data.filled("name")?.map(Into::into),
        ..PeerInfo::new(Name::key(key))
    })
}
