use crate::openssl::{base64, hmac};
use crate::stories::{Sent, events, refused, told, without};
use rollbook_ingest::engine::{self, Engine, Secret, Settings};
use std::sync::Arc;

/// 2024-11-19T07:00:00Z.
const SEVEN: i64 = 1_731_999_600;

fn jaas() -> Arc<dyn Engine> {
    engine::open("jaas", &Settings { secrets: vec![Secret::new("", "whsec_1")], ..Settings::default() }).unwrap()
}

fn signed_by(secret: &str, second: i64, body: &str) -> Sent {
    let at = SEVEN + second;
    let signature = format!("t={at},v1={}", base64(&hmac(secret, format!("{at}.{body}").as_bytes())));
    Sent::at(at, vec![("X-Jaas-Signature", signature)], body)
}

fn webhook(event: &str, key: &str, second: i64, data: &str) -> Sent {
    let body = format!(
        r#"{{"idempotencyKey":"{key}","customerId":"c","appId":"vpaas-magic-cookie-1","eventType":"{event}","sessionId":"s-1","timestamp":{},"fqn":"vpaas-magic-cookie-1/algebra","data":{{{data}}}}}"#,
        (SEVEN + second) * 1000 + 250
    );
    signed_by("whsec_1", second, &body)
}

const ANN: &str = r#""moderator":"true","name":"Ann","group":"","email":"a@x.org","id":"u1","participantJid":"p@x.org/1","participantId":"PID1","avatar":"https://x.org/a.png""#;

#[test]
fn a_conference_is_told_as_it_was() {
    let jaas = jaas();
    let says = |sent: Sent| told(&events(sent.to(&*jaas))).concat();
    let place = "jaas [session s-1 of vpaas-magic-cookie-1/algebra \"algebra\"]";
    assert_eq!(says(webhook("ROOM_CREATED", "1", 0, r#""conference":"algebra@conference.x""#)), format!("07:00:00.250 {place} starts"));
    assert_eq!(says(webhook("PARTICIPANT_JOINED", "2", 60, ANN)), format!("07:01:00.250 {place} PID1 joins: - u1 Ann -"));
    let left = format!(r#"{ANN},"disconnectReason":"kicked""#);
    assert_eq!(says(webhook("PARTICIPANT_LEFT", "3", 120, &left)), format!("07:02:00.250 {place} PID1 leaves, kicked"));
    assert_eq!(says(webhook("ROOM_DESTROYED", "4", 180, "")), format!("07:03:00.250 {place} ends, -"));
    for yes in ["true", "\"true\""] {
        let breakout = format!(r#"{ANN},"isBreakout":{yes},"breakoutRoomId":"b/1""#);
        assert_eq!(
            says(webhook("PARTICIPANT_JOINED", "5", 60, &breakout)),
            "07:01:00.250 jaas [session s-1/b%2F1 of - \"algebra\" in session s-1] PID1 joins: - u1 Ann -"
        );
    }
    for ignored in ["PARTICIPANT_JOINED_LOBBY", "PARTICIPANT_LEFT_LOBBY", "RECORDING_STARTED", "SPEAKER_STATS"] {
        assert_eq!(says(webhook(ignored, "6", 60, ANN)), "", "{ignored}");
    }
    assert_eq!(says(webhook("PARTICIPANT_LEFT", "7", 60, "")), "kept raw: item 0: data.participantJid: is required: a text");
}

#[test]
fn only_what_8x8_signed_is_taken() {
    let jaas = jaas();
    let good = webhook("PARTICIPANT_JOINED", "2", 60, ANN);
    let body = String::from_utf8(good.body.clone()).unwrap();
    assert_eq!(events(good.to(&*jaas)), events(signed_by("whsec_1", 3600, &body).to(&*jaas)), "a redelivery is the same event");
    assert_eq!(refused(signed_by("whsec_2", 60, &body).to(&*jaas)), "bad_signature");
    assert_eq!(refused(good.flipped_at(5).to(&*jaas)), "bad_signature");
    let signature = good.headers[0].1.clone();
    for wrong in
        [signature.replace("t=1", "t=2"), signature.replace("v1=", "v0="), signature.replace(",v1", ""), signature.replace("v1=", "v1=A")]
    {
        assert_eq!(refused(good.with("X-Jaas-Signature", &wrong).to(&*jaas)), "bad_signature", "{wrong}");
    }
    assert_eq!(refused(good.without("X-Jaas-Signature").to(&*jaas)), "unsigned");
    assert_eq!(events(good.later(86_400).to(&*jaas)).events.len(), 1);
    assert_eq!(refused(good.later(86_400 + 301).to(&*jaas)), "stale");
    assert_eq!(refused(good.later(-301).to(&*jaas)), "stale");
    let kept = String::from_utf8(jaas.kept(&good.body)).unwrap();
    assert!(kept.contains(r#""email":null"#) && kept.contains(r#""avatar":null"#), "{kept}");
}

#[test]
fn the_ledger_gets_it_right_whatever_is_lost() {
    let jaas = jaas();
    let story = [
        webhook("ROOM_CREATED", "1", 0, ""),
        webhook("PARTICIPANT_JOINED", "2", 60, ANN),
        webhook("PARTICIPANT_LEFT", "3", 120, ANN),
        webhook("ROOM_DESTROYED", "4", 180, ""),
    ];
    let lost = |lost: &[usize]| without(lost, &*jaas, &story, SEVEN + 3600).concat();
    assert_eq!(lost(&[]), "07:01:00.250 algebra (ended 07:03:00.250): u1 07:01:00.250-07:02:00.250");
    assert_eq!(lost(&[1]), "07:02:00.250 algebra (ended 07:03:00.250): u1 07:02:00.250-07:02:00.250 LeftWithoutJoin");
    assert_eq!(lost(&[2]), "07:01:00.250 algebra (ended 07:03:00.250): u1 07:01:00.250-07:03:00.250 by SessionEnded ~120");
    assert_eq!(lost(&[3]), "07:01:00.250 algebra (ended 07:03:00.250): u1 07:01:00.250-07:02:00.250");
}
