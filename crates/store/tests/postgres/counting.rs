//! What a node tells of its work with the database.

use super::cluster::cluster;
use rollbook_store::suite::fixtures::{app, append, entry, is_conflict, session};
use rollbook_store::{PostgresOptions, PostgresStore, Store};
use std::sync::Arc;
use tokio_postgres::NoTls;

async fn open(url: &str) -> Arc<PostgresStore> {
    Arc::new(PostgresStore::connect(url, PostgresOptions::default()).await.unwrap())
}

#[tokio::test]
async fn who_came_second_counts_an_append_as_lost() {
    let url = cluster().schema().await;
    let (first, second) = (open(&url).await, open(&url).await);
    append(&*first, [entry(session(1), 0, "first")]).await.unwrap();
    assert!(is_conflict(&append(&*second, [entry(session(1), 0, "second")]).await));
    assert_eq!([&first, &second].map(|node| node.counts().appends_lost()), [0, 1]);
    assert_eq!(second.counts().lanes_entered(), 0, "once is no contest");
    assert_eq!(second.counts().commits_retried(), 0, "it was answered, and nothing failed");
}

#[tokio::test]
async fn readers_are_counted_with_the_checks_that_they_share() {
    let node = cluster().store().await;
    assert_eq!((node.counts().checks(), node.counts().readers()), (0, 0));
    node.since(&app(), &[(session(1), 0)]).await.unwrap();
    assert_eq!((node.counts().checks(), node.counts().readers()), (1, 1));
    let (app, known) = (app(), [(session(1), 0)]);
    let (first, second) = tokio::join!(node.since(&app, &known), node.since(&app, &known));
    assert!(first.is_ok() && second.is_ok());
    assert_eq!(node.counts().readers(), 3);
}

#[tokio::test]
async fn an_append_that_waits_for_its_place_is_in_a_lane_and_has_a_connection() {
    let url = cluster().schema().await;
    let (node, (other, connection)) = (open(&url).await, tokio_postgres::connect(&url, NoTls).await.unwrap());
    tokio::spawn(connection);
    // Another has every place alone.
    let hold = "SELECT count(pg_advisory_lock('journal'::regclass::oid::bigint::integer, slot)) FROM generate_series(0, 255) AS slot";
    other.query_one(hold, &[]).await.unwrap();
    let waiting = tokio::spawn({
        let node = Arc::clone(&node);
        async move { append(&*node, [entry(session(1), 0, "x")]).await }
    });
    let counts = node.counts();
    while counts.lanes_entered() == 0 || counts.pool().in_use == 0 {
        tokio::task::yield_now().await;
    }
    assert!(!waiting.is_finished());
    other.query_one("SELECT pg_advisory_unlock_all()::text", &[]).await.unwrap();
    waiting.await.unwrap().unwrap();
    assert_eq!((counts.lanes_entered(), counts.appends_lost(), counts.pool().waiting), (1, 0, 0));
}
