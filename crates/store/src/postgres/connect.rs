//! From an address to connections: what the address says, how TLS is verified, and what every session is set to.

use super::failure::describe;
use super::replicated::drive;
use super::tls;
use deadpool_postgres::{Connect, Hook, Manager, ManagerConfig, Pool, RecyclingMethod, Runtime};
use std::path::PathBuf;
use std::pin::Pin;
use std::time::Duration;
use tokio::task::JoinHandle;
use tokio_postgres::config::TargetSessionAttrs;
use tokio_postgres::{Client, Config, Error};

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

impl From<Error> for ConnectError {
    fn from(error: Error) -> Self {
        Self::Database(describe(&error))
    }
}

/// Plans are made once for all values, and for a table that will grow: one made while the journal is empty would read all of it for ever.
/// Nothing is acknowledged before it is on disk, whatever the server's own setting; a stricter one is kept. No statement has a time limit of
/// the server's: where a commit waits for a standby, the limit would end the wait and call it committed. The locks of a node that was cut off
/// amid a transaction are free before others lose patience.
const SESSION: &str = "
    SET plan_cache_mode = force_generic_plan;
    SET enable_seqscan = off;
    SET enable_bitmapscan = off;
    SET jit = off;
    SET default_transaction_isolation = 'read committed';
    SET idle_in_transaction_session_timeout = '3s';
    SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'";

/// An unanswered packet means a lost connection after this.
const SILENCE: Duration = Duration::from_secs(10);

/// The pool of at most `most` connections. It opens them when they are needed, and forgets those that broke.
pub(super) fn pool(url: &str, most: usize) -> Result<Pool, ConnectError> {
    let (config, tls) = read(url)?;
    let manager = Manager::from_connect(config, Dialer(tls), ManagerConfig { recycling_method: RecyclingMethod::Fast });
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

/// Makes connections.
struct Dialer(tls::Connector);

impl Connect for Dialer {
    fn connect(&self, config: &Config) -> Pin<Box<dyn Future<Output = Result<(Client, JoinHandle<()>), Error>> + Send + '_>> {
        let (config, tls) = (config.clone(), self.0.clone());
        Box::pin(async move {
            let (client, connection) = config.connect(tls).await?;
            Ok((client, tokio::spawn(drive(connection))))
        })
    }
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
