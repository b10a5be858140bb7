//! Who may do what: tokens, of which only a hash is kept.

use rollbook_core::id::App;

/// What a token allows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Permission {
    /// Everything.
    RealtimeAdmin,
    /// Reading.
    Realtime,
    /// Writing events, and nothing else.
    Ingest,
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
