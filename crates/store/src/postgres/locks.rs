//! The advisory locks by which nodes keep out of each other's way.
//!
//! Whoever takes several takes places first, then sources, each ascending, and rows after them: so nobody waits in a circle.
//!
//! * An append holds the **place** of each of its streams, shared, from before it writes until it is committed. A settling holds its
//!   stream's place alone; so does an append that lost too often, while its writer catches up.
//! * An append to a source's stream holds the **source** alone, since it looks for settled streams to mark; a settling holds, shared, each
//!   source that it depends on.

use super::failure::Failure;
use deadpool_postgres::ClientWrapper;
use rollbook_core::id::{Stream, StreamKind};

/// The lock of whoever changes the schema.
pub(super) const MIGRATION: i64 = 0x726f_6c6c_626f_6f6b;

/// Streams share this many locks, so that no transaction needs more of them than a server is set up for.
const SLOTS: u128 = 256;

/// The lock's number within its space.
pub(super) fn slot(stream: Stream) -> i32 {
    let id = stream.id.as_u128() ^ stream.kind as u128;
    let folded = id ^ (id >> 64) ^ (id >> 32) ^ (id >> 96);
    i32::try_from((folded ^ (folded >> 8)) % SLOTS).unwrap_or_default()
}

/// The slots of streams, ascending, each once.
pub(super) fn slots(streams: impl Iterator<Item = Stream>) -> Vec<i32> {
    let mut slots: Vec<i32> = streams.map(slot).collect();
    slots.sort_unstable();
    slots.dedup();
    slots
}

/// The slots of those streams that are sources'.
pub(super) fn sources(streams: impl Iterator<Item = Stream>) -> Vec<i32> {
    slots(streams.filter(|stream| stream.kind == StreamKind::Source))
}

/// The numbers of the kinds of locks: those of tables, so that ledgers in one database do not meet.
#[derive(Clone, Copy, Debug)]
pub(super) struct Spaces {
    /// Of streams' places.
    pub(super) places: i32,
    /// Of sources.
    pub(super) sources: i32,
    /// Of duties, which sessions hold.
    pub(super) duties: i32,
}

impl Spaces {
    pub(super) async fn read(client: &ClientWrapper) -> Result<Self, tokio_postgres::Error> {
        let row = client.query_one("SELECT 'journal'::regclass::oid, 'links'::regclass::oid, 'kept'::regclass::oid", &[]).await?;
        let space = |column| row.try_get::<_, u32>(column).map(u32::cast_signed);
        Ok(Self { places: space(0)?, sources: space(1)?, duties: space(2)? })
    }

    /// Waits for the places, each to be held alone until the transaction ends.
    pub(super) async fn hold_places(self, client: &ClientWrapper, slots: &[i32]) -> Result<(), Failure> {
        let sql = "SELECT pg_advisory_xact_lock($1, slot) FROM unnest($2::integer[]) AS slot";
        client.execute(&client.prepare_cached(sql).await?, &[&self.places, &slots]).await?;
        Ok(())
    }

    /// Waits for the sources, to be held alone or shared until the transaction ends.
    pub(super) async fn hold_sources(self, client: &ClientWrapper, slots: &[i32], alone: bool) -> Result<(), Failure> {
        if slots.is_empty() {
            return Ok(());
        }
        let shared = if alone { "" } else { "_shared" };
        let sql = format!("SELECT pg_advisory_xact_lock{shared}($1, slot) FROM unnest($2::integer[]) AS slot");
        client.execute(&client.prepare_cached(&sql).await?, &[&self.sources, &slots]).await?;
        Ok(())
    }
}
