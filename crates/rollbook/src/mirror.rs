//! Mirroring: the sessions that another server of the same API lists, as events of a ledger of our own.
//!
//! Pages of sessions, and of each session its breakouts and its participants, become events ([`rollbook_ingest::realtimekit::listed`]) that are
//! recorded like any import. Repeating is harmless; which sessions need no repeating is noted in a file, so a run that stopped goes on.

mod noted;
mod pace;
mod upstream;

pub use noted::{Noted, NotedError};
pub use pace::Pace;
pub use upstream::{Upstream, UpstreamError};

use crate::import::{Batch, SendError, Target};
use crate::ledger::Receipt;
use rollbook_ingest::cloudevents::to_cloudevent;
use rollbook_ingest::realtimekit::listed::{Planned, Session};
use std::collections::HashSet;

/// What a run did.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Tally {
    /// Sessions that were read, breakouts among them.
    pub sessions: u64,
    /// Those of them that go on.
    pub live: u64,
    /// Sessions that an earlier run has read to their end.
    pub before: u64,
    /// Participants' rows.
    pub rows: u64,
    /// Rows whose minutes can have come about in more than one way: of these, the stays are a guess.
    pub guessed: u64,
    /// What became of the events.
    pub receipt: Receipt,
    /// Events that were known in other words, as from webhooks.
    pub known: u64,
}

/// Why a run stopped. What went before is recorded, and noted.
#[derive(Debug, thiserror::Error)]
pub enum MirrorError {
    /// Upstream does not tell.
    #[error(transparent)]
    Upstream(#[from] UpstreamError),
    /// The ledger does not take it.
    #[error("session {session}: {error}")]
    Target {
        /// The session.
        session: Box<str>,
        /// Why.
        error: SendError,
    },
    /// It can't be noted.
    #[error(transparent)]
    Noted(#[from] NotedError),
}

/// Who wants to see how far it is.
pub trait Progress {
    /// So many sessions of so many are done.
    fn at(&self, done: u64, total: Option<u64>);
}

/// A run.
pub struct Mirror<'a> {
    /// Where the sessions are.
    pub upstream: &'a mut Upstream,
    /// Where the events go.
    pub target: &'a mut dyn Target,
    /// Which sessions are done.
    pub noted: &'a mut Noted,
    /// What was done so far; right where the run fails, too.
    pub tally: Tally,
}

impl Mirror<'_> {
    /// Mirrors every session that began at `since` (in RFC 3339) or later, the earliest first.
    ///
    /// # Errors
    /// See [`MirrorError`].
    pub fn run(&mut self, since: Option<&str>, progress: &dyn Progress) -> Result<(), MirrorError> {
        // In this order new sessions come last, so that pages do not shift.
        let (mut page, mut seen) = (1, HashSet::new());
        loop {
            let listed = self.upstream.sessions(since, page)?;
            let before = seen.len();
            for (session, _) in listed.items {
                if seen.insert(session.clone()) {
                    self.session(&session)?;
                }
                progress.at(seen.len() as u64, listed.total);
            }
            if is_last(before, seen.len(), listed.total) {
                return Ok(());
            }
            page += 1;
        }
    }

    /// One session, and its breakouts.
    fn session(&mut self, id: &str) -> Result<(), MirrorError> {
        if self.noted.has(id) {
            self.tally.before += u64::from(self.noted.was_before(id));
            return Ok(());
        }
        // One that upstream lists and does not know is one that it has just dropped.
        let family = self.upstream.session(id)?.unwrap_or_default();
        for session in &family {
            let mut events = session.events();
            // It may have been met before in its own right: then only what it is a breakout of is not told yet.
            let rows = !self.noted.has(&session.id);
            if rows {
                self.rows(session, &mut events)?;
            }
            self.record(events).map_err(|error| MirrorError::Target { session: session.id.clone(), error })?;
            if rows {
                self.tally.sessions += 1;
                self.tally.live += u64::from(!session.has_ended());
            }
        }
        if family.iter().all(Session::has_ended) {
            // The session itself last: then whoever finds it noted knows that its breakouts are, too.
            for session in family.iter().rev() {
                self.noted.add(&session.id)?;
            }
        }
        Ok(())
    }

    fn rows(&mut self, session: &Session, events: &mut Vec<Planned>) -> Result<(), MirrorError> {
        let (mut page, mut seen) = (1, HashSet::new());
        loop {
            let listed = self.upstream.participants(&session.id, page)?;
            let before = seen.len();
            for row in listed.items {
                if !seen.insert(row.id.clone()) {
                    continue;
                }
                let (of_row, sure) = session.events_of(&row);
                self.tally.rows += 1;
                self.tally.guessed += u64::from(!sure);
                events.extend(of_row);
            }
            if is_last(before, seen.len(), listed.total) {
                return Ok(());
            }
            page += 1;
        }
    }

    fn record(&mut self, events: Vec<Planned>) -> Result<(), SendError> {
        let mut rest = events;
        while !rest.is_empty() {
            let mut batch = Batch::default();
            let lines = rest.iter().zip(1..).map(|(planned, number)| (number, to_cloudevent(&planned.event)));
            for (number, line) in lines {
                if !batch.has_room(line.len()) {
                    break;
                }
                batch.push(number, line.as_bytes());
            }
            match self.target.send(&batch) {
                Ok(receipt) => {
                    self.tally.receipt.accepted += receipt.accepted;
                    self.tally.receipt.duplicates += receipt.duplicates;
                    rest.drain(..batch.len());
                }
                Err(SendError::Known(places)) if places.iter().any(|place| *place < batch.len()) => {
                    self.tally.known += places.len() as u64;
                    rest = without(rest, &places.into_iter().collect());
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

/// Whether no page follows one that brought the items seen from so many to so many. Upstream may give fewer a page than it was asked for.
fn is_last(before: usize, seen: usize, total: Option<u64>) -> bool {
    seen == before || total.is_some_and(|total| seen as u64 >= total)
}

/// The events that are not known, and what is still to be told of those that are.
fn without(events: Vec<Planned>, known: &HashSet<usize>) -> Vec<Planned> {
    let left = |(place, planned): (usize, Planned)| match known.contains(&place) {
        true => planned.instead.map(|event| Planned { event, instead: None }),
        false => Some(planned),
    };
    events.into_iter().enumerate().filter_map(left).collect()
}

#[cfg(test)]
mod tests;
