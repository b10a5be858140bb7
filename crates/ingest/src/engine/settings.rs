//! What an app's settings say of one engine.

use serde::de::DeserializeOwned;
use std::fmt;
use subtle::ConstantTimeEq;

/// A secret that is shared with an engine, or a key to check its signatures by. It is never shown.
#[derive(Clone)]
pub struct Secret {
    id: Box<str>,
    bytes: Box<[u8]>,
}

impl Secret {
    /// A secret under the id by which deliveries name it; the empty id where they name none.
    #[must_use]
    pub fn new(id: &str, secret: &str) -> Self {
        Self { id: id.into(), bytes: secret.as_bytes().into() }
    }

    /// The id by which deliveries name it.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The secret as the text that it was given as.
    pub(crate) fn text(&self) -> Option<&str> {
        std::str::from_utf8(&self.bytes).ok()
    }
}

impl PartialEq for Secret {
    fn eq(&self, other: &Self) -> bool {
        self.id == other.id && self.bytes.ct_eq(&other.bytes).into()
    }
}

impl Eq for Secret {}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Secret({:?}, …)", self.id)
    }
}

/// What an app's settings say of one engine.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Settings {
    /// The secrets; several while one takes over from another.
    pub secrets: Vec<Secret>,
    /// The engine's own options.
    pub options: toml::Table,
    /// A mapping for an engine that has no name here: the text of its file.
    pub mapping: Option<String>,
}

/// What is wrong with an engine's settings.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum SettingsError {
    /// An option that the engine has not, or a value that it can't have.
    #[error("options: {0}")]
    Options(String),
    /// A secret that can't be one.
    #[error("secrets: {0}")]
    Secrets(String),
    /// A mapping that can't be read.
    #[error("mapping: {0}")]
    Mapping(String),
    /// No engine of this name, and no mapping for one.
    #[error("no engine is called {name:?}: there are {}; another needs a mapping_file", known.join(", "))]
    Unknown {
        /// The name.
        name: String,
        /// The names that there are.
        known: Vec<&'static str>,
    },
}

impl Settings {
    /// The options as an engine's own type.
    pub(crate) fn read_options<T: DeserializeOwned>(&self) -> Result<T, SettingsError> {
        self.options.clone().try_into().map_err(|error: toml::de::Error| SettingsError::Options(error.message().to_owned()))
    }

    /// The secrets, none of which may be empty: an empty secret would let in whoever guesses that.
    pub(crate) fn checked_secrets(&self) -> Result<Vec<Secret>, SettingsError> {
        match self.secrets.iter().find(|secret| secret.bytes.is_empty()) {
            Some(empty) => Err(SettingsError::Secrets(format!("the secret {:?} is empty", empty.id))),
            None => Ok(self.secrets.clone()),
        }
    }
}
