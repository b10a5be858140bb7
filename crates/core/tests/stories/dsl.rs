//! Reads stories, and writes answers as the stories' tables.
#![allow(clippy::unwrap_used, clippy::panic)]

use crate::reference::{Ask, Ledger, PeerEventName, RowAnswer, SessionAnswer, Sort, StayAnswer, View};
use rollbook_core::event::{Body, Event, Kind, Leave, Leaver, PeerInfo, Place, Present, Roll};
use rollbook_core::id::{App, Home, Name, Parent, StreamKind};
use rollbook_core::time::{DAY, SECOND, Timestamp};
use std::collections::BTreeMap;
use uuid::Uuid;

/// 2026-01-31T00:00:00Z.
const BASE: i64 = 1_769_817_600 * SECOND;

pub(crate) struct Story {
    pub(crate) app: App,
    pub(crate) events: Vec<Event>,
    pub(crate) questions: Vec<Question>,
    places: BTreeMap<String, Place>,
    /// What ids are called.
    names: BTreeMap<Uuid, String>,
}

pub(crate) struct Question {
    pub(crate) line: usize,
    pub(crate) now: Timestamp,
    pub(crate) expected: Vec<String>,
    words: Line,
}

/// A line: its bare words, and its `key=value` words.
struct Line {
    words: Vec<String>,
    keys: BTreeMap<String, String>,
}

impl Line {
    fn read(line: &str) -> Self {
        let (mut words, mut quoted) = (vec![String::new()], false);
        for c in line.chars() {
            match c {
                '"' => quoted = !quoted,
                c if c.is_whitespace() && !quoted => words.push(String::new()),
                c => words.last_mut().unwrap().push(c),
            }
        }
        words.retain(|w| !w.is_empty());
        let (keys, words): (Vec<String>, _) = words.into_iter().partition(|w| w.contains('='));
        let keys = keys.iter().map(|k| k.split_once('=').map(|(k, v)| (k.into(), v.into())).unwrap()).collect();
        Self { words, keys }
    }

    fn word(&self, n: usize) -> Result<&str, String> {
        self.words.get(n).map(String::as_str).ok_or(format!("word {n} is missing"))
    }

    fn key(&self, key: &str) -> Option<&str> {
        self.keys.get(key).map(String::as_str)
    }

    fn text(&self, key: &str) -> Option<Box<str>> {
        self.key(key).map(Into::into)
    }

    fn time(&self, key: &str) -> Result<Option<Timestamp>, String> {
        self.key(key).map(read_time).transpose()
    }

    fn seconds(&self, key: &str) -> Result<Option<i64>, String> {
        self.key(key).map(|v| v.parse::<i64>().map(|s| s * SECOND).map_err(|e| format!("{key}: {e}"))).transpose()
    }
}

/// `10:00:00`, `10:00:00.5`, `2/10:00:00`.
fn read_time(text: &str) -> Result<Timestamp, String> {
    let (day, clock) = text.split_once('/').unwrap_or(("1", text));
    let day: i64 = day.parse().map_err(|_| format!("no day: {text}"))?;
    let on_first = Timestamp::parse_rfc3339(&format!("2026-01-31T{clock}Z")).map_err(|e| format!("{text}: {e}"))?;
    Ok(on_first.plus((day - 1) * DAY))
}

fn show_time(time: Timestamp) -> String {
    let since = time.micros() - BASE;
    let (day, in_day) = (since.div_euclid(DAY) + 1, since.rem_euclid(DAY));
    let clock = show_clock(in_day, 2);
    if day == 1 { clock } else { format!("{day}/{clock}") }
}

/// `0:30:00`, with micros where there are any.
fn show_clock(micros: i64, width: usize) -> String {
    let (sign, abs) = (if micros < 0 { "-" } else { "" }, micros.abs());
    let (seconds, rest) = (abs / SECOND, abs % SECOND);
    let fraction = if rest == 0 { String::new() } else { format!(".{rest:06}") };
    format!("{sign}{:0width$}:{:02}:{:02}{fraction}", seconds / 3600, seconds / 60 % 60, seconds % 60)
}

/// One space between words, none at the ends of a cell.
fn tidy(row: &str) -> String {
    let cells: Vec<String> = row.split('|').map(|cell| cell.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
    cells.join(" | ").trim().replace("|  |", "| |").replace("|  |", "| |")
}

fn table(cells: &[String]) -> String {
    tidy(&format!("|{}|", cells.join("|")))
}

impl Story {
    pub(crate) fn read(text: &str) -> Result<Self, String> {
        let app = App::new("acme", "school").unwrap();
        let (places, names) = (BTreeMap::new(), BTreeMap::new());
        let mut story = Self { app, events: vec![], questions: vec![], places, names };
        let (mut now, mut home) = (None, None);
        for (n, raw) in text.lines().enumerate() {
            let bare = raw.split('#').next().unwrap_or_default().trim();
            let line = Line::read(bare);
            let Some(first) = line.words.first() else { continue };
            let done = match first.as_str() {
                "session" | "meeting" => story.place(&line, &mut home),
                "now" => line.word(1).and_then(read_time).map(|time| now = Some(time)),
                "?" => line.time("now").and_then(|asked| {
                    let now = asked.or(now).ok_or("no `now`")?;
                    story.questions.push(Question { line: n + 1, now, expected: vec![], words: line });
                    Ok(())
                }),
                "|" => story.questions.last_mut().map(|q| q.expected.push(tidy(bare))).ok_or("an answer without a question".into()),
                _ => story.event(&line, n + 1, home.as_deref()),
            };
            done.map_err(|e| format!("line {}: {e}", n + 1))?;
        }
        if story.questions.is_empty() { Err("nothing is asked".into()) } else { Ok(story) }
    }

    fn place(&mut self, line: &Line, first: &mut Option<String>) -> Result<(), String> {
        let key = line.word(1)?;
        let meeting = line.key("meeting").map(Name::key);
        let home = match line.word(0)? {
            "session" => Home::Session { session: Name::key(key), meeting },
            _ => Home::Meeting(Name::key(key)),
        };
        let mut place = Place::new(home);
        self.attach(&mut place, line)?;
        self.names.insert(self.app.session(&Name::key(key)), key.into());
        self.names.insert(self.app.meeting(&Name::key(key)), key.into());
        self.places.insert(key.into(), place);
        first.get_or_insert(key.into());
        Ok(())
    }

    /// What a place, or a single event, tells of the session.
    fn attach(&self, place: &mut Place, line: &Line) -> Result<(), String> {
        place.meeting_title = line.text("title").or(place.meeting_title.take());
        let keep_alive = line.key("keep_alive").map(|k| k.parse::<u16>().map_err(|e| e.to_string())).transpose()?;
        place.keep_alive_seconds = keep_alive.or(place.keep_alive_seconds);
        let session = line.key("parent").map(|p| Parent::Session(Name::key(p)));
        place.parent = session.or(line.key("parent_meeting").map(|p| Parent::Meeting(Name::key(p)))).or(place.parent.take());
        Ok(())
    }

    fn event(&mut self, line: &Line, number: usize, home: Option<&str>) -> Result<(), String> {
        let (time, source, what) = (read_time(line.word(0)?)?, line.word(1)?, line.word(2)?);
        let home = line.key("in").or(home).ok_or("no place")?;
        let mut place = self.places.get(home).cloned().ok_or(format!("no place {home}"))?;
        self.attach(&mut place, line)?;
        let id = line.key("id").map_or_else(|| format!("line{number}"), String::from);
        let mut peer = || -> Result<PeerInfo, String> { self.peer(&place, line.word(3)?, line) };
        let body = match what {
            "created" => Body::PeerCreated(place.clone().into(), peer()?),
            "joined" => Body::PeerJoined(place.clone().into(), peer()?),
            "left" => {
                let leaver = if line.words.len() > 3 { Leaver::Peer(peer()?) } else { Leaver::Slot(line.text("slot").ok_or("who left?")?) };
                let (joined_at, uncertain) = (line.time("joined_at")?, line.seconds("uncertain")?.unwrap_or(0));
                Body::PeerLeft(place.clone().into(), leaver, Leave { reason: line.text("reason"), joined_at, uncertain })
            }
            "started" => Body::SessionStarted(place.clone().into()),
            "ended" => Body::SessionEnded(place.clone().into(), line.text("reason")),
            "roster" => Body::SessionRoster(place.clone().into(), self.roll(&place, line)?),
            "source-started" => Body::SourceStarted,
            "source-stopped" => Body::SourceStopped,
            other => return Err(format!("no event {other}")),
        };
        let event = Event { source: source.into(), id: id.as_str().into(), time, body };
        let stream = self.app.stream_of(&event).id;
        let same = |e: &&Event| self.app.stream_of(e) == self.app.stream_of(&event) && e.identity() == event.identity();
        if self.events.iter().find(same).is_some_and(|e| *e != event) {
            return Err(format!("{id} has been told already, and otherwise"));
        }
        self.names.insert(self.app.event(stream, source, &id, None), id.clone());
        self.names.insert(self.app.peer_by_key(stream, &format!("event:{source}:{id}")), format!("({id})"));
        self.events.push(event);
        Ok(())
    }

    fn peer(&mut self, place: &Place, key: &str, line: &Line) -> Result<PeerInfo, String> {
        let home = match &place.home {
            Home::Session { session, .. } => self.app.session(session),
            Home::Meeting(meeting) => self.app.meeting(meeting),
        };
        self.names.insert(self.app.peer_by_key(home, key), key.into());
        let mut peer = PeerInfo::new(Name::key(key));
        (peer.slot, peer.user_id, peer.custom_participant_id) = (line.text("slot"), line.text("user"), line.text("custom"));
        (peer.display_name, peer.preset_name, peer.preset_view_type) = (line.text("name"), line.text("preset"), line.text("view"));
        peer.kind = match line.key("kind") {
            None => None,
            Some("robot") => Some(Kind::Robot),
            Some("person") => Some(Kind::Person),
            Some(other) => return Err(format!("no kind {other}")),
        };
        Ok(peer)
    }

    /// `roster ana bob@10:00:00 tolerance=5`: everyone who is in, with `joined_at` after the `@`.
    fn roll(&mut self, place: &Place, line: &Line) -> Result<Roll, String> {
        let nothing = Line { words: vec![], keys: BTreeMap::new() };
        let mut present = vec![];
        for who in &line.words[3..] {
            let (key, joined) = who.split_once('@').map_or((who.as_str(), None), |(key, joined)| (key, Some(joined)));
            present.push(Present { peer: self.peer(place, key, &nothing)?, joined_at: joined.map(read_time).transpose()? });
        }
        Ok(Roll { present, tolerance: line.seconds("tolerance")?.unwrap_or(Roll::DEFAULT_TOLERANCE) })
    }

    fn name(&self, id: Uuid) -> String {
        self.names.get(&id).cloned().unwrap_or_else(|| id.to_string())
    }

    fn session_name(&self, session: &SessionAnswer) -> String {
        match session.stream.kind {
            StreamKind::Session => self.name(session.id),
            _ => format!("{}@{}", self.name(session.stream.id), show_time(session.started_at)),
        }
    }

    /// The id of what a question calls so: a session, an unnamed session, an event (`id`), or a roster's entry (`id/peer`).
    fn called(&self, name: &str, ledger: &dyn Ledger) -> Uuid {
        let label = name.split('/').next().unwrap_or_default();
        if let Some(event) = self.events.iter().find(|e| &*e.id == label) {
            let stream = self.app.stream_of(event).id;
            let entry = name.split_once('/').map(|(_, peer)| self.app.peer_by_key(stream, peer));
            return self.app.event(stream, &event.source, &event.id, entry);
        }
        let named = ledger.sessions().into_iter().find(|s| self.session_name(s) == name);
        named.map_or_else(|| self.app.session(&Name::key(name)), |s| s.id)
    }

    pub(crate) fn answer(&self, question: &Question, ledger: &dyn Ledger) -> Vec<String> {
        let words = &question.words;
        let what = words.word(1).unwrap();
        if what == "sessions" {
            let mut sessions: Vec<(Timestamp, String)> =
                ledger.sessions().iter().map(|s| (s.started_at, self.session_line(s, ledger))).collect();
            sessions.sort();
            return sessions.into_iter().map(|(_, line)| line).collect();
        }
        let id = self.called(words.word(2).unwrap(), ledger);
        let has = |word: &str| words.words.iter().any(|w| w == word);
        let view = if has("consolidated") { View::Consolidated } else { View::Raw };
        let sort = if has("by-duration") { Sort::Duration } else { Sort::JoinedAt };
        let ask = Ask { view, sort, descending: has("descending"), search: words.key("search") };
        let rows = || ledger.participants(id, &ask).map_or(vec!["| unknown |".into()], |rows| self.rows(what, view, &rows, ledger));
        match what {
            "resolve" => ledger.session(id).map_or(vec!["| unknown |".into()], |s| vec![self.session_line(&s, ledger)]),
            "about" => ledger.session(id).map_or(vec!["| unknown |".into()], |s| vec![self.about_line(&s)]),
            "participants" | "fields" | "events" => rows(),
            other => panic!("line {}: no question {other}", question.line),
        }
    }

    /// session | state | started | ended | rows | in | peak | consumed | parent
    fn session_line(&self, s: &SessionAnswer, ledger: &dyn Ledger) -> String {
        let parent = s.parent.map(|p| ledger.session(p).map_or_else(|| self.name(p), |p| self.session_name(&p)));
        let state = if s.live { "live" } else { "ended" };
        let consumed = show_clock(i64::try_from(s.consumed_micros).unwrap(), 1);
        table(&[
            self.session_name(s),
            state.into(),
            show_time(s.started_at),
            s.ended_at.map(show_time).unwrap_or_default(),
            s.participants.to_string(),
            s.live_participants.to_string(),
            s.max_concurrent.to_string(),
            consumed,
            parent.unwrap_or_default(),
        ])
    }

    /// session | meeting | title | keep-alive | created | updated
    fn about_line(&self, s: &SessionAnswer) -> String {
        let meeting = s.meeting.map(|m| self.name(m)).unwrap_or_default();
        let title = s.title.clone().unwrap_or_default();
        table(&[self.session_name(s), meeting, title, s.keep_alive.to_string(), show_time(s.created_at), show_time(s.updated_at)])
    }

    fn rows(&self, what: &str, view: View, rows: &[RowAnswer], ledger: &dyn Ledger) -> Vec<String> {
        let mut lines = vec![];
        for row in rows {
            let session = || ledger.session(row.session).map(|s| self.session_name(&s)).unwrap_or_default();
            let who = if view == View::Raw { self.name(row.id) } else { format!("{} in {}", self.name(row.id), session()) };
            match what {
                "participants" => lines.push(participant_line(who, row)),
                "fields" => lines.push(fields_line(who, row)),
                _ => lines.extend(row.peer_events.iter().map(|e| {
                    let name = match e.name {
                        PeerEventName::Created => "created",
                        PeerEventName::Joining => "joining",
                        PeerEventName::Leaving => "leaving",
                    };
                    let (peer, event, view) = (self.name(e.peer_id), self.name(e.id), e.preset_view_type.clone().unwrap_or_default());
                    table(&[who.clone(), show_time(e.at), peer, name.into(), event, view])
                })),
            }
        }
        lines
    }
}

/// who | joined | left | duration | stays | anomalies
fn participant_line(who: String, row: &RowAnswer) -> String {
    let left = row.left_at.map(show_time).unwrap_or_default();
    let stays: Vec<String> = row.stays.iter().map(show_stay).collect();
    let anomalies: Vec<String> =
        row.anomalies.iter().map(|(kind, at)| format!("{} {}", snake(&format!("{kind:?}")), show_time(*at))).collect();
    table(&[who, show_time(row.joined_at), left, show_clock(row.duration_micros, 1), stays.join(", "), anomalies.join(", ")])
}

/// who | user | custom | name | preset | created | updated
fn fields_line(who: String, row: &RowAnswer) -> String {
    let text = |field: &Option<String>| field.clone().unwrap_or_default();
    let (user, custom) = (text(&row.user_id), text(&row.custom_participant_id));
    table(&[who, user, custom, text(&row.display_name), text(&row.preset_name), show_time(row.created_at), show_time(row.updated_at)])
}

fn show_stay(stay: &StayAnswer) -> String {
    let out = stay.out.map(show_time).unwrap_or_default();
    let closed_by = stay.closed_by.map(|by| format!(" {}", snake(&format!("{by:?}")))).unwrap_or_default();
    let uncertain = match (stay.closed_by, stay.uncertain) {
        (None, None | Some(0)) => String::new(),
        (_, uncertain) => format!(" ~{}", show_clock(uncertain.unwrap_or_default(), 1)),
    };
    format!("{}-{out}{closed_by}{uncertain}", show_time(stay.start))
}

fn snake(camel: &str) -> String {
    let mut out = String::new();
    for c in camel.chars() {
        if c.is_uppercase() && !out.is_empty() {
            out.push('_');
        }
        out.extend(c.to_lowercase());
    }
    out
}
