//! A primary that was down while its standby took over, and is started again as if nothing had happened.

use super::cluster::Cluster;
use super::replicas::caught_up;
use rollbook_store::suite::fixtures::{append, entry, head, session};
use rollbook_store::{PostgresOptions, PostgresStore, StoreError};
use std::time::Duration;

async fn connect(address: &str) -> PostgresStore {
    let options = PostgresOptions { patience: Duration::from_secs(3), lifetime: Duration::ZERO, ..PostgresOptions::default() };
    PostgresStore::connect(address, options).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_primary_that_was_is_not_followed() {
    let primary = Cluster::start("-c fsync=off");
    let standby = primary.replica("-c fsync=off");
    let (was, is) = (format!("localhost:{}", primary.port()), format!("localhost:{}", standby.port()));
    let plain = primary.schema().await;
    let address = plain.replace(&was, &format!("{was},{is}"));
    let ran_on = connect(&address).await;
    append(&ran_on, [entry(session(1), 0, "before")]).await.unwrap();
    caught_up(&standby, &primary).await;
    primary.control("stop");
    standby.control("promote");
    assert_eq!(head(&ran_on, session(1)).await.unwrap(), 1);
    append(&ran_on, [entry(session(1), 1, "since")]).await.unwrap();

    // It stands first in the address, takes writes, and every use of the store takes a connection of its own.
    primary.control("start");
    let fresh = connect(&address).await;
    let fooled = connect(&plain).await;
    for seq in 2..6 {
        assert_eq!(head(&ran_on, session(1)).await.unwrap(), seq);
        assert_eq!(head(&fresh, session(1)).await.unwrap(), seq);
        append(&fresh, [entry(session(1), seq, "on")]).await.unwrap();
    }
    // Whose address has only this one can't know.
    assert_eq!(head(&fooled, session(1)).await.unwrap(), 1);

    // What is right is away: there is no answer, rather than that of before.
    standby.control("stop");
    let refused = head(&ran_on, session(1)).await;
    assert!(matches!(&refused, Err(StoreError::Unavailable(text)) if text.contains("the primary before a failover")), "{refused:?}");
    standby.control("start");
    assert_eq!(head(&ran_on, session(1)).await.unwrap(), 6);
}
