//! Version 2, read: the mirror of [`packed`](super::packed).

use super::dense::{Field, REMEMBERED, SAME_PLACE, SAME_SOURCE, TELLS_MORE, WORDS, leave, peer, place, text, unfolded, what};
use crate::event::{Body, Event, Kind, Leave, Leaver, PeerInfo, Place, Present, Roll};
use crate::id::{Home, Name, Parent, Stream};
use crate::time::Timestamp;
use std::sync::Arc;
use uuid::Uuid;

/// What is wrong with the bytes.
type Damage = &'static str;

/// What is made room for is what so many bytes each would be: damaged bytes must not ask for more memory than there is.
const LEAST: usize = 8;

pub(super) fn decode(stream: Stream, bytes: &[u8]) -> Result<Vec<Event>, Damage> {
    let mut unpacked = Unpacked {
        bytes,
        stream,
        source: None,
        place: None,
        time: 0,
        words: WORDS.to_vec(),
        places: Vec::new(),
        texts: std::array::from_fn(|_| Vec::new()),
    };
    let count = unpacked.count()?;
    let mut events = Vec::with_capacity(count.min(unpacked.bytes.len() / LEAST + 1));
    for _ in 0..count {
        events.push(unpacked.event()?);
    }
    if unpacked.bytes.is_empty() { Ok(events) } else { Err("more bytes than events") }
}

struct Unpacked<'b> {
    bytes: &'b [u8],
    stream: Stream,
    source: Option<&'b str>,
    place: Option<Arc<Place>>,
    time: i64,
    words: Vec<&'b str>,
    places: Vec<Arc<Place>>,
    texts: [Vec<u8>; Field::COUNT],
}

impl<'b> Unpacked<'b> {
    fn take(&mut self, length: usize) -> Result<&'b [u8], Damage> {
        let (taken, rest) = self.bytes.split_at_checked(length).ok_or("it is cut short")?;
        self.bytes = rest;
        Ok(taken)
    }

    fn number(&mut self) -> Result<u64, Damage> {
        let (mut number, mut shift) = (0, 0);
        loop {
            let (byte, rest) = self.bytes.split_first().ok_or("it is cut short")?;
            self.bytes = rest;
            number |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok(number);
            }
            shift += 7;
            if shift > 63 {
                return Err("a number is too long");
            }
        }
    }

    fn signed(&mut self) -> Result<i64, Damage> {
        self.number().map(unfolded)
    }

    /// How many things follow; each takes a byte at least.
    fn count(&mut self) -> Result<usize, Damage> {
        let count = usize::try_from(self.number()?).ok();
        count.filter(|count| *count <= self.bytes.len()).ok_or("it is cut short")
    }

    fn uuid(&mut self) -> Result<Uuid, Damage> {
        Uuid::from_slice(self.take(16)?).map_err(|_| "a UUID is none")
    }

    fn text(&mut self, field: Field) -> Result<Box<str>, Damage> {
        let begin = self.number()?;
        let (how, length) = (begin & ((1 << text::BITS) - 1), usize::try_from(begin >> text::BITS).unwrap_or(usize::MAX));
        let shared = match how {
            text::PLAIN => 0,
            text::GOES_ON => usize::try_from(self.number()?).unwrap_or(usize::MAX),
            text::UUID => {
                let mut written = Uuid::encode_buffer();
                let written = self.uuid()?.as_hyphenated().encode_lower(&mut written);
                self.texts[field as usize] = written.as_bytes().to_vec();
                return Ok((&*written).into());
            }
            _ => return Err("a text is written in no known way"),
        };
        let rest = self.take(length)?;
        let whole = &mut self.texts[field as usize];
        if shared > whole.len() {
            return Err("a text goes on from more than there was");
        }
        whole.truncate(shared);
        whole.extend_from_slice(rest);
        std::str::from_utf8(whole).map(Into::into).map_err(|_| "a text is not UTF-8")
    }

    fn word(&mut self) -> Result<&'b str, Damage> {
        let back = self.number()?;
        if back > 0 {
            return recalled(&self.words, back).copied();
        }
        let length = usize::try_from(self.number()?).unwrap_or(usize::MAX);
        let word = std::str::from_utf8(self.take(length)?).map_err(|_| "a text is not UTF-8")?;
        self.words.push(word);
        Ok(word)
    }

    fn event(&mut self) -> Result<Event, Damage> {
        let first = self.number()?;
        if first & SAME_SOURCE == 0 {
            self.source = Some(self.word()?);
        }
        let source = self.source.ok_or("there is no source before the first")?.into();
        let id = self.text(Field::EventId)?;
        self.time = self.time.wrapping_add(self.signed()?);
        let time = Timestamp::from_micros(self.time);
        let kind = first & what::MASK;
        if first & SAME_PLACE == 0 && kind < what::SOURCE_STARTED {
            self.place = Some(self.place()?);
        }
        let body = self.body(kind, first & TELLS_MORE != 0, time)?;
        Ok(Event { source, id, time, body })
    }

    fn body(&mut self, kind: u64, tells_more: bool, at: Timestamp) -> Result<Body, Damage> {
        let place = self.place.clone().ok_or("there is no session before the first");
        Ok(match kind {
            what::CREATED => Body::PeerCreated(place?, self.peer()?.0),
            what::JOINED => Body::PeerJoined(place?, self.peer()?.0),
            what::LEFT | what::LEFT_SLOT => {
                let leaver = if kind == what::LEFT { Leaver::Peer(self.peer()?.0) } else { Leaver::Slot(self.text(Field::Slot)?) };
                Body::PeerLeft(place?, leaver, if tells_more { self.leave(at)? } else { Leave::default() })
            }
            what::SESSION_STARTED => Body::SessionStarted(place?),
            what::SESSION_ENDED => Body::SessionEnded(place?, if tells_more { Some(self.word()?.into()) } else { None }),
            what::ROSTER => Body::SessionRoster(place?, self.roll(at)?),
            what::SOURCE_STARTED => Body::SourceStarted,
            what::SOURCE_STOPPED => Body::SourceStopped,
            _ => return Err("an event is of no known kind"),
        })
    }

    fn place(&mut self) -> Result<Arc<Place>, Damage> {
        let back = self.number()?;
        if back > 0 {
            return recalled(&self.places, back).cloned();
        }
        let told = self.number()?;
        let mut home = self.name(Field::HomeKey)?;
        if told & place::OF_STREAM != 0 {
            home.id = Some(self.stream.id);
        }
        let meeting = if told & place::MEETING == 0 { None } else { Some(self.name(Field::MeetingKey)?) };
        let meeting_title = if told & place::TITLE == 0 { None } else { Some(self.text(Field::Title)?) };
        let parent = match told & (place::PARENT_SESSION | place::PARENT_MEETING) {
            0 => None,
            place::PARENT_SESSION => Some(Parent::Session(self.name(Field::ParentKey)?)),
            place::PARENT_MEETING => Some(Parent::Meeting(self.name(Field::ParentKey)?)),
            _ => return Err("a session has two parents"),
        };
        let keep_alive_seconds = if told & place::KEEP_ALIVE == 0 { None } else { Some(self.seconds()?) };
        let home = if told & place::NAMED == 0 { Home::Meeting(home) } else { Home::Session { session: home, meeting } };
        let place = Arc::new(Place { home, meeting_title, parent, keep_alive_seconds });
        self.places.push(Arc::clone(&place));
        Ok(place)
    }

    fn seconds(&mut self) -> Result<u16, Damage> {
        u16::try_from(self.number()?).map_err(|_| "a keep-alive is too long")
    }

    fn name(&mut self, field: Field) -> Result<Name, Damage> {
        let told = self.number()?;
        self.id_and_key(field, told)
    }

    fn id_and_key(&mut self, field: Field, told: u64) -> Result<Name, Damage> {
        let id = if told & peer::ID == 0 { None } else { Some(self.uuid()?) };
        let key = if told & peer::KEY == 0 { None } else { Some(self.text(field)?) };
        Ok(Name { id, key })
    }

    /// A peer, and in a roster since when.
    fn peer(&mut self) -> Result<(PeerInfo, bool), Damage> {
        let told = self.number()?;
        let name = self.id_and_key(Field::PeerKey, told)?;
        let mut text = |bit, field| if told & bit == 0 { Ok(None) } else { self.text(field).map(Some) };
        let (slot, user_id) = (text(peer::SLOT, Field::Slot)?, text(peer::USER_ID, Field::UserId)?);
        let (custom_participant_id, display_name) =
            (text(peer::CUSTOM_ID, Field::CustomId)?, text(peer::DISPLAY_NAME, Field::DisplayName)?);
        let mut word = |bit| if told & bit == 0 { Ok(None) } else { self.word().map(|word| Some(word.into())) };
        let (preset_name, preset_view_type) = (word(peer::PRESET_NAME)?, word(peer::VIEW_TYPE)?);
        let kind = match told & (peer::PERSON | peer::ROBOT) {
            0 => None,
            peer::PERSON => Some(Kind::Person),
            peer::ROBOT => Some(Kind::Robot),
            _ => return Err("a peer is a person and a robot"),
        };
        let info = PeerInfo { name, slot, user_id, custom_participant_id, display_name, preset_name, preset_view_type, kind };
        Ok((info, told & peer::JOINED_AT != 0))
    }

    fn leave(&mut self, at: Timestamp) -> Result<Leave, Damage> {
        let told = self.number()?;
        let reason = if told & leave::REASON == 0 { None } else { Some(self.word()?.into()) };
        let joined_at = if told & leave::JOINED_AT == 0 { None } else { Some(self.near(at)?) };
        let uncertain = if told & leave::UNCERTAIN == 0 { 0 } else { self.signed()? };
        Ok(Leave { reason, joined_at, uncertain })
    }

    fn near(&mut self, at: Timestamp) -> Result<Timestamp, Damage> {
        Ok(Timestamp::from_micros(at.micros().wrapping_add(self.signed()?)))
    }

    fn roll(&mut self, at: Timestamp) -> Result<Roll, Damage> {
        let tolerance = self.signed()?;
        let count = self.count()?;
        let mut present = Vec::with_capacity(count.min(self.bytes.len() / LEAST + 1));
        for _ in 0..count {
            let (peer, is_told) = self.peer()?;
            present.push(Present { peer, joined_at: if is_told { Some(self.near(at)?) } else { None } });
        }
        Ok(Roll { present, tolerance })
    }
}

/// What was new so far back.
fn recalled<T>(known: &[T], back: u64) -> Result<&T, Damage> {
    let back = usize::try_from(back).ok().filter(|back| *back <= REMEMBERED);
    back.and_then(|back| known.len().checked_sub(back)).and_then(|ix| known.get(ix)).ok_or("something is named that was not told")
}
