//! Between the contract's types and SQLite's.

use crate::contract::{AppendError, StoreError};
use rollbook_core::id::{Stream, StreamKind};
use rollbook_core::time::Timestamp;
use rusqlite::types::Type;
use rusqlite::{Error, ErrorCode, Row};
use uuid::Uuid;

impl From<Error> for StoreError {
    fn from(error: Error) -> Self {
        let damaged = match &error {
            Error::SqliteFailure(failure, _) => matches!(failure.code, ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase),
            Error::FromSqlConversionFailure(..) | Error::IntegralValueOutOfRange(..) | Error::InvalidColumnType(..) => true,
            _ => false,
        };
        if damaged { Self::Damaged(error.to_string()) } else { Self::Unavailable(error.to_string()) }
    }
}

impl From<Error> for AppendError {
    fn from(error: Error) -> Self {
        Self::Store(error.into())
    }
}

/// The UUID in a column.
pub(super) fn uuid(row: &Row<'_>, column: usize) -> Result<Uuid, Error> {
    row.get(column).map(Uuid::from_bytes)
}

/// The time in a column.
pub(super) fn time(row: &Row<'_>, column: usize) -> Result<Timestamp, Error> {
    row.get(column).map(Timestamp::from_micros)
}

/// The stream whose kind is in a column and whose id in the next.
pub(super) fn stream(row: &Row<'_>, column: usize) -> Result<Stream, Error> {
    let number: u8 = row.get(column)?;
    let kind = StreamKind::from_u8(number)
        .ok_or_else(|| Error::FromSqlConversionFailure(column, Type::Integer, format!("no stream has kind {number}").into()))?;
    Ok(Stream { kind, id: uuid(row, column + 1)? })
}

/// A stream's kind as a column holds it.
pub(super) fn kind(stream: Stream) -> u8 {
    stream.kind as u8
}

/// A count as SQLite can compare it: what is past its integers is past every count that is stored.
pub(super) fn count(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
