//! The schema, as numbered steps from nothing to today's.

use super::connect::ConnectError;
use super::locks::MIGRATION;
use deadpool_postgres::ClientWrapper;

/// Step `n` (from 1) leads to version `n`. A step that was released never changes, and leaves what nodes of the version before it read and
/// write as they expect it: they go on while the nodes are replaced one by one.
const STEPS: &[&str] = &[include_str!("migrations/0001.sql"), include_str!("migrations/0002.sql")];

/// The version that this binary writes.
pub(super) const VERSION: usize = STEPS.len();

/// Brings the schema to [`VERSION`], all steps in one transaction. Of nodes that start together one does it, and the others wait.
pub(super) async fn migrate(client: &mut ClientWrapper) -> Result<(), ConnectError> {
    let txn = client.transaction().await?;
    txn.execute("SELECT pg_advisory_xact_lock($1)", &[&MIGRATION]).await?;
    let found = match txn.query_one("SELECT to_regclass('rollbook_schema') IS NOT NULL", &[]).await?.try_get(0)? {
        true => txn.query_one("SELECT version FROM rollbook_schema", &[]).await?.try_get::<_, i32>(0)?,
        false => 0,
    };
    let found = usize::try_from(found).unwrap_or(usize::MAX);
    if found > VERSION {
        return Err(ConnectError::Newer { found, known: VERSION });
    }
    if found == VERSION {
        return Ok(());
    }
    for step in STEPS.iter().skip(found) {
        txn.batch_execute(step).await?;
    }
    txn.batch_execute("CREATE TABLE IF NOT EXISTS rollbook_schema (one boolean PRIMARY KEY CHECK (one), version integer NOT NULL)").await?;
    let sql = format!("INSERT INTO rollbook_schema VALUES (true, {VERSION}) ON CONFLICT (one) DO UPDATE SET version = excluded.version");
    txn.batch_execute(&sql).await?;
    txn.commit().await?;
    Ok(())
}
