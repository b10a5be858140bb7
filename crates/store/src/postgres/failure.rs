//! What can go wrong with a database at a distance, and for how long to try again.

use crate::contract::{AppendError, StoreError};
use deadpool_postgres::{HookError, PoolError};
use std::error::Error as _;
use std::fmt;
use std::time::Duration;
use tokio::time::Instant;
use tokio_postgres::Error;
use tokio_postgres::error::SqlState;

pub(super) const SILENT: &str = "the database does not answer";

/// Why something was not done.
#[derive(Debug)]
pub(super) enum Failure {
    /// It can be done again on another connection, or when the database is back.
    Passing(String),
    /// Doing it again would fail again.
    Lasting(StoreError),
}

impl Failure {
    /// What is stored can't be what was written.
    pub(super) fn damaged(text: impl Into<String>) -> Self {
        Self::Lasting(StoreError::Damaged(text.into()))
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Passing(text) => f.write_str(text),
            Self::Lasting(error) => error.fmt(f),
        }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let text = describe(&error);
        let Some(state) = error.code() else {
            // A value that can't be read is in the row; all else without a state is the connection's.
            let unread = error.source().is_some_and(|source| source.is::<tokio_postgres::types::WrongType>());
            return if unread { Self::damaged(text) } else { Self::Passing(text) };
        };
        if passes(state) { Self::Passing(text) } else { Self::Lasting(told(state, text)) }
    }
}

impl From<PoolError> for Failure {
    fn from(error: PoolError) -> Self {
        match error {
            PoolError::Backend(error) | PoolError::PostCreateHook(HookError::Backend(error)) => error.into(),
            other => Self::Passing(other.to_string()),
        }
    }
}

impl From<tokio::time::error::Elapsed> for Failure {
    fn from(_: tokio::time::error::Elapsed) -> Self {
        Self::Passing(SILENT.into())
    }
}

fn told(state: &SqlState, text: String) -> StoreError {
    let damaged = [SqlState::DATA_CORRUPTED, SqlState::INDEX_CORRUPTED].contains(state);
    if damaged { StoreError::Damaged(text) } else { StoreError::Unavailable(text) }
}

/// Whether the same may succeed in a moment: another transaction was in the way, or the server is going, coming or changing its role.
fn passes(state: &SqlState) -> bool {
    let class = state.code().get(..2).unwrap_or_default();
    ["08", "40", "57"].contains(&class)
        || [
            SqlState::TOO_MANY_CONNECTIONS,
            // Credentials are being replaced: the next connection is made with those that are in the files then.
            SqlState::INVALID_PASSWORD,
            SqlState::INVALID_AUTHORIZATION_SPECIFICATION,
            SqlState::LOCK_NOT_AVAILABLE,
            SqlState::READ_ONLY_SQL_TRANSACTION,
            SqlState::IDLE_IN_TRANSACTION_SESSION_TIMEOUT,
            SqlState::OUT_OF_MEMORY,
        ]
        .contains(state)
}

/// The error with its causes: the driver's own text is only the outermost.
pub(super) fn describe(error: &Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text.push_str(&format!(": {cause}"));
        next = cause.source();
    }
    text
}

/// How long one call goes on trying.
pub(super) struct Patience {
    deadline: Instant,
    pause: Duration,
}

impl Patience {
    const FIRST_PAUSE: Duration = Duration::from_millis(5);
    const LONGEST_PAUSE: Duration = Duration::from_millis(500);

    pub(super) fn until(deadline: Instant) -> Self {
        Self { deadline, pause: Self::FIRST_PAUSE }
    }

    /// Moves the end.
    pub(super) fn extend(&mut self, deadline: Instant) {
        self.deadline = deadline;
    }

    /// Does one try, which must be safe to abandon half-way.
    pub(super) async fn bound<T>(&self, attempt: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
        tokio::time::timeout_at(self.deadline, attempt).await?
    }

    /// Waits before the next try, not past the end.
    pub(super) async fn pause(&mut self) {
        tokio::time::sleep_until(self.deadline.min(Instant::now() + self.pause)).await;
        self.pause = (self.pause * 2).min(Self::LONGEST_PAUSE);
    }

    /// Waits before the next try.
    ///
    /// # Errors
    /// Where there is no use in one, or no time for it.
    pub(super) async fn after(&mut self, failure: Failure) -> Result<(), StoreError> {
        match failure {
            Failure::Lasting(error) => Err(error),
            Failure::Passing(text) if Instant::now() + self.pause >= self.deadline => Err(StoreError::Unavailable(text)),
            Failure::Passing(text) => {
                tracing::debug!(%text, "trying again");
                self.pause().await;
                Ok(())
            }
        }
    }
}

/// What a caller is told who waited to the end of its patience.
pub(super) fn silent() -> StoreError {
    StoreError::Unavailable(SILENT.into())
}

/// What a caller is told whose task ended without an answer.
pub(super) fn stopped() -> StoreError {
    StoreError::Unavailable("the store is stopping".into())
}

/// What a caller is told of an append whose fate is open.
pub(super) fn undecided(text: impl Into<String>) -> AppendError {
    AppendError::Store(StoreError::Unavailable(text.into()))
}
