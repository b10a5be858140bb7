//! Settings: default < file < environment < flag.
//!
//! [`Layer`] is one level of that, every setting optional; flags and environment come in as one through clap, which lets the flag win.

mod engines;
mod place;
mod seconds;
mod size;

pub use engines::{EngineEntry, PollEntry, SecretError, SecretPlace, engines_keys};
pub use place::{FilePlace, ReplicaPlace, StorePlace};
pub use seconds::Seconds;
pub use size::Size;

use clap::{Args, ValueEnum};
use serde::Deserialize;
use std::net::{Ipv4Addr, SocketAddr};
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};

/// The commented file of all settings with their defaults.
pub const DEFAULTS_FILE: &str = include_str!("defaults.toml");

/// What a server runs with.
#[derive(Clone, PartialEq, Debug)]
pub struct Settings {
    /// Where the HTTP API listens.
    pub listen: SocketAddr,
    /// Where metrics are fetched.
    pub metrics_listen: SocketAddr,
    /// The data folder.
    pub data: PathBuf,
    /// Where the ledger is kept.
    pub store: StorePlace,
    /// The replica that answers reads.
    pub read_store: ReplicaPlace,
    /// About how much memory folds and rosters may take.
    pub memory: Size,
    /// How many requests are worked on at once.
    pub max_concurrent_requests: NonZeroU32,
    /// Whether a Janus room of one name is the same meeting on every instance.
    pub janus_rooms_shared: bool,
    /// How long a Janus client may be gone before Janus notices.
    pub janus_silence: Seconds,
    /// How many days deliveries are kept that could not be translated; 0 is for ever.
    pub kept_days: u32,
    /// About how much of them is kept for one app.
    pub kept_size: Size,
    /// The file with the keys that seal the secrets of engines that were added by command.
    pub engines_key_file: FilePlace,
    /// What is logged.
    pub log_level: LogLevel,
    /// How it is logged.
    pub log_format: LogFormat,
    /// The engines of each app. Only a file can name them.
    pub engines: Vec<EngineEntry>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            listen: (Ipv4Addr::LOCALHOST, 8080).into(),
            metrics_listen: (Ipv4Addr::LOCALHOST, 9464).into(),
            data: "./rollbook-data".into(),
            store: StorePlace::Folder,
            read_store: ReplicaPlace::None,
            memory: Size(1 << 30),
            max_concurrent_requests: NonZeroU32::MIN.saturating_add(1023),
            janus_rooms_shared: false,
            janus_silence: Seconds(0),
            kept_days: 30,
            kept_size: Size(64 << 20),
            engines_key_file: FilePlace::default(),
            log_level: LogLevel::Info,
            log_format: LogFormat::Text,
            engines: Vec::new(),
        }
    }
}

/// How much is logged.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum LogLevel {
    /// What failed.
    Error,
    /// And what may soon fail.
    Warn,
    /// And what happens rarely.
    Info,
    /// And every request.
    Debug,
    /// And every step.
    Trace,
}

/// How log lines look.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    Text,
    /// For machines: an object a line.
    Json,
}

/// One level of settings: those that it leaves out come from the level below.
#[derive(Clone, PartialEq, Debug, Default, Deserialize, Args)]
#[serde(deny_unknown_fields)]
pub struct Layer {
    /// Where the HTTP API listens; port 0 takes any free port [default: 127.0.0.1:8080]
    #[arg(long, env = "ROLLBOOK_LISTEN", value_name = "ADDR:PORT")]
    pub listen: Option<SocketAddr>,
    /// Where Prometheus fetches metrics [default: 127.0.0.1:9464]
    #[arg(long, env = "ROLLBOOK_METRICS_LISTEN", value_name = "ADDR:PORT")]
    pub metrics_listen: Option<SocketAddr>,
    /// The data folder; created where there is none [default: ./rollbook-data]
    #[arg(long, env = "ROLLBOOK_DATA", value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// Where the ledger is kept: sqlite (in the data folder), or the postgres:// URL that several nodes share [default: sqlite]
    #[arg(long, env = "ROLLBOOK_STORE", hide_env_values = true, value_name = "STORE")]
    pub store: Option<StorePlace>,
    /// A streaming replica of the store, which answers what it can: none, or its postgres:// URL [default: none]
    #[arg(long, env = "ROLLBOOK_READ_STORE", hide_env_values = true, value_name = "STORE")]
    pub read_store: Option<ReplicaPlace>,
    /// About how much memory folds and rosters may take [default: 1GiB]
    #[arg(long, env = "ROLLBOOK_MEMORY", value_name = "SIZE")]
    pub memory: Option<Size>,
    /// How many requests are worked on at once; further ones get a 503 [default: 1024]
    #[arg(long, env = "ROLLBOOK_MAX_CONCURRENT_REQUESTS", value_name = "NUMBER")]
    pub max_concurrent_requests: Option<NonZeroU32>,
    /// Whether a Janus room of one name is the same meeting on every instance [default: false]
    #[arg(long, env = "ROLLBOOK_JANUS_ROOMS_SHARED", value_name = "BOOL")]
    pub janus_rooms_shared: Option<bool>,
    /// How long a Janus client may be gone before Janus notices: its session_timeout, and a few seconds [default: 0]
    #[arg(long, env = "ROLLBOOK_JANUS_SILENCE", value_name = "SECONDS")]
    pub janus_silence: Option<Seconds>,
    /// How many days engine deliveries are kept that could not be translated; 0 keeps them for ever [default: 30]
    #[arg(long, env = "ROLLBOOK_KEPT_DAYS", value_name = "DAYS")]
    pub kept_days: Option<u32>,
    /// About how much of them is kept for one app; beyond it the oldest go [default: 64MiB]
    #[arg(long, env = "ROLLBOOK_KEPT_SIZE", value_name = "SIZE")]
    pub kept_size: Option<Size>,
    /// A file with the key that seals secrets of `rollbook engine add`, if not in ROLLBOOK_ENGINES_KEY [default: none]
    #[arg(long, env = "ROLLBOOK_ENGINES_KEY_FILE", value_name = "FILE")]
    pub engines_key_file: Option<FilePlace>,
    /// What is logged, to stderr [default: info]
    #[arg(long, env = "ROLLBOOK_LOG_LEVEL", value_name = "LEVEL")]
    pub log_level: Option<LogLevel>,
    /// How it is logged [default: text]
    #[arg(long, env = "ROLLBOOK_LOG_FORMAT", value_name = "FORMAT")]
    pub log_format: Option<LogFormat>,
    /// The engines of each app.
    #[arg(skip)]
    #[serde(default)]
    pub engines: Vec<EngineEntry>,
}

/// Why a settings file can't be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// It can't be read.
    #[error("can't read the settings file {}: {cause}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        cause: std::io::Error,
    },
    /// It says what no setting is.
    #[error("{path}:{line}: {key}{message}", path = .path.display())]
    Bad {
        /// The file.
        path: PathBuf,
        /// The line, counted from 1.
        line: usize,
        /// The key that the line sets, with a colon; empty where it sets none.
        key: String,
        /// What is wrong.
        message: String,
    },
    /// There is a replica of nothing.
    #[error(
        "read_store names a replica of a PostgreSQL, and store is \"sqlite\": set store to the URL of its primary, or read_store to \"none\""
    )]
    ReplicaOfFolder,
}

impl Settings {
    /// The settings of these levels: the defaults, the file where one is given, and flags with the environment.
    ///
    /// # Errors
    /// Where the file can't be read, or says what no setting is, or settings contradict each other.
    pub fn resolve(file: Option<&Path>, flags: Layer) -> Result<Self, ConfigError> {
        let below = match file {
            Some(path) => Self::default().under(Layer::read(path)?),
            None => Self::default(),
        };
        let settings = below.under(flags);
        if settings.store == StorePlace::Folder && settings.read_store != ReplicaPlace::None {
            return Err(ConfigError::ReplicaOfFolder);
        }
        Ok(settings)
    }

    /// These settings, but for those that the layer gives.
    fn under(self, layer: Layer) -> Self {
        Self {
            listen: layer.listen.unwrap_or(self.listen),
            metrics_listen: layer.metrics_listen.unwrap_or(self.metrics_listen),
            data: layer.data.unwrap_or(self.data),
            store: layer.store.unwrap_or(self.store),
            read_store: layer.read_store.unwrap_or(self.read_store),
            memory: layer.memory.unwrap_or(self.memory),
            max_concurrent_requests: layer.max_concurrent_requests.unwrap_or(self.max_concurrent_requests),
            janus_rooms_shared: layer.janus_rooms_shared.unwrap_or(self.janus_rooms_shared),
            janus_silence: layer.janus_silence.unwrap_or(self.janus_silence),
            kept_days: layer.kept_days.unwrap_or(self.kept_days),
            kept_size: layer.kept_size.unwrap_or(self.kept_size),
            engines_key_file: layer.engines_key_file.unwrap_or(self.engines_key_file),
            log_level: layer.log_level.unwrap_or(self.log_level),
            log_format: layer.log_format.unwrap_or(self.log_format),
            engines: if layer.engines.is_empty() { self.engines } else { layer.engines },
        }
    }
}

impl Layer {
    fn read(path: &Path) -> Result<Self, ConfigError> {
        let text = std::fs::read_to_string(path).map_err(|cause| ConfigError::Unreadable { path: path.into(), cause })?;
        toml::from_str(&text).map_err(|error| {
            let before = &text[..error.span().map_or(0, |span| span.start.min(text.len()))];
            let line = before.matches('\n').count();
            let key =
                text.lines().nth(line).and_then(|line| line.split_once('=')).map_or(String::new(), |(key, _)| format!("{}: ", key.trim()));
            ConfigError::Bad { path: path.into(), line: line + 1, key, message: error.message().to_owned() }
        })
    }
}

#[cfg(test)]
mod tests;
