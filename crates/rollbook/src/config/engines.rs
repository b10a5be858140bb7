//! The engines of each app, with references to their secrets: a settings file holds none itself.

use super::FilePlace;
use serde::Deserialize;
use std::num::NonZeroU16;
use std::path::{Path, PathBuf};

/// One engine of one app, as an `[[engines]]` table says it.
#[derive(Clone, PartialEq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EngineEntry {
    /// The account.
    pub account: String,
    /// The app.
    pub app: String,
    /// The engine's name, as it stands in the address that takes its deliveries.
    pub engine: String,
    /// Where its secrets are; several while one takes over from another.
    #[serde(default)]
    pub secrets: Vec<SecretPlace>,
    /// The engine's own options.
    #[serde(default)]
    pub options: toml::Table,
    /// A file that says how to translate an engine that rollbook does not know by name.
    pub mapping_file: Option<PathBuf>,
    /// Where the key is fetched by which deliveries are checked, of an engine that publishes it.
    pub key_url: Option<String>,
    /// Where to ask the engine who is in, to mend what its deliveries lost.
    pub poll: Option<PollEntry>,
}

/// Where and how often an engine is asked who is in.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PollEntry {
    /// The addresses of its servers: all that report to this app, since whoever is on none of them is out.
    pub urls: Vec<String>,
    /// How many seconds lie between two polls.
    #[serde(default = "PollEntry::usual_seconds")]
    pub seconds: NonZeroU16,
    /// Where the secrets are that asking takes; those that deliveries are judged by, where none are given.
    #[serde(default)]
    pub secrets: Vec<SecretPlace>,
}

impl PollEntry {
    fn usual_seconds() -> NonZeroU16 {
        NonZeroU16::MIN.saturating_add(29)
    }
}

/// Where a secret is.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SecretPlace {
    /// The id by which deliveries name it, such as an API key; empty where they name none.
    #[serde(default)]
    pub id: String,
    /// The environment variable that holds it.
    pub secret_env: Option<String>,
    /// The file that holds it; a line break at its end is no part of it.
    pub secret_file: Option<PathBuf>,
}

/// Why a secret can't be had.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// The reference names no place, or two.
    #[error("secrets: each needs either secret_env or secret_file")]
    Place,
    /// The variable is not there.
    #[error("secret_env: the variable {0} is not set, or is no text")]
    Variable(String),
    /// The file can't be read.
    #[error("secret_file: can't read {}: {cause}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        cause: std::io::Error,
    },
    /// The file with the keys that seal secrets can't be read.
    #[error("engines_key_file: can't read {}: {cause}", path.display())]
    KeyFile {
        /// The file.
        path: PathBuf,
        /// Why.
        cause: std::io::Error,
    },
    /// The keys that seal secrets are in two places.
    #[error("engines_key_file and ROLLBOOK_ENGINES_KEY are both set: only one can be")]
    TwoKeys,
}

/// The keys that seal secrets of engines, as text: those of the variable `ROLLBOOK_ENGINES_KEY`, or of the file that a setting names.
///
/// # Errors
/// Where the file can't be read, or both are there.
pub fn engines_keys(place: &FilePlace) -> Result<Option<String>, SecretError> {
    match (variable_named("ROLLBOOK_ENGINES_KEY"), &place.0) {
        (Some(_), Some(_)) => Err(SecretError::TwoKeys),
        (keys @ Some(_), None) => Ok(keys),
        (None, Some(path)) => file(path).map(Some).map_err(|error| match error {
            SecretError::File { path, cause } => SecretError::KeyFile { path, cause },
            other => other,
        }),
        (None, None) => Ok(None),
    }
}

impl SecretPlace {
    /// The secret itself.
    ///
    /// # Errors
    /// Where it is not in its place.
    pub fn read(&self) -> Result<String, SecretError> {
        match (&self.secret_env, &self.secret_file) {
            (Some(variable), None) => variable_named(variable).ok_or_else(|| SecretError::Variable(variable.clone())),
            (None, Some(path)) => file(path),
            _ => Err(SecretError::Place),
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "which variable holds a secret is itself a setting")]
fn variable_named(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

fn file(path: &Path) -> Result<String, SecretError> {
    let text = std::fs::read_to_string(path).map_err(|cause| SecretError::File { path: path.into(), cause })?;
    Ok(text.trim_end_matches(['\n', '\r']).to_owned())
}
