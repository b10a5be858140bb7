//! Asking Janus.

use super::client::{Answer, AskError, Client, Wanted, on_a_thread};
use super::healing::Healer;
use super::{Found, PollError};
use rollbook_core::event::{Event, Roll};
use rollbook_core::id::{App, Stream, StreamKind};
use rollbook_core::roster::Summary;
use rollbook_core::time::{SECOND, Timestamp};
use rollbook_ingest::engine::BadAnswer;
use rollbook_ingest::janus::asking::{self, Asker, Here, Person, Room};
use std::collections::BTreeMap;

/// For so many microseconds someone of whom nothing was heard is waited for: a `joined` may still come, and tells more. Janus gives up sooner.
const PATIENCE: i64 = 10 * SECOND;

/// The Januses that report to one app.
#[derive(Clone, Debug)]
pub(super) struct Janus {
    urls: Vec<String>,
    asker: Asker,
}

/// Those of whom nothing was heard, by room and id: when they were first seen.
pub(super) type Unheard = BTreeMap<(Room, Box<str>), Timestamp>;

/// A room that was asked about.
struct Told {
    room: Room,
    people: Vec<Person>,
    answer: Of,
}

/// Of when an answer is.
#[derive(Clone, Copy)]
struct Of {
    at: Timestamp,
    tolerance: i64,
}

impl From<&Answer> for Of {
    fn from(answer: &Answer) -> Self {
        Self { at: answer.at, tolerance: Roll::DEFAULT_TOLERANCE.saturating_add(answer.age) }
    }
}

impl Janus {
    pub(super) fn new(urls: Vec<String>, asker: Asker) -> Self {
        Self { urls, asker }
    }

    /// Asks who is in, and records what the ledger lacks. One Janus that is away does not keep the others from being asked.
    pub(super) async fn poll(
        &self,
        client: &Client,
        healer: &mut Healer,
        unheard: &mut Unheard,
        found: &mut Found,
    ) -> Result<(), PollError> {
        let attended = healer.ledger.attended(&healer.app).await?;
        let rooms: Vec<_> = attended.iter().filter(|session| session.stream.kind == StreamKind::Meeting).filter_map(titled).collect();
        let (asking, client, app) = (self.clone(), client.clone(), healer.app.clone());
        let (told, failed) = on_a_thread(move |wanted| asking.ask(&client, &app, &rooms, wanted)).await?;
        found.rooms = told.len();
        let attended = healer.ledger.attended(&healer.app).await?;
        let mut seen = Unheard::new();
        let mut rosters = Vec::new();
        for told in told {
            rosters.extend(roster(healer, &attended, told, unheard, &mut seen).await?);
        }
        *unheard = seen;
        healer.heal(rosters, &attended, &mut found.rosters).await?;
        failed.map_or(Ok(()), |error| Err(error.into()))
    }

    /// What each Janus says of its rooms, and what went wrong with one.
    fn ask(&self, client: &Client, app: &App, attended: &[(Stream, Box<str>)], wanted: &Wanted) -> (Vec<Told>, Option<AskError>) {
        let (mut told, mut failed) = (Vec::new(), None);
        for url in &self.urls {
            let mut visit = Visit { client, asker: &self.asker, url, wanted };
            if let Err(error) = visit.all(app, attended, &mut told) {
                failed = Some(error);
            }
        }
        (told, failed)
    }
}

/// The stream and the title of a session that has one: of a room, the title is the room's id.
fn titled(session: &Summary) -> Option<(Stream, Box<str>)> {
    session.title.clone().map(|title| (session.stream, title))
}

/// One Janus, while it is asked.
struct Visit<'v> {
    client: &'v Client,
    asker: &'v Asker,
    url: &'v str,
    wanted: &'v Wanted,
}

impl Visit<'_> {
    fn post(&self, path: &str, body: &str) -> Result<Answer, AskError> {
        self.wanted.still()?;
        self.client.post(&format!("{}{path}", self.url), None, body)
    }

    fn all(&mut self, app: &App, attended: &[(Stream, Box<str>)], told: &mut Vec<Told>) -> Result<(), AskError> {
        let emitter = asking::emitter(&self.client.get(&format!("{}/info", self.url))?.body)?;
        let session = asking::created(&self.post("", &self.asker.create())?.body)?.ok_or_else(|| BadAnswer("no session".to_owned()))?;
        let session = format!("/{session}");
        let asked = asking::PLUGINS.iter().try_for_each(|plugin| {
            let Some(handle) = asking::created(&self.post(&session, &self.asker.attach(plugin))?.body)? else { return Ok(()) };
            let room = |id: Box<str>| Room { emitter: emitter.clone(), plugin, id };
            self.plugin(&format!("{session}/{handle}"), room, app, attended, told)
        });
        // A session that is not closed is forgotten by Janus within a minute.
        let closed = self.post(&session, &self.asker.destroy());
        asked.and(closed.map(drop))
    }

    /// Asks about those rooms of a plugin in which somebody is, by Janus or by the ledger.
    fn plugin(
        &self,
        handle: &str,
        room: impl Fn(Box<str>) -> Room,
        app: &App,
        attended: &[(Stream, Box<str>)],
        told: &mut Vec<Told>,
    ) -> Result<(), AskError> {
        let mut ids: BTreeMap<Box<str>, u64> = asking::rooms(&self.post(handle, &self.asker.list())?.body)?.into_iter().collect();
        // Private rooms are not listed, nor those that are gone.
        for (stream, title) in attended {
            if room(title.clone()).stream(app) == *stream {
                ids.insert(title.clone(), 1);
            }
        }
        for (id, _) in ids.into_iter().filter(|(_, many)| *many > 0) {
            let (here, answer) = self.participants(handle, &id)?;
            let people = match here {
                Here::People(people) => people,
                Here::NoRoom | Here::WrongType => Vec::new(),
            };
            told.push(Told { room: room(id), people, answer });
        }
        Ok(())
    }

    /// Who is in a room. Whether its id is a number or a text is a setting of that Janus.
    fn participants(&self, handle: &str, id: &str) -> Result<(Here, Of), AskError> {
        let answer = self.post(handle, &self.asker.list_participants(id, false))?;
        let here = asking::participants(&answer.body)?;
        if here == Here::WrongType && !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_digit()) {
            let answer = self.post(handle, &self.asker.list_participants(id, true))?;
            return Ok((asking::participants(&answer.body)?, Of::from(&answer)));
        }
        Ok((here, Of::from(&answer)))
    }
}

/// The roster of a room; none while somebody in it is waited for, since a roster that lacks them would put them out should their `joined` come.
async fn roster(
    healer: &Healer,
    attended: &[Summary],
    told: Told,
    unheard: &Unheard,
    seen: &mut Unheard,
) -> Result<Option<Event>, PollError> {
    let Told { room, people, answer: Of { at, tolerance } } = told;
    let inside = healer.inside(room.stream(&healer.app), attended).await?;
    let mut present = Vec::new();
    let mut waits = false;
    for person in people {
        let known = inside.iter().filter(|inside| inside.custom_id.as_ref() == Some(&person.id)).max_by_key(|inside| inside.since);
        if let Some(known) = known {
            present.push((person, Ok(known.peer)));
            continue;
        }
        let key = (room.clone(), person.id.clone());
        let first = unheard.get(&key).copied().unwrap_or(at);
        seen.insert(key, first);
        waits |= at.since(first) < PATIENCE;
        present.push((person, Err(first)));
    }
    Ok((!waits).then(|| room.roster(present, at, tolerance)))
}
