//! What happens in the class: its past, told at once, and its present, a step at a time.

use super::class::{Class, PEOPLE, Room};
use rollbook_core::event::Event;
use rollbook_core::time::{MINUTE, SECOND, Timestamp};

/// How long ago the class began.
const PAST: i64 = 25 * MINUTE;

/// What happened before the demo began: seconds since the class began, who, and whether they came (into which room) or went.
const STORY: [(i64, usize, Option<Room>); 30] = [
    (5, 0, Some(Room::Main)),
    (21, 1, Some(Room::Main)),
    (24, 2, Some(Room::Main)),
    (38, 3, Some(Room::Main)),
    (52, 4, Some(Room::Main)),
    (53, 5, Some(Room::Main)),
    (71, 6, Some(Room::Main)),
    (140, 7, Some(Room::Main)),
    // Ben's connection breaks, and he comes back.
    (301, 2, None),
    (333, 2, Some(Room::Main)),
    // Emi leaves for good.
    (420, 5, None),
    // Two groups.
    (600, 1, None),
    (601, 1, Some(Room::Red)),
    (600, 4, None),
    (602, 4, Some(Room::Red)),
    (604, 3, None),
    (605, 3, Some(Room::Blue)),
    (604, 6, None),
    (606, 6, Some(Room::Blue)),
    (1080, 1, None),
    (1082, 1, Some(Room::Main)),
    (1081, 4, None),
    (1083, 4, Some(Room::Main)),
    (1080, 3, None),
    (1084, 3, Some(Room::Main)),
    (1081, 6, None),
    (1082, 6, Some(Room::Main)),
    // Grace leaves; the event comes late.
    (1200, 7, None),
    (1290, 8, Some(Room::Main)),
    (1320, 2, None),
];
const LATE: usize = 27;
const TWICE: usize = 3;

/// The class up to now, as deliveries in the order in which they come: with an event that comes twice, and one that comes late.
#[must_use]
pub fn past(now: Timestamp) -> (Class, Vec<Vec<Event>>) {
    let began = now.plus(-PAST);
    let mut class = Class::new(began);
    let mut first = vec![class.started(began)];
    let (mut again, mut late) = (Vec::new(), Vec::new());
    for (index, (seconds, person, into)) in STORY.into_iter().enumerate() {
        let time = began.plus(seconds * SECOND);
        let event = match into {
            Some(room) => class.joined(time, person, room),
            None => class.left(time, person),
        };
        if index == TWICE {
            again.push(event.clone());
        }
        if index == LATE { &mut late } else { &mut first }.push(event);
    }
    (class, vec![first, again, late])
}

/// The next thing that happens: what to deliver, and how to tell it.
pub struct Step {
    /// The events to deliver.
    pub events: Vec<Event>,
    /// What happened, in words.
    pub words: String,
}

/// Step `number` of the class as it goes on. Every seventh event is delivered twice.
#[must_use]
pub fn live(class: &mut Class, number: usize, now: Timestamp) -> Step {
    // Seven has no divisor in common with the number of students, so everybody's turn comes.
    let person = 1 + (number * 7) % (PEOPLE.len() - 1);
    let (event, deed) = match class.whereabouts(person) {
        Some(room) => (class.left(now, person), format!("left {}", room.spoken())),
        None => {
            let room = Room::ALL[(number + number / 5) % Room::ALL.len()];
            (class.joined(now, person, room), format!("came into {}", room.spoken()))
        }
    };
    let words = format!("{} {deed}", PEOPLE[person]);
    if number % 7 == 6 {
        return Step { events: vec![event.clone(), event], words: format!("{words} (delivered twice)") };
    }
    Step { events: vec![event], words }
}

/// The end of the class: everybody goes.
#[must_use]
pub fn end(class: &mut Class, now: Timestamp) -> Vec<Event> {
    let here: Vec<_> = (0..PEOPLE.len()).filter(|person| class.whereabouts(*person).is_some()).collect();
    let mut events: Vec<_> = here.into_iter().map(|person| class.left(now, person)).collect();
    events.extend(Room::ALL.map(|room| class.ended(now, room)));
    events
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    const NOW: Timestamp = Timestamp::from_micros(1_800_000_000_000_000);

    #[test]
    fn nobody_is_in_two_places_and_every_id_is_one_event() {
        let (mut class, mut deliveries) = past(NOW);
        for number in 0..500 {
            deliveries.push(live(&mut class, number, NOW.plus(number as i64 * SECOND)).events);
        }
        deliveries.push(end(&mut class, NOW.plus(500 * SECOND)));
        let mut events = deliveries.concat();
        let total = events.len();
        events.sort_by_key(|event| event.id.parse::<u32>().unwrap());
        events.dedup();
        assert_eq!(events.iter().map(|event| &event.id).collect::<BTreeSet<_>>().len(), events.len());
        assert_eq!(total - events.len(), 1 + 500 / 7);
        assert!((0..PEOPLE.len()).all(|person| class.whereabouts(person).is_none()));
    }

    #[test]
    fn everybody_comes_and_every_room_is_used() {
        let (mut class, _) = past(NOW);
        let words: BTreeSet<_> = (0..200).map(|number| live(&mut class, number, NOW).words).collect();
        for person in &PEOPLE[1..] {
            assert!(words.iter().any(|words| words.starts_with(person)), "{person}");
        }
        for room in Room::ALL {
            assert!(words.iter().any(|words| words.contains(room.spoken())), "{room:?}");
        }
    }
}
