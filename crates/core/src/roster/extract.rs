//! Rows taken out of a session that goes on: what a page shows, apart from what goes on changing.

use super::row::Part;
use super::snapshot::{RECORD, RowView, put_details, put_record};
use crate::fold::PeerIx;

/// Some rows in an order of their own, as a roster's bytes have them.
#[derive(Clone, Debug, Default)]
pub struct Extract {
    records: Vec<u8>,
    heap: Vec<u8>,
}

impl Extract {
    /// How many rows there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.records.len() / RECORD
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// The rows in their order.
    pub fn rows(&self) -> impl Iterator<Item = RowView<'_>> {
        self.records.chunks_exact(RECORD).map(|record| RowView::new(record, &self.heap))
    }
}

/// About how many bytes the texts of a row take.
const TEXTS: usize = 100;

impl Part<'_> {
    /// The raw rows of some of its peers, in their order, with their details or without. Peers that it does not list are left out.
    #[must_use]
    pub fn extract(&self, peers: &[PeerIx], details: bool) -> Extract {
        self.facts.look_ahead(peers);
        let mut extract = Extract { records: Vec::with_capacity(peers.len() * RECORD), heap: Vec::with_capacity(peers.len() * TEXTS) };
        for &peer in peers {
            let Some(fields) = self.fields(peer) else { continue };
            put_record(&fields, extract.heap.len() as u64, &mut extract.records);
            fields.put_texts(&mut extract.heap);
            if details {
                put_details(&self.details(fields.session, peer), &mut extract.heap);
            }
        }
        extract
    }
}
