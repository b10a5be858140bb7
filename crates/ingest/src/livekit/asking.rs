//! Asking LiveKit who is in: its RoomService (Twirp, in JSON), and what its answers mean.
//!
//! A room is asked for its participants by its name, and the answer does not say of which life of the room it is. So whoever asks
//! lists the rooms again afterwards, and takes an answer only where the room still has the `sid` that it had before.

use super::read::{self, Message};
use super::{SOURCE, joined_at, peer, place_of};
use crate::engine::{BadAnswer, Secret};
use crate::fields::{Fault, Fields};
use crate::json::{self, quoted};
use crate::{jwt, names};
use rollbook_core::event::{Body, Event, Place, Present, Roll};
use rollbook_core::id::{App, Home, Name};
use rollbook_core::time::{MINUTE, SECOND, Timestamp};
use std::sync::Arc;
use uuid::Uuid;

/// For so many microseconds a participant may be connecting. LiveKit gives up those who take longer.
pub const CONNECTING: i64 = MINUTE;

/// One request: a POST of JSON.
#[derive(Debug)]
pub struct Question {
    /// Where to, below the server's address.
    pub path: &'static str,
    /// The header `Authorization`.
    pub authorization: String,
    /// The body.
    pub body: String,
}

/// A room in one of its lives.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Room {
    /// LiveKit's id of this life of the room.
    pub sid: Box<str>,
    /// The room's name.
    pub name: Box<str>,
}

/// The id of the session that a room is in this life.
#[must_use]
pub fn session(app: &App, room: &Room) -> Uuid {
    app.session(&Name::key(&*room.sid))
}

/// Which rooms there are: all, or those of these names.
#[must_use]
pub fn list_rooms(key: &Secret, names: &[&str], now: Timestamp) -> Question {
    let names = names.iter().map(|name| quoted(name)).collect::<Vec<_>>().join(",");
    question("/twirp/livekit.RoomService/ListRooms", key, r#"{"roomList":true}"#, now, format!(r#"{{"names":[{names}]}}"#))
}

/// Who is in the room of this name.
#[must_use]
pub fn list_participants(key: &Secret, room: &str, now: Timestamp) -> Question {
    let room = quoted(room);
    let grants = format!(r#"{{"roomAdmin":true,"room":{room}}}"#);
    question("/twirp/livekit.RoomService/ListParticipants", key, &grants, now, format!(r#"{{"room":{room}}}"#))
}

fn question(path: &'static str, key: &Secret, grants: &str, now: Timestamp, body: String) -> Question {
    let at = |micros| now.plus(micros).micros() / SECOND;
    let claims = format!(r#"{{"iss":{},"nbf":{},"exp":{},"video":{grants}}}"#, quoted(key.id()), at(-MINUTE), at(5 * MINUTE));
    Question { path, authorization: format!("Bearer {}", jwt::made(&claims, key)), body }
}

/// The rooms that an answer lists. One without a name can't be asked for.
///
/// # Errors
/// Where it is no list of rooms.
pub fn rooms(answer: &[u8]) -> Result<Vec<Room>, BadAnswer> {
    let room = |room: Message<'_>| {
        let name = room.text("name")?.filter(|name| !name.is_empty()).ok_or_else(|| Fault::missing("name", "a text"))?;
        Ok(Room { sid: room.sid()?.into(), name: name.into() })
    };
    listed(answer, "rooms", room)
}

/// The roster that an answer about a room is. It was read at `at` or up to `tolerance` microseconds before.
///
/// Only connected participants are in, as only they are announced. Of those who are connecting the announcement will tell a join of now, so
/// the roster is made to say nothing of what is as young as they are, up to [`CONNECTING`]. Who joined later than `at` by their own server's
/// clock is left to the next answer: a roster can't say that someone will come.
///
/// # Errors
/// Where it is no list of participants.
pub fn roster(room: &Room, answer: &[u8], at: Timestamp, tolerance: i64) -> Result<Event, BadAnswer> {
    let listed = listed(answer, "participants", |participant| {
        Ok((read::is_active(participant), Present { peer: peer(participant)?, joined_at: joined_at(participant)? }))
    })?;
    let (active, connecting): (Vec<_>, Vec<_>) = listed.into_iter().partition(|(active, _)| *active);
    let ages = connecting.iter().filter_map(|(_, present)| Some(at.since(present.joined_at?).saturating_add(1)));
    let tolerance = ages.filter(|age| *age <= CONNECTING).max().unwrap_or(0).max(tolerance);
    let active = active.into_iter().map(|(_, present)| present);
    let mut present: Vec<_> = active.filter(|present| present.joined_at.is_none_or(|joined| joined <= at)).collect();
    // LiveKit lists them in any order, and one roster is one event.
    present.sort_by(|one, other| one.peer.name.key.cmp(&other.peer.name.key));
    Ok(event(place_of(&room.sid, Some(&room.name)), present, at, tolerance))
}

/// The roster of a session that LiveKit has no room for at `at`: nobody is in.
#[must_use]
pub fn gone(session: Uuid, at: Timestamp, tolerance: i64) -> Event {
    let home = Home::Session { session: Name::id(session), meeting: None };
    event(Arc::new(Place::new(home)), Vec::new(), at, tolerance)
}

fn event(place: Arc<Place>, present: Vec<Present>, time: Timestamp, tolerance: i64) -> Event {
    let body = Body::SessionRoster(place, Roll { present, tolerance });
    names::by_content(SOURCE, time, body)
}

/// Reads each item of a list. protojson leaves an empty list out; an object of other members is another answer, and says nothing of who is in.
fn listed<T>(answer: &[u8], member: &str, read: impl Fn(Message<'_>) -> Result<T, Fault>) -> Result<Vec<T>, BadAnswer> {
    let answer = json::parse(answer).map_err(|error| BadAnswer(error.to_string()))?;
    let answer = Fields::of(&answer, "")?;
    let items = match answer.array(member)? {
        Some(items) => items,
        None if answer.0.is_empty() => &[],
        None => return Err(Fault::missing(member, "an array").into()),
    };
    let read =
        |(index, item)| Fields::of(item, "").and_then(|item| read(Message(item))).map_err(|fault: Fault| fault.at(index).within(member));
    items.iter().enumerate().map(read).collect::<Result<_, _>>().map_err(BadAnswer::from)
}
