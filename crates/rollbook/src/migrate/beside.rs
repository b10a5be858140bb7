//! Tokens and added engines go with their ledger: whoever had access has it at the target, and whose token was revoked has none there.

use super::{Ends, MigrateError};

impl Ends {
    /// Makes the target's tokens those of the source. Returns how many there are.
    pub(super) async fn copy_tokens(&self) -> Result<u64, MigrateError> {
        let (source, target) = (&self.source_beside.tokens, &self.target_beside.tokens);
        let (wanted, found) = (source.list().await?, target.list().await?);
        for other in found.iter().filter(|token| !wanted.contains(token)) {
            target.remove(&other.id).await?;
        }
        for missing in wanted.iter().filter(|token| !found.contains(token)) {
            if !target.add(missing).await? {
                return Err(MigrateError::Refused(format!("{}: another just made the token {}", self.target.place(), missing.id)));
            }
        }
        Ok(wanted.len() as u64)
    }

    /// Makes the target's added engines those of the source, sealed secrets as they are. Returns how many there are.
    pub(super) async fn copy_engines(&self) -> Result<u64, MigrateError> {
        let (source, target) = (&self.source_beside.engines, &self.target_beside.engines);
        let (wanted, found) = (source.list().await?, target.list().await?);
        for other in found.iter().filter(|engine| !wanted.contains(engine)) {
            target.remove(&other.account, &other.app, &other.engine).await?;
        }
        for missing in wanted.iter().filter(|engine| !found.contains(engine)) {
            if !target.put(missing, None).await? {
                return Err(MigrateError::Refused(format!("{}: another just added {}", self.target.place(), missing.engine)));
            }
        }
        Ok(wanted.len() as u64)
    }
}
