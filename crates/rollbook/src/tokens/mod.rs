//! Who may do what: tokens, of which only a hash is kept.
//!
//! They live in a file of their own in the data folder, beside whatever store is there: a token can be made before any server ran,
//! and revoked while one runs.

mod file;
mod issue;
mod live;
mod secret;

pub use file::{TOKENS_FILE, TokensError};
pub use issue::{Issued, create, list, revoke};
pub use live::TokenFile;
pub use secret::Digest;

use rollbook_core::id::App;
use rollbook_core::time::Timestamp;
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

/// What is known of a token: everything but the token.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TokenRecord {
    /// The public id, to revoke it by.
    pub id: String,
    /// SHA-256 of the token.
    pub digest: Digest,
    /// Whom it belongs to and what it allows.
    pub grant: Grant,
    /// When it was made.
    pub created_at: Timestamp,
}
