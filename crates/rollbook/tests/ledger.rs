//! The ledger over a store against the reference: random deliveries, evictions, restarts, a moving `now`, questions about other times.

#![expect(clippy::unwrap_used, reason = "these are tests")]

#[path = "../../core/tests/incremental/mod.rs"]
mod incremental;
#[path = "../../core/tests/reference/mod.rs"]
mod reference;

use incremental::{list, row, shown};
use proptest::prelude::*;
use reference::generate::{History, Scope, history};
use reference::{Ask, RowAnswer, SessionAnswer, Sort, World};
use rollbook::ledger::{Ledger, Options, Receipt, SessionsQuery, View};
use rollbook_core::event::Event;
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
    folder: tempfile::TempDir,
    ledger: Ledger,
    history: History,
    accepted: Vec<Event>,
}

impl Subject {
    fn new(history: History, on_disk: bool) -> Self {
        let clock = Arc::new(AtomicI64::new(history.now.micros()));
        let of_store = Arc::clone(&clock);
        let read: Clock = Arc::new(move || Timestamp::from_micros(of_store.load(Ordering::SeqCst)));
        let folder = tempfile::tempdir().unwrap();
        let store: Arc<dyn Store> =
            if on_disk { Arc::new(SqliteStore::open(folder.path(), read).unwrap()) } else { Arc::new(MemoryStore::new(read)) };
        let ledger = Self::ledger(&store, &folder, 1 << 20);
        Self { store, clock, folder, ledger, history, accepted: Vec::new() }
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

type Cuts = Vec<(prop::sample::Index, u8)>;

fn cuts() -> impl Strategy<Value = Cuts> {
    prop::collection::vec((any::<prop::sample::Index>(), 0u8..4), 0..4)
}

/// Delivers a history in batches; between them the ledger is asked everything, restarted, and time goes on.
fn tell(history: History, cuts: &Cuts, as_of: Option<i64>, on_disk: bool) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut subject = Subject::new(history, on_disk);
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
                2 => subject.clock.store(subject.history.after_everything().micros(), Ordering::SeqCst),
                3 => drop(subject.clock.fetch_add(45_000_000, Ordering::SeqCst)),
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
        tell(history, &cuts, as_of, false);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, max_shrink_iters: 500, cases: 40, ..ProptestConfig::default() })]

    #[test]
    fn on_disk(history in history(Scope::All, 26), cuts in cuts(), as_of in prop::option::of(-2i64..30)) {
        tell(history, &cuts, as_of, true);
    }
}
