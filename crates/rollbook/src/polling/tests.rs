use super::*;
use crate::clock;
use crate::http::Metrics;
use crate::ledger::{Options, View};
use axum::Router;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use rollbook_core::fold::ClosedBy;
use rollbook_core::time::SECOND;
use rollbook_ingest::engine::{self as engines_of, Delivery, Secret, Settings};
use rollbook_ingest::livekit::asking::{self, Room};
use rollbook_store::MemoryStore;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Mutex;

/// What a LiveKit says: each room's sid and participants, by name.
type Rooms = Arc<Mutex<BTreeMap<String, (String, Vec<Value>)>>>;

#[derive(Clone, Default)]
struct Fake {
    rooms: Rooms,
    /// What happens to a room once its participants were told.
    then: Arc<Mutex<Option<(String, String)>>>,
    broken: Arc<Mutex<Option<(&'static str, u16)>>>,
    asked: Arc<Mutex<Vec<(String, HeaderMap)>>>,
}

async fn answer(State(fake): State<Fake>, Path(method): Path<String>, headers: HeaderMap, body: String) -> (StatusCode, String) {
    fake.asked.lock().unwrap().push((method.clone(), headers));
    if let Some((broken, status)) = *fake.broken.lock().unwrap()
        && broken == method
    {
        return (StatusCode::from_u16(status).unwrap(), r#"{"code":"unavailable","msg":"no response from servers"}"#.to_owned());
    }
    let asked: Value = serde_json::from_str(&body).unwrap();
    let mut rooms = fake.rooms.lock().unwrap();
    let told = if method == "ListRooms" {
        let names = asked["names"].as_array().unwrap();
        let listed = rooms.iter().filter(|(name, _)| names.is_empty() || names.contains(&json!(name)));
        json!({"rooms": listed.map(|(name, (sid, _))| json!({"sid": sid, "name": name})).collect::<Vec<_>>()})
    } else {
        let name = asked["room"].as_str().unwrap();
        let participants = rooms.get(name).map(|(_, participants)| participants.clone()).unwrap_or_default();
        if let Some((name, sid)) = fake.then.lock().unwrap().take() {
            rooms.insert(name, (sid, Vec::new()));
        }
        json!({"participants": participants})
    };
    (StatusCode::OK, told.to_string())
}

/// A LiveKit that says what the test puts into it, and a ledger that hears what the test tells it.
struct Scene {
    fake: Fake,
    url: String,
    poller: Poller,
    app: App,
    /// A minute ago, by the clock that everyone here has.
    began: i64,
}

impl Scene {
    async fn new() -> Self {
        let fake = Fake::default();
        let router = Router::new().route("/twirp/livekit.RoomService/{method}", post(answer)).with_state(fake.clone());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, router).await });
        let app = App::new("acme", "school").unwrap();
        let ledger = Ledger::new(Arc::new(MemoryStore::new(Arc::new(clock::now))), Options { segments: None, memory: 1 << 20 });
        let engine = Engine::LiveKit(LiveKit::new(vec![url.clone()], Secret::new("APIkey", "secret")));
        let poller = Poller { healer: Healer::new(app.clone(), ledger), engine, client: Client::default(), unheard: Unheard::new() };
        Self { fake, url, poller, app, began: clock::now().micros() / SECOND - 60 }
    }

    /// Who is in a room by LiveKit.
    fn room(&self, name: &str, sid: &str, participants: &[Value]) {
        self.fake.rooms.lock().unwrap().insert(name.to_owned(), (sid.to_owned(), participants.to_vec()));
    }

    /// A participant who joined so many seconds after the beginning.
    fn participant(&self, sid: &str, at: i64) -> Value {
        let millis = (self.began + at) * 1000 + 250;
        json!({"sid": sid, "identity": format!("u-{sid}"), "name": sid, "state": "ACTIVE", "joined_at_ms": millis.to_string()})
    }

    /// A webhook that comes through.
    async fn hears(&self, event: &str, room: &str, participant: &Value, at: i64) {
        let webhook = json!({
            "event": event, "id": format!("EV_{event}_{participant}"), "createdAt": (self.began + at).to_string(),
            "room": {"sid": room, "name": "algebra"}, "participant": participant,
        });
        let livekit = engines_of::open("livekit", &Settings::default()).unwrap();
        let translation = livekit.translate(&Delivery { body: webhook.to_string().as_bytes(), ..Delivery::default() }).unwrap();
        assert_eq!(translation.untranslated, 0, "{translation:?}");
        self.poller.healer.ledger.ingest(&self.app, translation.events).await.unwrap();
    }

    /// Asks once; how many rosters were recorded.
    async fn poll(&mut self) -> usize {
        let (found, outcome) = self.poller.poll().await;
        outcome.unwrap();
        found.rosters
    }

    /// Each person of the room: name, seconds from the beginning to join and leave, what closed the stay, and how uncertain that is in seconds.
    async fn rows(&self, room: &str) -> Vec<(String, f64, Option<f64>, Option<ClosedBy>, f64)> {
        let session = asking::session(&self.app, &Room { sid: room.into(), name: "algebra".into() });
        let Some(answer) = self.poller.healer.ledger.roster(&self.app, session, View::Raw, None).await.unwrap() else { return Vec::new() };
        let seconds = |micros: i64| micros as f64 / SECOND as f64;
        let since = |time: rollbook_core::time::Timestamp| seconds(time.micros() - self.began * SECOND);
        let rows = (0..answer.roster.len()).map(|place| answer.roster.row(place));
        rows.map(|row| {
            let stay = row.details().stays.pop().unwrap();
            let name = row.display_name().unwrap().into_owned();
            (name, since(row.joined_at()), row.left_at().map(since), stay.closed_by, seconds(stay.uncertain))
        })
        .collect()
    }
}

#[tokio::test]
async fn where_both_agree_nothing_is_recorded() {
    let mut scene = Scene::new().await;
    let (ann, bob) = (scene.participant("ann", 0), scene.participant("bob", 10));
    scene.hears("participant_joined", "RM_1", &ann, 0).await;
    scene.hears("participant_joined", "RM_1", &bob, 10).await;
    scene.room("algebra", "RM_1", &[bob, ann]);
    scene.room("empty", "RM_2", &[]);
    assert_eq!((scene.poll().await, scene.poll().await), (0, 0));
    let asked = scene.fake.asked.lock().unwrap();
    assert_eq!(
        asked.iter().map(|(method, _)| &**method).collect::<Vec<_>>()[..4],
        ["ListRooms", "ListParticipants", "ListParticipants", "ListRooms"]
    );
    assert!(asked[0].1["authorization"].to_str().unwrap().starts_with("Bearer ey"));
}

#[tokio::test]
async fn a_join_that_was_lost_appears_as_it_was() {
    let mut scene = Scene::new().await;
    let (ann, bob) = (scene.participant("ann", 0), scene.participant("bob", 10));
    let recorder = json!({"sid": "recorder", "state": "ACTIVE", "kind": "EGRESS", "joined_at_ms": (scene.began * 1000).to_string()});
    let waiting = json!({"sid": "waiting", "state": "JOINING", "joined_at_ms": (scene.began * 1000).to_string()});
    scene.hears("participant_joined", "RM_1", &ann, 0).await;
    scene.room("algebra", "RM_1", &[ann, bob.clone(), recorder, waiting]);
    assert_eq!((scene.poll().await, scene.poll().await), (1, 0));
    let expected = [("ann".to_owned(), 0.25, None, None, 0.0), ("bob".to_owned(), 10.25, None, None, 0.0)];
    assert_eq!(scene.rows("RM_1").await, expected);
    // The leave that comes has the last word, and the join, should it come after all, changes nothing.
    scene.hears("participant_left", "RM_1", &bob, 61).await;
    scene.hears("participant_joined", "RM_1", &bob, 10).await;
    assert_eq!(scene.rows("RM_1").await[1], ("bob".to_owned(), 10.25, Some(61.0), None, 0.0));
}

#[tokio::test]
async fn a_session_of_which_nothing_was_heard_appears() {
    let mut scene = Scene::new().await;
    scene.room("algebra", "RM_1", &[scene.participant("ann", 5)]);
    assert_eq!(scene.poll().await, 1);
    assert_eq!(scene.rows("RM_1").await, [("ann".to_owned(), 5.25, None, None, 0.0)]);
}

#[tokio::test]
async fn a_leave_that_was_lost_ends_when_it_was_last_seen_to_be_untrue() {
    let mut scene = Scene::new().await;
    let (ann, bob) = (scene.participant("ann", 0), scene.participant("bob", 10));
    scene.hears("participant_joined", "RM_1", &ann, 0).await;
    scene.hears("participant_joined", "RM_1", &bob, 10).await;
    scene.room("algebra", "RM_1", &[ann.clone(), bob]);
    assert_eq!(scene.poll().await, 0);
    scene.room("algebra", "RM_1", &[ann]);
    assert_eq!((scene.poll().await, scene.poll().await), (2, 0), "the roster before tells how exactly it is known");
    let rows = scene.rows("RM_1").await;
    let (_, _, left, closed_by, uncertain) = &rows[1];
    assert_eq!((rows[0].2, *closed_by), (None, Some(ClosedBy::Roster)));
    assert!(left.unwrap() >= 59.0 && *uncertain < 30.0, "{rows:?}");
}

#[tokio::test]
async fn a_leave_that_is_lost_right_after_the_join_was_ends_too() {
    let mut scene = Scene::new().await;
    scene.room("algebra", "RM_1", &[scene.participant("ann", 0)]);
    assert_eq!(scene.poll().await, 1);
    scene.room("algebra", "RM_1", &[]);
    // The roster that opened the stay is younger than the tolerance of the one that lacks her, which so can't close it.
    assert_eq!((scene.poll().await, scene.poll().await), (1, 0));
    assert_eq!(scene.rows("RM_1").await[0].2, None);
    let told_at = |at: i64| {
        let room = Room { sid: "RM_1".into(), name: "algebra".into() };
        asking::roster(&room, b"{}", clock::now().plus(at * SECOND), 5 * SECOND).unwrap()
    };
    let healer = &mut scene.poller.healer;
    let mut recorded = Vec::new();
    for at in [7, 8, 30] {
        let attended = healer.ledger.attended(&scene.app).await.unwrap();
        let mut count = 0;
        healer.heal(vec![told_at(at)], &attended, &mut count).await.unwrap();
        recorded.push(count);
    }
    assert_eq!(recorded, [2, 0, 0], "it is told once more, after the one that was not recorded");
    assert_eq!(scene.rows("RM_1").await[0].3, Some(ClosedBy::Roster));
}

#[tokio::test]
async fn who_stays_for_long_is_heard_of_now_and_then() {
    let mut scene = Scene::new().await;
    let ann = scene.participant("ann", 0);
    scene.hears("participant_joined", "RM_1", &ann, 0).await;
    let healer = &mut scene.poller.healer;
    let mut recorded = Vec::new();
    for hours in [0, 1, 5, 7, 8, 14] {
        let answer = json!({"participants": [ann]}).to_string();
        let room = Room { sid: "RM_1".into(), name: "algebra".into() };
        let roster = asking::roster(&room, answer.as_bytes(), clock::now().plus(hours * 3600 * SECOND), 5 * SECOND).unwrap();
        let attended = healer.ledger.attended(&scene.app).await.unwrap();
        let mut count = 0;
        healer.heal(vec![roster], &attended, &mut count).await.unwrap();
        recorded.push(count);
    }
    assert_eq!(recorded, [0, 0, 0, 1, 0, 1]);
}

#[tokio::test]
async fn a_room_that_is_gone_has_nobody_in_and_another_engines_sessions_are_none_of_its() {
    let mut scene = Scene::new().await;
    let ann = scene.participant("ann", 0);
    scene.hears("participant_joined", "RM_1", &ann, 0).await;
    let native = format!(
        r#"{{"specversion":"1.0","type":"rollbook.peer.joined","source":"sfu","id":"1","time":"{}","data":{{"session":{{"key":"RM_9"}},"peer":{{"key":"zed","display_name":"zed"}}}}}}"#,
        clock::now().plus(-60 * SECOND).to_rfc3339_micros()
    );
    let events = rollbook_ingest::cloudevents::read(Some("application/cloudevents+json"), [], native.as_bytes()).unwrap();
    scene.poller.healer.ledger.ingest(&scene.app, events.into_iter().map(Result::unwrap).collect()).await.unwrap();
    assert_eq!((scene.poll().await, scene.poll().await), (1, 0));
    assert_eq!(scene.rows("RM_1").await[0].3, Some(ClosedBy::Roster));
    assert_eq!(scene.rows("RM_9").await[0].2, None);
}

#[tokio::test]
async fn what_may_be_on_its_way_is_left_to_the_next_poll() {
    let mut scene = Scene::new().await;
    let (ann, late) = (scene.participant("ann", 0), scene.participant("late", 59));
    scene.hears("participant_joined", "RM_1", &ann, 0).await;
    scene.room("algebra", "RM_1", &[ann.clone(), late]);
    assert_eq!(scene.poll().await, 0);
    let soon = scene.participant("soon", 59);
    scene.hears("participant_joined", "RM_1", &soon, 59).await;
    scene.room("algebra", "RM_1", &[ann]);
    assert_eq!(scene.poll().await, 0);
}

#[tokio::test]
async fn an_answer_about_another_life_of_the_room_is_not_taken() {
    let mut scene = Scene::new().await;
    let ann = scene.participant("ann", 0);
    scene.hears("participant_joined", "RM_1", &ann, 0).await;
    scene.room("algebra", "RM_1", &[]);
    *scene.fake.then.lock().unwrap() = Some(("algebra".to_owned(), "RM_2".to_owned()));
    assert_eq!(scene.poll().await, 0, "who is in was told of either life");
    assert_eq!(scene.poll().await, 1);
    assert_eq!(scene.rows("RM_1").await[0].3, Some(ClosedBy::Roster));
}

#[tokio::test]
async fn what_fails_is_told_and_ends_nobodys_stay() {
    let mut scene = Scene::new().await;
    let (ann, bob) = (scene.participant("ann", 0), scene.participant("bob", 0));
    scene.hears("participant_joined", "RM_1", &ann, 0).await;
    scene.room("algebra", "RM_1", &[ann]);
    scene.room("biology", "RM_2", &[bob]);
    for (broken, status) in [("ListRooms", 503), ("ListRooms", 401), ("ListParticipants", 503), ("ListParticipants", 200)] {
        *scene.fake.broken.lock().unwrap() = Some((broken, status));
        let (found, outcome) = scene.poller.poll().await;
        let kind = outcome.map_err(|error| error.kind());
        let expected = if status == 200 { "unreadable" } else { "refused" };
        assert_eq!((found.rosters, kind), (0, Err(expected)), "{broken} {status}");
    }
    *scene.fake.broken.lock().unwrap() = None;
    let silent = LiveKit::new(vec![scene.url.replace("127.0.0.1", "127.0.0.2")], Secret::new("APIkey", "secret"));
    scene.poller.engine = Engine::LiveKit(silent);
    let (_, outcome) = scene.poller.poll().await;
    assert_eq!(outcome.map_err(|error| error.kind()), Err("unreachable"));
}

#[tokio::test]
async fn polls_are_counted() {
    let metrics = Metrics::default();
    let polls = PollMetrics::shown_by(&metrics);
    polls.polled(("acme", "school", "livekit"), Found { rooms: 3, rosters: 2 }, None);
    polls.polled(("acme", "school", "livekit"), Found { rooms: 1, rosters: 1 }, Some("refused"));
    let text = metrics.text();
    for line in [
        r#"rollbook_engine_polls_total{account="acme",app="school",engine="livekit",outcome="ok"} 1"#,
        r#"rollbook_engine_polls_total{account="acme",app="school",engine="livekit",outcome="refused"} 1"#,
        r#"rollbook_engine_poll_rosters_total{account="acme",app="school",engine="livekit"} 3"#,
        r#"rollbook_engine_poll_rooms{account="acme",app="school",engine="livekit"} 3"#,
    ] {
        assert!(text.contains(line), "{line}\n{text}");
    }
    assert!(text.contains("rollbook_engine_poll_last_success_timestamp_seconds{"), "{text}");
}

#[test]
fn what_is_wrong_with_a_poll_is_named_with_the_entry() {
    let told = |poll: &str| {
        let text = format!("account = \"acme\"\napp = \"school\"\nengine = \"{poll}");
        open(&[toml::from_str(&text).unwrap()]).map(|asked| asked.len()).map_err(|error| error.to_string())
    };
    assert_eq!(told("livekit\""), Ok(0));
    for (poll, wrong) in [
        ("livekit\"\npoll = { urls = [] }", "poll: urls: name the engine's servers"),
        ("livekit\"\npoll = { urls = [\"livekit:7880\"] }", "poll: \"livekit:7880\" is no address"),
        ("livekit\"\npoll = { urls = [\"http://127.0.0.1:7880\"] }", "poll: an API key and its secret are needed"),
        (
            "janus\"\noptions = { rooms_shared = true }\npoll = { urls = [\"http://127.0.0.1:8088/janus\"] }",
            "poll: rooms that several instances share",
        ),
        ("zoom\"\npoll = { urls = [\"http://127.0.0.1:7880\"] }", "poll: rollbook can't ask zoom"),
    ] {
        let error = told(poll).unwrap_err();
        assert!(error.starts_with("[[engines]] number 1 (acme/school, ") && error.contains(wrong), "{error}");
    }
}
