//! The list of sessions: settled ones from the store's catalog, the others evaluated now and merged in.

use super::fold::Fold;
use super::roster::Found;
use super::{Inner, Ledger, PageAnswer, SessionList, SessionsQuery};
use bytes::Bytes;
use rollbook_core::id::{App, Stream};
use rollbook_core::roster::{Part, Summary, fold_case};
use rollbook_core::time::Timestamp;
use rollbook_store::{LinkKind, SessionFilter, SessionOrder, SessionRecord, SessionSort, StoreError};
use std::collections::BTreeSet;
use std::sync::Arc;
use uuid::Uuid;

/// The store is asked for so many unsettled streams at once, of which the folds are then in memory together.
const ASKED_AT_ONCE: usize = 64;

impl Ledger {
    /// A page of the app's sessions.
    ///
    /// # Errors
    /// Where the store can't read.
    pub async fn sessions(&self, app: &App, query: &SessionsQuery) -> Result<SessionList, StoreError> {
        let order = SessionOrder {
            sort: if query.by_consumed { SessionSort::Consumed } else { SessionSort::StartedAt },
            descending: query.descending,
        };
        let settled = if query.live == Some(true) { None } else { Some(filter(query)) };
        loop {
            let (streams, mut open) = self.0.unsettled(app).await?;
            open.retain(|summary| matches(query, summary));
            open.sort_by(|a, b| compare(order, a, b));
            let list = self.0.merge(app, settled.as_ref(), order, &open, query.offset, u64::from(query.limit)).await?;
            // A session that left the catalog while this was read would be in neither part: then read again.
            if self.0.store.unsettled(app).await?.iter().all(|stream| streams.contains(stream)) {
                return Ok(list);
            }
        }
    }

    /// A peer in the session that it joined latest: the answer's one row. None where the app knows no such peer.
    ///
    /// # Errors
    /// Where the store can't read.
    pub async fn peer(&self, app: &App, peer: Uuid) -> Result<Option<PageAnswer>, StoreError> {
        let mut latest = None;
        for stream in self.0.store.linked(app, LinkKind::Peer, peer).await? {
            let (fold, now) = self.0.current(app, stream).await?;
            latest = latest.max(last_joined(&Found { stream, fold, now }, peer));
        }
        match latest {
            Some((_, session)) => self.participant(app, session, peer, None).await,
            None => Ok(None),
        }
    }
}

/// When a peer last joined a session of a stream, and which.
fn last_joined(found: &Found, peer: Uuid) -> Option<(Timestamp, Uuid)> {
    found.fold.lock().at(found.now, None, |facts, reading| {
        let peer = facts.peer(peer)?;
        let parts = (0..reading.sittings().len()).map(|sitting| Part { facts, reading, sitting });
        parts.filter_map(|part| Some((part.joined_at(peer)?, part.id()?))).max()
    })
}

impl Inner {
    /// The summaries of sessions that the catalog does not have; what has settled since is put there.
    async fn unsettled(self: &Arc<Self>, app: &App) -> Result<(BTreeSet<Stream>, Vec<Summary>), StoreError> {
        let (mut streams, mut open) = (BTreeSet::new(), Vec::new());
        for some in self.store.unsettled(app).await?.chunks(ASKED_AT_ONCE) {
            let some: BTreeSet<Stream> = some.iter().copied().collect();
            let current = self.current_all(app, &some).await?;
            for (stream, (fold, now)) in some.into_iter().zip(current) {
                if let Some(summaries) = self.settle(app, stream, &fold, now).await? {
                    open.extend(summaries);
                    streams.insert(stream);
                }
            }
        }
        Ok((streams, open))
    }

    /// Puts a stream's summaries into the catalog; where they may still change, returns them.
    async fn settle(&self, app: &App, stream: Stream, fold: &Fold, now: Timestamp) -> Result<Option<Vec<Summary>>, StoreError> {
        // In one go: a batch that came between the two would settle what it has changed.
        let ((summaries, settled), vector) = {
            let mut state = fold.lock();
            (state.summaries(now), state.vector())
        };
        let records = || summaries.iter().map(record).collect::<Vec<_>>();
        let stands = fold.epoch() == self.store.epoch();
        let is_settled = settled && stands && self.store.settle(app, stream, &vector, &records()).await?;
        Ok((!is_settled).then_some(summaries))
    }

    /// One page of two ordered lists: the catalog's, which is only read around the page, and the one in memory.
    async fn merge(
        &self,
        app: &App,
        settled: Option<&SessionFilter>,
        order: SessionOrder,
        open: &[Summary],
        offset: u64,
        limit: u64,
    ) -> Result<SessionList, StoreError> {
        let many = open.len() as u64;
        // Of the rows before the page at most `many` are not the catalog's.
        let first = offset.saturating_sub(many);
        let (total, catalog) = match settled {
            Some(filter) => {
                let page = self.store.sessions(app, filter, order, first..offset.saturating_add(limit)).await?;
                (page.total, page.records.iter().filter_map(summary_of).collect())
            }
            None => (0, Vec::new()),
        };
        let total = total + many;
        let mut open = open.iter().peekable();
        let mut at = first;
        if first > 0 {
            let before = |summary: &&Summary| catalog.first().is_none_or(|settled| compare(order, summary, settled).is_lt());
            while open.next_if(|summary| before(summary)).is_some() {
                at += 1;
            }
        }
        let mut sessions = Vec::new();
        let mut catalog = catalog.into_iter().peekable();
        while at < offset.saturating_add(limit) {
            let from_open = match (open.peek(), catalog.peek()) {
                (Some(open), Some(settled)) => compare(order, open, settled).is_lt(),
                (open, _) => open.is_some(),
            };
            let Some(next) = (if from_open { open.next().cloned() } else { catalog.next() }) else { break };
            if at >= offset {
                sessions.push(next);
            }
            at += 1;
        }
        Ok(SessionList { total, offset: offset.min(total), sessions })
    }
}

fn record(summary: &Summary) -> SessionRecord {
    SessionRecord {
        id: summary.id,
        stream: summary.stream,
        meeting: summary.meeting,
        started_at: summary.started_at,
        last_change_at: summary.last_change_at,
        consumed: summary.consumed,
        participants: summary.participants,
        folded_title: summary.title.as_deref().map(fold_case).unwrap_or_default(),
        summary: Bytes::from(postcard::to_stdvec(summary).unwrap_or_default()),
    }
}

fn summary_of(record: &SessionRecord) -> Option<Summary> {
    postcard::from_bytes(&record.summary).ok()
}

fn filter(query: &SessionsQuery) -> SessionFilter {
    let (min_participants, max_participants) = query.participants;
    let search = query.search.as_deref().map(fold_case);
    SessionFilter { from: query.from, until: query.until, meeting: query.meeting, min_participants, max_participants, search }
}

/// Whether a session is one that the catalog's filter, too, would let through.
fn matches(query: &SessionsQuery, summary: &Summary) -> bool {
    let title = || summary.title.as_deref().map(fold_case).unwrap_or_default();
    let begins = |id: Option<Uuid>, text: &str| id.is_some_and(|id| id.to_string().starts_with(text));
    let found = |text: &str| title().contains(text) || begins(Some(summary.id), text) || begins(summary.meeting, text);
    query.live.is_none_or(|live| live == summary.ended_at.is_none())
        && query.from.is_none_or(|from| summary.started_at >= from)
        && query.until.is_none_or(|until| summary.started_at <= until)
        && query.meeting.is_none_or(|meeting| summary.meeting == Some(meeting))
        && query.participants.0.is_none_or(|min| summary.participants >= min)
        && query.participants.1.is_none_or(|max| summary.participants <= max)
        && query.search.as_deref().is_none_or(|text| found(&fold_case(text)))
}

fn compare(order: SessionOrder, a: &Summary, b: &Summary) -> std::cmp::Ordering {
    let by_key = match order.sort {
        SessionSort::StartedAt => a.started_at.cmp(&b.started_at),
        SessionSort::Consumed => a.consumed.cmp(&b.consumed),
    };
    let ascending = by_key.then(a.id.cmp(&b.id));
    if order.descending { ascending.reverse() } else { ascending }
}
