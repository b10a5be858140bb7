//! Made-up people and what happens to them: the same for the same key and number, in every run.

use rollbook_core::event::{Body, Event, Leave, Leaver, PeerInfo, Place};
use rollbook_core::id::{Home, Name, Parent};
use rollbook_core::time::{MINUTE, Timestamp};
use std::sync::Arc;
use uuid::Uuid;

/// How long people arrive, and how long they stay at most.
const ARRIVING: i64 = 30 * MINUTE;
const STAYING: i64 = 60 * MINUTE;
/// What is shown of a length is a ten-thousandth of a minute. All lengths and times are whole ones, so that a table that keeps what is
/// shown has the same order.
const SHOWN: i64 = 6_000;

const FIRST: [&str; 16] =
    ["Ana", "Ben", "Chloé", "Dev", "Emi", "Finn", "Grace", "Hamza", "Inês", "Jonas", "Keiko", "Lena", "Mark", "Noor", "Olu", "Zoë"];
const LAST: [&str; 8] = ["Rivera", "Ångström", "Okafor", "Tanaka", "Novák", "Silva", "Berg", "Kaya"];
const SUBJECTS: [&str; 4] = ["Algebra", "History", "Physics", "All hands"];

/// A session to be told of.
#[derive(Clone, Debug)]
pub(crate) struct Session {
    /// Its name; what happens in it follows from this.
    pub(crate) key: String,
    /// Where among its meetings it belongs.
    number: u64,
    /// How many come.
    people: u64,
    /// When the first may come.
    starts: Timestamp,
    place: Arc<Place>,
    /// Which of the people come: every so many-th, from which on. Their numbers are those of the parent.
    every: (u64, u64),
    live: bool,
}

impl Session {
    /// A session of its own.
    #[must_use]
    pub(crate) fn new(key: String, number: u64, people: u64, starts: Timestamp) -> Self {
        let starts = Timestamp::from_micros(starts.micros() / SHOWN * SHOWN);
        let place = place(&key, number, None).into();
        Self { key, number, people, starts, place, every: (1, 0), live: false }
    }

    /// The same, where four fifths are still in if `live` says so.
    #[must_use]
    pub(crate) fn going_on(self, live: bool) -> Self {
        Self { live, ..self }
    }

    /// One of `of` breakouts, over which the people of this session are spread.
    #[must_use]
    pub(crate) fn breakout(&self, ix: u64, of: u64) -> Self {
        let people = (self.people - ix).div_ceil(of);
        let key = format!("{}-room-{ix}", self.key);
        let place = place(&key, self.number, Some(&self.key)).into();
        Self { key, people, place, every: (of, ix), ..self.clone() }
    }

    /// All that happens, in order of time; the end last. Only the order is held, not the events.
    pub(crate) fn events(&self) -> impl Iterator<Item = Event> + '_ {
        let (every, from) = self.every;
        let mut order = Vec::with_capacity(self.people as usize * 2);
        for person in (0..self.people).map(|n| from + n * every) {
            let (joined, left) = self.times(person);
            order.push((joined, person, false));
            if !self.live || person % 5 == 0 {
                order.push((left, person, true));
            }
        }
        order.sort_unstable();
        let event = |(at, person, leaves)| if leaves { self.left(person, at) } else { self.joined(person, at) };
        let end = self.starts.plus(ARRIVING + STAYING);
        let end = (!self.live).then(|| self.event("end".into(), end, Body::SessionEnded(Arc::clone(&self.place), None)));
        order.into_iter().map(event).chain(end)
    }

    /// When someone joins and leaves.
    fn times(&self, person: u64) -> (Timestamp, Timestamp) {
        let chance = mixed(person.wrapping_mul(0x9e37_79b9).wrapping_add(mixed(self.key.len() as u64 ^ self.number << 8)));
        let within = |chance: u64, span: i64| (chance % (span / SHOWN).unsigned_abs()).cast_signed() * SHOWN;
        let joined = self.starts.plus(within(chance, ARRIVING));
        (joined, joined.plus(within(mixed(chance), STAYING)))
    }

    /// Someone comes.
    #[must_use]
    pub(crate) fn joined(&self, person: u64, at: Timestamp) -> Event {
        self.event(format!("{person}+"), at, Body::PeerJoined(Arc::clone(&self.place), self.peer(person)))
    }

    /// Someone goes; engines name the peer, and little else.
    #[must_use]
    pub(crate) fn left(&self, person: u64, at: Timestamp) -> Event {
        let leaver = Leaver::Peer(PeerInfo::new(self.peer_name(person)));
        self.event(format!("{person}-"), at, Body::PeerLeft(Arc::clone(&self.place), leaver, Leave::default()))
    }

    fn event(&self, id: String, time: Timestamp, body: Body) -> Event {
        Event { source: "sfu-1".into(), id: id.into(), time, body }
    }

    fn peer_name(&self, person: u64) -> Name {
        Name::key(format!("PA_{person}"))
    }

    fn peer(&self, person: u64) -> PeerInfo {
        let chance = mixed(person);
        let user = Uuid::from_u64_pair(chance, mixed(chance));
        let (first, last) = (FIRST[(chance % 16) as usize], LAST[(chance >> 8) as usize % 8]);
        PeerInfo {
            user_id: Some(user.to_string().into()),
            custom_participant_id: Some(format!("c-{person}").into()),
            display_name: Some(format!("{first} {last} {person}").into()),
            preset_name: Some("webinar_participant".into()),
            preset_view_type: Some("WEBINAR".into()),
            ..PeerInfo::new(self.peer_name(person))
        }
    }
}

fn place(key: &str, number: u64, parent: Option<&str>) -> Place {
    let home = Home::Session { session: Name::key(key), meeting: Some(Name::key(format!("room-{}", number % 1000))) };
    let title = format!("{} {}", SUBJECTS[(number % 4) as usize], number % 1000);
    let parent = parent.map(|key| Parent::Session(Name::key(key)));
    Place { meeting_title: Some(title.into()), parent, ..Place::new(home) }
}

/// A well-mixed number (splitmix64).
fn mixed(n: u64) -> u64 {
    let n = n.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let n = (n ^ (n >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let n = (n ^ (n >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    n ^ (n >> 31)
}
