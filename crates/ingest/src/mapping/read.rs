//! Reading a delivery as a mapping file says.

use super::file::{Act, Fields, File, Pointers, Robot, Time, TimeUnit};
use crate::fields::{Fault, Unit, epoch, instant};
use crate::json::{Decimal, Json};
use crate::names;
use rollbook_core::event::{Body, Event, Kind, Leave, Leaver, PeerInfo, Place};
use rollbook_core::id::{Home, Parent};
use rollbook_core::time::Timestamp;
use std::sync::Arc;

/// The events of a body, or of each item of the array that the file points to.
pub(super) fn events(file: &File, body: &Json<'_>, received_at: Timestamp) -> Vec<Result<Vec<Event>, Fault>> {
    let one = |item| event(file, At { item, body }, received_at).map(|event| event.into_iter().collect());
    match file.items.as_deref().map(|pointer| (pointer, body.pointer(pointer))) {
        None => vec![one(body)],
        Some((_, Some(Json::Array(items)))) => items.iter().map(one).collect(),
        // What has no such array is a report of something else.
        Some((_, None | Some(Json::Null))) => Vec::new(),
        Some((pointer, Some(other))) => vec![Err(Fault::value(pointer, other, "an array"))],
    }
}

/// An item, and the body that it is in, or is.
#[derive(Clone, Copy)]
struct At<'m, 'j> {
    item: &'m Json<'j>,
    body: &'m Json<'j>,
}

impl<'m, 'j> At<'m, 'j> {
    fn pointer(self, pointer: &str) -> Option<&'m Json<'j>> {
        match pointer.strip_prefix('^') {
            Some(pointer) => self.body.pointer(pointer),
            None => self.item.pointer(pointer),
        }
    }
}

/// The event that an item is, none where its word is none of the file's.
fn event(file: &File, at: At<'_, '_>, received_at: Timestamp) -> Result<Option<Event>, Fault> {
    let word = text(at, &file.word)?.ok_or_else(|| missing(&file.word))?;
    let Some((own, act)) = file.events.get(&*word).and_then(|own| Some((own, own.is?))) else { return Ok(None) };
    let reader = Reader { at, own, common: &file.fields, received_at };
    let (time, is_arrival) = reader.time(|fields| fields.time.as_ref())?.ok_or_else(|| Fault::new("", "the time is missing"))?;
    let place = reader.place()?;
    let reason = reader.text(|fields| fields.reason.as_ref())?;
    let body = match act {
        Act::SessionStarted => Body::SessionStarted(place),
        Act::SessionEnded => Body::SessionEnded(place, reason),
        Act::PeerJoined => Body::PeerJoined(place, reader.peer()?),
        Act::PeerLeft => {
            let joined_at = reader.time(|fields| fields.joined_at.as_ref())?.map(|(time, _)| time);
            Body::PeerLeft(place, Leaver::Peer(reader.peer()?), Leave { reason, joined_at, uncertain: 0 })
        }
    };
    let id = match reader.text(|fields| fields.id.as_ref())? {
        Some(id) => id,
        // An item may say only with its body when it happened.
        None => digest(at.item, (is_arrival || file.items.is_some()).then_some(time)),
    };
    Ok(Some(Event { source: file.source.clone(), id, time, body }))
}

fn digest(item: &Json<'_>, time: Option<Timestamp>) -> Box<str> {
    let mut canonical = String::new();
    item.push_canonical(&mut canonical);
    names::digest(&[&canonical, &time.map_or_else(String::new, |time| time.micros().to_string())])
}

/// An item, and where its fields are.
#[derive(Clone, Copy)]
struct Reader<'m, 'j> {
    at: At<'m, 'j>,
    own: &'m Fields,
    common: &'m Fields,
    received_at: Timestamp,
}

impl<'m> Reader<'m, '_> {
    fn field<T>(&self, get: impl Fn(&'m Fields) -> Option<&'m T>) -> Option<&'m T> {
        get(self.own).or_else(|| get(self.common))
    }

    fn text(&self, get: impl Fn(&'m Fields) -> Option<&'m Pointers>) -> Result<Option<Box<str>>, Fault> {
        self.field(get).map_or(Ok(None), |pointers| text(self.at, pointers))
    }

    fn needed(&self, get: impl Fn(&'m Fields) -> Option<&'m Pointers>) -> Result<Box<str>, Fault> {
        let nowhere = Pointers::default();
        let pointers = self.field(get).unwrap_or(&nowhere);
        text(self.at, pointers)?.ok_or_else(|| missing(pointers))
    }

    /// An instant, and whether it is that of the arrival.
    fn time(&self, get: impl Fn(&'m Fields) -> Option<&'m Time>) -> Result<Option<(Timestamp, bool)>, Fault> {
        let Some(time) = self.field(get) else { return Ok(None) };
        let Some((pointer, value)) = first(self.at, &time.at) else {
            return if time.or_arrival { Ok(Some((self.received_at, true))) } else { Err(missing(&time.at)) };
        };
        let read = match (time.unit, value) {
            (TimeUnit::Rfc3339, Json::Text(text)) => Some(instant(pointer, text)?),
            (TimeUnit::Rfc3339, _) => None,
            (TimeUnit::Seconds, _) => epoch(value, Unit::Seconds),
            (TimeUnit::Milliseconds, _) => epoch(value, Unit::Millis),
        };
        let read = read.ok_or_else(|| Fault::value(pointer, value, &format!("an instant ({:?})", time.unit)))?;
        let plus = time.plus_seconds.as_ref().map(|pointers| seconds(self.at, pointers)).transpose()?;
        Ok(Some((read.plus(plus.unwrap_or(0)), false)).filter(|(time, _)| time.in_range()))
    }

    fn place(&self) -> Result<Arc<Place>, Fault> {
        let meeting = self.text(|fields| fields.meeting.as_ref())?.map(|meeting| names::named(&meeting));
        let home = match (self.text(|fields| fields.session.as_ref())?, meeting) {
            (Some(session), meeting) => Home::Session { session: names::named(&session), meeting },
            (None, Some(meeting)) => Home::Meeting(meeting),
            (None, None) => Home::Session { session: names::named(&self.needed(|fields| fields.session.as_ref())?), meeting: None },
        };
        let parent = self.text(|fields| fields.parent.as_ref())?.map(|parent| Parent::Session(names::named(&parent)));
        Ok(Arc::new(Place { meeting_title: self.text(|fields| fields.title.as_ref())?, parent, ..Place::new(home) }))
    }

    fn peer(&self) -> Result<PeerInfo, Fault> {
        let name = names::named(&self.needed(|fields| fields.peer.as_ref())?);
        let is_robot = |Robot { at, values }: &Robot| Ok::<_, Fault>(text(self.at, at)?.is_some_and(|value| values.contains(&value)));
        let robot = self.field(|fields| fields.robot.as_ref()).map(is_robot).transpose()?;
        Ok(PeerInfo {
            user_id: self.text(|fields| fields.user_id.as_ref())?,
            custom_participant_id: self.text(|fields| fields.custom_participant_id.as_ref())?,
            display_name: self.text(|fields| fields.display_name.as_ref())?,
            preset_name: self.text(|fields| fields.preset_name.as_ref())?,
            kind: robot.map(|robot| if robot { Kind::Robot } else { Kind::Person }),
            ..PeerInfo::new(name)
        })
    }
}

/// The first of the pointers that points to something but `null` and the empty text.
fn first<'m, 'j>(at: At<'m, 'j>, pointers: &'m Pointers) -> Option<(&'m str, &'m Json<'j>)> {
    pointers.0.iter().find_map(|pointer| {
        let value = at.pointer(pointer)?;
        let says_nothing = matches!(value, Json::Null) || matches!(value, Json::Text(text) if text.is_empty());
        (!says_nothing).then_some((&**pointer, value))
    })
}

fn text(at: At<'_, '_>, pointers: &Pointers) -> Result<Option<Box<str>>, Fault> {
    match first(at, pointers) {
        None => Ok(None),
        Some((_, Json::Text(text))) => Ok(Some((&**text).into())),
        Some((_, Json::Number(digits))) => Ok(Some((*digits).into())),
        Some((pointer, other)) => Err(Fault::value(pointer, other, "a text or a number")),
    }
}

fn seconds(at: At<'_, '_>, pointers: &Pointers) -> Result<i64, Fault> {
    match first(at, pointers) {
        Some((_, Json::Number(digits))) if !Decimal::read(digits, 6).negative => {
            Ok(i64::try_from(Decimal::read(digits, 6).whole).unwrap_or(i64::MAX))
        }
        Some((pointer, other)) => Err(Fault::value(pointer, other, "a number of seconds")),
        None => Err(missing(pointers)),
    }
}

fn missing(pointers: &Pointers) -> Fault {
    Fault::new(&pointers.0.join(" or "), "is required")
}
