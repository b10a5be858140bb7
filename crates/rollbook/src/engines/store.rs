//! Where engines are kept that were added by command, in words that hold for every such place.

use super::AddedEngine;
use crate::whole_file::FileError;
use async_trait::async_trait;
use rollbook_store::StoreError;

/// Why added engines could not be read or changed.
#[derive(Debug, thiserror::Error)]
pub enum EnginesError {
    /// The file system said no.
    #[error(transparent)]
    File(#[from] FileError),
    /// What is there is not what an engine command writes.
    #[error("{place} is damaged: {cause}")]
    Damaged {
        /// The file, or the table.
        place: String,
        /// What is wrong with it.
        cause: String,
    },
    /// The database said no, or is away.
    #[error(transparent)]
    Database(#[from] StoreError),
    /// The names can't be those of an account, an app and an engine.
    #[error("{0}")]
    BadNames(String),
    /// The process is ending.
    #[error("stopped before it was done")]
    Stopped(#[from] tokio::task::JoinError),
}

/// A place where added engines are kept: of each app at most one of a name. Any number of processes may use it at once, and none undoes
/// another's work.
#[async_trait]
pub trait EngineStore: Send + Sync + 'static {
    /// Puts an engine in the place of `before`, which has the same names; none: where there is no engine of its names. Returns whether it
    /// is there: it is not where something else was. Returns once it is on disk.
    async fn put(&self, engine: &AddedEngine, before: Option<&AddedEngine>) -> Result<bool, EnginesError>;

    /// Removes an app's engine of a name; one that is not there is removed already. Returns once that is on disk.
    async fn remove(&self, account: &str, app: &str, engine: &str) -> Result<(), EnginesError>;

    /// All engines, in the order in which they were first added. A place that was not made yet has none.
    async fn list(&self) -> Result<Vec<AddedEngine>, EnginesError>;

    /// Tells from now on of changes, however they were made.
    fn changes(&self) -> Box<dyn EngineChanges>;
}

/// What has become of added engines since one last looked.
#[async_trait]
pub trait EngineChanges: Send {
    /// All engines, where they may have changed since they were last told; else none. What was done before the call is told.
    async fn next(&mut self) -> Result<Option<Vec<AddedEngine>>, EnginesError>;
}
