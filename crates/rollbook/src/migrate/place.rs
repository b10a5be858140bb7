//! Where a ledger is, as the command line names it.

use super::{Beside, MigrateError};
use crate::clock;
use crate::engines::{EngineFile, EngineTable};
use crate::tokens::{TokenFile, TokenTable};
use rollbook_store::PostgresOptions;
use rollbook_store::postgres::PostgresTransfer;
use rollbook_store::sqlite::SqliteTransfer;
use rollbook_store::transfer::Transfer;
use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;

/// A data folder, or a database.
#[derive(Clone, PartialEq, Eq)]
pub enum Place {
    /// The ledger in this data folder.
    Folder(PathBuf),
    /// The ledger in the database at this address, which may hold a password.
    Postgres(String),
}

impl Place {
    /// Opens it to be moved away, with what is beside it.
    ///
    /// # Errors
    /// Where there is no ledger that can be read.
    pub async fn source(&self) -> Result<(Arc<dyn Transfer>, Beside), MigrateError> {
        Ok(match self {
            Self::Folder(dir) => (Arc::new(SqliteTransfer::source(dir, Arc::new(clock::now))?), beside(dir)),
            Self::Postgres(url) => in_database(PostgresTransfer::source(url, PostgresOptions::default()).await?),
        })
    }

    /// Opens it to be filled, with what is beside it; makes it where there is none.
    ///
    /// # Errors
    /// Where it can't be written to, or another process does.
    pub async fn target(&self) -> Result<(Arc<dyn Transfer>, Beside), MigrateError> {
        Ok(match self {
            Self::Folder(dir) => (Arc::new(SqliteTransfer::target(dir, Arc::new(clock::now))?), beside(dir)),
            Self::Postgres(url) => in_database(PostgresTransfer::target(url, PostgresOptions::default()).await?),
        })
    }
}

fn beside(dir: &Path) -> Beside {
    Beside { tokens: Arc::new(TokenFile::new(dir)), engines: Arc::new(EngineFile::new(dir)) }
}

fn in_database(end: PostgresTransfer) -> (Arc<dyn Transfer>, Beside) {
    let beside = Beside { tokens: Arc::new(TokenTable::new(end.tokens())), engines: Arc::new(EngineTable::new(end.engines())) };
    (Arc::new(end), beside)
}

impl FromStr for Place {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let database = text.starts_with("postgres://") || text.starts_with("postgresql://");
        Ok(if database { Self::Postgres(text.into()) } else { Self::Folder(text.into()) })
    }
}

/// Without the address: messages have no business with its password.
impl fmt::Debug for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Folder(dir) => dir.fmt(f),
            Self::Postgres(_) => f.write_str("postgres"),
        }
    }
}
