use crate::openssl::{hex, hmac};
use crate::stories::{Sent, events, refused, told, without};
use rollbook_ingest::engine::{self, Engine, Reception, Secret, Settings};
use std::sync::Arc;

/// 2026-06-03T10:00:00Z.
const TEN: i64 = 1_780_480_800;

fn zoom_with(options: &str) -> Arc<dyn Engine> {
    let secrets = vec![Secret::new("", "an older token"), Secret::new("", "the token")];
    engine::open("zoom", &Settings { secrets, options: options.parse().unwrap(), ..Settings::default() }).unwrap()
}

fn zoom() -> Arc<dyn Engine> {
    zoom_with("")
}

fn signed_by(token: &str, second: i64, body: &str) -> Sent {
    let at = (TEN + second).to_string();
    let signature = format!("v0={}", hex(&hmac(token, format!("v0:{at}:{body}").as_bytes())));
    Sent::at(TEN + second, vec![("x-zm-signature", signature), ("x-zm-request-timestamp", at)], body)
}

fn webhook(event: &str, second: i64, object: &str, participant: &str) -> Sent {
    let body = format!(
        r#"{{"event":"{event}","event_ts":{},"payload":{{"account_id":"A","object":{{"id":"7701","uuid":"4444AAAiAAAAAiAiAiiAii==","host_id":"H","topic":"Algebra","type":2,"start_time":"2026-06-03T10:00:00Z","timezone":"","duration":60{object}{participant}}}}}}}"#,
        (TEN + second) * 1000
    );
    signed_by("the token", second, &body)
}

fn participant(event: &str, second: i64, object: &str, user: &str, time: &str) -> Sent {
    let minutes = (second / 60, second % 60);
    let ann = format!(
        r#","participant":{{"user_id":"{user}","user_name":"Ann","id":"","participant_uuid":"P","participant_user_id":"zu-1","email":"ann@example.org","phone_number":"+4912","registrant_id":"","customer_key":"k-1","{time}":"2026-06-03T10:{:02}:{:02}Z","leave_reason":"left the meeting"}}"#,
        minutes.0, minutes.1
    );
    webhook(event, second, object, &ann)
}

const ROOM: &str = r#","breakout_room_uuid":"B1==""#;

#[test]
fn a_meeting_and_its_breakout_room_are_told_as_they_were() {
    let zoom = zoom();
    let says = |sent: Sent| told(&events(sent.to(&*zoom))).concat();
    let place = "zoom [session 4444AAAiAAAAAiAiAiiAii== of 7701 \"Algebra\"]";
    let room = "zoom [session B1== of - \"Algebra\" in session 4444AAAiAAAAAiAiAiiAii==]";
    assert_eq!(says(webhook("meeting.started", 0, "", "")), format!("10:00:00 {place} starts"));
    assert_eq!(
        says(participant("meeting.participant_joined", 60, "", "16778240", "join_time")),
        format!("10:01:00 {place} 16778240 joins: - k-1 Ann -")
    );
    assert_eq!(
        says(participant("meeting.participant_left", 600, "", "16778240", "leave_time")),
        format!("10:10:00 {place} 16778240 leaves, left the meeting")
    );
    assert_eq!(
        says(participant("meeting.participant_joined_breakout_room", 601, ROOM, "16778241", "join_time")),
        format!("10:10:01 {room} 16778241 joins: - k-1 Ann -")
    );
    assert_eq!(
        says(participant("meeting.participant_left_breakout_room", 900, ROOM, "16778241", "leave_time")),
        format!("10:15:00 {room} 16778241 leaves, left the meeting")
    );
    assert_eq!(says(webhook("meeting.ended", 3600, r#","end_time":"2026-06-03T10:59:58Z""#, "")), format!("10:59:58 {place} ends, -"));
    assert!(says(participant("webinar.participant_joined", 60, "", "16778240", "join_time")).contains("16778240 joins"));
    for ignored in
        ["meeting.participant_joined_waiting_room", "meeting.participant_left_waiting_room", "meeting.sharing_started", "user.created"]
    {
        assert_eq!(says(participant(ignored, 60, "", "16778240", "join_time")), "", "{ignored}");
    }
}

#[test]
fn who_a_person_is_can_be_chosen() {
    let joined = participant("meeting.participant_joined", 60, "", "16778240", "join_time");
    for (options, who) in [
        ("", "- k-1 Ann"),
        ("identity = [\"registrant_id\", \"participant_user_id\"]", "- zu-1 Ann"),
        ("identity = [\"email\"]", "- ann@example.org Ann"),
        ("identity = []", "- - Ann"),
    ] {
        assert!(told(&events(joined.to(&*zoom_with(options)))).concat().contains(&format!("joins: {who} -")), "{options}");
    }
    let wrong = engine::open("zoom", &Settings { options: "identity = [\"mail\"]".parse().unwrap(), ..Settings::default() });
    assert!(wrong.unwrap_err().to_string().starts_with("options: identity: \"mail\" is none of registrant_id, customer_key"));
    let kept = |options| String::from_utf8(zoom_with(options).kept(&joined.body)).unwrap();
    assert!(kept("").contains(r#""email":null,"phone_number":null"#));
    assert!(kept("identity = [\"email\"]").contains(r#""email":"ann@example.org","phone_number":null"#));
}

#[test]
fn only_what_zoom_signed_is_taken() {
    let zoom = zoom();
    let good = participant("meeting.participant_joined", 60, "", "16778240", "join_time");
    let body = String::from_utf8(good.body.clone()).unwrap();
    assert_eq!(events(good.to(&*zoom)), events(signed_by("an older token", 60, &body).to(&*zoom)));
    assert_eq!(refused(signed_by("another token", 60, &body).to(&*zoom)), "bad_signature");
    assert_eq!(refused(good.flipped_at(40).to(&*zoom)), "bad_signature");
    assert_eq!(refused(good.with("x-zm-request-timestamp", &(TEN + 61).to_string()).to(&*zoom)), "bad_signature");
    let signature = &good.headers[0].1;
    let last = if signature.ends_with('0') { "1" } else { "0" };
    for wrong in [&signature[3..], "v0=", "v0=xyz", &signature[..40], &format!("{}{last}", &signature[..signature.len() - 1])] {
        assert_eq!(refused(good.with("x-zm-signature", wrong).to(&*zoom)), "bad_signature", "{wrong}");
    }
    assert_eq!(refused(good.without("x-zm-signature").to(&*zoom)), "unsigned");
    assert_eq!(refused(good.without("x-zm-request-timestamp").to(&*zoom)), "unsigned");
    // Its last retry comes 85 minutes later, perhaps with the first signature; a minute's difference of clocks is nothing.
    for (seconds, taken) in [(0, true), (85 * 60, true), (94 * 60, true), (96 * 60, false), (-240, true), (-360, false)] {
        let reception = good.later(seconds).to(&*zoom);
        if taken {
            assert_eq!(events(reception), events(good.to(&*zoom)), "a late retry is the same event");
        } else {
            assert_eq!(refused(reception), "stale", "{seconds}");
        }
    }
}

#[test]
fn the_validation_of_the_address_is_answered_and_signs_nothing_else() {
    let zoom = zoom();
    let ask = |token: &str, plain: &str| {
        signed_by(token, 0, &format!(r#"{{"payload":{{"plainToken":"{plain}"}},"event_ts":1,"event":"endpoint.url_validation"}}"#))
    };
    let answer = |sent: &Sent| match sent.to(&*zoom) {
        Ok(Reception::Answer(answer)) => Ok(answer),
        other => Err(format!("{other:?}")),
    };
    for token in ["the token", "an older token"] {
        let expected =
            format!(r#"{{"plainToken":"qgg8vlvZRS6UYooatFL8Aw","encryptedToken":"{}"}}"#, hex(&hmac(token, b"qgg8vlvZRS6UYooatFL8Aw")));
        assert_eq!(answer(&ask(token, "qgg8vlvZRS6UYooatFL8Aw")), Ok(expected));
    }
    assert_eq!(refused(ask("another token", "q").to(&*zoom)), "bad_signature");
    assert_eq!(refused(ask("the token", "q").without("x-zm-signature").to(&*zoom)), "unsigned");
    // Else whoever gets this answered has the signature of a delivery of his own making.
    assert!(answer(&ask("the token", &format!("v0:{TEN}:{{}}"))).is_err());
    assert!(answer(&ask("the token", "q").without("x-zm-signature")).is_err());
}

#[test]
fn the_ledger_gets_it_right_whatever_is_lost() {
    let zoom = zoom();
    let story = [
        webhook("meeting.started", 0, "", ""),
        participant("meeting.participant_joined", 60, "", "1", "join_time"),
        participant("meeting.participant_left", 600, "", "1", "leave_time"),
        participant("meeting.participant_joined_breakout_room", 600, ROOM, "2", "join_time"),
        participant("meeting.participant_left_breakout_room", 900, ROOM, "2", "leave_time"),
        participant("meeting.participant_joined", 901, "", "3", "join_time"),
        webhook("meeting.ended", 3500, r#","end_time":"2026-06-03T10:58:20Z""#, ""),
    ];
    let lost = |lost: &[usize]| without(lost, &*zoom, &story, TEN + 7200);
    let first = "10:01:00 Algebra (ended 10:58:20): k-1 10:01:00-10:10:00";
    let room = "10:10:00 Algebra (ended 10:16:00): k-1 10:10:00-10:15:00";
    let back = "10:15:01 Algebra (ended 10:58:20): k-1 10:15:01-10:58:20 by SessionEnded ~2599";
    assert_eq!(lost(&[]), [first, room, back]);
    assert_eq!(lost(&[1])[0], "10:10:00 Algebra (ended 10:16:00): k-1 10:10:00-10:15:00", "a leave of Zoom's does not say when it began");
    assert_eq!(lost(&[1])[1], "10:10:00 Algebra (ended 10:58:20): k-1 10:10:00-10:10:00 LeftWithoutJoin");
    assert_eq!(lost(&[2])[0], "10:01:00 Algebra (ended 10:58:20): k-1 10:01:00-10:58:20 by SessionEnded ~3440");
}
