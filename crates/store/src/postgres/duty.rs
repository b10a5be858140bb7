//! Duties are advisory locks of sessions: the database takes one back when the session that holds it ends, however it does.

use super::failure::Failure;
use super::lease::Lease;
use super::locks::Spaces;
use crate::duty::{Duty, Guard};
use deadpool_postgres::ClientWrapper;
use std::time::Duration;

/// Between two signs of life.
const BEAT: Duration = Duration::from_secs(1);
/// An answer that takes longer is none.
const SILENCE: Duration = Duration::from_secs(5);

/// Claims a duty, on a connection that is its own from then on.
pub(super) async fn claim(lease: Lease, spaces: Spaces, name: &str) -> Result<Option<Duty>, Failure> {
    let row = lease.query_one("SELECT pg_try_advisory_lock($1, hashtext($2))", &[&spaces.duties, &name]).await?;
    if !row.try_get(0)? {
        lease.done();
        return Ok(None);
    }
    let (duty, guard) = Duty::guarded();
    if let Some(connection) = lease.detach() {
        tokio::spawn(hold(connection, guard));
    }
    Ok(Some(duty))
}

/// Holds the connection until the duty is given back or the database is silent.
async fn hold(connection: ClientWrapper, guard: Guard) {
    let Guard { mut given_back, kept } = guard;
    loop {
        tokio::select! {
            _ = &mut given_back => return,
            () = tokio::time::sleep(BEAT) => {}
        }
        if !matches!(tokio::time::timeout(SILENCE, connection.simple_query("")).await, Ok(Ok(_))) {
            break;
        }
    }
    // Told before the connection is gone for the database as well: the other way round, two would hold the duty.
    drop(kept);
}
