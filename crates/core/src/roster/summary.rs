//! What is shown of a session as a whole (rule 4.10).

use super::row::Part;
use crate::event::Place;
use crate::fold::{Facts, PeerIx, Reading, RecordIx, Resolved, Stay, Times};
use crate::id::{ParentId, Stream, StreamKind};
use crate::time::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use uuid::Uuid;

/// A session at one `now`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Summary {
    /// The session's id.
    pub id: Uuid,
    /// The stream that it was folded from.
    pub stream: Stream,
    /// Its meeting, where an event told it.
    pub meeting: Option<Uuid>,
    /// The meeting's title.
    pub title: Option<Box<str>>,
    /// What it is a breakout of.
    pub parent: Option<ParentId>,
    /// When it began; also shown as its creation.
    pub started_at: Timestamp,
    /// When it ended; none while it is live.
    pub ended_at: Option<Timestamp>,
    /// How many peers are in.
    pub live_participants: u64,
    /// The most peers at once.
    pub max_concurrent_participants: u64,
    /// The sum of all durations, in microseconds.
    pub consumed: i64,
    /// How many rows its raw list has.
    pub participants: u64,
    /// The time of its last event.
    pub updated_at: Timestamp,
    /// The latest time at which anything happened in it.
    pub last_change_at: Timestamp,
    /// From when on it only grows older, see [`Summary::at`]; none where someone is in from a later time on.
    pub steady_from: Option<Timestamp>,
    /// When it has been empty for keep-alive; none while someone is in, or where it was ended.
    pub empty_until: Option<Timestamp>,
}

impl Summary {
    /// What an id of a meeting leads to where no session is left: one that has ended, without rows (rule 4.6).
    /// `at` is the time of the event that yielded the id.
    #[must_use]
    pub fn gone(stream: Stream, id: Uuid, at: Timestamp) -> Self {
        Self {
            id,
            stream,
            meeting: Some(stream.id),
            title: None,
            parent: None,
            started_at: at,
            ended_at: Some(at),
            live_participants: 0,
            max_concurrent_participants: 0,
            consumed: 0,
            participants: 0,
            updated_at: at,
            last_change_at: at,
            steady_from: Some(at),
            empty_until: None,
        }
    }

    /// Whether it has ended, and nobody is in.
    fn is_over(&self, now: Timestamp) -> bool {
        self.ended_at.is_some_and(|at| at <= now) && self.live_participants == 0
    }

    /// The same session at a later `now`, if nothing happened meanwhile and the reading that it comes from still holds; none where that takes more
    /// than adding what those who are in have been in since, or where `now` is not later.
    #[must_use]
    pub fn at(&self, now: Timestamp) -> Option<Self> {
        let since = self.steady_from.filter(|from| now >= *from)?;
        let grown = i128::from(self.live_participants) * i128::from(now.since(since));
        let consumed = i64::try_from(i128::from(self.consumed) + grown).ok()?;
        let ended_at = self.ended_at.or(self.empty_until.filter(|until| now >= *until));
        Some(Self { consumed, ended_at, steady_from: Some(now), ..self.clone() })
    }
}

impl Part<'_> {
    /// The session as a whole at `now`.
    #[must_use]
    pub fn summary(&self, now: Timestamp) -> Option<Summary> {
        if self.facts.stream().kind == StreamKind::Session {
            return self.summary_of(&Heard::all(self.facts), now);
        }
        let contained = self.facts.events().filter(|event| self.reading.homes(self.facts, *event).contains(&self.sitting));
        let mut heard = Heard::default();
        contained.for_each(|event| heard.take(self.facts, event));
        self.summary_of(&heard, now)
    }

    /// The same, where what was heard of the session is known.
    fn summary_of(&self, heard: &Heard, now: Timestamp) -> Option<Summary> {
        let sitting = *self.reading.sittings().get(self.sitting)?;
        let named = self.facts.stream().kind == StreamKind::Session;
        let mut totals = Totals::default();
        for peer in self.reading.listed(self.facts, self.sitting) {
            totals.add(&self.reading.stays(self.sitting, peer), now);
        }
        let started_at = if named { heard.started(totals.first)? } else { sitting.begun };
        let over = totals.last_out.unwrap_or(started_at).plus(self.facts.keep_alive());
        let empty_until = (totals.open == 0 && sitting.ended.is_none()).then_some(over);
        let ended_at = sitting.ended.or(empty_until.filter(|until| now >= *until));
        let updated_at = heard.times.span.map_or(started_at, |(_, last)| last);
        Some(Summary {
            id: sitting.id,
            stream: self.facts.stream(),
            meeting: if named {
                heard.earliest(self.facts, |p| p.meeting()).map(|name| self.facts.app().meeting(name))
            } else {
                Some(self.facts.stream().id)
            },
            title: heard.earliest(self.facts, |p| p.meeting_title.as_ref()).cloned(),
            parent: heard.earliest(self.facts, |p| p.parent.as_ref()).map(|parent| self.facts.parent_id(parent)),
            started_at,
            ended_at,
            live_participants: totals.open,
            consumed: i64::try_from(totals.consumed).unwrap_or(i64::MAX),
            participants: totals.participants,
            updated_at,
            last_change_at: totals.last_out.into_iter().chain(sitting.ended).fold(updated_at, Timestamp::max),
            steady_from: totals.last_come.is_none_or(|come| come <= now).then_some(now),
            empty_until,
            max_concurrent_participants: totals.peak(),
        })
    }

    /// The session's id.
    #[must_use]
    pub fn id(&self) -> Option<Uuid> {
        Some(self.reading.sittings().get(self.sitting)?.id)
    }

    /// Whether this session is the parent that a breakout names, which began at `started_at`.
    #[must_use]
    pub fn is_parent(&self, named: ParentId, started_at: Timestamp) -> bool {
        match named {
            ParentId::Session(id) => self.reading.resolve(self.facts, id) == Some(Resolved::Sitting(self.sitting)),
            ParentId::Meeting(id) => self.facts.stream() == Stream::meeting(id) && self.reading.begun_by(started_at) == Some(self.sitting),
        }
    }

    /// When a peer that the session lists first joined it.
    #[must_use]
    pub fn joined_at(&self, peer: PeerIx) -> Option<Timestamp> {
        let first = self.reading.stays(self.sitting, peer).first().map(|stay| stay.start);
        first.filter(|_| !self.reading.is_robot(peer))
    }

    /// Whether nothing but a new event can change the session after `now`.
    #[must_use]
    pub fn is_settled(&self, now: Timestamp) -> bool {
        self.summary(now).is_some_and(|summary| summary.is_over(now)) && self.reading.is_final()
    }
}

/// All sessions of a stream as a whole at `now`, in order of their beginning, and whether nothing but a new event can change any of them.
/// One pass over the events, however many sessions there are.
#[must_use]
pub fn summaries(facts: &Facts, reading: &Reading, now: Timestamp) -> (Vec<Summary>, bool) {
    let mut heard = vec![Heard::default(); reading.sittings().len()];
    if facts.stream().kind == StreamKind::Session {
        heard.fill(Heard::all(facts));
    } else {
        for event in facts.events() {
            for home in reading.homes(facts, event).into_iter().collect::<BTreeSet<_>>() {
                heard[home].take(facts, event);
            }
        }
    }
    let of_sitting = |(sitting, heard)| Part { facts, reading, sitting }.summary_of(heard, now);
    let all: Vec<Summary> = heard.iter().enumerate().filter_map(of_sitting).collect();
    let settled = reading.is_final() && all.iter().all(|summary| summary.is_over(now));
    (all, settled)
}

/// What the events that a session contains tell of it.
#[derive(Clone, Debug, Default)]
struct Heard {
    times: Times,
    /// What they tell of the session, by its place among the facts, each with the earliest that tells just this.
    places: BTreeMap<u32, RecordIx>,
}

impl Heard {
    /// From all events of a stream.
    fn all(facts: &Facts) -> Self {
        Self { times: facts.times, places: (0..).zip(facts.places.iter().map(|place| place.earliest)).collect() }
    }

    fn take(&mut self, facts: &Facts, event: RecordIx) {
        self.times.take(facts.what(event), facts.time(event));
        if let Some(place) = facts.place(event) {
            let known = self.places.entry(place).or_insert(event);
            if facts.compare_told(event, *known).is_lt() {
                *known = event;
            }
        }
    }

    /// When a named session began: its earliest start or stay, else its latest end, else its earliest event.
    fn started(&self, first_stay: Option<Timestamp>) -> Option<Timestamp> {
        let start = self.times.started.into_iter().chain(first_stay).min();
        start.or(self.times.ended).or(self.times.span.map(|(first, _)| first))
    }

    /// What the earliest event that tells something of the session tells.
    fn earliest<'a, T: 'a>(&self, facts: &'a Facts, told: impl Fn(&'a Place) -> Option<&'a T>) -> Option<&'a T> {
        let telling = self.places.iter().filter_map(|(place, event)| Some((*event, told(&facts.places[*place as usize].place)?)));
        telling.min_by(|(a, _), (b, _)| facts.compare_told(*a, *b)).map(|(_, told)| told)
    }
}

/// What the stays of a session come to.
#[derive(Default)]
struct Totals {
    participants: u64,
    open: u64,
    consumed: i128,
    first: Option<Timestamp>,
    last_out: Option<Timestamp>,
    /// The latest start of whoever is in.
    last_come: Option<Timestamp>,
    /// The starts and the ends of stays, but for those of no length.
    starts: Vec<Timestamp>,
    outs: Vec<Timestamp>,
}

impl Totals {
    /// Adds a peer.
    fn add(&mut self, stays: &[Stay], now: Timestamp) {
        self.participants += 1;
        self.consumed += stays.iter().map(|stay| i128::from(stay.length(now))).sum::<i128>().max(0);
        for stay in stays {
            self.first = Some(self.first.map_or(stay.start, |first| first.min(stay.start)));
            match stay.out {
                Some(out) => self.last_out = self.last_out.max(Some(out)),
                None => (self.open, self.last_come) = (self.open + 1, self.last_come.max(Some(stay.start))),
            }
            if stay.out != Some(stay.start) {
                self.starts.push(stay.start);
                self.outs.extend(stay.out);
            }
        }
    }

    /// The most stays at once; at equal times those that end go before those that begin, and stays of no length don't count.
    fn peak(mut self) -> u64 {
        // A sort that makes use of what is in order already, as most of it is.
        self.starts.sort();
        self.outs.sort();
        let mut outs = self.outs.into_iter().peekable();
        let (mut at_once, mut most) = (0u64, 0u64);
        for start in self.starts {
            while outs.next_if(|out| *out <= start).is_some() {
                at_once = at_once.saturating_sub(1);
            }
            at_once += 1;
            most = most.max(at_once);
        }
        most
    }
}
