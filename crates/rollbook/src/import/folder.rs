//! Import into a data folder that no server runs on.

use super::{Batch, SendError, Target};
use crate::ledger::{IngestError, Ledger, Receipt};
use rollbook_core::event::Event;
use rollbook_core::id::App;
use rollbook_ingest::cloudevents::{self, BadEvent};
use tokio::runtime::Runtime;

/// The ledger of a data folder.
pub struct Folder {
    ledger: Ledger,
    app: App,
    runtime: Runtime,
}

impl Folder {
    /// A folder's ledger, whose work is done on `runtime`.
    #[must_use]
    pub fn new(ledger: Ledger, app: App, runtime: Runtime) -> Self {
        Self { ledger, app, runtime }
    }
}

impl Target for Folder {
    fn send(&mut self, batch: &Batch) -> Result<Receipt, SendError> {
        let events = events(batch.body())?;
        self.runtime.block_on(self.ledger.ingest(&self.app, events)).map_err(|error| match error {
            IngestError::Conflict(places) => SendError::Known(places),
            error => SendError::Failed(error.to_string()),
        })
    }
}

fn events(body: &[u8]) -> Result<Vec<Event>, SendError> {
    let judged = cloudevents::read(Some("application/x-ndjson"), [], body).map_err(|error| SendError::Failed(error.to_string()))?;
    let sound: Result<_, BadEvent> = judged.into_iter().collect();
    sound.map_err(|bad| SendError::Refused { index: bad.index, message: bad.message })
}
