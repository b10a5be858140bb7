//! Rows taken out of a session that goes on: what a page shows, apart from what goes on changing.

use super::form::{Form, Writer};
use super::row::{Details, Part};
use super::tables::Tables;
use super::view::RowView;
use crate::fold::PeerIx;

/// Some rows in an order of their own, as a roster's bytes have them.
#[derive(Clone, Debug, Default)]
pub struct Extract {
    form: Form,
    rows: Vec<u8>,
    starts: Vec<usize>,
    sessions: Vec<u8>,
    names: Vec<u8>,
}

impl Extract {
    /// How many rows there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.starts.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.starts.is_empty()
    }

    /// The rows in their order.
    pub fn rows(&self) -> impl Iterator<Item = RowView<'_>> {
        let tables = Tables { sessions: &self.sessions, names: &self.names };
        let row = move |start: &usize| RowView::new(&self.form, tables, self.rows.get(*start..).unwrap_or_default());
        self.starts.iter().map(row)
    }
}

/// About how many bytes a row takes.
const ROW: usize = 120;

impl Part<'_> {
    /// The raw rows of some of its peers, in their order, with their details or without. Peers that it does not list are left out.
    #[must_use]
    pub fn extract(&self, peers: &[PeerIx], details: bool) -> Extract {
        self.facts.look_ahead(peers);
        let mut writer = Writer { rows: Vec::with_capacity(peers.len() * ROW), ..Writer::default() };
        let mut starts = Vec::with_capacity(peers.len());
        for &peer in peers {
            let Some(fields) = self.fields(peer) else { continue };
            starts.push(writer.rows.len());
            let of_row = if details { self.details(fields.session, peer) } else { Details::default() };
            writer.put(&fields, &of_row);
        }
        let mut extract = Extract { form: writer.form, starts, ..Extract::default() };
        writer.sessions.put(&mut extract.sessions);
        writer.names.put(&mut extract.names);
        Extract { rows: writer.rows, ..extract }
    }
}
