//! In which words bad native events are refused.

use rollbook_core::time::Timestamp;
use rollbook_ingest::cloudevents::{BadEvent, read};
use serde_json::{Value, json};

fn event(kind: &str, data: &Value) -> Value {
    json!({"specversion": "1.0", "id": "1", "source": "s", "type": format!("rollbook.{kind}"), "time": "2026-01-31T09:30:00Z", "data": data})
}

/// What is said of a bad event, or of a body that has none to judge.
fn complaint(text: &str) -> String {
    match read(Some("application/cloudevents+json"), [], text.as_bytes()) {
        Ok(results) => results.into_iter().map(|r| r.err().map_or("taken".into(), |bad: BadEvent| bad.to_string())).collect(),
        Err(error) => error.to_string(),
    }
}

#[test]
fn bad_attributes() {
    let with = |name: &str, value: Value| {
        let mut event = event("source.started", &Value::Null);
        event.as_object_mut().unwrap().insert(name.into(), value);
        complaint(&event.to_string())
    };
    for (name, value, expected) in [
        ("specversion", json!("0.3"), "specversion: \"0.3\" is not \"1.0\""),
        ("specversion", Value::Null, "specversion: is required: a text"),
        ("specversion", json!(1.0), "specversion: 1.0 is not a text"),
        ("id", json!(""), "id: must not be empty"),
        ("id", json!(7), "id: 7 is not a text"),
        ("id", Value::Null, "id: is required: a text"),
        ("source", json!(""), "source: must not be empty"),
        ("source", json!({}), "source: an object is not a text"),
        ("type", json!(""), "type: must not be empty"),
        ("time", Value::Null, "time: is required: a text"),
        ("time", json!(5), "time: 5 is not a text"),
        ("data_base64", json!("e30="), "data_base64: is not supported: put an object into data"),
        ("datacontenttype", json!("text/xml"), "datacontenttype: \"text/xml\" is not a JSON media type, such as application/json"),
        ("datacontenttype", json!("application/vnd.x+json; charset=utf-8"), "taken"),
        ("datacontenttype", Value::Null, "taken"),
        ("data_base64", Value::Null, "taken"),
        ("subject", json!([]), "taken"),
        ("dataschema", json!(5), "taken"),
        ("traceparent", json!("00-1"), "taken"),
    ] {
        assert_eq!(with(name, value), expected, "{name}");
    }
    let unknown = with("type", json!("rollbook.peer.Joined"));
    assert!(unknown.starts_with("type: \"rollbook.peer.Joined\" is not one of rollbook.peer.created, "), "{unknown}");
}

#[test]
fn bad_times() {
    let syntax = "is not an RFC 3339 time with an offset, such as 2026-01-31T09:30:00Z";
    let range = "is outside the years 0001 to 9998 (UTC)";
    for (time, expected) in [
        ("0000-12-31T23:59:59Z", range),
        ("0001-01-01T00:00:00+00:01", range),
        ("9999-01-01T00:00:00Z", range),
        ("9998-12-31T23:59:60Z", range),
        ("2026-01-31T09:30:00", syntax),
        ("2026-01-31T09:30:-1Z", syntax),
        ("2026-01-31T09:30:61Z", syntax),
        ("2026-02-29T09:30:00Z", syntax),
        ("-2026-01-31T09:30:00Z", syntax),
        ("2026-01-31", syntax),
        ("1769851800", syntax),
        (" ", syntax),
    ] {
        let text = json!({"specversion": "1.0", "id": "1", "source": "s", "type": "rollbook.source.started", "time": time}).to_string();
        assert_eq!(complaint(&text), format!("time: \"{time}\" {expected}"));
    }
    let leap = event("source.started", &Value::Null).to_string().replace("09:30:00Z", "09:30:60Z");
    let taken = read(Some("application/cloudevents+json"), [], leap.as_bytes()).unwrap().remove(0).unwrap();
    assert_eq!(taken.time, Timestamp::parse_rfc3339("2026-01-31T09:31:00Z").unwrap());
}

#[test]
fn bad_data() {
    let joined = |session: Value, peer: Value| ("peer.joined", json!({"session": session, "peer": peer}));
    let left = |member: &str, value: Value| ("peer.left", json!({"session": {"key": "k"}, "slot": "s", member: value}));
    let roster = |peers: Value| ("session.roster", json!({"session": {"key": "k"}, "peers": peers}));
    let key = || json!({"key": "k"});
    let long = "é".repeat(100);
    for ((kind, data), expected) in [
        (("session.started", Value::Null), "data: is required: an object".to_owned()),
        (("session.started", json!([])), "data: an array is not an object".into()),
        (("session.started", json!({})), "data.session: is required: an object".into()),
        (("session.started", json!({"session": "k"})), "data.session: \"k\" is not an object".into()),
        (joined(json!({}), key()), "data.session: one of id, key, meeting_id, meeting_key is required".into()),
        (joined(json!({"id": "k"}), key()), "data.session.id: \"k\" is not a UUID with hyphens".into()),
        (
            joined(json!({"id": "00000000000000000000000000000001"}), key()),
            "data.session.id: \"00000000000000000000000000000001\" is not a UUID with hyphens".into(),
        ),
        (joined(json!({"key": 5}), key()), "data.session.key: 5 is not a text".into()),
        (joined(json!({"key": "k", "meeting_title": true}), key()), "data.session.meeting_title: true is not a text".into()),
        (
            joined(json!({"key": "k", "parent_key": "p", "parent_meeting_id": ""}), key()),
            "data.session.parent_meeting_id: \"\" is not a UUID with hyphens".into(),
        ),
        (
            joined(json!({"key": "k", "keep_alive_seconds": 59}), key()),
            "data.session.keep_alive_seconds: 59 is not a whole number from 60 to 600".into(),
        ),
        (
            joined(json!({"key": "k", "keep_alive_seconds": 601}), key()),
            "data.session.keep_alive_seconds: 601 is not a whole number from 60 to 600".into(),
        ),
        (
            joined(json!({"key": "k", "keep_alive_seconds": 60.5}), key()),
            "data.session.keep_alive_seconds: 60.5 is not a whole number from 60 to 600".into(),
        ),
        (
            joined(json!({"key": "k", "keep_alive_seconds": "60"}), key()),
            "data.session.keep_alive_seconds: \"60\" is not a whole number from 60 to 600".into(),
        ),
        (joined(key(), Value::Null), "data.peer: is required: an object".into()),
        (joined(key(), json!({"slot": "s"})), "data.peer: one of id, key is required".into()),
        (joined(key(), json!({"id": long})), format!("data.peer.id: \"{}…\" is not a UUID with hyphens", "é".repeat(60))),
        (joined(key(), json!({"key": "k", "display_name": {}})), "data.peer.display_name: an object is not a text".into()),
        (joined(key(), json!({"key": "k", "kind": "Person"})), "data.peer.kind: \"Person\" is not one of person, robot".into()),
        (
            joined(key(), json!({"key": "k", "preset_view_type": "group_call"})),
            "data.peer.preset_view_type: \"group_call\" is not one of GROUP_CALL, WEBINAR, AUDIO_ROOM, LIVESTREAM, CHAT".into(),
        ),
        (("peer.left", json!({"session": {"key": "k"}})), "data.peer: is required: an object with id or key, or only a slot".into()),
        (left("slot", json!(1)), "data.slot: 1 is not a text".into()),
        (left("peer", json!({})), "data.peer: one of id, key, slot is required".into()),
        (left("peer", json!({"slot": "s", "kind": 1})), "data.peer.kind: 1 is not one of person, robot".into()),
        (left("reason", json!(1)), "data.reason: 1 is not a text".into()),
        (
            left("joined_at", json!("now")),
            "data.joined_at: \"now\" is not an RFC 3339 time with an offset, such as 2026-01-31T09:30:00Z".into(),
        ),
        (left("uncertain_seconds", json!(-0.5)), "data.uncertain_seconds: -0.5 is not a number of seconds, 0 or more".into()),
        (left("uncertain_seconds", json!("1")), "data.uncertain_seconds: \"1\" is not a number of seconds, 0 or more".into()),
        (("session.ended", json!({"session": {"key": "k"}, "reason": []})), "data.reason: an array is not a text".into()),
        (("session.roster", json!({"session": {"key": "k"}})), "data.peers: is required: an array".into()),
        (roster(json!({})), "data.peers: an object is not an array".into()),
        (roster(json!([{"key": "a"}, null])), "data.peers[1]: null is not an object".into()),
        (roster(json!([{"key": "a"}, {"key": "a", "id": "x"}])), "data.peers[1].id: \"x\" is not a UUID with hyphens".into()),
        (roster(json!([{}])), "data.peers[0]: one of id, key is required".into()),
        (roster(json!([{"key": "a", "joined_at": 5}])), "data.peers[0].joined_at: 5 is not a text".into()),
    ] {
        assert_eq!(complaint(&event(kind, &data).to_string()), expected, "{kind} {data}");
    }
    let negative = json!({"session": {"key": "k"}, "peers": [], "tolerance_seconds": -1});
    assert_eq!(
        complaint(&event("session.roster", &negative).to_string()),
        "data.tolerance_seconds: -1 is not a number of seconds, 0 or more"
    );
}

#[test]
fn bad_texts() {
    let promised = "the body is not the JSON that its content type promises: ";
    for (text, expected) in [
        (String::new(), format!("{promised}line 1, column 1: the JSON ends too early")),
        ("{\"id\":\"1\"".to_owned(), format!("{promised}line 1, column 10: the JSON ends too early")),
        ("{\"a\":".repeat(10_000), format!("{promised}line 1, column 641: nested deeper than 128 levels")),
        ("{}\n{}".to_owned(), format!("{promised}line 2, column 1: the JSON value ends here, but more text follows")),
        ("{\"unknown\":[{\"x\":\"\\u0000\"}]}".to_owned(), "line 1, column 19: the NUL character is not allowed".into()),
        ("{\"unknown\":\"\\udead\"}".to_owned(), "line 1, column 13: half a surrogate pair is not a character".into()),
        ("{\"data\":{\"x\":[{\"y\":1,\"y\":2}]}}".to_owned(), "line 1, column 22: the key \"y\" is twice in one object".into()),
        ("5".to_owned(), "5 is not an object".into()),
        ("{}".to_owned(), "specversion: is required: a text".into()),
    ] {
        assert_eq!(complaint(&text), expected);
    }
}
