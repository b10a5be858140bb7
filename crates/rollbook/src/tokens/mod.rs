//! Who may do what: tokens, of which only a hash is kept.
//!
//! They live in a file of their own in the data folder, or in the database that several nodes share: a token can be made before any server
//! ran, and revoked while one runs.

mod database;
mod file;
mod issue;
mod known;
mod record;
mod secret;
mod store;
#[cfg(test)]
mod suite;

pub use database::TokenTable;
pub use file::{TOKENS_FILE, TokenFile};
pub use issue::{Issued, create, revoke};
pub use known::KnownTokens;
pub use record::TokenRecord;
pub use secret::Digest;
pub use store::{TokenChanges, TokenStore, TokensError};

use rollbook_core::id::App;
use serde::{Deserialize, Serialize};
use std::fmt;

/// What a token allows.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
#[value(rename_all = "snake_case")]
pub enum Permission {
    /// Everything.
    RealtimeAdmin,
    /// Reading.
    Realtime,
    /// Writing events, and nothing else.
    Ingest,
}

impl fmt::Display for Permission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::RealtimeAdmin => "realtime_admin",
            Self::Realtime => "realtime",
            Self::Ingest => "ingest",
        })
    }
}

/// Whom a token belongs to and what it allows.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Grant {
    /// The account.
    pub account: String,
    /// The only app that it is for; none: all of the account's.
    pub app: Option<String>,
    /// What it allows.
    pub permission: Permission,
}

impl Grant {
    /// Whether the token is one for this app at all; where it is not, the app does not exist for its bearer.
    #[must_use]
    pub fn covers(&self, app: &App) -> bool {
        self.account == app.account() && self.app.as_deref().is_none_or(|only| only == app.app())
    }
}
