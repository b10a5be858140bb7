//! A database whose clock says what a test says: PostgreSQL finds functions by their names along the search path, and a schema may have its own
//! of the names that tell the time.

use super::Cluster;
use rollbook_core::time::Timestamp;
use tokio_postgres::Client;

/// The clock of one schema.
pub(crate) struct DatabaseClock {
    schema: String,
    client: Client,
}

impl Cluster {
    /// The address of an empty schema, and the clock that its ledger goes by.
    pub(crate) async fn clocked_schema(&self, now: Timestamp) -> (String, DatabaseClock) {
        let url = self.schema().await;
        let (_, schema) = url.rsplit_once("%3D").unwrap();
        let (schema, client) = (schema.to_owned(), self.client().await);
        let mut sql = format!("CREATE TABLE {schema}.test_clock (micros bigint NOT NULL); INSERT INTO {schema}.test_clock VALUES (0);");
        for name in ["now", "clock_timestamp"] {
            sql.push_str(&format!(
                "CREATE FUNCTION {schema}.{name}() RETURNS timestamptz STABLE LANGUAGE sql
                     RETURN (SELECT timestamptz 'epoch' + micros * interval '1 microsecond' FROM {schema}.test_clock);"
            ));
        }
        client.batch_execute(&sql).await.unwrap();
        let clock = DatabaseClock { schema, client };
        clock.set(now).await;
        // The system's own schema comes first unless it is named.
        (format!("{url}%2Cpg_catalog"), clock)
    }
}

impl DatabaseClock {
    /// Sets the time.
    pub(crate) async fn set(&self, now: Timestamp) {
        let sql = format!("UPDATE {}.test_clock SET micros = {}", self.schema, now.micros());
        self.client.batch_execute(&sql).await.unwrap();
    }
}
