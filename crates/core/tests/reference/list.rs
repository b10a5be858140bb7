//! Section 5: the participants list, unpaged.

use super::sessions::{Member, Session, Sessions};
use super::stays::Mention;
use super::{Ask, Ledger, PeerEventAnswer, PeerEventName, RowAnswer, SessionAnswer, Sort, StayAnswer, View, World, earliest};
use rollbook_core::event::{Body, PeerInfo};
use rollbook_core::time::Timestamp;
use std::collections::{BTreeMap, BTreeSet};
use unicase::UniCase;
use uuid::Uuid;

/// Who it was.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Person {
    User(String),
    Custom(String),
    Peer(Uuid, Uuid),
}

impl Ledger for World<'_> {
    fn sessions(&self) -> Vec<SessionAnswer> {
        World::sessions(self)
    }

    fn session(&self, id: Uuid) -> Option<SessionAnswer> {
        World::session(self, id)
    }

    fn participants(&self, session: Uuid, ask: &Ask<'_>) -> Option<Vec<RowAnswer>> {
        World::participants(self, session, ask.view, ask.sort, ask.descending, ask.search)
    }
}

impl<'a> World<'a> {
    /// The participants list of a session, unpaged.
    pub fn participants(&self, session: Uuid, view: View, sort: Sort, descending: bool, search: Option<&str>) -> Option<Vec<RowAnswer>> {
        let sessions = self.derive();
        let Some(asked) = sessions.find(session) else {
            return sessions.is_known(session).then(Vec::new);
        };
        let mut rows = match view {
            View::Raw => asked.members.iter().map(|m| self.row(&[m])).collect(),
            View::Consolidated => self.persons(&sessions, asked),
        };
        rows.sort_by_key(|row| {
            let by = if sort == Sort::JoinedAt { row.joined_at.micros() } else { row.duration_micros };
            (by, row.id, row.session)
        });
        if descending {
            rows.reverse();
        }
        if let Some(search) = search {
            rows.retain(|row| matches(row, search));
        }
        Some(rows)
    }

    /// A row each person, over the session and all its breakouts.
    fn persons(&self, sessions: &Sessions<'a>, asked: &Session<'a>) -> Vec<RowAnswer> {
        let family = self.family(sessions, asked.id);
        let members: Vec<&Member<'a>> = sessions.all.iter().filter(|s| family.contains(&s.id)).flat_map(|s| &s.members).collect();
        let mut persons: BTreeMap<Person, Vec<&Member<'a>>> = BTreeMap::new();
        for member in &members {
            persons.entry(person(member, &members)).or_default().push(member);
        }
        let row = |mut peers: Vec<&Member<'a>>| {
            // The earliest peer in the session asked for, else in any breakout, speaks for the person.
            peers.sort_by_key(|m| (m.session != asked.id, m.joined_at(), m.session, m.id));
            self.row(&peers)
        };
        persons.into_values().map(row).collect()
    }

    /// The session and all its breakouts, transitively; in a cycle each once.
    fn family(&self, sessions: &Sessions<'a>, asked: Uuid) -> BTreeSet<Uuid> {
        let mut family = BTreeSet::from([asked]);
        loop {
            let is_breakout = |s: &&Session<'a>| self.parent(sessions, s).is_some_and(|parent| family.contains(&parent));
            let more: Vec<Uuid> = sessions.all.iter().filter(is_breakout).map(|s| s.id).filter(|id| !family.contains(id)).collect();
            if more.is_empty() {
                return family;
            }
            family.extend(more);
        }
    }

    /// The row of one peer, or of several that are one person; the first speaks for them.
    fn row(&self, peers: &[&Member<'a>]) -> RowAnswer {
        let first = peers[0];
        let field = |get: fn(&PeerInfo) -> &Option<Box<str>>| described(first, get);
        let mentions = || peers.iter().flat_map(|m| &m.mentions);
        let left: Vec<Option<Timestamp>> = peers.iter().map(|m| m.left_at()).collect();
        let mut stays: Vec<StayAnswer> = peers.iter().flat_map(|m| stay_answers(m)).collect();
        // READING 27 ("in order of `in`"): at one start the shorter first, who is in last.
        stays.sort_by_key(|s| (s.start, s.out.is_none(), s.out, s.closed_by, s.uncertain));
        // READING 28: an anomaly is `at` the time at which its event is taken (4.1); at one time in the order of this file's list.
        let at = |m: &Mention<'a>| super::stays::taken(m.event);
        let mut anomalies: Vec<_> = mentions().flat_map(|m| m.anomalies.iter().map(move |kind| (*kind, at(m)))).collect();
        anomalies.sort_by_key(|(kind, at)| (*at, *kind));
        RowAnswer {
            session: first.session,
            id: first.id,
            user_id: field(|p| &p.user_id),
            custom_participant_id: field(|p| &p.custom_participant_id),
            display_name: field(|p| &p.display_name),
            preset_name: field(|p| &p.preset_name),
            joined_at: peers.iter().map(|m| m.joined_at()).min().unwrap(),
            left_at: if left.contains(&None) { None } else { left.into_iter().max().unwrap() },
            duration_micros: if let [one] = peers { one.duration(self.now) } else { union(&stays, self.now) },
            created_at: mentions().map(|m| m.event.time).min().unwrap(),
            updated_at: mentions().map(|m| m.event.time).max().unwrap(),
            peer_events: self.peer_events(peers),
            stays,
            anomalies,
        }
    }

    /// Ascending by (time, source, id, session id).
    fn peer_events(&self, peers: &[&Member<'a>]) -> Vec<PeerEventAnswer> {
        let mut all = vec![];
        for peer in peers {
            for mention in &peer.mentions {
                let event = mention.event;
                let name = match event.body {
                    Body::PeerCreated(..) => PeerEventName::Created,
                    Body::PeerJoined(..) => PeerEventName::Joining,
                    Body::PeerLeft(..) => PeerEventName::Leaving,
                    _ => continue,
                };
                let id = self.app.event(peer.stream.id, &event.source, &event.id, None);
                let preset_view_type = described(peer, |p| &p.preset_view_type);
                let (peer_id, session, at) = (peer.id, peer.session, event.time);
                let answer = PeerEventAnswer { id, peer_id, session, name, at, preset_view_type };
                all.push(((event.time, &event.source, &event.id, peer.session), answer));
            }
        }
        all.sort_by(|a, b| a.0.cmp(&b.0));
        all.into_iter().map(|(_, answer)| answer).collect()
    }
}

/// Rule 4.8: a descriptive field, from the peer's earliest event that carries it.
fn described(member: &Member<'_>, get: impl Fn(&PeerInfo) -> &Option<Box<str>>) -> Option<String> {
    earliest(&member.described_by, |m: &Mention<'_>| get(m.info?).as_deref().map(String::from))
}

fn stay_answers<'m>(member: &'m Member<'_>) -> impl Iterator<Item = StayAnswer> + 'm {
    member.stays.iter().map(|s| StayAnswer { start: s.start, out: s.out, closed_by: s.closed_by, uncertain: s.uncertain })
}

/// The `user_id`; else the custom id, which stands for the one `user_id` that the listed peers with it carry; else the peer itself.
fn person(member: &Member<'_>, all: &[&Member<'_>]) -> Person {
    if let Some(user) = described(member, |p| &p.user_id) {
        return Person::User(user);
    }
    let custom_of = |m: &Member<'_>| described(m, |p| &p.custom_participant_id);
    let Some(custom) = custom_of(member) else {
        return Person::Peer(member.session, member.id);
    };
    let same = all.iter().filter(|m| custom_of(m).as_ref() == Some(&custom));
    let users: BTreeSet<String> = same.filter_map(|m| described(m, |p| &p.user_id)).collect();
    match users.into_iter().collect::<Vec<_>>().as_slice() {
        [one] => Person::User(one.clone()),
        _ => Person::Custom(custom),
    }
}

/// The length of the union of stays.
///
/// READING 29: who is in since the earliest open start is so until `now`; where `now` lies before that, the difference is taken off, as
/// it is for one peer. Closed stays count whole, also where they reach beyond `now`.
fn union(stays: &[StayAnswer], now: Timestamp) -> i64 {
    let open = stays.iter().filter(|s| s.out.is_none()).map(|s| s.start).min();
    let mut covered: Vec<(Timestamp, Timestamp)> = stays.iter().filter_map(|s| Some((s.start, s.out?))).collect();
    covered.extend(open.filter(|start| *start < now).map(|start| (start, now)));
    // Between two neighbouring bounds, all is covered or nothing.
    let bounds: BTreeSet<Timestamp> = covered.iter().flat_map(|(start, out)| [*start, *out]).collect();
    let bounds: Vec<Timestamp> = bounds.into_iter().collect();
    let pieces = bounds.windows(2).filter(|piece| covered.iter().any(|(start, out)| *start <= piece[0] && piece[1] <= *out));
    let length: i64 = pieces.map(|piece| piece[1].since(piece[0])).sum();
    length + open.map_or(0, |start| now.since(start).min(0))
}

/// READING 30: the participant id is compared as it is shown, in lower case with hyphens.
fn matches(row: &RowAnswer, search: &str) -> bool {
    let folded = |text: &str| UniCase::unicode(text).to_folded_case();
    let named = row.display_name.as_ref().is_some_and(|name| folded(name).contains(&folded(search)));
    let custom = row.custom_participant_id.as_ref().is_some_and(|custom| custom.starts_with(search));
    named || custom || row.id.to_string().starts_with(search)
}
