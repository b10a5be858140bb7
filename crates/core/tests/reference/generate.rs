//! Random histories in a small world: few places, few people, few instants, so that everything meets everything.
//!
//! A history is a list of independent facts, each made of a kind, an instant of a coarse grid and a handful of bytes; so it shrinks
//! to the few facts that matter. Nothing keeps a history sensible: the ledger has an answer for every set of events.

use proptest::prelude::*;
use rollbook_core::event::{Body, Event, Kind, Leave, Leaver, PeerInfo, Place, Present, Roll};
use rollbook_core::id::{App, Home, Name, Parent};
use rollbook_core::time::{DAY, MINUTE, SECOND, Timestamp};
use std::collections::BTreeSet;

/// 2026-01-31T10:00:00Z.
const BASE: i64 = 1_769_853_600 * SECOND;
/// Instants of the grid.
const GRID: i64 = 14;

/// Events and the instant of the question.
#[derive(Clone, Debug)]
pub struct History {
    pub app: App,
    /// Conflicts taken out, as on acceptance; a few exact duplicates left in.
    pub events: Vec<Event>,
    pub now: Timestamp,
}

impl History {
    /// The instants that a history can be asked at are these, and whatever the caller likes.
    pub fn after_everything(&self) -> Timestamp {
        Timestamp::from_micros(BASE + 400 * DAY)
    }
}

/// What of the rules a history may touch.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Scope {
    /// Named sessions without slots: the plainest.
    Plain,
    /// Named sessions.
    Named,
    /// Everything.
    All,
}

#[derive(Clone, Debug)]
struct Shape {
    scope: Scope,
    named: u8,
    meetings: u8,
    sources: u8,
    peers: u8,
    step: i64,
    parents: [u8; 5],
    odd_kinds: bool,
}

#[derive(Clone, Debug)]
struct Fact {
    kind: u8,
    at: i64,
    bytes: [u8; 10],
}

/// Histories of up to `most` events and some duplicates.
pub fn history(scope: Scope, most: usize) -> impl Strategy<Value = History> {
    let steps =
        prop_oneof![3 => Just(SECOND), 3 => Just(5 * SECOND), 4 => Just(30 * SECOND), 2 => Just(7 * MINUTE), 2 => Just(8 * 60 * MINUTE)];
    let meetings = if scope == Scope::All { 0u8..=2 } else { 0u8..=0 };
    // One more than there are places, and several times that: most places have no parent.
    let shape = (1u8..=3, meetings, 1u8..=3, 1u8..=5, steps, prop::array::uniform5(0u8..12), prop::bool::weighted(0.1)).prop_map(
        move |(named, meetings, sources, peers, step, parents, odd_kinds)| Shape {
            scope,
            // A world of meetings only, now and then.
            named: if meetings > 0 && named == 3 { 0 } else { named },
            meetings,
            sources,
            peers,
            step,
            parents,
            odd_kinds,
        },
    );
    let fact = (0u8..100, 0..GRID, any::<[u8; 10]>()).prop_map(|(kind, at, bytes)| Fact { kind, at, bytes });
    let facts = prop::collection::vec(fact, 0..most);
    let again = prop::collection::vec(any::<prop::sample::Index>(), 0..4);
    (shape, facts, again, (0u8..6, -1..=GRID)).prop_map(|(shape, facts, again, now)| build(&shape, &facts, &again, now))
}

fn build(shape: &Shape, facts: &[Fact], again: &[prop::sample::Index], (kind, at): (u8, i64)) -> History {
    let app = App::new("acme", "school").unwrap();
    let mut seen = BTreeSet::new();
    let mut events: Vec<Event> = facts.iter().map(|fact| shape.event(fact)).collect();
    events.retain(|e| seen.insert((app.stream_of(e), e.source.clone(), e.id.clone())));
    for index in again {
        if !events.is_empty() {
            let event = index.get(&events).clone();
            events.push(event);
        }
    }
    let on_grid = BASE + at * shape.step;
    let now = match kind {
        0 => BASE - DAY,
        1 | 2 => on_grid,
        3 => on_grid + DAY,
        4 => on_grid + DAY + SECOND,
        _ => BASE + 400 * DAY,
    };
    History { app, events, now: Timestamp::from_micros(now) }
}

/// Whether the byte says yes, `percent` times in a hundred.
fn chance(byte: u8, percent: u32) -> bool {
    u32::from(byte) * 100 < percent * 256
}

fn text(value: impl Into<String>) -> Box<str> {
    value.into().into()
}

impl Shape {
    fn time(&self, at: i64) -> Timestamp {
        Timestamp::from_micros(BASE + at * self.step)
    }

    fn event(&self, fact: &Fact) -> Event {
        let b = &fact.bytes;
        let place = || self.place(b[0], b[1], b[8]);
        let who = b[2] % self.peers;
        let body = match fact.kind {
            0..=3 => Body::PeerCreated(place().into(), self.peer(who, b[3], b[4], b[9])),
            4..=39 => Body::PeerJoined(place().into(), self.peer(who, b[3], b[4], b[9])),
            40..=69 => Body::PeerLeft(place().into(), self.leaver(who, b), self.leave(fact.at, b[6], b[7])),
            70..=87 => Body::SessionRoster(place().into(), self.roll(fact.at, b)),
            88..=91 => Body::SessionEnded(place().into(), None),
            92..=93 => Body::SessionStarted(place().into()),
            94..=96 => Body::SourceStarted,
            _ => Body::SourceStopped,
        };
        let source = format!("engine-{}", b[5] % self.sources);
        // Ids collide now and then: what comes second under an identity is not accepted.
        let id = format!("{:x}", u16::from(b[7]) * 16 + u16::from(b[9] % 16));
        Event { source: text(source), id: text(id), time: self.time(fact.at), body }
    }

    /// Place 0.. are named sessions, then come the meetings of unnamed ones.
    fn home(&self, place: u8) -> Home {
        if place < self.named {
            // Named sessions of a meeting that also has unnamed ones.
            let meeting = (place == 0).then(|| Name::key("meeting-0"));
            Home::Session { session: Name::key(format!("session-{place}")), meeting }
        } else {
            Home::Meeting(Name::key(format!("meeting-{}", place - self.named)))
        }
    }

    fn place(&self, which: u8, tells: u8, keep_alive: u8) -> Place {
        let places = self.named + self.meetings;
        let which = which % places;
        let mut place = Place::new(self.home(which));
        let parent = self.parents[usize::from(which)];
        if parent < places && chance(tells, 60) {
            place.parent = Some(match self.home(parent) {
                Home::Session { session, .. } => Parent::Session(session),
                Home::Meeting(meeting) => Parent::Meeting(meeting),
            });
        }
        if chance(keep_alive, 10) {
            place.keep_alive_seconds = Some(60 + u16::from(keep_alive % 3) * 30);
        }
        if chance(keep_alive.wrapping_mul(31), 15) {
            place.meeting_title = Some(text(format!("title {}", keep_alive % 2)));
        }
        place
    }

    /// Peers 0 and 1 are one user on two devices, 2 carries their custom id, 3 shares it with 4 or has another; 4 may be a robot.
    fn peer(&self, who: u8, tells: u8, slot: u8, kind: u8) -> PeerInfo {
        let mut peer = PeerInfo::new(Name::key(format!("peer-{who}")));
        peer.user_id = (who < 2 && tells & 3 != 0).then(|| text("user-a"));
        peer.user_id = peer.user_id.or_else(|| (who == 3 && tells & 3 == 1).then(|| text("user-b")));
        peer.custom_participant_id = (tells & 4 != 0).then(|| text(if who < 3 { "custom-a" } else { "custom-b" }));
        peer.custom_participant_id = peer.custom_participant_id.filter(|_| who != 0);
        peer.display_name = (tells & 8 != 0).then(|| text(["Ana", "Straße", "ANA MARIA"][usize::from(tells) % 3]));
        peer.preset_name = (tells & 16 != 0).then(|| text(format!("preset {}", tells >> 7)));
        peer.preset_view_type = (tells & 32 != 0).then(|| text("GROUP_CALL"));
        if self.scope != Scope::Plain && chance(slot, 35) {
            peer.slot = Some(text(format!("{}", slot % 2)));
        }
        if who == 4 && tells & 64 != 0 {
            peer.kind = Some(Kind::Robot);
        }
        if self.odd_kinds && chance(kind, 20) {
            peer.kind = Some(if kind.is_multiple_of(2) { Kind::Robot } else { Kind::Person });
        }
        peer
    }

    fn leaver(&self, who: u8, b: &[u8; 10]) -> Leaver {
        if self.scope != Scope::Plain && chance(b[4], 40) {
            Leaver::Slot(text(format!("{}", b[4] % 2)))
        } else {
            Leaver::Peer(PeerInfo { slot: None, ..self.peer(who, b[3], b[4], b[9]) })
        }
    }

    fn leave(&self, at: i64, joined: u8, uncertain: u8) -> Leave {
        let joined_at = chance(joined, 40).then(|| self.time(at + i64::from(joined % 8) - 6));
        Leave { reason: None, joined_at, uncertain: if chance(uncertain, 20) { 3 * SECOND } else { 0 } }
    }

    fn roll(&self, at: i64, b: &[u8; 10]) -> Roll {
        let present = (0..self.peers).filter(|who| b[6] >> who & 1 == 1).map(|who| {
            let byte = b[4].wrapping_mul(7).wrapping_add(who.wrapping_mul(53));
            let joined_at = chance(byte, 50).then(|| self.time(at + i64::from(byte % 5) - 3));
            Present { peer: self.peer(who, b[3].rotate_left(u32::from(who)), byte.wrapping_mul(5), b[9]), joined_at }
        });
        let tolerance = [0, SECOND, 5 * SECOND, 5 * SECOND, 20 * SECOND, 31 * SECOND][usize::from(b[2] % 6)];
        let mut present: Vec<Present> = present.collect();
        if chance(b[9], 5) && !present.is_empty() {
            // One named twice: the first entry counts.
            let again = Present { joined_at: None, ..present[0].clone() };
            present.push(again);
        }
        Roll { present, tolerance }
    }
}
