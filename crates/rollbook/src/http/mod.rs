//! The HTTP API: the sessions family as RealtimeKit answers it, the addresses that take events, and nothing of its own
//! about attendance.
//!
//! Wire names live here and nowhere else. An endpoint is a file; what they share is how to ask ([`auth`], `params`,
//! `body`), how to answer (`json`, `row`, `error`), and what every request passes through (`guard`).
#![allow(unused_qualifications, reason = "the macros that document handlers qualify every type")]

mod apps;
pub mod auth;
mod body;
mod engines;
mod error;
mod events;
mod front;
mod guard;
mod health;
mod json;
mod kept;
pub mod metrics;
mod openapi;
mod params;
mod participant;
mod participants;
mod peer_report;
mod quarantine;
mod request_id;
mod respond;
mod row;
mod schema;
mod session;
mod sessions;
#[cfg(test)]
mod tests;

pub use auth::{TokenLookup, TokensAway};
pub(crate) use events::KNOWN;
pub use front::Api;
pub use metrics::{Metrics, metrics_router};
pub(crate) use participants::all_rows;
pub(crate) use sessions::page;

use crate::engines::Engines;
use crate::ledger::Ledger;
use crate::quarantine::Quarantine;
use axum::Router;
use axum::routing::post;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;
use tower_http::CompressionLevel;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::compression::CompressionLayer;
use tower_http::compression::predicate::SizeAbove;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// What the API works with.
#[derive(Clone)]
pub struct AppState {
    /// Takes events and answers questions.
    pub ledger: Ledger,
    /// Knows who may do what.
    pub tokens: Arc<dyn TokenLookup>,
    /// How much is taken at once, and how long it may take.
    pub limits: Limits,
    /// Counts what happens.
    pub metrics: Metrics,
    /// The meeting engines of each app.
    pub engines: Engines,
}

/// How much the API takes at once, and how long it may take. Beyond it the answer is a 503 at once: a queue would only
/// let everyone wait.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Requests at one time.
    pub concurrent_requests: usize,
    /// Bytes of one body, decompressed.
    pub body_bytes: usize,
    /// Bytes of all bodies in memory at one time.
    pub buffered_bytes: usize,
    /// How long a body may take to arrive.
    pub body_timeout: Duration,
    /// How long a request may take in all.
    pub request_timeout: Duration,
    /// About how many bytes of deliveries are kept raw for one app.
    pub kept_bytes: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            concurrent_requests: 1024,
            body_bytes: 16 << 20,
            buffered_bytes: 256 << 20,
            body_timeout: Duration::from_secs(30),
            // Shorter than the official SDKs' own 60 seconds, so that they hear why.
            request_timeout: Duration::from_secs(50),
            kept_bytes: 64 << 20,
        }
    }
}

/// What the handlers share.
struct Shared {
    ledger: Ledger,
    tokens: Arc<dyn TokenLookup>,
    limits: Limits,
    metrics: Metrics,
    engines: Engines,
    apps: apps::Apps,
    quarantine: Quarantine,
    /// A permit a request.
    requests: Semaphore,
    /// A permit a [`body::BLOCK`] of a body in memory.
    blocks: Arc<Semaphore>,
}

/// The handlers' state.
#[derive(Clone)]
struct Http(Arc<Shared>);

impl std::ops::Deref for Http {
    type Target = Shared;

    fn deref(&self) -> &Shared {
        &self.0
    }
}

/// Answers above this size are compressed where the client asks for it; below it a packet is a packet.
const COMPRESS_ABOVE: u64 = 1024;

/// The whole API. Whoever calls it brings the listener and decides when to stop.
pub fn api(state: AppState) -> Api {
    let AppState { ledger, tokens, limits, metrics, engines } = state;
    let requests = Semaphore::new(limits.concurrent_requests.min(Semaphore::MAX_PERMITS));
    let blocks = Arc::new(Semaphore::new((limits.buffered_bytes / body::BLOCK).min(Semaphore::MAX_PERMITS)));
    let quarantine = Quarantine::new(ledger.clone(), engines.clone(), limits.kept_bytes);
    let apps = apps::Apps::default();
    let http = Http(Arc::new(Shared { ledger, tokens, limits, metrics, engines, apps, quarantine, requests, blocks }));

    let documented = OpenApiRouter::with_openapi(openapi::about()).merge(kit("/client/v4")).merge(ingest());
    // The same without the prefix, for clients of the older base addresses; the document says so in words.
    let (limited, document) = documented.split_for_parts();
    let limited = limited.merge(Router::from(kit(""))).route(engines::BELOW, post(engines::take));
    let limited = limited.layer(guard::limit(http.clone()));
    let (health, document) =
        OpenApiRouter::with_openapi(document).routes(routes!(health::alive)).routes(routes!(health::ready)).split_for_parts();
    let router = Router::new()
        .merge(limited)
        .merge(health)
        .route("/openapi.json", openapi::serve(&document))
        .fallback(guard::not_found)
        .method_not_allowed_fallback(guard::method_not_allowed)
        // As one layer, the first outermost: between layers of their own each route would be boxed, and cloned for each request.
        .layer((guard::watch(http.clone()), compression(), CatchPanicLayer::custom(guard::panicked)))
        .with_state(http.clone());
    Api::new(&http, router)
}

/// Where the client asks for it.
fn compression() -> CompressionLayer<SizeAbove> {
    CompressionLayer::new().gzip(true).quality(CompressionLevel::Fastest).compress_when(SizeAbove::new(COMPRESS_ABOVE))
}

/// The sessions family below a prefix. `peer-report` is a literal, and so wins over `{session_id}`.
fn kit(prefix: &str) -> OpenApiRouter<Http> {
    let all = [
        routes!(sessions::list),
        routes!(session::details),
        routes!(participants::list),
        routes!(participant::details),
        routes!(peer_report::details),
    ];
    // Whole paths: a nested router would take every request's address apart once more.
    all.into_iter().fold(OpenApiRouter::new(), |router, (schemas, mut documented, methods)| {
        let paths = std::mem::take(&mut documented.paths).into_iter();
        documented.paths = paths.map(|(path, item)| (format!("{prefix}{path}"), item)).collect();
        router.routes((schemas, documented, methods))
    })
}

/// The addresses that take events, or take up what was kept.
fn ingest() -> OpenApiRouter<Http> {
    OpenApiRouter::new().routes(routes!(events::take)).routes(routes!(engines::take)).routes(routes!(quarantine::retry))
}
