//! Where the ledger is kept.

use serde::Deserialize;
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

/// Where the ledger is kept: in the data folder, or in a database that any number of nodes share.
#[derive(Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(try_from = "String")]
pub enum StorePlace {
    /// SQLite in the data folder.
    #[default]
    Folder,
    /// PostgreSQL, by its URL, which may hold a password.
    Postgres(String),
}

impl FromStr for StorePlace {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "sqlite" => Ok(Self::Folder),
            url if is_postgres(url) => Ok(Self::Postgres(url.into())),
            _ => Err("neither \"sqlite\" nor a postgres:// URL".into()),
        }
    }
}

impl TryFrom<String> for StorePlace {
    type Error = String;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

/// Without the URL: logs and messages have no business with its password.
impl fmt::Debug for StorePlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Folder => "sqlite",
            Self::Postgres(_) => "postgres",
        })
    }
}

/// A streaming replica of the database.
#[derive(Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(try_from = "String")]
pub enum ReplicaPlace {
    /// There is none.
    #[default]
    None,
    /// By its URL, which may hold a password.
    Postgres(String),
}

impl ReplicaPlace {
    /// The URL, where there is a replica.
    #[must_use]
    pub fn url(&self) -> Option<&str> {
        match self {
            Self::None => None,
            Self::Postgres(url) => Some(url),
        }
    }
}

impl FromStr for ReplicaPlace {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "none" => Ok(Self::None),
            url if is_postgres(url) => Ok(Self::Postgres(url.into())),
            _ => Err("neither \"none\" nor a postgres:// URL".into()),
        }
    }
}

impl TryFrom<String> for ReplicaPlace {
    type Error = String;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl fmt::Debug for ReplicaPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.url().map_or("none", |_| "postgres"))
    }
}

/// A file, or none.
#[derive(Clone, PartialEq, Eq, Default, Debug, Deserialize)]
#[serde(from = "String")]
pub struct FilePlace(pub Option<PathBuf>);

impl From<String> for FilePlace {
    fn from(text: String) -> Self {
        Self((text != "none").then(|| text.into()))
    }
}

impl FromStr for FilePlace {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(text.to_owned().into())
    }
}

fn is_postgres(url: &str) -> bool {
    url.starts_with("postgres://") || url.starts_with("postgresql://")
}
