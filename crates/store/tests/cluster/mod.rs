//! A PostgreSQL for the tests of one program: the one that `ROLLBOOK_TEST_POSTGRES` names, or a private cluster that lives as long as the
//! program. If neither can be had, the tests fail.
#![allow(dead_code, reason = "each test program uses a part of it")]

use rollbook_store::{PostgresOptions, PostgresStore};
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, OnceLock};
use tokio_postgres::{Client, NoTls};

/// The running database.
pub(crate) struct Cluster {
    url: String,
    folder: Option<PathBuf>,
    script: Option<Mutex<Script>>,
}

/// What runs a private cluster. It ends, and the cluster with it, when its standard input closes.
struct Script {
    child: Child,
    stdin: Option<ChildStdin>,
    stdout: BufReader<ChildStdout>,
}

impl Drop for Script {
    fn drop(&mut self) {
        drop(self.stdin.take());
        let _ = self.child.wait();
    }
}

impl Script {
    fn say(&mut self, lines: &str) {
        writeln!(self.stdin.as_mut().unwrap(), "{lines}").unwrap();
        self.wait();
    }

    fn wait(&mut self) {
        let mut line = String::new();
        self.stdout.read_line(&mut line).unwrap();
        assert_eq!(line, "done\n", "no PostgreSQL could be run: see above");
    }
}

/// The database of this program, without syncs: what is tested survives the programs' ends, not the machine's.
pub(crate) fn cluster() -> &'static Cluster {
    static CLUSTER: OnceLock<Cluster> = OnceLock::new();
    CLUSTER.get_or_init(|| {
        #[expect(clippy::disallowed_methods, reason = "a test's own setting")]
        let named = std::env::var("ROLLBOOK_TEST_POSTGRES").ok();
        named.map_or_else(|| Cluster::start("-c fsync=off"), |url| Cluster { url, folder: None, script: None })
    })
}

impl Cluster {
    /// Starts a private one.
    pub(crate) fn start(settings: &str) -> Self {
        Self::run(settings)
    }

    /// Starts a streaming replica of a private one.
    pub(crate) fn replica(&self, settings: &str) -> Self {
        Self::run(&format!("--replica-of {} {settings}", self.port()))
    }

    /// The address at which this one, a replica, has what is at an address of another.
    pub(crate) fn counterpart(&self, of: &Self, address: &str) -> String {
        address.replacen(&of.port(), &self.port(), 1)
    }

    /// Its port.
    pub(crate) fn port(&self) -> String {
        let (_, after) = self.url.rsplit_once(':').unwrap();
        after.split('/').next().unwrap().to_owned()
    }

    fn run(arguments: &str) -> Self {
        let folder = tempfile::Builder::new().prefix("rollbook-pg-").tempdir().unwrap().keep();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut child = Command::new("sh")
            .args(["-s", "--"])
            .arg(&folder)
            .arg(port.to_string())
            .args(arguments.split_whitespace())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (stdin, stdout) = (child.stdin.take(), BufReader::new(child.stdout.take().unwrap()));
        let mut script = Script { child, stdin, stdout };
        // All of it before the shell begins: it reads on for as long as this program lives.
        script.say(&format!("main() {{\n{}\n}}\nmain \"$@\"; exit", include_str!("cluster.sh")));
        let url = format!("postgres://postgres@localhost:{port}/postgres?sslmode=disable");
        Self { url, folder: Some(folder), script: Some(Mutex::new(script)) }
    }

    /// Stops a private one at once, starts it again, or promotes it.
    pub(crate) fn control(&self, what: &str) {
        self.script.as_ref().unwrap().lock().unwrap().say(what);
    }

    /// Its address.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// The file that vouches for its certificate, where it is private.
    pub(crate) fn authority(&self) -> Option<PathBuf> {
        self.file("ca.crt")
    }

    /// A file of a private one.
    pub(crate) fn file(&self, name: &str) -> Option<PathBuf> {
        self.folder.as_ref().map(|folder| folder.join(name))
    }

    /// The address of an empty schema, in which a ledger of its own can be.
    pub(crate) async fn schema(&self) -> String {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("test_{}_{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        self.client().await.batch_execute(&format!("CREATE SCHEMA {name}")).await.unwrap();
        let sign = if self.url.contains('?') { '&' } else { '?' };
        format!("{}{sign}options=-csearch_path%3D{name}", self.url)
    }

    /// A connection beside every store's.
    pub(crate) async fn client(&self) -> Client {
        let (client, connection) = tokio_postgres::connect(&self.url, NoTls).await.unwrap();
        tokio::spawn(connection);
        client
    }

    /// A store in an empty schema.
    pub(crate) async fn store(&self) -> PostgresStore {
        PostgresStore::connect(&self.schema().await, PostgresOptions { connections: 10, ..PostgresOptions::default() }).await.unwrap()
    }
}
