//! What a held roster was made from, and whether that still stands.

use super::Inner;
use super::searches::Searches;
use bytes::Bytes;
use rollbook_core::id::{App, Stream};
use rollbook_core::roster::Snapshot;
use rollbook_core::time::Timestamp;
use rollbook_store::{StoreError, Vector};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::sync::Arc;
use uuid::Uuid;

/// A digest of what a roster was made from: the same on every node for the same batches, however many ledgers had the same numbers of them.
pub type Print = [u8; 32];

/// A roster in memory or mapped, with what it was made from.
pub(super) struct Held {
    pub(super) roster: Arc<Snapshot<Bytes>>,
    pub(super) basis: Basis,
    pub(super) mapped: bool,
    /// The store's, of all that the basis says.
    pub(super) epoch: u64,
    /// Whether the rows have all their details, or of these only the stays.
    pub(super) complete: bool,
    /// What was searched for in the rows.
    pub(super) searches: Arc<Searches>,
    /// None where the rows change with `now`, or where what the basis says may be of another history of the ledger.
    pub(super) print: Option<Print>,
}

/// What a roster was made from: while none of it changes, neither does the roster.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub(super) struct Basis {
    /// Every stream that was read, with its last batch.
    pub(super) vector: Vector,
    /// Every look-up of breakouts, with what it found.
    pub(super) children: Vec<(Uuid, Vec<Stream>)>,
    /// A digest of each stream's last batch, of a roster that does not change with `now`: a ledger that was put back from a backup comes
    /// to the same sequence numbers by another way.
    pub(super) last: [u8; 32],
}

impl Basis {
    /// Adds the streams of one more fold.
    pub(super) fn add(&mut self, vector: Vector) {
        self.vector.extend(vector);
        self.vector.sort_unstable();
        self.vector.dedup();
    }

    /// The bytes that tag a roster.
    pub(super) fn encode(&self) -> Vec<u8> {
        // Plain data into memory: there is nothing to fail, and an empty tag would only make the roster be made anew.
        postcard::to_stdvec(self).unwrap_or_default()
    }

    /// The digest of all of it.
    pub(super) fn print(&self) -> Print {
        Sha256::digest(self.encode()).into()
    }

    pub(super) fn decode(tag: &[u8]) -> Option<Self> {
        postcard::from_bytes(tag).ok()
    }
}

impl Inner {
    /// The digest of the last batches that a vector names.
    pub(super) async fn last_batches(&self, app: &App, vector: &Vector) -> Result<[u8; 32], StoreError> {
        let before: Vector = vector.iter().map(|(stream, seq)| (*stream, seq.saturating_sub(1))).collect();
        let since = self.store.since(app, &before).await?;
        let mut digest = Sha256::new();
        for batch in since.batches.iter().filter(|batch| vector.contains(&(batch.stream, batch.seq))) {
            digest.update(batch.stream.id.as_bytes());
            digest.update(batch.seq.to_le_bytes());
            digest.update(batch.received_at.micros().to_le_bytes());
            digest.update(&batch.batch);
        }
        Ok(digest.finalize().into())
    }

    /// The store's time, if nothing of what a roster was made from has changed.
    pub(super) async fn unchanged(&self, app: &App, basis: &Basis) -> Result<Option<Timestamp>, StoreError> {
        let children: Vec<(Uuid, u64)> = basis.children.iter().map(|(parent, found)| (*parent, found.len() as u64)).collect();
        self.store.unchanged(app, &basis.vector, &children).await
    }
}
