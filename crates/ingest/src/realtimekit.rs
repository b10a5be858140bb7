//! Cloudflare RealtimeKit (once Dyte): what its webhooks report.
//!
//! | RealtimeKit reports | the ledger records |
//! |---|---|
//! | `meeting.started` | the session started, at the meeting's `startedAt` |
//! | `meeting.participantJoined` | a peer joined, at its `joinedAt` |
//! | `meeting.participantLeft` | the peer left, at its `leftAt`, with its `joinedAt` |
//! | `meeting.ended` | the session ended, at the meeting's `endedAt`, with the reason |
//!
//! Everything else is ignored, and so is a meeting's `endedAt` anywhere but in `meeting.ended`. Names are RealtimeKit's own: the
//! session's id is `sessionId`, the meeting's `id`, the peer's `peerId`, so that rollbook serves the ids that upstream serves.
//! Source: `realtimekit`. Event ids are digests of what makes the event one, since the body has none and `rtk-uuid` is not signed.
//!
//! A delivery is signed with RSA (PKCS#1 v1.5, SHA-256) over the raw body, in `rtk-signature`, once `dyte-signature`. The secrets of its
//! settings are the keys in PEM. Whoever fetches a later key from Cloudflare opens the engine anew with it: nothing here does I/O.

pub mod listed;

use crate::engine::{Delivery, Engine, Refusal, Settings, SettingsError, Translation};
use crate::fields::{Fault, Fields};
use crate::json::Json;
use crate::names;
use crate::sample::{Samples, Visit};
use crate::verify::RsaKey;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rollbook_core::event::{Body, Event, Leave, Leaver, PeerInfo, Place};
use rollbook_core::id::Home;
use rollbook_core::time::Timestamp;
use serde::Deserialize;
use std::sync::Arc;

const SOURCE: &str = "realtimekit";

/// RealtimeKit, with the keys that its deliveries are checked by.
#[derive(Debug)]
pub(crate) struct RealtimeKit {
    keys: Vec<RsaKey>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Options {}

impl RealtimeKit {
    pub(crate) fn open(settings: &Settings) -> Result<Self, SettingsError> {
        let Options {} = settings.read_options()?;
        let keys = settings.checked_secrets()?;
        let read = keys.iter().map(|key| RsaKey::from_pem(key.bytes())).collect::<Result<_, _>>();
        Ok(Self { keys: read.map_err(SettingsError::Secrets)? })
    }
}

impl Engine for RealtimeKit {
    fn name(&self) -> &'static str {
        SOURCE
    }

    fn verifies(&self) -> bool {
        !self.keys.is_empty()
    }

    fn verify(&self, delivery: &Delivery<'_>) -> Result<(), Refusal> {
        let signature = delivery.header("rtk-signature").or_else(|| delivery.header("dyte-signature"));
        let signature = signature.ok_or(Refusal::Unsigned("the header rtk-signature is missing"))?;
        let signature = STANDARD.decode(signature).map_err(|_| Refusal::BadSignature("rtk-signature is not base64"))?;
        let made = self.keys.iter().any(|key| key.made(delivery.body, &signature));
        if made { Ok(()) } else { Err(Refusal::BadSignature("rtk-signature is not that of the body by a known key")) }
    }

    fn translate(&self, delivery: &Delivery<'_>) -> Result<Translation, Refusal> {
        Ok(Translation::of_items(delivery.body, |item| Ok(event(item)?.into_iter().collect())))
    }

    /// Unsigned: of Cloudflare's key there is only the public half.
    fn samples(&self, visit: &Visit<'_>) -> Option<Samples> {
        let ((came, went), mark, title, name, id) = (visit.instants(), visit.mark, visit.title(), Visit::NAME, Visit::ID);
        let webhook = |word: &str, meeting: &str, more: &str| {
            let meeting = format!(r#""meeting":{{"id":"{mark}","sessionId":"{mark}","title":"{title}"{meeting}}}"#);
            format!(r#"{{"event":"meeting.{word}",{meeting}{more}}}"#)
        };
        let participant = |left: &str| {
            let who = format!(r#""peerId":"{mark}","userDisplayName":"{name}","customParticipantId":"{id}","joinedAt":"{came}"{left}"#);
            format!(r#","participant":{{{who}}}"#)
        };
        let bodies = vec![
            webhook("participantJoined", "", &participant("")),
            webhook("participantLeft", "", &participant(&format!(r#","leftAt":"{went}""#))),
            webhook("ended", &format!(r#","endedAt":"{went}""#), ""),
        ];
        Some(Samples::of(bodies, |_| None))
    }

    /// Whatever is below 500 is dropped for ever, and the key may just have changed.
    fn status(&self, _: &Refusal) -> u16 {
        503
    }
}

fn event(item: &Json<'_>) -> Result<Option<Event>, Fault> {
    let webhook = Fields::of(item, "")?;
    let word = webhook.needed("event")?;
    let read = match word {
        "meeting.started" => started,
        "meeting.participantJoined" => joined,
        "meeting.participantLeft" => left,
        "meeting.ended" => ended,
        _ => return Ok(None),
    };
    let meeting = webhook.needed_object("meeting")?;
    let in_meeting = |fault: Fault| fault.within("meeting");
    let session = meeting.needed("sessionId").map_err(in_meeting)?;
    let home = Home::Session { session: names::named(session), meeting: meeting.filled("id").map_err(in_meeting)?.map(names::named) };
    let title = meeting.filled("title").map_err(in_meeting)?.map(Into::into);
    let (peer, time, body) = read(webhook, Arc::new(Place { meeting_title: title, ..Place::new(home) }))?;
    let id = names::digest(&[word, session, peer, &time.micros().to_string()]);
    Ok(Some(Event { source: SOURCE.into(), id, time, body }))
}

/// Whose event it is, when it happened, and what did.
type Read<'j> = Result<(&'j str, Timestamp, Body), Fault>;

fn started<'j>(webhook: Fields<'j>, place: Arc<Place>) -> Read<'j> {
    Ok(("", instant(webhook, "meeting", "startedAt")?, Body::SessionStarted(place)))
}

fn ended<'j>(webhook: Fields<'j>, place: Arc<Place>) -> Read<'j> {
    let reason = webhook.filled("reason")?.map(Into::into);
    Ok(("", instant(webhook, "meeting", "endedAt")?, Body::SessionEnded(place, reason)))
}

fn joined<'j>(webhook: Fields<'j>, place: Arc<Place>) -> Read<'j> {
    let (id, peer) = peer(webhook)?;
    Ok((id, instant(webhook, "participant", "joinedAt")?, Body::PeerJoined(place, peer)))
}

fn left<'j>(webhook: Fields<'j>, place: Arc<Place>) -> Read<'j> {
    let (id, peer) = peer(webhook)?;
    let joined_at = webhook.needed_object("participant")?.time("joinedAt").map_err(|fault| fault.within("participant"))?;
    let leave = Leave { joined_at, ..Leave::default() };
    Ok((id, instant(webhook, "participant", "leftAt")?, Body::PeerLeft(place, Leaver::Peer(peer), leave)))
}

fn instant(webhook: Fields<'_>, of: &str, member: &str) -> Result<Timestamp, Fault> {
    let time = webhook.needed_object(of)?.time(member).and_then(|time| time.ok_or_else(|| Fault::missing(member, "an instant")));
    time.map_err(|fault| fault.within(of))
}

fn peer<'j>(webhook: Fields<'j>) -> Result<(&'j str, PeerInfo), Fault> {
    let participant = webhook.needed_object("participant")?;
    let in_participant = |fault: Fault| fault.within("participant");
    let text = |member| participant.filled(member).map_err(in_participant);
    let id = participant.needed("peerId").map_err(in_participant)?;
    let custom = text("customParticipantId")?.map_or_else(|| text("clientSpecificId"), |custom| Ok(Some(custom)))?;
    let peer = PeerInfo {
        custom_participant_id: custom.map(Into::into),
        display_name: text("userDisplayName")?.map(Into::into),
        ..PeerInfo::new(names::named(id))
    };
    Ok((id, peer))
}
