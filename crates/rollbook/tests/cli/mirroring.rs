//! A mirror of another rollbook shows what that shows.

use crate::program::{Said, Server, rollbook, run, run_with_input, said};
use rollbook::demo::{self, ACCOUNT, APP};
use rollbook_core::time::{SECOND, Timestamp};
use rollbook_ingest::cloudevents::to_cloudevent;
use serde_json::{Value, json};
use std::path::Path;

const NOW: Timestamp = Timestamp::from_micros(1_750_000_000_000_000);
const LESSON: &str = "0d3b2a4e-0000-4000-8000-000000000001";
const GROUP: &str = "0d3b2a4e-0000-4000-8000-000000000002";
const ANA: &str = "0d3b2a4e-0000-4000-8000-00000000000a";

/// A whole class of the past with its breakouts, as lines.
fn class() -> Vec<String> {
    let (mut class, mut deliveries) = demo::past(NOW);
    deliveries.extend((0..40).map(|number| demo::live(&mut class, number, NOW.plus(number as i64 * SECOND)).events));
    deliveries.push(demo::end(&mut class, NOW.plus(40 * SECOND)));
    deliveries.iter().flatten().map(to_cloudevent).collect()
}

/// An event of the lesson, or of the group that is a breakout of it, at this second after [`NOW`].
fn event(kind: &str, number: u32, at: i64, session: &str, more: &str) -> String {
    let parent = if session == GROUP { format!(r#","parent_id":"{LESSON}""#) } else { String::new() };
    let time = NOW.plus(at * SECOND + 123_456).to_rfc3339_micros();
    format!(
        r#"{{"specversion":"1.0","type":"rollbook.{kind}","source":"sfu","id":"{number}","time":"{time}","data":{{"session":{{"id":"{session}","meeting_id":"0d3b2a4e-0000-4000-8000-00000000000f","meeting_title":"Algebra"{parent}}}{more}}}}}"#
    )
}

/// What a class does not have: stays that evidence ended, rejoins of one peer, a lost join, a robot, a session that nobody ended.
fn oddities() -> Vec<String> {
    let peer = |more: &str| format!(r#","peer":{{{more}}}"#);
    let ana = peer(&format!(
        r#""id":"{ANA}","user_id":"u-ana","custom_participant_id":"c-1","display_name":"Ana \"A\"","preset_name":"host","preset_view_type":"GROUP_CALL""#
    ));
    vec![
        event("peer.created", 1, 0, LESSON, &ana),
        event("peer.joined", 2, 1, LESSON, &ana),
        event("peer.left", 3, 60, LESSON, &ana),
        event("peer.joined", 4, 90, LESSON, &ana),
        event("session.roster", 5, 200, LESSON, r#","peers":[]"#),
        event("peer.joined", 6, 300, LESSON, &ana),
        event("peer.joined", 7, 10, LESSON, &peer(r#""key":"ben","display_name":"Ben""#)),
        event("peer.left", 8, 150, LESSON, &peer(r#""key":"late","display_name":"Late""#)),
        event("peer.joined", 9, 10, LESSON, &peer(r#""key":"recorder","kind":"robot""#)),
        event("session.ended", 10, 400, LESSON, ""),
        event("peer.joined", 11, 100, GROUP, &peer(r#""key":"ana there","user_id":"u-ana""#)),
        event("peer.left", 12, 130, GROUP, &peer(r#""key":"ana there","user_id":"u-ana""#)),
    ]
}

/// A data folder with these events.
fn folder(path: &Path, lines: &[String]) {
    let args = ["import", "--account", ACCOUNT, "--app", APP, "--data", path.to_str().unwrap(), "-"];
    run_with_input(&args, lines.join("\n").as_bytes()).ok();
}

fn token(data: &Path, permission: &str) -> String {
    let args = ["token", "create", "--account", ACCOUNT, "--data", data.to_str().unwrap(), "--permission", permission];
    run(&args).ok().trim_end().to_owned()
}

/// A rollbook that is asked, with the right to.
struct Asked {
    server: Server,
    token: String,
}

impl Asked {
    fn on(folder: &Path) -> Self {
        Self { server: Server::start(folder), token: token(folder, "realtime_admin") }
    }

    fn data(&self, path: &str) -> Value {
        let (status, body) = self.server.get(&format!("/client/v4/accounts/{ACCOUNT}/realtime/kit/{APP}/sessions{path}"), &self.token);
        assert_eq!(status, 200, "{path}: {body}");
        serde_json::from_str::<Value>(&body).unwrap()["data"].take()
    }

    /// The sessions, each with its breakouts, and the rows of both views.
    fn all(&self) -> Vec<(Value, Value, Value)> {
        let listed = self.data("?per_page=1000&sort_order=ASC");
        let ask = |session: &Value| {
            let id = session["id"].as_str().unwrap();
            let rows = |view: &str| self.data(&format!("/{id}/participants?per_page=1000&view={view}"))["participants"].clone();
            (self.data(&format!("/{id}?include_breakout_rooms=true")), rows("raw"), rows("consolidated"))
        };
        listed["sessions"].as_array().unwrap().iter().map(ask).collect()
    }
}

/// Mirrors `upstream` into a folder, or into a server where one is given.
fn mirror(upstream: &Asked, folder: &Path, server: Option<&Asked>) -> Said {
    let (address, state) = (format!("{}/client/v4", upstream.server.address), folder.with_extension("done"));
    let mut args = vec!["mirror", "realtimekit", "--account", ACCOUNT, "--app", APP, "--upstream", &address, "--token-env", "UPSTREAM"];
    args.extend(["--state", state.to_str().unwrap()]);
    match server {
        Some(server) => args.extend(["--server", &server.server.address]),
        None => args.extend(["--data", folder.to_str().unwrap()]),
    }
    let mut command = rollbook(&args);
    command.env("UPSTREAM", &upstream.token);
    if let Some(server) = server {
        command.env("ROLLBOOK_TOKEN", &server.token);
    }
    said(&mut command)
}

/// Equal but for what upstream's API does not carry: times to a millisecond, minutes to four places, and when a row was last touched, which a roster
/// may have done.
fn assert_same(ours: &Value, theirs: &Value, path: &str) {
    match (ours, theirs) {
        (Value::Object(ours), Value::Object(theirs)) => {
            assert_eq!(ours.keys().collect::<Vec<_>>(), theirs.keys().collect::<Vec<_>>(), "{path}");
            for (key, value) in ours.iter().filter(|(key, _)| *key != "updated_at" && *key != "created_at") {
                assert_same(value, &theirs[key], &format!("{path}.{key}"));
            }
        }
        (Value::Array(ours), Value::Array(theirs)) => {
            assert_eq!(ours.len(), theirs.len(), "{path}");
            for (index, (ours, theirs)) in ours.iter().zip(theirs).enumerate() {
                assert_same(ours, theirs, &format!("{path}[{index}]"));
            }
        }
        (Value::Number(ours), Value::Number(theirs)) => {
            let difference = (ours.as_f64().unwrap() - theirs.as_f64().unwrap()).abs();
            // A session's minutes are the sum of its rows'.
            let allowed = if path.ends_with("minutes_consumed") { 0.001 } else { 0.000_101 };
            assert!(difference < allowed, "{path}: {ours} and {theirs}");
        }
        (Value::String(ours), Value::String(theirs)) if path.ends_with("_at") => {
            let [ours, theirs] = [ours, theirs].map(|text| Timestamp::parse_rfc3339(text).unwrap());
            assert!(ours.since(theirs).abs() <= 1_000, "{path}: {ours:?} and {theirs:?}");
        }
        _ => assert_eq!(ours, theirs, "{path}"),
    }
}

#[test]
fn a_mirror_shows_what_upstream_shows() {
    let temp = tempfile::tempdir().unwrap();
    let [theirs, ours] = ["theirs", "ours"].map(|name| temp.path().join(name));
    folder(&theirs, &[class(), oddities()].concat());
    let upstream = Asked::on(&theirs);
    let expected = upstream.all();
    assert_eq!(expected.len(), 5, "two families");

    let out = mirror(&upstream, &ours, None).ok();
    assert!(out.starts_with("5 sessions, ") && out.contains(" participants; 0 sessions were done before\n"), "{out}");
    let mirror_of_it = Asked::on(&ours);
    let got = mirror_of_it.all();
    assert_eq!(got.len(), expected.len());
    for (index, (ours, theirs)) in got.iter().zip(&expected).enumerate() {
        assert_same(&ours.0, &theirs.0, &format!("session[{index}]"));
        assert_same(&ours.1, &theirs.1, &format!("raw[{index}]"));
        assert_same(&ours.2, &theirs.2, &format!("consolidated[{index}]"));
    }
    drop(mirror_of_it);

    // Again, there is nothing to do; and without the notes, nothing to record.
    let again = mirror(&upstream, &ours, None).ok();
    assert!(again.starts_with("0 sessions, 0 participants; 5 sessions were done before\naccepted 0, duplicates 0, "), "{again}");
    std::fs::remove_file(ours.with_extension("done")).unwrap();
    let anew = mirror(&upstream, &ours, None).ok();
    assert!(
        anew.starts_with("5 sessions, ") && anew.contains("\naccepted 0, duplicates ") && anew.contains(", known from elsewhere 0\n"),
        "{anew}"
    );
}

#[test]
fn what_webhooks_told_is_not_told_twice_and_what_they_leave_out_is_filled_in() {
    let temp = tempfile::tempdir().unwrap();
    let [theirs, ours] = ["theirs", "ours"].map(|name| temp.path().join(name));
    folder(&theirs, &oddities());
    let (upstream, target) = (Asked::on(&theirs), Asked::on(&ours));
    let agent: ureq::Agent = ureq::Agent::config_builder().proxy(None).build().into();
    let at = |second: i64| String::from_utf8(NOW.plus(second * SECOND + 123_456).to_millis_text().to_vec()).unwrap();
    let hear = |word: &str, left: Option<String>| {
        let webhook = json!({
            "event": word, "meeting": {"id": "0d3b2a4e-0000-4000-8000-00000000000f", "sessionId": LESSON, "title": "Algebra"},
            "participant": {"peerId": ANA, "userDisplayName": "Ana \"A\"", "customParticipantId": "c-1", "joinedAt": at(1), "leftAt": left},
        });
        let address = format!("{}/v1/accounts/{ACCOUNT}/apps/{APP}/engines/realtimekit", target.server.address);
        let request = agent.post(address).header("authorization", format!("Bearer {}", target.token));
        request.header("content-type", "application/json").send(webhook.to_string()).unwrap();
    };
    hear("meeting.participantJoined", None);
    hear("meeting.participantLeft", Some(at(60)));
    let ana = |include: &str| target.data(&format!("/{LESSON}/participants/{ANA}?{include}"))["participant"].clone();
    assert_eq!((&ana("")["user_id"], &ana("")["preset_name"]), (&Value::Null, &Value::Null));

    let out = mirror(&upstream, &ours, Some(&target)).ok();
    assert!(out.contains(", known from elsewhere 2\n"), "{out}");
    let row = ana("include_stays=true&include_peer_events=true");
    assert_eq!((&row["user_id"], &row["preset_name"]), (&json!("u-ana"), &json!("host")));
    assert_same(&ana(""), &upstream.data(&format!("/{LESSON}/participants/{ANA}"))["participant"], "ana");
    let first_minute = row["peer_events"].as_array().unwrap().iter().filter(|event| event["created_at"].as_str() <= Some(&at(60)));
    let names: Vec<_> = first_minute.map(|event| event["event_name"].as_str().unwrap()).collect();
    assert_eq!(names, ["PEER_CREATED", "PEER_JOINING", "PEER_LEAVING"], "each once");
    let breakouts = target.data(&format!("/{LESSON}?include_breakout_rooms=true"))["breakout_rooms"].clone();
    assert_eq!(breakouts[0]["id"], GROUP);
}

#[test]
fn a_session_that_goes_on_is_finished_by_a_later_run() {
    let temp = tempfile::tempdir().unwrap();
    let [theirs, ours] = ["theirs", "ours"].map(|name| temp.path().join(name));
    let peer = format!(r#","peer":{{"id":"{ANA}"}}"#);
    let [joined, left, ended] =
        [event("peer.joined", 1, 0, LESSON, &peer), event("peer.left", 2, 60, LESSON, &peer), event("session.ended", 3, 90, LESSON, "")];
    // The maximum stay would end it: it begins now.
    let now = rollbook::clock::now().plus(-600 * SECOND).micros() - NOW.micros();
    let moved = |line: &str, at: i64| {
        line.replace(&NOW.plus(at * SECOND + 123_456).to_rfc3339_micros(), &NOW.plus(now + at * SECOND).to_rfc3339_micros())
    };
    folder(&theirs, &[]);
    let upstream = Asked::on(&theirs);
    let send = |line: String| {
        let address = &upstream.server.address;
        let args = ["import", "--account", ACCOUNT, "--app", APP, "--server", address, "--token", &upstream.token, "-"];
        run_with_input(&args, line.as_bytes()).ok();
    };
    send(moved(&joined, 0));
    let out = mirror(&upstream, &ours, None).ok();
    assert!(out.contains("1 sessions go on: run this again when they have ended\n"), "{out}");
    send([moved(&left, 60), moved(&ended, 90)].join("\n"));
    let out = mirror(&upstream, &ours, None).ok();
    assert!(out.starts_with("1 sessions, 1 participants; 0 sessions were done before\naccepted 2, duplicates 2, "), "{out}");
    let got = Asked::on(&ours).all();
    assert_same(&got[0].1, &upstream.all()[0].1, "raw");
}

#[test]
fn what_is_wrong_is_told() {
    let temp = tempfile::tempdir().unwrap();
    let state = temp.path().join("state");
    let args =
        ["mirror", "realtimekit", "--account", ACCOUNT, "--app", APP, "--data", temp.path().to_str().unwrap(), "--token-env", "NO_SUCH"];
    let told = said(&mut rollbook(&args));
    assert_eq!((told.code, &*told.err), (1, "error: upstream's token: the variable NO_SUCH is not set\n"));
    let more = ["--state", state.to_str().unwrap(), "--upstream", "ftp://x"];
    let told = said(rollbook(&[&args[..], &more].concat()).env("NO_SUCH", "x"));
    assert!(told.err.contains("\"ftp://x\" is no address"), "{}", told.err);
}
