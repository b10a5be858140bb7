//! How one connection is made: with the files as they are at that moment, so that credentials can be replaced while the node runs.

use super::address::Files;
use super::connect::ConnectError;
use super::followed::{self, Followed};
use super::passwords;
use super::tls::{self, Connector};
use deadpool_postgres::Connect;
use std::pin::Pin;
use std::sync::{Mutex, PoisonError};
use tokio::task::JoinHandle;
use tokio_postgres::{Client, Config, Error};

/// Makes connections.
pub(super) struct Dialer {
    files: Files,
    /// What was read last. A file that is away while it is replaced leaves it standing.
    last: Mutex<(Config, Connector)>,
    /// Where one of several servers is to be chosen.
    followed: Option<Followed>,
}

impl Dialer {
    /// # Errors
    /// Where a file can't be read.
    pub(super) fn new(config: Config, files: Files, followed: Option<Followed>) -> Result<Self, ConnectError> {
        let tls = tls::connector(&files, config.get_ssl_mode())?;
        let dialer = Self { files, last: Mutex::new((config.clone(), tls)), followed };
        dialer.last.lock().unwrap_or_else(PoisonError::into_inner).0 = dialer.read_password(config)?;
        Ok(dialer)
    }

    fn read_password(&self, mut config: Config) -> Result<Config, ConnectError> {
        let Some(file) = &self.files.passwords else { return Ok(config) };
        let failed = |reason: String| ConnectError::Passwords { file: file.clone(), reason };
        let password = passwords::find(file, &config).map_err(|error| failed(error.to_string()))?;
        config.password(password.ok_or_else(|| failed("no line fits the address's host, port, database and user".into()))?);
        Ok(config)
    }

    fn refresh(&self) -> (Config, Connector) {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        match self.read_password(last.0.clone()) {
            Ok(config) => last.0 = config,
            Err(error) => tracing::warn!(%error, "the last password that was read is used"),
        }
        // The system's authorities are many, and change with the system.
        if self.files.authorities.is_some() || self.files.certificate.is_some() {
            match tls::connector(&self.files, last.0.get_ssl_mode()) {
                Ok(tls) => last.1 = tls,
                Err(error) => tracing::warn!(%error, "the certificates that were read last are used"),
            }
        }
        last.clone()
    }
}

type Connecting<'a> = Pin<Box<dyn Future<Output = Result<(Client, JoinHandle<()>), Error>> + Send + 'a>>;

impl Connect for Dialer {
    /// Connects to where the files say; the pool's own copy of the configuration has no part in it.
    fn connect(&self, _: &Config) -> Connecting<'_> {
        Box::pin(async {
            let (config, tls) = self.refresh();
            match &self.followed {
                Some(followed) if config.get_hosts().len().max(config.get_hostaddrs().len()) > 1 => {
                    followed::connect(followed, &config, tls).await
                }
                _ => followed::open(&config, tls).await,
            }
        })
    }
}
