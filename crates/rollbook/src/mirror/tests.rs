use super::*;
use crate::clock;
use crate::http::all_rows;
use crate::ledger::{Ledger, Options, View};
use proptest::prelude::*;
use rollbook_core::event::{Body, Event, Leave, Leaver, PeerInfo, Place, Present, Roll};
use rollbook_core::id::{App, Home, Name};
use rollbook_core::time::{MINUTE, Timestamp};
use rollbook_ingest::realtimekit::listed;
use rollbook_store::MemoryStore;
use serde_json::{Value, json};
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::sync::{Arc, Mutex};
use uuid::Uuid;

const BEGAN: Timestamp = Timestamp::from_micros(1_750_000_000_000_000);
const SESSION: Uuid = Uuid::from_u128(7);

fn ledger() -> Ledger {
    Ledger::new(Arc::new(MemoryStore::new(Arc::new(clock::now))), Options { segments: None, memory: 1 << 20 })
}

fn app() -> App {
    App::new("acme", "school").unwrap()
}

/// The session's rows as its list has them, once these events are known.
fn rows(events: Vec<Event>) -> Value {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        let ledger = ledger();
        ledger.ingest(&app(), events).await.unwrap();
        let answer = ledger.roster(&app(), SESSION, View::Raw, None).await.unwrap().unwrap();
        serde_json::from_slice(&all_rows(&answer)).unwrap()
    })
}

/// One event of a session: what, of whom, and when.
fn event(kind: u8, peer: u128, at: i64, number: usize) -> Event {
    let home = Home::Session { session: Name::id(SESSION), meeting: None };
    let (place, time) = (Arc::new(Place::new(home)), BEGAN.plus(at));
    let info = PeerInfo { user_id: Some(format!("user {peer}").into()), ..PeerInfo::new(Name::id(Uuid::from_u128(peer))) };
    let body = match kind {
        0 => Body::PeerCreated(place, info),
        1..=3 => Body::PeerJoined(place, info),
        4 | 5 => Body::PeerLeft(place, Leaver::Peer(info), Leave::default()),
        6 => Body::PeerLeft(place, Leaver::Peer(info), Leave { joined_at: Some(time.plus(-20_000_000)), ..Leave::default() }),
        7 => Body::SessionRoster(place, Roll { present: vec![Present { peer: info, joined_at: None }], tolerance: 0 }),
        _ => Body::SessionEnded(place, None),
    };
    Event { source: "sfu".into(), id: number.to_string().into(), time, body }
}

/// What is mirrored of a session that upstream lists with these rows, and of how many the stays are guessed.
fn mirrored(rows: &Value) -> (Vec<Event>, usize) {
    let session = json!({"success": true, "data": {"id": SESSION, "status": "ENDED", "started_at": "2025-06-15T15:06:40.000Z", "ended_at": "2025-06-15T15:06:40.000Z"}});
    let session = listed::session(session.to_string().as_bytes()).unwrap().remove(0);
    let page = json!({"success": true, "data": {"participants": rows}});
    let told: Vec<_> = listed::participants(page.to_string().as_bytes()).unwrap().items.iter().map(|row| session.events_of(row)).collect();
    let guessed = told.iter().filter(|(_, sure)| !sure).count();
    (told.into_iter().flat_map(|(events, _)| events).map(|planned| planned.event).collect(), guessed)
}

fn is_same_time(ours: &Value, theirs: &Value, member: &str) -> bool {
    let time = |row: &Value| Timestamp::parse_rfc3339(row[member].as_str().unwrap()).unwrap();
    time(ours).since(time(theirs)).abs() <= 1_000
}

/// Whether a row of the mirror shows what upstream's does.
fn is_equal(ours: &Value, theirs: &Value) -> bool {
    let minutes = |row: &Value| row["duration"].as_f64().unwrap();
    ours["id"] == theirs["id"]
        && ours["user_id"] == theirs["user_id"]
        && is_same_time(ours, theirs, "joined_at")
        && is_same_time(ours, theirs, "left_at")
        && (minutes(ours) - minutes(theirs)).abs() < 0.000_101
}

/// Whether a mirror lists the same as upstream: at each place someone who joined at the same time, and of each person the same row. Upstream
/// tells milliseconds, and orders by more.
fn check(history: &[(u8, u128, i64)]) -> Result<(), TestCaseError> {
    let numbered = history.iter().enumerate();
    let mut events: Vec<_> = numbered.map(|(number, (kind, peer, at))| event(*kind, *peer, *at, number)).collect();
    // A last word of everybody: nobody is in any more.
    events.push(Event { body: Body::SourceStopped, ..event(8, 0, MINUTE, 1_000) });
    let theirs = rows(events);
    let (mirror, _) = mirrored(&theirs);
    let theirs = theirs.as_array().unwrap();
    if theirs.is_empty() {
        prop_assert!(mirror.is_empty());
        return Ok(());
    }
    let ours = rows(mirror);
    let ours = ours.as_array().unwrap();
    prop_assert_eq!(ours.len(), theirs.len());
    for (place, theirs) in theirs.iter().enumerate() {
        prop_assert!(is_same_time(&ours[place], theirs, "joined_at"), "{}\n{}", ours[place], theirs);
        let same: Vec<_> = ours.iter().filter(|ours| ours["id"] == theirs["id"]).collect();
        prop_assert!(same.len() == 1 && is_equal(same[0], theirs), "{:?}\n{}", same, theirs);
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]
    /// Whatever happened upstream, and by whatever evidence stays ended there: once everybody is out, each row is the same here.
    #[test]
    fn every_row_is_the_same(history in prop::collection::vec((0_u8..=8, 1_u128..=4, 0_i64..60_000_000), 1..24)) {
        check(&history)?;
    }
}

#[test]
fn who_joined_within_a_millisecond_is_listed_by_id() {
    check(&[(1, 2, 14_578_000), (1, 1, 14_578_001)]).unwrap();
}

#[test]
fn what_events_tell_is_told_event_by_event_and_the_rest_is_a_guess_that_is_counted() {
    let told = |history: &[(u8, i64)]| {
        let mut events: Vec<_> = history.iter().zip(0..).map(|((kind, at), number)| event(*kind, 1, *at, number)).collect();
        events.push(Event { body: Body::SourceStopped, ..event(8, 0, MINUTE, 1_000) });
        let (events, guessed) = mirrored(&rows(events));
        let words = events.iter().map(|event| match &event.body {
            Body::PeerCreated(..) => ("created", event.time.since(BEGAN) / 1_000_000),
            Body::PeerJoined(..) => ("joined", event.time.since(BEGAN) / 1_000_000),
            _ => ("left", event.time.since(BEGAN) / 1_000_000),
        });
        (words.collect::<Vec<_>>(), guessed)
    };
    const S: i64 = 1_000_000;
    assert_eq!(
        told(&[(0, S), (1, 2 * S), (4, 5 * S), (1, 6 * S)]).0,
        [("created", 1), ("joined", 2), ("left", 5), ("joined", 6), ("left", 60)]
    );
    assert_eq!(told(&[(4, 5 * S)]), (vec![("left", 5)], 0));
    assert_eq!(told(&[(6, 30 * S)]), (vec![("joined", 10), ("left", 30)], 0));
    // A join without a leave before it: the minutes tell when that was, if there was one; 7 is a roster of someone else.
    let of_one = |history: &[(u8, i64)]| {
        let other = |kind| if kind == 7 { 2 } else { 1 };
        let events = history.iter().zip(0..).map(|((kind, at), number)| event(*kind, other(*kind), *at * S, number)).collect();
        let (events, guessed) = mirrored(&json!([rows(events)[0]]));
        (events.iter().map(|event| (event.time.since(BEGAN) + 2_000) / S).collect::<Vec<_>>(), guessed)
    };
    assert_eq!(of_one(&[(1, 0), (7, 10), (1, 20), (4, 30)]), (vec![0, 10, 20, 30], 0));
    let twice = of_one(&[(1, 0), (7, 10), (1, 20), (7, 25), (1, 28), (4, 30)]);
    assert_eq!((twice.0.len(), twice.1), (5, 1), "{twice:?}");
}

/// An upstream that gives these answers, one a connection, and what it was asked.
fn upstream(answers: Vec<(&'static str, String)>) -> (Upstream, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let base = format!("http://{}/client/v4/", listener.local_addr().unwrap());
    let asked = Arc::new(Mutex::new(Vec::new()));
    let heard = Arc::clone(&asked);
    std::thread::spawn(move || {
        for (head, body) in answers {
            let (mut stream, _) = listener.accept().unwrap();
            let mut request = [0; 4096];
            let read = stream.read(&mut request).unwrap();
            heard.lock().unwrap().push(String::from_utf8_lossy(&request[..read]).lines().next().unwrap_or_default().to_owned());
            write!(stream, "HTTP/1.1 {head}\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}", body.len()).unwrap();
        }
    });
    (Upstream::new(&base, "acme", "school", "secret", Pace::default()).unwrap(), asked)
}

#[test]
fn an_upstream_that_is_busy_is_asked_again_and_one_that_refuses_is_not() {
    let page = r#"{"success":true,"data":{"sessions":[{"id":"s-1","status":"LIVE"}]},"paging":{"total_count":7}}"#;
    let (mut busy, asked) = upstream(vec![
        ("429 Too Many Requests\r\nretry-after: 0", String::new()),
        ("503 Service Unavailable\r\nretry-after: 0", "{}".into()),
        ("200 OK", page.into()),
    ]);
    let listed = busy.sessions(Some("2026-01-31T00:00:00.000000Z"), 2).unwrap();
    assert_eq!((listed.items, listed.total), (vec![("s-1".into(), false)], Some(7)));
    let asked = asked.lock().unwrap();
    let expected = "GET /client/v4/accounts/acme/realtime/kit/school/sessions?sort_by=createdAt&sort_order=ASC&page_no=2&per_page=200&start_time=2026-01-31T00%3A00%3A00%2E000000Z HTTP/1.1";
    assert_eq!((asked.len(), &*asked[2]), (3, expected));

    let (mut strict, _) = upstream(vec![("401 Unauthorized", r#"{"message":"Unauthorized"}"#.into())]);
    let error = strict.session("s-1").unwrap_err().to_string();
    assert!(error.ends_with(r#"/sessions/s-1?include_breakout_rooms=true: 401 Unauthorized: {"message":"Unauthorized"}"#), "{error}");
    let (mut gone, _) = upstream(vec![("404 Not Found", "{}".into())]);
    assert_eq!(gone.session("s-1").unwrap(), None);
    let (mut other, _) = upstream(vec![("200 OK", "<html>".into())]);
    assert!(other.session("s-1").unwrap_err().to_string().contains("the answer is not what was asked for"));
    assert!(Upstream::new("api.cloudflare.com", "a", "b", "c", Pace::default()).is_err());
}
