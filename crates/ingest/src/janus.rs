//! Janus (janus-gateway): what its event handlers report, of the VideoRoom and AudioBridge plugins and of the core.
//!
//! | Janus reports | the ledger records |
//! |---|---|
//! | `joined` | a peer joined: peer key and slot as below, `id` as its custom id, `display` as its name |
//! | VideoRoom `leaving`, AudioBridge `left` | the holder of the slot left |
//! | VideoRoom `kicked` | the holder of the slot left, reason `kicked` |
//! | AudioBridge `kicked_all` | an empty roster of the room: everyone in through this Janus is out |
//! | `destroyed` (a room) | the end of the session in progress, reason `destroyed`: Janus reports no leave for those inside |
//! | core `started`, `shutdown` | the source started, stopped: Janus reports no leaves when it goes down |
//!
//! A `kicked` of the AudioBridge is ignored: it reports `left` once the connection is down. `kicked_all` comes once for each who was
//! kicked, each time before their `left`s.
//!
//! Everything else is no attendance and is ignored; `unpublished`, `timeout`, `detached` and a WebRTC hangup of a VideoRoom
//! peer least of all are leaves. Names, all of them injective:
//!
//! * source: `janus:{emitter}`. Without an emitter nothing is translated: two instances of one name would close each
//!   other's people. Set `server_name` in `janus.jcfg`.
//! * meeting key: `{emitter}/{plugin}/{room}`, or `{plugin}/{room}` where rooms are shared between instances; title: the room.
//! * peer key: `{session_id}/{handle_id}` of the join, after `{emitter}/` where the meeting key has none. Never the
//!   room's `id`, which Janus gives to others once it is free.
//! * slot: `{plugin}/{room}/{id}`; leaves name nothing else.
//! * event id: a digest of emitter, timestamp, type and event, since Janus has neither ids nor sequence numbers.

pub mod asking;
mod room;

use crate::engine::{Delivery, Engine, Refusal, Secret, Settings, SettingsError, Translation};
use crate::fields::{Fault, Fields};
use crate::json::{Decimal, Item, Items, Json};
use crate::sample::{Samples, Visit};
use crate::{names, verify};
use rollbook_core::event::{Body, Event};
use rollbook_core::time::{SECOND, Timestamp};
use serde::Deserialize;
use std::collections::HashSet;

/// What can't be seen in the deliveries themselves.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct JanusOptions {
    /// Whether a room of one name is the same meeting on every instance. Then `destroyed` on one ends it for all.
    pub rooms_shared: bool,
    /// How many microseconds a silent client may stay unnoticed: Janus's `session_timeout` and a few seconds for its sweep.
    /// Every leave that is not a kick may be that late, and is published with it as its uncertainty. 0 claims none. The uncertainty is
    /// content: a delivery that is repeated across a change of this setting contradicts what was stored.
    pub silence: u32,
}

/// Janus, with one app's settings. It signs nothing: its secrets are the passwords of its HTTP basic authentication.
#[derive(Debug)]
pub struct Janus {
    options: JanusOptions,
    passwords: Vec<Secret>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
struct Written {
    rooms_shared: bool,
    silence_seconds: u16,
}

impl JanusOptions {
    /// Those of an app's settings.
    ///
    /// # Errors
    /// Where an option is none of Janus', or a value none that it can have.
    pub fn of(settings: &Settings) -> Result<Self, SettingsError> {
        let Written { rooms_shared, silence_seconds } = settings.read_options()?;
        // More seconds than 32 bits hold microseconds of is more than an hour.
        let silence = u32::try_from(i64::from(silence_seconds) * SECOND)
            .map_err(|_| SettingsError::Options("silence_seconds: at most 4294".to_owned()))?;
        Ok(Self { rooms_shared, silence })
    }
}

impl Janus {
    /// Janus with these options, and no password of its own.
    #[must_use]
    pub fn new(options: JanusOptions) -> Self {
        Self { options, passwords: Vec::new() }
    }

    pub(crate) fn open(settings: &Settings) -> Result<Self, SettingsError> {
        Ok(Self { options: JanusOptions::of(settings)?, passwords: settings.checked_secrets()? })
    }
}

impl Engine for Janus {
    fn name(&self) -> &'static str {
        "janus"
    }

    fn verifies(&self) -> bool {
        !self.passwords.is_empty()
    }

    fn verify(&self, delivery: &Delivery<'_>) -> Result<(), Refusal> {
        verify::password(delivery, &self.passwords)
    }

    fn translate(&self, delivery: &Delivery<'_>) -> Result<Translation, Refusal> {
        translate(delivery.body, self.options)
    }

    fn samples(&self, visit: &Visit<'_>) -> Option<Samples> {
        let ((joined, left), mark, title, name) = (visit.seconds(), visit.mark, visit.title(), Visit::NAME);
        let event = |at: i64, envelope: &str, data: &str| {
            let data = format!(r#"{{"plugin":"janus.plugin.videoroom","data":{{"room":"{title}",{data}}}}}"#);
            format!(r#"{{"emitter":"{}","type":64,"timestamp":{at}000000{envelope},"event":{data}}}"#, Visit::ID)
        };
        let events = [
            event(joined, r#","session_id":1,"handle_id":1"#, &format!(r#""event":"joined","id":"{mark}","display":"{name}""#)),
            event(left, "", &format!(r#""event":"leaving","id":"{mark}""#)),
            event(left, "", r#""event":"destroyed""#),
        ];
        Some(Samples::of(vec![format!("[{}]", events.join(","))], |_| {
            Some(vec![("authorization".to_owned(), verify::basic("janus", self.passwords.first()?)?)])
        }))
    }
}

/// Translates a body: an array of events, or a single one. Whatever is JSON, to the last byte, is taken.
fn translate(body: &[u8], options: JanusOptions) -> Result<Translation, Refusal> {
    let mut translation = Translation::default();
    let mut seen = HashSet::new();
    let unreadable = |error: crate::json::JsonError| Refusal::Unreadable(error.to_string());
    for (index, item) in Items::open(body).map_err(unreadable)?.enumerate() {
        let event = match item.map_err(unreadable)? {
            Item::Sound(value) => event(&value, options).map_err(|fault| fault.to_string()),
            Item::Defective(error) => Err(error.to_string()),
        };
        match event {
            Ok(Some(event)) if seen.insert(event.id.clone()) => translation.events.push(event),
            Ok(_) => {}
            Err(reason) => translation.give_up(index, reason),
        }
    }
    Ok(translation)
}

const CORE: &str = "256";
const PLUGIN: &str = "64";

/// The event that an item is, none where it is no attendance.
fn event(item: &Json<'_>, options: JanusOptions) -> Result<Option<Event>, Fault> {
    let envelope = Fields::of(item, "")?;
    let kind = match envelope.get("type") {
        Some(Json::Number(kind)) => *kind,
        Some(other) => return Err(Fault::value("type", other, "a number")),
        None => return Err(Fault::missing("type", "a number")),
    };
    match kind {
        CORE => core(envelope),
        PLUGIN => room::body(envelope, options),
        _ => Ok(None),
    }?
    .map(|body| stamped(envelope, kind, body))
    .transpose()
}

fn core(envelope: Fields<'_>) -> Result<Option<Body>, Fault> {
    let status = envelope.object("event")?.and_then(|event| event.text("status").ok().flatten());
    // Older versions have no subtype, and say the same in words.
    Ok(match (envelope.get("subtype"), status) {
        (Some(Json::Number("1")), _) | (None, Some("started")) => Some(Body::SourceStarted),
        (Some(Json::Number("2")), _) | (None, Some("shutdown")) => Some(Body::SourceStopped),
        _ => None,
    })
}

/// The event around a body: who says so, when, and under which id.
fn stamped(envelope: Fields<'_>, kind: &str, body: Body) -> Result<Event, Fault> {
    let emitter = emitter(envelope)?;
    let allowed = "microseconds since 1970, in the years 1 to 9998";
    let written = envelope.get("timestamp").ok_or_else(|| Fault::missing("timestamp", allowed))?;
    let time = instant(written).ok_or_else(|| Fault::value("timestamp", written, allowed))?;
    let nothing = Json::Null;
    let mut canonical = String::new();
    envelope.get("event").unwrap_or(&nothing).push_canonical(&mut canonical);
    let id = names::digest(&[emitter, &time.micros().to_string(), kind, &canonical]);
    Ok(Event { source: format!("janus:{emitter}").into(), id, time, body })
}

fn emitter(envelope: Fields<'_>) -> Result<&str, Fault> {
    let remedy = "is required: set server_name in janus.jcfg";
    envelope.text("emitter")?.filter(|emitter| !emitter.is_empty()).ok_or_else(|| Fault::new("emitter", remedy))
}

fn instant(value: &Json<'_>) -> Option<Timestamp> {
    let Json::Number(digits) = value else { return None };
    let Decimal { negative, whole, integral } = Decimal::read(digits, 0);
    let micros = i64::try_from(whole).ok().filter(|_| integral)?;
    Some(Timestamp::from_micros(if negative { -micros } else { micros })).filter(|time| time.in_range())
}
