//! A PostgreSQL for the tests of one program: the one that `ROLLBOOK_TEST_POSTGRES` names, or a private cluster that lives as long as the
//! program. If neither can be had, the tests fail.
#![expect(dead_code, reason = "each test program uses a part of it")]

use rollbook_store::{PostgresOptions, PostgresStore};
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use tokio_postgres::{Client, NoTls};

/// The running database.
pub struct Cluster {
    url: String,
    folder: Option<PathBuf>,
    // The script stops the server when this closes.
    _stdin: Option<ChildStdin>,
    _script: Option<Child>,
}

/// The database of this program, without syncs: what is tested survives the programs' ends, not the machine's.
pub fn cluster() -> &'static Cluster {
    static CLUSTER: OnceLock<Cluster> = OnceLock::new();
    CLUSTER.get_or_init(|| {
        #[expect(clippy::disallowed_methods, reason = "a test's own setting")]
        let named = std::env::var("ROLLBOOK_TEST_POSTGRES").ok();
        named.map_or_else(|| Cluster::start("-c fsync=off"), |url| Cluster { url, folder: None, _stdin: None, _script: None })
    })
}

impl Cluster {
    /// Starts a private one.
    pub fn start(settings: &str) -> Self {
        let folder = tempfile::Builder::new().prefix("rollbook-pg-").tempdir().unwrap().keep();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut script = Command::new("sh")
            .args(["-s", "--"])
            .arg(&folder)
            .arg(port.to_string())
            .args(settings.split_whitespace())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdin = script.stdin.take().unwrap();
        // The whole script before the shell begins: it reads on for as long as this program lives.
        stdin.write_all(format!("main() {{\n{}\n}}\nmain \"$@\"; exit\n", include_str!("cluster.sh")).as_bytes()).unwrap();
        stdin.flush().unwrap();
        let mut line = String::new();
        BufReader::new(script.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert_eq!(line, "ready\n", "no PostgreSQL could be started: see above");
        let url = format!("postgres://postgres@localhost:{port}/postgres?sslmode=disable");
        Self { url, folder: Some(folder), _stdin: Some(stdin), _script: Some(script) }
    }

    /// Its address.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The file that vouches for its certificate, where it is private.
    pub fn certificate(&self) -> Option<PathBuf> {
        self.folder.as_ref().map(|folder| folder.join("server.crt"))
    }

    /// The address of an empty schema, in which a ledger of its own can be.
    pub async fn schema(&self) -> String {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("test_{}_{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        self.client().await.batch_execute(&format!("CREATE SCHEMA {name}")).await.unwrap();
        let sign = if self.url.contains('?') { '&' } else { '?' };
        format!("{}{sign}options=-csearch_path%3D{name}", self.url)
    }

    /// A connection beside every store's.
    pub async fn client(&self) -> Client {
        let (client, connection) = tokio_postgres::connect(&self.url, NoTls).await.unwrap();
        tokio::spawn(connection);
        client
    }

    /// A store in an empty schema.
    pub async fn store(&self) -> PostgresStore {
        PostgresStore::connect(&self.schema().await, PostgresOptions { connections: 10, ..PostgresOptions::default() }).await.unwrap()
    }
}
