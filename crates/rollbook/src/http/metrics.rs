//! What is counted, and the address that shows it.

mod database;

use crate::ledger::Receipt;
use axum::Router;
use axum::extract::MatchedPath;
use axum::http::header::CONTENT_TYPE;
use axum::http::{Method, StatusCode};
use axum::routing::get;
use database::Database;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::text::encode;
use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::{ConstCounter, Counter};
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;
use rollbook_core::time::SECOND;
use rollbook_store::postgres::{PostgresCounts, ReplicaReads};
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Instant;

/// The program's metrics. Cheap to clone; all clones count together.
#[derive(Clone)]
pub struct Metrics {
    registry: Arc<Mutex<Registry>>,
    requests: Family<Answered, Counter>,
    seconds: Family<Route, Histogram>,
    answers: Arc<RwLock<Vec<Answers>>>,
    in_flight: Gauge,
    accepted: Counter,
    duplicates: Counter,
    refused: Counter,
    kept: Counter,
    dropped: Counter,
    engines: ByEngine,
}

/// What counts the answers of one kind: a family is asked for it by hashes of its labels. There are as many as the API has addresses,
/// methods and statuses.
struct Answers {
    labels: Answered,
    count: Counter,
    seconds: Histogram,
}

/// What became of the deliveries of each engine.
#[derive(Clone)]
struct ByEngine {
    accepted: Family<EngineName, Counter>,
    duplicates: Family<EngineName, Counter>,
    kept: Family<EngineName, Counter>,
    refused: Family<RefusedBy, Counter>,
    retried: Family<Retried, Counter>,
    delay: Family<EngineName, Histogram>,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug, EncodeLabelSet)]
struct EngineName {
    engine: String,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug, EncodeLabelSet)]
struct RefusedBy {
    engine: String,
    reason: &'static str,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug, EncodeLabelSet)]
struct Retried {
    engine: String,
    outcome: &'static str,
}

/// What the store counts of its replica.
#[derive(Debug)]
struct Replica(ReplicaReads);

impl Collector for Replica {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let help = "Reads that the replica should answer, by who answered";
        let mut family = encoder.encode_descriptor("replica_reads", help, None, MetricType::Counter)?;
        for (by, count) in [("replica", self.0.by_replica()), ("primary", self.0.by_primary())] {
            ConstCounter::new(count).encode(family.encode_family(&[("by", by)])?)?;
        }
        Ok(())
    }
}

#[derive(Clone, PartialEq, Eq, Hash, Debug, EncodeLabelSet)]
struct Answered {
    route: String,
    method: &'static str,
    status: u16,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug, EncodeLabelSet)]
struct Route {
    route: String,
}

/// From a tenth of a millisecond to ten seconds.
fn histogram() -> Histogram {
    Histogram::new([0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0])
}

/// From a tenth of a second to a day: an engine may retry for hours.
fn delays() -> Histogram {
    Histogram::new([0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0, 3600.0, 7200.0, 86_400.0])
}

impl Default for Metrics {
    fn default() -> Self {
        let new = Self {
            registry: Arc::new(Mutex::new(Registry::with_prefix("rollbook"))),
            requests: Family::default(),
            seconds: Family::new_with_constructor(histogram),
            answers: Arc::default(),
            in_flight: Gauge::default(),
            accepted: Counter::default(),
            duplicates: Counter::default(),
            refused: Counter::default(),
            kept: Counter::default(),
            dropped: Counter::default(),
            engines: ByEngine {
                accepted: Family::default(),
                duplicates: Family::default(),
                kept: Family::default(),
                refused: Family::default(),
                retried: Family::default(),
                delay: Family::new_with_constructor(delays),
            },
        };
        new.register(|registry| {
            registry.register("http_requests", "Requests answered", new.requests.clone());
            registry.register("http_request_duration_seconds", "Time from request to answer", new.seconds.clone());
            registry.register("http_requests_in_flight", "Requests under way", new.in_flight.clone());
            registry.register("events_accepted", "Events that were new", new.accepted.clone());
            registry.register("events_duplicate", "Events that were known", new.duplicates.clone());
            registry.register("events_refused", "Events that were bad, or in conflict with known ones", new.refused.clone());
            registry.register("deliveries_kept", "Engine deliveries kept raw", new.kept.clone());
            registry.register("deliveries_dropped", "Kept deliveries that were dropped because there were too many", new.dropped.clone());
            let engines = &new.engines;
            registry.register("engine_events_accepted", "Events of an engine that were new", engines.accepted.clone());
            registry.register("engine_events_duplicate", "Events of an engine that were known", engines.duplicates.clone());
            registry.register("engine_deliveries_kept", "Deliveries of an engine kept raw", engines.kept.clone());
            registry.register("engine_deliveries_refused", "Deliveries to an engine's address refused", engines.refused.clone());
            registry.register(
                "engine_deliveries_retried",
                "Kept deliveries of an engine that were translated anew",
                engines.retried.clone(),
            );
            registry.register("engine_delay_seconds", "Time from an engine's event to its arrival", engines.delay.clone());
        });
        new
    }
}

impl EngineName {
    fn of(engine: &str) -> Self {
        Self { engine: engine.to_owned() }
    }
}

impl Metrics {
    /// Adds metrics of other parts of the program.
    pub fn register(&self, add: impl FnOnce(&mut Registry)) {
        add(&mut self.registry.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// Counts reads that a replica should answer, by who did.
    pub fn count_replica_reads(&self, reads: ReplicaReads) {
        self.register(|registry| registry.register_collector(Box::new(Replica(reads))));
    }

    /// Tells what the store in PostgreSQL counts of its work.
    pub fn count_database(&self, counts: PostgresCounts) {
        self.register(|registry| registry.register_collector(Box::new(Database(counts))));
    }

    /// The metrics as OpenMetrics text.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = String::new();
        // Writing into a string has no way to fail.
        let _ = encode(&mut text, &self.registry.lock().unwrap_or_else(PoisonError::into_inner));
        text
    }

    /// Counts what became of a delivery.
    pub(super) fn taken(&self, receipt: Receipt) {
        self.accepted.inc_by(receipt.accepted as u64);
        self.duplicates.inc_by(receipt.duplicates as u64);
    }

    /// Counts events that were refused.
    pub(super) fn refused(&self, events: usize) {
        self.refused.inc_by(events as u64);
    }

    /// Counts a delivery of an engine that was kept raw.
    pub(super) fn kept(&self, engine: &str) {
        self.kept.inc();
        self.engines.kept.get_or_create(&EngineName::of(engine)).inc();
    }

    /// Counts kept deliveries that were dropped because there were too many.
    pub(super) fn dropped(&self, deliveries: u64) {
        self.dropped.inc_by(deliveries);
    }

    /// Counts a kept delivery of an engine that was translated anew.
    pub(super) fn retried(&self, engine: &str, outcome: &'static str) {
        self.engines.retried.get_or_create(&Retried { engine: engine.to_owned(), outcome }).inc();
    }

    /// Counts what became of an engine's delivery. The caller counts it among all, too.
    pub(super) fn taken_from(&self, engine: &str, receipt: Receipt) {
        let name = EngineName::of(engine);
        self.engines.accepted.get_or_create(&name).inc_by(receipt.accepted as u64);
        self.engines.duplicates.get_or_create(&name).inc_by(receipt.duplicates as u64);
    }

    /// Counts a delivery to an engine's address that was refused.
    pub(super) fn refused_of(&self, engine: &str, reason: &'static str) {
        self.engines.refused.get_or_create(&RefusedBy { engine: engine.to_owned(), reason }).inc();
    }

    /// Observes how long an engine's event was on its way, in microseconds. Clocks differ: less than none is none.
    pub(super) fn delayed(&self, engine: &str, micros: i64) {
        let seconds = micros.max(0) as f64 / SECOND as f64;
        self.engines.delay.get_or_create(&EngineName::of(engine)).observe(seconds);
    }

    /// Counts a request as under way until the observation ends.
    #[expect(clippy::disallowed_methods, reason = "this is the metrics layer, and nothing but a histogram depends on it")]
    pub(super) fn observe(&self, method: &Method, template: Template) -> Observed<'_> {
        self.in_flight.inc();
        Observed { metrics: self, template, method: label(method), started: Instant::now() }
    }
}

/// Methods are the client's to invent: those that are not ours share a label.
fn label(method: &Method) -> &'static str {
    let known = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];
    known.into_iter().find(|known| *known == method.as_str()).unwrap_or("other")
}

impl Answers {
    fn took(&self, seconds: f64) {
        self.count.inc();
        self.seconds.observe(seconds);
    }
}

/// The template of a request's address.
pub(super) enum Template {
    /// Known before it came.
    Fixed(&'static str),
    /// As the router found it; none where it found nothing.
    Matched(Option<MatchedPath>),
}

/// A request under way.
pub(super) struct Observed<'a> {
    metrics: &'a Metrics,
    template: Template,
    method: &'static str,
    started: Instant,
}

impl Observed<'_> {
    /// Counts the request as answered.
    pub(super) fn done(&self, status: StatusCode) {
        let (status, seconds) = (status.as_u16(), self.started.elapsed().as_secs_f64());
        let is_this = |known: &&Answers| {
            let labels = &known.labels;
            labels.status == status && labels.method == self.method && labels.route == self.route()
        };
        let answers = &self.metrics.answers;
        if let Some(known) = answers.read().unwrap_or_else(PoisonError::into_inner).iter().find(is_this) {
            return known.took(seconds);
        }
        let labels = Answered { route: self.route().to_owned(), method: self.method, status };
        let count = self.metrics.requests.get_or_create_owned(&labels);
        let of_route = self.metrics.seconds.get_or_create_owned(&Route { route: labels.route.clone() });
        let new = Answers { labels, count, seconds: of_route };
        new.took(seconds);
        answers.write().unwrap_or_else(PoisonError::into_inner).push(new);
    }

    /// The template of the address.
    pub(super) fn route(&self) -> &str {
        match &self.template {
            Template::Fixed(template) => template,
            Template::Matched(path) => path.as_ref().map_or("unmatched", MatchedPath::as_str),
        }
    }

    /// The method, or `other`.
    pub(super) fn method(&self) -> &'static str {
        self.method
    }
}

impl Drop for Observed<'_> {
    /// Counts down where a client hung up, too.
    fn drop(&mut self) {
        self.metrics.in_flight.dec();
    }
}

/// `/metrics`, for a listener of its own: who may ask for it is a question of the network, not of tokens.
pub fn metrics_router(metrics: Metrics) -> Router {
    let show = move || {
        let text = metrics.text();
        async move { ([(CONTENT_TYPE, "application/openmetrics-text; version=1.0.0; charset=utf-8")], text) }
    };
    Router::new().route("/metrics", get(show))
}
