//! The server is killed at random moments while several connections deliver, and started again: everything that it acknowledged is there,
//! once, and every answer is the reference's.
#![expect(clippy::unwrap_used, reason = "these are tests")]

#[path = "cli/program.rs"]
#[expect(dead_code, reason = "another test runs more of the command")]
mod program;
#[path = "../../core/tests/reference/mod.rs"]
mod reference;

use program::{Server, run};
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::{RngAlgorithm, TestRng, TestRunner};
use reference::generate::{Scope, history};
use reference::{RowAnswer, Sort, View, World};
use rollbook_core::codec;
use rollbook_core::event::{Body, Event, Present};
use rollbook_core::id::App;
use rollbook_core::time::Timestamp;
use rollbook_ingest::cloudevents::to_cloudevent;
use rollbook_store::{SqliteStore, Store};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{self, Sender};
use std::time::Duration;

/// How many servers are killed over one data folder. The reference is slow, so a folder is not used forever.
const KILLS_A_FOLDER: u64 = 11;
const FOLDERS: u64 = 5;
const CONNECTIONS: u64 = 4;
/// What one connection has to deliver before a kill.
const DELIVERIES: usize = 40;

/// What became of what one connection delivered.
#[derive(Default)]
struct Delivered {
    acknowledged: Vec<Event>,
    in_doubt: Vec<Event>,
}

#[test]
fn what_was_acknowledged_outlives_every_kill() {
    let (mut kills, mut acknowledged, mut in_doubt, mut found_in_doubt) = (0, 0, 0, 0);
    for folder in 0..FOLDERS {
        let data = tempfile::tempdir().unwrap();
        let token =
            run(&["token", "create", "--account", "acme", "--permission", "realtime_admin", "--data", data.path().to_str().unwrap()]);
        let token = token.ok().trim().to_owned();
        let mut all = Delivered::default();
        for kill in 0..KILLS_A_FOLDER {
            let server = Server::start(data.path());
            let seed = folder * KILLS_A_FOLDER + kill;
            deliver_until_killed(server, &token, seed, &mut all);
            kills += 1;
            let kept = journal(data.path());
            in_doubt += all.in_doubt.len();
            found_in_doubt += holds_what_was_acknowledged(&kept, &all);
            // What is there is known to be there from now on.
            all = Delivered { acknowledged: kept.clone(), in_doubt: Vec::new() };
            answers_are_the_reference(data.path(), &token, &kept);
        }
        acknowledged += all.acknowledged.len();
    }
    println!("{kills} kills, {acknowledged} events kept, of {in_doubt} in doubt at a kill {found_in_doubt} were there");
    assert!(kills >= 50 && acknowledged > 1000);
}

/// Several connections deliver; the server is killed in the middle.
fn deliver_until_killed(server: Server, token: &str, seed: u64, all: &mut Delivered) {
    let mut random = runner(seed);
    let (told, acknowledged) = mpsc::channel();
    std::thread::scope(|scope| {
        let connections: Vec<_> = (0..CONNECTIONS)
            .map(|connection| {
                let deliveries = deliveries(seed * CONNECTIONS + connection);
                let url = format!("{}/v1/accounts/acme/apps/school/events", server.address);
                let told = told.clone();
                scope.spawn(move || deliver(&url, token, deliveries, &told))
            })
            .collect();
        let (answers, wait) = (5usize..30, 0u64..2_000).new_tree(&mut random).unwrap().current();
        for _ in 0..answers {
            acknowledged.recv().unwrap();
        }
        // From here on no signal is awaited: the moment is to be any.
        std::thread::sleep(Duration::from_micros(wait));
        server.stop("KILL");
        for connection in connections {
            let delivered = connection.join().unwrap();
            all.acknowledged.extend(delivered.acknowledged);
            all.in_doubt.extend(delivered.in_doubt);
        }
    });
}

/// Delivers one after the other, and tells of each that was acknowledged.
fn deliver(url: &str, token: &str, deliveries: Vec<Vec<Event>>, told: &Sender<()>) -> Delivered {
    let config = ureq::Agent::config_builder().http_status_as_error(false).proxy(None).timeout_global(Some(Duration::from_secs(30)));
    let agent: ureq::Agent = config.build().into();
    let mut delivered = Delivered::default();
    for events in deliveries {
        let body: Vec<String> = events.iter().map(to_cloudevent).collect();
        let request = agent.post(url).header("authorization", format!("Bearer {token}")).header("content-type", "application/x-ndjson");
        match request.send(body.join("\n")).map(|response| response.status().as_u16()) {
            Ok(200) => {
                delivered.acknowledged.extend(events);
                // Nobody listens once the moment is near.
                let _ = told.send(());
            }
            Ok(status) => unreachable!("{status} for what is right"),
            Err(_) => {
                delivered.in_doubt.extend(events);
                return delivered;
            }
        }
    }
    delivered
}

fn runner(seed: u64) -> TestRunner {
    let mut bytes = [7; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    TestRunner::new_with_rng(proptest::test_runner::Config::default(), TestRng::from_seed(RngAlgorithm::ChaCha, &bytes))
}

/// Random events of the small world, with ids that no other connection uses.
fn deliveries(seed: u64) -> Vec<Vec<Event>> {
    let mut random = runner(seed ^ 0x5eed);
    let deliveries = (0..DELIVERIES).map(|nth| {
        let mut events = history(Scope::All, 5).new_tree(&mut random).unwrap().current().events;
        for (event, ix) in events.iter_mut().zip(0..) {
            event.id = format!("{seed}-{nth}-{ix:02}").into();
            // A peer twice in a roster is taken once.
            if let Body::SessionRoster(_, roll) = &mut event.body {
                roll.present.dedup_by(|a, b| a.peer.name == b.peer.name);
                let first = roll.present.first().map(|present| present.peer.name.clone());
                let again = |(ix, present): (usize, &Present)| ix > 0 && Some(&present.peer.name) == first.as_ref();
                let keep: Vec<_> = roll.present.iter().enumerate().filter(|of| !again(*of)).map(|(_, present)| present.clone()).collect();
                roll.present = keep;
            }
        }
        events
    });
    deliveries.filter(|events| !events.is_empty()).collect()
}

fn app() -> App {
    App::new("acme", "school").unwrap()
}

/// Every event that the journal holds.
fn journal(data: &Path) -> Vec<Event> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).build().unwrap();
    runtime.block_on(async {
        let store = SqliteStore::open(data, Arc::new(Timestamp::default)).unwrap();
        let streams = store.streams(&app(), None, usize::MAX).await.unwrap();
        let known: Vec<_> = streams.into_iter().map(|stream| (stream, 0)).collect();
        let batches = store.since(&app(), &known).await.unwrap().batches;
        batches.iter().flat_map(|batch| codec::decode(batch.stream, &batch.batch).unwrap()).collect()
    })
}

/// Each acknowledged event once, and beside them only what was in doubt; returns how many of those.
fn holds_what_was_acknowledged(kept: &[Event], all: &Delivered) -> usize {
    let by_id = |events: &[Event]| events.iter().map(|e| ((e.source.clone(), e.id.clone()), e.clone())).collect::<BTreeMap<_, _>>();
    let (mut rest, in_doubt) = (by_id(kept), by_id(&all.in_doubt));
    assert_eq!(rest.len(), kept.len(), "an event is there twice");
    for event in &all.acknowledged {
        assert_eq!(rest.remove(&(event.source.clone(), event.id.clone())).as_ref(), Some(event), "an acknowledged event is lost");
    }
    for (identity, event) in &rest {
        assert_eq!(in_doubt.get(identity), Some(event), "an event that nobody delivered");
    }
    rest.len()
}

/// Asks a new server for every list, at one time of the history, and compares it with what the reference makes of the journal.
fn answers_are_the_reference(data: &Path, token: &str, kept: &[Event]) {
    let server = Server::start(data);
    let app = app();
    let as_of = Timestamp::parse_rfc3339("2026-01-31T10:02:00Z").unwrap();
    let world = World { app: &app, events: kept, now: as_of };
    let base = "/client/v4/accounts/acme/realtime/kit/school/sessions";
    let ask = |path: &str| {
        let (status, body) = server.get(path, token);
        assert_eq!(status, 200, "{path}: {body}");
        serde_json::from_str::<Value>(&body).unwrap()
    };
    let sessions = world.sessions();
    let listed = ask(&format!("{base}?per_page=1000"));
    let mut ids: Vec<_> = listed["data"]["sessions"].as_array().unwrap().iter().map(|s| s["id"].as_str().unwrap().to_owned()).collect();
    ids.sort_unstable();
    // A list is at the machine's time, when the maximum stay has closed what was open: the same sessions, or some more of a meeting.
    assert!(sessions.iter().filter(|s| s.stream.id == s.id).all(|s| ids.binary_search(&s.id.to_string()).is_ok()));
    for session in sessions {
        for (view, name) in [(View::Raw, "raw"), (View::Consolidated, "consolidated")] {
            let query = format!("view={name}&sort_by=duration&per_page=10000&include_stays=true&include_peer_events=true");
            let answer = ask(&format!("{base}/{}/participants?{query}&as_of={}", session.id, as_of.to_rfc3339_micros()));
            let rows = answer["data"]["participants"].as_array().unwrap();
            let expected = world.participants(session.id, view, Sort::Duration, false, None).unwrap();
            assert_eq!(rows.iter().map(told).collect::<Vec<_>>(), expected.iter().map(shown).collect::<Vec<_>>(), "{name} {}", session.id);
        }
    }
    server.stop("TERM");
}

/// A row as the server tells it, as one line.
fn told(row: &Value) -> String {
    let all = |name: &str, fields: &[&str]| {
        let items = row[name].as_array().unwrap().iter();
        items.map(|item| fields.iter().map(|field| item[field].to_string()).collect::<Vec<_>>().join(" ")).collect::<Vec<_>>()
    };
    let fields =
        ["id", "user_id", "custom_participant_id", "display_name", "preset_name", "joined_at", "left_at", "created_at", "updated_at"];
    let fields: Vec<_> = fields.iter().map(|field| row[field].to_string()).collect();
    let minutes = (row["duration"].as_f64().unwrap() * 10_000.0).round();
    format!("{fields:?} {minutes} {:?} {:?}", all("stays", &["in", "out", "uncertain_seconds"]), all("peer_events", &["id", "created_at"]))
}

/// A row of the reference, as the same line.
fn shown(row: &RowAnswer) -> String {
    let text = |text: &Option<String>| serde_json::to_string(text).unwrap();
    let time = |at: Timestamp| format!("\"{at}\"");
    let time_or_null = |at: Option<Timestamp>| at.map_or("null".into(), time);
    let seconds = |micros: i64| serde_json::to_string(&serde_json::Number::from(micros / 1_000_000)).unwrap();
    let fields = [
        format!("\"{}\"", row.id),
        text(&row.user_id),
        text(&row.custom_participant_id),
        text(&row.display_name),
        text(&row.preset_name),
        time(row.joined_at),
        time_or_null(row.left_at),
        time(row.created_at),
        time(row.updated_at),
    ];
    // Whole seconds: of these, ten thousandths of a minute are 1/6 of a thousandth; halves are rounded away from zero.
    let minutes = ((row.duration_micros.max(0) as f64) / 6_000.0).round();
    let stays: Vec<_> = row
        .stays
        .iter()
        .map(|s| format!("{} {} {}", time(s.start), time_or_null(s.out), s.uncertain.map_or("null".into(), seconds)))
        .collect();
    let events: Vec<_> = row.peer_events.iter().map(|e| format!("\"{}\" {}", e.id, time(e.at))).collect();
    format!("{fields:?} {minutes} {stays:?} {events:?}")
}
