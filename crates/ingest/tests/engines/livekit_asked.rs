use crate::openssl::{base64url, hmac};
use rollbook_core::event::{Body, Event, Kind, Roll};
use rollbook_core::id::{App, Home, Name};
use rollbook_core::time::{SECOND, Timestamp};
use rollbook_ingest::engine::Secret;
use rollbook_ingest::livekit::asking::{self, Room};

const NOW: Timestamp = Timestamp::from_micros(1_732_000_400_000_000);

fn room() -> Room {
    Room { sid: "RM_a".into(), name: "algebra \"1\"".into() }
}

fn roll(event: &Event) -> &Roll {
    match &event.body {
        Body::SessionRoster(_, roll) => roll,
        other => panic!("no roster: {other:?}"),
    }
}

/// Who is in by a list of participants, as LiveKit writes it.
fn told(participants: &str) -> Event {
    asking::roster(&room(), format!(r#"{{"participants":[{participants}]}}"#).as_bytes(), NOW, 6 * SECOND).unwrap()
}

#[test]
fn a_question_has_a_token_that_grants_no_more() {
    let key = Secret::new("APIkey", "the secret");
    let question = asking::list_participants(&key, "algebra \"1\"", NOW);
    assert_eq!((question.path, &*question.body), ("/twirp/livekit.RoomService/ListParticipants", r#"{"room":"algebra \"1\""}"#));
    let token = question.authorization.strip_prefix("Bearer ").unwrap();
    let claims = r#"{"iss":"APIkey","nbf":1732000340,"exp":1732000700,"video":{"roomAdmin":true,"room":"algebra \"1\""}}"#;
    let signed = format!("{}.{}", base64url(br#"{"alg":"HS256","typ":"JWT"}"#), base64url(claims.as_bytes()));
    assert_eq!(token, format!("{signed}.{}", base64url(&hmac("the secret", signed.as_bytes()))));

    let question = asking::list_rooms(&key, &["algebra", "b"], NOW);
    assert_eq!((question.path, &*question.body), ("/twirp/livekit.RoomService/ListRooms", r#"{"names":["algebra","b"]}"#));
    assert_eq!(asking::list_rooms(&key, &[], NOW).body, r#"{"names":[]}"#);
}

#[test]
fn rooms_are_read_in_either_case_of_names() {
    let listed = br#"{"rooms":[{"sid":"RM_a","name":"algebra \"1\"","num_participants":2,"creation_time":"1732000000"},{"sid":"RM_b","name":"b","numParticipants":0}]}"#;
    assert_eq!(asking::rooms(listed), Ok(vec![room(), Room { sid: "RM_b".into(), name: "b".into() }]));
    for none in ["{}", r#"{"rooms":[]}"#] {
        assert_eq!(asking::rooms(none.as_bytes()), Ok(Vec::new()));
    }
    for (other, wrong) in [
        ("<html>", "line 1, column 1"),
        ("[]", "an array is not an object"),
        (r#"{"code":"internal","msg":"x"}"#, "rooms: is required"),
        (r#"{"rooms":[{"sid":"RM_a"}]}"#, "rooms[0].name: is required"),
        (r#"{"rooms":[{"name":"a"}]}"#, "rooms[0].sid: is required"),
    ] {
        let error = asking::rooms(other.as_bytes()).unwrap_err().to_string();
        assert!(error.starts_with("the answer is not what was asked for: ") && error.contains(wrong), "{error}");
    }
}

#[test]
fn a_roster_has_those_who_are_connected() {
    let event = told(
        r#"{"sid":"PA_2","identity":"u2","name":"","state":"ACTIVE","joined_at":"1732000100","joined_at_ms":"0","kind":"STANDARD"},
           {"sid":"PA_1","identity":"u1","name":"Ann","state":2,"joinedAt":"1732000100","joinedAtMs":"1732000100456"},
           {"sid":"PA_3","identity":"u3","state":"JOINED","joined_at_ms":"1732000100456"},
           {"sid":"PA_4","identity":"u4","joined_at_ms":"1732000100456"},
           {"sid":"PA_5","identity":"u5","state":"ACTIVE","joined_at_ms":"1732000400001"},
           {"sid":"PA_6","identity":"rec","state":"ACTIVE","kind":"EGRESS","joined_at_ms":"1732000100456"}"#,
    );
    let app = App::new("acme", "school").unwrap();
    let expected = Home::Session { session: Name::key("RM_a"), meeting: Some(Name::key("algebra \"1\"")) };
    assert_eq!((&*event.source, event.time, &event.place().unwrap().home), ("livekit", NOW, &expected));
    assert_eq!(app.stream_of(&event).id, asking::session(&app, &room()));
    let who = roll(&event).present.iter().map(|present| {
        let key = present.peer.name.key.as_deref().unwrap();
        (key, present.peer.display_name.as_deref(), present.joined_at.unwrap().micros(), present.peer.kind == Some(Kind::Robot))
    });
    let expected = [
        ("PA_1", Some("Ann"), 1_732_000_100_456_000, false),
        ("PA_2", None, 1_732_000_100_000_000, false),
        ("PA_6", None, 1_732_000_100_456_000, true),
    ];
    assert_eq!((who.collect::<Vec<_>>(), roll(&event).tolerance), (expected.to_vec(), 6 * SECOND));
}

#[test]
fn what_is_as_young_as_those_who_are_connecting_is_left_alone() {
    let connecting = |age: i64| told(&format!(r#"{{"sid":"PA_1","state":"JOINING","joined_at_ms":"{}"}}"#, 1_732_000_400_000 - age));
    let tolerance = |event: &Event| roll(event).tolerance;
    assert_eq!(tolerance(&connecting(2_000)), 6 * SECOND);
    assert_eq!(tolerance(&connecting(20_000)), 20 * SECOND + 1);
    assert_eq!(tolerance(&connecting(3_600_000)), 6 * SECOND, "who has been connecting for an hour is not");
}

#[test]
fn one_roster_is_one_event_and_another_is_another() {
    let (ann, bob) = (r#"{"sid":"PA_1","state":"ACTIVE"}"#, r#"{"sid":"PA_2","state":"ACTIVE"}"#);
    assert_eq!(told(&format!("{ann},{bob}")), told(&format!("{bob},{ann}")));
    assert_ne!(told(ann).id, told(bob).id);
    assert_ne!(told(ann).id, asking::roster(&room(), b"{}", NOW, 6 * SECOND).unwrap().id);
    let app = App::new("acme", "school").unwrap();
    let gone = asking::gone(asking::session(&app, &room()), NOW, SECOND);
    assert_eq!((app.stream_of(&gone), roll(&gone).present.len()), (app.stream_of(&told(ann)), 0));
}
