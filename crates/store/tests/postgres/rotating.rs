//! Credentials that are replaced while a node runs.

use super::cluster::{Cluster, cluster};
use rollbook_store::postgres::ConnectError;
use rollbook_store::suite::fixtures::{append, batches, entry, head, session};
use rollbook_store::{PostgresOptions, PostgresStore, Store};
use std::collections::BTreeSet;
use std::fmt::{Debug, Write};
use std::path::Path;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata};

/// All that this program logs, at every level.
static LOG: Mutex<String> = Mutex::new(String::new());

struct Log;

impl Visit for Log {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        writeln!(LOG.lock().unwrap(), "{field}={value:?}").unwrap();
    }
}

impl tracing::Subscriber for Log {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        span.record(&mut Log);
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, values: &Record<'_>) {
        values.record(&mut Log);
    }

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        event.record(&mut Log);
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

/// Replaces a file at once, as whatever deals out secrets does.
fn replace(file: &Path, text: &str) {
    let beside = file.with_extension("new");
    std::fs::write(&beside, text).unwrap();
    #[cfg(unix)]
    std::fs::set_permissions(&beside, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    std::fs::rename(beside, file).unwrap();
}

/// Appends until there are enough, each until it is acknowledged; nothing may fail.
async fn write(store: Arc<PostgresStore>, done: Arc<AtomicU64>, enough: Arc<AtomicU64>) {
    let mut known = 0;
    while known < enough.load(Ordering::SeqCst) {
        append(&*store, [entry(session(1), known, "x")]).await.unwrap();
        assert_eq!(head(&*store, session(1)).await.unwrap(), known + 1);
        known += 1;
        done.store(known, Ordering::SeqCst);
    }
}

async fn until(what: impl Fn() -> bool) {
    while !what() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_password_is_replaced_under_load_and_never_logged() {
    tracing::subscriber::set_global_default(Log).unwrap();
    let cluster = Cluster::start("-c fsync=off");
    let client = cluster.client().await;
    let plain = cluster.schema().await;
    let (_, schema) = plain.rsplit_once("%3D").unwrap();
    client
        .batch_execute(&format!(
            "CREATE ROLE keyed; CREATE ROLE node LOGIN PASSWORD 'secret-0' IN ROLE keyed; GRANT ALL ON SCHEMA {schema} TO node"
        ))
        .await
        .unwrap();
    let (folder, port) = (tempfile::tempdir().unwrap(), cluster.port());
    let file = folder.path().join("passwords");
    let address = plain.replace("postgres@", "node@") + &format!("&passfile={}", file.display());

    let connect = || PostgresStore::connect(&address, PostgresOptions::default());
    assert!(matches!(connect().await, Err(ConnectError::Passwords { .. })), "there is no file");
    for (line, why) in
        [(format!("localhost:{port}:*:other:secret-0"), "no line fits"), ("*:*:*:*:wrong-secret-0".to_owned(), "authentication failed")]
    {
        replace(&file, &line);
        let refused = connect().await.err().unwrap().to_string();
        assert!(refused.contains(why) && !refused.contains("secret"), "{refused}");
    }

    replace(&file, &format!("# of the node\nlocalhost:{port}:postgres:node:secret-0\n"));
    let store = Arc::new(connect().await.unwrap());
    let (done, enough) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(u64::MAX)));
    let writer = tokio::spawn(write(Arc::clone(&store), Arc::clone(&done), Arc::clone(&enough)));
    for n in 1..=3 {
        let before = done.load(Ordering::SeqCst);
        until(|| done.load(Ordering::SeqCst) > before + 20).await;
        let refusals = || LOG.lock().unwrap().matches("password authentication failed").count();
        let refused = refusals();
        client.batch_execute(&format!("ALTER ROLE node PASSWORD 'secret-{n}'")).await.unwrap();
        client.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'node'", &[]).await.unwrap();
        // The file comes late: the node is refused for a while.
        until(|| refusals() > refused).await;
        replace(&file, &format!("localhost:{port}:postgres:node:secret-{n}\n"));
    }
    let before = done.load(Ordering::SeqCst);
    enough.store(before + 20, Ordering::SeqCst);
    writer.await.unwrap();
    let stored = batches(&*store, session(1)).await.unwrap();
    assert!(stored.iter().map(|batch| batch.seq).eq(1..=done.load(Ordering::SeqCst)), "not what was acknowledged");
    let log = LOG.lock().unwrap();
    assert!(log.contains("password authentication failed") && !log.contains("secret-"), "{log}");
}

#[tokio::test]
async fn a_connection_grows_only_so_old() {
    let address = cluster().schema().await + "&application_name=aging";
    let client = cluster().client().await;
    for (lifetime, most) in [(Duration::ZERO, 99), (Duration::from_secs(60), 1)] {
        let store = PostgresStore::connect(&address, PostgresOptions { lifetime, ..PostgresOptions::default() }).await.unwrap();
        let mut pids = BTreeSet::new();
        for _ in 0..5 {
            store.ready().await.unwrap();
            let sql = "SELECT pid FROM pg_stat_activity WHERE application_name = 'aging'";
            pids.extend(client.query(sql, &[]).await.unwrap().iter().map(|row| row.get::<_, i32>(0)));
        }
        assert!((most.min(2)..=most).contains(&pids.len()), "{lifetime:?}: {pids:?}");
        drop(store);
        client.execute("SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE application_name = 'aging'", &[]).await.unwrap();
    }
}

#[tokio::test]
async fn a_certificate_says_who_the_node_is() {
    let cluster = Cluster::start("-c fsync=off");
    let plain = cluster.schema().await;
    let (_, schema) = plain.rsplit_once("%3D").unwrap();
    let sql = format!("CREATE ROLE certified; CREATE ROLE bearer LOGIN IN ROLE certified; GRANT ALL ON SCHEMA {schema} TO bearer");
    cluster.client().await.batch_execute(&sql).await.unwrap();
    let file = |name| cluster.file(name).unwrap().display().to_string();
    let tls = format!("sslmode=verify-full&sslrootcert={}", file("ca.crt"));
    let address = plain.replace("postgres@", "bearer@").replace("sslmode=disable", &tls);
    let shown = format!("{address}&sslcert={}&sslkey={}", file("bearer.crt"), file("bearer.key"));
    PostgresStore::connect(&shown, PostgresOptions::default()).await.unwrap().ready().await.unwrap();
    for (address, why) in [
        (address.clone(), "certificate"),
        (format!("{address}&sslcert={}", file("bearer.crt")), "sslcert and sslkey need each other"),
        (format!("{address}&sslcert={}&sslkey=/none", file("bearer.crt")), "/none"),
    ] {
        let refused = PostgresStore::connect(&address, PostgresOptions::default()).await.err().unwrap().to_string();
        assert!(refused.contains(why), "{refused}");
    }
}
