//! A real run of Janus 1.1.2, and every truth about its deliveries that concerns translation.

use rollbook_core::event::{Body, Event, Leaver};
use rollbook_core::time::Timestamp;
use rollbook_ingest::engine::{self, Delivery, Engine, Refusal, Secret, Settings, Translation};
use rollbook_ingest::janus::{Janus, JanusOptions};
use serde_json::{Value, json};

const CAPTURE: &str = include_str!("fixtures/janus-1.1.2-capture.ndjson");
const SHARED: JanusOptions = JanusOptions { rooms_shared: true, silence: 0 };

fn translate_with(body: &str, options: JanusOptions) -> Result<Translation, Refusal> {
    Janus::new(options).translate(&Delivery { body: body.as_bytes(), ..Delivery::default() })
}

fn translate(body: &str) -> Result<Translation, Refusal> {
    translate_with(body, JanusOptions::default())
}

/// An event as a line of a story: when, at which source, in which meeting, what.
fn told(event: &Event) -> String {
    let meeting = event.place().and_then(|place| place.meeting()).and_then(|name| name.key.as_deref()).unwrap_or("-");
    let title = event.place().and_then(|place| place.meeting_title.as_deref()).unwrap_or("-");
    let what = match &event.body {
        Body::PeerJoined(_, peer) => format!(
            "{} joins as {} ({}), takes {}",
            peer.name.key.as_deref().unwrap_or("-"),
            peer.display_name.as_deref().unwrap_or("-"),
            peer.custom_participant_id.as_deref().unwrap_or("-"),
            peer.slot.as_deref().unwrap_or("-")
        ),
        Body::PeerLeft(_, Leaver::Slot(slot), leave) => {
            format!("{slot} is left, reason {}, uncertain {}", leave.reason.as_deref().unwrap_or("-"), leave.uncertain)
        }
        Body::SessionRoster(_, roll) => format!("roster of {}, tolerance {}", roll.present.len(), roll.tolerance),
        Body::SessionEnded(_, reason) => format!("ends, reason {}", reason.as_deref().unwrap_or("-")),
        other => format!("{other:?}"),
    };
    format!("{} {} [{meeting} \"{title}\"] {what}", event.time.to_rfc3339_micros(), event.source)
}

fn story(translation: Result<Translation, Refusal>) -> Vec<String> {
    match translation {
        Ok(translation) => {
            let events = translation.events.iter().map(told);
            events.chain(translation.reasons.iter().map(|reason| format!("kept raw: {reason}"))).collect()
        }
        Err(refusal) => vec![format!("refused: {refusal}")],
    }
}

/// What one report of a plugin becomes.
fn reported(plugin: &str, data: &Value) -> Vec<String> {
    let event = json!({"emitter": "j", "type": 64, "timestamp": 1_000_000, "session_id": 1, "handle_id": 2, "event": {"plugin": plugin, "data": data}});
    story(translate(&event.to_string()))
}

#[test]
fn the_captured_run() {
    let events: Vec<String> = CAPTURE.lines().flat_map(|line| story(translate(line))).collect();
    let room = "janus:janus-a [janus-a/videoroom/r1 \"r1\"]";
    assert_eq!(
        events,
        [
            "2026-11-24T13:18:04.684620Z janus:janus-a [- \"-\"] SourceStarted".to_owned(),
            format!("2026-11-24T13:18:05.129001Z {room} 3516244549923492/934718825387148 joins as Alice (alice), takes videoroom/r1/alice"),
            format!("2026-11-24T13:18:05.132893Z {room} 1564536002216434/6376676949607225 joins as Bob (bob), takes videoroom/r1/bob"),
            format!(
                "2026-11-24T13:18:05.135378Z {room} 5858307241321993/5691687617985549 joins as Carol (carol), takes videoroom/r1/carol"
            ),
            format!("2026-11-24T13:18:06.141614Z {room} videoroom/r1/alice is left, reason -, uncertain 0"),
            // Bob never published and is unpublished twice before he leaves.
            format!("2026-11-24T13:18:06.142624Z {room} videoroom/r1/bob is left, reason -, uncertain 0"),
            // Carol fell silent; her timeout, and Alice's detach 8 s after she left, say nothing.
            format!("2026-11-24T13:18:14.462575Z {room} videoroom/r1/carol is left, reason -, uncertain 0"),
            format!("2026-11-24T13:18:16.146106Z {room} 5303805064660841/3552475240554105 joins as Dave (dave), takes videoroom/r1/dave"),
            // Dave is inside as the process is told to end, and no leave of his will come.
            "2026-11-24T13:18:17.147791Z janus:janus-a [- \"-\"] SourceStopped".to_owned(),
        ]
    );
}

#[test]
fn the_same_delivery_is_the_same_events_however_it_is_written() {
    let mut ids = std::collections::BTreeSet::new();
    for line in CAPTURE.lines() {
        let first = translate(line).unwrap();
        // A general writer sorts the members, and spreads them over lines.
        let rewritten = serde_json::to_string_pretty(&serde_json::from_str::<Value>(line).unwrap()).unwrap();
        assert_eq!(translate(&rewritten).unwrap(), first);
        // Two copies in one body are one.
        let doubled = format!("[{0},{0}]", line.trim_start_matches('[').trim_end_matches(']'));
        assert_eq!(translate(&doubled).unwrap(), first);
        ids.extend(first.events.into_iter().map(|event| event.id));
    }
    assert_eq!(ids.len(), 9);
    assert!(ids.iter().all(|id| id.len() == 32));
}

#[test]
fn a_silent_client_makes_every_leave_uncertain_that_is_no_kick() {
    let options = JanusOptions { silence: 62_000_000, ..JanusOptions::default() };
    let leave = |word: &str| {
        let body = json!({"emitter": "j", "type": 64, "timestamp": 0, "event": {"plugin": "janus.plugin.videoroom", "data": {"event": word, "room": 1, "id": 2}}});
        story(translate_with(&body.to_string(), options)).concat()
    };
    assert!(leave("leaving").ends_with("videoroom/1/2 is left, reason -, uncertain 62000000"));
    assert!(leave("kicked").ends_with("videoroom/1/2 is left, reason kicked, uncertain 0"));
}

#[test]
fn a_kick_is_a_leave_and_a_destroyed_room_is_an_end() {
    assert_eq!(
        reported("janus.plugin.videoroom", &json!({"event": "kicked", "room": "r/1", "id": "a%"})),
        ["1970-01-01T00:00:01.000000Z janus:j [j/videoroom/r%2F1 \"r/1\"] videoroom/r%2F1/a%25 is left, reason kicked, uncertain 0"]
    );
    assert_eq!(
        reported("janus.plugin.videoroom", &json!({"event": "destroyed", "room": 1234})),
        ["1970-01-01T00:00:01.000000Z janus:j [j/videoroom/1234 \"1234\"] ends, reason destroyed"]
    );
}

#[test]
fn the_audiobridge_is_another_room_with_other_words() {
    let told = |data: &Value| reported("janus.plugin.audiobridge", data).concat().replace("1970-01-01T00:00:01.000000Z janus:j ", "");
    let room = "[j/audiobridge/5 \"5\"]";
    assert_eq!(
        told(&json!({"event": "joined", "room": 5, "id": 7, "display": "Ann", "setup": false, "muted": true})),
        format!("{room} 1/2 joins as Ann (7), takes audiobridge/5/7")
    );
    assert_eq!(
        told(&json!({"event": "left", "room": 5, "id": 7, "display": "Ann"})),
        format!("{room} audiobridge/5/7 is left, reason -, uncertain 0")
    );
    assert_eq!(told(&json!({"event": "kicked", "room": 5, "id": 7})), "", "a left follows");
    assert_eq!(told(&json!({"event": "kicked_all", "room": 5})), format!("{room} roster of 0, tolerance 0"));
    assert_eq!(told(&json!({"event": "destroyed", "room": 5})), format!("{room} ends, reason destroyed"));
    assert_eq!(told(&json!({"event": "leaving", "room": 5, "id": 7})), "");
    assert_eq!(told(&json!({"event": "configured", "room": 5, "id": 7})), "");
}

#[test]
fn what_is_no_attendance_is_ignored() {
    for word in [
        "created",
        "edited",
        "published",
        "updated",
        "unpublished",
        "subscribing",
        "subscribed",
        "configured",
        "switched",
        "talking",
        "left",
    ] {
        assert_eq!(reported("janus.plugin.videoroom", &json!({"event": word, "room": 1, "id": 2})), [""; 0], "{word}");
    }
    assert_eq!(reported("janus.plugin.streaming", &json!({"status": "started"})), [""; 0]);
    for kind in [1, 2, 4, 8, 16, 32, 128, 512] {
        // Transport ids are beyond 2^63.
        let body = format!("{{\"type\":{kind},\"event\":{{\"id\":18446744073709551615,\"name\":\"timeout\"}}}}");
        assert_eq!(translate(&body), Ok(Translation::default()), "{kind}");
    }
    assert_eq!(translate("{\"type\":256,\"subtype\":3,\"event\":{\"status\":\"started\"}}"), Ok(Translation::default()));
    assert_eq!(translate("[]"), Ok(Translation::default()));
}

#[test]
fn older_cores_say_it_in_words() {
    let core = |status: &str| {
        let event = json!({"emitter": "j", "type": 256, "timestamp": 0, "event": {"status": status}});
        translate(&event.to_string()).unwrap().events.pop().map(|event| event.body)
    };
    assert_eq!(core("started"), Some(Body::SourceStarted));
    assert_eq!(core("shutdown"), Some(Body::SourceStopped));
    assert_eq!(core("update"), None);
}

#[test]
fn big_ids_keep_every_digit_and_a_number_is_its_text() {
    let joined = |room: &str, id: &str, session: &str| {
        let body = format!(
            "{{\"emitter\":\"j\",\"type\":64,\"timestamp\":0,\"session_id\":{session},\"handle_id\":9007199254740993,\
             \"event\":{{\"plugin\":\"janus.plugin.videoroom\",\"data\":{{\"event\":\"joined\",\"room\":{room},\"id\":{id}}}}}}}"
        );
        translate(&body).unwrap().events.pop().unwrap().body
    };
    let body = joined("18446744073709551616", "9223372036854775809", "18446744073709551615");
    let Body::PeerJoined(place, peer) = &body else { panic!("{body:?}") };
    assert_eq!(place.meeting_title.as_deref(), Some("18446744073709551616"));
    assert_eq!(peer.custom_participant_id.as_deref(), Some("9223372036854775809"));
    assert_eq!(peer.name.key.as_deref(), Some("18446744073709551615/9007199254740993"));
    assert_eq!(body, joined("\"18446744073709551616\"", "\"9223372036854775809\"", "18446744073709551615"));
}

#[test]
fn rooms_shared_between_instances_are_one_meeting_of_peers_that_stay_apart() {
    let joined = |emitter: &str| {
        let data = json!({"event": "joined", "room": "r", "id": "ann"});
        let event = json!({"emitter": emitter, "type": 64, "timestamp": 0, "session_id": 1, "handle_id": 2, "event": {"plugin": "janus.plugin.videoroom", "data": data}});
        story(translate_with(&event.to_string(), SHARED)).concat().replace("1970-01-01T00:00:00.000000Z ", "")
    };
    assert_eq!(joined("a"), "janus:a [videoroom/r \"r\"] a/1/2 joins as - (ann), takes videoroom/r/ann");
    assert_eq!(joined("b"), "janus:b [videoroom/r \"r\"] b/1/2 joins as - (ann), takes videoroom/r/ann");
}

#[test]
fn times_are_bounded_by_the_ledgers_years() {
    let at = |timestamp: &str| {
        let body = format!("{{\"emitter\":\"j\",\"type\":256,\"subtype\":1,\"timestamp\":{timestamp}}}");
        translate(&body).unwrap().events.pop().map(|event| event.time)
    };
    assert_eq!(at("1795526284684620"), Some(Timestamp::from_micros(1_795_526_284_684_620)));
    assert_eq!(at(&Timestamp::MIN.micros().to_string()), Some(Timestamp::MIN));
    assert_eq!(at(&Timestamp::MAX.micros().to_string()), Some(Timestamp::MAX));
    for timestamp in ["253370764800000000", "-62135596800000001", "9223372036854775808", "1e999", "1.5", "\"5\"", "null"] {
        assert_eq!(at(timestamp), None, "{timestamp}");
    }
}

#[test]
fn what_cannot_be_translated_is_kept_raw_and_the_rest_is_taken() {
    let plugin =
        |rest: &str| format!("{{\"emitter\":\"j\",\"type\":64,\"timestamp\":0,\"event\":{{\"plugin\":\"janus.plugin.videoroom\"{rest}}}}}");
    for (body, expected) in [
        ("5".to_owned(), "item 0: 5 is not an object"),
        ("{}".to_owned(), "item 0: type: is required: a number"),
        ("{\"type\":\"64\"}".to_owned(), "item 0: type: \"64\" is not a number"),
        ("{\"type\":256,\"subtype\":1,\"timestamp\":0}".to_owned(), "item 0: emitter: is required: set server_name in janus.jcfg"),
        (
            "{\"type\":256,\"subtype\":1,\"timestamp\":0,\"emitter\":\"\"}".to_owned(),
            "item 0: emitter: is required: set server_name in janus.jcfg",
        ),
        (
            "{\"type\":256,\"subtype\":2,\"emitter\":\"j\"}".to_owned(),
            "item 0: timestamp: is required: microseconds since 1970, in the years 1 to 9998",
        ),
        ("{\"type\":64}".to_owned(), "item 0: event: is required: an object"),
        (plugin(""), "item 0: event.data: is required: an object"),
        (plugin(",\"data\":{}"), "item 0: event.data.event: is required: a text"),
        (plugin(",\"data\":{\"event\":\"leaving\",\"id\":1}"), "item 0: event.data.room: is required: a whole number or a text"),
        (plugin(",\"data\":{\"event\":\"leaving\",\"room\":1}"), "item 0: event.data.id: is required: a whole number or a text"),
        (plugin(",\"data\":{\"event\":\"leaving\",\"room\":1.5,\"id\":1}"), "item 0: event.data.room: 1.5 is not a whole number or a text"),
        (plugin(",\"data\":{\"event\":\"joined\",\"room\":1,\"id\":1}"), "item 0: session_id: is required: a whole number or a text"),
        (
            plugin(",\"data\":{\"event\":\"leaving\",\"room\":1,\"id\":\"\\u0000\"}"),
            "item 0: line 1, column 124: the NUL character is not allowed",
        ),
    ] {
        assert_eq!(story(translate(&body)), [format!("kept raw: {expected}")], "{body}");
    }
    let mixed = translate("[{\"type\":1}, 7, {\"type\":256,\"subtype\":1,\"emitter\":\"j\",\"timestamp\":0}, []]").unwrap();
    assert_eq!(mixed.events.len(), 1);
    assert_eq!(mixed.reasons.iter().map(|reason| reason.index).collect::<Vec<_>>(), [1, 3]);
    assert!(mixed.keep_raw());
    let many = translate(&format!("[{}1]", "1,".repeat(99))).unwrap();
    assert_eq!((many.untranslated, many.reasons.len()), (100, 16));
}

#[test]
fn what_is_not_json_is_refused() {
    for (body, expected) in [
        ("", "refused: the body is not what the engine sends: line 1, column 1: the JSON ends too early"),
        ("[{\"type\":1}", "refused: the body is not what the engine sends: line 1, column 12: the JSON ends too early"),
        ("a=b", "refused: the body is not what the engine sends: line 1, column 1: expected a value"),
    ] {
        assert_eq!(story(translate(body)), [expected]);
    }
}

#[test]
fn engines_have_names() {
    for name in engine::names() {
        assert_eq!(engine::open(name, &Settings::default()).unwrap().name(), name);
    }
    let unknown = engine::open("Janus", &Settings::default()).unwrap_err().to_string();
    assert!(unknown.starts_with("no engine is called \"Janus\": there are 100ms, bigbluebutton, daily"), "{unknown}");
}

#[test]
fn a_password_of_its_own_lets_janus_in() {
    let settings = Settings { secrets: vec![Secret::new("", "open sesame")], ..Settings::default() };
    let janus = engine::open("janus", &settings).unwrap();
    let knock = |authorization: &str, vouched| {
        let headers = [("Authorization", authorization.as_bytes())];
        janus.receive(&Delivery { headers: &headers, body: b"[]", ..Delivery::default() }, vouched).map_err(|refusal| refusal.kind())
    };
    // janus:open sesame
    assert!(knock("Basic amFudXM6b3BlbiBzZXNhbWU=", false).is_ok());
    assert_eq!(knock("Basic amFudXM6b3BlbiBzZXNhbWU", false), Err("unsigned"));
    assert_eq!(knock("Basic amFudXM6b3BlbiBzZXNhbWUh", false), Err("unsigned"));
    assert_eq!(knock("Bearer open sesame", false), Err("unsigned"));
    // A token of rollbook's, which stands in the same place.
    assert!(knock("Bearer rollbook-token", true).is_ok());
}

#[test]
fn options_are_read_and_judged() {
    let open = |options: &str| engine::open("janus", &Settings { options: options.parse().unwrap(), ..Settings::default() });
    assert!(open("rooms_shared = true\nsilence_seconds = 62").is_ok());
    assert_eq!(open("silence_seconds = 5000").unwrap_err().to_string(), "options: silence_seconds: at most 4294");
    assert!(open("room_shared = true").unwrap_err().to_string().starts_with("options: unknown field `room_shared`, expected"));
    let empty = Settings { secrets: vec![Secret::new("a", "")], ..Settings::default() };
    assert_eq!(engine::open("janus", &empty).unwrap_err().to_string(), "secrets: the secret \"a\" is empty");
}
