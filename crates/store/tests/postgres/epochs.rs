//! A database that may have lost what it had told: the store says so before it tells anything else.

use super::cluster::{Cluster, cluster};
use rollbook_store::suite::fixtures::{app, append, batches, entry, is_conflict, record, session};
use rollbook_store::{PostgresOptions, PostgresStore, Store, StoreError};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lost_connections_begin_no_epoch_and_a_restarted_server_does() {
    let own = Cluster::start("-c fsync=off");
    let store = PostgresStore::connect(own.url(), PostgresOptions::default()).await.unwrap();
    append(&store, [entry(session(1), 0, "x")]).await.unwrap();
    let first = store.epoch();
    let others = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'";
    own.client().await.batch_execute(others).await.unwrap();
    assert_eq!(batches(&store, session(1)).await.unwrap().len(), 1);
    assert_eq!(store.epoch(), first);

    own.control("stop");
    // These begin in the first epoch, and come to the database in the second.
    let (late, records) = ([entry(session(1), 1, "late")], [record(1, session(1))]);
    let (known, school) = (vec![(session(1), 1)], app());
    let start = tokio::task::spawn_blocking(move || {
        own.control("start");
        own
    });
    let (appended, settled, own) = tokio::join!(append(&store, late), store.settle(&school, session(1), &known, &records), start);
    let _own = own.unwrap();
    assert!(is_conflict(&appended), "{appended:?}");
    assert!(!settled.unwrap());
    assert!(store.epoch() > first);
    assert_eq!(batches(&store, session(1)).await.unwrap().len(), 1);
    append(&store, [entry(session(1), 1, "again")]).await.unwrap();
}

/// A ledger in tables that were made anew is another: its nodes lock by other numbers.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_does_not_go_on_with_another_ledger() {
    let (url, client) = (cluster().schema().await, cluster().client().await);
    let (_, schema) = url.rsplit_once("%3D").unwrap();
    let store = PostgresStore::connect(&format!("{url}&application_name=left"), PostgresOptions::default()).await.unwrap();
    append(&store, [entry(session(1), 0, "x")]).await.unwrap();
    client.batch_execute(&format!("DROP SCHEMA {schema} CASCADE; CREATE SCHEMA {schema}")).await.unwrap();
    let other = PostgresStore::connect(&url, PostgresOptions::default()).await.unwrap();
    assert_ne!(other.id(), store.id());
    let left = "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE application_name = 'left'";
    client.batch_execute(left).await.unwrap();
    let refused = batches(&store, session(1)).await;
    assert!(matches!(&refused, Err(StoreError::Unavailable(text)) if text.contains("start the node again")), "{refused:?}");
    assert_eq!(batches(&other, session(1)).await.unwrap(), []);
}
