//! Rules 4.6 (ids), 4.9 and 4.10: the sessions of the whole app.

use super::stays::{Mention, Peer, Stay, fold};
use super::{SessionAnswer, World, earliest, order, unnamed};
use rollbook_core::event::{Body, Event, Place};
use rollbook_core::id::{Parent, Stream, StreamKind};
use rollbook_core::time::{SECOND, Timestamp};
use std::collections::BTreeMap;
use uuid::Uuid;

/// A session with everything that belongs to it.
pub struct Session<'a> {
    pub id: Uuid,
    pub stream: Stream,
    /// By (time, source, id).
    pub events: Vec<&'a Event>,
    /// Who was in, robots left out.
    pub members: Vec<Member<'a>>,
    /// The explicit end.
    pub end: Option<Timestamp>,
    pub keep_alive: u16,
}

/// A peer of a session: a row of the raw list.
pub struct Member<'a> {
    pub session: Uuid,
    pub stream: Stream,
    pub id: Uuid,
    /// All events of the peer, by (time, source, id): what descriptive fields come from.
    ///
    /// READING 21: of a peer in two unnamed sessions the descriptive fields are over both; only created and updated are per session.
    pub described_by: Vec<Mention<'a>>,
    /// Those that belong to this session, by (time, source, id).
    pub mentions: Vec<Mention<'a>>,
    pub stays: Vec<Stay<'a>>,
}

/// All sessions, and where every id of an event of a meeting leads: none where no session is left.
pub struct Sessions<'a> {
    pub all: Vec<Session<'a>>,
    aliases: BTreeMap<Uuid, (Option<Uuid>, Stream, Timestamp)>,
}

impl<'a> World<'a> {
    pub(super) fn derive(&self) -> Sessions<'a> {
        let streams = self.streams();
        let cycles: Vec<&Event> = streams.iter().filter(|(s, _)| s.kind == StreamKind::Source).flat_map(|(_, e)| e.clone()).collect();
        let mut sessions = Sessions { all: vec![], aliases: BTreeMap::new() };
        for (stream, events) in &streams {
            match stream.kind {
                StreamKind::Session => sessions.all.push(self.named(*stream, events, &cycles)),
                StreamKind::Meeting => self.unnamed(*stream, events, &cycles, &mut sessions),
                StreamKind::Source => {}
            }
        }
        sessions.all.sort_by_key(|s| s.id);
        sessions
    }

    fn named(&self, stream: Stream, events: &[&'a Event], cycles: &[&'a Event]) -> Session<'a> {
        let folded = fold(self.app, stream, events, cycles, self.now);
        let end = events.iter().filter(|e| matches!(e.body, Body::SessionEnded(..))).map(|e| e.time).max();
        let mut session = Session { id: stream.id, stream, events: folded.events, members: vec![], end, keep_alive: keep_alive(events) };
        for (id, peer) in &folded.peers {
            let mentions = peer.in_order().into_iter().cloned().collect();
            session.admit(*id, peer, mentions, peer.stays.clone());
        }
        session
    }

    fn unnamed(&self, stream: Stream, events: &[&'a Event], cycles: &[&'a Event], into: &mut Sessions<'a>) {
        let meeting = fold(self.app, stream, events, cycles, self.now);
        let keep_alive = keep_alive(events);
        let segments = unnamed::segments(self.app, &meeting, i64::from(keep_alive) * SECOND);
        // READING 22: an event belongs to each session that one of its ids leads to: a roster has an id of its own, and one for each
        // of its entries.
        let mut belongs: Vec<(Option<usize>, &'a Event)> = vec![];
        for event in events {
            // A roster's own id; and whatever is of a peer comes below, and may say otherwise.
            let of = unnamed::of_event(&segments, event);
            into.aliases
                .insert(self.app.event(stream.id, &event.source, &event.id, None), (of.map(|n| segments[n].id), stream, event.time));
            if !matches!(event.body, Body::PeerCreated(..) | Body::PeerJoined(..) | Body::PeerLeft(..)) {
                belongs.push((of, event));
            }
        }
        for (id, peer) in &meeting.peers {
            for mention in &peer.mentions {
                let (of, event) = (unnamed::of_mention(&meeting, &segments, *id, mention), mention.event);
                let entry = matches!(event.body, Body::SessionRoster(..)).then_some(*id);
                let alias = self.app.event(stream.id, &event.source, &event.id, entry);
                into.aliases.insert(alias, (of.map(|n| segments[n].id), stream, event.time));
                belongs.push((of, event));
            }
        }
        for (n, segment) in segments.iter().enumerate() {
            let mut events: Vec<&Event> = belongs.iter().filter(|(of, _)| *of == Some(n)).map(|(_, e)| *e).collect();
            events.sort_by_key(|e| order(e));
            events.dedup_by_key(|e| order(e));
            let mut session = Session { id: segment.id, stream, events, members: vec![], end: segment.end, keep_alive };
            for (id, peer) in &meeting.peers {
                let mine = |m: &&Mention<'_>| unnamed::of_mention(&meeting, &segments, *id, m) == Some(n);
                let mentions = peer.in_order().into_iter().filter(mine).cloned().collect();
                let stays = (0..peer.stays.len()).filter(|number| segment.stays.contains(&(*id, *number)));
                session.admit(*id, peer, mentions, stays.map(|number| peer.stays[number].clone()).collect());
            }
            into.all.push(session);
        }
    }

    /// Every named and every unnamed session, by id.
    pub fn sessions(&self) -> Vec<SessionAnswer> {
        let sessions = self.derive();
        sessions.all.iter().map(|s| self.session_answer(&sessions, s)).collect()
    }

    /// The session of any id that was ever served.
    pub fn session(&self, id: Uuid) -> Option<SessionAnswer> {
        let sessions = self.derive();
        if let Some(session) = sessions.find(id) {
            return Some(self.session_answer(&sessions, session));
        }
        // READING 23 ("where no session is left, to an ENDED one of no rows"): under the id asked for, of the meeting, with the
        // event's time for all times, and nothing else.
        let (_, stream, at) = sessions.aliases.get(&id)?;
        let (live, title, parent, keep_alive) = (false, None, None, 60);
        let (live_participants, max_concurrent, consumed_micros, participants) = (0, 0, 0, 0);
        let (meeting, started_at, ended_at, created_at, updated_at) = (Some(stream.id), *at, Some(*at), *at, *at);
        #[rustfmt::skip]
        let gone = SessionAnswer { id, stream: *stream, meeting, title, parent, live, started_at, ended_at, live_participants, max_concurrent,
            consumed_micros, participants, created_at, updated_at, keep_alive };
        Some(gone)
    }

    fn session_answer(&self, sessions: &Sessions<'a>, session: &Session<'a>) -> SessionAnswer {
        let meeting = |e: &&Event| e.place().and_then(Place::meeting).map(|m| self.app.meeting(m));
        let started_at = session.started_at();
        let still_in = session.stays().any(|s| s.out.is_none());
        // Empty since the last leave; from the beginning if nobody came.
        let empty_since = session.stays().filter_map(|s| s.out).max().unwrap_or(started_at);
        let empty_for_long = empty_since.plus(i64::from(session.keep_alive) * SECOND);
        let live = session.end.is_none() && (still_in || self.now < empty_for_long);
        // READING 31: title and parent of an unnamed session are those of its own events, not its meeting's; `updated_at`, and the
        // "earliest event" that a session without stays starts with, count robots' events too.
        SessionAnswer {
            id: session.id,
            stream: session.stream,
            meeting: earliest(&session.events, meeting),
            title: earliest(&session.events, |e: &&Event| e.place()?.meeting_title.as_deref().map(String::from)),
            parent: self.parent(sessions, session),
            live,
            started_at,
            ended_at: if live { None } else { Some(session.end.unwrap_or(empty_for_long)) },
            live_participants: session.members.iter().filter(|m| m.left_at().is_none()).count() as u64,
            max_concurrent: session.peak(),
            // READING 24: the sum is over the durations as shown, none of them below 0.
            consumed_micros: session.members.iter().map(|m| i128::from(m.duration(self.now).max(0))).sum(),
            participants: session.members.len() as u64,
            created_at: started_at,
            updated_at: session.events.iter().map(|e| e.time).max().unwrap_or(started_at),
            keep_alive: session.keep_alive,
        }
    }

    /// What the session is a breakout of, by the earliest of its events that says so.
    ///
    /// READING 25: a `parent_id` is resolved as an id that was served (it may be that of an event of a meeting); where it leads nowhere
    /// it is shown as it was told.
    pub(super) fn parent(&self, sessions: &Sessions<'a>, session: &Session<'a>) -> Option<Uuid> {
        match earliest(&session.events, |e: &&'a Event| e.place()?.parent.as_ref())? {
            Parent::Session(name) => {
                let id = self.app.session(name);
                Some(sessions.find(id).map_or(id, |s| s.id))
            }
            Parent::Meeting(name) => {
                let stream = Stream::meeting(self.app.meeting(name));
                let mut of_meeting: Vec<_> = sessions.all.iter().filter(|s| s.stream == stream).collect();
                of_meeting.sort_by_key(|s| s.started_at());
                let begun = of_meeting.iter().rfind(|s| s.started_at() <= session.started_at());
                begun.or(of_meeting.first()).map(|s| s.id)
            }
        }
    }
}

impl<'a> Sessions<'a> {
    /// The session of any id that was ever served.
    pub fn find(&self, id: Uuid) -> Option<&Session<'a>> {
        let exact = |id: Uuid| self.all.iter().find(|s| s.id == id);
        exact(id).or_else(|| exact(self.aliases.get(&id)?.0?))
    }

    pub fn is_known(&self, id: Uuid) -> bool {
        self.find(id).is_some() || self.aliases.contains_key(&id)
    }
}

fn keep_alive(events: &[&Event]) -> u16 {
    earliest(events, |e: &&Event| e.place()?.keep_alive_seconds).unwrap_or(60)
}

impl<'a> Session<'a> {
    /// Adds a peer, unless it is a robot, or was never in.
    fn admit(&mut self, id: Uuid, peer: &Peer<'a>, mentions: Vec<Mention<'a>>, stays: Vec<Stay<'a>>) {
        if !peer.is_robot() && !stays.is_empty() {
            let described_by = peer.in_order().into_iter().cloned().collect();
            self.members.push(Member { session: self.id, stream: self.stream, id, described_by, mentions, stays });
        }
    }

    pub fn stays(&self) -> impl Iterator<Item = &Stay<'a>> {
        self.members.iter().flat_map(|m| &m.stays)
    }

    pub fn started_at(&self) -> Timestamp {
        let first_stay = self.stays().map(|s| s.start).min();
        if self.stream.kind == StreamKind::Meeting {
            return first_stay.unwrap();
        }
        let start_event = self.events.iter().filter(|e| matches!(e.body, Body::SessionStarted(_))).map(|e| e.time).min();
        start_event.into_iter().chain(first_stay).min().or(self.end).unwrap_or(self.events[0].time)
    }

    /// The most who were in at once. Only where someone comes in can it be reached: count there who is in, those who leave then not
    /// (stays are half open), nor stays of length 0.
    ///
    /// READING 26: who is still in is so from the start of the stay on, also where that lies after `now`.
    fn peak(&self) -> u64 {
        let has = |stay: &Stay<'_>, at: Timestamp| stay.start <= at && stay.out.is_none_or(|out| at < out);
        let comings = self.stays().map(|s| s.start);
        comings.map(|at| self.stays().filter(|s| has(s, at)).count() as u64).max().unwrap_or(0)
    }
}

impl Member<'_> {
    pub fn joined_at(&self) -> Timestamp {
        self.stays[0].start
    }

    pub fn left_at(&self) -> Option<Timestamp> {
        self.stays[self.stays.len() - 1].out
    }

    /// The sum of the stays, counted to `now` while in; below 0 where `now` lies before.
    pub fn duration(&self, now: Timestamp) -> i64 {
        self.stays.iter().map(|s| s.out.unwrap_or(now).since(s.start)).sum()
    }
}
