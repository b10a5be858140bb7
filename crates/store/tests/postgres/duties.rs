//! Duties: of several nodes one has them, and when it can't any more, another.

use super::cluster::cluster;
use rollbook_store::{Duty, PostgresOptions, PostgresStore, Store};
use std::time::Duration;

async fn store(address: &str) -> PostgresStore {
    PostgresStore::connect(address, PostgresOptions::default()).await.unwrap()
}

async fn take(store: &PostgresStore) -> Option<Duty> {
    store.duty("sweep").await.unwrap()
}

async fn take_in_the_end(store: &PostgresStore) -> Duty {
    loop {
        if let Some(duty) = take(store).await {
            return duty;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_node_has_a_duty_until_its_connection_ends() {
    let address = cluster().schema().await + "&application_name=dutiful";
    let (a, b, elsewhere) = (store(&address).await, store(&address).await, store(&cluster().schema().await).await);
    let mut duty = take(&a).await.unwrap();
    assert!(take(&b).await.is_none() && take(&a).await.is_none());
    assert!(take(&elsewhere).await.is_some(), "another ledger has duties of its own");

    let sql = "SELECT count(pg_terminate_backend(pid)) FROM pg_locks JOIN pg_stat_activity USING (pid)
               WHERE locktype = 'advisory' AND granted AND application_name = 'dutiful'";
    assert_eq!(cluster().client().await.query_one(sql, &[]).await.unwrap().get::<_, i64>(0), 1);
    let of_b = take_in_the_end(&b).await;
    duty.lost().await;
    assert!(take(&a).await.is_none());

    drop(of_b);
    take_in_the_end(&a).await;
    drop(a);
    take_in_the_end(&b).await;
}
