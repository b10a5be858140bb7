//! The roster of a session: the one that is held, if all that it was made from still stands; else a new one.

use super::basis::Held;
use super::fold::Fold;
use super::live::LivePage;
use super::{Inner, Ledger, PageAnswer, PageRows, RosterAnswer, View};
use rollbook_core::fold::Resolved;
use rollbook_core::id::{App, Stream};
use rollbook_core::roster::{Extract, Page, Part, Query};
use rollbook_core::time::Timestamp;
use rollbook_store::{LinkKind, StoreError};
use std::sync::Arc;
use uuid::Uuid;

/// How many rows are searched without another thread: about a hundred microseconds.
pub(super) const SEARCHED_AT_ONCE: u32 = 500;

/// Where an id that was asked for leads.
pub(super) struct Found {
    pub(super) stream: Stream,
    pub(super) fold: Arc<Fold>,
    /// The store's time.
    pub(super) now: Timestamp,
}

impl Ledger {
    /// A page of the participants list of a session, at the store's time or at `as_of`; none where the app knows no such session.
    ///
    /// # Errors
    /// Where the store can't read.
    pub async fn participants(
        &self,
        app: &App,
        session: Uuid,
        view: View,
        query: &Query,
        as_of: Option<Timestamp>,
    ) -> Result<Option<PageAnswer>, StoreError> {
        let inner = &self.0;
        // A session that goes on has no roster in memory, and a look for a segment would cost each of its pages a system call.
        let live_first = view == View::Raw && inner.goes_on(app, session);
        if live_first && let Some(page) = inner.live(app, session, query, as_of).await? {
            return Ok(Some(page));
        }
        if let Some(standing) = inner.standing(app, session, view, as_of, query.details).await? {
            return standing.page(query).await.map(Some);
        }
        if view == View::Raw
            && !live_first
            && let Some(page) = inner.live(app, session, query, as_of).await?
        {
            return Ok(Some(page));
        }
        match inner.made(app, session, view, as_of, query.details).await? {
            Some(roster) => roster.page(query).await.map(Some),
            None => Ok(None),
        }
    }

    /// A participant of a session, by the peer's id: the answer's one row. None where the app knows no such session, or it lists no such peer.
    ///
    /// # Errors
    /// Where the store can't read.
    pub async fn participant(
        &self,
        app: &App,
        session: Uuid,
        peer: Uuid,
        as_of: Option<Timestamp>,
    ) -> Result<Option<PageAnswer>, StoreError> {
        let inner = &self.0;
        if let Some(standing) = inner.standing(app, session, View::Raw, as_of, true).await? {
            return Ok(standing.only(peer));
        }
        let Some(found) = inner.find(app, session).await? else { return Ok(None) };
        let now = as_of.unwrap_or(found.now);
        let rows = found.fold.lock().at(found.now, as_of, |facts, reading| {
            let (Some(Resolved::Sitting(sitting)), Some(peer)) = (reading.resolve(facts, session), facts.peer(peer)) else {
                return Extract::default();
            };
            Part { facts, reading, sitting }.extract(&[peer], true)
        });
        let page = LivePage { total: 1, offset: 0, rows };
        Ok(Some(PageAnswer::of_live(page, now)).filter(|answer| !answer.is_empty()))
    }

    /// The roster of a session, at the store's time or at `as_of`; none where the app knows no such session.
    ///
    /// # Errors
    /// Where the store can't read.
    pub async fn roster(&self, app: &App, session: Uuid, view: View, as_of: Option<Timestamp>) -> Result<Option<RosterAnswer>, StoreError> {
        let inner = &self.0;
        if let Some(standing) = inner.standing(app, session, view, as_of, true).await? {
            return Ok(Some(standing));
        }
        inner.made(app, session, view, as_of, true).await
    }
}

impl Held {
    pub(super) fn answer(&self, now: Timestamp) -> RosterAnswer {
        RosterAnswer { roster: Arc::clone(&self.roster), now, print: self.print, searches: Arc::clone(&self.searches) }
    }
}

impl RosterAnswer {
    /// A page of the roster. A search that nothing is known of yet may look at many rows: of a large roster it is done where it holds up nobody.
    async fn page(self, query: &Query) -> Result<PageAnswer, StoreError> {
        let Some(search) = query.search.as_ref().filter(|_| self.roster.len() >= SEARCHED_AT_ONCE) else {
            let page = self.roster.page(query, self.now);
            return Ok(self.showing(page));
        };
        let kept = self.searches.kept(search);
        if let Some(page) = kept.and_then(|hits| self.roster.page_at_once(&hits, query, self.now)) {
            return Ok(self.showing(page));
        }
        let (query, search) = (query.clone(), search.clone());
        let searched = tokio::task::spawn_blocking(move || {
            let hits = self.searches.hits(&self.roster, &search);
            let page = self.roster.page_of(&hits, &query, self.now);
            self.showing(page)
        });
        searched.await.map_err(|e| StoreError::Damaged(format!("roster not searched: {e}")))
    }

    fn showing(self, page: Page) -> PageAnswer {
        let Page { total, offset, rows } = page;
        PageAnswer { total, offset, now: self.now, print: self.print, rows: PageRows::Of(self.roster, rows) }
    }

    /// The row of one peer.
    fn only(self, peer: Uuid) -> Option<PageAnswer> {
        let place = self.roster.find(peer)?;
        Some(PageAnswer { total: 1, offset: 0, now: self.now, print: self.print, rows: PageRows::Of(self.roster, vec![place]) })
    }
}

impl Inner {
    /// Whether a session's events are folded in memory, and it has no roster there.
    fn goes_on(&self, app: &App, session: Uuid) -> bool {
        self.cache.has_fold(app, Stream::session(session)) && self.cache.roster(app, session, View::Raw, self.store.epoch()).is_none()
    }

    /// The roster that is held, if all that it was made from still stands, and it has the details if they are asked for.
    pub(super) async fn standing(
        &self,
        app: &App,
        session: Uuid,
        view: View,
        as_of: Option<Timestamp>,
        details: bool,
    ) -> Result<Option<RosterAnswer>, StoreError> {
        let Some(held) = self.held(app, session, view).await?.filter(|held| held.complete || !details) else { return Ok(None) };
        let Some(now) = self.unchanged(app, &held.basis).await? else {
            self.cache.drop_roster(app, session, view, &held);
            return Ok(None);
        };
        if self.store.epoch() != held.epoch {
            return Ok(None);
        }
        let now = as_of.unwrap_or(now);
        Ok(held.roster.validity().holds(now).then(|| held.answer(now)))
    }

    /// The roster in memory; else the segment, if the batches that it was made up to are the store's.
    async fn held(&self, app: &App, session: Uuid, view: View) -> Result<Option<Arc<Held>>, StoreError> {
        let epoch = self.store.epoch();
        if let Some(held) = self.cache.roster(app, session, view, epoch) {
            return Ok(Some(held));
        }
        let Some(held) = self.segments.open(app, session, view, epoch) else { return Ok(None) };
        if self.last_batches(app, &held.basis.vector).await? != held.basis.last {
            return Ok(None);
        }
        let held = Arc::new(held);
        self.cache.hold_roster(app, session, view, Arc::clone(&held));
        Ok(Some(held))
    }

    /// The stream that knows a session id: a named session's own, or the meeting that one of its events gave the id.
    pub(super) async fn find(self: &Arc<Self>, app: &App, session: Uuid) -> Result<Option<Found>, StoreError> {
        let own = Stream::session(session);
        let (fold, now) = self.current(app, own).await?;
        if fold.lock().seq() > 0 {
            return Ok(Some(Found { stream: own, fold, now }));
        }
        self.cache.drop_fold(app, own);
        let Some(meeting) = self.store.linked(app, LinkKind::Derived, session).await?.first().copied() else { return Ok(None) };
        let (fold, now) = self.current(app, meeting).await?;
        Ok(Some(Found { stream: meeting, fold, now }))
    }
}
