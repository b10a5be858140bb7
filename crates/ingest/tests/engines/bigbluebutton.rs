use crate::openssl::{digest, hex};
use crate::stories::{Sent, events, refused, told, without};
use rollbook_ingest::engine::{self, Engine, Secret, Settings};
use std::sync::Arc;

const URL: &str = "https://rollbook.example.org/v1/accounts/acme/apps/school/engines/bigbluebutton";
const TARGET: &str = "/v1/accounts/acme/apps/school/engines/bigbluebutton";
/// 2023-11-14T22:13:20Z.
const BEGIN: i64 = 1_700_000_000;

fn bigbluebutton_with(options: &str) -> Arc<dyn Engine> {
    let secrets = vec![Secret::new("", "another server's"), Secret::new("", "the secret")];
    engine::open("bigbluebutton", &Settings { secrets, options: options.parse().unwrap(), ..Settings::default() }).unwrap()
}

fn bigbluebutton() -> Arc<dyn Engine> {
    bigbluebutton_with("")
}

/// A form as Node's URLSearchParams writes it.
fn form(events: &str) -> String {
    let escaped = |text: &str| -> String {
        text.bytes()
            .map(|byte| match byte {
                b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'*' | b'-' | b'.' | b'_' => char::from(byte).to_string(),
                b' ' => "+".to_owned(),
                _ => format!("%{byte:02X}"),
            })
            .collect()
    };
    format!("domain=bbb.example.org&event={}&timestamp=1700000000456", escaped(&format!("[{events}]")))
}

fn signed(algorithm: &str, url: &str, target: &str, body: &str) -> Sent {
    let checksum = hex(&digest(algorithm, format!("{url}{body}the secret").as_bytes()));
    let joint = if target.contains('?') { '&' } else { '?' };
    let sent = Sent::at(BEGIN + 1, vec![("host", "rollbook.example.org".into())], body);
    Sent { target: format!("{target}{joint}checksum={checksum}"), ..sent }
}

fn sent(events: &str) -> Sent {
    signed("sha1", URL, TARGET, &form(events))
}

fn event(id: &str, second: i64, meeting: &str, user: &str) -> String {
    format!(
        r#"{{"data":{{"type":"event","id":"{id}","attributes":{{"meeting":{{"internal-meeting-id":"8043-169877","external-meeting-id":"algebra"{meeting}}}{user}}},"event":{{"ts":{}}}}}}}"#,
        (BEGIN + second) * 1000 + 456
    )
}

const CREATED: &str = r#","name":"Algebra & more","is-breakout":false,"parent-id":"bbb-none","duration":0,"create-time":1700000000000,"moderator-pass":"mp","viewer-pass":"ap","metadata":{"mail":"x"}"#;
const ANN: &str = r#","user":{"internal-user-id":"w_xf","external-user-id":"u1","name":"Ann","role":"VIEWER","presenter":false,"ip-address":"1.2.3.4","user-agent":"Mozilla","session-token":"st","userdata":{"k":"v"},"guest":false}"#;
const ANN_BY_ID: &str = r#","user":{"internal-user-id":"w_xf","external-user-id":"u1"}"#;

#[test]
fn a_meeting_is_told_in_one_form_of_several_events() {
    let engine = bigbluebutton();
    let all = [
        event("meeting-created", 0, CREATED, ""),
        event("user-joined", 60, "", ANN),
        event("user-audio-voice-enabled", 61, "", ANN_BY_ID),
        event("user-left", 600, "", ANN_BY_ID),
        event("meeting-ended", 660, "", ""),
    ];
    let place = "bigbluebutton:bbb.example.org [session 8043-169877 of algebra";
    assert_eq!(
        told(&events(sent(&all.join(",")).to(&*engine))),
        [
            format!("22:13:20.456 {place} \"Algebra & more\"] starts"),
            format!("22:14:20.456 {place}] w_xf joins: - u1 Ann VIEWER"),
            format!("22:23:20.456 {place}] w_xf leaves, -"),
            format!("22:24:20.456 {place}] ends, -"),
        ]
    );
    let room = r#","name":"Room 1","is-breakout":true,"parent-id":"8043-1""#;
    assert!(
        told(&events(sent(&event("meeting-created", 0, room, "")).to(&*engine))).concat().contains("\"Room 1\" in session 8043-1] starts")
    );
    for ignored in ["user-cam-broadcast-start", "chat-group-message-sent", "rap-published", "poll-started"] {
        assert_eq!(told(&events(sent(&event(ignored, 1, "", ANN)).to(&*engine))), [""; 0], "{ignored}");
    }
}

#[test]
fn a_checksum_is_of_the_address_the_body_and_the_secret() {
    let engine = bigbluebutton();
    let body = form(&event("user-joined", 60, "", ANN));
    let good = signed("sha1", URL, TARGET, &body);
    let translation = events(good.to(&*engine));
    assert_eq!(translation.events.len(), 1);
    for algorithm in ["sha256", "sha384", "sha512"] {
        assert_eq!(events(signed(algorithm, URL, TARGET, &body).to(&*engine)), translation, "{algorithm}");
    }
    let http = URL.replace("https", "http");
    assert_eq!(events(signed("sha256", &http, TARGET, &body).to(&*engine)), translation, "which scheme the proxy took is not known");
    let (url, target) = (format!("{URL}?a=1"), format!("{TARGET}?a=1"));
    assert_eq!(events(signed("sha1", &url, &target, &body).to(&*engine)), translation, "an address that has a query already");
    let behind_proxy = signed("sha1", "https://public.example.org/hooks", "/other", &body);
    assert_eq!(refused(behind_proxy.to(&*engine)), "bad_signature");
    let told = bigbluebutton_with("callback_url = \"https://public.example.org/hooks\"");
    assert_eq!(events(behind_proxy.to(&*told)), translation);
    assert_eq!(refused(good.to(&*told)), "bad_signature", "where the address is told, no other is tried");
    assert_eq!(events(good.later(86_400).to(&*engine)), translation, "permanent hooks retry for ever: nothing is too old");
}

#[test]
fn a_refusal_never_costs_an_event() {
    let engine = bigbluebutton();
    let good = sent(&event("user-joined", 60, "", ANN));
    let flipped = |at: usize| {
        let mut target = good.target.clone().into_bytes();
        target[at] = if target[at] == b'0' { b'1' } else { b'0' };
        Sent { target: String::from_utf8(target).unwrap(), ..good.clone() }
    };
    let end = good.target.len();
    let cut = |to: usize| Sent { target: good.target[..to].to_owned(), ..good.clone() };
    for (sent, kind) in [
        (flipped(end - 1), "bad_signature"),
        (flipped(end - 40), "bad_signature"),
        (cut(end - 2), "bad_signature"),
        (cut(end - 1), "bad_signature"),
        (good.flipped_at(3), "bad_signature"),
        (good.flipped_at(good.body.len() - 1), "bad_signature"),
        (good.with("host", "elsewhere.example.org"), "bad_signature"),
        (cut(TARGET.len()), "unsigned"),
        (cut(TARGET.len()).with("authorization", "Bearer wrong"), "unsigned"),
    ] {
        let refusal = sent.to(&*engine).unwrap_err();
        assert_eq!((refusal.kind(), engine.status(&refusal)), (kind, 503), "{}", sent.target);
    }
    let bearer = cut(TARGET.len()).with("authorization", "Bearer the secret");
    assert_eq!(events(bearer.to(&*engine)), events(good.to(&*engine)), "auth2_0");
}

#[test]
fn what_is_kept_has_neither_tokens_nor_addresses() {
    let engine = bigbluebutton();
    let body = form(&format!("{},{}", event("meeting-created", 0, CREATED, ""), event("user-joined", 60, "", ANN).replace("w_xf", "")));
    let translation = events(signed("sha1", URL, TARGET, &body).to(&*engine));
    assert_eq!(translation.events.len(), 1);
    assert_eq!(translation.reasons[0].to_string(), "item 1: data.attributes.user.internal-user-id: is required: a text");
    let kept = String::from_utf8(engine.kept(body.as_bytes())).unwrap();
    for personal in ["1.2.3.4", "Mozilla", "%22st%22", "%22mp%22", "%22ap%22", "mail"] {
        assert!(body.contains(personal) && !kept.contains(personal), "{personal}: {kept}");
    }
    let again = Sent { body: kept.into_bytes(), ..sent("") }.vouched(&*engine);
    assert_eq!(refused(again), "bad_signature", "what is kept is not what was signed");
    let nothing = Sent { target: TARGET.into(), body: b"a=b".to_vec(), ..sent("") }.vouched(&*engine);
    assert_eq!(told(&events(nothing)), ["kept raw: item 0: event: is required: a field of the form"]);
}

#[test]
fn the_ledger_gets_it_right_whatever_is_lost() {
    let engine = bigbluebutton();
    let story = [
        sent(&event("meeting-created", 0, CREATED, "")),
        sent(&event("user-joined", 60, "", ANN)),
        sent(&event("user-left", 600, "", ANN_BY_ID)),
        sent(&event("user-joined", 610, "", &ANN.replace("w_xf", "w_yg"))),
        sent(&event("meeting-ended", 900, "", "")),
    ];
    let lost = |lost: &[usize]| without(lost, &*engine, &story, BEGIN + 3600);
    let first = "22:14:20.456 Algebra & more (ended 22:28:20.456): u1 22:14:20.456-22:23:20.456";
    let again = "22:23:30.456 Algebra & more (ended 22:28:20.456): u1 22:23:30.456-22:28:20.456 by SessionEnded ~290";
    assert_eq!(lost(&[]), [first, again], "the last leave is one that BigBlueButton may never send");
    assert_eq!(lost(&[2])[0], "22:14:20.456 Algebra & more (ended 22:28:20.456): u1 22:14:20.456-22:28:20.456 by SessionEnded ~840");
    assert_eq!(lost(&[1])[0], "22:23:20.456 Algebra & more (ended 22:28:20.456): u1 22:23:20.456-22:23:20.456 LeftWithoutJoin");
}
