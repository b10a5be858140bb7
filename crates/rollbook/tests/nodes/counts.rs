//! What the metrics say of a node's work with the database.

use super::cluster::cluster;
use rollbook::http::Metrics;
use rollbook_store::suite::fixtures::{app, append, entry, session};
use rollbook_store::{PostgresOptions, PostgresStore, Store};

#[tokio::test]
async fn the_metrics_tell_what_the_store_counts() {
    let url = cluster().schema().await;
    let store = PostgresStore::connect(&url, PostgresOptions::default()).await.unwrap();
    let metrics = Metrics::default();
    metrics.count_database(store.counts());
    append(&store, [entry(session(1), 0, "x")]).await.unwrap();
    append(&store, [entry(session(1), 0, "y")]).await.unwrap_err();
    store.since(&app(), &[(session(1), 1)]).await.unwrap();
    let text = metrics.text();
    for line in [
        "rollbook_postgres_connections{state=\"in_use\"} 0\n",
        "rollbook_postgres_connections{state=\"idle\"} ",
        "rollbook_postgres_waiting 0\n",
        "rollbook_postgres_commits_retried_total 0\n",
        "rollbook_postgres_appends_lost_total 1\n",
        "rollbook_postgres_lanes_entered_total 0\n",
        "rollbook_postgres_checks_total 1\n",
        "rollbook_postgres_check_readers_total 1\n",
    ] {
        assert!(text.contains(line), "{line:?} is not in\n{text}");
    }
}
