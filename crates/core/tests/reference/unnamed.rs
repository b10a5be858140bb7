//! Rule 4.6: one meeting's stays, cut into sessions.

use super::stays::{Folded, Mention, Stay};
use rollbook_core::event::{Body, Event};
use rollbook_core::id::App;
use rollbook_core::time::Timestamp;
use std::collections::BTreeSet;
use uuid::Uuid;

/// One unnamed session: its stays, as (peer, number of the peer's stay).
pub struct Segment<'a> {
    pub id: Uuid,
    pub start: Timestamp,
    pub stays: Vec<(Uuid, usize)>,
    /// The latest end of its stays; none while someone is in.
    last_end: Option<Timestamp>,
    /// The explicit end, by these events.
    pub end: Option<Timestamp>,
    ended_by: Vec<&'a Event>,
}

impl Segment<'_> {
    /// Whether the session still goes on at `at`, so far as the stays begun before tell: not ended, and not empty for the keep-alive.
    fn goes_on(&self, at: Timestamp, keep_alive: i64) -> bool {
        self.end.is_none() && self.last_end.is_none_or(|end| at < end.plus(keep_alive))
    }
}

/// The id of the event that opened a stay.
fn opener_id(app: &App, meeting: Uuid, peer: Uuid, stay: &Stay<'_>) -> Uuid {
    app.event(meeting, &stay.opener.source, &stay.opener.id, stay.by_roster().then_some(peer))
}

/// Cuts the meeting's stays into sessions, in the order in which they begin. Robots begin none and keep none alive.
///
/// READING 16: stays count with their final start, rule 4.3's "applied last" included.
/// READING 17: an end event comes before the stays that start at its time (rule 4.4: an end "counts from after the stay's start"), so
/// these open the next session; only if it ends nothing so, and the session that begins then has no stay of a length, it is an end
/// at the time of that session's last leave. All end events of one time end the same session.
/// READING 18: someone whose own leave lies after an end that they were in for stays in the ended session, and neither keeps the
/// next one alive nor is someone in for the next end.
pub fn segments<'a>(app: &App, meeting: &Folded<'a>, keep_alive: i64) -> Vec<Segment<'a>> {
    let mut stays: Vec<(Timestamp, &str, &str, Uuid, usize)> = vec![];
    for (id, peer) in meeting.peers.iter().filter(|(_, p)| !p.is_robot()) {
        stays.extend(peer.stays.iter().enumerate().map(|(n, s)| (s.start, &*s.opener.source, &*s.opener.id, *id, n)));
    }
    stays.sort_unstable();
    let ends: Vec<&Event> = meeting.events.iter().copied().filter(|e| matches!(e.body, Body::SessionEnded(..))).collect();
    let instants: BTreeSet<Timestamp> = stays.iter().map(|s| s.0).chain(ends.iter().map(|e| e.time)).collect();
    let mut segments: Vec<Segment<'a>> = vec![];
    for at in instants {
        let mut ends: Vec<&Event> = ends.iter().copied().filter(|e| e.time == at).collect();
        if let Some(last) = segments.last_mut().filter(|s| !ends.is_empty() && s.goes_on(at, keep_alive)) {
            (last.end, last.ended_by) = (Some(at), std::mem::take(&mut ends));
        }
        for (start, _, _, id, n) in stays.iter().filter(|s| s.0 == at) {
            let stay = &meeting.peers[id].stays[*n];
            if let Some(last) = segments.last_mut().filter(|s| s.goes_on(at, keep_alive)) {
                last.stays.push((*id, *n));
                last.last_end = last.last_end.and_then(|end| stay.out.map(|out| out.max(end)));
            } else {
                let (session, stays) = (opener_id(app, meeting.stream.id, *id, stay), vec![(*id, *n)]);
                segments.push(Segment { id: session, start: *start, stays, last_end: stay.out, end: None, ended_by: vec![] });
            }
        }
        if let Some(last) = segments.last_mut().filter(|s| s.start == at && s.last_end == Some(at) && !ends.is_empty()) {
            (last.end, last.ended_by) = (Some(at), ends);
        }
    }
    segments
}

/// Where an event of a peer belongs: the number of the session, none where there is none.
///
/// READING 19: what touched no stay (a `left_again`, a roster's entry within the tolerance, everything of a robot) has no stay, and
/// goes by its time.
pub fn of_mention(meeting: &Folded<'_>, segments: &[Segment<'_>], peer: Uuid, mention: &Mention<'_>) -> Option<usize> {
    let holds = |stay: usize| segments.iter().position(|s| s.stays.contains(&(peer, stay)));
    let stay = match mention.event.body {
        // READING 20 ("a `created` by the peer's next stay"): the first one whose opening event isn't earlier than the `created`.
        Body::PeerCreated(..) => meeting.peers[&peer].stays.iter().position(|s| s.opened >= mention.event.time),
        _ => mention.stay,
    };
    stay.and_then(holds).or_else(|| by_time(segments, mention.event.time))
}

/// Where any other event belongs: an end to the session that it ends, else by its time.
pub fn of_event(segments: &[Segment<'_>], event: &Event) -> Option<usize> {
    let ended = segments.iter().position(|s| s.ended_by.iter().any(|e| std::ptr::eq(*e, event)));
    ended.or_else(|| by_time(segments, event.time))
}

/// The last session begun by then, else the first.
fn by_time(segments: &[Segment<'_>], at: Timestamp) -> Option<usize> {
    segments.iter().rposition(|s| s.start <= at).or(if segments.is_empty() { None } else { Some(0) })
}
