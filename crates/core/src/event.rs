//! One immutable fact with an engine's time, in its normal form.

use crate::id::{Home, Name, Parent};
use crate::time::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::sync::Arc;

/// A fact that a source reported. `(stream, source, id)` is its identity; type, time and data are its content.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Event {
    /// The engine instance that reported (CloudEvents `source`).
    pub source: Box<str>,
    /// The source's own id of the fact (CloudEvents `id`).
    pub id: Box<str>,
    /// When it happened, by the engine's clock.
    pub time: Timestamp,
    /// What happened.
    pub body: Body,
}

/// What an event says. The order of the variants is part of the stored format: append only.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Body {
    /// A peer is known, and not yet in.
    PeerCreated(Arc<Place>, PeerInfo),
    /// A peer came in.
    PeerJoined(Arc<Place>, PeerInfo),
    /// A peer went out.
    PeerLeft(Arc<Place>, Leaver, Leave),
    /// The session began.
    SessionStarted(Arc<Place>),
    /// The session was ended, with the reason where one was given.
    SessionEnded(Arc<Place>, Option<Box<str>>),
    /// Everyone who is in through this source at the event's time.
    SessionRoster(Arc<Place>, Roll),
    /// The source began: whoever was in through it is out.
    SourceStarted,
    /// The source stopped: whoever was in through it is out.
    SourceStopped,
}

/// The session that an event is about, and what the event tells of it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Place {
    /// The named session, or the meeting whose sessions are unnamed.
    pub home: Home,
    /// The meeting's title.
    pub meeting_title: Option<Box<str>>,
    /// What this session is a breakout of.
    pub parent: Option<Parent>,
    /// How long the session outlives its last peer: 60 to 600 seconds.
    pub keep_alive_seconds: Option<u16>,
}

impl Place {
    /// A place of which nothing but its home is known.
    #[must_use]
    pub fn new(home: Home) -> Self {
        Self { home, meeting_title: None, parent: None, keep_alive_seconds: None }
    }

    /// The meeting's name, where it is known.
    #[must_use]
    pub fn meeting(&self) -> Option<&Name> {
        match &self.home {
            Home::Session { meeting, .. } => meeting.as_ref(),
            Home::Meeting(meeting) => Some(meeting),
        }
    }
}

/// A peer and what an event tells of it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct PeerInfo {
    /// The peer's own name.
    pub name: Name,
    /// The place in the meeting that the peer takes, where the engine's leaves name only that.
    pub slot: Option<Box<str>>,
    /// The person's permanent id.
    pub user_id: Option<Box<str>>,
    /// The id that the product gave the person.
    pub custom_participant_id: Option<Box<str>>,
    /// The name shown in the call.
    pub display_name: Option<Box<str>>,
    /// The preset (role) that the peer came with.
    pub preset_name: Option<Box<str>>,
    /// The preset's kind of view.
    pub preset_view_type: Option<Box<str>>,
    /// Person or robot; a person where no event says it.
    pub kind: Option<Kind>,
}

impl PeerInfo {
    /// A peer of whom nothing but the name is known.
    #[must_use]
    pub fn new(name: Name) -> Self {
        let (slot, user_id, custom_participant_id, display_name, preset_name, preset_view_type) = (None, None, None, None, None, None);
        Self { name, slot, user_id, custom_participant_id, display_name, preset_name, preset_view_type, kind: None }
    }
}

/// Whether a peer is a person, or a recorder, an egress, an agent.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Kind {
    /// Someone whose attendance counts.
    Person,
    /// Recorded, and neither listed nor counted.
    Robot,
}

/// Who left.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Leaver {
    /// A peer by its name.
    Peer(PeerInfo),
    /// Whoever holds this slot of the event's source at that time.
    Slot(Box<str>),
}

/// What a leave tells beside who left and when.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Leave {
    /// Why the peer left, in the engine's words.
    pub reason: Option<Box<str>>,
    /// When the peer had joined, where the engine repeats it.
    pub joined_at: Option<Timestamp>,
    /// How long before the leave the peer may already have been gone, in microseconds; not negative.
    pub uncertain: i64,
}

/// Everyone who is in through one source at one time.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Roll {
    /// Who is in. Each peer once: of a peer named twice, the first entry counts.
    pub present: Vec<Present>,
    /// How far the clocks and the poll may be off, in microseconds; not negative.
    pub tolerance: i64,
}

impl Roll {
    /// The tolerance of a roster that names none: 5 seconds.
    pub const DEFAULT_TOLERANCE: i64 = 5 * crate::time::SECOND;
}

/// One entry of a roster.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Present {
    /// Who is in.
    pub peer: PeerInfo,
    /// Since when, where the engine tells.
    pub joined_at: Option<Timestamp>,
}

/// The identity of an event within its stream: a digest of source and id.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Identity(pub [u8; 16]);

/// A digest of an event's content: type, time and data.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Content(pub [u8; 16]);

/// How many bytes of data an event mostly has at most.
const USUAL: usize = 256;

impl Event {
    /// The place that the event is about; none for a source's life-cycle.
    #[must_use]
    pub fn place(&self) -> Option<&Place> {
        self.shared_place().map(AsRef::as_ref)
    }

    pub(crate) fn shared_place(&self) -> Option<&Arc<Place>> {
        match &self.body {
            Body::PeerCreated(place, _)
            | Body::PeerJoined(place, _)
            | Body::PeerLeft(place, ..)
            | Body::SessionStarted(place)
            | Body::SessionEnded(place, _)
            | Body::SessionRoster(place, _) => Some(place),
            Body::SourceStarted | Body::SourceStopped => None,
        }
    }

    /// The digest of the event's identity within its stream.
    #[must_use]
    pub fn identity(&self) -> Identity {
        let mut hash = Sha256::new();
        hash.update((self.source.len() as u64).to_le_bytes());
        hash.update(self.source.as_bytes());
        hash.update(self.id.as_bytes());
        Identity(half(&hash.finalize()))
    }

    /// The digest of the event's content: two events of one identity are duplicates where it is equal, else in conflict.
    #[must_use]
    pub fn content(&self) -> Content {
        // Serialising owned plain data into memory has no way to fail; an empty text would only make two events look alike.
        let data = postcard::to_extend(&(self.time, &self.body), Vec::with_capacity(USUAL)).unwrap_or_default();
        Content(half(&Sha256::digest(data)))
    }
}

fn half(digest: &[u8]) -> [u8; 16] {
    let mut out = [0; 16];
    out.copy_from_slice(&digest[..16]);
    out
}
