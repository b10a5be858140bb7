//! Pages of a session that someone is in, from the rosters that its fold keeps up to date.

use super::fold::{Fold, State};
use super::roster::{Found, SEARCHED_AT_ONCE};
use super::{Inner, PageAnswer, PageRows};
use rollbook_core::fold::Resolved;
use rollbook_core::id::App;
use rollbook_core::roster::{Extract, LiveRosters, Part, Query, Search};
use rollbook_core::time::Timestamp;
use rollbook_store::StoreError;
use std::sync::Arc;
use uuid::Uuid;

/// How many peers are read anew without another thread: some milliseconds.
const READ_AT_ONCE: usize = 1_000;
/// How many peers a search looks at before it lets others work with the fold: some tenths of a millisecond.
const SLICE: usize = SEARCHED_AT_ONCE as usize;
/// How often a search looks at those whom it has not looked at in slices, before it looks at all that are left: between two times the fold
/// may have been dropped.
const TIMES: usize = 3;

/// A page of a live roster.
pub(super) struct LivePage {
    pub(super) total: u32,
    pub(super) offset: u32,
    pub(super) rows: Extract,
}

/// What is asked of a session.
#[derive(Clone, Copy)]
struct Asked {
    session: Uuid,
    /// The store's time.
    now: Timestamp,
    as_of: Option<Timestamp>,
}

impl PageAnswer {
    pub(super) fn of_live(page: LivePage, now: Timestamp) -> Self {
        Self { total: page.total, offset: page.offset, now, print: None, rows: PageRows::Extract(page.rows) }
    }
}

impl Inner {
    /// A page of a session that someone is in; else none.
    pub(super) async fn live(
        self: &Arc<Self>,
        app: &App,
        session: Uuid,
        query: &Query,
        as_of: Option<Timestamp>,
    ) -> Result<Option<PageAnswer>, StoreError> {
        let Some(mut found) = self.find(app, session).await? else { return Ok(None) };
        if let Some(search) = &query.search {
            // What is found is kept. So the page itself is of a time at which nothing holds it up.
            for _ in 0..TIMES {
                if !found.look(Asked { session, now: found.now, as_of }, search).await? {
                    break;
                }
                let Some(again) = self.find(app, session).await? else { return Ok(None) };
                found = again;
            }
        }
        let page = found.live_page(Asked { session, now: found.now, as_of }, query).await?;
        Ok(page.map(|page| PageAnswer::of_live(page, as_of.unwrap_or(found.now))))
    }
}

impl Found {
    /// See [`State::live_page`].
    async fn live_page(&self, asked: Asked, query: &Query) -> Result<Option<LivePage>, StoreError> {
        {
            let mut state = self.fold.lock();
            if state.is_ready(asked, query.search.as_ref()) {
                return Ok(state.live_page(asked, query));
            }
        }
        let (fold, query) = (Arc::clone(&self.fold), query.clone());
        let reading = tokio::task::spawn_blocking(move || fold.lock().live_page(asked, &query));
        reading.await.map_err(|e| StoreError::Damaged(format!("page not read: {e}")))
    }

    /// Lets a search look at everyone whom it has not looked at; returns whether these were many, and someone is in. One search looks at a
    /// time: together they would take as long, and hold more.
    async fn look(&self, asked: Asked, search: &Search) -> Result<bool, StoreError> {
        if self.fold.lock().is_ready(asked, Some(search)) {
            return Ok(false);
        }
        let turn = Arc::clone(self.fold.searching()).lock_owned().await;
        let (fold, search) = (Arc::clone(&self.fold), search.clone());
        let looking = tokio::task::spawn_blocking(move || {
            let goes_on = look_in_slices(&fold, asked, &search, || {});
            drop(turn);
            goes_on
        });
        looking.await.map_err(|e| StoreError::Damaged(format!("session not searched: {e}")))
    }
}

/// Lets a search look at everyone, if anyone is in. Between two slices whoever waits for the fold works with it.
fn look_in_slices(fold: &Fold, asked: Asked, search: &Search, mut between: impl FnMut()) -> bool {
    loop {
        // A lock in the head of a loop or a match would be held until its end.
        let left = fold.lock_last().look(asked, search);
        match left {
            Some(1..) => between(),
            left => return left.is_some(),
        }
    }
}

impl State {
    /// A page of the session that an id leads to, from a roster that is kept up to date peer by peer: its rows, in order.
    /// None where nobody is in: then a roster that is made once serves until someone comes; and where the question is about another time.
    fn live_page(&mut self, asked: Asked, query: &Query) -> Option<LivePage> {
        self.with_live(asked, |live, part, now| {
            let (total, offset, peers) = live.page(part, query, now)?;
            Some(LivePage { total, offset, rows: part.extract(&peers, query.details) })
        })?
    }

    /// Whether a page takes little time: few peers are to be read anew, and few to be looked at by a search.
    fn is_ready(&mut self, asked: Asked, search: Option<&Search>) -> bool {
        self.behind() < READ_AT_ONCE && search.is_none_or(|search| self.left(asked, search) <= SLICE)
    }

    /// How many peers a search has not looked at.
    fn left(&mut self, asked: Asked, search: &Search) -> usize {
        self.with_live(asked, |live, part, _| live.left(part, search)).unwrap_or(0)
    }

    /// Lets a search look at some of these; returns how many are left, if anyone is in.
    fn look(&mut self, asked: Asked, search: &Search) -> Option<usize> {
        let left = self.with_live(asked, |live, part, _| live.look(part, search, SLICE));
        self.weigh();
        left?
    }

    /// Answers from the live rosters, up to date, and the session; at the time that is asked about.
    fn with_live<T>(&mut self, asked: Asked, answer: impl FnOnce(&mut LiveRosters, Part<'_>, Timestamp) -> T) -> Option<T> {
        let Asked { session, now, as_of } = asked;
        let now = as_of.unwrap_or(now);
        if !self.keep_up(asked.now, now) {
            return None;
        }
        let Self { facts, reading, live, .. } = self;
        let Some(Resolved::Sitting(sitting)) = reading.resolve(facts, session) else { return None };
        Some(answer(live, Part { facts, reading, sitting }, now))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rollbook_core::event::{Body, Event, PeerInfo, Place};
    use rollbook_core::id::{Home, Name, Stream};
    use rollbook_core::roster::Order;
    use rollbook_core::time::SECOND;
    use std::ops::Range;
    use std::sync::atomic::{AtomicBool, Ordering};

    const SESSION: Uuid = Uuid::from_u128(7);
    const NOW: Timestamp = Timestamp::from_micros(10_000 * SECOND);
    const ASKED: Asked = Asked { session: SESSION, now: NOW, as_of: None };

    fn fold() -> Fold {
        Fold::new(&App::new("acme", "school").unwrap(), Stream::session(SESSION), 1)
    }

    /// People with numbers come; every third is an Ana.
    fn come(fold: &Fold, seq: u64, people: Range<usize>) {
        let events: Vec<Event> = people
            .map(|n| {
                let place = Place::new(Home::Session { session: Name::id(SESSION), meeting: None });
                let name = if n % 3 == 0 { format!("Ana {n}") } else { format!("Ben {n}") };
                let peer = PeerInfo { display_name: Some(name.into()), ..PeerInfo::new(Name::key(format!("peer-{n}"))) };
                let time = Timestamp::from_micros(n as i64 * SECOND);
                Event { source: "sfu".into(), id: n.to_string().into(), time, body: Body::PeerJoined(place.into(), peer) }
            })
            .collect();
        assert!(fold.lock().take(Stream::session(SESSION), seq, events.iter().map(|event| (event, event.content()))));
    }

    fn total(fold: &Fold, search: Option<&str>) -> u32 {
        let query = Query { order: Order::default(), search: search.map(Search::new), limit: 3, ..Query::default() };
        fold.lock().live_page(ASKED, &query).unwrap().total
    }

    #[test]
    fn while_a_large_session_is_searched_pages_are_shown_and_people_come() {
        let (fold, mut slices) = (fold(), 0);
        come(&fold, 1, 0..3 * SLICE);
        let goes_on = look_in_slices(&fold, ASKED, &Search::new("ana"), || {
            slices += 1;
            let people = (3 + slices) * SLICE;
            if slices < 4 {
                come(&fold, slices as u64 + 1, people - SLICE..people);
            }
            assert_eq!(total(&fold, None) as usize, people.min(6 * SLICE));
        });
        assert_eq!((goes_on, slices), (true, 5), "between six slices");
        let left = fold.lock().left(ASKED, &Search::new("ana"));
        assert_eq!((left, total(&fold, Some("ana")) as usize), (0, 2 * SLICE));
        come(&fold, 5, 6 * SLICE..6 * SLICE + 1);
        assert_eq!(total(&fold, Some("ana")) as usize, 2 * SLICE + 1);
    }

    #[test]
    fn who_waits_for_the_fold_goes_before_the_next_slice() {
        let (fold, had_it) = (fold(), AtomicBool::new(false));
        let slice = fold.lock();
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let _state = fold.lock();
                had_it.store(true, Ordering::SeqCst);
            });
            while fold.waiting() == 0 {
                std::thread::yield_now();
            }
            drop(slice);
            let _next = fold.lock_last();
            assert!(had_it.load(Ordering::SeqCst));
        });
    }
}
