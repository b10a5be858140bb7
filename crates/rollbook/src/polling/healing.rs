//! Comparing what an engine says with what the ledger has, and recording what differs.

use crate::ledger::{IngestError, Inside, Ledger};
use rollbook_core::event::{Body, Event, Kind, Roll};
use rollbook_core::id::{App, Stream};
use rollbook_core::roster::Summary;
use rollbook_core::time::{DAY, Timestamp};
use rollbook_store::StoreError;
use std::collections::{BTreeMap, BTreeSet};
use uuid::Uuid;

/// After so long a roster is recorded even where nothing differs, in microseconds: nobody is in for longer than the maximum stay (a day)
/// without being heard of.
const CONFIRM: i64 = DAY / 4;

/// One app's ledger, and what was said of its sessions at the last poll.
pub(super) struct Healer {
    pub(super) app: App,
    pub(super) ledger: Ledger,
    /// The streams whose rosters polls gave, up to the last one that was complete.
    said: BTreeMap<Stream, Said>,
    /// Counts the polls.
    poll: u64,
    /// Sessions that go on and that this engine never reported to.
    foreign: BTreeSet<Uuid>,
}

/// What an engine said of a session.
struct Said {
    /// In which poll.
    poll: u64,
    /// The last roster, where it is not recorded.
    unrecorded: Option<Event>,
    /// What differed when a roster was last recorded.
    told: Differences,
    /// From when it is told once more, if it remains; none where it was. A roster moves nothing that is younger than its tolerance. What
    /// remains even then, as those do whom another source has in, it can't mend.
    again: Option<Timestamp>,
    /// When a roster was last recorded, or else the first was seen.
    confirmed: Timestamp,
}

/// How a roster and the ledger differ.
#[derive(PartialEq, Eq, Debug, Default)]
struct Differences {
    /// Who is in by the ledger alone.
    gone: BTreeSet<Uuid>,
    /// Who is in by the roster alone.
    unknown: BTreeSet<Uuid>,
}

impl Healer {
    pub(super) fn new(app: App, ledger: Ledger) -> Self {
        Self { app, ledger, said: BTreeMap::new(), poll: 0, foreign: BTreeSet::new() }
    }

    /// Whatever is healed from here on is of another poll.
    pub(super) fn begin(&mut self) {
        self.poll += 1;
    }

    /// The poll is complete: of what it gave no roster, nothing needs to be remembered.
    pub(super) fn end(&mut self) {
        self.said.retain(|_, said| said.poll == self.poll);
    }

    /// Records those of an engine's rosters that mend something, and counts them in `recorded`. `attended` are the sessions that have somebody
    /// in, read after the rosters were given, and soon: what happens in between looks like a difference, and is recorded for nothing.
    ///
    /// # Errors
    /// Where the ledger can't read or take anything. What was recorded before is.
    pub(super) async fn heal(&mut self, rosters: Vec<Event>, attended: &[Summary], recorded: &mut usize) -> Result<(), IngestError> {
        for roster in rosters {
            let stream = self.app.stream_of(&roster);
            let inside = self.inside(stream, attended).await?;
            let mut said = self.said.remove(&stream).unwrap_or_else(|| Said::first(roster.time));
            said.poll = self.poll;
            let differ = differences(&self.app, stream, &roster, &inside);
            let events = said.worth_recording(roster, differ);
            if !events.is_empty() {
                *recorded += self.ledger.ingest(&self.app, events).await?.accepted;
            }
            // Where that failed, nothing is known to have been told.
            self.said.insert(stream, said);
        }
        Ok(())
    }

    /// The ids of the named sessions among these that are `wanted` and to which a source reported. Which ones it did not is remembered, as the
    /// look-up grows with all that it ever reported to.
    pub(super) async fn reported_by(
        &mut self,
        source: &str,
        attended: &[Summary],
        wanted: impl Fn(&Summary) -> bool,
    ) -> Result<Vec<Uuid>, StoreError> {
        let named = attended.iter().filter(|session| session.stream == Stream::session(session.id));
        let (foreign, unsure): (Vec<_>, Vec<_>) = named.map(|session| (session.id, session)).partition(|(id, _)| self.foreign.contains(id));
        self.foreign = foreign.into_iter().map(|(id, _)| id).collect();
        let wanted: Vec<_> = unsure.into_iter().filter(|(_, session)| wanted(session)).map(|(id, _)| id).collect();
        if wanted.is_empty() {
            return Ok(wanted);
        }
        let reported = self.ledger.reported_by(&self.app, source).await?;
        let (ours, foreign): (Vec<_>, Vec<_>) = wanted.into_iter().partition(|id| reported.binary_search(&Stream::session(*id)).is_ok());
        self.foreign.extend(foreign);
        Ok(ours)
    }

    /// Who is in the sessions of a stream.
    pub(super) async fn inside(&self, stream: Stream, attended: &[Summary]) -> Result<Vec<Inside>, StoreError> {
        let mut inside = Vec::new();
        for session in attended.iter().filter(|session| session.stream == stream) {
            inside.extend(self.ledger.inside(&self.app, session.id).await?);
        }
        Ok(inside)
    }
}

impl Said {
    fn first(at: Timestamp) -> Self {
        Self { poll: 0, unrecorded: None, told: Differences::default(), again: None, confirmed: at }
    }

    /// What is to be recorded. Where someone is gone, the roster before tells that they were in until then, which is how exactly it is known.
    fn worth_recording(&mut self, roster: Event, differ: Differences) -> Vec<Event> {
        let differs = differ != Differences::default();
        let new = differ != self.told;
        let repeated = !new && self.again.is_some_and(|again| roster.time > again);
        let stale = roster.time.since(self.confirmed) >= CONFIRM && is_attended(&roster);
        if new {
            let tolerance = roll(&roster).map_or(0, |roll| roll.tolerance);
            self.again = differs.then_some(roster.time.plus(tolerance));
            self.told = differ;
        } else if repeated {
            self.again = None;
        }
        if !(new && differs || repeated || stale) {
            self.unrecorded = Some(roster);
            return Vec::new();
        }
        self.confirmed = roster.time;
        let before = self.unrecorded.take().filter(|_| !self.told.gone.is_empty());
        before.into_iter().chain([roster]).collect()
    }
}

fn roll(roster: &Event) -> Option<&Roll> {
    match &roster.body {
        Body::SessionRoster(_, roll) => Some(roll),
        _ => None,
    }
}

fn is_attended(roster: &Event) -> bool {
    roll(roster).is_some_and(|roll| !roll.present.is_empty())
}

/// How a roster differs from who is in. What is younger than the roster's tolerance may be on its way, and is no difference.
fn differences(app: &App, stream: Stream, roster: &Event, inside: &[Inside]) -> Differences {
    let Some(roll) = roll(roster) else { return Differences::default() };
    let settled = roster.time.plus(-roll.tolerance);
    let here: BTreeSet<_> = roll.present.iter().map(|present| app.peer(stream.id, &present.peer.name)).collect();
    let known: BTreeSet<_> = inside.iter().map(|inside| inside.peer).collect();
    let gone = inside.iter().filter(|inside| inside.since < settled && !here.contains(&inside.peer)).map(|inside| inside.peer);
    let people = roll.present.iter().filter(|present| present.peer.kind != Some(Kind::Robot));
    let long_in = people.filter(|present| present.joined_at.is_none_or(|joined| joined < settled));
    let unknown = long_in.map(|present| app.peer(stream.id, &present.peer.name)).filter(|peer| !known.contains(peer));
    Differences { gone: gone.collect(), unknown: unknown.collect() }
}
