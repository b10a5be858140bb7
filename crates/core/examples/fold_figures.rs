//! What a session of many people costs: memory a participant, events a second, pages while it goes on and once it has ended.
//!
//! `cargo run --release -p rollbook-core --example fold_figures -- 1000000`
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a measurement, run by hand")]

use rollbook_core::event::{Body, Event, Leave, Leaver, PeerInfo, Place};
use rollbook_core::fold::{Facts, Reading, Validity};
use rollbook_core::id::{App, Home, Name, Stream};
use rollbook_core::roster::{LiveRosters, Order, Part, Query, RowView, Search, Snapshot, Sort, encode};
use rollbook_core::time::{SECOND, Timestamp};
use std::alloc::{GlobalAlloc, Layout, System};
use std::hint::black_box;
use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};
use uuid::Uuid;

/// The system's allocator, which counts what is held.
struct Counting;

static HELD: AtomicUsize = AtomicUsize::new(0);

// SAFETY: every call goes to the system's allocator as it came; the counter touches no memory of its own.
#[expect(unsafe_code, reason = "an allocator has no other way to be one")]
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        HELD.fetch_add(layout.size(), Ordering::Relaxed);
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        HELD.fetch_sub(layout.size(), Ordering::Relaxed);
        unsafe { System.dealloc(at, layout) }
    }

    unsafe fn realloc(&self, at: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        HELD.fetch_add(size, Ordering::Relaxed);
        HELD.fetch_sub(layout.size(), Ordering::Relaxed);
        unsafe { System.realloc(at, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const BASE: i64 = 1_769_853_600 * SECOND;
const BATCH: usize = 1_000;
const PAGES: usize = 20_000;
const SLICE: usize = 500;

fn event(n: usize, leaves: bool, place: &Place) -> Event {
    let mixed = (n as u128).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835);
    let mut peer = PeerInfo::new(Name::key(format!("PA_{:012x}", mixed >> 80)));
    let text = |text: String| Some(text.into_boxed_str());
    peer.user_id = text(Uuid::from_u128(mixed).to_string());
    peer.custom_participant_id = text(format!("student-{n}"));
    peer.display_name = text(format!("Student Number {n}"));
    peer.preset_name = text("group_call_participant".into());
    peer.preset_view_type = text("GROUP_CALL".into());
    // 5,000 joins a second; a leave about an hour later, in another order.
    let joined = BASE + n as i64 * 200;
    let (time, body) = if leaves {
        let leave = Leave { reason: text("CLIENT_INITIATED".into()), ..Leave::default() };
        (joined + 3600 * SECOND + (mixed >> 100) as i64 % 1_000_000, Body::PeerLeft(place.clone().into(), Leaver::Peer(peer), leave))
    } else {
        (joined, Body::PeerJoined(place.clone().into(), peer))
    };
    let id = Uuid::from_u128(!mixed ^ u128::from(leaves)).to_string().into();
    Event { source: "livekit/eu-1".into(), id, time: Timestamp::from_micros(time), body }
}

struct Session {
    facts: Facts,
    reading: Reading,
    live: LiveRosters,
}

/// The time that this thread was on a processor, as other work on the machine is not to count.
struct Timer(u64);

impl Timer {
    fn start() -> Self {
        Self(on_processor())
    }

    fn seconds(&self) -> f64 {
        (on_processor() - self.0) as f64 / 1e9
    }
}

/// In nanoseconds, by Linux.
fn on_processor() -> u64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    text.split(' ').next().unwrap().parse().unwrap()
}

/// Random numbers that are the same in every run.
struct Random(u64);

impl Random {
    fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % n.max(1)
    }
}

fn query(sort: Sort, offset: usize) -> Query {
    Query { order: Order { sort, descending: false }, search: None, offset: offset as u64, limit: 25, details: false }
}

impl Session {
    /// Takes a batch as the ledger does; the seconds for the facts, and for reading what changed and moving it in the live roster.
    fn take(&mut self, batch: &[Event], now: Timestamp) -> (f64, f64) {
        let start = Timer::start();
        for event in batch {
            self.facts.take(event);
        }
        let taken = start.seconds();
        let changes = self.facts.take_changes();
        self.live.update(&self.facts, &mut self.reading, &changes, now);
        (taken, start.seconds() - taken)
    }

    fn page(&mut self, query: &Query, now: Timestamp) -> usize {
        let part = Part { facts: &self.facts, reading: &self.reading, sitting: 0 };
        let (_, _, peers) = self.live.page(part, query, now).unwrap_or_default();
        part.extract(&peers, false).rows().map(shown).sum()
    }
}

fn shown(row: RowView<'_>) -> usize {
    let mut shown = black_box(row.shown());
    black_box((row.id(), shown.next_text(), shown.next_text(), shown.next_text(), shown.preset_name()));
    usize::from(shown.is_plain())
}

/// What each participant takes, by what it is for; the rosters' lists are among the records.
fn report_memory(session: &Session, when: &str, people: usize, held: f64) {
    let size = session.facts.size() + session.reading.size();
    let each = |bytes: usize| bytes as f64 / people as f64;
    report(&format!("{when}: all that is held"), held, "B a participant");
    report("  events, peers, stays, deadlines, places in the lists", each(size.records + session.live.size()), "");
    report("  id map", each(size.ids), "");
    report("  identities of the events known, digests of their contents", each(size.known), "");
    report("  texts, ids of events", each(size.texts), "");
}

fn report(what: &str, figure: f64, unit: &str) {
    println!("{what:<58} {figure:>12.1} {unit}");
}

/// Feeds a join, or a leave, of each of some.
fn feed(session: &mut Session, people: Range<usize>, leaves: bool, now: Timestamp) {
    let place = Place::new(Home::Session { session: Name::id(Uuid::from_u128(7)), meeting: None });
    let (mut taken, mut read, mut slowest) = (0.0, 0.0, 0f64);
    for from in people.clone().step_by(BATCH) {
        let batch: Vec<Event> = (from..people.end.min(from + BATCH)).map(|n| event(n, leaves, &place)).collect();
        let (t, r) = session.take(&batch, now);
        (taken, read, slowest) = (taken + t, read + r, slowest.max(t + r));
    }
    let what = if leaves { "leaves" } else { "joins" };
    report(&format!("{what}: events taken"), people.len() as f64 / taken, "/s");
    report(&format!("{what}: events read and moved in the roster"), people.len() as f64 / read, "/s");
    report(&format!("{what}: slowest batch of {BATCH}"), slowest * 1e3, "ms");
}

fn pages(what: &str, people: usize, mut page: impl FnMut(&Query) -> usize) {
    for (name, sort) in [("joinedAt", Sort::JoinedAt), ("duration", Sort::Duration)] {
        let mut random = Random(42);
        page(&query(sort, 0));
        let start = Timer::start();
        for _ in 0..PAGES {
            black_box(page(&query(sort, random.below(people - 25))));
        }
        report(&format!("{what}: random page of 25, {name}"), start.seconds() * 1e6 / PAGES as f64, "µs");
    }
}

/// A search that finds everyone, one that finds some, and one that finds nobody: what the first look takes, and how long of this it keeps
/// others from the session at a time; then pages.
fn searches(session: &mut Session, people: usize, now: Timestamp) {
    for needle in ["student", "number 77", "nobody"] {
        let search = Search::new(needle);
        let (start, mut slices, mut left) = (Timer::start(), 0.0, people);
        while left > 0 {
            let part = Part { facts: &session.facts, reading: &session.reading, sitting: 0 };
            left = session.live.look(part, &search, SLICE).unwrap();
            slices += 1.0;
        }
        let took = start.seconds();
        report(&format!("live, search for \"{needle}\": first look at everyone"), took * 1e3, "ms");
        report(&format!("live, search for \"{needle}\": look at {SLICE}"), took * 1e6 / slices, "µs");
        let query = |sort, offset| Query { search: Some(search.clone()), ..query(sort, offset) };
        let part = Part { facts: &session.facts, reading: &session.reading, sitting: 0 };
        let (total, ..) = session.live.page(part, &query(Sort::JoinedAt, 0), now).unwrap();
        pages(&format!("live, search for \"{needle}\""), total.max(26) as usize, |of| {
            session.page(&query(of.order.sort, usize::try_from(of.offset).unwrap()), now)
        });
    }
}

fn main() {
    let people: usize = std::env::args().nth(1).map_or(100_000, |n| n.parse().unwrap());
    let app = App::new("acme", "school").unwrap();
    let before = HELD.load(Ordering::Relaxed);
    let held = move || (HELD.load(Ordering::Relaxed) - before) as f64 / people as f64;
    let mut session =
        Session { facts: Facts::new(app, Stream::session(Uuid::from_u128(7))), reading: Reading::default(), live: LiveRosters::default() };
    println!("{people} people");
    let now = Timestamp::from_micros(BASE + 3600 * SECOND);
    feed(&mut session, 0..people, false, now);
    report_memory(&session, "joined, no page asked for", people, held());
    pages("live", people, |query| session.page(query, now));
    report_memory(&session, "joined, live roster", people, held());
    searches(&mut session, people, now);

    let later = now.plus(7200 * SECOND);
    feed(&mut session, 0..people / 5, true, later);
    pages("live, 1 of 5 gone", people, |query| session.page(query, later));
    feed(&mut session, people / 5..people - people / 100, true, later);
    report_memory(&session, "99 of 100 left, live roster", people, held());
    pages("live, 99 of 100 gone", people, |query| session.page(query, later));

    let start = Timer::start();
    let part = Part { facts: &session.facts, reading: &session.reading, sitting: 0 };
    drop(black_box(part.summary(later)));
    report("session summed up", start.seconds() * 1e3, "ms");
    let start = Timer::start();
    drop(black_box(part.rows_in_brief()));
    report("rows made, in brief", start.seconds() * 1e3, "ms");
    let start = Timer::start();
    let rows = part.rows();
    report("rows made, with details", start.seconds() * 1e3, "ms");
    let start = Timer::start();
    let bytes = encode(rows, Validity::default(), b"tag");
    report("roster encoded", start.seconds() * 1e3, "ms");
    report("roster encoded", bytes.len() as f64 / people as f64, "B a participant");
    let roster = Snapshot::new(bytes).unwrap();
    pages("ended", people, |query| roster.page(query, later).rows.iter().map(|ix| shown(roster.row(*ix))).sum());
}
