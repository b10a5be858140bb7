//! The mark of a ledger that is being moved: a table that only such a ledger has, and triggers that every node obeys.

use super::failure::Failure;
use super::locks::MIGRATION;
use crate::transfer::{Mark, Standing};
use deadpool_postgres::ClientWrapper;
use rollbook_core::time::Timestamp;

/// What takes events, and what is asked whether it would, in the order in which appends reach for them.
const WRITES: [(&str, &str); 3] = [("journal", "INSERT"), ("kept", "INSERT"), ("probe", "UPDATE")];

/// What a session says of itself that fills the ledger: it alone may write while there is a mark.
pub(super) const FILLING: &str = "SET rollbook.filling = 'on'";

pub(super) async fn read(client: &ClientWrapper) -> Result<Option<Mark>, Failure> {
    if !client.query_one("SELECT to_regclass('rollbook_transfer') IS NOT NULL", &[]).await?.try_get::<_, bool>(0)? {
        return Ok(None);
    }
    let Some(row) = client.query_opt("SELECT standing, other, at FROM rollbook_transfer", &[]).await? else { return Ok(None) };
    let standing = Standing::named(row.try_get(0)?).map_err(Failure::Lasting)?;
    Ok(Some(Mark { standing, other: row.try_get(1)?, at: Timestamp::from_micros(row.try_get(2)?) }))
}

/// Replaces one mark by another, in one transaction with the triggers that go with it. Waits for the writes that are under way, and gives up
/// where they take longer than seconds: others wait behind.
pub(super) async fn replace(client: &ClientWrapper, from: Option<&Mark>, to: Option<&Mark>) -> Result<bool, Failure> {
    client.batch_execute("BEGIN; SET LOCAL lock_timeout = '10s'").await?;
    client.execute("SELECT pg_advisory_xact_lock($1)", &[&MIGRATION]).await?;
    if read(client).await?.as_ref() != from {
        client.batch_execute("ROLLBACK").await?;
        return Ok(false);
    }
    // One by one, as appends take them.
    let tables = WRITES.map(|(table, _)| table).join(", ");
    client.batch_execute(&format!("LOCK TABLE {tables} IN SHARE ROW EXCLUSIVE MODE")).await?;
    match to {
        Some(mark) => write(client, mark, from.is_none()).await?,
        None => {
            for (table, _) in WRITES {
                client.batch_execute(&format!("DROP TRIGGER IF EXISTS rollbook_transfer ON {table}")).await?;
            }
            client.batch_execute("DROP FUNCTION IF EXISTS rollbook_transfer(); DROP TABLE IF EXISTS rollbook_transfer").await?;
        }
    }
    client.batch_execute("COMMIT").await?;
    Ok(true)
}

async fn write(client: &ClientWrapper, mark: &Mark, first: bool) -> Result<(), Failure> {
    let refusal = format!("BEGIN RAISE EXCEPTION USING MESSAGE = {}; END", literal(&mark.to_string()));
    client
        .batch_execute(&format!(
            "CREATE OR REPLACE FUNCTION rollbook_transfer() RETURNS trigger LANGUAGE plpgsql AS {};
             CREATE TABLE IF NOT EXISTS rollbook_transfer (standing text NOT NULL, other text NOT NULL, at bigint NOT NULL);
             DELETE FROM rollbook_transfer",
            literal(&refusal)
        ))
        .await?;
    let Mark { standing, other, at } = mark;
    client.execute("INSERT INTO rollbook_transfer VALUES ($1, $2, $3)", &[&standing.name(), other, &at.micros()]).await?;
    for (table, what) in WRITES.iter().filter(|_| first) {
        let sql = format!(
            "CREATE TRIGGER rollbook_transfer BEFORE {what} ON {table} FOR EACH STATEMENT
             WHEN (current_setting('rollbook.filling', true) IS DISTINCT FROM 'on') EXECUTE FUNCTION rollbook_transfer()"
        );
        client.batch_execute(&sql).await?;
    }
    Ok(())
}

/// A text as SQL has it.
fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}
