//! What an event of a large delivery costs on its way from a body to the fold, stage by stage; HTTP and the store are left out.
//!
//! `cargo run --release -p rollbook-ingest --example batch_figures -- 200 1` for 200 deliveries of a thousand events to one session.
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a measurement, run by hand")]

use rollbook_core::codec::{self, Version};
use rollbook_core::event::{Body, Content, Event, PeerInfo, Place};
use rollbook_core::fold::{Facts, IdHash, New, Verdict};
use rollbook_core::id::{App, Home, Name, Stream, Streams};
use rollbook_core::time::{SECOND, Timestamp};
use rollbook_ingest::cloudevents::{self, to_cloudevent};
use std::collections::BTreeMap;
use std::hint::black_box;
use std::sync::Arc;
use uuid::Uuid;

const BASE: i64 = 1_769_853_600 * SECOND;
const BATCH: usize = 1_000;

/// The time that this thread was on a processor, in nanoseconds, as other work on the machine is not to count.
fn on_processor() -> u64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    text.split(' ').next().unwrap().parse().unwrap()
}

fn event(n: usize, place: &Arc<Place>) -> Event {
    let mixed = (n as u128).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835);
    let text = |text: String| Some(text.into_boxed_str());
    let peer = PeerInfo {
        user_id: text(Uuid::from_u128(mixed).to_string()),
        custom_participant_id: text(format!("c-{n}")),
        display_name: text(format!("Zoë Ångström {n}")),
        preset_name: text("webinar_participant".into()),
        preset_view_type: text("WEBINAR".into()),
        ..PeerInfo::new(Name::key(format!("PA_{n}")))
    };
    let time = Timestamp::from_micros(BASE + n as i64 * 200);
    Event { source: "sfu-1".into(), id: format!("{n}+").into(), time, body: Body::PeerJoined(Arc::clone(place), peer) }
}

fn delivery(number: usize, sessions: usize) -> Vec<u8> {
    let session = number % sessions;
    let home = Home::Session { session: Name::key(format!("session-{session}")), meeting: Some(Name::key(format!("room-{session}"))) };
    let place = Arc::new(Place { meeting_title: Some(format!("Algebra {session}").into()), ..Place::new(home) });
    let lines = (number * BATCH..(number + 1) * BATCH).map(|n| to_cloudevent(&event(n, &place)) + "\n");
    lines.flat_map(String::into_bytes).collect()
}

const STAGES: [&str; 5] = ["read", "stream and digest", "judged", "encoded", "taken"];

/// One delivery of one stream; what each stage took.
fn take(app: &App, folds: &mut BTreeMap<Stream, Facts>, body: &[u8]) -> [u64; STAGES.len()] {
    let mut at = [on_processor(); STAGES.len() + 1];
    let events = read(body);
    at[1] = on_processor();
    let derived = derive(app, &events);
    at[2] = on_processor();
    let stream = derived[0].0;
    let facts = folds.entry(stream).or_insert_with(|| Facts::new(app.clone(), stream));
    let hashes = judge(facts, &events, &derived);
    at[3] = on_processor();
    black_box(encode(stream, &events));
    at[4] = on_processor();
    take_all(facts, &events, &derived, &hashes);
    at[5] = on_processor();
    std::array::from_fn(|stage| at[stage + 1] - at[stage])
}

#[inline(never)]
fn read(body: &[u8]) -> Vec<Event> {
    cloudevents::read(Some("application/x-ndjson"), [], body).unwrap().into_iter().map(Result::unwrap).collect()
}

#[inline(never)]
fn derive(app: &App, events: &[Event]) -> Vec<(Stream, Content, Option<Uuid>)> {
    let mut streams = Streams::new(app);
    let derived = |event| {
        let stream = streams.of(event);
        (stream, event.content(), app.peer_of(stream, event))
    };
    events.iter().map(derived).collect()
}

#[inline(never)]
fn judge(facts: &Facts, events: &[Event], derived: &[(Stream, Content, Option<Uuid>)]) -> Vec<IdHash> {
    let judged = events.iter().zip(derived).map(|(event, (_, content, _))| {
        let hash = facts.hash(event);
        assert_eq!(facts.judge_hashed(event, *content, hash), Verdict::New);
        hash
    });
    judged.collect()
}

#[inline(never)]
fn encode(stream: Stream, events: &[Event]) -> Vec<u8> {
    codec::encode(Version::NEWEST, stream, events)
}

#[inline(never)]
fn take_all(facts: &mut Facts, events: &[Event], derived: &[(Stream, Content, Option<Uuid>)], hashes: &[IdHash]) {
    for ((event, (_, content, peer)), hash) in events.iter().zip(derived).zip(hashes) {
        facts.take_new(New { event, content: *content, peer: *peer, hash: *hash });
    }
}

fn main() {
    let mut numbers = std::env::args().skip(1).map(|number| number.parse::<usize>().unwrap());
    let (deliveries, sessions) = (numbers.next().unwrap_or(200), numbers.next().unwrap_or(1));
    let app = App::new("acme", "school").unwrap();
    let mut folds = BTreeMap::new();
    let mut all = [0; STAGES.len()];
    for number in 0..deliveries {
        let body = delivery(number, sessions);
        let took = take(&app, &mut folds, &body);
        all.iter_mut().zip(took).for_each(|(sum, took)| *sum += took);
    }
    let each = |nanoseconds: u64| nanoseconds as f64 / (deliveries * BATCH) as f64;
    for (stage, took) in STAGES.into_iter().zip(all) {
        println!("{stage:<20} {:>8.0} ns an event", each(took));
    }
    println!("{:<20} {:>8.0} ns an event", "all", each(all.iter().sum()));
}
