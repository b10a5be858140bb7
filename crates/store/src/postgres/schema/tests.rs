//! Binaries of several ages at one database.

#[path = "../../../tests/cluster/mod.rs"]
mod cluster;

use super::super::PostgresOptions;
use super::super::connect::{Role, pool};
use super::super::identity::Identity;
use super::*;
use cluster::cluster;
use deadpool_postgres::Object;

/// The binaries, from the released one on: the second and the third add what others need not know, the fourth takes something away.
const HISTORY: &[Step] = &[
    Step { sql: "CREATE TABLE one (n integer)", compatible: false },
    Step { sql: "ALTER TABLE one ADD COLUMN more integer", compatible: true },
    Step { sql: "CREATE TABLE three (n integer)", compatible: true },
    Step { sql: "DROP TABLE one", compatible: false },
];

/// What the binaries of the first version do when they start.
async fn start_released(client: &ClientWrapper) -> Result<(), String> {
    let found: i32 = client.query_one("SELECT version FROM rollbook_schema", &[]).await.unwrap().get(0);
    if found > 1 { Err(format!("version {found} is later")) } else { Ok(()) }
}

async fn database() -> Object {
    pool(&cluster().schema().await, &PostgresOptions::default(), Role::Primary, &Identity::default()).unwrap().get().await.unwrap()
}

async fn numbers(client: &ClientWrapper) -> (i32, i32) {
    let row = client.query_one("SELECT version, step FROM rollbook_schema", &[]).await.unwrap();
    (row.get(0), row.get(1))
}

#[tokio::test]
async fn older_binaries_start_until_a_step_shuts_them_out() {
    let mut client = database().await;
    // As a binary of the first version left it.
    client
        .batch_execute(
            "CREATE TABLE one (n integer); CREATE TABLE rollbook_schema (one boolean PRIMARY KEY CHECK (one), version integer NOT NULL);
             INSERT INTO rollbook_schema VALUES (true, 1)",
        )
        .await
        .unwrap();
    for (known, version) in [(1, 1), (2, 1), (3, 1)] {
        migrate_by(&HISTORY[..known], &mut client).await.unwrap();
        for older in 1..=known {
            migrate_by(&HISTORY[..older], &mut client).await.unwrap();
        }
        start_released(&client).await.unwrap();
        if known > 1 {
            assert_eq!(numbers(&client).await, (version, known as i32));
        }
    }
    client.batch_execute("INSERT INTO one (n) VALUES (1); SELECT more FROM one; SELECT FROM three").await.unwrap();
    migrate_by(HISTORY, &mut client).await.unwrap();
    assert_eq!(numbers(&client).await, (4, 4));
    start_released(&client).await.unwrap_err();
    for older in 1..=3 {
        let refused = migrate_by(&HISTORY[..older], &mut client).await;
        assert!(matches!(refused, Err(ConnectError::Newer { found: 4, known }) if known == older), "{refused:?}");
    }
    migrate_by(HISTORY, &mut client).await.unwrap();
}

#[tokio::test]
async fn a_step_that_fails_leaves_the_schema_as_it_was() {
    let mut client = database().await;
    migrate_by(&HISTORY[..1], &mut client).await.unwrap();
    let failing = [
        Step { sql: "CREATE TABLE one (n integer)", compatible: false },
        Step { sql: "ALTER TABLE one ADD COLUMN more integer", compatible: true },
        Step { sql: "ALTER TABLE absent ADD COLUMN more integer", compatible: true },
    ];
    migrate_by(&failing, &mut client).await.unwrap_err();
    assert_eq!(numbers(&client).await, (1, 1));
    client.query("SELECT more FROM one", &[]).await.unwrap_err();
}

#[test]
fn the_steps_of_this_binary_let_the_released_ones_start() {
    assert_eq!(Standing { step: 1, version: 1 }.after(STEPS).version, 1);
}
