//! Which database a connection leads to. A replica is a copy of the primary bit by bit: it has the cluster's identifier, and each table
//! under the same number.

use deadpool_postgres::{ClientWrapper, HookError};
use std::sync::{Arc, OnceLock};
use tokio_postgres::Error;

/// What all connections of a node must agree on, once it is known. Clones are the same.
#[derive(Clone, Default)]
pub(super) struct Identity(Option<Arc<OnceLock<Numbers>>>);

/// The cluster's identifier, the database's number and the journal's; the last is none where the ledger is not there (yet).
type Numbers = (i64, u32, Option<u32>);

const SQL: &str = "SELECT s.system_identifier, d.oid, to_regclass('journal')::oid
    FROM pg_control_system() s, pg_database d WHERE d.datname = current_database()";

impl Identity {
    /// One that will be learned: for a node that reads from two places.
    pub(super) fn of_two() -> Self {
        Self(Some(Arc::default()))
    }

    /// Learns it from a connection to the primary.
    pub(super) async fn learn(&self, client: &ClientWrapper) -> Result<(), Error> {
        if let Some(known) = &self.0 {
            let found = numbers(client).await?;
            known.get_or_init(|| found);
        }
        Ok(())
    }

    /// Refuses a connection that leads elsewhere.
    pub(super) async fn verify(&self, client: &ClientWrapper) -> Result<(), HookError> {
        let Some(known) = self.0.as_ref().and_then(|known| known.get()) else { return Ok(()) };
        let found = numbers(client).await.map_err(HookError::Backend)?;
        if found.0 != known.0 {
            return Err(HookError::message("the server is of another cluster, and no replica"));
        }
        if found != *known {
            return Err(HookError::message("the address names another database or schema, or its ledger has not come there yet"));
        }
        Ok(())
    }
}

async fn numbers(client: &ClientWrapper) -> Result<Numbers, Error> {
    let row = client.query_one(SQL, &[]).await?;
    Ok((row.try_get(0)?, row.try_get(1)?, row.try_get(2)?))
}
