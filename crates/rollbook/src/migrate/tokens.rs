//! Tokens go with their ledger: whoever had access has it at the target, and whose token was revoked has none there.

use super::{Ends, MigrateError};

impl Ends {
    /// Makes the target's tokens those of the source. Returns how many there are.
    pub(super) async fn copy_tokens(&self) -> Result<u64, MigrateError> {
        let (wanted, found) = (self.source_tokens.list().await?, self.target_tokens.list().await?);
        for other in found.iter().filter(|token| !wanted.contains(token)) {
            self.target_tokens.remove(&other.id).await?;
        }
        for missing in wanted.iter().filter(|token| !found.contains(token)) {
            if !self.target_tokens.add(missing).await? {
                return Err(MigrateError::Refused(format!("{}: another just made the token {}", self.target.place(), missing.id)));
            }
        }
        Ok(wanted.len() as u64)
    }
}
