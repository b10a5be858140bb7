//! The schema, as numbered steps from nothing to today's.
//!
//! Nodes are replaced one by one, so a database is used by older and later binaries at once. `rollbook_schema` has two numbers for it:
//! `step` is how far the schema has come, and `version` is the least step that a binary must know. A step that older binaries can live with
//! raises only the first. (Binaries of the first version know no `step`; they go by `version` alone.)

use super::connect::ConnectError;
use super::failure::Failure;
use super::lease::Lease;
use super::locks::MIGRATION;
use deadpool_postgres::ClientWrapper;

/// A change of the schema. One that was released never changes.
pub(super) struct Step {
    /// What is done, within a transaction. Whatever it locks is locked for all nodes until all steps are done.
    sql: &'static str,
    /// Whether nodes that do not know the step read and write as before, those that run and those that start. Where not, no older node may
    /// run beside it: what they need goes in two releases, of which the second takes away what the first has stopped using.
    compatible: bool,
}

/// Step `n`, from 1, in order.
const STEPS: &[Step] = &[
    Step { sql: include_str!("migrations/0001.sql"), compatible: false },
    Step { sql: include_str!("migrations/0002.sql"), compatible: true },
    Step { sql: include_str!("migrations/0003.sql"), compatible: true },
    Step { sql: include_str!("migrations/0004.sql"), compatible: true },
];

/// The step that a binary must know where there are batches of a version after the first.
const LATER_BATCHES: i32 = 4;

/// Shuts out the binaries that read no batches but those of the first version.
pub(super) async fn expect_later_batches(lease: &Lease) -> Result<(), Failure> {
    lease.execute("UPDATE rollbook_schema SET version = $1 WHERE version < $1", &[&LATER_BATCHES]).await?;
    Ok(())
}

/// How far a database has come.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
struct Standing {
    /// The last step that was done; 0 where there is no ledger yet.
    step: usize,
    /// The least step that a binary must know.
    version: usize,
}

impl Standing {
    /// Where all of the steps have been done.
    fn after(self, steps: &[Step]) -> Self {
        let numbered = steps.iter().zip(1..).skip(self.step);
        let version = numbered.filter(|(step, _)| !step.compatible).map(|(_, number)| number).last();
        Self { step: steps.len().max(self.step), version: version.unwrap_or(self.version) }
    }
}

const EXISTS: &str = "SELECT to_regclass('rollbook_schema') IS NOT NULL";

/// Brings the schema to today's; where a ledger must exist already, not from nothing.
pub(super) async fn migrate(client: &mut ClientWrapper, existing: bool) -> Result<(), ConnectError> {
    if existing && !client.query_one(EXISTS, &[]).await?.try_get(0)? {
        return Err(ConnectError::Missing);
    }
    migrate_by(STEPS, client).await
}

/// Does those steps that are missing, in one transaction. Of nodes that start together one does it, and the others wait.
async fn migrate_by(steps: &[Step], client: &mut ClientWrapper) -> Result<(), ConnectError> {
    let txn = client.transaction().await?;
    txn.execute("SELECT pg_advisory_xact_lock($1)", &[&MIGRATION]).await?;
    let found = match txn.query_one(EXISTS, &[]).await?.try_get(0)? {
        true => standing(&txn).await?,
        false => Standing::default(),
    };
    if found.version > steps.len() {
        return Err(ConnectError::Newer { found: found.version, known: steps.len() });
    }
    let wanted = found.after(steps);
    if wanted == found {
        return Ok(());
    }
    // A node that waits for a table keeps all others waiting behind it.
    txn.batch_execute("SET LOCAL lock_timeout = '5s'").await?;
    for step in steps.iter().skip(found.step) {
        txn.batch_execute(step.sql).await?;
    }
    let Standing { step, version } = wanted;
    txn.batch_execute(&format!(
        "CREATE TABLE IF NOT EXISTS rollbook_schema (one boolean PRIMARY KEY CHECK (one), version integer NOT NULL);
         ALTER TABLE rollbook_schema ADD COLUMN IF NOT EXISTS step integer;
         INSERT INTO rollbook_schema (one, version, step) VALUES (true, {version}, {step})
             ON CONFLICT (one) DO UPDATE SET version = excluded.version, step = excluded.step"
    ))
    .await?;
    txn.commit().await?;
    Ok(())
}

/// Reads the numbers. Where nothing but the first step was done by a binary of the first version, there is no column `step`.
async fn standing(txn: &deadpool_postgres::Transaction<'_>) -> Result<Standing, ConnectError> {
    let sql = "SELECT version, coalesce((to_jsonb(s) ->> 'step')::integer, version) FROM rollbook_schema s";
    let row = txn.query_one(sql, &[]).await?;
    let number = |column| row.try_get::<_, i32>(column).map(|number| usize::try_from(number).unwrap_or(usize::MAX));
    Ok(Standing { version: number(0)?, step: number(1)? })
}

#[cfg(test)]
mod tests;
