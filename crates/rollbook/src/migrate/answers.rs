//! What clients would be answered by the two ends, compared.

use super::frozen::Frozen;
use super::{Ends, MigrateError, Progress};
use crate::http::{all_rows, page};
use crate::ledger::{Ledger, Options, SessionList, SessionsQuery, View};
use rollbook_core::id::App;
use rollbook_core::roster::Summary;
use rollbook_core::time::Timestamp;
use rollbook_store::transfer::Transfer;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use uuid::Uuid;

/// How many sessions of the list are compared at once.
const PAGE: u32 = 10_000;
/// How many sessions of an app are looked into, where not all are: spread evenly over the list.
const SAMPLE: u64 = 100;
/// What each of the two ledgers may hold in memory.
const MEMORY: u64 = 1 << 30;

/// Which sessions' participants are compared; the list of sessions always is, as a whole.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, clap::ValueEnum)]
pub enum Verify {
    /// A hundred of each app, spread evenly over its list.
    #[default]
    Sample,
    /// All.
    All,
}

/// What was found to be alike.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Compared {
    /// Sessions in lists.
    pub sessions: u64,
    /// Lists of participants, raw and consolidated, with stays and events.
    pub rosters: u64,
}

/// Both ends, as a server on each would answer at one moment.
pub(super) struct Both<'a> {
    ends: &'a Ends,
    ours: Ledger,
    theirs: Ledger,
    now: Arc<AtomicI64>,
}

fn ledger(end: &Arc<dyn Transfer>, now: &Arc<AtomicI64>, settles: bool) -> Ledger {
    let store = Frozen { store: end.store(), now: Arc::clone(now), settles };
    Ledger::new(Arc::new(store), Options { segments: None, memory: MEMORY })
}

impl<'a> Both<'a> {
    /// Answers of these ends.
    pub(super) fn of(ends: &'a Ends, now: Timestamp) -> Self {
        let now = Arc::new(AtomicI64::new(now.micros()));
        Self { ends, ours: ledger(&ends.source, &now, false), theirs: ledger(&ends.target, &now, true), now }
    }

    /// Settles what the target has, so that nobody waits for it later.
    pub(super) async fn settle(&self, hear: &dyn Progress) -> Result<(), MigrateError> {
        hear.begin("settling");
        first_lists(&self.theirs, &self.ends.target, hear).await
    }

    /// Reads what the source has not settled, while it still takes events, so that later only what is new is read.
    pub(super) async fn prepare(&self, hear: &dyn Progress) -> Result<(), MigrateError> {
        hear.begin("reading what is not settled");
        first_lists(&self.ours, &self.ends.source, hear).await
    }

    /// Compares answers at one moment. Neither end may change meanwhile.
    pub(super) async fn compare(&self, verify: Verify, now: Timestamp, hear: &dyn Progress) -> Result<Compared, MigrateError> {
        hear.begin("comparing answers");
        self.now.store(now.micros(), Ordering::Relaxed);
        let mut compared = Compared::default();
        let apps = self.ends.source.apps().await.map_err(MigrateError::at(&self.ends.source))?;
        if apps != self.ends.target.apps().await.map_err(MigrateError::at(&self.ends.target))? {
            return Err(MigrateError::Differs("which apps there are".into()));
        }
        for app in apps {
            self.lists(&app, verify, &mut compared, hear).await?;
        }
        Ok(compared)
    }

    async fn lists(&self, app: &App, verify: Verify, compared: &mut Compared, hear: &dyn Progress) -> Result<(), MigrateError> {
        let mut query = SessionsQuery { limit: PAGE, ..SessionsQuery::default() };
        loop {
            let ours = self.ours.sessions(app, &query).await.map_err(MigrateError::at(&self.ends.source))?;
            let theirs = self.theirs.sessions(app, &query).await.map_err(MigrateError::at(&self.ends.target))?;
            if page(&ours, app) != page(&theirs, app) {
                let one = |session: &Summary| page(&SessionList { sessions: vec![session.clone()], ..SessionList::default() }, app);
                let mut pairs = ours.sessions.iter().zip(&theirs.sessions);
                let first = pairs.find(|(a, b)| one(a) != one(b)).map(|(session, _)| session.id);
                let what = first.map_or_else(|| "its length".to_owned(), |id| format!("session {id}"));
                return Err(MigrateError::Differs(format!("the list of sessions of {}/{}: {what}", app.account(), app.app())));
            }
            if ours.sessions.is_empty() {
                return Ok(());
            }
            let step = if verify == Verify::All { 1 } else { ours.total.div_ceil(SAMPLE).max(1) };
            for (place, session) in (query.offset..).zip(&ours.sessions) {
                if place % step == 0 {
                    self.rosters(app, session.id).await?;
                    compared.rosters += 2;
                }
            }
            compared.sessions += ours.sessions.len() as u64;
            hear.advance(ours.sessions.len() as u64);
            query.offset += u64::from(PAGE);
        }
    }

    async fn rosters(&self, app: &App, session: Uuid) -> Result<(), MigrateError> {
        let now = Some(Timestamp::from_micros(self.now.load(Ordering::Relaxed)));
        for (view, name) in [(View::Raw, "participants"), (View::Consolidated, "consolidated participants")] {
            let (ours, theirs) = (self.ours.roster(app, session, view, now), self.theirs.roster(app, session, view, now));
            let ours = ours.await.map_err(MigrateError::at(&self.ends.source))?;
            let theirs = theirs.await.map_err(MigrateError::at(&self.ends.target))?;
            if ours.as_ref().map(all_rows) != theirs.as_ref().map(all_rows) {
                return Err(MigrateError::Differs(format!("the {name} of session {session} of {}/{}", app.account(), app.app())));
            }
        }
        Ok(())
    }
}

/// Asks for the beginning of every app's list of sessions, for which all that is unsettled is read.
async fn first_lists(ledger: &Ledger, end: &Arc<dyn Transfer>, hear: &dyn Progress) -> Result<(), MigrateError> {
    let one = SessionsQuery { limit: 1, ..SessionsQuery::default() };
    for app in end.apps().await.map_err(MigrateError::at(end))? {
        let list = ledger.sessions(&app, &one).await.map_err(MigrateError::at(end))?;
        hear.advance(list.total);
    }
    Ok(())
}
