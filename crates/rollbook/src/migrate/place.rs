//! Where a ledger is, as the command line names it.

use super::MigrateError;
use crate::clock;
use crate::tokens::{TokenFile, TokenStore, TokenTable};
use rollbook_store::PostgresOptions;
use rollbook_store::postgres::PostgresTransfer;
use rollbook_store::sqlite::SqliteTransfer;
use rollbook_store::transfer::Transfer;
use std::fmt;
use std::path::PathBuf;
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
    /// Opens it to be moved away, with its tokens.
    ///
    /// # Errors
    /// Where there is no ledger that can be read.
    pub async fn source(&self) -> Result<(Arc<dyn Transfer>, Arc<dyn TokenStore>), MigrateError> {
        Ok(match self {
            Self::Folder(dir) => (Arc::new(SqliteTransfer::source(dir, Arc::new(clock::now))?), Arc::new(TokenFile::new(dir))),
            Self::Postgres(url) => with_tokens(PostgresTransfer::source(url, PostgresOptions::default()).await?),
        })
    }

    /// Opens it to be filled, with its tokens; makes it where there is none.
    ///
    /// # Errors
    /// Where it can't be written to, or another process does.
    pub async fn target(&self) -> Result<(Arc<dyn Transfer>, Arc<dyn TokenStore>), MigrateError> {
        Ok(match self {
            Self::Folder(dir) => (Arc::new(SqliteTransfer::target(dir, Arc::new(clock::now))?), Arc::new(TokenFile::new(dir))),
            Self::Postgres(url) => with_tokens(PostgresTransfer::target(url, PostgresOptions::default()).await?),
        })
    }
}

fn with_tokens(end: PostgresTransfer) -> (Arc<dyn Transfer>, Arc<dyn TokenStore>) {
    let tokens = TokenTable::new(end.tokens());
    (Arc::new(end), Arc::new(tokens))
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
