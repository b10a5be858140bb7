//! What is counted of polls.

use super::Found;
use crate::clock;
use crate::http::Metrics;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use rollbook_core::time::SECOND;

/// What is counted of polls. Cheap to clone; all clones count together.
#[derive(Clone, Debug, Default)]
pub struct PollMetrics {
    polls: Family<Polled, Counter>,
    rooms: Family<Asked, Gauge>,
    rosters: Family<Asked, Counter>,
    last_success: Family<Asked, Gauge>,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug, EncodeLabelSet)]
struct Polled {
    account: String,
    app: String,
    engine: &'static str,
    outcome: &'static str,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug, EncodeLabelSet)]
struct Asked {
    account: String,
    app: String,
    engine: &'static str,
}

impl PollMetrics {
    /// Counts that are shown among the program's.
    #[must_use]
    pub fn shown_by(metrics: &Metrics) -> Self {
        let new = Self::default();
        metrics.register(|registry| {
            registry.register("engine_polls", "Times that an engine was asked who is in, by outcome", new.polls.clone());
            registry.register("engine_poll_rooms", "Rooms that the last poll of an engine asked about", new.rooms.clone());
            registry.register(
                "engine_poll_rosters",
                "Rosters recorded because the engine had others in than the ledger",
                new.rosters.clone(),
            );
            let help = "When an engine last told who is in all of its rooms, in seconds since 1970";
            registry.register("engine_poll_last_success_timestamp_seconds", help, new.last_success.clone());
        });
        new
    }

    /// Counts a poll, with what went wrong where something did.
    pub(super) fn polled(&self, (account, app, engine): (&str, &str, &'static str), found: Found, wrong: Option<&'static str>) {
        let asked = Asked { account: account.to_owned(), app: app.to_owned(), engine };
        self.rosters.get_or_create(&asked).inc_by(found.rosters as u64);
        if wrong.is_none() {
            self.rooms.get_or_create(&asked).set(found.rooms as i64);
            self.last_success.get_or_create(&asked).set(clock::now().micros() / SECOND);
        }
        let Asked { account, app, engine } = asked;
        self.polls.get_or_create(&Polled { account, app, engine, outcome: wrong.unwrap_or("ok") }).inc();
    }
}
