use crate::openssl::{base64, base64url, digest, hmac};
use crate::stories::{Sent, events, ledger, refused, told};
use rollbook_core::time::{SECOND, Timestamp};
use rollbook_ingest::engine::{self, Engine, Secret, Settings};
use std::sync::Arc;

/// 2024-11-19T07:00:00Z.
const NOON: i64 = 1_731_999_600;

fn livekit() -> Arc<dyn Engine> {
    let secrets = vec![Secret::new("APIold", "an older secret"), Secret::new("APIkey", "the secret")];
    engine::open("livekit", &Settings { secrets, ..Settings::default() }).unwrap()
}

/// A JWT as LiveKit makes it, but for what the claims say.
fn jwt(header: &str, claims: &str, secret: &str) -> String {
    let signed = format!("{}.{}", base64url(header.as_bytes()), base64url(claims.as_bytes()));
    format!("{signed}.{}", base64url(&hmac(secret, signed.as_bytes())))
}

/// A delivery that is signed at this second after noon, and received one second later.
fn at(second: i64, body: &str) -> Sent {
    let time = NOON + second;
    let claims =
        format!(r#"{{"exp":{},"iss":"APIkey","nbf":{time},"sha256":"{}"}}"#, time + 300, base64(&digest("sha256", body.as_bytes())));
    let token = jwt(r#"{"alg":"HS256","typ":"JWT"}"#, &claims, "the secret");
    Sent {
        headers: vec![("Content-Type", "application/webhook+json".into()), ("Authorization", token)],
        target: "/".into(),
        body: body.into(),
        received_at: Timestamp::from_micros((time + 1) * SECOND),
    }
}

/// A webhook about a participant: Ann's first connection is PA_1.
fn participant(event: &str, id: &str, second: i64, sid: &str, joined_ms: i64, more: &str) -> Sent {
    let created = NOON + second;
    at(
        second,
        &format!(
            r#"{{"event":"{event}","id":"{id}","createdAt":"{created}","room":{{"sid":"RM_a","name":"algebra-1","creationTime":"{NOON}","creationTimeMs":"{NOON}123","numParticipants":3}},"participant":{{"sid":"{sid}","identity":"u1","name":"Ann","state":"ACTIVE","joinedAt":"{}","joinedAtMs":"{}","attributes":{{"team":"x"}}{more}}}}}"#,
            NOON + joined_ms / 1000,
            NOON * 1000 + joined_ms
        ),
    )
}

fn room(event: &str, id: &str, second: i64) -> Sent {
    let created = NOON + second;
    at(
        second,
        &format!(
            r#"{{"event":"{event}","id":"{id}","createdAt":"{created}","room":{{"sid":"RM_a","name":"algebra-1","creationTime":"{NOON}","creationTimeMs":"{NOON}123"}}}}"#
        ),
    )
}

#[test]
fn a_lesson_is_told_as_it_was() {
    let livekit = livekit();
    let says = |sent: &Sent| told(&events(sent.to(&*livekit))).concat();
    let place = "livekit [session RM_a of algebra-1 \"algebra-1\"]";
    assert_eq!(says(&room("room_started", "EV_1", 0)), format!("07:00:00.123 {place} starts"));
    let joined = participant("participant_joined", "EV_2", 100, "PA_1", 100_456, "");
    assert_eq!(says(&joined), format!("07:01:40.456 {place} PA_1 joins: - u1 Ann -"));
    let left = participant("participant_left", "EV_3", 400, "PA_1", 100_456, r#","disconnectReason":"CLIENT_INITIATED""#);
    assert_eq!(says(&left), format!("07:06:40 {place} PA_1 leaves, CLIENT_INITIATED since 07:01:40.456"));
    assert_eq!(says(&room("room_finished", "EV_4", 420)), format!("07:07:00 {place} ends, -"));
    for ignored in ["track_published", "track_unpublished", "egress_started", "ingress_ended", "agent_job_started", "of the future"] {
        assert_eq!(says(&room(ignored, "EV_5", 1)), "", "{ignored}");
    }
}

#[test]
fn protojson_may_be_written_in_other_ways() {
    let livekit = livekit();
    let says = |body: &str| told(&events(at(100, body).to(&*livekit))).concat();
    // Names of the proto file, numbers as numbers, and a version that knows no milliseconds and no names.
    let joined = r#"{"event":"participant_joined","id":"EV_2","created_at":1731999700,"room":{"sid":"RM_a"},"participant":{"sid":"PA_1","joined_at":1731999700,"joined_at_ms":"0"}}"#;
    assert_eq!(says(joined), "07:01:40 livekit [session RM_a of -] PA_1 joins: - - - -");
    for (kind, robot) in [
        ("\"EGRESS\"", true),
        ("2", true),
        ("\"AGENT\"", true),
        ("\"INGRESS\"", true),
        ("\"SIP\"", false),
        ("\"STANDARD\"", false),
        ("99", false),
    ] {
        let with = joined.replace(r#""sid":"PA_1""#, &format!(r#""sid":"PA_1","kind":{kind}"#));
        assert_eq!(says(&with).ends_with(", a robot"), robot, "{kind}");
    }
}

#[test]
fn only_what_livekit_signed_is_taken() {
    let livekit = livekit();
    let good = participant("participant_joined", "EV_2", 100, "PA_1", 100_456, "");
    assert_eq!(events(good.to(&*livekit)).events.len(), 1);
    assert_eq!(events(good.to(&*livekit)), events(good.later(200).to(&*livekit)), "a replay is the same event again");
    for byte in [0, good.body.len() / 2, good.body.len() - 1] {
        assert_eq!(refused(good.flipped_at(byte).to(&*livekit)), "bad_signature");
        assert_eq!(refused(good.flipped_at(byte).vouched(&*livekit)), "bad_signature", "a token does not make up for it");
    }
    let token = good.headers[1].1.clone();
    for place in [0, 10, token.find('.').unwrap() + 5, token.len() - 5] {
        let letter = if &token[place..=place] == "A" { "B" } else { "A" };
        let flipped = [&token[..place], letter, &token[place + 1..]].concat();
        assert_eq!(refused(good.with("Authorization", &flipped).to(&*livekit)), "bad_signature", "{place}");
    }
    assert_eq!(refused(good.without("Authorization").to(&*livekit)), "unsigned");
    assert_eq!(refused(good.with("Authorization", &format!("Bearer {token}")).to(&*livekit)), "unsigned");
    assert_eq!(events(good.with("Authorization", "Bearer a-token-of-rollbook").vouched(&*livekit)).events.len(), 1);
}

#[test]
fn a_token_is_of_its_time_and_of_a_known_key() {
    let livekit = livekit();
    let body = "{}";
    let sha256 = base64(&digest("sha256", body.as_bytes()));
    let knock = |header: &str, claims: &str, secret: &str| {
        let sent = at(0, body).with("Authorization", &jwt(header, &claims.replace("SHA", &sha256), secret));
        sent.to(&*livekit).map(|_| "taken").unwrap_or_else(|refusal| refusal.kind())
    };
    let header = r#"{"alg":"HS256"}"#;
    let claims = format!(r#"{{"iss":"APIkey","exp":{},"nbf":{NOON},"sha256":"SHA"}}"#, NOON + 300);
    // What is missing of attendance is kept, but it is LiveKit's.
    assert_eq!(knock(header, &claims, "the secret"), "taken");
    assert_eq!(knock(header, &claims, "another secret"), "bad_signature");
    assert_eq!(knock(header, &claims.replace("APIkey", "APIold"), "the secret"), "bad_signature", "each key has its own secret");
    assert_eq!(knock(header, &claims.replace("APIkey", "APIold"), "an older secret"), "taken");
    assert_eq!(knock(header, &claims.replace("APIkey", "APInone"), "the secret"), "bad_signature");
    for other in [r#"{"alg":"none"}"#, r#"{"alg":"HS512"}"#, r#"{"alg":"hs256"}"#, r#"{"alg":"HS256","crit":["x"]}"#, "{}", "[]", "x"] {
        assert_eq!(knock(other, &claims, "the secret"), "bad_signature", "{other}");
    }
    assert_eq!(knock(header, r#"{"iss":"APIkey","exp":99999999999}"#, "the secret"), "bad_signature", "it does not cover the body");
    assert_eq!(
        knock(header, &claims.replace(&(NOON + 300).to_string(), &(NOON - 298).to_string()), "the secret"),
        "taken",
        "clocks differ"
    );
    assert_eq!(knock(header, &claims.replace(&(NOON + 300).to_string(), &(NOON - 300).to_string()), "the secret"), "stale");
    assert_eq!(knock(header, &claims.replace(&format!("\"nbf\":{NOON}"), &format!("\"nbf\":{}", NOON + 302)), "the secret"), "stale");
    assert_eq!(knock(header, r#"{"iss":"APIkey","sha256":"SHA"}"#, "the secret"), "stale", "it would hold for ever");
}

#[test]
fn what_cannot_be_translated_is_kept_without_personal_members() {
    let livekit = livekit();
    let says = |body: &str| told(&events(at(100, body).to(&*livekit))).concat();
    assert_eq!(says("nonsense"), "kept raw: item 0: line 1, column 2: expected a value");
    assert_eq!(says("{}"), "kept raw: item 0: event: is required: a text");
    assert_eq!(says(r#"{"event":"participant_left","id":"EV_1"}"#), "kept raw: item 0: participant: is required: an object");
    let no_sid = r#"{"event":"participant_left","id":"EV_1","createdAt":"1","room":{"sid":"RM_a"},"participant":{"identity":"u1"}}"#;
    assert_eq!(says(no_sid), "kept raw: item 0: participant.sid: is required: a text");
    let bad_time = r#"{"event":"room_finished","id":"EV_1","createdAt":"soon","room":{"sid":"RM_a"}}"#;
    assert_eq!(says(bad_time), "kept raw: item 0: createdAt: \"soon\" is not seconds since 1970");
    let kept = livekit.kept(br#"{"participant":{"identity":"u1","metadata":"{\"mail\":\"a@b\"}","attributes":{"ip":"1.2.3.4"}}}"#);
    assert_eq!(String::from_utf8(kept).unwrap(), r#"{"participant":{"identity":"u1","metadata":null,"attributes":null}}"#);
}

/// Ann joins, takes her connection over from another device, and the leave of the first comes after the join of the second.
#[test]
fn the_ledger_gets_it_right_whatever_livekit_loses() {
    let livekit = livekit();
    let now = Timestamp::from_micros((NOON + 3600) * SECOND);
    let story = [
        room("room_started", "EV_1", 0),
        participant("participant_joined", "EV_2", 100, "PA_1", 100_456, ""),
        participant("participant_joined", "EV_3", 200, "PA_2", 200_500, ""),
        participant("participant_left", "EV_4", 200, "PA_1", 100_456, r#","disconnectReason":"DUPLICATE_IDENTITY""#),
        participant("participant_joined", "EV_5", 210, "PA_E", 210_000, r#","kind":"EGRESS""#),
        participant("participant_connection_aborted", "EV_6", 230, "PA_3", 225_000, ""),
        participant("participant_left", "EV_7", 400, "PA_2", 200_500, ""),
        room("room_finished", "EV_8", 420),
    ];
    let without = |lost: &[usize]| {
        let arrived: Vec<_> = (0..).zip(&story).filter(|(place, _)| !lost.contains(place)).map(|(_, sent)| sent.clone()).collect();
        ledger(&*livekit, &arrived, now)
    };
    let first = "07:01:40.456 algebra-1 (ended 07:07:00): u1 07:01:40.456-07:03:20";
    let aborted = "07:03:50 algebra-1 (ended 07:07:00): u1 07:03:50-07:03:50 LeftWithoutJoin";
    let second = "07:03:20.500 algebra-1 (ended 07:07:00): u1 07:03:20.500-07:06:40";
    assert_eq!(without(&[]), [first, second, aborted]);
    // A join that is lost costs nothing once the leave has come: it repeats it.
    assert_eq!(without(&[1, 2]), [&format!("{first} JoinMissing"), &format!("{second} JoinMissing"), aborted]);
    // A leave that is lost is closed by the end of the room, 20 seconds late here.
    assert_eq!(without(&[6])[1], "07:03:20.500 algebra-1 (ended 07:07:00): u1 07:03:20.500-07:07:00 by SessionEnded ~219");
    // Both are lost: nobody can know.
    assert_eq!(without(&[1, 3]), [second, aborted]);
    // The end is lost: the last leave and keep-alive.
    assert_eq!(without(&[7])[1], "07:03:20.500 algebra-1 (ended 07:07:40): u1 07:03:20.500-07:06:40");
}
