//! Asking Janus who is in: its HTTP API, and what its answers mean.
//!
//! A room plugin lists ids and names, and not connections. So whoever asks says which peer of the ledger an id is; one that the ledger does not
//! know becomes a peer of its own, which holds the id's slot until it leaves.

use super::room::{AUDIOBRIDGE, VIDEOROOM};
use crate::engine::{BadAnswer, Secret};
use crate::fields::{Fault, Fields};
use crate::json::{self, Decimal, Json, quoted};
use crate::names;
use rollbook_core::event::{Body, Event, PeerInfo, Place, Present, Roll};
use rollbook_core::id::{App, Home, Name, Stream};
use rollbook_core::time::Timestamp;
use std::sync::Arc;
use uuid::Uuid;

/// The plugins that have rooms.
pub const PLUGINS: [&str; 2] = [VIDEOROOM, AUDIOBRIDGE];

/// No room of this id, and an id of the other kind: by VideoRoom and by AudioBridge.
const NO_ROOM: [&str; 2] = ["426", "485"];
const WRONG_TYPE: [&str; 2] = ["430", "484"];
/// The core has no such plugin.
const NO_PLUGIN: &str = "460";

/// Makes requests, with the secrets that they take.
#[derive(Clone, Debug, Default)]
pub struct Asker {
    secrets: Vec<Secret>,
}

/// A room of one plugin of one Janus.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Room {
    /// The Janus, by the name under which it reports.
    pub emitter: Box<str>,
    /// One of [`PLUGINS`].
    pub plugin: &'static str,
    /// Its id.
    pub id: Box<str>,
}

/// Someone in a room.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Person {
    /// The id in the room.
    pub id: Box<str>,
    /// The name shown.
    pub display: Option<Box<str>>,
}

/// Who is in a room, by its plugin.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Here {
    /// They are.
    People(Vec<Person>),
    /// There is no such room.
    NoRoom,
    /// Rooms have ids of the other kind: numbers, or texts.
    WrongType,
}

impl Asker {
    /// With these secrets: `apisecret`, `token` and `admin_key`, by their ids.
    ///
    /// # Errors
    /// Where a secret is none of these.
    pub fn new(secrets: Vec<Secret>) -> Result<Self, String> {
        match secrets.iter().find(|secret| !["apisecret", "token", "admin_key"].contains(&secret.id())) {
            Some(other) => Err(format!("secrets: {:?} is none of apisecret, token, admin_key", other.id())),
            None => Ok(Self { secrets }),
        }
    }

    /// Opens a session.
    #[must_use]
    pub fn create(&self) -> String {
        self.request(r#""janus":"create""#)
    }

    /// Attaches to a plugin.
    #[must_use]
    pub fn attach(&self, plugin: &str) -> String {
        self.request(&format!(r#""janus":"attach","plugin":"janus.plugin.{plugin}""#))
    }

    /// Asks a plugin for its rooms; for private ones too, where there is an `admin_key`.
    #[must_use]
    pub fn list(&self) -> String {
        self.message(&format!(r#""request":"list"{}"#, self.given(&["admin_key"])))
    }

    /// Asks a plugin who is in a room, whose id is a text or a number.
    #[must_use]
    pub fn list_participants(&self, room: &str, as_number: bool) -> String {
        let room = if as_number { room.to_owned() } else { quoted(room) };
        self.message(&format!(r#""request":"listparticipants","room":{room}"#))
    }

    /// Closes the session.
    #[must_use]
    pub fn destroy(&self) -> String {
        self.request(r#""janus":"destroy""#)
    }

    fn message(&self, body: &str) -> String {
        self.request(&format!(r#""janus":"message","body":{{{body}}}"#))
    }

    fn request(&self, what: &str) -> String {
        // Answers come by the same connection: there is nothing to tell them apart by.
        format!(r#"{{{what},"transaction":"rollbook"{}}}"#, self.given(&["apisecret", "token"]))
    }

    fn given(&self, ids: &[&str]) -> String {
        let given = self.secrets.iter().filter(|secret| ids.contains(&secret.id()));
        given.map(|secret| format!(r#","{}":{}"#, secret.id(), quoted(&String::from_utf8_lossy(secret.bytes())))).collect()
    }
}

/// The name under which a Janus reports, of its `/info`.
///
/// # Errors
/// Where it tells none.
pub fn emitter(answer: &[u8]) -> Result<Box<str>, BadAnswer> {
    read(answer, |answer| Ok(answer.needed("server-name")?.into()))
}

/// The id of what was created, a session or a handle; none where the plugin to attach to is not there.
///
/// # Errors
/// Where it was not created for any other reason.
pub fn created(answer: &[u8]) -> Result<Option<Box<str>>, BadAnswer> {
    read(answer, |answer| match failure(answer)? {
        Some((code, _)) if code == NO_PLUGIN => Ok(None),
        Some((code, reason)) => Err(Fault::new("error", format!("{reason} ({code})"))),
        None => Ok(Some(names::id(answer.needed_object("data")?, "id")?.into())),
    })
}

/// The rooms of a plugin, each with the number of people in it.
///
/// # Errors
/// Where it lists none.
pub fn rooms(answer: &[u8]) -> Result<Vec<(Box<str>, u64)>, BadAnswer> {
    read(answer, |answer| {
        let data = data(answer)?;
        let listed = data.array("list")?.ok_or_else(|| Fault::missing("list", "an array"))?;
        let room = |room: &Json<'_>| {
            let room = Fields::of(room, "list")?;
            let many = match room.get("num_participants") {
                Some(Json::Number(digits)) => Decimal::read(digits, 0).whole,
                _ => 1,
            };
            Ok((names::id(room, "room")?.into(), many))
        };
        listed.iter().map(room).collect()
    })
}

/// Who is in a room.
///
/// # Errors
/// Where it does not tell.
pub fn participants(answer: &[u8]) -> Result<Here, BadAnswer> {
    read(answer, |answer| {
        let data = data(answer)?;
        match data.get("error_code") {
            Some(Json::Number(code)) if NO_ROOM.contains(code) => return Ok(Here::NoRoom),
            Some(Json::Number(code)) if WRONG_TYPE.contains(code) => return Ok(Here::WrongType),
            Some(code) => return Err(Fault::new("error", format!("{} ({})", data.text("error")?.unwrap_or_default(), code.shown()))),
            None => {}
        }
        let listed = data.array("participants")?.ok_or_else(|| Fault::missing("participants", "an array"))?;
        let person = |person: &Json<'_>| {
            let person = Fields::of(person, "participants")?;
            Ok(Person { id: names::id(person, "id")?.into(), display: person.filled("display")?.map(Into::into) })
        };
        listed.iter().map(person).collect::<Result<_, _>>().map(Here::People)
    })
}

fn read<T>(answer: &[u8], read: impl Fn(Fields<'_>) -> Result<T, Fault>) -> Result<T, BadAnswer> {
    let answer = json::parse(answer).map_err(|error| BadAnswer(error.to_string()))?;
    Ok(read(Fields::of(&answer, "")?)?)
}

/// What a plugin said.
fn data(answer: Fields<'_>) -> Result<Fields<'_>, Fault> {
    match failure(answer)? {
        Some((code, reason)) => Err(Fault::new("error", format!("{reason} ({code})"))),
        None => answer.needed_object("plugindata")?.needed_object("data"),
    }
}

/// Why the core did not do what was asked.
fn failure(answer: Fields<'_>) -> Result<Option<(String, String)>, Fault> {
    let Some(error) = answer.object("error")? else { return Ok(None) };
    let code = error.get("code").map(Json::shown).unwrap_or_default();
    Ok(Some((code, error.text("reason")?.unwrap_or_default().to_owned())))
}

impl Room {
    /// The source that reports of it.
    #[must_use]
    pub fn source(&self) -> String {
        format!("janus:{}", self.emitter)
    }

    fn meeting(&self) -> Name {
        Name::key(names::joined(&[&self.emitter, self.plugin, &self.id]))
    }

    /// The stream that its events are in, where rooms are not shared between instances.
    #[must_use]
    pub fn stream(&self, app: &App) -> Stream {
        Stream::meeting(app.meeting(&self.meeting()))
    }

    /// The roster of these people: each with the peer that the ledger has in under the id, else with the time at which they were first seen.
    #[must_use]
    pub fn roster(&self, people: Vec<(Person, Result<Uuid, Timestamp>)>, at: Timestamp, tolerance: i64) -> Event {
        let mut present: Vec<_> = people.into_iter().map(|(person, who)| self.present(person, who)).collect();
        present.sort_by(|one, other| one.peer.slot.cmp(&other.peer.slot));
        let place = Place { meeting_title: Some(self.id.clone()), ..Place::new(Home::Meeting(self.meeting())) };
        names::by_content(&self.source(), at, Body::SessionRoster(Arc::new(place), Roll { present, tolerance }))
    }

    fn present(&self, person: Person, who: Result<Uuid, Timestamp>) -> Present {
        let slot = names::joined(&[self.plugin, &self.id, &person.id]);
        // No connection has such a key: those are of two numbers.
        let (name, joined_at) = match who {
            Ok(peer) => (Name::id(peer), None),
            Err(seen) => (Name::key(names::joined(&["seen", self.plugin, &self.id, &person.id])), Some(seen)),
        };
        let (slot, custom_participant_id) = (Some(slot), Some(person.id));
        Present { peer: PeerInfo { slot, custom_participant_id, display_name: person.display, ..PeerInfo::new(name) }, joined_at }
    }
}
