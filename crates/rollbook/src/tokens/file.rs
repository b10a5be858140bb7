//! The tokens file: its format, and how it is read and changed.

use super::record::StoredRecord;
use super::{TokenChanges, TokenRecord, TokenStore, TokensError};
use crate::whole_file::{Changes, WholeFile, aside};
use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::path::Path;

/// The name of the tokens file in the data folder.
pub const TOKENS_FILE: &str = "tokens.json";
const VERSION: u32 = 1;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Stored {
    version: u32,
    tokens: Vec<StoredRecord>,
}

/// The tokens of a data folder, which needs not exist yet.
pub struct TokenFile(WholeFile);

impl TokenFile {
    /// Those of the folder.
    #[must_use]
    pub fn new(dir: &Path) -> Self {
        Self(WholeFile::new(dir, TOKENS_FILE))
    }
}

#[async_trait]
impl TokenStore for TokenFile {
    async fn add(&self, token: &TokenRecord) -> Result<bool, TokensError> {
        let (file, token) = (self.0.clone(), token.clone());
        let added = move |tokens: &mut Vec<TokenRecord>| {
            let new = tokens.iter().all(|known| known.id != token.id);
            if new {
                tokens.push(token);
            }
            new
        };
        aside(move || edit(&file, added)).await
    }

    async fn remove(&self, id: &str) -> Result<(), TokensError> {
        let (file, id) = (self.0.clone(), id.to_owned());
        aside(move || edit(&file, |tokens| tokens.retain(|token| token.id != id))).await
    }

    async fn list(&self) -> Result<Vec<TokenRecord>, TokensError> {
        let file = self.0.clone();
        aside(move || parse(&file, file.read().bytes?.as_deref())).await
    }

    fn changes(&self) -> Box<dyn TokenChanges> {
        Box::new(Changes::new(self.0.clone(), parse))
    }
}

#[async_trait]
impl TokenChanges for Changes<Vec<TokenRecord>, TokensError> {
    async fn next(&mut self) -> Result<Option<Vec<TokenRecord>>, TokensError> {
        Changes::next(self).await
    }
}

/// All of the file or nothing: a file with one bad entry was not written by us, so none of it can be trusted. No file is no tokens.
fn parse(file: &WholeFile, bytes: Option<&[u8]>) -> Result<Vec<TokenRecord>, TokensError> {
    bytes.map_or(Ok(Vec::new()), tokens_of).map_err(|cause| TokensError::Damaged { place: file.path().display().to_string(), cause })
}

fn tokens_of(bytes: &[u8]) -> Result<Vec<TokenRecord>, String> {
    let stored: Stored = serde_json::from_slice(bytes).map_err(|cause| cause.to_string())?;
    if stored.version != VERSION {
        return Err(format!("version {} is not known to this rollbook (it knows {VERSION})", stored.version));
    }
    let mut ids = BTreeSet::new();
    stored
        .tokens
        .into_iter()
        .map(|token| {
            let token = TokenRecord::try_from(token)?;
            if ids.insert(token.id.clone()) { Ok(token) } else { Err(format!("the id {:?} occurs twice", token.id)) }
        })
        .collect()
}

/// Reads the tokens, lets `change` alter them, and replaces the file.
fn edit<T>(file: &WholeFile, change: impl FnOnce(&mut Vec<TokenRecord>) -> T) -> Result<T, TokensError> {
    file.edit(|bytes| {
        let mut tokens = parse(file, bytes.as_deref())?;
        let outcome = change(&mut tokens);
        Ok((render(&tokens)?, outcome))
    })
}

fn render(tokens: &[TokenRecord]) -> Result<String, TokensError> {
    let stored = Stored { version: VERSION, tokens: tokens.iter().map(StoredRecord::from).collect() };
    let text = serde_json::to_string_pretty(&stored);
    text.map(|text| text + "\n").map_err(|cause| TokensError::Damaged { place: TOKENS_FILE.into(), cause: cause.to_string() })
}

#[cfg(test)]
mod tests;
