//! From an address to connections: what the address says, how TLS is verified, and what every session is set to.

use super::failure::{Failure, describe};
use super::tls;
use crate::transfer::Mark;
use deadpool_postgres::{Hook, Manager, ManagerConfig, Pool, RecyclingMethod, Runtime};
use std::path::PathBuf;
use std::time::Duration;
use tokio_postgres::Config;
use tokio_postgres::config::{Host, TargetSessionAttrs};

/// Why a database can't be used.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The address is not one.
    #[error("not an address of a PostgreSQL database: {0}")]
    Address(String),
    /// The certificates that the server's is held against can't be read.
    #[error("can't read the certificates of authorities{}: {reason}", file.as_ref().map(|file| format!(" in {}", file.display())).unwrap_or_default())]
    Certificates {
        /// The file, where the address names one; else those of the system were meant.
        file: Option<PathBuf>,
        /// What was wrong.
        reason: String,
    },
    /// The database can't be reached, or refused.
    #[error("PostgreSQL: {0}")]
    Database(String),
    /// Its ledger is being moved, or was.
    #[error("the database: {0}")]
    Marked(Mark),
    /// A later binary has changed the schema.
    #[error("the database has schema version {found}, and this binary knows {known}: use a binary that is not older")]
    Newer {
        /// The database's version.
        found: usize,
        /// The latest that this binary knows.
        known: usize,
    },
}

impl ConnectError {
    /// The first connection was not to be had.
    pub(super) fn refused(mut text: String) -> Self {
        if text.contains("certificate") {
            text.push_str("; sslrootcert=FILE in the address names the file of its authority, and sslmode=disable does without TLS");
        }
        Self::Database(text)
    }
}

impl From<Failure> for ConnectError {
    fn from(failure: Failure) -> Self {
        Self::Database(failure.to_string())
    }
}

impl From<tokio_postgres::Error> for ConnectError {
    fn from(error: tokio_postgres::Error) -> Self {
        Self::Database(describe(&error))
    }
}

/// Plans are made once for all values, and for a table that will grow: one made while the journal is empty would read all of it for ever.
/// Nothing is acknowledged before it is on disk, whatever the server's own setting; a stricter one is kept. No statement has a time limit of
/// the server's: where a commit waits for a standby, the limit would end the wait and call it committed. The locks of a node that was cut off
/// amid a transaction are free soon.
const SESSION: &str = "
    SET plan_cache_mode = force_generic_plan;
    SET enable_seqscan = off;
    SET enable_bitmapscan = off;
    SET jit = off;
    SET default_transaction_isolation = 'read committed';
    SET idle_in_transaction_session_timeout = '10s';
    SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'";

/// An unanswered packet means a lost connection after this.
const SILENCE: Duration = Duration::from_secs(10);

/// The pool of at most `most` connections. It opens them when they are needed, and forgets those that broke.
pub(super) fn pool(url: &str, most: usize) -> Result<Pool, ConnectError> {
    let (config, tls) = read(url)?;
    let manager = Manager::from_config(config, tls, ManagerConfig { recycling_method: RecyclingMethod::Fast });
    let settings = Hook::async_fn(|client: &mut deadpool_postgres::ClientWrapper, _| {
        Box::pin(async move { client.batch_execute(SESSION).await.map_err(deadpool_postgres::HookError::Backend) })
    });
    let pool = Pool::builder(manager)
        .max_size(most)
        .runtime(Runtime::Tokio1)
        .create_timeout(Some(SILENCE))
        .recycle_timeout(Some(SILENCE))
        .post_create(settings);
    pool.build().map_err(|error| ConnectError::Database(error.to_string()))
}

/// What to call the ledger at an address, without the password, the user and the options that may be in it.
pub(super) fn place(url: &str, schema: Option<&str>) -> Result<String, ConnectError> {
    let (config, _) = read(url)?;
    let hosts = config.get_hosts().iter().enumerate().map(|(ix, host)| {
        let port = config.get_ports().get(ix).or(config.get_ports().first()).copied().unwrap_or(5432);
        match host {
            Host::Tcp(name) => format!("{name}:{port}"),
            Host::Unix(folder) => format!("{}:{port}", folder.display()),
        }
    });
    let database = config.get_dbname().or(config.get_user()).unwrap_or_default();
    let schema = schema.filter(|schema| *schema != "public").map(|schema| format!(" (schema {schema})")).unwrap_or_default();
    Ok(format!("postgres://{}/{database}{schema}", hosts.collect::<Vec<_>>().join(",")))
}

fn read(url: &str) -> Result<(Config, tls::Connector), ConnectError> {
    let (url, trust) = tls::Trust::split(url);
    let mut config: Config = url.parse().map_err(|error| ConnectError::Address(describe(&error)))?;
    if config.get_application_name().is_none() {
        config.application_name("rollbook");
    }
    if config.get_connect_timeout().is_none() {
        config.connect_timeout(SILENCE);
    }
    if config.get_tcp_user_timeout().is_none() {
        config.tcp_user_timeout(SILENCE);
    }
    // Of several hosts only the one that takes writes will do: a standby of a moment ago, or one that was.
    config.target_session_attrs(TargetSessionAttrs::ReadWrite);
    config.keepalives_idle(SILENCE);
    let connector = trust.connector(config.get_ssl_mode())?;
    Ok((config, connector))
}
