//! Where tokens are kept, in words that hold for every such place.

use super::TokenRecord;
use crate::whole_file::FileError;
use async_trait::async_trait;
use rollbook_store::StoreError;

/// Why tokens could not be read or changed.
#[derive(Debug, thiserror::Error)]
pub enum TokensError {
    /// The file system said no.
    #[error(transparent)]
    File(#[from] FileError),
    /// What is there is not what a token command writes.
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
    /// The ids can't be those of an account and an app.
    #[error(transparent)]
    BadIds(#[from] rollbook_core::id::AppError),
    /// No token has this id.
    #[error("no token has the id {0:?}; `rollbook token list` shows them")]
    UnknownId(String),
    /// The system gives no random numbers.
    #[error("no random numbers: {0}")]
    Random(#[from] getrandom::Error),
    /// The process is ending.
    #[error("stopped before it was done")]
    Stopped(#[from] tokio::task::JoinError),
}

/// A place where tokens are kept. Any number of processes may use it at once, and none undoes another's work.
#[async_trait]
pub trait TokenStore: Send + Sync + 'static {
    /// Adds a token. Returns whether it did: it does not where another has its id. Returns once it is on disk.
    async fn add(&self, token: &TokenRecord) -> Result<bool, TokensError>;

    /// Removes the token of an id; one that is not there is removed already. Returns once that is on disk.
    async fn remove(&self, id: &str) -> Result<(), TokensError>;

    /// All tokens, in the order in which they were added. A place that was not made yet has none.
    async fn list(&self) -> Result<Vec<TokenRecord>, TokensError>;

    /// Tells from now on of changes, however they were made.
    fn changes(&self) -> Box<dyn TokenChanges>;
}

/// What has become of tokens since one last looked.
#[async_trait]
pub trait TokenChanges: Send {
    /// All tokens, where they may have changed since they were last told; else none. What was done before the call is told.
    async fn next(&mut self) -> Result<Option<Vec<TokenRecord>>, TokensError>;
}
