//! Tokens in the ledger's database, for all of its nodes.

use super::record::StoredRecord;
use super::{TokenChanges, TokenRecord, TokenStore, TokensError};
use async_trait::async_trait;
use rollbook_store::postgres::{PostgresTokens, StoredToken, TokenSet};
use uuid::Uuid;

/// The tokens of a database.
pub struct TokenTable(PostgresTokens);

impl TokenTable {
    /// Those beside a ledger.
    #[must_use]
    pub fn new(tokens: PostgresTokens) -> Self {
        Self(tokens)
    }
}

#[async_trait]
impl TokenStore for TokenTable {
    async fn add(&self, token: &TokenRecord) -> Result<bool, TokensError> {
        let record = serde_json::to_string(&StoredRecord::from(token)).map_err(|cause| damaged(&cause.to_string()))?;
        Ok(self.0.add(StoredToken { id: token.id.clone(), digest: *token.digest.bytes(), record }).await?)
    }

    async fn remove(&self, id: &str) -> Result<(), TokensError> {
        Ok(self.0.remove(id).await?)
    }

    async fn list(&self) -> Result<Vec<TokenRecord>, TokensError> {
        self.0.unless(None).await?.map_or(Ok(Vec::new()), |set| read(&set))
    }

    fn changes(&self) -> Box<dyn TokenChanges> {
        Box::new(Changes { tokens: self.0.clone(), told: None })
    }
}

struct Changes {
    tokens: PostgresTokens,
    /// The version that was told.
    told: Option<Uuid>,
}

#[async_trait]
impl TokenChanges for Changes {
    async fn next(&mut self) -> Result<Option<Vec<TokenRecord>>, TokensError> {
        let Some(set) = self.tokens.unless(self.told).await? else { return Ok(None) };
        let tokens = read(&set)?;
        self.told = Some(set.version);
        Ok(Some(tokens))
    }
}

/// All of them or none: a record that can't be read was not written by us, so the others can't be trusted.
fn read(set: &TokenSet) -> Result<Vec<TokenRecord>, TokensError> {
    let record = |text: &String| {
        let stored: StoredRecord = serde_json::from_str(text).map_err(|cause| damaged(&cause.to_string()))?;
        TokenRecord::try_from(stored).map_err(|cause| damaged(&cause))
    };
    set.records.iter().map(record).collect()
}

fn damaged(cause: &str) -> TokensError {
    TokensError::Damaged { place: "the table of tokens".into(), cause: cause.into() }
}
