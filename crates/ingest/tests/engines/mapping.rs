use crate::openssl::{RsaKey, base64, hex, hmac};
use crate::stories::{Sent, events, refused, told, without};
use rollbook_ingest::engine::{self, Engine, Secret, Settings};
use std::sync::Arc;

/// 2024-11-19T07:00:00Z.
const SEVEN: i64 = 1_731_999_600;

fn shipped(name: &str, secret: &str) -> Arc<dyn Engine> {
    engine::open(name, &Settings { secrets: vec![Secret::new("", secret)], ..Settings::default() }).unwrap()
}

fn described(mapping: &str, secrets: &[&str]) -> Result<Arc<dyn Engine>, String> {
    let secrets = secrets.iter().map(|secret| Secret::new("", secret)).collect();
    engine::open("ours", &Settings { secrets, mapping: Some(mapping.to_owned()), ..Settings::default() }).map_err(|error| error.to_string())
}

/// What Daily documents, signed at this second after seven.
fn daily(second: i64, event: &str, id: &str, payload: &str) -> Sent {
    let at = (SEVEN + second).to_string();
    let body = format!(r#"{{"version":"1.0.0","type":"{event}","id":"{id}","payload":{{{payload}}},"event_ts":{at}.115}}"#);
    let signature = base64(&hmac("the secret", format!("{at}.{body}").as_bytes()));
    Sent::at(SEVEN + second, vec![("X-Webhook-Timestamp", at), ("X-Webhook-Signature", signature)], &body)
}

fn ann(more: &str) -> String {
    format!(
        r#""room":"algebra","user_id":"u1","user_name":"Ann","session_id":"0d3b2a4e-0000-4000-8000-00000000000a","joined_at":{}.5,"will_eject_at":{SEVEN}.27,"owner":false,"permissions":{{"hasPresence":true}}{more}"#,
        SEVEN + 60
    )
}

#[test]
fn daily_tells_rooms_and_when_people_left_by_how_long_they_stayed() {
    // What the settings hold is base64, as Daily gives it out.
    let engine = shipped("daily", &base64(b"the secret"));
    let says = |sent: &Sent| told(&events(sent.to(&*engine))).concat();
    let place = "daily [meeting algebra \"algebra\"] 0d3b2a4e-0000-4000-8000-00000000000a";
    let joined = daily(61, "participant.joined", "ptcpt-join-1", &ann(""));
    let left = daily(361, "participant.left", "ptcpt-left-1", &ann(r#","duration":299.25"#));
    let ended = daily(
        400,
        "meeting.ended",
        "mtg-1",
        &format!(r#""start_ts":{SEVEN}.1,"end_ts":{}.9,"meeting_id":"m","room":"algebra""#, SEVEN + 360),
    );
    assert_eq!(says(&joined), format!("07:01:00.500 {place} joins: - u1 Ann -"));
    assert_eq!(says(&left), format!("07:05:59.750 {place} leaves, - since 07:01:00.500"));
    assert_eq!(says(&ended), "07:06:00.900 daily [meeting algebra \"algebra\"] ends, -");
    assert_eq!(says(&daily(61, "waiting-participant.joined", "w", &ann(""))), "");
    assert_eq!(says(&daily(361, "participant.left", "p", &ann(""))), "kept raw: item 0: /payload/duration: is required");
    let lost = |lost: &[usize]| without(lost, &*engine, &[joined.clone(), left.clone(), ended.clone()], SEVEN + 3600).concat();
    assert_eq!(lost(&[]), "07:01:00.500 algebra (ended 07:06:00.900): u1 07:01:00.500-07:05:59.750");
    assert_eq!(lost(&[0]), "07:01:00.500 algebra (ended 07:06:00.900): u1 07:01:00.500-07:05:59.750 JoinMissing");
    assert_eq!(lost(&[1]), "07:01:00.500 algebra (ended 07:06:00.900): u1 07:01:00.500-07:06:00.900 by SessionEnded ~300");
    assert_eq!(lost(&[2]), "07:01:00.500 algebra (ended 07:06:59.750): u1 07:01:00.500-07:05:59.750");
}

#[test]
fn only_what_daily_signed_is_taken() {
    let engine = shipped("daily", &base64(b"the secret"));
    let good = daily(61, "participant.joined", "ptcpt-join-1", &ann(""));
    assert_eq!(events(good.to(&*engine)), events(good.later(3600).to(&*engine)), "an hour late is the same event");
    assert_eq!(refused(good.later(86_400 + 301).to(&*engine)), "stale");
    assert_eq!(refused(good.later(-301).to(&*engine)), "stale");
    assert_eq!(refused(good.flipped_at(7).to(&*engine)), "bad_signature");
    assert_eq!(refused(good.with("X-Webhook-Timestamp", "1731999662").to(&*engine)), "bad_signature");
    let signature = good.headers[1].1.clone();
    for wrong in [&signature[4..], "", "#", &base64(b"short")] {
        assert_eq!(refused(good.with("X-Webhook-Signature", wrong).to(&*engine)), "bad_signature", "{wrong}");
    }
    for missing in ["X-Webhook-Signature", "X-Webhook-Timestamp"] {
        assert_eq!(refused(good.without(missing).to(&*engine)), "unsigned");
    }
    assert_eq!(refused(good.to(&*shipped("daily", &base64(b"another secret")))), "bad_signature");
    let no_base64 = engine::open("daily", &Settings { secrets: vec![Secret::new("", "no base64!")], ..Settings::default() });
    assert_eq!(no_base64.unwrap_err().to_string(), "secrets: a secret is not Base64");
}

#[test]
fn hundred_ms_tells_sessions_roles_and_reasons() {
    let engine = shipped("100ms", "the bearer");
    let sent = |event: &str, id: &str, data: &str| {
        let body = format!(
            r#"{{"version":"2.0","id":"{id}","account_id":"a","app_id":"b","timestamp":"2024-11-19T07:10:00Z","type":"{event}","data":{{"account_id":"a","room_id":"r1","room_name":"algebra","session_id":"s1"{data}}}}}"#
        );
        Sent::at(SEVEN, vec![("Authorization", "Bearer the bearer".into())], &body)
    };
    let ann = r#","peer_id":"p1","user_id":"u1","user_name":"Ann","user_data":"{}","role":"host","joined_at":"2024-11-19T07:01:00.5Z","left_at":"2024-11-19T07:06:00.123456Z","duration":299,"reason":"left""#;
    let story = [
        sent("session.open.success", "e1", r#","session_started_at":"2024-11-19T07:00:59Z""#),
        sent("peer.join.success", "e2", ann),
        sent("peer.leave.success", "e3", ann),
        sent("session.close.success", "e4", ""),
    ];
    let says = |sent: &Sent| told(&events(sent.to(&*engine))).concat();
    let place = "100ms [session s1 of r1 \"algebra\"]";
    assert_eq!(says(&story[0]), format!("07:00:59 {place} starts"));
    assert_eq!(says(&story[1]), format!("07:01:00.500 {place} p1 joins: - u1 Ann host"));
    assert_eq!(says(&story[2]), format!("07:06:00.123 {place} p1 leaves, left since 07:01:00.500"));
    assert_eq!(says(&story[3]), format!("07:10:00 {place} ends, -"));
    assert_eq!(says(&sent("beam.started.success", "e5", ann)), "");
    assert_eq!(without(&[1], &*engine, &story, SEVEN + 3600).len(), 1);
    assert_eq!(refused(story[1].with("Authorization", "Bearer another").to(&*engine)), "unsigned");
}

#[test]
fn videosdk_tells_no_times_of_people() {
    let key = RsaKey::generate();
    let engine = shipped("videosdk", &key.public());
    let sent = |second: i64, event: &str, participant: &str| {
        let body = format!(r#"{{"webhookType":"{event}","data":{{"meetingId":"abcd-1234","sessionId":"s1"{participant}}}}}"#);
        Sent::at(SEVEN + second, vec![("videosdk-signature", base64(&key.sign(body.as_bytes())))], &body)
    };
    let ann = r#","participantId":"p1","participantName":"Ann""#;
    let story = [
        sent(0, "session-started", ""),
        sent(60, "participant-joined", ann),
        sent(360, "participant-left", ann),
        sent(400, "session-ended", ""),
    ];
    assert_eq!(told(&events(story[1].to(&*engine))), ["07:01:00 videosdk [session s1 of abcd-1234 \"abcd-1234\"] p1 joins: - - Ann -"]);
    assert_eq!(without(&[], &*engine, &story, SEVEN + 3600), ["07:01:00 abcd-1234 (ended 07:06:40): Ann 07:01:00-07:06:00"]);
    // A repeated delivery is a later join or leave of someone who is in or out already: it moves nothing.
    let late = [&story[..], &[story[1].later(5), story[2].later(5)]].concat();
    assert_eq!(
        without(&[], &*engine, &late, SEVEN + 3600),
        ["07:01:00 abcd-1234 (ended 07:06:40): Ann 07:01:00-07:06:00 DuplicateJoin LeftAgain"]
    );
    assert_eq!(refused(story[1].flipped_at(30).to(&*engine)), "bad_signature");
    assert_eq!(refused(story[1].to(&*shipped("videosdk", &RsaKey::generate().public()))), "bad_signature");
    assert_eq!(refused(story[1].without("videosdk-signature").to(&*engine)), "unsigned");
}

const OURS: &str = r#"
source = "ours"
type = "/what"
refused_is_retried = true

[verify]
method = "hmac-sha256"
header = "x-ours"
prefix = "sha256="
encoding = "hex"

[fields]
time = { at = "/at", unit = "milliseconds" }
session = "/rooms/0/a~1b"
parent = "/rooms/0/of"
peer = ["/who/id", "/who/name"]
display_name = "/who/name"
user_id = "/who/user"
robot = { at = "/who/role", values = ["bot", "7"] }

[events.in]
is = "peer.joined"

[events.out]
is = "peer.left"
reason = "/why"
"#;

#[test]
fn an_engine_that_nobody_knows_is_described_in_a_file() {
    let engine = described(OURS, &["old", "new"]).unwrap();
    let signed =
        |secret: &str, body: &str| Sent::at(SEVEN, vec![("X-Ours", format!("sha256={}", hex(&hmac(secret, body.as_bytes()))))], body);
    let body =
        |what: &str, who: &str| format!(r#"{{"what":"{what}","at":{SEVEN}250,"rooms":[{{"a/b":17,"of":"m"}}],"who":{who},"why":"bored"}}"#);
    let says = |body: &str| told(&events(signed("new", body).to(&*engine))).concat();
    let place = "07:00:00.250 ours [session 17 of - in session m]";
    assert_eq!(says(&body("in", r#"{"id":5,"name":"Ann","user":"u"}"#)), format!("{place} 5 joins: u - Ann -"));
    assert_eq!(says(&body("in", r#"{"id":null,"name":"Ann","role":"bot"}"#)), format!("{place} Ann joins: - - Ann -, a robot"));
    assert_eq!(says(&body("in", r#"{"name":"Ann","role":7}"#)), format!("{place} Ann joins: - - Ann -, a robot"));
    assert_eq!(says(&body("out", r#"{"id":"","name":"Ann"}"#)), format!("{place} Ann leaves, bored"));
    assert_eq!(says(&body("up", "{}")), "");
    assert_eq!(says("{}"), "kept raw: item 0: /what: is required");
    assert_eq!(says(&body("in", "{}")), "kept raw: item 0: /who/id or /who/name: is required");
    assert_eq!(says(&body("in", r#"{"id":[]}"#)), "kept raw: item 0: /who/id: an array is not a text or a number");
    let good = body("in", r#"{"id":5}"#);
    let first = events(signed("new", &good).to(&*engine));
    assert_eq!(events(signed("old", &good).later(99_999).to(&*engine)), first, "without a time in the signature nothing is too old");
    let spaced = good.replace(',', " , ");
    assert_eq!(events(signed("new", &spaced).to(&*engine)), first, "its id is of what it says");
    let refusal = signed("other", &good).to(&*engine).unwrap_err();
    assert_eq!((refusal.kind(), engine.status(&refusal)), ("bad_signature", 503));
}

#[test]
fn a_secret_may_be_sent_along_in_other_ways() {
    let with = |verify: &str| {
        let (before, after) = OURS.split_once("[verify]").unwrap();
        let fields = after.split_once("[fields]").unwrap().1;
        described(&format!("{before}[verify]\n{verify}\n[fields]{fields}"), &["s3cret"]).unwrap()
    };
    for (verify, header, good, wrong) in [
        ("method = \"basic\"", "Authorization", "Basic YTpzM2NyZXQ=", "Basic YTpzM2NyZXQh"),
        ("method = \"bearer\"", "Authorization", "Bearer s3cret", "Bearer s3creT"),
        ("method = \"header\"\nheader = \"x-key\"", "X-Key", "s3cret", "s3cre"),
    ] {
        let engine = with(verify);
        let sent = Sent::at(SEVEN, vec![(header, good.into())], r#"{"what":"nothing"}"#);
        assert!(sent.to(&*engine).is_ok(), "{verify}");
        assert!(sent.with(header, wrong).to(&*engine).is_err(), "{verify}");
        assert_eq!(refused(sent.without(header).to(&*engine)), "unsigned", "{verify}");
    }
}

#[test]
fn what_is_wrong_in_a_mapping_is_told() {
    for (instead, of, message) in [
        ("peerr = \"/who\"", "peer = [\"/who/id\", \"/who/name\"]", "unknown field `peerr`"),
        ("peer = \"who\"", "peer = [\"/who/id\", \"/who/name\"]", "\"who\" is no JSON pointer: it begins with '/'"),
        ("", "peer = [\"/who/id\", \"/who/name\"]", "events.\"in\": peer is required"),
        ("", "session = \"/rooms/0/a~1b\"", "events.\"in\": session or meeting is required"),
        ("", "time = { at = \"/at\", unit = \"milliseconds\" }", "events.\"in\": time is required"),
        ("is = \"peer.jumped\"", "is = \"peer.joined\"", "unknown variant `peer.jumped`"),
        ("reasons = \"/why\"", "reason = \"/why\"", "unknown field `reasons`"),
        ("encoding = \"hex\"\nsigned = \"body\"", "encoding = \"hex\"", "verify.signed: needs {body}"),
        ("encoding = \"hex\"\nsigned = \"{timestamp}.{body}\"", "encoding = \"hex\"", "verify.signed: needs {body}, and {timestamp} if"),
        ("source = \"\"", "source = \"ours\"", "source: is empty"),
    ] {
        assert!(OURS.contains(of), "{of}");
        let error = described(&OURS.replace(of, instead), &["s"]).unwrap_err();
        assert!(error.starts_with("mapping: ") && error.contains(message), "{error}");
    }
    assert!(described("source = 1", &[]).unwrap_err().starts_with("mapping: "));
    let (before, after) = OURS.split_once("[verify]").unwrap();
    let unsigned = described(&format!("{before}[fields]{}", after.split_once("[fields]").unwrap().1), &["s"]);
    assert_eq!(unsigned.unwrap_err(), "secrets: the mapping has no [verify] that could use them");
}

const SEVERAL: &str = r#"
source = "ours"
items = "/batch/events"
type = "/event"
[fields]
time = { at = ["/at", "^/sent_at"], unit = "seconds" }
meeting = "^/room"
title = "^/room"
peer = "/who"
[events.in]
is = "peer.joined"
[events.out]
is = "peer.left"
"#;

#[test]
fn a_delivery_may_have_several_events() {
    let engine = described(SEVERAL, &[]).unwrap();
    let says = |room: &str, events_of: &str| {
        let body = format!(r#"{{"room":"{room}","sent_at":{},"batch":{{"events":{events_of}}}}}"#, SEVEN + 90);
        told(&events(Sent::at(SEVEN, vec![], &body).vouched(&*engine)))
    };
    let both = format!(r#"[{{"event":"in","who":"a","at":{}}},{{"event":"wave"}},{{"event":"out","who":"a"}}]"#, SEVEN + 60);
    assert_eq!(
        says("algebra", &both),
        ["07:01:00 ours [meeting algebra \"algebra\"] a joins: - - - -", "07:01:30 ours [meeting algebra \"algebra\"] a leaves, -"]
    );
    assert_eq!(
        says("algebra", r#"[{"event":"in"},{"event":"in","who":"b"},3]"#),
        [
            "07:01:30 ours [meeting algebra \"algebra\"] b joins: - - - -",
            "kept raw: item 0: /who: is required",
            "kept raw: item 2: /event: is required",
        ],
        "what can't be translated holds up nothing else"
    );
    assert_eq!(says("algebra", "[]"), [""; 0]);
    assert_eq!(says("algebra", "null"), [""; 0], "a report of something else");
    assert_eq!(says("algebra", "{}"), ["kept raw: item 0: /batch/events: an object is not an array"]);
    let ids = |sent_at: i64| {
        let body = format!(r#"{{"room":"r","sent_at":{sent_at},"batch":{{"events":[{{"event":"in","who":"a"}}]}}}}"#);
        events(Sent::at(SEVEN, vec![], &body).vouched(&*engine)).events[0].id.clone()
    };
    assert_eq!(ids(SEVEN), ids(SEVEN));
    assert_ne!(ids(SEVEN), ids(SEVEN + 1), "the same item at another time is another event");
    for (wrong, told) in [
        (SEVERAL.replace("items = \"/batch", "items = \"batch"), "mapping: items: \"batch/events\" is no JSON pointer"),
        (SEVERAL.replace("items = \"/batch/events\"", ""), "mapping: \"^/"),
    ] {
        let error = described(&wrong, &[]).unwrap_err();
        assert!(error.starts_with(told), "{error}");
    }
}
