//! The schema, as numbered steps from an empty file to today's.

use super::open::OpenError;
use rusqlite::Connection;
use std::path::Path;

/// Step `n` (from 1) leads to version `n`. A step that was released never changes.
const STEPS: &[&str] = &[include_str!("migrations/0001.sql"), include_str!("migrations/0002.sql"), include_str!("migrations/0003.sql")];

/// The version that this binary writes.
pub(super) const VERSION: usize = STEPS.len();

/// The database's version; 0 where it is none of ours.
pub(super) fn version(conn: &Connection, file: &Path) -> Result<usize, OpenError> {
    let found = conn.pragma_query_value(None, "user_version", |row| row.get(0)).map_err(|error| OpenError::database(file, &error))?;
    if found > VERSION { Err(OpenError::Newer { file: file.into(), found, known: VERSION }) } else { Ok(found) }
}

/// Brings the database to [`VERSION`], each step with its number in one transaction.
pub(super) fn migrate(conn: &mut Connection, file: &Path) -> Result<(), OpenError> {
    let failed = |error: rusqlite::Error| OpenError::database(file, &error);
    let found = version(conn, file)?;
    let foreign = found == 0 && conn.query_row("SELECT EXISTS (SELECT 1 FROM sqlite_schema)", [], |row| row.get(0)).map_err(failed)?;
    if foreign {
        return Err(OpenError::Foreign { file: file.into() });
    }
    for (version, step) in STEPS.iter().enumerate().skip(found) {
        let mut step_to = || -> rusqlite::Result<()> {
            let txn = conn.transaction()?;
            txn.execute_batch(step)?;
            txn.pragma_update(None, "user_version", version + 1)?;
            txn.commit()
        };
        step_to().map_err(failed)?;
    }
    Ok(())
}
