//! Asking LiveKit.

use super::client::{AskError, Client, Wanted, on_a_thread};
use super::healing::Healer;
use super::{Found, PollError};
use crate::clock;
use rollbook_core::event::{Event, Roll};
use rollbook_core::roster::Summary;
use rollbook_core::time::Timestamp;
use rollbook_ingest::engine::Secret;
use rollbook_ingest::livekit::SOURCE;
use rollbook_ingest::livekit::asking::{self, Question, Room};
use rollbook_store::StoreError;
use std::collections::{BTreeSet, HashSet};
use uuid::Uuid;

/// So many rooms are asked about before it is asked whether they are still what they were, and compared with the ledger.
const ROOMS_AT_ONCE: usize = 50;
/// After so many failures in a row the server is taken to be away.
const FAILURES: usize = 3;

/// The servers of one LiveKit, or several whose rooms are one app's.
#[derive(Clone, Debug)]
pub(super) struct LiveKit {
    urls: Vec<String>,
    key: Secret,
}

/// Which rooms the servers had before any was asked about.
struct Listed {
    rooms: Vec<(String, Vec<Room>)>,
    /// When that was at the earliest.
    at: Timestamp,
    tolerance: i64,
}

impl LiveKit {
    pub(super) fn new(urls: Vec<String>, key: Secret) -> Self {
        Self { urls, key }
    }

    /// Asks who is in, and records what the ledger lacks, some rooms at a time. Where it can't be said which rooms there are, nothing can; a
    /// room that can't be asked about keeps none of the others.
    pub(super) async fn poll(&self, client: &Client, healer: &mut Healer, found: &mut Found) -> Result<(), PollError> {
        let (asking, with) = (self.clone(), client.clone());
        let listed = on_a_thread(move |wanted| asking.list(&with, wanted)).await??;
        let attended = healer.ledger.attended(&healer.app).await?;
        let gone = gone(healer, &attended, &listed).await?;
        healer.heal(gone, &attended, &mut found.rosters).await?;
        let mut failed = None;
        for (url, rooms) in listed.rooms {
            for some in rooms.chunks(ROOMS_AT_ONCE) {
                let (asking, with, url, some) = (self.clone(), client.clone(), url.clone(), some.to_vec());
                found.rooms += some.len();
                let (rosters, error) = on_a_thread(move |wanted| asking.rosters(&with, &url, &some, wanted)).await??;
                failed = failed.or(error);
                let attended = healer.ledger.attended(&healer.app).await?;
                healer.heal(rosters, &attended, &mut found.rosters).await?;
            }
        }
        failed.map_or(Ok(()), |error| Err(error.into()))
    }

    fn list(&self, client: &Client, wanted: &Wanted) -> Result<Listed, AskError> {
        let mut listed = Listed { rooms: Vec::new(), at: Timestamp::MAX, tolerance: 0 };
        for url in &self.urls {
            wanted.still()?;
            let (rooms, at, tolerance) = self.rooms(client, url, &[])?;
            listed.at = listed.at.min(at);
            listed.tolerance = listed.tolerance.max(tolerance);
            listed.rooms.push((url.clone(), rooms));
        }
        Ok(listed)
    }

    /// The rosters of some rooms of a server: of those that were the same before and after.
    fn rosters(&self, client: &Client, url: &str, rooms: &[Room], wanted: &Wanted) -> Result<(Vec<Event>, Option<AskError>), AskError> {
        let (mut rosters, mut failed, mut in_a_row) = (Vec::new(), None, 0);
        for room in rooms {
            wanted.still()?;
            match self.roster(client, url, room) {
                Ok(roster) => {
                    rosters.push((room, roster));
                    in_a_row = 0;
                }
                Err(error) if in_a_row + 1 == FAILURES => return Err(error),
                // A room that could not be asked about is none that is gone.
                Err(error) => (failed, in_a_row) = (failed.or(Some(error)), in_a_row + 1),
            }
        }
        let names: Vec<_> = rooms.iter().map(|room| &*room.name).collect();
        let still: HashSet<_> = self.rooms(client, url, &names)?.0.into_iter().map(|room| room.sid).collect();
        let sound = rosters.into_iter().filter(|(room, _)| still.contains(&room.sid)).map(|(_, roster)| roster);
        Ok((sound.collect(), failed))
    }

    fn rooms(&self, client: &Client, url: &str, names: &[&str]) -> Result<(Vec<Room>, Timestamp, i64), AskError> {
        let Question { path, authorization, body } = asking::list_rooms(&self.key, names, clock::now());
        let answer = client.post(&format!("{url}{path}"), Some(&authorization), &body)?;
        Ok((asking::rooms(&answer.body)?, answer.at, Roll::DEFAULT_TOLERANCE.saturating_add(answer.age)))
    }

    fn roster(&self, client: &Client, url: &str, room: &Room) -> Result<Event, AskError> {
        let Question { path, authorization, body } = asking::list_participants(&self.key, &room.name, clock::now());
        let answer = client.post(&format!("{url}{path}"), Some(&authorization), &body)?;
        Ok(asking::roster(room, &answer.body, answer.at, Roll::DEFAULT_TOLERANCE.saturating_add(answer.age))?)
    }
}

/// A roster of nobody for each session that LiveKit reported to and has no room for.
async fn gone(healer: &mut Healer, attended: &[Summary], listed: &Listed) -> Result<Vec<Event>, StoreError> {
    let rooms = listed.rooms.iter().flat_map(|(_, rooms)| rooms);
    let there: BTreeSet<Uuid> = rooms.map(|room| asking::session(&healer.app, room)).collect();
    let ours = healer.reported_by(SOURCE, attended, |session| !there.contains(&session.id)).await?;
    Ok(ours.into_iter().map(|session| asking::gone(session, listed.at, listed.tolerance)).collect())
}
