//! The crate's own fold, fed batch by batch with a moving `now`, answering what the reference answers.
#![allow(dead_code, unreachable_pub, missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use super::reference::{
    AnomalyKind, Ask, ClosedBy, Ledger, PeerEventAnswer, PeerEventName, RowAnswer, SessionAnswer, Sort, StayAnswer, View,
};
use rollbook_core::event::Event;
use rollbook_core::fold::{self, Facts, Reading, Resolved, Validity};
use rollbook_core::id::{App, ParentId, Stream, StreamKind};
use rollbook_core::roster::{LiveRosters, Order, Part, PeerAct, Query, RowView, Search, Snapshot, Summary, consolidate, encode};
use rollbook_core::time::{SECOND, Timestamp};
use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use uuid::Uuid;

/// One stream's facts, their reading, and those of its rosters that were asked for.
struct Folding {
    facts: Facts,
    reading: Reading,
    live: LiveRosters,
}

/// Every stream, at `now`.
pub struct Folded {
    app: App,
    now: Timestamp,
    streams: RefCell<BTreeMap<Stream, Folding>>,
    lives: Vec<Event>,
}

impl Folded {
    pub fn new(app: &App, now: Timestamp) -> Self {
        Self { app: app.clone(), now, streams: RefCell::default(), lives: Vec::new() }
    }

    /// All events at once.
    pub fn whole(app: &App, events: &[Event], now: Timestamp) -> Self {
        let mut folded = Self::new(app, now);
        folded.take(events);
        folded.read(now);
        folded
    }

    /// Takes a batch.
    pub fn take(&mut self, events: &[Event]) {
        let mut streams = self.streams.borrow_mut();
        for event in events {
            let stream = self.app.stream_of(event);
            if stream.kind == StreamKind::Source {
                self.lives.push(event.clone());
            } else {
                let new =
                    || Folding { facts: Facts::new(self.app.clone(), stream), reading: Reading::default(), live: LiveRosters::default() };
                streams.entry(stream).or_insert_with(new).facts.take(event);
            }
        }
        for Folding { facts, .. } in streams.values_mut() {
            for life in &self.lives {
                facts.take_life(life);
            }
        }
    }

    /// Moves on to a later `now`, or back to an earlier one.
    pub fn read(&mut self, now: Timestamp) {
        self.now = now;
        for Folding { facts, reading, live } in self.streams.borrow_mut().values_mut() {
            let changes = facts.take_changes();
            if reading.validity().relied_on < now {
                live.update(facts, reading, &changes, now);
            } else {
                (*reading, *live) = (Reading::full(facts, now), LiveRosters::default());
            }
            assert_eq!(*reading, Reading::full(facts, now).relying_like(reading), "incremental and full readings differ");
        }
    }

    /// Lets a search look at so many more peers of each session that goes on.
    pub fn look(&self, needle: &str, most: usize) {
        for Folding { facts, reading, live } in self.streams.borrow_mut().values_mut() {
            for sitting in 0..reading.sittings().len() {
                let (part, search) = (Part { facts, reading, sitting }, Search::new(needle));
                let left = live.left(part, &search).saturating_sub(most);
                if let Some(left_then) = live.look(part, &search, most) {
                    assert_eq!((left_then, live.left(part, &search)), (left, left));
                }
            }
        }
    }

    fn with<T>(&self, answer: impl FnOnce(&[Part<'_>]) -> T) -> T {
        let streams = self.streams.borrow();
        let parts: Vec<_> = streams
            .values()
            .flat_map(|Folding { facts, reading, .. }| (0..reading.sittings().len()).map(move |sitting| Part { facts, reading, sitting }))
            .collect();
        answer(&parts)
    }

    fn resolve(&self, id: Uuid) -> Option<(Stream, Resolved)> {
        let streams = self.streams.borrow();
        streams.iter().find_map(|(stream, Folding { facts, reading, .. })| Some((*stream, reading.resolve(facts, id)?)))
    }
}

fn answer(parts: &[Part<'_>], part: &Part<'_>, summary: &Summary) -> SessionAnswer {
    let keep_alive = u16::try_from(part.facts.keep_alive() / SECOND).unwrap();
    let parent = summary.parent.and_then(|parent| {
        let found = parts.iter().find(|p| p.is_parent(parent, summary.started_at)).and_then(Part::id);
        found.or(match parent {
            ParentId::Session(id) => Some(id),
            ParentId::Meeting(_) => None,
        })
    });
    SessionAnswer { parent, keep_alive, ..shown(summary) }
}

/// A summary as the reference shows it, but for the parent and keep-alive.
pub fn shown(summary: &Summary) -> SessionAnswer {
    SessionAnswer {
        id: summary.id,
        stream: summary.stream,
        meeting: summary.meeting,
        title: summary.title.as_deref().map(String::from),
        parent: None,
        live: summary.ended_at.is_none(),
        started_at: summary.started_at,
        ended_at: summary.ended_at,
        live_participants: summary.live_participants,
        max_concurrent: summary.max_concurrent_participants,
        consumed_micros: i128::from(summary.consumed),
        participants: summary.participants,
        created_at: summary.started_at,
        updated_at: summary.updated_at,
        keep_alive: 60,
    }
}

impl Ledger for Folded {
    fn sessions(&self) -> Vec<SessionAnswer> {
        let mut all = self.with(|parts| parts.iter().map(|part| answer(parts, part, &part.summary(self.now).unwrap())).collect::<Vec<_>>());
        all.sort_by_key(|session| session.id);
        all
    }

    fn session(&self, id: Uuid) -> Option<SessionAnswer> {
        let (stream, resolved) = self.resolve(id)?;
        match resolved {
            Resolved::Sitting(sitting) => self.with(|parts| {
                let part = parts.iter().find(|part| part.stream() == stream && part.sitting == sitting).unwrap();
                Some(answer(parts, part, &part.summary(self.now).unwrap()))
            }),
            Resolved::Gone => {
                let streams = self.streams.borrow();
                let at = streams[&stream].facts.yielded_at(id)?;
                let summary = Summary::gone(stream, id, at);
                let Folding { facts, reading, .. } = &streams[&stream];
                Some(SessionAnswer { keep_alive: 60, ..answer(&[], &Part { facts, reading, sitting: 0 }, &summary) })
            }
        }
    }

    fn participants(&self, session: Uuid, ask: &Ask<'_>) -> Option<Vec<RowAnswer>> {
        let (stream, resolved) = self.resolve(session)?;
        let Resolved::Sitting(sitting) = resolved else { return Some(Vec::new()) };
        let answer = self.with(|parts| {
            let root = parts.iter().find(|part| part.stream() == stream && part.sitting == sitting).unwrap();
            let mut validity = Validity::default();
            let rows = match ask.view {
                View::Raw => root.rows(),
                View::Consolidated => {
                    let rows = family(parts, root, self.now).iter().flat_map(Part::rows).collect();
                    consolidate(root.id().unwrap(), rows, self.now, &mut validity)
                }
            };
            let roster = Snapshot::new(encode(rows, validity, b"tag")).unwrap();
            assert!(roster.validity().holds(self.now) && roster.tag() == b"tag");
            Some(list(&roster, ask, self.now))
        });
        if ask.view == View::Raw {
            let in_all = self.with(|parts| {
                let part = parts.iter().find(|part| part.stream() == stream && part.sitting == sitting).unwrap();
                part.summary(self.now).unwrap().live_participants
            });
            self.live_pages(stream, sitting, ask, answer.as_deref().filter(|_| in_all > 0));
        }
        answer
    }
}

impl Folded {
    /// The roster that is kept up to date peer by peer has the same list, page by page; where nobody is in, there is none.
    fn live_pages(&self, stream: Stream, sitting: usize, ask: &Ask<'_>, expected: Option<&[RowAnswer]>) {
        let mut streams = self.streams.borrow_mut();
        let Folding { facts, reading, live } = streams.get_mut(&stream).unwrap();
        let part = Part { facts, reading, sitting };
        let mut query = Query { order: order(ask), search: ask.search.map(Search::new), offset: 0, limit: 3, details: true };
        let mut shown = Vec::new();
        while let Some((total, offset, peers)) = live.page(part, &query, self.now) {
            assert!(expected.is_some() && u64::from(offset) == query.offset.min(u64::from(total)));
            if peers.is_empty() {
                assert_eq!(shown.len(), total as usize);
                break;
            }
            let extract = part.extract(&peers, true);
            assert_eq!(extract.len(), peers.len());
            shown.extend(extract.rows().map(|shown| row(shown, self.now)));
            query.offset += 3;
        }
        assert_eq!(shown, expected.unwrap_or_default(), "live pages differ");
    }
}

fn order(ask: &Ask<'_>) -> Order {
    let sort = if ask.sort == Sort::JoinedAt { rollbook_core::roster::Sort::JoinedAt } else { rollbook_core::roster::Sort::Duration };
    Order { sort, descending: ask.descending }
}

/// The session and its breakouts, each once.
fn family<'a>(parts: &[Part<'a>], root: &Part<'a>, now: Timestamp) -> Vec<Part<'a>> {
    let (mut family, mut seen, mut next) = (vec![*root], BTreeSet::from([root.id()]), 0);
    while let Some(of) = family.get(next).copied() {
        next += 1;
        for part in parts {
            let summary = part.summary(now).unwrap();
            if summary.parent.is_some_and(|parent| of.is_parent(parent, summary.started_at)) && seen.insert(part.id()) {
                family.push(*part);
            }
        }
    }
    family
}

/// The whole list, put together from pages of three.
pub fn list<B: AsRef<[u8]>>(roster: &Snapshot<B>, ask: &Ask<'_>, now: Timestamp) -> Vec<RowAnswer> {
    let mut query = Query { order: order(ask), search: ask.search.map(Search::new), offset: 0, limit: 3, details: true };
    let mut all = Vec::new();
    loop {
        let page = roster.page(&query, now);
        assert_eq!(u64::from(page.offset), query.offset.min(u64::from(page.total)));
        all.extend(page.rows.iter().map(|ix| row(roster.row(*ix), now)));
        if page.rows.is_empty() {
            assert_eq!(all.len(), page.total as usize);
            return all;
        }
        for ix in page.rows {
            let found = roster.find(roster.row(ix).id()).unwrap();
            assert_eq!(roster.row(found).id(), roster.row(ix).id());
        }
        query.offset += 3;
    }
}

pub fn row(row: RowView<'_>, now: Timestamp) -> RowAnswer {
    let details = row.details();
    let text = |text: Option<Cow<'_, str>>| text.map(Cow::into_owned);
    let stays: Vec<_> = details
        .stays
        .iter()
        .map(|stay| StayAnswer {
            start: stay.start,
            out: stay.out,
            closed_by: stay.closed_by.map(closed_by),
            uncertain: stay.out.map(|_| stay.uncertain),
        })
        .collect();
    let anomalies: Vec<_> = details.anomalies.iter().map(|a| (anomaly(a.kind), a.at)).collect();
    RowAnswer {
        session: row.session(),
        id: row.id(),
        user_id: text(row.user_id()),
        custom_participant_id: text(row.custom_participant_id()),
        display_name: text(row.display_name()),
        preset_name: text(row.preset_name()),
        joined_at: row.joined_at(),
        left_at: row.left_at(),
        duration_micros: row.length().at(now),
        created_at: row.created_at(),
        updated_at: row.updated_at(),
        peer_events: details
            .events
            .iter()
            .map(|event| PeerEventAnswer {
                id: event.id,
                peer_id: event.peer,
                session: event.session,
                name: match event.act {
                    PeerAct::Created => PeerEventName::Created,
                    PeerAct::Joined => PeerEventName::Joining,
                    PeerAct::Left => PeerEventName::Leaving,
                },
                at: event.at,
                preset_view_type: event.preset_view_type.as_deref().map(String::from),
            })
            .collect(),
        stays,
        anomalies,
    }
}

fn closed_by(by: fold::ClosedBy) -> ClosedBy {
    match by {
        fold::ClosedBy::SessionEnded => ClosedBy::SessionEnded,
        fold::ClosedBy::Roster => ClosedBy::Roster,
        fold::ClosedBy::SourceStopped => ClosedBy::SourceStopped,
        fold::ClosedBy::SourceStarted => ClosedBy::SourceStarted,
        fold::ClosedBy::SlotTaken => ClosedBy::SlotTaken,
        fold::ClosedBy::MaxStay => ClosedBy::MaxStay,
    }
}

fn anomaly(kind: fold::AnomalyKind) -> AnomalyKind {
    match kind {
        fold::AnomalyKind::DuplicateJoin => AnomalyKind::DuplicateJoin,
        fold::AnomalyKind::JoinMissing => AnomalyKind::JoinMissing,
        fold::AnomalyKind::LeftWithoutJoin => AnomalyKind::LeftWithoutJoin,
        fold::AnomalyKind::LeftAgain => AnomalyKind::LeftAgain,
        fold::AnomalyKind::JoinedByRoster => AnomalyKind::JoinedByRoster,
        fold::AnomalyKind::JoinAfterEnd => AnomalyKind::JoinAfterEnd,
    }
}
