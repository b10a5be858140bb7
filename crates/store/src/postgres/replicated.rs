//! Whether what is visible is also where the server promises it to be: on the synchronous standby, where there is one.
//!
//! PostgreSQL lets a commit's wait for its standby be cut short: by whoever cancels or terminates it, and by a crash of the primary. The commit
//! then stands, and everyone sees it, though a failover would lose it. So a commit whose wait was cut short is none; and what is only seen,
//! not committed by whoever vouches for it, is vouched for after a later commit, which the standby confirms together with all before it.

use super::failure::Failure;
use super::lease::Lease;
use std::future::poll_fn;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_postgres::{AsyncMessage, Connection};

/// The part of the server that waits for standbys, as it names itself in its warnings in every language.
const WAIT: &str = "SyncRepWaitForLSN";

/// Drives a connection to its end. Where the server warns that it cut a wait short, the end is there, before anyone learns of the commit.
pub(super) async fn drive<S, T>(mut connection: Connection<S, T>)
where
    S: AsyncRead + AsyncWrite + Unpin,
    T: AsyncRead + AsyncWrite + Unpin,
{
    while let Some(message) = poll_fn(|context| connection.poll_message(context)).await {
        match message {
            Ok(AsyncMessage::Notice(notice)) if notice.routine() == Some(WAIT) => {
                return tracing::error!(notice = notice.message(), "a commit's wait for the standby was cut short: not acknowledged");
            }
            Ok(AsyncMessage::Notice(notice)) => tracing::debug!(notice = notice.message(), "PostgreSQL"),
            Ok(_) => {}
            Err(error) => return tracing::debug!(%error, "a connection broke"),
        }
    }
}

/// Commits something of no meaning. What was visible before on this connection is then as safe as any commit. Holds no lock.
pub(super) async fn confirm(lease: &Lease) -> Result<(), Failure> {
    let sql = "SELECT pg_logical_emit_message(true, 'rollbook', '')";
    lease.execute(&lease.prepare_cached(sql).await?, &[]).await?;
    Ok(())
}
