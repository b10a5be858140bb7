//! What it costs to ask, before each answer, whether anything is new: requests over loopback to a server that does nothing else than that and
//! send a page. A server that does more loses less.

use crate::appends::{reserve, stream};
use crate::table::Measured;
use rollbook_core::id::{App, Stream};
use rollbook_store::suite::fixtures::{app, append, entry};
use rollbook_store::{PostgresOptions, PostgresStore, Store};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Mutex, oneshot};
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_postgres::{Client, NoTls, Statement};

/// A page of 25 rows, in bytes.
const PAGE: usize = 5 << 10;
/// A request, in bytes.
const REQUEST: usize = 64;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Check {
    /// The store's: one query for all that wait.
    Shared,
    None,
    /// A query for each request, on 8 connections.
    Each,
}

pub(crate) struct Reads {
    pub(crate) readers: u64,
    pub(crate) streams: u64,
    pub(crate) span: Duration,
    pub(crate) check: Check,
}

pub(crate) struct Got {
    rate: f64,
    p50: Duration,
    p99: Duration,
    checks: f64,
}

impl Got {
    pub(crate) fn note(&self, into: &mut Measured, name: &str) {
        into.add(&format!("{name} rate"), self.rate);
        into.add(&format!("{name} p50"), self.p50.as_secs_f64() * 1e6);
        into.add(&format!("{name} p99"), self.p99.as_secs_f64() * 1e6);
        into.add(&format!("{name} checks"), self.checks);
    }
}

/// What the server asks before it answers.
struct Server {
    check: Check,
    store: PostgresStore,
    pool: Vec<Mutex<(Client, Statement)>>,
    next: AtomicU64,
    /// Every check tells a time of its own.
    last: AtomicI64,
    checks: AtomicU64,
}

const QUERY: &str = "SELECT seq, received_at, batch, (extract(epoch FROM now()) * 1000000)::bigint FROM journal
    WHERE account = $1 AND app = $2 AND kind = 0 AND stream = $3 AND seq > 1 ORDER BY seq";

impl Server {
    async fn new(url: &str, check: Check) -> Self {
        let mut pool = Vec::new();
        for _ in 0..8 {
            let (client, connection) = tokio_postgres::connect(url, NoTls).await.unwrap();
            tokio::spawn(connection);
            client.batch_execute("SET plan_cache_mode = force_generic_plan; SET enable_seqscan = off").await.unwrap();
            let query = client.prepare(QUERY).await.unwrap();
            pool.push(Mutex::new((client, query)));
        }
        let store = PostgresStore::connect(url, PostgresOptions::default()).await.unwrap();
        Self { check, store, pool, next: AtomicU64::new(0), last: AtomicI64::new(0), checks: AtomicU64::new(0) }
    }

    async fn ask(&self, app: &App, stream: Stream) {
        match self.check {
            Check::None => {}
            Check::Shared => {
                let now = self.store.since(app, &[(stream, 1)]).await.unwrap().now.micros();
                if self.last.swap(now, Ordering::Relaxed) != now {
                    self.checks.fetch_add(1, Ordering::Relaxed);
                }
            }
            Check::Each => {
                let n = self.next.fetch_add(1, Ordering::Relaxed) as usize % self.pool.len();
                let connection = self.pool[n].lock().await;
                let (client, query) = &*connection;
                client.query(query, &[&app.account(), &app.app(), &stream.id]).await.unwrap();
                self.checks.fetch_add(1, Ordering::Relaxed);
            }
        }
    }

    /// Answers the requests of one connection, each of which names a stream's number.
    async fn serve(self: Arc<Self>, mut connection: TcpStream, base: u64) {
        let (app, page, mut request) = (app(), vec![b'x'; PAGE], [0; REQUEST]);
        connection.set_nodelay(true).unwrap();
        while connection.read_exact(&mut request).await.is_ok() {
            let number = u64::from_le_bytes(*request.first_chunk().unwrap());
            self.ask(&app, stream(base + number)).await;
            if connection.write_all(&page).await.is_err() {
                return;
            }
        }
    }
}

impl Reads {
    pub(crate) async fn run(&self, node: &Arc<dyn Store>, url: &str) -> Got {
        let base = reserve(self.streams);
        let entries = (0..self.streams).map(|n| entry(stream(base + n), 0, "x"));
        append(&**node, entries).await.unwrap();
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let port = listener.local_addr().unwrap().port();
        let (url, check) = (url.to_owned(), self.check);
        let (stop, stopped) = oneshot::channel::<()>();
        // A core for the server, as it has one while PostgreSQL and the clients keep the others busy.
        let server = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let server = Arc::new(Server::new(&url, check).await);
                let listener = TcpListener::from_std(listener).unwrap();
                let accept = async {
                    loop {
                        let (connection, _) = listener.accept().await.unwrap();
                        tokio::spawn(Arc::clone(&server).serve(connection, base));
                    }
                };
                tokio::select! { () = accept => {}, _ = stopped => {} }
                server.checks.load(Ordering::Relaxed)
            })
        });
        let mut took = self.ask_for_pages(port).await;
        drop(stop);
        let checks = server.join().unwrap() as f64 / took.len() as f64;
        took.sort_unstable();
        let part = |percent| took[took.len() * percent / 100];
        Got { rate: took.len() as f64 / self.span.as_secs_f64(), p50: part(50), p99: part(99), checks }
    }

    /// Each reader asks for one page after the other. Returns how long each took.
    async fn ask_for_pages(&self, port: u16) -> Vec<Duration> {
        let mut readers = Vec::new();
        for _ in 0..self.readers {
            let mut connection = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
            connection.set_nodelay(true).unwrap();
            // Once before it counts: until then the server is not there.
            fetch(&mut connection, 0).await;
            readers.push(connection);
        }
        let (end, streams, mut all) = (Instant::now() + self.span, self.streams, JoinSet::new());
        for (reader, mut connection) in (0..).zip(readers) {
            all.spawn(async move {
                let (mut took, mut number) = (Vec::new(), reader * 31);
                loop {
                    let began = Instant::now();
                    if began >= end {
                        return took;
                    }
                    number = (number + 7919) % streams;
                    fetch(&mut connection, number).await;
                    took.push(began.elapsed());
                }
            });
        }
        all.join_all().await.concat()
    }
}

async fn fetch(connection: &mut TcpStream, number: u64) {
    let (mut request, mut page) = ([0; REQUEST], vec![0; PAGE]);
    request[..8].copy_from_slice(&number.to_le_bytes());
    connection.write_all(&request).await.unwrap();
    connection.read_exact(&mut page).await.unwrap();
}

/// Reads that miss what was acknowledged before they began, on a node to which the database's replies come late while another appends.
pub(crate) async fn stale(url: &str, writer: &Arc<dyn Store>, span: Duration) -> f64 {
    let options = PostgresOptions { check_delay: Duration::from_millis(1), ..PostgresOptions::default() };
    let reader = Arc::new(PostgresStore::connect(url, options).await.unwrap());
    let (stream, end, acknowledged) = (stream(reserve(1)), Instant::now() + span, Arc::new(AtomicU64::new(0)));
    let mut all = JoinSet::new();
    for _ in 0..32 {
        let (reader, acknowledged) = (Arc::clone(&reader), Arc::clone(&acknowledged));
        all.spawn(async move {
            let mut stale = 0_u64;
            while Instant::now() < end {
                let must = acknowledged.load(Ordering::SeqCst);
                let known = must.saturating_sub(1);
                let since = reader.since(&app(), &[(stream, known)]).await.unwrap();
                stale += u64::from(since.batches.last().map_or(known, |batch| batch.seq) < must);
            }
            stale
        });
    }
    let mut known = 0;
    while Instant::now() < end {
        append(&**writer, [entry(stream, known, "x")]).await.unwrap();
        known += 1;
        acknowledged.store(known, Ordering::SeqCst);
    }
    all.join_all().await.iter().sum::<u64>() as f64
}
