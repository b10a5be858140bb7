//! The server: a ledger over a data folder, the HTTP API on one listener, metrics on another.
//!
//! Listeners and the moment to stop are passed in, so that `serve`, `demo` and tests run the same server.

use crate::clock;
use crate::config::{Settings, StorePlace};
use crate::connections;
use crate::engines::{EngineError, EngineFile, EngineStore, EngineTable, Engines, SealError, SealKeys};
use crate::http::{self, AppState, Limits, Metrics, metrics_router};
use crate::ledger::{Ledger, Options};
use crate::periodic;
use crate::polling::{self, PollMetrics};
use crate::tokens::{KnownTokens, TokenFile, TokenStore, TokenTable};
use rollbook_store::postgres::{ConnectError, PostgresCounts, ReplicaReads};
use rollbook_store::sqlite::OpenError;
use rollbook_store::{PostgresOptions, PostgresStore, SqliteStore, Store};
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio::sync::watch;
use tokio::task::JoinSet;

/// How long requests under way may take once the server is told to stop.
const GRACE: Duration = Duration::from_secs(10);

/// Why a server did not start.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The data folder can't be used.
    #[error(transparent)]
    Store(#[from] OpenError),
    /// The database can't be used.
    #[error(transparent)]
    Database(#[from] ConnectError),
    /// An address can't be listened on.
    #[error("can't listen on {address} ({setting}): {cause}")]
    Listen {
        /// The setting that names it.
        setting: &'static str,
        /// The address.
        address: SocketAddr,
        /// Why.
        cause: io::Error,
    },
    /// The settings of an engine are wrong.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// The keys that seal secrets of added engines can't be had.
    #[error(transparent)]
    Key(#[from] SealError),
    /// A listener does not know its address.
    #[error("can't start: {0}")]
    Address(io::Error),
    /// The system has no threads for us.
    #[error("can't start: {0}")]
    Runtime(io::Error),
}

/// The runtime that everything asynchronous runs on.
///
/// # Errors
/// Where the system gives no threads.
pub fn runtime() -> Result<Runtime, ServeError> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(ServeError::Runtime)
}

/// What a server works on.
pub struct Opened {
    /// Journal and catalog.
    pub store: Arc<dyn Store>,
    /// Who may do what.
    pub tokens: Arc<dyn TokenStore>,
    /// The meeting engines that were added.
    pub engines: Arc<dyn EngineStore>,
    /// Where the rosters of ended sessions are kept; nowhere, where none.
    pub segments: Option<PathBuf>,
    /// How reads from a replica fare, where there is one.
    pub replica_reads: Option<ReplicaReads>,
    /// How the work with the database fares, where that has the ledger.
    pub database: Option<PostgresCounts>,
}

impl Opened {
    /// A ledger over it.
    #[must_use]
    pub fn ledger(&self, settings: &Settings) -> Ledger {
        Ledger::new(Arc::clone(&self.store), Options { segments: self.segments.clone(), memory: settings.memory.0 })
    }
}

/// Opens the store: that of the data folder, which no other process may use meanwhile, or the database.
///
/// # Errors
/// Where the folder or the database can't be used.
pub async fn open(settings: &Settings) -> Result<Opened, ServeError> {
    open_with(settings, PostgresOptions::default()).await
}

/// The same for who only reads: a database that has no ledger is left without.
///
/// # Errors
/// As [`open`], and where the database has no ledger.
pub async fn open_existing(settings: &Settings) -> Result<Opened, ServeError> {
    open_with(settings, PostgresOptions { existing: true, ..PostgresOptions::default() }).await
}

async fn open_with(settings: &Settings, options: PostgresOptions) -> Result<Opened, ServeError> {
    let segments = settings.data.join("segments");
    Ok(match &settings.store {
        StorePlace::Folder => Opened {
            store: Arc::new(SqliteStore::open(&settings.data, Arc::new(clock::now))?),
            tokens: Arc::new(TokenFile::new(&settings.data)),
            engines: Arc::new(EngineFile::new(&settings.data)),
            segments: Some(segments),
            replica_reads: None,
            database: None,
        },
        StorePlace::Postgres(url) => {
            let replica = settings.read_store.url();
            let store = PostgresStore::connect_with_replica(url, replica, options).await?;
            let replica_reads = replica.is_some().then(|| store.replica_reads());
            let tokens = Arc::new(TokenTable::new(store.tokens()));
            let engines = Arc::new(EngineTable::new(store.engines()));
            // The folder may have been another ledger's before.
            let segments = segments.join(store.id().to_string());
            let database = Some(store.counts());
            Opened { store: Arc::new(store), tokens, engines, segments: Some(segments), replica_reads, database }
        }
    })
}

/// Opens the tokens alone: those of the data folder, beside whichever process works in it, or the database's.
///
/// # Errors
/// Where the database can't be used.
pub async fn open_tokens(settings: &Settings) -> Result<Arc<dyn TokenStore>, ServeError> {
    match &settings.store {
        StorePlace::Folder => Ok(Arc::new(TokenFile::new(&settings.data))),
        StorePlace::Postgres(_) => Ok(open(settings).await?.tokens),
    }
}

/// The same for who makes none.
///
/// # Errors
/// As [`open_tokens`], and where the database has no ledger.
pub async fn open_existing_tokens(settings: &Settings) -> Result<Arc<dyn TokenStore>, ServeError> {
    match &settings.store {
        StorePlace::Folder => open_tokens(settings).await,
        StorePlace::Postgres(_) => Ok(open_existing(settings).await?.tokens),
    }
}

/// Opens the added engines alone, as [`open_tokens`] does.
///
/// # Errors
/// Where the database can't be used.
pub async fn open_engines(settings: &Settings) -> Result<Arc<dyn EngineStore>, ServeError> {
    match &settings.store {
        StorePlace::Folder => Ok(Arc::new(EngineFile::new(&settings.data))),
        StorePlace::Postgres(_) => Ok(open(settings).await?.engines),
    }
}

/// The same for who adds none.
///
/// # Errors
/// As [`open_engines`], and where the database has no ledger.
pub async fn open_existing_engines(settings: &Settings) -> Result<Arc<dyn EngineStore>, ServeError> {
    match &settings.store {
        StorePlace::Folder => open_engines(settings).await,
        StorePlace::Postgres(_) => Ok(open_existing(settings).await?.engines),
    }
}

/// Where a server listens.
pub struct Listeners {
    /// For the HTTP API.
    pub http: TcpListener,
    /// For metrics.
    pub metrics: TcpListener,
}

impl Listeners {
    /// Listens where the settings say.
    ///
    /// # Errors
    /// Where one of the addresses can't be had.
    pub async fn bind(settings: &Settings) -> Result<Self, ServeError> {
        Ok(Self { http: listen("listen", settings.listen).await?, metrics: listen("metrics_listen", settings.metrics_listen).await? })
    }
}

/// Listens on the address that a setting names.
///
/// # Errors
/// Where it can't be had.
pub async fn listen(setting: &'static str, address: SocketAddr) -> Result<TcpListener, ServeError> {
    TcpListener::bind(address).await.map_err(|cause| ServeError::Listen { setting, address, cause })
}

/// A server at work.
pub struct Running {
    /// Where the HTTP API listens.
    pub address: SocketAddr,
    stop: watch::Sender<bool>,
    tasks: JoinSet<()>,
}

/// Starts the server: what connects from now on is answered.
///
/// # Errors
/// Where an engine's settings are wrong, or a listener does not know its address.
pub fn start(settings: &Settings, opened: &Opened, listeners: Listeners) -> Result<Running, ServeError> {
    connections::raise_file_limit();
    let engines = Engines::open(settings)?.with_added(&*opened.engines, SealKeys::find(&settings.engines_key_file)?);
    let asked = polling::open(&settings.engines)?;
    let address = |listener: &TcpListener| listener.local_addr().map_err(ServeError::Address);
    let (address, metrics_address) = (address(&listeners.http)?, address(&listeners.metrics)?);
    tracing::info!(%address, %metrics_address, data = %settings.data.display(), "listening");
    let tokens = KnownTokens::start(&*opened.tokens);
    let (ledger, metrics) = (opened.ledger(settings), metrics_of(opened));
    let polls = PollMetrics::shown_by(&metrics);
    let concurrent_requests = settings.max_concurrent_requests.get() as usize;
    let limits = Limits { concurrent_requests, kept_bytes: settings.kept_size.0, ..Limits::default() };
    let tokens = Arc::new(tokens);
    let api = http::api(AppState { ledger: ledger.clone(), tokens, limits, metrics: metrics.clone(), engines: engines.clone() });
    let (stop, stopped) = watch::channel(false);
    let mut tasks = JoinSet::new();
    let until_stopped = || {
        let mut stopped = stopped.clone();
        async move {
            // An error says that the sender is gone, which is a reason to stop as well.
            let _ = stopped.wait_for(|stop| *stop).await;
        }
    };
    tasks.spawn(connections::serve(listeners.http, api, connections::HEAD_TIMEOUT, until_stopped()));
    tasks.spawn(connections::serve(listeners.metrics, metrics_router(metrics), connections::HEAD_TIMEOUT, until_stopped()));
    let (store, days, mut stopped) = (Arc::clone(&opened.store), settings.kept_days, stopped);
    tasks.spawn(async move {
        tokio::select! {
            () = periodic::expire_kept(Arc::clone(&store), days) => {}
            () = polling::run(store, ledger, asked, polls) => {}
            () = engines.keep_keys() => {}
            _ = stopped.wait_for(|stop| *stop) => {}
        }
    });
    Ok(Running { address, stop, tasks })
}

impl Running {
    /// Takes nothing new, finishes what is under way, and ends; what takes too long is cut off.
    pub async fn stop(mut self) {
        self.stop.send_replace(true);
        let finished = async { while self.tasks.join_next().await.is_some() {} };
        if tokio::time::timeout(GRACE, finished).await.is_err() {
            tracing::warn!("some requests took longer than {} s and were cut off", GRACE.as_secs());
            self.tasks.shutdown().await;
        }
    }
}

fn metrics_of(opened: &Opened) -> Metrics {
    let metrics = Metrics::default();
    if let Some(reads) = &opened.replica_reads {
        metrics.count_replica_reads(reads.clone());
    }
    if let Some(counts) = &opened.database {
        metrics.count_database(counts.clone());
    }
    metrics
}

/// Waits until the process is told to end (SIGTERM, or Ctrl-C).
pub async fn told_to_stop() {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        if let Ok(mut terminate) = signal(SignalKind::terminate()) {
            tokio::select! {
                _ = terminate.recv() => return,
                // Where Ctrl-C can't be listened for, SIGTERM still can.
                Ok(()) = tokio::signal::ctrl_c() => return,
            }
        }
    }
    if tokio::signal::ctrl_c().await.is_err() {
        std::future::pending::<()>().await;
    }
}
