//! The ledger over a store against the reference: random deliveries, evictions, restarts, a moving `now`, questions about other times.

#![expect(clippy::unwrap_used, reason = "these are tests")]

#[path = "../../store/tests/cluster/mod.rs"]
mod cluster;
#[path = "../../core/tests/incremental/mod.rs"]
mod incremental;
#[path = "../../core/tests/reference/mod.rs"]
mod reference;

use cluster::{DatabaseClock, cluster};
use incremental::{list, row, shown};
use proptest::prelude::*;
use reference::generate::{History, Scope, history};
use reference::{Ask, RowAnswer, SessionAnswer, Sort, World};
use rollbook::ledger::{Ledger, Options, Receipt, SessionsQuery, View};
use rollbook_core::event::{Body, Event, Place};
use rollbook_core::fold::ids_of;
use rollbook_core::id::{Name, Parent, StreamKind};
use rollbook_core::roster::{Order, Query};
use rollbook_core::time::Timestamp;
use rollbook_store::{Clock, MemoryStore, SqliteStore, Store};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use uuid::Uuid;

/// A ledger that can be restarted over its store, and a clock that the test sets.
struct Subject {
    store: Arc<dyn Store>,
    clock: Arc<AtomicI64>,
    /// Where the store goes by a database's clock, that one too.
    database: Option<DatabaseClock>,
    folder: tempfile::TempDir,
    ledger: Ledger,
    history: History,
    accepted: Vec<Event>,
}

#[derive(Clone, Copy)]
enum Kept {
    Memory,
    Folder,
    Database,
}

impl Subject {
    async fn new(history: History, kept: Kept) -> Self {
        let clock = Arc::new(AtomicI64::new(history.now.micros()));
        let of_store = Arc::clone(&clock);
        let read: Clock = Arc::new(move || Timestamp::from_micros(of_store.load(Ordering::SeqCst)));
        let folder = tempfile::tempdir().unwrap();
        let mut database = None;
        let store: Arc<dyn Store> = match kept {
            Kept::Memory => Arc::new(MemoryStore::new(read)),
            Kept::Folder => Arc::new(SqliteStore::open(folder.path(), read).unwrap()),
            Kept::Database => {
                let (store, clock) = cluster().clocked_store(history.now).await;
                database = Some(clock);
                Arc::new(store)
            }
        };
        let ledger = Self::ledger(&store, &folder, 1 << 20);
        Self { store, clock, database, folder, ledger, history, accepted: Vec::new() }
    }

    async fn set_clock(&self, micros: i64) {
        self.clock.store(micros, Ordering::SeqCst);
        if let Some(database) = &self.database {
            database.set(Timestamp::from_micros(micros)).await;
        }
    }

    fn ledger(store: &Arc<dyn Store>, folder: &tempfile::TempDir, memory: u64) -> Ledger {
        Ledger::new(Arc::clone(store), Options { segments: Some(folder.path().to_owned()), memory })
    }

    async fn deliver(&mut self, events: &[Event]) {
        let identity = |e: &Event| (self.history.app.stream_of(e), e.source.clone(), e.id.clone());
        let mut known: BTreeSet<_> = self.accepted.iter().map(identity).collect();
        let new: Vec<Event> = events.iter().filter(|e| known.insert(identity(e))).cloned().collect();
        let receipt = self.ledger.ingest(&self.history.app, events.to_vec()).await.unwrap();
        assert_eq!(receipt, Receipt { accepted: new.len(), duplicates: events.len() - new.len() });
        self.accepted.extend(new);
    }

    async fn agrees(&self, as_of: Option<Timestamp>) {
        let now = Timestamp::from_micros(self.clock.load(Ordering::SeqCst));
        let world = World { app: &self.history.app, events: &self.accepted, now };
        let sessions = world.sessions();
        let told: Vec<SessionAnswer> = sessions.iter().map(|s| SessionAnswer { parent: None, keep_alive: 60, ..s.clone() }).collect();
        assert_eq!(self.sessions(None).await, told);
        let live = told.iter().filter(|s| s.live).cloned().collect::<Vec<_>>();
        assert_eq!(self.sessions(Some(true)).await, live);
        let asked = as_of.unwrap_or(now);
        let world = World { now: asked, ..world };
        for session in &sessions {
            for (view, of) in [(View::Raw, reference::View::Raw), (View::Consolidated, reference::View::Consolidated)] {
                let ask = Ask { view: of, sort: Sort::Duration, ..Ask::raw() };
                let answer = self.ledger.roster(&self.history.app, session.id, view, as_of).await.unwrap().unwrap();
                assert_eq!(answer.now, asked);
                let expected = world.participants(session.id, ask.view, ask.sort, ask.descending, None).unwrap_or_default();
                assert_eq!(list(&answer.roster, &ask, asked), expected, "{view:?} {}", session.id);
                assert_eq!(self.pages(session.id, view, as_of).await, expected, "{view:?} {}", session.id);
            }
        }
    }

    /// The whole list of participants by falling duration, three a page, turned round.
    async fn pages(&self, session: Uuid, view: View, as_of: Option<Timestamp>) -> Vec<RowAnswer> {
        let order = Order { sort: rollbook_core::roster::Sort::Duration, descending: true };
        let mut query = Query { order, search: None, offset: 0, limit: 3, details: true };
        let mut all = Vec::new();
        loop {
            let page = self.ledger.participants(&self.history.app, session, view, &query, as_of).await.unwrap().unwrap();
            assert_eq!(u64::from(page.offset), query.offset.min(u64::from(page.total)));
            all.extend(page.rows().map(|shown| row(shown, page.now)));
            if page.is_empty() {
                assert_eq!(all.len(), page.total as usize);
                all.reverse();
                return all;
            }
            query.offset += 3;
        }
    }

    /// The whole list of sessions, two a page, by id.
    async fn sessions(&self, live: Option<bool>) -> Vec<SessionAnswer> {
        let mut query = SessionsQuery { live, descending: true, limit: 2, ..SessionsQuery::default() };
        let mut all = Vec::new();
        loop {
            let page = self.ledger.sessions(&self.history.app, &query).await.unwrap();
            let (total, shown_now) = (page.total, page.sessions.len());
            all.extend(page.sessions.iter().map(shown));
            if shown_now == 0 {
                assert_eq!(total as usize, all.len());
                assert!(all.is_sorted_by_key(|s| std::cmp::Reverse((s.started_at, s.id))));
                all.sort_by_key(|s| s.id);
                return all;
            }
            query.offset += 2;
        }
    }
}

/// Lets events that name a parent name it by the id of an event of a meeting, as an id that an unnamed session was served under. Which, the
/// event's own id decides, so that duplicates stay what they are.
fn naming_events(mut history: History) -> History {
    let app = &history.app;
    let of_meetings = history.events.iter().filter(|event| app.stream_of(event).kind == StreamKind::Meeting);
    let ids: Vec<Uuid> = of_meetings.flat_map(|event| ids_of(app, app.stream_of(event), event)).map(|(id, _)| id).collect();
    for event in history.events.iter_mut().filter(|_| !ids.is_empty()) {
        let which = event.id.bytes().chain(event.source.bytes()).fold(7_usize, |sum, byte| sum.wrapping_mul(31) + usize::from(byte));
        let parent = place_of(&mut event.body).and_then(|place| Arc::make_mut(place).parent.as_mut());
        if let Some(parent) = parent.filter(|_| which % 4 > 0) {
            *parent = Parent::Session(Name { id: Some(ids[which / 4 % ids.len()]), key: None });
        }
    }
    history
}

fn place_of(body: &mut Body) -> Option<&mut Arc<Place>> {
    match body {
        Body::PeerCreated(place, _) | Body::PeerJoined(place, _) | Body::PeerLeft(place, ..) => Some(place),
        Body::SessionStarted(place) | Body::SessionEnded(place, _) | Body::SessionRoster(place, _) => Some(place),
        Body::SourceStarted | Body::SourceStopped => None,
    }
}

type Cuts = Vec<(prop::sample::Index, u8)>;

fn cuts() -> impl Strategy<Value = Cuts> {
    prop::collection::vec((any::<prop::sample::Index>(), 0u8..4), 0..4)
}

/// Delivers a history in batches; between them the ledger is asked everything, restarted, and time goes on.
fn tell(history: History, cuts: &Cuts, as_of: Option<i64>, kept: Kept) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut subject = Subject::new(history, kept).await;
        let events = subject.history.events.clone();
        let mut cuts: Vec<(usize, u8)> = cuts.iter().map(|(cut, what)| (cut.index(events.len() + 1), *what)).collect();
        cuts.push((events.len(), 0));
        cuts.sort_unstable();
        let mut from = 0;
        for (to, what) in cuts {
            subject.deliver(&events[from..to]).await;
            from = to;
            subject.agrees(None).await;
            match what {
                1 => subject.ledger = Subject::ledger(&subject.store, &subject.folder, 0),
                2 => subject.set_clock(subject.history.after_everything().micros()).await,
                3 => subject.set_clock(subject.clock.load(Ordering::SeqCst) + 45_000_000).await,
                _ => {}
            }
        }
        let base = subject.clock.load(Ordering::SeqCst);
        subject.agrees(as_of.map(|steps| Timestamp::from_micros(base + steps * 3_600_000_000))).await;
        subject.agrees(None).await;
    });
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, max_shrink_iters: 5_000, cases: 150, ..ProptestConfig::default() })]

    #[test]
    fn in_memory(history in history(Scope::All, 26), cuts in cuts(), as_of in prop::option::of(-2i64..30)) {
        tell(history, &cuts, as_of, Kept::Memory);
    }

    #[test]
    fn with_parents_named_by_their_events(history in history(Scope::All, 26), cuts in cuts(), as_of in prop::option::of(-2i64..30)) {
        tell(naming_events(history), &cuts, as_of, Kept::Memory);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, max_shrink_iters: 500, cases: 40, ..ProptestConfig::default() })]

    #[test]
    fn on_disk(history in history(Scope::All, 26), cuts in cuts(), as_of in prop::option::of(-2i64..30)) {
        tell(history, &cuts, as_of, Kept::Folder);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, max_shrink_iters: 100, cases: 15, ..ProptestConfig::default() })]

    #[test]
    fn in_a_database(history in history(Scope::All, 26), cuts in cuts(), as_of in prop::option::of(-2i64..30)) {
        tell(history, &cuts, as_of, Kept::Database);
    }
}
