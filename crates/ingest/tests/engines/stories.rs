//! What translated deliveries say, and what the ledger makes of them.

use rollbook_core::event::{Body, Event, Kind, Leaver, Place};
use rollbook_core::fold::{Facts, Reading, Verdict};
use rollbook_core::id::{App, Home, Name, Parent, StreamKind};
use rollbook_core::roster::Part;
use rollbook_core::time::{SECOND, Timestamp};
use rollbook_ingest::engine::{Delivery, Engine, Reception, Refusal, Translation};
use std::collections::BTreeMap;

/// A delivery that a test keeps.
#[derive(Clone, Debug)]
pub(crate) struct Sent {
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) target: String,
    pub(crate) body: Vec<u8>,
    pub(crate) received_at: Timestamp,
}

impl Sent {
    /// A JSON body with these headers, received at this second since 1970.
    pub(crate) fn at(second: i64, headers: Vec<(&'static str, String)>, body: &str) -> Self {
        Self { headers, target: "/".into(), body: body.into(), received_at: Timestamp::from_micros(second * SECOND) }
    }

    pub(crate) fn to(&self, engine: &dyn Engine) -> Result<Reception, Refusal> {
        self.received(engine, false)
    }

    /// With a token that vouches for the sender.
    pub(crate) fn vouched(&self, engine: &dyn Engine) -> Result<Reception, Refusal> {
        self.received(engine, true)
    }

    fn received(&self, engine: &dyn Engine, vouched: bool) -> Result<Reception, Refusal> {
        let headers: Vec<_> = self.headers.iter().map(|(name, value)| (*name, value.as_bytes())).collect();
        let delivery = Delivery { headers: &headers, target: &self.target, body: &self.body, received_at: self.received_at };
        engine.receive(&delivery, vouched)
    }

    /// The same, with one bit of the body flipped.
    pub(crate) fn flipped_at(&self, at: usize) -> Self {
        let mut flipped = self.clone();
        flipped.body[at] ^= 1;
        flipped
    }

    /// The same, with this header in place of the one of its name.
    pub(crate) fn with(&self, name: &'static str, value: &str) -> Self {
        let mut other = self.without(name);
        other.headers.push((name, value.to_owned()));
        other
    }

    /// The same, without the header.
    pub(crate) fn without(&self, name: &str) -> Self {
        let mut other = self.clone();
        other.headers.retain(|(given, _)| *given != name);
        other
    }

    /// The same, received so many seconds later.
    pub(crate) fn later(&self, seconds: i64) -> Self {
        Self { received_at: self.received_at.plus(seconds * SECOND), ..self.clone() }
    }
}

/// What a delivery says, in which something must be said.
pub(crate) fn events(reception: Result<Reception, Refusal>) -> Translation {
    match reception {
        Ok(Reception::Events(translation)) => translation,
        other => panic!("no events: {other:?}"),
    }
}

/// The kind of the refusal.
pub(crate) fn refused(reception: Result<Reception, Refusal>) -> &'static str {
    reception.expect_err("a refusal").kind()
}

/// An instant's time of day.
pub(crate) fn clock(time: Timestamp) -> String {
    time.to_rfc3339_micros()[11..23].trim_end_matches("000").trim_end_matches('.').to_owned()
}

fn shown(name: &Name) -> String {
    name.id.map(|id| id.to_string()).or_else(|| name.key.as_deref().map(Into::into)).unwrap_or_default()
}

fn place(place: &Place) -> String {
    let home = match &place.home {
        Home::Session { session, meeting } => {
            format!("session {} of {}", shown(session), meeting.as_ref().map_or_else(|| "-".to_owned(), shown))
        }
        Home::Meeting(meeting) => format!("meeting {}", shown(meeting)),
    };
    let title = place.meeting_title.as_deref().map_or_else(String::new, |title| format!(" {title:?}"));
    let parent = match &place.parent {
        Some(Parent::Session(parent)) => format!(" in session {}", shown(parent)),
        Some(Parent::Meeting(parent)) => format!(" in meeting {}", shown(parent)),
        None => String::new(),
    };
    home + &title + &parent
}

/// Events as lines: when, who reports, where, what.
pub(crate) fn told(translation: &Translation) -> Vec<String> {
    let events = translation.events.iter().map(|event| {
        let at = event.place().map_or_else(|| "-".to_owned(), place);
        format!("{} {} [{at}] {}", clock(event.time), event.source, what(event))
    });
    events.chain(translation.reasons.iter().map(|reason| format!("kept raw: {reason}"))).collect()
}

fn what(event: &Event) -> String {
    let since = |time: Option<Timestamp>| time.map_or_else(String::new, |time| format!(" since {}", clock(time)));
    match &event.body {
        Body::PeerJoined(_, peer) => {
            let more = [&peer.user_id, &peer.custom_participant_id, &peer.display_name, &peer.preset_name];
            let more = more.map(|text| text.as_deref().unwrap_or("-")).join(" ");
            let robot = if peer.kind == Some(Kind::Robot) { ", a robot" } else { "" };
            format!("{} joins: {more}{robot}", shown(&peer.name))
        }
        Body::PeerLeft(_, Leaver::Peer(peer), leave) => {
            format!("{} leaves, {}{}", shown(&peer.name), leave.reason.as_deref().unwrap_or("-"), since(leave.joined_at))
        }
        Body::PeerLeft(_, Leaver::Slot(slot), _) => format!("{slot} is left"),
        Body::SessionStarted(_) => "starts".to_owned(),
        Body::SessionEnded(_, reason) => format!("ends, {}", reason.as_deref().unwrap_or("-")),
        Body::SessionRoster(_, roll) => format!("roster of {}", roll.present.len()),
        other => format!("{other:?}"),
    }
}

/// Who was in, as the ledger answers at `now`: a line a row, in joined order, with what closed each stay if not its own leave.
pub(crate) fn attendance(events: &[Event], now: Timestamp) -> Vec<String> {
    let app = App::new("acme", "school").unwrap();
    let mut streams = BTreeMap::new();
    let of_sources = |event: &&Event| app.stream_of(event).kind == StreamKind::Source;
    for event in events.iter().filter(|event| !of_sources(event)) {
        let stream = app.stream_of(event);
        let facts = streams.entry(stream).or_insert_with(|| Facts::new(app.clone(), stream));
        match facts.judge(event) {
            Verdict::New => facts.take(event),
            Verdict::Duplicate => {}
            Verdict::Conflict => panic!("other content under one identity: {event:?}"),
        }
    }
    for facts in streams.values_mut() {
        events.iter().filter(of_sources).for_each(|life| facts.take_life(life));
    }
    let readings: Vec<_> = streams.values().map(|facts| (facts, Reading::full(facts, now))).collect();
    let parts =
        readings.iter().flat_map(|(facts, reading)| (0..reading.sittings().len()).map(move |sitting| Part { facts, reading, sitting }));
    let mut lines: Vec<_> = parts
        .flat_map(|part| {
            let summary = part.summary(now).unwrap();
            let title = summary.title.unwrap_or_default();
            let ended = summary.ended_at.map_or_else(|| "live".to_owned(), |at| format!("ended {}", clock(at)));
            let rows: Vec<_> =
                part.rows().iter().map(|row| format!("{} {title} ({ended}): {}", clock(row.joined_at), row_told(row))).collect();
            if rows.is_empty() { vec![format!("{} {title} ({ended}): nobody", clock(summary.started_at))] } else { rows }
        })
        .collect();
    lines.sort();
    lines
}

fn row_told(row: &rollbook_core::roster::Row) -> String {
    let who = row.custom_participant_id.as_deref().or(row.user_id.as_deref()).or(row.display_name.as_deref()).unwrap_or("?");
    let stays = row.details.stays.iter().map(|stay| {
        let out = stay.out.map_or_else(String::new, clock);
        let by = stay.closed_by.map_or_else(String::new, |by| format!(" by {by:?} ~{}", stay.uncertain / SECOND));
        format!("{}-{out}{by}", clock(stay.start))
    });
    let anomalies = row.details.anomalies.iter().map(|anomaly| format!("{:?}", anomaly.kind));
    std::iter::once(who.to_owned()).chain(stays).chain(anomalies).collect::<Vec<_>>().join(" ")
}

/// What the ledger answers at `now` after those of the deliveries that are not lost.
pub(crate) fn without(lost: &[usize], engine: &dyn Engine, sent: &[Sent], now: i64) -> Vec<String> {
    let arrived: Vec<_> = (0..).zip(sent).filter(|(place, _)| !lost.contains(place)).map(|(_, sent)| sent.clone()).collect();
    ledger(engine, &arrived, Timestamp::from_micros(now * SECOND))
}

/// What the ledger answers after these deliveries; the same, whether they come in order, backwards, twice, or rotated.
pub(crate) fn ledger(engine: &dyn Engine, sent: &[Sent], now: Timestamp) -> Vec<String> {
    let translated = |sent: &[Sent]| -> Vec<Event> { sent.iter().flat_map(|sent| events(sent.to(engine)).events).collect() };
    let in_order = attendance(&translated(sent), now);
    let mut other = sent.to_vec();
    other.reverse();
    assert_eq!(attendance(&translated(&other), now), in_order, "backwards");
    assert_eq!(attendance(&translated(&[sent, &other].concat()), now), in_order, "doubled");
    for by in 1..sent.len() {
        other.rotate_left(by);
        assert_eq!(attendance(&translated(&other), now), in_order, "rotated");
    }
    in_order
}
