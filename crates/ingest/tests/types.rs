//! What the data of each type of event becomes.

use rollbook_core::event::{Body, Kind, Leave, Leaver, PeerInfo, Place, Present, Roll};
use rollbook_core::id::{Home, Name, Parent};
use rollbook_core::time::Timestamp;
use rollbook_ingest::cloudevents::read;
use serde_json::{Value, json};
use uuid::Uuid;

/// The body of an event, or why it was refused.
fn body(kind: &str, data: &Value) -> Result<Body, String> {
    let event = json!({
        "specversion": "1.0", "id": "1", "source": "s", "type": format!("rollbook.{kind}"), "time": "2026-01-31T09:30:00Z", "data": data
    });
    let read = read(Some("application/cloudevents+json"), [], event.to_string().as_bytes()).map_err(|error| error.to_string())?;
    let first = read.into_iter().next().ok_or("no event")?;
    first.map(|event| event.body).map_err(|bad| bad.message)
}

fn uuid(n: u128) -> Uuid {
    Uuid::from_u128(n)
}

fn home() -> Place {
    Place::new(Home::Session { session: Name::key("k"), meeting: None })
}

#[test]
fn a_join_with_all_that_can_be_said() {
    let data = json!({
        "session": {
            "id": "0000000A-0000-0000-0000-00000000000b", "key": "k", "meeting_id": uuid(1), "meeting_key": "", "meeting_title": "Algebra",
            "parent_id": uuid(2), "parent_key": "p", "parent_meeting_id": uuid(3), "keep_alive_seconds": 6e2, "unknown": {"x": []}
        },
        "peer": {
            "id": uuid(4), "key": "4", "slot": "s", "user_id": "u", "custom_participant_id": "c", "display_name": "Ana", "preset_name": "host",
            "preset_view_type": "WEBINAR", "kind": "robot", "joined_at": 5
        },
        "unknown": null
    });
    let place = Place {
        home: Home::Session {
            session: Name { id: Some(uuid(0xa_0000_0000_0000_0000_0000_000b)), key: Some("k".into()) },
            meeting: Some(Name { id: Some(uuid(1)), key: Some("".into()) }),
        },
        meeting_title: Some("Algebra".into()),
        parent: Some(Parent::Session(Name { id: Some(uuid(2)), key: Some("p".into()) })),
        keep_alive_seconds: Some(600),
    };
    let peer = PeerInfo {
        name: Name { id: Some(uuid(4)), key: Some("4".into()) },
        slot: Some("s".into()),
        user_id: Some("u".into()),
        custom_participant_id: Some("c".into()),
        display_name: Some("Ana".into()),
        preset_name: Some("host".into()),
        preset_view_type: Some("WEBINAR".into()),
        kind: Some(Kind::Robot),
    };
    assert_eq!(body("peer.joined", &data), Ok(Body::PeerJoined(place.clone().into(), peer.clone())));
    assert_eq!(body("peer.created", &data), Ok(Body::PeerCreated(place.into(), peer)));
}

#[test]
fn null_is_absent() {
    let data = json!({
        "session": {"id": null, "key": "k", "meeting_id": null, "parent_key": null, "keep_alive_seconds": null},
        "peer": {"id": null, "key": "", "slot": null, "kind": null, "preset_view_type": null}
    });
    assert_eq!(body("peer.joined", &data), Ok(Body::PeerJoined(home().into(), PeerInfo::new(Name::key("")))));
}

#[test]
fn a_session_without_a_name_has_a_meeting() {
    let data = json!({"session": {"meeting_key": "m", "parent_meeting_key": "p", "keep_alive_seconds": 60.0}});
    let place = Place {
        home: Home::Meeting(Name::key("m")),
        meeting_title: None,
        parent: Some(Parent::Meeting(Name::key("p"))),
        keep_alive_seconds: Some(60),
    };
    assert_eq!(body("session.started", &data), Ok(Body::SessionStarted(place.into())));
}

#[test]
fn who_leaves() {
    let left = |extra: Value| {
        let mut data = json!({"session": {"key": "k"}});
        data.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        match body("peer.left", &data) {
            Ok(Body::PeerLeft(_, leaver, leave)) => (leaver, leave),
            other => panic!("{other:?}"),
        }
    };
    let slot = Leaver::Slot("s".into());
    assert_eq!(left(json!({"peer": {"slot": "s", "display_name": "Ana"}})).0, slot);
    assert_eq!(left(json!({"slot": "s"})).0, slot);
    assert_eq!(left(json!({"peer": null, "slot": "s"})).0, slot);
    let named = Leaver::Peer(PeerInfo { slot: Some("s".into()), ..PeerInfo::new(Name::key("k")) });
    assert_eq!(left(json!({"peer": {"key": "k", "slot": "s"}, "slot": "other"})).0, named);
    let (_, leave) = left(json!({"slot": "s", "reason": "kicked", "joined_at": "0001-01-01T00:00:00Z", "uncertain_seconds": 1.2345678}));
    assert_eq!(leave, Leave { reason: Some("kicked".into()), joined_at: Some(Timestamp::MIN), uncertain: 1_234_567 });
    assert_eq!(left(json!({"slot": "s", "uncertain_seconds": 1e300})).1.uncertain, i64::MAX);
}

#[test]
fn a_roster_names_each_peer_once() {
    let data = json!({"session": {"key": "k"}, "tolerance_seconds": 0.3, "peers": [
        {"key": "a", "joined_at": "1970-01-01T00:00:01Z"}, {"key": "a", "slot": "s"}, {"id": uuid(1), "key": "a"}, {"id": uuid(1)}, {"key": "b"}
    ]});
    let roll = match body("session.roster", &data) {
        Ok(Body::SessionRoster(_, roll)) => roll,
        other => panic!("{other:?}"),
    };
    let entry = |name, joined_at: Option<i64>| Present { peer: PeerInfo::new(name), joined_at: joined_at.map(Timestamp::from_micros) };
    let third = Name { id: Some(uuid(1)), key: Some("a".into()) };
    let present = vec![entry(Name::key("a"), Some(1_000_000)), entry(third, None), entry(Name::key("b"), None)];
    assert_eq!(roll, Roll { present, tolerance: 300_000 });
    let empty = json!({"session": {"key": "k"}, "peers": []});
    assert_eq!(
        body("session.roster", &empty),
        Ok(Body::SessionRoster(home().into(), Roll { present: vec![], tolerance: Roll::DEFAULT_TOLERANCE }))
    );
}

#[test]
fn an_end_and_a_sources_life() {
    let data = json!({"session": {"key": "k"}, "reason": "host"});
    assert_eq!(body("session.ended", &data), Ok(Body::SessionEnded(home().into(), Some("host".into()))));
    assert_eq!(body("source.started", &json!("whatever")), Ok(Body::SourceStarted));
    assert_eq!(body("source.stopped", &Value::Null), Ok(Body::SourceStopped));
}
