//! The mark of a ledger that is being moved: a table that only such a ledger has, and triggers that every process obeys.

use super::open::{self, OpenError};
use crate::contract::StoreError;
use crate::transfer::{Mark, Standing};
use rollbook_core::time::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, Transaction, TransactionBehavior};
use std::path::Path;

/// What takes events, and what is asked whether it would.
const WRITES: [(&str, &str); 3] = [("journal", "INSERT"), ("kept", "INSERT"), ("probe", "UPDATE")];

pub(super) fn read(conn: &Connection) -> Result<Option<Mark>, StoreError> {
    let marked: bool = conn.query_row("SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE name = 'transfer')", [], |row| row.get(0))?;
    if !marked {
        return Ok(None);
    }
    let sql = "SELECT standing, other, at FROM transfer";
    let row = conn.query_row(sql, [], |row| Ok((row.get::<_, String>(0)?, row.get(1)?, row.get(2)?))).optional()?;
    let Some((standing, other, at)) = row else { return Ok(None) };
    Ok(Some(Mark { standing: Standing::named(&standing)?, other, at: Timestamp::from_micros(at) }))
}

/// The mark of the ledger in a file.
pub(super) fn of(file: &Path) -> Result<Option<Mark>, OpenError> {
    let mark = open::reading(file).map_err(StoreError::from).and_then(|conn| read(&conn));
    mark.map_err(|error| OpenError::Database { file: file.into(), reason: error.to_string() })
}

/// Replaces one mark by another, in one transaction with the triggers that go with it.
pub(super) fn replace(conn: &mut Connection, from: Option<&Mark>, to: Option<&Mark>) -> Result<bool, StoreError> {
    let txn = conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
    if read(&txn)?.as_ref() != from {
        return Ok(false);
    }
    for (table, _) in WRITES {
        txn.execute_batch(&format!("DROP TRIGGER IF EXISTS transfer_{table}"))?;
    }
    txn.execute_batch("DROP TABLE IF EXISTS transfer")?;
    if let Some(mark) = to {
        write(&txn, mark)?;
    }
    txn.commit()?;
    Ok(true)
}

/// A ledger that is being filled needs no trigger: whoever fills it has the folder for itself.
fn write(txn: &Transaction<'_>, mark: &Mark) -> Result<(), StoreError> {
    txn.execute_batch("CREATE TABLE transfer (standing TEXT NOT NULL, other TEXT NOT NULL, at INTEGER NOT NULL)")?;
    txn.execute("INSERT INTO transfer VALUES (?1, ?2, ?3)", (mark.standing.name(), &mark.other, mark.at.micros()))?;
    if mark.standing != Standing::Arriving {
        let text = mark.to_string().replace('\'', "''");
        for (table, what) in WRITES {
            let sql = format!("CREATE TRIGGER transfer_{table} BEFORE {what} ON {table} BEGIN SELECT RAISE(ABORT, '{text}'); END");
            txn.execute_batch(&sql)?;
        }
    }
    Ok(())
}
