//! What is known of a token, and how that is written down: the same in the file and in the database.

use super::{Digest, Grant, Permission};
use rollbook_core::id::App;
use rollbook_core::time::Timestamp;
use serde::{Deserialize, Serialize};

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

/// A record as it is written.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct StoredRecord {
    id: String,
    sha256: Digest,
    account: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    app: Option<String>,
    permission: Permission,
    created_at: String,
}

impl From<&TokenRecord> for StoredRecord {
    fn from(token: &TokenRecord) -> Self {
        Self {
            id: token.id.clone(),
            sha256: token.digest,
            account: token.grant.account.clone(),
            app: token.grant.app.clone(),
            permission: token.grant.permission,
            created_at: token.created_at.to_rfc3339_micros(),
        }
    }
}

impl TryFrom<StoredRecord> for TokenRecord {
    type Error = String;

    fn try_from(token: StoredRecord) -> Result<Self, String> {
        check_ids(&token.account, token.app.as_deref()).map_err(|cause| cause.to_string())?;
        let created_at = Timestamp::parse_rfc3339(&token.created_at).map_err(|cause| format!("created_at: {cause}"))?;
        let grant = Grant { account: token.account, app: token.app, permission: token.permission };
        Ok(Self { id: token.id, digest: token.sha256, grant, created_at })
    }
}

/// Whether these can be the ids of an account and, where given, an app.
pub(super) fn check_ids(account: &str, app: Option<&str>) -> Result<(), rollbook_core::id::AppError> {
    // Any app's id does for the check of an account's alone.
    App::new(account, app.unwrap_or("any")).map(drop)
}
