//! What RealtimeKit's REST API lists, as the events that make the same lists here.
//!
//! | the API lists | the ledger records |
//! |---|---|
//! | a session | its start at `started_at`, with its meeting, title and the session that lists it as a breakout; its end at `ended_at`, once it is `ENDED` |
//! | `PEER_CREATED` of a participant | the peer is known |
//! | `PEER_JOINING`, `PEER_LEAVING` | a join, a leave |
//! | `joined_at`, `left_at`, `duration` where these say other | further joins and leaves, so that the row is the same |
//!
//! Joins, leaves and ends have the ids that webhooks of the same would have: what both tell is one event, and whoever records it second is told
//! that it is known. What webhooks leave out (`user_id`, `preset_name`) then comes with a `created` ([`Planned::instead`]). Times are milliseconds.

use super::SOURCE;
use crate::engine::BadAnswer;
use crate::fields::{Fault, Fields};
use crate::json::{self, Decimal, Json};
use crate::names;
use rollbook_core::event::{Body, Event, Leave, Leaver, PeerInfo, Place};
use rollbook_core::id::{Home, Parent};
use rollbook_core::time::Timestamp;
use std::sync::Arc;

const MILLISECOND: i64 = 1_000;

/// Part of a list.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Listed<T> {
    /// The items of this page.
    pub items: Vec<T>,
    /// How many there are in all, where that is told.
    pub total: Option<u64>,
}

/// A session.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Session {
    /// Its id, as upstream writes it.
    pub id: Box<str>,
    meeting: Option<Box<str>>,
    title: Option<Box<str>>,
    /// The id of the session that it is a breakout of.
    pub parent: Option<Box<str>>,
    started_at: Timestamp,
    ended_at: Option<Timestamp>,
}

/// A row of a participants list.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Row {
    /// The participant's id: one connection.
    pub id: Box<str>,
    info: PeerInfo,
    joined_at: Timestamp,
    left_at: Option<Timestamp>,
    /// In microseconds.
    duration: i64,
    acts: Vec<(Timestamp, Act)>,
}

/// What a peer did, in the order in which it is taken at one time while they are out.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Act {
    Created,
    Joined,
    Left,
}

/// An event to be recorded.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Planned {
    /// The event.
    pub event: Event,
    /// What is still to be told where the event is known already in other words.
    pub instead: Option<Event>,
}

/// Reads a page of the list of sessions: their ids, and whether each has ended.
///
/// # Errors
/// Where it is none.
pub fn sessions(answer: &[u8]) -> Result<Listed<(Box<str>, bool)>, BadAnswer> {
    listed(answer, "sessions", |session| Ok((session.needed("id")?.into(), session.text("status")? == Some("ENDED"))))
}

/// Reads a session with its breakouts, and theirs: the session first, each after what it is a breakout of.
///
/// # Errors
/// Where it is none.
pub fn session(answer: &[u8]) -> Result<Vec<Session>, BadAnswer> {
    let answer = json::parse(answer).map_err(|error| BadAnswer(error.to_string()))?;
    let data = Fields::of(&answer, "")?.needed_object("data")?;
    // Once it was wrapped a second time.
    let root = if data.get("id").is_none() { data.needed_object("session").map_err(|fault| fault.within("data"))? } else { data };
    let mut found = Vec::new();
    family(root, None, &mut found).map_err(|fault| fault.within("data"))?;
    Ok(found)
}

fn family(session: Fields<'_>, parent: Option<&str>, found: &mut Vec<Session>) -> Result<(), Fault> {
    let needed = |member| session.time(member)?.ok_or_else(|| Fault::missing(member, "an instant"));
    let id = session.needed("id")?;
    let ended_at = if session.text("status")? == Some("ENDED") { Some(needed("ended_at")?) } else { None };
    found.push(Session {
        id: id.into(),
        meeting: session.filled("associated_id")?.map(Into::into),
        title: session.filled("meeting_display_name")?.map(Into::into),
        parent: parent.map(Into::into),
        started_at: needed("started_at")?,
        ended_at,
    });
    for (index, breakout) in session.array("breakout_rooms")?.unwrap_or_default().iter().enumerate() {
        let located = |fault: Fault| fault.at(index).within("breakout_rooms");
        family(Fields::of(breakout, "").map_err(located)?, Some(id), found).map_err(located)?;
    }
    Ok(())
}

/// Reads a page of a session's participants, with their events.
///
/// # Errors
/// Where it is none.
pub fn participants(answer: &[u8]) -> Result<Listed<Row>, BadAnswer> {
    listed(answer, "participants", row)
}

fn row(row: Fields<'_>) -> Result<Row, Fault> {
    let id = row.needed("id")?;
    let text = |member| Ok::<_, Fault>(row.filled(member)?.map(Into::into));
    let mut info = PeerInfo {
        user_id: text("user_id")?,
        custom_participant_id: text("custom_participant_id")?,
        display_name: text("display_name")?,
        preset_name: text("preset_name")?,
        ..PeerInfo::new(names::named(id))
    };
    let mut acts = Vec::new();
    for (index, event) in row.array("peer_events")?.unwrap_or_default().iter().enumerate() {
        let located = |fault: Fault| fault.at(index).within("peer_events");
        let event = Fields::of(event, "").map_err(located)?;
        let act = match event.text("event_name").map_err(located)? {
            Some("PEER_CREATED") => Act::Created,
            Some("PEER_JOINING") => Act::Joined,
            Some("PEER_LEAVING") => Act::Left,
            _ => continue,
        };
        let at = event.time("created_at").map_err(located)?.ok_or_else(|| located(Fault::missing("created_at", "an instant")))?;
        if info.preset_view_type.is_none() {
            info.preset_view_type = event.filled("preset_view_type").map_err(located)?.map(Into::into);
        }
        acts.push((at, act));
    }
    acts.sort();
    Ok(Row {
        id: id.into(),
        info,
        joined_at: row.time("joined_at")?.ok_or_else(|| Fault::missing("joined_at", "an instant"))?,
        left_at: row.time("left_at")?,
        duration: row.minutes("duration")?.unwrap_or_default(),
        acts,
    })
}

/// Reads a page. Where the paging stands differs.
fn listed<T>(answer: &[u8], member: &str, read: impl Fn(Fields<'_>) -> Result<T, Fault>) -> Result<Listed<T>, BadAnswer> {
    let answer = json::parse(answer).map_err(|error| BadAnswer(error.to_string()))?;
    let answer = Fields::of(&answer, "")?;
    let data = answer.needed_object("data")?;
    let in_data = |fault: Fault| fault.within("data");
    let items = data.array(member).map_err(in_data)?.ok_or_else(|| in_data(Fault::missing(member, "an array")))?;
    let read = |(index, item)| Fields::of(item, "").and_then(&read).map_err(|fault: Fault| in_data(fault.at(index).within(member)));
    let items = items.iter().enumerate().map(read).collect::<Result<_, _>>()?;
    let paging = answer.object("paging")?.map_or_else(|| data.object("paging"), |paging| Ok(Some(paging))).map_err(in_data)?;
    let total = paging.and_then(|paging| match paging.get("total_count") {
        Some(Json::Number(digits)) => Some(Decimal::read(digits, 0).whole),
        _ => None,
    });
    Ok(Listed { items, total })
}

impl Session {
    /// Whether it has ended: then nothing of it changes any more.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        self.ended_at.is_some()
    }

    fn place(&self) -> Arc<Place> {
        let home = Home::Session { session: names::named(&self.id), meeting: self.meeting.as_deref().map(names::named) };
        let parent = self.parent.as_deref().map(|parent| Parent::Session(names::named(parent)));
        Arc::new(Place { meeting_title: self.title.clone(), parent, ..Place::new(home) })
    }

    /// What makes the session itself: where it belongs, and when it began and ended.
    #[must_use]
    pub fn events(&self) -> Vec<Planned> {
        let place = self.place();
        let ended = self.ended_at.map(|at| planned(self.event("meeting.ended", "", at, Body::SessionEnded(Arc::clone(&place), None))));
        // Not the id of the webhook's: that would be known, and the parent not told.
        let parent = self.parent.as_deref().unwrap_or_default();
        let started = self.event("listed", parent, self.started_at, Body::SessionStarted(place));
        [Some(planned(started)), ended].into_iter().flatten().collect()
    }

    /// What makes a row of it, and whether the row will be the same: there may be more than one way in which its minutes can have come about.
    #[must_use]
    pub fn events_of(&self, row: &Row) -> (Vec<Planned>, bool) {
        let place = self.place();
        let (acts, sure) = row.acts();
        let has_created = acts.iter().any(|(_, act)| *act == Act::Created);
        let created = |at| self.event("listed", &row.id, at, Body::PeerCreated(Arc::clone(&place), row.info.clone()));
        let tells_more = row.info.user_id.is_some() || row.info.preset_name.is_some();
        let mut events = Vec::new();
        for (at, act) in acts {
            let (place, info) = (Arc::clone(&place), row.info.clone());
            events.push(match act {
                Act::Created => planned(created(at)),
                Act::Joined => Planned {
                    event: self.event("meeting.participantJoined", &row.id, at, Body::PeerJoined(place, info)),
                    instead: (tells_more && !has_created).then(|| created(at)),
                },
                Act::Left => {
                    let leave = Body::PeerLeft(place, Leaver::Peer(info), Leave::default());
                    planned(self.event("meeting.participantLeft", &row.id, at, leave))
                }
            });
        }
        (events, sure)
    }

    fn event(&self, word: &str, peer: &str, time: Timestamp, body: Body) -> Event {
        let id = names::digest(&[word, &self.id, peer, &time.micros().to_string()]);
        Event { source: SOURCE.into(), id, time, body }
    }
}

fn planned(event: Event) -> Planned {
    Planned { event, instead: None }
}

impl Row {
    /// Whether they are still in.
    #[must_use]
    pub fn is_in(&self) -> bool {
        self.left_at.is_none()
    }

    /// What the peer did, so that the row is the same, and whether it is known that they did.
    ///
    /// Events leave out what upstream knows by other means, such as a stay that the end of the session closed. Who is still in is told as far as
    /// events go: the rest comes when they have left.
    fn acts(&self) -> (Vec<(Timestamp, Act)>, bool) {
        let mut acts = self.acts.clone();
        if attended(&acts).is_none_or(|stays| stays.first != self.joined_at) {
            insert(&mut acts, self.joined_at, Act::Joined);
        }
        let Some(left_at) = self.left_at else { return (acts, true) };
        if attended(&acts).is_none_or(|stays| stays.last != Some(left_at)) {
            insert(&mut acts, left_at, Act::Left);
        }
        let Some(stays) = attended(&acts).filter(|stays| !self.is_told_by(stays)) else { return (acts, true) };
        // Somebody who joins while in was out before, and for how long the minutes tell, where that was once.
        let too_long = stays.sum - self.duration;
        for (stay, join) in stays.joined_while_in.iter().rev().filter(|(stay, join)| too_long > 0 && join.since(*stay) >= too_long) {
            let mut mended = acts.clone();
            insert(&mut mended, join.plus(-too_long).max(*stay), Act::Left);
            if attended(&mended).is_some_and(|stays| self.is_told_by(&stays)) {
                return (mended, stays.joined_while_in.len() == 1);
            }
        }
        (self.block(left_at), false)
    }

    /// One stay that begins as the row does and is as long, and the end of the row.
    fn block(&self, left_at: Timestamp) -> Vec<(Timestamp, Act)> {
        let until = self.joined_at.plus(self.duration.min(left_at.since(self.joined_at).max(0)));
        let created = self.acts.iter().copied().filter(|(_, act)| *act == Act::Created);
        let ends = [(until, Act::Left), (left_at, Act::Joined)].into_iter().filter(|_| left_at.since(until) > MILLISECOND);
        created.chain([(self.joined_at, Act::Joined)]).chain(ends).chain([(left_at, Act::Left)]).collect()
    }

    /// Whether these stays make this row. Minutes are rounded to 6 milliseconds, times cut to one.
    fn is_told_by(&self, stays: &Attended) -> bool {
        let rounding = 3 * MILLISECOND + stays.many * MILLISECOND;
        stays.first == self.joined_at && stays.last == self.left_at && (stays.sum - self.duration).abs() <= rounding
    }
}

/// What acts amount to by the rules of the ledger.
struct Attended {
    first: Timestamp,
    /// None while in.
    last: Option<Timestamp>,
    sum: i64,
    many: i64,
    /// Joins of somebody who was in, each after the beginning of its stay.
    joined_while_in: Vec<(Timestamp, Timestamp)>,
}

fn insert(acts: &mut Vec<(Timestamp, Act)>, at: Timestamp, act: Act) {
    acts.push((at, act));
    acts.sort();
}

/// None where nobody was ever in.
fn attended(acts: &[(Timestamp, Act)]) -> Option<Attended> {
    let (mut stays, mut joined_while_in): (Vec<(Timestamp, Option<Timestamp>)>, Vec<_>) = (Vec::new(), Vec::new());
    let mut rest = acts.iter().copied().filter(|(_, act)| *act != Act::Created).collect::<Vec<_>>();
    while let Some(&(now, _)) = rest.first() {
        let is_in = stays.last().is_some_and(|(_, out)| out.is_none());
        // At one time a join comes before a leave while out, and after it while in.
        let next = rest.iter().take_while(|(at, _)| *at == now).position(|(_, act)| (*act == Act::Left) == is_in).unwrap_or(0);
        match (rest.remove(next).1, stays.last_mut()) {
            (Act::Joined, _) if !is_in => stays.push((now, None)),
            (Act::Left, Some((_, out))) if is_in => *out = Some(now),
            (Act::Left, None) => stays.push((now, Some(now))),
            (Act::Joined, Some((start, _))) => joined_while_in.push((*start, now)),
            _ => {}
        }
    }
    let (first, last) = (stays.first()?.0, stays.last()?.1);
    let sum = stays.iter().map(|(start, out)| out.map_or(0, |out| out.since(*start))).sum();
    Some(Attended { first, last, sum, many: stays.len() as i64, joined_while_in })
}
