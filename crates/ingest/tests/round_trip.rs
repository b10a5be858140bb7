//! What is written is read back as the same event, and no bytes make the readers panic.

use proptest::option::of;
use proptest::prelude::*;
use proptest::sample::select;
use rollbook_core::event::{Body, Event, Kind, Leave, Leaver, PeerInfo, Place, Present, Roll};
use rollbook_core::id::{Home, Name, Parent};
use rollbook_core::time::Timestamp;
use rollbook_ingest::cloudevents::{read, to_cloudevent};
use rollbook_ingest::engine::{self, Delivery, Settings};
use std::collections::BTreeSet;
use std::sync::Arc;
use uuid::Uuid;

const ONE: &str = "application/cloudevents+json";
const LINES: &str = "application/x-ndjson";

/// Strategies are boxed: as one nested type they are too large for a test's stack.
fn text() -> BoxedStrategy<Box<str>> {
    prop_oneof![
        "[^\0]{0,8}",
        // What escaping, line splitting and path building could trip over.
        "[\"\\\\/\n\r\t\u{1}\u{7f}\u{85}\u{2028}\u{feff}\u{10ffff}{}\\[\\],:%u0d8]{0,8}",
    ]
    .prop_map(Into::into)
    .boxed()
}

fn filled() -> BoxedStrategy<Box<str>> {
    ("[^\0]", text()).prop_map(|(first, rest)| format!("{first}{rest}").into()).boxed()
}

fn instant() -> BoxedStrategy<Timestamp> {
    let extremes = select(vec![Timestamp::MIN, Timestamp::MAX, Timestamp::default(), Timestamp::from_micros(-1)]);
    prop_oneof![extremes, (Timestamp::MIN.micros()..=Timestamp::MAX.micros()).prop_map(Timestamp::from_micros)].boxed()
}

fn micros() -> BoxedStrategy<i64> {
    prop_oneof![Just(0), Just(i64::MAX), Just(Roll::DEFAULT_TOLERANCE), 0..=i64::MAX].boxed()
}

fn name() -> BoxedStrategy<Name> {
    let id = || any::<u128>().prop_map(Uuid::from_u128);
    prop_oneof![
        id().prop_map(Name::id),
        text().prop_map(Name::key),
        (id(), text()).prop_map(|(id, key)| Name { id: Some(id), key: Some(key) })
    ]
    .boxed()
}

fn place() -> BoxedStrategy<Arc<Place>> {
    let home =
        prop_oneof![(name(), of(name())).prop_map(|(session, meeting)| Home::Session { session, meeting }), name().prop_map(Home::Meeting)];
    let parent = of(prop_oneof![name().prop_map(Parent::Session), name().prop_map(Parent::Meeting)]);
    (home, of(text()), parent, of(60_u16..=600))
        .prop_map(|(home, meeting_title, parent, keep_alive_seconds)| Arc::new(Place { home, meeting_title, parent, keep_alive_seconds }))
        .boxed()
}

fn peer() -> BoxedStrategy<PeerInfo> {
    let view = of(select(vec!["GROUP_CALL", "WEBINAR", "AUDIO_ROOM", "LIVESTREAM", "CHAT"]).prop_map(Into::into));
    let kind = of(select(vec![Kind::Person, Kind::Robot]));
    (name(), of(text()), of(text()), of(text()), of(text()), of(text()), view, kind)
        .prop_map(|(name, slot, user_id, custom_participant_id, display_name, preset_name, preset_view_type, kind)| PeerInfo {
            name,
            slot,
            user_id,
            custom_participant_id,
            display_name,
            preset_name,
            preset_view_type,
            kind,
        })
        .boxed()
}

fn roll() -> BoxedStrategy<Roll> {
    let present = prop::collection::vec((peer(), of(instant())), 0..5).prop_map(|entries| {
        let mut named = BTreeSet::new();
        let mut present: Vec<Present> = entries.into_iter().map(|(peer, joined_at)| Present { peer, joined_at }).collect();
        present.retain(|entry| {
            let Name { id, key } = entry.peer.name.clone();
            named.insert((id, key.filter(|_| id.is_none())))
        });
        present
    });
    (present, micros()).prop_map(|(present, tolerance)| Roll { present, tolerance }).boxed()
}

fn body() -> BoxedStrategy<Body> {
    let leaver = prop_oneof![peer().prop_map(Leaver::Peer), text().prop_map(Leaver::Slot)];
    let leave = (of(text()), of(instant()), micros()).prop_map(|(reason, joined_at, uncertain)| Leave { reason, joined_at, uncertain });
    prop_oneof![
        (place(), peer()).prop_map(|(place, peer)| Body::PeerCreated(place, peer)),
        (place(), peer()).prop_map(|(place, peer)| Body::PeerJoined(place, peer)),
        (place(), leaver, leave).prop_map(|(place, leaver, leave)| Body::PeerLeft(place, leaver, leave)),
        place().prop_map(Body::SessionStarted),
        (place(), of(text())).prop_map(|(place, reason)| Body::SessionEnded(place, reason)),
        (place(), roll()).prop_map(|(place, roll)| Body::SessionRoster(place, roll)),
        Just(Body::SourceStarted),
        Just(Body::SourceStopped),
    ]
    .boxed()
}

fn event() -> BoxedStrategy<Event> {
    (filled(), filled(), instant(), body()).prop_map(|(source, id, time, body)| Event { source, id, time, body }).boxed()
}

fn read_all(content_type: &str, body: &[u8]) -> Option<Vec<Event>> {
    read(Some(content_type), [], body).ok()?.into_iter().collect::<Result<_, _>>().ok()
}

proptest! {
    #[test]
    fn an_export_is_the_events(events in prop::collection::vec(event(), 0..4)) {
        let lines: Vec<String> = events.iter().map(to_cloudevent).collect();
        for (line, event) in lines.iter().zip(&events) {
            prop_assert!(serde_json::from_str::<serde_json::Value>(line).is_ok());
            prop_assert_eq!(read_all(ONE, line.as_bytes()), Some(vec![event.clone()]), "{}", line);
        }
        prop_assert_eq!(read_all(LINES, lines.join("\n").as_bytes()), Some(events));
    }

    /// A general writer orders members, escapes and breaks lines in its own way: content is none of that.
    #[test]
    fn another_writer_makes_the_same_event(event in event()) {
        let tree: serde_json::Value = serde_json::from_str(&to_cloudevent(&event)).unwrap();
        let Some(read) = read_all(ONE, serde_json::to_string_pretty(&tree).unwrap().as_bytes()) else { return Err(TestCaseError::fail("refused")) };
        // Floats of general writers can't hold every microsecond of millennia; nothing else may differ.
        if !matches!(event.body, Body::PeerLeft(..) | Body::SessionRoster(..)) {
            prop_assert_eq!(read, vec![event]);
        }
    }

    #[test]
    fn no_bytes_panic(bytes: Vec<u8>, content_type: String, header: Vec<u8>) {
        judge_everywhere(&bytes, &header);
        let _ = read(Some(&content_type), [("ce-id", &header[..])], &bytes);
    }

    #[test]
    fn no_mutation_panics(event in event(), at: prop::sample::Index, byte: u8, cut: prop::sample::Index, piece in MUTATIONS) {
        let text = to_cloudevent(&event).into_bytes();
        let mut mutated = text.clone();
        mutated[at.index(text.len())] = byte;
        judge_everywhere(&mutated, &[byte]);
        judge_everywhere(&text[..cut.index(text.len())], piece.as_bytes());
        let spliced = [&text[..at.index(text.len())], piece.as_bytes(), &text[at.index(text.len())..]].concat();
        judge_everywhere(&spliced, piece.as_bytes());
    }

    #[test]
    fn no_mutation_of_a_delivery_panics(line in 0_usize..15, at: prop::sample::Index, byte: u8, piece in MUTATIONS) {
        let text = include_str!("fixtures/janus-1.1.2-capture.ndjson").lines().nth(line).unwrap_or_default().as_bytes();
        let at = at.index(text.len());
        for middle in [&[byte][..], piece.as_bytes()] {
            judge_everywhere(&[&text[..at], middle, &text[at..]].concat(), middle);
            judge_everywhere(&[&text[..at], middle, &text[at + 1..]].concat(), middle);
        }
    }
}

const MUTATIONS: &str = "(\\\\u0000|\\\\ud800|\"|\\{|\\}|\\[|\\]|,|:|null|-|1e999|99999999999999999999|[0-9]{1,40}|\\\\|%)";

fn judge_everywhere(body: &[u8], header: &[u8]) {
    for content_type in [ONE, LINES, "application/cloudevents-batch+json"] {
        let _ = read(Some(content_type), [], body);
    }
    for name in ["ce-id", "ce-source", "ce-specversion", "ce-type", "ce-time"] {
        let _ = read(Some("application/json"), [(name, header)], body);
    }
    for name in engine::names() {
        if let Ok(engine) = engine::open(name, &Settings::default()) {
            let _ = engine.receive(&Delivery { body, ..Delivery::default() }, true);
            engine.kept(body);
        }
    }
}
