//! Deliveries that verified and could not be translated: kept raw, within bounds, and translated anew when someone asks for it.

use crate::engines::{Engines, Unusable};
use crate::ledger::{IngestError, Ledger, Receipt};
use bytes::Bytes;
use rollbook_core::event::Event;
use rollbook_core::id::App;
use rollbook_ingest::engine::{Delivery, Engine};
use rollbook_store::{KEPT_OVERHEAD, Kept, StoreError};
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use uuid::Uuid;

/// What is kept is counted whenever so small a part of the bound came since.
const PART: u64 = 16;

/// What is kept of every app.
pub struct Quarantine {
    ledger: Ledger,
    engines: Engines,
    /// How many bytes of an app are kept at most, and about a [`PART`] more for each server.
    most: u64,
    /// Bytes that this server kept of each app since it was last counted.
    since: Mutex<HashMap<Uuid, u64>>,
}

/// What became of a kept delivery that was translated anew.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Retried {
    /// Its number.
    pub number: i64,
    /// Of the events that it says.
    pub receipt: Receipt,
    /// Why it is kept on; none, where nothing of it is left to be translated, and it is dropped.
    pub kept: Option<String>,
}

impl Quarantine {
    /// What a ledger keeps, at most so many bytes an app.
    #[must_use]
    pub fn new(ledger: Ledger, engines: Engines, most: u64) -> Self {
        Self { ledger, engines, most, since: Mutex::default() }
    }

    /// Keeps a delivery. Where there is too much, the app's oldest go; returns how many.
    ///
    /// # Errors
    /// Where the store can't write; then it is not kept.
    pub async fn keep(&self, app: &App, engine: &str, body: Bytes) -> Result<u64, StoreError> {
        let bytes = body.len() as u64 + KEPT_OVERHEAD;
        self.ledger.keep(app, engine, body).await?;
        if !self.is_due(app, bytes) {
            return Ok(0);
        }
        // The delivery is kept whatever comes of this: it is done again at the next.
        let dropped = self.ledger.bound_kept(app, self.most).await.unwrap_or_else(|error| {
            tracing::warn!(%error, "what is kept raw was not counted");
            self.since.lock().unwrap_or_else(PoisonError::into_inner).remove(&app.namespace());
            0
        });
        if dropped > 0 {
            tracing::warn!(dropped, account = app.account(), app = app.app(), "the oldest of too many kept deliveries are dropped");
        }
        Ok(dropped)
    }

    /// Whether what the app keeps is to be counted: at first, as nobody knows what there was, and after each part of the bound.
    fn is_due(&self, app: &App, bytes: u64) -> bool {
        let mut since = self.since.lock().unwrap_or_else(PoisonError::into_inner);
        match since.get_mut(&app.namespace()) {
            Some(sum) if *sum + bytes <= self.most / PART => {
                *sum += bytes;
                false
            }
            _ => {
                since.insert(app.namespace(), 0);
                true
            }
        }
    }

    /// Translates a kept delivery as its engine is set up at present, and records what it says. Drops it where nothing more is to be had of it.
    ///
    /// # Errors
    /// Where the ledger takes nothing at the moment. What was recorded before is known the next time.
    pub async fn retry(&self, app: &App, (number, kept): (i64, Kept)) -> Result<Retried, IngestError> {
        let engine = match self.engines.find(app, &kept.engine).await {
            Ok(Some(engine)) => engine,
            Ok(None) => return Ok(Retried::kept(number, format!("no engine of the app is called {:?}", kept.engine))),
            Err(Unusable(cause)) => return Ok(Retried::kept(number, cause.to_string())),
        };
        let (events, reason) = translated(&*engine, &kept);
        let (receipt, conflicts) = self.record(app, events).await?;
        let kept_on = match (reason, conflicts) {
            (None, 0) => None,
            (None, conflicts) => Some(format!("it contradicts what is known, in {conflicts} of its events")),
            (reason, _) => reason,
        };
        if kept_on.is_none() {
            self.ledger.discard(app, kept).await?;
        }
        Ok(Retried { number, receipt, kept: kept_on })
    }

    /// Records events but for those that contradict what is known; returns how many of these there are.
    async fn record(&self, app: &App, events: Vec<Event>) -> Result<(Receipt, usize), IngestError> {
        match self.ledger.ingest(app, events.clone()).await {
            Err(IngestError::Conflict(places)) => {
                let receipt = self.ledger.ingest(app, without(events, &places)).await?;
                Ok((receipt, places.len()))
            }
            outcome => Ok((outcome?, 0)),
        }
    }
}

impl Retried {
    fn kept(number: i64, reason: String) -> Self {
        Self { number, receipt: Receipt::default(), kept: Some(reason) }
    }
}

/// What a kept delivery says to an engine, and why that is not all.
#[must_use]
pub fn translated(engine: &dyn Engine, kept: &Kept) -> (Vec<Event>, Option<String>) {
    // Headers and address are not kept: they prove who sent it, which was judged when it came.
    match engine.translate(&Delivery { body: &kept.body, received_at: kept.received_at, ..Delivery::default() }) {
        Ok(translation) => {
            let reason = translation.reasons.first().map(ToString::to_string);
            let more = translation.untranslated.saturating_sub(1);
            (translation.events, reason.map(|reason| if more > 0 { format!("{reason}; and {more} more") } else { reason }))
        }
        Err(refusal) => (Vec::new(), Some(refusal.to_string())),
    }
}

/// The events that conflict with nothing that is known: an engine can't take back the others, so these are not held up by them.
pub(crate) fn without(events: Vec<Event>, conflicts: &[usize]) -> Vec<Event> {
    (0..).zip(events).filter(|(place, _)| !conflicts.contains(place)).map(|(_, event)| event).collect()
}
