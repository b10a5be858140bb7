//! Version 2: the events of a batch one after the other, each without what it shares with those before it or with its stream.
//!
//! A number has seven bits a byte, the lowest first. A batch begins with how many events it has. An event has its kind with the bits of
//! [`dense`](super::dense), its source where it is not that of the one before, its id, its time as the distance from the one before, what it
//! tells of its session where that is not what the one before told, and then what its kind tells. Sources, presets, reasons and sessions that
//! come again are named by how far back they were: 0 is a new one, which follows; 1 the last that was new.

use super::Version;
use super::dense::{Field, REMEMBERED, SAME_PLACE, SAME_SOURCE, TELLS_MORE, WORDS, folded, leave, peer, place, text, uuid_of, what};
use crate::event::{Body, Event, Kind, Leave, Leaver, PeerInfo, Place, Roll};
use crate::id::{Home, Name, Parent, Stream};
use crate::time::Timestamp;
use std::sync::Arc;
use uuid::Uuid;

/// About how many bytes an event takes.
const USUAL: usize = 96;

pub(super) fn encode<'e>(stream: Stream, events: impl ExactSizeIterator<Item = &'e Event>) -> Vec<u8> {
    let mut out = Vec::with_capacity(16 + USUAL * events.len());
    out.push(Version::Two as u8);
    let mut packed =
        Packed { out, stream, source: None, place: None, time: 0, words: WORDS.to_vec(), places: Vec::new(), texts: [""; Field::COUNT] };
    packed.number(events.len() as u64);
    for event in events {
        packed.event(event);
    }
    packed.out
}

struct Packed<'e> {
    out: Vec<u8>,
    stream: Stream,
    /// The source and the place of the event before.
    source: Option<&'e str>,
    place: Option<&'e Arc<Place>>,
    time: i64,
    /// What was new, in order.
    words: Vec<&'e str>,
    places: Vec<&'e Arc<Place>>,
    /// The last text of each field.
    texts: [&'e str; Field::COUNT],
}

impl<'e> Packed<'e> {
    fn number(&mut self, mut number: u64) {
        while number > 0x7f {
            self.out.push(number as u8 | 0x80);
            number >>= 7;
        }
        self.out.push(number as u8);
    }

    fn signed(&mut self, number: i64) {
        self.number(folded(number));
    }

    fn uuid(&mut self, uuid: Uuid) {
        self.out.extend_from_slice(uuid.as_bytes());
    }

    fn text(&mut self, field: Field, text: &'e str) {
        let before = std::mem::replace(&mut self.texts[field as usize], text);
        if let Some(uuid) = uuid_of(text) {
            self.number(text::UUID);
            return self.uuid(uuid);
        }
        let shared = before.bytes().zip(text.bytes()).take_while(|(a, b)| a == b).count();
        let (how, skipped) = if shared > 1 { (text::GOES_ON, shared) } else { (text::PLAIN, 0) };
        let rest = &text.as_bytes()[skipped..];
        self.number((rest.len() as u64) << text::BITS | how);
        if how == text::GOES_ON {
            self.number(shared as u64);
        }
        self.out.extend_from_slice(rest);
    }

    /// A text that comes again and again.
    fn word(&mut self, word: &'e str) {
        let back = self.words.iter().rev().take(REMEMBERED).position(|known| *known == word);
        self.number(back.map_or(0, |back| back as u64 + 1));
        if back.is_none() {
            self.words.push(word);
            self.number(word.len() as u64);
            self.out.extend_from_slice(word.as_bytes());
        }
    }

    fn event(&mut self, event: &'e Event) {
        let told = event.shared_place();
        let same_source = self.source == Some(&*event.source);
        let same_place = told.is_some() && told == self.place;
        let kind = kind_of(&event.body);
        self.number(kind | bit(same_source, SAME_SOURCE) | bit(same_place, SAME_PLACE) | bit(tells_more(&event.body), TELLS_MORE));
        if !same_source {
            self.source = Some(&event.source);
            self.word(&event.source);
        }
        self.text(Field::EventId, &event.id);
        self.signed(event.time.micros().wrapping_sub(self.time));
        self.time = event.time.micros();
        if let Some(told) = told
            && !same_place
        {
            self.place = Some(told);
            self.place(told);
        }
        self.body(&event.body, event.time);
    }

    fn body(&mut self, body: &'e Body, at: Timestamp) {
        match body {
            Body::PeerCreated(_, info) | Body::PeerJoined(_, info) => self.peer(info, 0),
            Body::PeerLeft(_, leaver, left) => {
                match leaver {
                    Leaver::Peer(info) => self.peer(info, 0),
                    Leaver::Slot(slot) => self.text(Field::Slot, slot),
                }
                if *left != Leave::default() {
                    self.leave(left, at);
                }
            }
            Body::SessionEnded(_, Some(reason)) => self.word(reason),
            Body::SessionRoster(_, roll) => self.roll(roll, at),
            Body::SessionStarted(_) | Body::SessionEnded(_, None) | Body::SourceStarted | Body::SourceStopped => {}
        }
    }

    fn place(&mut self, told: &'e Arc<Place>) {
        let back = self.places.iter().rev().take(REMEMBERED).position(|known| *known == told);
        self.number(back.map_or(0, |back| back as u64 + 1));
        if back.is_some() {
            return;
        }
        self.places.push(told);
        let Place { home, meeting_title, parent, keep_alive_seconds } = &**told;
        let (home, meeting, named) = match home {
            Home::Session { session, meeting } => (session, meeting.as_ref(), place::NAMED),
            Home::Meeting(meeting) => (meeting, None, 0),
        };
        let of_stream = home.id == Some(self.stream.id);
        let of_parent = match parent {
            Some(Parent::Session(_)) => place::PARENT_SESSION,
            Some(Parent::Meeting(_)) => place::PARENT_MEETING,
            None => 0,
        };
        self.number(
            named
                | of_parent
                | bit(meeting.is_some(), place::MEETING)
                | bit(meeting_title.is_some(), place::TITLE)
                | bit(keep_alive_seconds.is_some(), place::KEEP_ALIVE)
                | bit(of_stream, place::OF_STREAM),
        );
        self.name(Field::HomeKey, home, of_stream);
        if let Some(meeting) = meeting {
            self.name(Field::MeetingKey, meeting, false);
        }
        if let Some(title) = meeting_title {
            self.text(Field::Title, title);
        }
        if let Some(Parent::Session(name) | Parent::Meeting(name)) = parent {
            self.name(Field::ParentKey, name, false);
        }
        if let Some(seconds) = keep_alive_seconds {
            self.number((*seconds).into());
        }
    }

    fn name(&mut self, field: Field, name: &'e Name, id_is_known: bool) {
        let id = name.id.filter(|_| !id_is_known);
        self.number(bit(id.is_some(), peer::ID) | bit(name.key.is_some(), peer::KEY));
        self.id_and_key(field, id, name.key.as_deref());
    }

    fn id_and_key(&mut self, field: Field, id: Option<Uuid>, key: Option<&'e str>) {
        if let Some(id) = id {
            self.uuid(id);
        }
        if let Some(key) = key {
            self.text(field, key);
        }
    }

    fn peer(&mut self, info: &'e PeerInfo, more: u64) {
        let PeerInfo { name, slot, user_id, custom_participant_id, display_name, preset_name, preset_view_type, kind } = info;
        let kind = match kind {
            Some(Kind::Person) => peer::PERSON,
            Some(Kind::Robot) => peer::ROBOT,
            None => 0,
        };
        self.number(
            more | kind
                | bit(name.id.is_some(), peer::ID)
                | bit(name.key.is_some(), peer::KEY)
                | bit(slot.is_some(), peer::SLOT)
                | bit(user_id.is_some(), peer::USER_ID)
                | bit(custom_participant_id.is_some(), peer::CUSTOM_ID)
                | bit(display_name.is_some(), peer::DISPLAY_NAME)
                | bit(preset_name.is_some(), peer::PRESET_NAME)
                | bit(preset_view_type.is_some(), peer::VIEW_TYPE),
        );
        self.id_and_key(Field::PeerKey, name.id, name.key.as_deref());
        let texts =
            [(Field::Slot, slot), (Field::UserId, user_id), (Field::CustomId, custom_participant_id), (Field::DisplayName, display_name)];
        for (field, text) in texts {
            if let Some(text) = text {
                self.text(field, text);
            }
        }
        for word in [preset_name, preset_view_type].into_iter().flatten() {
            self.word(word);
        }
    }

    fn leave(&mut self, left: &'e Leave, at: Timestamp) {
        let Leave { reason, joined_at, uncertain } = left;
        let told = bit(reason.is_some(), leave::REASON) | bit(joined_at.is_some(), leave::JOINED_AT);
        self.number(told | bit(*uncertain != 0, leave::UNCERTAIN));
        if let Some(reason) = reason {
            self.word(reason);
        }
        if let Some(joined_at) = joined_at {
            self.signed(joined_at.micros().wrapping_sub(at.micros()));
        }
        if *uncertain != 0 {
            self.signed(*uncertain);
        }
    }

    fn roll(&mut self, roll: &'e Roll, at: Timestamp) {
        self.signed(roll.tolerance);
        self.number(roll.present.len() as u64);
        for present in &roll.present {
            self.peer(&present.peer, bit(present.joined_at.is_some(), peer::JOINED_AT));
            if let Some(joined_at) = present.joined_at {
                self.signed(joined_at.micros().wrapping_sub(at.micros()));
            }
        }
    }
}

fn bit(told: bool, bit: u64) -> u64 {
    if told { bit } else { 0 }
}

fn kind_of(body: &Body) -> u64 {
    match body {
        Body::PeerCreated(..) => what::CREATED,
        Body::PeerJoined(..) => what::JOINED,
        Body::PeerLeft(_, Leaver::Peer(_), _) => what::LEFT,
        Body::PeerLeft(_, Leaver::Slot(_), _) => what::LEFT_SLOT,
        Body::SessionStarted(_) => what::SESSION_STARTED,
        Body::SessionEnded(..) => what::SESSION_ENDED,
        Body::SessionRoster(..) => what::ROSTER,
        Body::SourceStarted => what::SOURCE_STARTED,
        Body::SourceStopped => what::SOURCE_STOPPED,
    }
}

fn tells_more(body: &Body) -> bool {
    match body {
        Body::PeerLeft(_, _, left) => *left != Leave::default(),
        Body::SessionEnded(_, reason) => reason.is_some(),
        _ => false,
    }
}
