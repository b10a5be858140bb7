use crate::stories::{Sent, events, refused, told, without};
use rollbook_ingest::engine::{self, Engine, Secret, Settings};
use std::sync::Arc;

/// 2024-11-19T07:00:00Z.
const SEVEN: i64 = 1_731_999_600;

fn jitsi() -> Arc<dyn Engine> {
    engine::open("jitsi", &Settings { secrets: vec![Secret::new("", "the bearer")], ..Settings::default() }).unwrap()
}

fn sent(payload: &str) -> Sent {
    Sent::at(SEVEN, vec![("Authorization", "Bearer the bearer".into()), ("User-Agent", "Prosody (0.12.3; Linux)".into())], payload)
}

fn occupant(jid: &str, joined: i64, left: Option<i64>) -> String {
    let left = left.map_or_else(String::new, |left| format!(r#","left_at":{}"#, SEVEN + left));
    format!(
        r#"{{"occupant_jid":"{jid}@x.org/OWhl","joined_at":{}{left},"id":"u-{jid}","name":"Ann","email":"a@x.org","avatar":"https://x.org/a.png","total_dominant_speaker_time":7}}"#,
        SEVEN + joined
    )
}

fn about(event: &str, more: &str) -> Sent {
    sent(&format!(
        r#"{{"event_name":"{event}","room_name":"algebra","room_jid":"algebra@conference.x.org","is_breakout":false,"active_occupants_count":3{more}}}"#
    ))
}

fn joined(jid: &str, at: i64) -> Sent {
    about("muc-occupant-joined", &format!(r#","occupant":{}"#, occupant(jid, at, None)))
}

fn left(jid: &str, joined: i64, at: i64) -> Sent {
    about("muc-occupant-left", &format!(r#","occupant":{}"#, occupant(jid, joined, Some(at))))
}

fn created(at: i64) -> Sent {
    about("muc-room-created", &format!(r#","created_at":{}"#, SEVEN + at))
}

fn destroyed(at: i64, occupants: &str) -> Sent {
    about("muc-room-destroyed", &format!(r#","created_at":{SEVEN},"destroyed_at":{},"all_occupants":{occupants}"#, SEVEN + at))
}

#[test]
fn each_delivery_repeats_what_it_knows() {
    let jitsi = jitsi();
    let says = |sent: &Sent| told(&events(sent.to(&*jitsi)));
    let place = "jitsi [meeting algebra@conference.x.org \"algebra\"]";
    let joins = format!("07:01:40 {place} a@x.org/OWhl joins: - u-a Ann -");
    let leaves = format!("07:06:40 {place} a@x.org/OWhl leaves, - since 07:01:40");
    assert_eq!(says(&joined("a", 100)), [joins.as_str()]);
    assert_eq!(says(&left("a", 100, 400)), [joins.as_str(), &leaves]);
    let all = format!("[{},{}]", occupant("a", 100, Some(400)), occupant("b", 200, None));
    assert_eq!(
        says(&destroyed(420, &all)),
        [
            joins.as_str(),
            &leaves,
            &format!("07:03:20 {place} b@x.org/OWhl joins: - u-b Ann -"),
            &format!("07:07:00 {place} b@x.org/OWhl leaves, - since 07:03:20"),
            &format!("07:07:00 {place} ends, destroyed"),
        ]
    );
    assert_eq!(says(&destroyed(420, "{}")), [format!("07:07:00 {place} ends, destroyed")], "how Lua writes an empty list");
    let first = events(joined("a", 100).to(&*jitsi)).events;
    assert_eq!(events(left("a", 100, 400).to(&*jitsi)).events[..1], first[..], "the same event, so a duplicate");
    assert_eq!(says(&created(90)), [format!("07:01:30 {place} roster of 0")]);
    assert_eq!(says(&about("of the future", "")), [""; 0]);
}

#[test]
fn a_breakout_room_is_a_breakout_of_the_room_that_it_names() {
    let jitsi = jitsi();
    let body = String::from_utf8(joined("a", 100).body).unwrap();
    let breakout = body.replace("\"is_breakout\":false", "\"is_breakout\":true,\"breakout_room_id\":\"7c1e@breakout.x.org\"");
    assert_eq!(
        told(&events(sent(&breakout).to(&*jitsi))).concat(),
        "07:01:40 jitsi [meeting algebra@conference.x.org/7c1e@breakout.x.org \"algebra\" in meeting algebra@conference.x.org] \
         a@x.org/OWhl joins: - u-a Ann -"
    );
    let nameless = body.replace("\"is_breakout\":false", "\"is_breakout\":true");
    assert_eq!(told(&events(sent(&nameless).to(&*jitsi))), ["kept raw: item 0: breakout_room_id: is required: a text"]);
}

#[test]
fn only_the_bearer_lets_it_in_and_no_mail_is_kept() {
    let jitsi = jitsi();
    let good = joined("a", 100);
    for wrong in ["Bearer another", "Bearer", "the bearer", "Basic dGhlIGJlYXJlcg=="] {
        assert_eq!(refused(good.with("Authorization", wrong).to(&*jitsi)), "unsigned");
    }
    assert_eq!(refused(good.without("Authorization").to(&*jitsi)), "unsigned");
    assert_eq!(events(good.with("Authorization", "Bearer a-token-of-rollbook").vouched(&*jitsi)), events(good.to(&*jitsi)));
    let kept = String::from_utf8(jitsi.kept(&good.body)).unwrap();
    assert!(kept.contains(r#""email":null,"avatar":null"#), "{kept}");
    let by_mail = engine::open("jitsi", &Settings { options: "identity = [\"email\"]".parse().unwrap(), ..Settings::default() }).unwrap();
    assert!(told(&events(good.vouched(&*by_mail))).concat().contains("joins: - a@x.org Ann"));
}

#[test]
fn the_ledger_gets_it_right_whatever_is_lost() {
    let jitsi = jitsi();
    let all = format!("[{},{}]", occupant("a", 100, Some(400)), occupant("b", 200, Some(410)));
    let story = [joined("a", 100), joined("b", 200), left("a", 100, 400), left("b", 200, 410), destroyed(411, &all)];
    let lost = |lost: &[usize]| without(lost, &*jitsi, &story, SEVEN + 3600);
    let ann = "07:01:40 algebra (ended 07:06:51): u-a 07:01:40-07:06:40";
    let ben = "07:03:20 algebra (ended 07:06:51): u-b 07:03:20-07:06:50";
    for lost_ones in [&[][..], &[0], &[1, 2], &[2, 3], &[0, 1, 2, 3]] {
        assert_eq!(lost(lost_ones), [ann, ben], "the end repeats everything: {lost_ones:?}");
    }
    let open = "07:01:40 algebra (ended 07:07:50): u-a 07:01:40-07:06:40";
    assert_eq!(lost(&[0, 4])[0], open, "a leave repeats its join");
    // Without the end, a leave that is lost is closed by nothing but the maximum stay.
    assert_eq!(lost(&[3, 4])[1], "07:03:20 algebra (live): u-b 07:03:20-");
    // The same connection comes again: another stay of the same person.
    let again = [joined("a", 100), left("a", 100, 400), joined("a", 420), left("a", 420, 500)];
    assert_eq!(without(&[], &*jitsi, &again, SEVEN + 3600), ["07:01:40 algebra (ended 07:09:20): u-a 07:01:40-07:06:40 07:07:00-07:08:20"]);
    assert_eq!(without(&[1], &*jitsi, &again, SEVEN + 3600), ["07:01:40 algebra (ended 07:09:20): u-a 07:01:40-07:08:20 DuplicateJoin"]);
}

/// Prosody that is killed tells of no leave; once it is back, the room is made anew.
#[test]
fn a_room_that_is_made_anew_has_nobody_of_before() {
    let jitsi = jitsi();
    let story = [created(90), joined("a", 100), joined("b", 200), created(230), joined("a", 230), left("a", 230, 400)];
    assert_eq!(
        without(&[], &*jitsi, &story, SEVEN + 3600),
        [
            "07:01:40 algebra (ended 07:07:40): u-a 07:01:40-07:03:50 by Roster ~130 07:03:50-07:06:40",
            "07:03:20 algebra (ended 07:07:40): u-b 07:03:20-07:03:50 by Roster ~30",
        ]
    );
    let late = [story.as_slice(), &[left("b", 200, 220)]].concat();
    assert_eq!(
        without(&[], &*jitsi, &late, SEVEN + 3600)[1],
        "07:03:20 algebra (ended 07:07:40): u-b 07:03:20-07:03:40",
        "a leave has the last word"
    );
}
