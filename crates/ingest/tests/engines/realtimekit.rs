use crate::openssl::{RsaKey, base64};
use crate::stories::{Sent, events, refused, told, without};
use rollbook_ingest::engine::{self, Engine, Secret, Settings};
use std::sync::Arc;

fn realtimekit(keys: &[&RsaKey]) -> Arc<dyn Engine> {
    let secrets = keys.iter().map(|key| Secret::new("", &key.public())).collect();
    engine::open("realtimekit", &Settings { secrets, ..Settings::default() }).unwrap()
}

fn sent(key: &RsaKey, body: &str) -> Sent {
    let signature = base64(&key.sign(body.as_bytes()));
    Sent::at(1_780_500_000, vec![("rtk-signature", signature), ("rtk-uuid", "5b7f9a6e-0000-4000-8000-000000000001".into())], body)
}

const MEETING: &str = r#""meeting":{"id":"5e0c9a6e-0000-4000-8000-000000000002","sessionId":"05e59a6e-0000-4000-8000-000000000003","title":"Sync","roomName":"5e0c","status":"LIVE","createdAt":"2026-06-03T10:00:00.000Z","startedAt":"2026-06-03T10:00:00.000Z","endedAt":"2026-06-03T10:30:00.000Z"}"#;

fn participant(key: &RsaKey, event: &str, left: &str) -> Sent {
    sent(
        key,
        &format!(
            r#"{{"event":"{event}",{MEETING},"participant":{{"peerId":"e32f9a6e-0000-4000-8000-000000000004","userDisplayName":"Ann","customParticipantId":"u-1","clientSpecificId":"u-1","joinedAt":"2026-06-03T10:05:00.250Z"{left}}}}}"#
        ),
    )
}

fn joined(key: &RsaKey) -> Sent {
    participant(key, "meeting.participantJoined", "")
}

fn left(key: &RsaKey) -> Sent {
    participant(key, "meeting.participantLeft", r#","leftAt":"2026-06-03T10:25:00.750Z""#)
}

fn meeting(key: &RsaKey, event: &str, more: &str) -> Sent {
    sent(key, &format!(r#"{{"event":"{event}",{MEETING}{more}}}"#))
}

#[test]
fn a_meeting_is_told_by_its_own_ids() {
    let key = RsaKey::generate();
    let engine = realtimekit(&[&key]);
    let says = |sent: Sent| told(&events(sent.to(&*engine))).concat();
    let place = "realtimekit [session 05e59a6e-0000-4000-8000-000000000003 of 5e0c9a6e-0000-4000-8000-000000000002 \"Sync\"]";
    let ann = "e32f9a6e-0000-4000-8000-000000000004";
    assert_eq!(says(meeting(&key, "meeting.started", "")), format!("10:00:00 {place} starts"));
    assert_eq!(says(joined(&key)), format!("10:05:00.250 {place} {ann} joins: - u-1 Ann -"));
    // The meeting's `endedAt` in a leave ends nothing.
    assert_eq!(says(left(&key)), format!("10:25:00.750 {place} {ann} leaves, - since 10:05:00.250"));
    assert_eq!(
        says(meeting(&key, "meeting.ended", r#","reason":"HOST_ENDED_MEETING""#)),
        format!("10:30:00 {place} ends, HOST_ENDED_MEETING")
    );
    for ignored in ["meeting.chatSynced", "meeting.transcript", "recording.statusUpdate", "livestreaming.statusUpdate"] {
        assert_eq!(says(meeting(&key, ignored, "")), "", "{ignored}");
    }
    assert_eq!(says(meeting(&key, "meeting.participantLeft", "")), "kept raw: item 0: participant: is required: an object");
}

#[test]
fn only_what_the_key_signed_is_taken() {
    let (old, new, stranger) = (RsaKey::generate(), RsaKey::generate(), RsaKey::generate());
    let engine = realtimekit(&[&old, &new]);
    let good = joined(&old);
    assert_eq!(events(good.to(&*engine)), events(joined(&new).to(&*engine)));
    let legacy = good.without("rtk-signature").with("dyte-signature", &good.headers[0].1);
    assert_eq!(events(legacy.to(&*engine)), events(good.to(&*engine)));
    let replay = good.with("rtk-uuid", "5b7f9a6e-0000-4000-8000-00000000ffff");
    assert_eq!(events(replay.to(&*engine)), events(good.to(&*engine)), "the header is not signed, so it names nothing");
    for refusal in [
        joined(&stranger).to(&*engine),
        good.flipped_at(0).to(&*engine),
        good.flipped_at(good.body.len() / 2).to(&*engine),
        good.with("rtk-signature", &good.headers[0].1.replace(&good.headers[0].1[9..10], "#")).to(&*engine),
        good.with("rtk-signature", &base64(b"short")).to(&*engine),
        good.with("rtk-signature", "").to(&*engine),
    ] {
        let refusal = refusal.unwrap_err();
        assert_eq!((refusal.kind(), engine.status(&refusal)), ("bad_signature", 503), "a key that has just changed must cost no event");
    }
    assert_eq!(refused(good.without("rtk-signature").to(&*engine)), "unsigned");
    let no_key = engine::open("realtimekit", &Settings { secrets: vec![Secret::new("", "no key")], ..Settings::default() });
    assert_eq!(no_key.unwrap_err().to_string(), "secrets: no PEM text that begins with -----BEGIN PUBLIC KEY-----");
}

#[test]
fn the_ledger_gets_it_right_whatever_is_lost() {
    let key = RsaKey::generate();
    let engine = realtimekit(&[&key]);
    let story = [meeting(&key, "meeting.started", ""), joined(&key), left(&key), meeting(&key, "meeting.ended", "")];
    let now = 1_780_500_000;
    let lost = |lost: &[usize]| without(lost, &*engine, &story, now).concat();
    assert_eq!(lost(&[]), "10:05:00.250 Sync (ended 10:30:00): u-1 10:05:00.250-10:25:00.750");
    assert_eq!(lost(&[1]), "10:05:00.250 Sync (ended 10:30:00): u-1 10:05:00.250-10:25:00.750 JoinMissing");
    assert_eq!(lost(&[2]), "10:05:00.250 Sync (ended 10:30:00): u-1 10:05:00.250-10:30:00 by SessionEnded ~1499");
    assert_eq!(lost(&[3]), "10:05:00.250 Sync (ended 10:26:00.750): u-1 10:05:00.250-10:25:00.750");
    assert_eq!(lost(&[1, 2]), "10:00:00 Sync (ended 10:30:00): nobody");
}
