//! What the store in PostgreSQL tells of its work.

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use rollbook_store::postgres::PostgresCounts;
use std::fmt;

/// Asked each time that someone looks.
#[derive(Debug)]
pub(super) struct Database(pub(super) PostgresCounts);

impl Collector for Database {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let (counts, pool) = (&self.0, self.0.pool());
        let mut connections =
            encoder.encode_descriptor("postgres_connections", "Connections to the primary, by use", None, MetricType::Gauge)?;
        for (state, many) in [("in_use", pool.in_use), ("idle", pool.idle)] {
            ConstGauge::new(many as u64).encode(connections.encode_family(&[("state", state)])?)?;
        }
        let waiting = encoder.encode_descriptor("postgres_waiting", "Calls that wait for a connection", None, MetricType::Gauge)?;
        ConstGauge::new(pool.waiting as u64).encode(waiting)?;
        for (name, help, count) in [
            ("postgres_commits_retried", "Commits that failed and were tried again", counts.commits_retried()),
            ("postgres_appends_lost", "Appends that another writer's came before", counts.appends_lost()),
            ("postgres_lanes_entered", "Appends that waited to have their sessions alone", counts.lanes_entered()),
            ("postgres_checks", "Shared checks", counts.checks()),
            ("postgres_check_readers", "Readers that shared the checks", counts.readers()),
        ] {
            ConstCounter::new(count).encode(encoder.encode_descriptor(name, help, None, MetricType::Counter)?)?;
        }
        Ok(())
    }
}
