//! Moving a whole ledger from one store to another, while the first is served.
//!
//! Passes copy what the target lacks, and compare it row by row, until little is left. The switch then marks the source: from that moment no
//! process appends to it, whichever has it open. The last rows are copied, answers of both ends are compared, and only then is the target
//! opened. A run that is cut off at any moment is simply run again: what there is to do follows from what both ends have and are marked with.

mod admit;
mod answers;
mod beside;
mod frozen;
mod look_ups;
mod pass;
mod place;
mod rows;
mod switch;

pub use answers::{Compared, Verify};
pub use pass::Tally;
pub use place::Place;
pub use switch::{Outcome, undo};

use crate::engines::{EngineStore, EnginesError};
use crate::tokens::{TokenStore, TokensError};
use rollbook_core::id::{App, Stream};
use rollbook_store::StoreError;
use rollbook_store::postgres::ConnectError;
use rollbook_store::sqlite::OpenError;
use rollbook_store::transfer::Transfer;
use std::sync::Arc;

/// The two ends of a move.
pub struct Ends {
    /// What is moved. Only its mark is written.
    pub source: Arc<dyn Transfer>,
    /// What is beside it.
    pub source_beside: Beside,
    /// Where to.
    pub target: Arc<dyn Transfer>,
    /// What is beside it: the same as at the source, once that is copied.
    pub target_beside: Beside,
}

/// What is kept beside a ledger, and goes with it.
#[derive(Clone)]
pub struct Beside {
    /// Who may do what.
    pub tokens: Arc<dyn TokenStore>,
    /// The meeting engines that were added.
    pub engines: Arc<dyn EngineStore>,
}

/// Hears how a move gets on.
pub trait Progress: Send + Sync {
    /// Something else begins.
    fn begin(&self, what: &str);
    /// So many more are done, of what began last.
    fn advance(&self, count: u64);
}

/// Why a move was not done. Unless it says otherwise the source goes on as before, and the same command goes on where this one stopped.
#[derive(Debug, thiserror::Error)]
pub enum MigrateError {
    /// A folder can't be used.
    #[error(transparent)]
    Folder(#[from] OpenError),
    /// A database can't be used.
    #[error(transparent)]
    Database(#[from] ConnectError),
    /// Tokens can't be read or written.
    #[error("tokens: {0}")]
    Tokens(#[from] TokensError),
    /// Added engines can't be read or written.
    #[error("engines: {0}")]
    Engines(#[from] EnginesError),
    /// One of the ends fails.
    #[error("{place}: {cause}")]
    Store {
        /// Which.
        place: String,
        /// How.
        cause: StoreError,
    },
    /// The ends, as they are, don't go together.
    #[error("{0}")]
    Refused(String),
    /// The target has what the source has not.
    #[error("{target} is no part of a copy of {source_place}: {what}. Choose a target that is empty")]
    Foreign {
        /// The target.
        target: String,
        /// The source.
        source_place: String,
        /// What it has.
        what: String,
    },
    /// The ends should be equal, and are not.
    #[error("the two ends differ: {0}")]
    Differs(String),
    /// A signal came while the source was closed.
    #[error("stopped by a signal")]
    Stopped,
    /// The switch broke off where the source can't just be opened again.
    #[error("{cause}. {source_place} takes no events: run the same command again to finish the switch, or with --undo to go on there")]
    Closed {
        /// The source.
        source_place: String,
        /// Why.
        cause: Box<Self>,
    },
}

impl MigrateError {
    fn at(end: &Arc<dyn Transfer>) -> impl Fn(StoreError) -> Self {
        let place = end.place().to_owned();
        move |cause| Self::Store { place: place.clone(), cause }
    }
}

impl Ends {
    fn foreign(&self, what: String) -> MigrateError {
        MigrateError::Foreign { target: self.target.place().into(), source_place: self.source.place().into(), what }
    }
}

fn named(app: &App, stream: Stream) -> String {
    format!("{stream} of {}/{}", app.account(), app.app())
}
