//! Whether the database may have lost what it had told.
//!
//! What is committed stays for as long as the server runs. A server that was started since, or another one that took over, may go on from an
//! earlier moment: a backup that was put back, a standby that was behind. Each of these breaks every connection to the server before it. So
//! each connection says when its server was started, before it is used for anything else; whatever was read from another is of another epoch.

use super::failure::Failure;
use crate::contract::StoreError;
use deadpool_postgres::{ClientWrapper, Metrics};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;
use tokio_postgres::Error;
use uuid::Uuid;

/// The epochs of one node.
pub(super) struct Epoch {
    ledger: Ledger,
    server: Mutex<Server>,
    number: AtomicU64,
}

/// Which ledger it is. Tables that were made anew have other numbers, by which nodes lock: a node can't go on with them.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Ledger {
    id: Uuid,
    journal: u32,
}

struct Server {
    /// Microseconds since 1970. No two servers share one but by a chance that is none.
    started_at: i64,
    /// A connection of before is one to another server.
    since: Instant,
}

impl Epoch {
    /// The first, by a connection to a ledger.
    pub(super) async fn begin(client: &ClientWrapper, created: Instant) -> Result<Self, Error> {
        let (ledger, started_at) = ask(client).await?;
        Ok(Self { ledger, server: Mutex::new(Server { started_at, since: created }), number: AtomicU64::new(1) })
    }

    pub(super) fn number(&self) -> u64 {
        self.number.load(Ordering::SeqCst)
    }

    /// The ledger's id.
    pub(super) fn ledger(&self) -> Uuid {
        self.ledger.id
    }

    /// The epoch of a connection that is to be used; none where it is of one that is over. A connection that was not used before is asked.
    ///
    /// # Errors
    /// Where it leads to another ledger.
    pub(super) async fn of(&self, client: &ClientWrapper, metrics: &Metrics) -> Result<Option<u64>, Failure> {
        if metrics.recycled.is_some() {
            let server = self.server.lock().unwrap_or_else(PoisonError::into_inner);
            return Ok((metrics.created >= server.since).then(|| self.number()));
        }
        let (ledger, started_at) = ask(client).await?;
        if ledger != self.ledger {
            let text = "the database has another ledger than when this node started, or other tables: start the node again";
            return Err(Failure::Lasting(StoreError::Unavailable(text.into())));
        }
        let mut server = self.server.lock().unwrap_or_else(PoisonError::into_inner);
        if server.started_at != started_at {
            tracing::warn!("the database was restarted, or another server took over: what this node holds is read again");
            *server = Server { started_at, since: metrics.created };
            self.number.fetch_add(1, Ordering::SeqCst);
        }
        Ok(Some(self.number()))
    }
}

async fn ask(client: &ClientWrapper) -> Result<(Ledger, i64), Error> {
    let sql = "SELECT id, 'journal'::regclass::oid, (extract(epoch FROM pg_postmaster_start_time()) * 1000000)::bigint FROM ledger";
    let row = client.query_one(sql, &[]).await?;
    Ok((Ledger { id: row.try_get(0)?, journal: row.try_get(1)? }, row.try_get(2)?))
}
