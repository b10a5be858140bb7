//! What was written once is readable forever: a batch of each version, as the rollbook of that version wrote it.
#![expect(clippy::unwrap_used, clippy::panic, reason = "these are tests")]

use rollbook_core::codec::{CodecError, VERSION, decode, encode};
use rollbook_core::event::{Body, Event, Kind, Leave, Leaver, PeerInfo, Place, Present, Roll};
use rollbook_core::id::{Home, Name, Parent};
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

#[test]
fn version_1_is_read() {
    assert_eq!(decode(&fixture(1)), Ok(events_of_version_1()));
}

#[test]
fn what_is_written_has_a_fixture() {
    let written = encode(&events_of_version_1());
    let hex: Vec<String> = written.iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(written, fixture(VERSION), "a changed form is a new version, with a fixture of its own:\n{}", hex.concat());
}

#[test]
fn what_is_no_batch_is_an_error() {
    let good = fixture(1);
    assert_eq!(decode(&[VERSION + 1]), Err(CodecError::Version(VERSION + 1)));
    assert!(matches!(decode(&[]), Err(CodecError::Damaged(_))));
    for cut in 1..good.len() {
        assert!(matches!(decode(&good[..cut]), Err(CodecError::Damaged(_))), "cut at {cut}");
    }
}
