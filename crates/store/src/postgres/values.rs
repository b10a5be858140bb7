//! Between the contract's types and PostgreSQL's.

use super::failure::Failure;
use crate::contract::Seq;
use rollbook_core::id::{App, Stream, StreamKind};
use rollbook_core::time::Timestamp;
use tokio_postgres::Row;
use uuid::Uuid;

/// The database's clock at that moment, as the store's time.
pub(super) const CLOCK: &str = "(extract(epoch FROM clock_timestamp()) * 1000000)::bigint";

/// Streams of apps, as the arrays that a statement unnests.
#[derive(Default)]
pub(super) struct Keys<'a> {
    pub(super) accounts: Vec<&'a str>,
    pub(super) apps: Vec<&'a str>,
    pub(super) kinds: Vec<i16>,
    pub(super) ids: Vec<Uuid>,
}

impl<'a> Keys<'a> {
    pub(super) fn push(&mut self, app: &'a App, stream: Stream) {
        self.accounts.push(app.account());
        self.apps.push(app.app());
        self.kinds.push(kind(stream));
        self.ids.push(stream.id);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }
}

/// A stream's kind as a column holds it.
pub(super) fn kind(stream: Stream) -> i16 {
    (stream.kind as u8).into()
}

/// The stream whose kind is in a column and whose id in the next.
pub(super) fn stream(row: &Row, column: usize) -> Result<Stream, Failure> {
    let number: i16 = row.try_get(column)?;
    let kind = u8::try_from(number).ok().and_then(StreamKind::from_u8);
    let kind = kind.ok_or_else(|| Failure::damaged(format!("no stream has kind {number}")))?;
    Ok(Stream { kind, id: row.try_get(column + 1)? })
}

/// The streams of all rows, from their first two columns.
pub(super) fn streams(rows: &[Row]) -> Result<Vec<Stream>, Failure> {
    rows.iter().map(|row| stream(row, 0)).collect()
}

/// The time in a column.
pub(super) fn time(row: &Row, column: usize) -> Result<Timestamp, Failure> {
    Ok(Timestamp::from_micros(row.try_get(column)?))
}

/// The number in a column, which was stored from an unsigned one.
pub(super) fn unsigned(row: &Row, column: usize) -> Result<Seq, Failure> {
    let number: i64 = row.try_get(column)?;
    Seq::try_from(number).map_err(|_| Failure::damaged(format!("{number} stands where no number is negative")))
}

/// A number as PostgreSQL can compare it: what is past its integers is past every number that is stored.
pub(super) fn bounded(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// A count of rows as a statement takes it.
pub(super) fn limit(rows: usize) -> i64 {
    i64::try_from(rows).unwrap_or(i64::MAX)
}
