//! Work that many requests need is done once: one reading of a journal, one making of a roster, one look at the store for a whole family.

#![expect(clippy::unwrap_used, reason = "these are tests")]

use rollbook::ledger::{Ledger, Options, PageAnswer, SessionsQuery, View};
use rollbook_core::event::{Body, Event, Leave, Leaver, PeerInfo, Place};
use rollbook_core::id::{App, Home, Name, Parent};
use rollbook_core::roster::Query;
use rollbook_core::time::{MINUTE, SECOND, Timestamp};
use rollbook_store::faulty::{Faults, Method, Stall, When};
use rollbook_store::{Clock, FaultyStore, SqliteStore, Store, StoreError};
use std::sync::Arc;
use tokio::task::{JoinHandle, JoinSet};
use uuid::Uuid;

/// An hour of 2026.
const BASE: i64 = 1_769_853_600 * SECOND;
const MANY: usize = 32;

fn app() -> App {
    App::new("acme", "school").unwrap()
}

fn at(micros: i64) -> Timestamp {
    Timestamp::from_micros(BASE + micros)
}

fn session(name: &str) -> Uuid {
    app().session(&Name::key(name))
}

/// A session; a breakout of `lesson`, if it is not that.
fn place(name: &str) -> Arc<Place> {
    let parent = (name != "lesson").then(|| Parent::Session(Name::key("lesson")));
    Arc::new(Place { parent, ..Place::new(Home::Session { session: Name::key(name), meeting: None }) })
}

fn event(id: String, micros: i64, body: Body) -> Event {
    Event { source: "sfu".into(), id: id.into(), time: at(micros), body }
}

fn joined(name: &str, person: usize) -> Event {
    let info = PeerInfo { user_id: Some(format!("user {person}").into()), ..PeerInfo::new(Name::key(format!("peer {person}"))) };
    event(format!("in {person}"), person as i64, Body::PeerJoined(place(name), info))
}

fn left(name: &str, person: usize) -> Event {
    let leaver = Leaver::Peer(PeerInfo::new(Name::key(format!("peer {person}"))));
    event(format!("out {person}"), MINUTE + person as i64, Body::PeerLeft(place(name), leaver, Leave::default()))
}

fn ended(name: &str) -> Event {
    event("end".into(), 2 * MINUTE, Body::SessionEnded(place(name), None))
}

/// A ledger that has read nothing yet, over a store that was filled before.
struct Subject {
    ledger: Ledger,
    faults: Faults,
    _folder: tempfile::TempDir,
}

impl Subject {
    async fn of(events: Vec<Event>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock: Clock = Arc::new(|| at(10 * MINUTE));
        let (store, faults) = FaultyStore::new(Arc::new(SqliteStore::open(folder.path(), clock).unwrap()));
        let store: Arc<dyn Store> = Arc::new(store);
        let options = Options { segments: Some(folder.path().join("segments")), memory: 64 << 20 };
        // A few at a time, as they come in life: a journal of many batches.
        let before = Ledger::new(Arc::clone(&store), options.clone());
        for some in events.chunks(64) {
            before.ingest(&app(), some.to_vec()).await.unwrap();
        }
        Self { ledger: Ledger::new(store, options), faults, _folder: folder }
    }

    fn ask(&self, view: View) -> impl Future<Output = Result<Option<PageAnswer>, StoreError>> + Send + 'static {
        let ledger = self.ledger.clone();
        async move { ledger.participants(&app(), session("lesson"), view, &Query { limit: 5, ..Query::default() }, None).await }
    }

    /// How many rows a list has, asked once.
    async fn total(&self, view: View) -> u32 {
        self.ask(view).await.unwrap().unwrap().total
    }

    /// Many who ask at once, of whom the first has come to a call that waits.
    async fn many_meet_at(&self, stall: &Stall, view: View) -> (JoinHandle<Result<Option<PageAnswer>, StoreError>>, JoinSet<u32>) {
        let first = tokio::spawn(self.ask(view));
        stall.reached().await;
        let mut others = JoinSet::new();
        for _ in 1..MANY {
            let answer = self.ask(view);
            others.spawn(async { answer.await.unwrap().unwrap().total });
        }
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
        (first, others)
    }
}

fn a_lesson(people: usize) -> Vec<Event> {
    let mut events: Vec<_> = (0..people).map(|person| joined("lesson", person)).collect();
    events.extend((0..people).map(|person| left("lesson", person)));
    events.push(ended("lesson"));
    events
}

/// Three people in the lesson, and one of them in each of twenty breakouts.
fn a_lesson_with_breakouts() -> Vec<Event> {
    let mut events = a_lesson(3);
    for breakout in 0..20 {
        events.push(joined(&format!("breakout {breakout}"), 1));
    }
    events
}

#[tokio::test]
async fn many_first_requests_read_one_journal_and_make_one_roster() {
    let subject = Subject::of(a_lesson(2_000)).await;
    let (made, read) = (subject.ledger.rosters_made(), subject.faults.calls(Method::Since));
    let stall = subject.faults.stall(Method::Since, 1, When::After);
    let (first, others) = subject.many_meet_at(&stall, View::Raw).await;
    assert_eq!(subject.faults.calls(Method::Since) - read, 1, "one reads the journal");
    stall.release();
    assert_eq!(first.await.unwrap().unwrap().unwrap().total, 2_000);
    assert_eq!(others.join_all().await, [2_000; MANY - 1]);
    assert_eq!(subject.ledger.rosters_made() - made, 1);
    // Once for who came first and once for all the others; then the one maker, and what its segment is told apart by.
    let reads = subject.faults.calls(Method::Since) - read;
    assert!(reads <= 8, "{reads} reads of {MANY} requests");
}

#[tokio::test]
async fn whoever_waits_goes_on_where_the_maker_fails() {
    let subject = Subject::of(a_lesson(20)).await;
    let stall = subject.faults.stall(Method::Since, 1, When::Before);
    // The source that the first read tells of is read next.
    subject.faults.fail(Method::Since, 2, When::Before);
    let (first, others) = subject.many_meet_at(&stall, View::Raw).await;
    stall.release();
    assert!(matches!(first.await.unwrap(), Err(StoreError::Unavailable(_))));
    assert_eq!(others.join_all().await, [20; MANY - 1]);
    assert_eq!(subject.ledger.rosters_made(), 1);
}

#[tokio::test]
async fn whoever_waits_goes_on_where_the_makers_client_goes_away() {
    let subject = Subject::of(a_lesson_with_breakouts()).await;
    let stall = subject.faults.stall(Method::Linked, 1, When::Before);
    let (first, others) = subject.many_meet_at(&stall, View::Consolidated).await;
    first.abort();
    assert!(first.await.unwrap_err().is_cancelled());
    stall.release();
    assert_eq!(others.join_all().await, [3; MANY - 1]);
    assert_eq!(subject.ledger.rosters_made(), 1, "what was begun is finished for those who wait");
}

#[tokio::test]
async fn what_is_acknowledged_while_a_roster_is_made_is_in_the_next_answer() {
    let subject = Subject::of(a_lesson_with_breakouts()).await;
    // The lesson's breakouts are about to be looked up: its own people are read already.
    let stall = subject.faults.stall(Method::Linked, 1, When::Before);
    let first = tokio::spawn(subject.ask(View::Consolidated));
    stall.reached().await;
    subject.ledger.ingest(&app(), vec![joined("breakout 0", 7), joined("another", 8), joined("lesson", 9)]).await.unwrap();
    let (next, ()) = tokio::join!(subject.total(View::Consolidated), async {
        tokio::task::yield_now().await;
        stall.release();
    });
    assert_eq!(next, 6);
    first.await.unwrap().unwrap().unwrap();
    assert_eq!(subject.total(View::Consolidated).await, 6);
}

#[tokio::test]
async fn a_family_that_stands_is_looked_at_once() {
    let subject = Subject::of(a_lesson_with_breakouts()).await;
    assert_eq!(subject.total(View::Consolidated).await, 3);
    let calls = || [Method::Unchanged, Method::Since, Method::Linked].map(|method| subject.faults.calls(method));
    let [unchanged, since, linked] = calls();
    for asked in 1..4 {
        assert_eq!(subject.total(View::Consolidated).await, 3);
        assert_eq!(calls(), [unchanged + asked, since, linked]);
    }
    let made = subject.ledger.rosters_made();
    // Someone in a breakout of a breakout's sibling, and a breakout that nobody knew of.
    subject.ledger.ingest(&app(), vec![joined("breakout 19", 7)]).await.unwrap();
    assert_eq!(subject.total(View::Consolidated).await, 4);
    subject.ledger.ingest(&app(), vec![joined("breakout 20", 8)]).await.unwrap();
    assert_eq!(subject.total(View::Consolidated).await, 5);
    assert_eq!(subject.ledger.rosters_made() - made, 2);
}

#[tokio::test]
async fn an_error_that_many_share_is_told_as_it_is() {
    let subject = Subject::of(a_lesson(1)).await;
    subject.faults.fail(Method::Append, 1, When::Before);
    let refused = subject.ledger.ingest(&app(), vec![joined("another", 1)]).await.unwrap_err();
    assert_eq!(refused.to_string(), "store unavailable: planned fault of Append");
}

/// Sessions that go on are evaluated for every list: the store is asked for all of them together.
#[tokio::test]
async fn a_list_of_many_sessions_asks_the_store_a_few_times() {
    let rooms: Vec<String> = (0..100).map(|room| format!("room {room}")).collect();
    let subject = Subject::of(rooms.iter().enumerate().map(|(person, room)| joined(room, person)).collect()).await;
    for _ in 0..2 {
        let before = subject.faults.calls(Method::Since);
        let list = subject.ledger.sessions(&app(), &SessionsQuery { limit: 5, ..SessionsQuery::default() }).await.unwrap();
        assert_eq!((list.total, list.sessions.len()), (100, 5));
        assert!(subject.faults.calls(Method::Since) - before <= 6);
    }
}
