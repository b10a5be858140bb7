//! Making and revoking tokens: what the `token` commands do.

use super::record::check_ids;
use super::{Digest, Grant, TokenRecord, TokenStore, TokensError, secret};
use rollbook_core::time::Timestamp;

/// A token that was just made: the only time that it is known.
pub struct Issued {
    /// Its public id.
    pub id: String,
    /// The token itself.
    pub token: String,
}

/// Makes a token and stores its digest.
///
/// # Errors
/// Where the ids can't be those of an account and an app, or tokens can't be read or written; then nobody has learnt of a token.
pub async fn create(store: &dyn TokenStore, grant: Grant, now: Timestamp) -> Result<Issued, TokensError> {
    check_ids(&grant.account, grant.app.as_deref())?;
    let token = secret::new_token()?;
    loop {
        let id = secret::new_id()?;
        let record = TokenRecord { id: id.clone(), digest: Digest::of(&token), grant: grant.clone(), created_at: now };
        if store.add(&record).await? {
            return Ok(Issued { id, token });
        }
    }
}

/// Takes a token back. Running servers refuse it within a second.
///
/// # Errors
/// Where no token has this id, or tokens can't be read or written.
pub async fn revoke(store: &dyn TokenStore, id: &str) -> Result<(), TokensError> {
    // Looked up before, so that a slip in the id or the folder creates nothing.
    if store.list().await?.iter().any(|token| token.id == id) { store.remove(id).await } else { Err(TokensError::UnknownId(id.to_owned())) }
}
