//! BigBlueButton: what `bbb-webhooks` reports.
//!
//! | BigBlueButton reports | the ledger records |
//! |---|---|
//! | `meeting-created` | the session started, and where it is a breakout room whose it is |
//! | `user-joined` | a peer joined |
//! | `user-left` | the peer left |
//! | `meeting-ended` | the session ended: whoever is in is out, as a last `user-left` may be missing |
//!
//! Everything else is ignored. Names:
//!
//! * source: `bigbluebutton:{domain}`. Session key: `internal-meeting-id`, of one occurrence; meeting key: `external-meeting-id`.
//! * peer key: `internal-user-id`, new with each join; custom id: `external-user-id`. The role is the preset.
//! * event id: a digest of meeting, user, event and time, since there is none; a retry repeats the body.
//!
//! A body is a form, whose `event` is a JSON array. Times are those at which `bbb-webhooks` maps the message.
//!
//! A delivery is signed by a `checksum` in the address: a digest of the address without it, the body and the secret, with whichever of
//! four algorithms the server is set to; or it has the secret itself as bearer. `bbb-webhooks` takes a 401 for a delivery that was made,
//! and repeats after anything else: so every refusal is a 503.

use crate::engine::{Delivery, Engine, Refusal, Secret, Settings, SettingsError, Translation};
use crate::fields::{Fault, Fields, Unit};
use crate::json::Json;
use crate::sample::{Sample, Samples, Visit};
use crate::{names, redact, verify};
use ring::digest;
use rollbook_core::event::{Body, Event, Leave, Leaver, PeerInfo, Place};
use rollbook_core::id::{Home, Name, Parent};
use rollbook_core::time::Timestamp;
use serde::Deserialize;
use std::sync::Arc;

/// Members that are personal, or secrets of the meeting's, or the product's own and may hold anything.
const PERSONAL: &[&str] = &[
    "ip-address",
    "user-agent",
    "referer",
    "session-token",
    "userdata",
    "metadata",
    "moderator-pass",
    "viewer-pass",
    "dial-number",
    "voice-conf",
];

/// BigBlueButton, with the shared secrets of one app's servers.
#[derive(Debug)]
pub(crate) struct BigBlueButton {
    secrets: Vec<Secret>,
    callback_url: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Options {
    callback_url: Option<String>,
}

impl BigBlueButton {
    pub(crate) fn open(settings: &Settings) -> Result<Self, SettingsError> {
        let Options { callback_url } = settings.read_options()?;
        Ok(Self { secrets: settings.checked_secrets()?, callback_url })
    }

    /// The addresses that BigBlueButton may know this one by. Guessing is safe: what none of the secrets made fits none of them.
    fn addresses(&self, delivery: &Delivery<'_>, target: &str) -> Vec<String> {
        let seen = delivery.header("host").map(|host| ["https", "http"].map(|scheme| format!("{scheme}://{host}{target}")));
        self.callback_url.clone().map_or_else(|| seen.into_iter().flatten().collect(), |configured| vec![configured])
    }
}

impl Engine for BigBlueButton {
    fn name(&self) -> &'static str {
        "bigbluebutton"
    }

    fn verifies(&self) -> bool {
        !self.secrets.is_empty()
    }

    fn verify(&self, delivery: &Delivery<'_>) -> Result<(), Refusal> {
        let Some((target, checksum)) = delivery.target.rsplit_once("checksum=").filter(|(target, _)| target.ends_with(['?', '&'])) else {
            return verify::bearer(delivery, &self.secrets);
        };
        let target = target.strip_suffix(['?', '&']).unwrap_or(target);
        let given = verify::unhex(checksum).ok_or(Refusal::BadSignature("the checksum is not hexadecimal"))?;
        let algorithm = match given.len() {
            20 => &digest::SHA1_FOR_LEGACY_USE_ONLY,
            32 => &digest::SHA256,
            48 => &digest::SHA384,
            64 => &digest::SHA512,
            _ => return Err(Refusal::BadSignature("the checksum is none of SHA-1, SHA-256, SHA-384, SHA-512")),
        };
        let mut made = false;
        for address in self.addresses(delivery, target) {
            for secret in &self.secrets {
                let digest = verify::digest_of(algorithm, &[address.as_bytes(), delivery.body, secret.bytes()]);
                made |= verify::equal(digest.as_ref(), &given);
            }
        }
        if made { Ok(()) } else { Err(Refusal::BadSignature("the checksum is not that of the address, the body and a known secret")) }
    }

    fn translate(&self, delivery: &Delivery<'_>) -> Result<Translation, Refusal> {
        let (mut events, mut domain) = (None, None);
        for (name, value) in form_urlencoded::parse(delivery.body) {
            match &*name {
                "event" => events = Some(value),
                "domain" => domain = Some(value),
                _ => {}
            }
        }
        let Some(events) = events else {
            let mut translation = Translation::default();
            translation.give_up(0, "event: is required: a field of the form".to_owned());
            return Ok(translation);
        };
        let source = domain.filter(|domain| !domain.is_empty()).map_or("bigbluebutton".into(), |domain| format!("bigbluebutton:{domain}"));
        Ok(Translation::of_items(events.as_bytes(), |item| Ok(event(item, &source)?.into_iter().collect())))
    }

    fn status(&self, _: &Refusal) -> u16 {
        503
    }

    fn samples(&self, visit: &Visit<'_>) -> Option<Samples> {
        let ((joined, left), mark, title, name, id) = (visit.seconds(), visit.mark, visit.title(), Visit::NAME, Visit::ID);
        let event = |word: &str, at: i64, meeting: &str, user: &str| {
            let meeting = format!(r#""meeting":{{"internal-meeting-id":"{mark}","external-meeting-id":"{mark}"{meeting}}}"#);
            format!(r#"{{"data":{{"type":"event","id":"{word}","attributes":{{{meeting}{user}}},"event":{{"ts":{at}000}}}}}}"#)
        };
        let user = format!(r#","user":{{"internal-user-id":"{mark}","external-user-id":"{id}","name":"{name}"}}"#);
        let events = [
            event("meeting-created", joined, &format!(r#","name":"{title}","is-breakout":false"#), ""),
            event("user-joined", joined, "", &user),
            event("user-left", left, "", &user),
            event("meeting-ended", left, "", ""),
        ];
        let mut form = form_urlencoded::Serializer::new(String::new());
        form.append_pair("domain", "rollbook.invalid").append_pair("event", &format!("[{}]", events.join(",")));
        let body = form.append_pair("timestamp", &format!("{left}000")).finish();
        let address = self.callback_url.as_deref().unwrap_or(visit.address);
        let checksum = self.secrets.first().map(|secret| {
            let signed = [address.as_bytes(), body.as_bytes(), secret.bytes()];
            format!("?checksum={}", verify::hex(verify::digest_of(&digest::SHA256, &signed).as_ref()))
        });
        let headers = vec![("content-type".to_owned(), "application/x-www-form-urlencoded".to_owned())];
        let (proved, below) = (checksum.is_some(), checksum.unwrap_or_default());
        Some(Samples { deliveries: vec![Sample { below, headers, body }], proved })
    }

    fn kept(&self, body: &[u8]) -> Vec<u8> {
        let mut kept = form_urlencoded::Serializer::new(String::new());
        for (name, value) in form_urlencoded::parse(body) {
            kept.append_pair(&name, &String::from_utf8_lossy(&redact::members(value.as_bytes(), PERSONAL)));
        }
        kept.finish().into_bytes()
    }
}

fn event(item: &Json<'_>, source: &str) -> Result<Option<Event>, Fault> {
    let data = Fields::of(item, "")?.needed_object("data")?;
    let in_data = |fault: Fault| fault.within("data");
    let word = data.needed("id").map_err(in_data)?;
    if !["meeting-created", "user-joined", "user-left", "meeting-ended"].contains(&word) {
        return Ok(None);
    }
    let time = time(data).map_err(in_data)?;
    let attributes = data.needed_object("attributes").map_err(in_data)?;
    let (body, meeting, user) = body(word, attributes).map_err(|fault| fault.within("data.attributes"))?;
    let id = names::digest(&[meeting, user, word, &time.micros().to_string()]);
    Ok(Some(Event { source: source.into(), id, time, body }))
}

fn time(data: Fields<'_>) -> Result<Timestamp, Fault> {
    let event = data.needed_object("event")?;
    let ts = event.epoch("ts", Unit::Millis).and_then(|ts| ts.ok_or_else(|| Fault::missing("ts", "milliseconds since 1970")));
    ts.map_err(|fault| fault.within("event"))
}

/// What happened, in which meeting, and to whom.
fn body<'j>(word: &str, attributes: Fields<'j>) -> Result<(Body, &'j str, &'j str), Fault> {
    let meeting = attributes.needed_object("meeting")?;
    let (place, internal) = place(meeting).map_err(|fault| fault.within("meeting"))?;
    let user = || attributes.needed_object("user").and_then(|user| peer(user).map_err(|fault| fault.within("user")));
    Ok(match word {
        "meeting-created" => (Body::SessionStarted(place), internal, ""),
        "meeting-ended" => (Body::SessionEnded(place, None), internal, ""),
        "user-joined" => {
            let (peer, id) = user()?;
            (Body::PeerJoined(place, peer), internal, id)
        }
        _ => {
            let (peer, id) = user()?;
            (Body::PeerLeft(place, Leaver::Peer(peer), Leave::default()), internal, id)
        }
    })
}

fn place(meeting: Fields<'_>) -> Result<(Arc<Place>, &str), Fault> {
    let internal = meeting.needed("internal-meeting-id")?;
    let external = meeting.filled("external-meeting-id")?.map(Name::key);
    // A meeting that is no breakout room has a parent-id too, which names nothing.
    let is_breakout = meeting.get("is-breakout") == Some(&Json::Bool(true));
    let parent = meeting.filled("parent-id")?.filter(|_| is_breakout).map(|parent| Parent::Session(Name::key(parent)));
    let home = Home::Session { session: Name::key(internal), meeting: external };
    Ok((Arc::new(Place { meeting_title: meeting.filled("name")?.map(Into::into), parent, ..Place::new(home) }), internal))
}

fn peer(user: Fields<'_>) -> Result<(PeerInfo, &str), Fault> {
    let internal = user.needed("internal-user-id")?;
    let peer = PeerInfo {
        custom_participant_id: user.filled("external-user-id")?.map(Into::into),
        display_name: user.filled("name")?.map(Into::into),
        preset_name: user.filled("role")?.map(Into::into),
        ..PeerInfo::new(Name::key(internal))
    };
    Ok((peer, internal))
}
