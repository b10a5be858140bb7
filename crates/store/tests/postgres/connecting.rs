//! Ways to the database: schemas, versions, certificates.

use super::cluster::{Cluster, cluster};
use rollbook_store::postgres::ConnectError;
use rollbook_store::{PostgresOptions, PostgresStore, Store};
use tokio::task::JoinSet;

async fn connect(url: &str) -> Result<PostgresStore, ConnectError> {
    PostgresStore::connect(url, PostgresOptions::default()).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nodes_that_start_together_make_one_schema() {
    let url = cluster().schema().await;
    let mut tasks = JoinSet::new();
    for _ in 0..6 {
        let url = url.clone();
        tasks.spawn(async move { connect(&url).await.unwrap().ready().await.unwrap() });
    }
    tasks.join_all().await;
}

#[tokio::test]
async fn a_later_schema_is_used_where_its_version_allows_it() {
    let url = cluster().schema().await;
    connect(&url).await.unwrap();
    let (_, schema) = url.rsplit_once("%3D").unwrap();
    let client = cluster().client().await;
    client.batch_execute(&format!("UPDATE {schema}.rollbook_schema SET step = 99")).await.unwrap();
    connect(&url).await.unwrap().ready().await.unwrap();
    client.batch_execute(&format!("UPDATE {schema}.rollbook_schema SET version = 99")).await.unwrap();
    assert!(matches!(connect(&url).await, Err(ConnectError::Newer { found: 99, .. })));
}

#[tokio::test]
async fn what_is_no_address_is_refused() {
    for url in
        ["", "postgres://", "mysql://localhost/x", "postgres://localhost/x?sslmode=perhaps", "postgres://localhost/x?sslrootcert=/none"]
    {
        let refused = connect(url).await.err().map(|error| error.to_string());
        assert!(refused.is_some(), "{url}");
    }
}

#[tokio::test]
async fn a_certificate_is_verified() {
    // Of a database that someone else set up the authority is not known.
    let own = cluster().authority().is_none().then(|| Cluster::start("-c fsync=off"));
    let cluster = own.as_ref().unwrap_or(cluster());
    let plain = format!("{}&application_name=certified", cluster.schema().await);
    let with = |tls: &str| plain.replace("sslmode=disable", tls);
    let trusted = format!("sslrootcert={}", cluster.authority().unwrap().display());
    let client = cluster.client().await;
    for tls in [format!("sslmode=verify-full&{trusted}"), format!("sslmode=require&{trusted}"), format!("sslmode=prefer&{trusted}")] {
        let store = connect(&with(&tls)).await.unwrap();
        store.ready().await.unwrap();
        let sql = "SELECT bool_and(ssl) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE application_name = 'certified'";
        assert!(client.query_one(sql, &[]).await.unwrap().get::<_, bool>(0), "{tls}: a connection is not encrypted");
    }
    for (url, why) in [
        (with("sslmode=verify-full"), "an unknown authority"),
        (with("sslmode=require&sslrootcert=system"), "an unknown authority"),
        (with(&format!("sslmode=verify-full&{trusted}")).replace("@localhost", "@127.0.0.1"), "another name"),
    ] {
        let refused = connect(&url).await.err().map(|error| error.to_string());
        assert!(
            refused.as_deref().is_some_and(|error| error.contains("certificate") && error.contains("sslrootcert=FILE")),
            "{why}: {refused:?}"
        );
    }
}
