//! What was written once is readable forever: a batch of each version, as the rollbook of that version wrote it.
#![expect(clippy::unwrap_used, clippy::panic, reason = "these are tests")]

use proptest::prelude::*;
use rollbook_core::codec::{CodecError, Version, decode, encode};
use rollbook_core::event::{Body, Event, Kind, Leave, Leaver, PeerInfo, Place, Present, Roll};
use rollbook_core::id::{Home, Name, Parent, Stream};
use rollbook_core::time::{SECOND, Timestamp};
use uuid::Uuid;

/// The events of `fixtures/batch-1.hex`: every variant and every field once. Never changed; a new version gets a file of its own.
fn events_of_version_1() -> Vec<Event> {
    let named = || Place {
        home: Home::Session {
            session: Name { id: Some(Uuid::from_u128(1)), key: Some("algebra".into()) },
            meeting: Some(Name::key("room")),
        },
        meeting_title: Some("Algebra é".into()),
        parent: Some(Parent::Session(Name::id(Uuid::from_u128(2)))),
        keep_alive_seconds: Some(600),
    };
    let unnamed = || Place { parent: Some(Parent::Meeting(Name::key("hall"))), ..Place::new(Home::Meeting(Name::id(Uuid::from_u128(3)))) };
    let peer = || PeerInfo {
        slot: Some("7".into()),
        user_id: Some("u1".into()),
        custom_participant_id: Some("c1".into()),
        display_name: Some("Ana".into()),
        preset_name: Some("host".into()),
        preset_view_type: Some("GROUP_CALL".into()),
        kind: Some(Kind::Robot),
        ..PeerInfo::new(Name::key("ana"))
    };
    let leave = Leave { reason: Some("kicked".into()), joined_at: Some(Timestamp::from_micros(5)), uncertain: 9_300_000 };
    let bodies = [
        Body::PeerCreated(named().into(), PeerInfo { kind: Some(Kind::Person), ..peer() }),
        Body::PeerJoined(unnamed().into(), peer()),
        Body::PeerLeft(named().into(), Leaver::Peer(PeerInfo::new(Name::id(Uuid::from_u128(4)))), leave.clone()),
        Body::PeerLeft(unnamed().into(), Leaver::Slot("7".into()), Leave::default()),
        Body::SessionStarted(named().into()),
        Body::SessionEnded(unnamed().into(), Some("host ended it".into())),
        Body::SessionRoster(
            named().into(),
            Roll { present: vec![Present { peer: peer(), joined_at: leave.joined_at }], tolerance: 5 * SECOND },
        ),
        Body::SourceStarted,
        Body::SourceStopped,
    ];
    let event =
        |(ix, body): (i64, Body)| Event { source: "janus:a".into(), id: ix.to_string().into(), time: Timestamp::from_micros(ix - 4), body };
    (0..).zip(bodies).map(event).collect()
}

fn fixture(version: u8) -> Vec<u8> {
    let path = format!("{}/tests/fixtures/batch-{version}.hex", env!("CARGO_MANIFEST_DIR"));
    let hex = std::fs::read_to_string(&path).unwrap_or_else(|_| panic!("{path} is missing: every version that was ever written has one"));
    let digits: Vec<u8> = hex.bytes().filter(u8::is_ascii_hexdigit).collect();
    digits.chunks(2).map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
}

/// The stream that the named session of version 2's fixture is.
const STREAM: Stream = Stream { kind: rollbook_core::id::StreamKind::Session, id: Uuid::from_u128(0x5E55) };

/// The events of `fixtures/batch-2.hex`: those of version 1, twice, so that what comes again is named and not told; and then texts that begin
/// alike, texts that are UUIDs and that are nearly so, a session that is the stream's own, and times that go back. Never changed.
fn events_of_version_2() -> Vec<Event> {
    let uuid = "0f1e2d3c-4b5a-4978-8695-a4b3c2d1e0f0";
    let again = events_of_version_1().into_iter().map(|event| Event { id: format!("again {}", event.id).into(), ..event });
    let own =
        Place { meeting_title: Some("Algebra ê".into()), ..Place::new(Home::Session { session: Name::id(STREAM.id), meeting: None }) };
    let own = std::sync::Arc::new(own);
    let named =
        |key: &str, user: &str| PeerInfo { user_id: Some(user.into()), display_name: Some("".into()), ..PeerInfo::new(Name::key(key)) };
    let joins = [("PA_1", uuid), ("PA_12", uuid), ("PB_12", &uuid.to_uppercase()), ("", "0f1e2d3c4b5a49788695a4b3c2d1e0f0"), ("é", "è")];
    let joins = joins.into_iter().zip(0..).map(|((key, user), ix)| Event {
        source: if ix % 2 == 0 { "sfu-1".into() } else { "janus:a".into() },
        id: format!("{uuid}{}", if ix == 0 { "" } else { "x" }).into(),
        time: Timestamp::from_micros(1_769_853_600_000_000 - ix * 86_400_000_000),
        body: Body::PeerJoined(std::sync::Arc::clone(&own), named(key, user)),
    });
    events_of_version_1().into_iter().chain(again).chain(joins).collect()
}

#[test]
fn version_1_is_read() {
    assert_eq!(decode(STREAM, &fixture(1)), Ok(events_of_version_1()));
}

#[test]
fn version_2_is_read() {
    let read = decode(STREAM, &fixture(2)).unwrap();
    assert_eq!(read, events_of_version_2());
    let places: Vec<_> = read.iter().rev().take(5).filter_map(Event::place).collect();
    assert!(places.windows(2).all(|two| std::ptr::eq(two[0], two[1])), "a session that is told once is in memory once");
}

#[test]
fn what_is_written_has_a_fixture() {
    for (version, events) in [(Version::One, events_of_version_1()), (Version::Two, events_of_version_2())] {
        let written = encode(version, STREAM, &events);
        let hex: Vec<String> = written.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(written, fixture(version as u8), "a changed form is a new version, with a fixture of its own:\n{}", hex.concat());
        assert_eq!(Version::of(&written), Some(version));
    }
}

#[test]
fn what_is_no_batch_is_an_error() {
    let newer = Version::NEWEST as u8 + 1;
    assert_eq!(decode(STREAM, &[newer]), Err(CodecError::Version(newer)));
    assert_eq!(Version::of(&[newer]), None);
    assert!(matches!(decode(STREAM, &[]), Err(CodecError::Damaged(_))));
    for version in [1, 2] {
        let good = fixture(version);
        for cut in 1..good.len() {
            assert!(matches!(decode(STREAM, &good[..cut]), Err(CodecError::Damaged(_))), "version {version} cut at {cut}");
        }
    }
    let more = [fixture(2), vec![0]].concat();
    assert!(matches!(decode(STREAM, &more), Err(CodecError::Damaged(_))));
}

/// Texts of a few letters, so that they often begin alike or come again, and UUIDs.
fn text() -> impl Strategy<Value = Box<str>> {
    prop_oneof!["[ab]{0,4}", "[aé]{1,3}", any::<u128>().prop_map(|n| Uuid::from_u128(n).to_string())].prop_map(Into::into)
}

fn name() -> BoxedStrategy<Name> {
    let id = prop_oneof![Just(STREAM.id), any::<u128>().prop_map(Uuid::from_u128)];
    (prop::option::of(id), prop::option::of(text())).prop_map(|(id, key)| Name { id, key }).boxed()
}

fn place() -> BoxedStrategy<Place> {
    let home = prop_oneof![
        (name(), prop::option::of(name())).prop_map(|(session, meeting)| Home::Session { session, meeting }),
        name().prop_map(Home::Meeting)
    ];
    let parent = prop::option::of(prop_oneof![name().prop_map(Parent::Session), name().prop_map(Parent::Meeting)]);
    let whole = (home, prop::option::of(text()), parent, prop::option::of(any::<u16>()));
    whole.prop_map(|(home, meeting_title, parent, keep_alive_seconds)| Place { home, meeting_title, parent, keep_alive_seconds }).boxed()
}

fn peer() -> BoxedStrategy<PeerInfo> {
    let texts = prop::array::uniform6(prop::option::of(text()));
    let kind = prop::option::of(prop_oneof![Just(Kind::Person), Just(Kind::Robot)]);
    let whole = (name(), texts, kind).prop_map(|(name, texts, kind)| {
        let [slot, user_id, custom_participant_id, display_name, preset_name, preset_view_type] = texts;
        PeerInfo { name, slot, user_id, custom_participant_id, display_name, preset_name, preset_view_type, kind }
    });
    whole.boxed()
}

fn instant() -> impl Strategy<Value = Timestamp> {
    prop_oneof![any::<i64>(), -5i64..5].prop_map(Timestamp::from_micros)
}

fn body() -> BoxedStrategy<Body> {
    let place = || place().prop_map(Into::into);
    let leaver = prop_oneof![peer().prop_map(Leaver::Peer), text().prop_map(Leaver::Slot)];
    let leave = (prop::option::of(text()), prop::option::of(instant()), prop_oneof![Just(0), any::<i64>()]);
    let leave = leave.prop_map(|(reason, joined_at, uncertain)| Leave { reason, joined_at, uncertain });
    let present = (peer(), prop::option::of(instant())).prop_map(|(peer, joined_at)| Present { peer, joined_at });
    let roll = (prop::collection::vec(present, 0..4), any::<i64>()).prop_map(|(present, tolerance)| Roll { present, tolerance });
    prop_oneof![
        (place(), peer()).prop_map(|(place, peer)| Body::PeerCreated(place, peer)),
        (place(), peer()).prop_map(|(place, peer)| Body::PeerJoined(place, peer)),
        (place(), leaver, leave).prop_map(|(place, leaver, leave)| Body::PeerLeft(place, leaver, leave)),
        place().prop_map(Body::SessionStarted),
        (place(), prop::option::of(text())).prop_map(|(place, reason)| Body::SessionEnded(place, reason)),
        (place(), roll).prop_map(|(place, roll)| Body::SessionRoster(place, roll)),
        Just(Body::SourceStarted),
        Just(Body::SourceStopped),
    ]
    .boxed()
}

/// Batches in which sources, sessions and presets come again, as they do.
fn batch() -> impl Strategy<Value = Vec<Event>> {
    let event = (text(), text(), instant(), body()).prop_map(|(source, id, time, body)| Event { source, id, time, body });
    let chosen = prop::collection::vec(any::<prop::sample::Index>(), 0..12);
    (prop::collection::vec(event, 0..24), chosen).prop_map(|(mut events, again)| {
        for ix in again {
            let copy = events.get(ix.index(events.len().max(1))).cloned();
            events.extend(copy);
        }
        events
    })
}

proptest! {
    #[test]
    fn what_is_written_is_read(events in batch()) {
        for version in [Version::One, Version::Two] {
            prop_assert_eq!(decode(STREAM, &encode(version, STREAM, &events)), Ok(events.clone()));
        }
    }

    #[test]
    fn damaged_bytes_are_no_panic(events in batch(), at: prop::sample::Index, byte: u8, cut: prop::sample::Index) {
        for version in [Version::One, Version::Two] {
            let mut bytes = encode(version, STREAM, &events);
            let at = at.index(bytes.len());
            bytes[at] = byte;
            let _ = decode(STREAM, &bytes);
            let _ = decode(STREAM, &bytes[..cut.index(bytes.len())]);
        }
    }
}
