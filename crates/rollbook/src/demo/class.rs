//! Who is in the class, where, and the events that tell of it.

use rollbook_core::event::{Body, Event, Leave, Leaver, PeerInfo, Place};
use rollbook_core::id::{App, Home, Name, Parent};
use rollbook_core::time::Timestamp;
use uuid::Uuid;

/// Where in the class someone is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Room {
    /// The class itself.
    Main,
    /// The one breakout.
    Red,
    /// The other.
    Blue,
}

impl Room {
    pub(super) const ALL: [Self; 3] = [Self::Main, Self::Red, Self::Blue];

    fn suffix(self) -> &'static str {
        match self {
            Self::Main => "",
            Self::Red => "-red",
            Self::Blue => "-blue",
        }
    }

    fn title(self) -> &'static str {
        match self {
            Self::Main => "Algebra I",
            Self::Red => "Algebra I, red group",
            Self::Blue => "Algebra I, blue group",
        }
    }

    /// How the room is spoken of.
    pub(super) fn spoken(self) -> &'static str {
        match self {
            Self::Main => "the class",
            Self::Red => "the red group",
            Self::Blue => "the blue group",
        }
    }
}

/// The people. The first is the teacher, who stays.
pub(super) const PEOPLE: [&str; 11] = ["Ms Rivera", "Ana", "Ben", "Chloé", "Dev", "Emi", "Finn", "Grace", "Hamza", "Inês", "Jonas"];

/// One run of the class. Each has a session of its own, so that runs on one data folder don't mix.
pub struct Class {
    run: String,
    told: u32,
    /// For each of the people: where they are, if anywhere.
    whereabouts: [Option<Room>; PEOPLE.len()],
    /// For each of the people: how many connections they had so far. Each is a peer of its own.
    connections: [u32; PEOPLE.len()],
}

impl Class {
    /// A class that nobody came to yet.
    #[must_use]
    pub fn new(began: Timestamp) -> Self {
        Self { run: began.micros().to_string(), told: 0, whereabouts: [None; PEOPLE.len()], connections: [0; PEOPLE.len()] }
    }

    /// The id of the session of a room.
    #[must_use]
    pub fn session(&self, app: &App, room: Room) -> Uuid {
        app.session(&self.session_name(room))
    }

    /// Where someone is.
    pub(super) fn whereabouts(&self, person: usize) -> Option<Room> {
        self.whereabouts[person]
    }

    pub(super) fn started(&mut self, time: Timestamp) -> Event {
        let place = self.place(Room::Main);
        self.event(time, Body::SessionStarted(place.into()))
    }

    pub(super) fn ended(&mut self, time: Timestamp, room: Room) -> Event {
        let place = self.place(room);
        self.event(time, Body::SessionEnded(place.into(), Some("the demo ended".into())))
    }

    /// Someone comes into a room, by a new connection.
    pub(super) fn joined(&mut self, time: Timestamp, person: usize, room: Room) -> Event {
        self.whereabouts[person] = Some(room);
        self.connections[person] += 1;
        let (place, peer) = (self.place(room), self.peer(person));
        self.event(time, Body::PeerJoined(place.into(), peer))
    }

    /// Someone goes out of the room where they are.
    pub(super) fn left(&mut self, time: Timestamp, person: usize) -> Event {
        let room = self.whereabouts[person].take().unwrap_or(Room::Main);
        let (place, peer) = (self.place(room), self.peer(person));
        self.event(time, Body::PeerLeft(place.into(), Leaver::Peer(peer), Leave::default()))
    }

    fn event(&mut self, time: Timestamp, body: Body) -> Event {
        self.told += 1;
        Event { source: format!("demo/{}", self.run).into(), id: self.told.to_string().into(), time, body }
    }

    fn session_name(&self, room: Room) -> Name {
        Name::key(format!("algebra-{}{}", self.run, room.suffix()))
    }

    fn place(&self, room: Room) -> Place {
        let meeting = Some(Name::key(format!("algebra{}", room.suffix())));
        let parent = (room != Room::Main).then(|| Parent::Session(self.session_name(Room::Main)));
        let home = Home::Session { session: self.session_name(room), meeting };
        Place { meeting_title: Some(room.title().into()), parent, ..Place::new(home) }
    }

    fn peer(&self, person: usize) -> PeerInfo {
        let name = PEOPLE[person];
        let preset = if person == 0 { "group_call_host" } else { "group_call_participant" };
        PeerInfo {
            user_id: Some(format!("user-{person}").into()),
            custom_participant_id: Some(format!("school-{:03}", 100 + person).into()),
            display_name: Some(name.into()),
            preset_name: Some(preset.into()),
            preset_view_type: Some("GROUP_CALL".into()),
            ..PeerInfo::new(Name::key(format!("{name}-{}", self.connections[person])))
        }
    }
}
