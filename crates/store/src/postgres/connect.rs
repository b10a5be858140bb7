//! From an address to connections: what every session is set to, and how long one lives.

use super::PostgresOptions;
use super::address::{self, SILENCE};
use super::dial::Dialer;
use super::failure::{Failure, describe};
use super::followed::Followed;
use super::identity::Identity;
use super::lease::Connections;
use crate::transfer::Mark;
use deadpool_postgres::{ClientWrapper, Hook, HookError, Manager, ManagerConfig, Pool, RecyclingMethod, Runtime};
use std::path::PathBuf;
use tokio_postgres::config::TargetSessionAttrs;

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
    /// The certificate that is shown to the server, or its key, can't be used.
    #[error("can't use {} for sslcert and sslkey: {reason}", file.display())]
    Certificate {
        /// The file.
        file: PathBuf,
        /// What was wrong.
        reason: String,
    },
    /// The file of passwords has none for the address.
    #[error("no password in the passfile {}: {reason}", file.display())]
    Passwords {
        /// The file.
        file: PathBuf,
        /// What was wrong.
        reason: String,
    },
    /// The database can't be reached, or refused.
    #[error("PostgreSQL: {0}")]
    Database(String),
    /// There is no ledger in it, and none was to be made.
    #[error("the database has no ledger: is it the right one? `rollbook serve` makes one where there is none")]
    Missing,
    /// Its ledger is being moved, or was.
    #[error("the database: {0}")]
    Marked(Mark),
    /// A later binary has changed the schema in a way that older ones can't work with.
    #[error("the database needs a binary that knows schema version {found}, and this one knows {known}: use a binary that is not older")]
    Newer {
        /// The version that a binary must know.
        found: usize,
        /// The latest that this binary knows.
        known: usize,
    },
}

impl ConnectError {
    /// The first connection was not to be had.
    pub(super) fn refused(mut text: String) -> Self {
        if text.contains("client certificate") {
            text.push_str("; sslcert=FILE and sslkey=FILE in the address name one and its key");
        } else if text.contains("certificate") {
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
/// amid a transaction are free before others lose patience.
const SESSION: &str = "
    SET plan_cache_mode = force_generic_plan;
    SET enable_seqscan = off;
    SET enable_bitmapscan = off;
    SET jit = off;
    SET default_transaction_isolation = 'read committed';
    SET idle_in_transaction_session_timeout = '3s';
    SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'";

/// Which of an address's servers will do.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// The one that takes writes: not a standby of a moment ago, nor one that was the primary.
    Primary,
    /// One that takes none.
    Replica,
}

/// The pool of connections. It opens them when they are needed, and forgets those that broke or are old. Every connection must lead to the
/// database that `identity` holds, where it holds one.
pub(super) fn pool(url: &str, options: &PostgresOptions, role: Role, identity: &Identity) -> Result<Pool, ConnectError> {
    let attributes = match role {
        Role::Primary => TargetSessionAttrs::ReadWrite,
        Role::Replica => TargetSessionAttrs::ReadOnly,
    };
    let (config, files) = address::read(url, attributes)?;
    let config_of_manager = ManagerConfig { recycling_method: RecyclingMethod::Fast };
    let followed = (role == Role::Primary).then(Followed::default);
    // The manager's copy of the configuration is never used: the dialer has what a connection needs.
    let manager = Manager::from_connect(tokio_postgres::Config::new(), Dialer::new(config, files, followed.clone())?, config_of_manager);
    let identity = identity.clone();
    let settings = Hook::async_fn(move |client: &mut ClientWrapper, _| {
        let (identity, followed) = (identity.clone(), followed.clone());
        Box::pin(async move {
            client.batch_execute(SESSION).await.map_err(HookError::Backend)?;
            identity.verify(client).await?;
            match followed {
                Some(followed) => followed.verify(client).await,
                None => Ok(()),
            }
        })
    });
    let lifetime = options.lifetime;
    let young = Hook::sync_fn(
        move |_: &mut ClientWrapper, metrics: &deadpool_postgres::Metrics| {
            if metrics.age() < lifetime { Ok(()) } else { Err(HookError::message("it is old")) }
        },
    );
    let pool = Pool::builder(manager)
        .max_size(options.connections.max(Connections::FEWEST))
        .runtime(Runtime::Tokio1)
        .create_timeout(Some(SILENCE))
        .recycle_timeout(Some(SILENCE))
        .post_create(settings)
        .pre_recycle(young);
    pool.build().map_err(|error| ConnectError::Database(error.to_string()))
}
