//! Asking engines who is in, to mend what their deliveries lost.
//!
//! An engine that is asked says who is in each of its rooms. Where the ledger has others in, what was said becomes a roster, an event like
//! any other, and the rules of the fold do the rest: who is missing is out, who is unknown is in. Where both agree nothing is recorded.
//!
//! This is a duty ([`crate::periodic`]): one node of those that share a store asks. Nothing here is in the way of requests: questions are
//! asked on threads of their own, one an engine, each within a bounded time, and what fails is tried again at the next poll.

pub(crate) mod client;
mod counting;
mod healing;
mod janus;
mod livekit;

pub use counting::PollMetrics;

use crate::config::{EngineEntry, PollEntry, SecretError};
use crate::engines::{self, EngineError, Problem};
use crate::ledger::{IngestError, Ledger};
use crate::periodic::while_on_duty;
use client::{AskError, Client};
use healing::Healer;
use janus::{Janus, Unheard};
use livekit::LiveKit;
use rollbook_core::id::App;
use rollbook_ingest::janus::JanusOptions;
use rollbook_ingest::janus::asking::Asker;
use rollbook_store::{Store, StoreError};
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::MissedTickBehavior;

/// An engine of one app that is asked.
#[derive(Clone, Debug)]
pub struct Asked {
    app: App,
    every: Duration,
    engine: Engine,
}

#[derive(Clone, Debug)]
enum Engine {
    LiveKit(LiveKit),
    Janus(Janus),
}

/// Why a poll did not do what it is for, or not all of it.
#[derive(Debug, thiserror::Error)]
enum PollError {
    #[error(transparent)]
    Ask(#[from] AskError),
    #[error(transparent)]
    Ledger(#[from] IngestError),
}

impl From<StoreError> for PollError {
    fn from(error: StoreError) -> Self {
        Self::Ledger(error.into())
    }
}

impl PollError {
    /// The kind in one word, for counting.
    fn kind(&self) -> &'static str {
        match self {
            Self::Ask(error) => error.kind(),
            Self::Ledger(_) => "ledger",
        }
    }
}

/// What a poll found and did.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
struct Found {
    /// Rooms that were asked about.
    rooms: usize,
    /// Rosters that were recorded.
    rosters: usize,
}

/// The engines that these entries say to ask. Secrets are read here, once.
///
/// # Errors
/// Where an entry's settings are wrong, or a secret is not in its place.
pub fn open(entries: &[EngineEntry]) -> Result<Vec<Asked>, EngineError> {
    let mut asked = Vec::new();
    for (entry, number) in entries.iter().zip(1..) {
        if let Some(poll) = &entry.poll {
            asked.push(opened(entry, poll).map_err(|problem| EngineError::new(number, entry, problem))?);
        }
    }
    Ok(asked)
}

fn opened(entry: &EngineEntry, poll: &PollEntry) -> Result<Asked, Problem> {
    let app = App::new(&entry.account, &entry.app)?;
    if poll.urls.is_empty() {
        return Err(Problem::Poll("urls: name the engine's servers".to_owned()));
    }
    let urls = poll.urls.iter().map(|url| client::base(url)).collect::<Result<_, _>>().map_err(Problem::Poll)?;
    let read = |places: &[_]| engines::secrets(places).map_err(|error: SecretError| Problem::from(error));
    let engine = match entry.engine.as_str() {
        "livekit" => {
            let mut secrets = read(&poll.secrets)?;
            secrets.extend(read(&entry.secrets)?);
            let key = secrets.into_iter().next().ok_or_else(|| Problem::Poll("an API key and its secret are needed".to_owned()))?;
            Engine::LiveKit(LiveKit::new(urls, key))
        }
        "janus" => {
            let options = rollbook_ingest::engine::Settings { options: entry.options.clone(), ..Default::default() };
            if JanusOptions::of(&options)?.rooms_shared {
                return Err(Problem::Poll("rooms that several instances share can't be asked for".to_owned()));
            }
            Engine::Janus(Janus::new(urls, Asker::new(read(&poll.secrets)?).map_err(Problem::Poll)?))
        }
        other => return Err(Problem::Poll(format!("rollbook can't ask {other}; it can ask janus and livekit"))),
    };
    Ok(Asked { app, every: Duration::from_secs(poll.seconds.get().into()), engine })
}

/// Asks each of these engines at its times, whenever this is the node that has to. Never ends.
pub async fn run(store: Arc<dyn Store>, ledger: Ledger, asked: Vec<Asked>, metrics: PollMetrics) {
    if asked.is_empty() {
        return std::future::pending().await;
    }
    let work = || async {
        let mut tasks = JoinSet::new();
        for one in &asked {
            tasks.spawn(one.clone().go_on(ledger.clone(), metrics.clone()));
        }
        while tasks.join_next().await.is_some() {}
    };
    while_on_duty(store, "ask engines who is in", work).await;
}

impl Asked {
    /// Polls at its times. Never ends.
    async fn go_on(self, ledger: Ledger, metrics: PollMetrics) {
        let (account, app, engine) = (self.app.account().to_owned(), self.app.app().to_owned(), self.engine.name());
        let mut poller =
            Poller { healer: Healer::new(self.app, ledger), engine: self.engine, client: Client::default(), unheard: Unheard::new() };
        let mut times = tokio::time::interval(self.every);
        times.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut failing = false;
        loop {
            times.tick().await;
            let (found, outcome) = poller.poll().await;
            metrics.polled((&account, &app, engine), found, outcome.as_ref().err().map(PollError::kind));
            match &outcome {
                // Once is enough: the metrics tell for how long.
                Err(error) if !failing => tracing::warn!(%account, %app, engine, %error, "the engine can't be asked who is in"),
                Ok(()) if failing => tracing::info!(%account, %app, engine, "the engine tells again who is in"),
                _ => {}
            }
            if found.rosters > 0 {
                tracing::info!(%account, %app, engine, rosters = found.rosters, "the engine has others in than the ledger had");
            }
            failing = outcome.is_err();
        }
    }
}

impl Engine {
    fn name(&self) -> &'static str {
        match self {
            Self::LiveKit(_) => "livekit",
            Self::Janus(_) => "janus",
        }
    }
}

/// An engine, and what is remembered between two polls of it.
struct Poller {
    healer: Healer,
    engine: Engine,
    client: Client,
    /// Of Janus alone.
    unheard: Unheard,
}

impl Poller {
    /// What is found is recorded, even where not everything could be asked.
    async fn poll(&mut self) -> (Found, Result<(), PollError>) {
        let mut found = Found::default();
        self.healer.begin();
        let outcome = match &self.engine {
            Engine::LiveKit(livekit) => livekit.poll(&self.client, &mut self.healer, &mut found).await,
            Engine::Janus(janus) => janus.poll(&self.client, &mut self.healer, &mut self.unheard, &mut found).await,
        };
        if outcome.is_ok() {
            self.healer.end();
        }
        (found, outcome)
    }
}

#[cfg(test)]
mod tests;
