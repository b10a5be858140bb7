//! What is kept of an engine that was added by command: the same in the file and in the database.

use super::seal::{Place, SealError, SealKeys};
use crate::config::{SecretError, SecretPlace};
use rollbook_core::id::App;
use rollbook_ingest::engine::{self, Engine, Secret, Settings, SettingsError};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;
use std::sync::Arc;

/// An engine of one app, as `rollbook engine add` was told of it.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AddedEngine {
    /// The account.
    pub account: String,
    /// The app.
    pub app: String,
    /// The engine's name, as it stands in the address that takes its deliveries.
    pub engine: String,
    /// Its secrets; several while one takes over from another.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub secrets: Vec<AddedSecret>,
    /// The engine's own options.
    #[serde(default, skip_serializing_if = "toml::Table::is_empty")]
    pub options: toml::Table,
    /// The text of the mapping file that says how to translate it, where rollbook does not know it by name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mapping: Option<String>,
    /// When it was added (RFC 3339).
    pub added_at: String,
}

/// A secret of an added engine.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AddedSecret {
    /// The id by which deliveries name it, such as an API key; empty where they name none.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub id: String,
    /// Where servers find it.
    #[serde(rename = "in")]
    pub place: SecretIn,
}

/// Where servers find a secret. Nowhere is it kept in the clear.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SecretIn {
    /// In an environment variable of each server.
    Env(String),
    /// In a file on each server's machine.
    File(PathBuf),
    /// Here, sealed with a key that each server has.
    Sealed(String),
}

/// Why an added engine can't be used.
#[derive(Debug, thiserror::Error)]
pub enum UnusableEngine {
    /// A secret is not where it should be.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// A sealed secret can't be opened.
    #[error(transparent)]
    Sealed(#[from] SealError),
    /// Its settings are wrong.
    #[error(transparent)]
    Settings(#[from] SettingsError),
}

impl AddedEngine {
    /// What tells it from all others.
    pub(super) fn key(&self) -> (&str, &str, &str) {
        (&self.account, &self.app, &self.engine)
    }

    /// Whether its names can be those of an account, an app and an engine.
    pub(super) fn check(&self) -> Result<(), String> {
        App::new(&self.account, &self.app).map_err(|error| error.to_string())?;
        let sound = (1..=64).contains(&self.engine.chars().count()) && !self.engine.chars().any(|c| c.is_control() || c == '/');
        if sound { Ok(()) } else { Err("engine: 1 to 64 characters, no '/' and no control characters".to_owned()) }
    }

    /// The engine, with its secrets as they are found now.
    ///
    /// # Errors
    /// Where a secret is not to be had, or its settings are wrong.
    pub fn open(&self, keys: Option<&SealKeys>) -> Result<Arc<dyn Engine>, UnusableEngine> {
        let secret = |secret: &AddedSecret| self.secret(secret, keys);
        let secrets = self.secrets.iter().map(secret).collect::<Result<_, _>>()?;
        Ok(self.with(secrets)?)
    }

    /// The engine without its secrets: it translates, and verifies nothing.
    ///
    /// # Errors
    /// Where its settings are wrong.
    pub fn translator(&self) -> Result<Arc<dyn Engine>, SettingsError> {
        self.with(Vec::new())
    }

    fn with(&self, secrets: Vec<Secret>) -> Result<Arc<dyn Engine>, SettingsError> {
        engine::open(&self.engine, &Settings { secrets, options: self.options.clone(), mapping: self.mapping.clone() })
    }

    fn secret(&self, AddedSecret { id, place }: &AddedSecret, keys: Option<&SealKeys>) -> Result<Secret, UnusableEngine> {
        let elsewhere = |secret_env, secret_file| SecretPlace { id: id.clone(), secret_env, secret_file }.read();
        let secret = match place {
            SecretIn::Env(variable) => elsewhere(Some(variable.clone()), None)?,
            SecretIn::File(path) => elsewhere(None, Some(path.clone()))?,
            SecretIn::Sealed(sealed) => keys.ok_or(SealError::NoKey)?.open(sealed, &self.place_of(id))?,
        };
        Ok(Secret::new(id, &secret))
    }

    /// Where a secret of it belongs: sealed, it can be opened nowhere else.
    pub fn place_of<'a>(&'a self, id: &'a str) -> Place<'a> {
        Place { account: &self.account, app: &self.app, engine: &self.engine, id }
    }
}
