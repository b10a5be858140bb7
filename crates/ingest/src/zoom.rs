//! Zoom: what its webhooks report of meetings and webinars.
//!
//! | Zoom reports | the ledger records |
//! |---|---|
//! | `meeting.started` | the session started |
//! | `meeting.participant_joined` | a peer joined, at its `join_time` |
//! | `meeting.participant_left` | the peer left, at its `leave_time` |
//! | `meeting.participant_joined_breakout_room`, `…left_breakout_room` | the same in a session of its own, a breakout of the meeting's |
//! | `meeting.ended` | the session ended |
//!
//! `webinar.*` likewise. Everything else is ignored, waiting rooms too: who waits is not in. Names:
//!
//! * source: `zoom`. Session key: the occurrence's `uuid`, or the breakout room's `breakout_room_uuid`; meeting key: its `id`.
//! * peer key: `participant.user_id`, new with each join and in each breakout room.
//! * person: the first of `registrant_id`, `customer_key`, `participant_user_id` that is there, as custom id. Which is a choice of the
//!   app's (`identity`); only by such a choice is an e-mail address taken.
//! * event id: a digest, since Zoom has none. A retry repeats the body.
//!
//! A delivery is signed with HMAC-SHA256 over time and body. Zoom retries for 85 minutes, and whether it signs a retry anew is not
//! known: a signature holds for 90. The validation of the address is answered only where it is signed, and only for a token of plain
//! letters: whoever may have anything signed has the signature of any delivery.

use crate::engine::{Delivery, Engine, Refusal, Secret, Settings, SettingsError, Translation};
use crate::fields::{Fault, Fields, Unit};
use crate::identity::Identity;
use crate::json::{self, Json};
use crate::sample::{Samples, Visit};
use crate::{names, redact, verify};
use ring::hmac::HMAC_SHA256;
use rollbook_core::event::{Body, Event, Leave, Leaver, PeerInfo, Place};
use rollbook_core::id::{Home, Name, Parent};
use rollbook_core::time::{SECOND, Timestamp};
use serde::Deserialize;
use std::sync::Arc;

const IDENTITIES: &[&str] = &["registrant_id", "customer_key", "participant_user_id", "id", "email", "user_name"];

/// Zoom, with one app's secret tokens.
#[derive(Debug)]
pub(crate) struct Zoom {
    tokens: Vec<Secret>,
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
        Self { identity: None, max_age_seconds: 90 * 60 }
    }
}

impl Zoom {
    pub(crate) fn open(settings: &Settings) -> Result<Self, SettingsError> {
        let Options { identity, max_age_seconds } = settings.read_options()?;
        let identity = Identity::choose(identity.as_deref(), IDENTITIES, IDENTITIES.get(..3).unwrap_or_default())?;
        let personal = identity.spare(redact::PERSONAL);
        Ok(Self { tokens: settings.checked_secrets()?, identity, personal, max_age: i64::from(max_age_seconds) * SECOND })
    }

    /// The token that signed a delivery.
    fn signer(&self, delivery: &Delivery<'_>) -> Result<&Secret, Refusal> {
        let signature = delivery.header("x-zm-signature").ok_or(Refusal::Unsigned("the header x-zm-signature is missing"))?;
        let at = delivery.header("x-zm-request-timestamp").ok_or(Refusal::Unsigned("the header x-zm-request-timestamp is missing"))?;
        let tag = signature.strip_prefix("v0=").and_then(verify::unhex).ok_or(Refusal::BadSignature("x-zm-signature is not v0=HEX"))?;
        let signed: [&[u8]; 4] = [b"v0:", at.as_bytes(), b":", delivery.body];
        let made = |token: &&Secret| verify::equal(verify::hmac_of(HMAC_SHA256, token.bytes(), &signed).as_ref(), &tag);
        let signer =
            self.tokens.iter().find(made).ok_or(Refusal::BadSignature("x-zm-signature is not that of the body by a known token"))?;
        let sent = verify::unix_time(at).ok_or(Refusal::Stale("x-zm-request-timestamp is no time"))?;
        verify::fresh(sent, delivery.received_at, self.max_age)?;
        Ok(signer)
    }
}

impl Engine for Zoom {
    fn name(&self) -> &'static str {
        "zoom"
    }

    fn verifies(&self) -> bool {
        !self.tokens.is_empty()
    }

    fn verify(&self, delivery: &Delivery<'_>) -> Result<(), Refusal> {
        self.signer(delivery).map(|_| ())
    }

    fn answer(&self, delivery: &Delivery<'_>) -> Option<String> {
        let body = json::parse(delivery.body).ok()?;
        let webhook = Fields::of(&body, "").ok().filter(|webhook| webhook.text("event") == Ok(Some("endpoint.url_validation")))?;
        let plain = webhook.object("payload").ok()??.needed("plainToken").ok()?;
        let harmless = plain.len() <= 256 && plain.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_=+/".contains(&b));
        let token = self.signer(delivery).ok().filter(|_| harmless)?;
        let hashed = verify::hex(verify::hmac_of(HMAC_SHA256, token.bytes(), &[plain.as_bytes()]).as_ref());
        Some(format!(r#"{{"plainToken":"{plain}","encryptedToken":"{hashed}"}}"#))
    }

    fn translate(&self, delivery: &Delivery<'_>) -> Result<Translation, Refusal> {
        Ok(Translation::of_items(delivery.body, |item| Ok(event(item, &self.identity)?.into_iter().collect())))
    }

    fn personal(&self) -> &[&str] {
        &self.personal
    }

    fn samples(&self, visit: &Visit<'_>) -> Option<Samples> {
        let ((joined, left), (came, went)) = (visit.seconds(), visit.instants());
        let (mark, title, name, id) = (visit.mark, visit.title(), Visit::NAME, Visit::ID);
        let webhook = |word: &str, at: i64, more: &str| {
            let object = format!(r#"{{"id":"{mark}","uuid":"{mark}","topic":"{title}",{more}}}"#);
            format!(r#"{{"event":"meeting.{word}","event_ts":{at}000,"payload":{{"account_id":"rollbook","object":{object}}}}}"#)
        };
        let participant = |when: &str| format!(r#""participant":{{"user_id":"{mark}","user_name":"{name}","customer_key":"{id}",{when}}}"#);
        let bodies = vec![
            webhook("participant_joined", joined, &participant(&format!(r#""join_time":"{came}""#))),
            webhook("participant_left", left, &participant(&format!(r#""leave_time":"{went}""#))),
            webhook("ended", left, &format!(r#""end_time":"{went}""#)),
        ];
        Some(Samples::of(bodies, |body| {
            let signed = format!("v0:{left}:{body}");
            let tag = verify::hmac_of(HMAC_SHA256, self.tokens.first()?.bytes(), &[signed.as_bytes()]);
            let signature = format!("v0={}", verify::hex(tag.as_ref()));
            Some(vec![("x-zm-signature".to_owned(), signature), ("x-zm-request-timestamp".to_owned(), left.to_string())])
        }))
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Act {
    Started,
    Ended,
    Joined,
    Left,
}

/// What a word says, and whether it says it of a breakout room.
fn act(word: &str) -> Option<(Act, bool)> {
    let act = word.strip_prefix("meeting.").or_else(|| word.strip_prefix("webinar."))?;
    Some(match act {
        "started" => (Act::Started, false),
        "ended" => (Act::Ended, false),
        "participant_joined" => (Act::Joined, false),
        "participant_left" => (Act::Left, false),
        "participant_joined_breakout_room" => (Act::Joined, true),
        "participant_left_breakout_room" => (Act::Left, true),
        _ => return None,
    })
}

fn event(item: &Json<'_>, identity: &Identity) -> Result<Option<Event>, Fault> {
    let webhook = Fields::of(item, "")?;
    let word = webhook.needed("event")?;
    let Some((act, in_breakout)) = act(word) else { return Ok(None) };
    let object = webhook.needed_object("payload")?.needed_object("object").map_err(|fault| fault.within("payload"))?;
    let sent = webhook.epoch("event_ts", Unit::Millis)?;
    let (user, time, body) = read(object, act, in_breakout, sent, identity).map_err(|fault| fault.within("payload.object"))?;
    let room = if in_breakout { object.text("breakout_room_uuid") } else { object.text("uuid") }.unwrap_or_default();
    let id = names::digest(&[word, room.unwrap_or_default(), &user, &time.micros().to_string()]);
    Ok(Some(Event { source: "zoom".into(), id, time, body }))
}

/// Whose event it is, when it happened, and what did.
fn read(
    object: Fields<'_>,
    act: Act,
    in_breakout: bool,
    sent: Option<Timestamp>,
    identity: &Identity,
) -> Result<(String, Timestamp, Body), Fault> {
    let place = place(object, in_breakout)?;
    // Where an older delivery lacks the time of the event, when it was sent is the next best.
    let when = |of: Fields<'_>, member| of.time(member)?.or(sent).ok_or_else(|| Fault::missing(member, "an instant"));
    let participant = || object.needed_object("participant");
    let in_participant = |fault: Fault| fault.within("participant");
    Ok(match act {
        Act::Started => (String::new(), when(object, "start_time")?, Body::SessionStarted(place)),
        Act::Ended => (String::new(), when(object, "end_time")?, Body::SessionEnded(place, None)),
        Act::Joined => {
            let (user, peer) = peer(participant()?, identity).map_err(in_participant)?;
            (user, when(participant()?, "join_time").map_err(in_participant)?, Body::PeerJoined(place, peer))
        }
        Act::Left => {
            let (user, peer) = peer(participant()?, identity).map_err(in_participant)?;
            let reason = participant()?.filled("leave_reason").map_err(in_participant)?.map(Into::into);
            let leave = Leave { reason, ..Leave::default() };
            (user, when(participant()?, "leave_time").map_err(in_participant)?, Body::PeerLeft(place, Leaver::Peer(peer), leave))
        }
    })
}

fn place(object: Fields<'_>, in_breakout: bool) -> Result<Arc<Place>, Fault> {
    let occurrence = Name::key(object.needed("uuid")?);
    let topic = object.filled("topic")?.map(Into::into);
    let place = if in_breakout {
        let session = Name::key(object.needed("breakout_room_uuid")?);
        Place { parent: Some(Parent::Session(occurrence)), ..Place::new(Home::Session { session, meeting: None }) }
    } else {
        let meeting = object.get("id").map(|_| names::id(object, "id")).transpose()?.map(Name::key);
        Place::new(Home::Session { session: occurrence, meeting })
    };
    Ok(Arc::new(Place { meeting_title: topic, ..place }))
}

fn peer(participant: Fields<'_>, identity: &Identity) -> Result<(String, PeerInfo), Fault> {
    let user = names::id(participant, "user_id")?.into_owned();
    let peer = PeerInfo {
        custom_participant_id: identity.of(participant)?,
        display_name: participant.filled("user_name")?.map(Into::into),
        ..PeerInfo::new(Name::key(user.as_str()))
    };
    Ok((user, peer))
}
