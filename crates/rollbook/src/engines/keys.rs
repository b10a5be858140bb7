//! Keys that an engine publishes, and may replace at any time.
//!
//! They are fetched at the start and every hour, and once more when a delivery's signature is that of no known key. A key that was replaced holds
//! for an hour: what it signed may still be on its way.

use crate::polling::client::{AskError, Client, base, on_a_thread};
use rollbook_ingest::engine::{self, BadAnswer, Delivery, Engine, Refusal, Secret, SettingsError, Translation};
use serde::Deserialize;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;
use tokio::sync::Mutex;
use tokio::time::Instant;

/// While nothing is wrong the key is fetched again after this.
const EVERY: Duration = Duration::from_secs(3600);
/// After a fetch, whatever came of it, there is none for so long: anybody may send a signature that is wrong.
const PAUSE: Duration = Duration::from_secs(10);

/// An engine whose key is fetched.
#[derive(Debug)]
pub struct FetchedKeys {
    name: Box<str>,
    url: String,
    /// With the keys that the settings list; they hold too.
    settings: engine::Settings,
    known: RwLock<Known>,
    pause: Duration,
    /// How long a key holds after it was replaced.
    hold: Duration,
    /// When the last fetch ended; held while one is under way.
    fetched: Mutex<Option<Instant>>,
    client: Client,
}

#[derive(Clone, Debug)]
struct Known {
    engine: Arc<dyn Engine>,
    /// The key that was fetched last.
    latest: Option<Secret>,
    /// The key before, and when it was replaced.
    replaced: Option<(Secret, Instant)>,
    /// How often the keys have changed.
    generation: u64,
}

/// What a fetch can fail at.
#[derive(Debug, thiserror::Error)]
enum FetchError {
    #[error(transparent)]
    Ask(#[from] AskError),
    #[error(transparent)]
    Key(#[from] SettingsError),
}

/// What is published.
#[derive(Deserialize)]
struct Published {
    data: PublishedKey,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PublishedKey {
    public_key: String,
}

impl FetchedKeys {
    /// The engine of a name and of these settings, whose key is at `url`. Nothing is fetched yet.
    ///
    /// # Errors
    /// Where the engine publishes no key, or the settings are wrong.
    pub(super) fn open(name: &str, url: &str, settings: engine::Settings) -> Result<Self, String> {
        if name != "realtimekit" {
            return Err(format!("{name} publishes no key; realtimekit does"));
        }
        let url = base(url)?;
        let engine = engine::open(name, &settings).map_err(|error| error.to_string())?;
        let known = RwLock::new(Known { engine, latest: None, replaced: None, generation: 0 });
        Ok(Self {
            name: name.into(),
            url,
            settings,
            known,
            pause: PAUSE,
            hold: EVERY,
            fetched: Mutex::default(),
            client: Client::default(),
        })
    }

    fn known(&self) -> Known {
        self.known.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// How often the keys have changed.
    #[must_use]
    pub fn generation(&self) -> u64 {
        self.known().generation
    }

    /// Fetches the key at its times. Never ends.
    pub async fn keep(&self) {
        loop {
            self.fetch().await;
            tokio::time::sleep(if self.known().latest.is_some() { EVERY } else { self.pause }).await;
        }
    }

    /// Whether the keys are others than in that generation: fetches them if the last fetch was a while ago. All that wait share one.
    pub async fn changed_since(&self, generation: u64) -> bool {
        if self.generation() == generation {
            self.fetch().await;
        }
        self.generation() != generation
    }

    async fn fetch(&self) {
        let mut fetched = self.fetched.lock().await;
        if fetched.is_some_and(|at| at.elapsed() < self.pause) {
            return;
        }
        let (client, url) = (self.client.clone(), self.url.clone());
        let answer = on_a_thread(move |_| client.get(&url)).await;
        let outcome = answer.and_then(|answer| answer).map_err(FetchError::from).and_then(|answer| self.learn(&answer.body));
        match outcome {
            Ok(true) => tracing::info!(engine = &*self.name, url = self.url, "the engine's key is known"),
            Ok(false) => {}
            Err(error) => tracing::warn!(engine = &*self.name, url = self.url, %error, "the engine's key can't be fetched"),
        }
        *fetched = Some(Instant::now());
    }

    /// Takes a key in. Whether that changed anything.
    fn learn(&self, answer: &[u8]) -> Result<bool, FetchError> {
        let published: Published = serde_json::from_slice(answer).map_err(|error| AskError::from(BadAnswer(error.to_string())))?;
        let fetched = Secret::new("", &published.data.public_key);
        let before = self.known();
        let new = before.latest.as_ref() != Some(&fetched);
        let replaced = match before.latest {
            Some(latest) if new => Some((latest, Instant::now())),
            _ => before.replaced.filter(|(_, at)| at.elapsed() < self.hold),
        };
        let mut settings = self.settings.clone();
        settings.secrets.push(fetched.clone());
        settings.secrets.extend(replaced.iter().map(|(key, _)| key.clone()));
        let engine = engine::open(&self.name, &settings)?;
        let known = Known { engine, latest: Some(fetched), replaced, generation: before.generation + u64::from(new) };
        *self.known.write().unwrap_or_else(PoisonError::into_inner) = known;
        Ok(new)
    }
}

impl Engine for FetchedKeys {
    fn name(&self) -> &str {
        &self.name
    }

    /// Before the first fetch, too: then no signature holds.
    fn verifies(&self) -> bool {
        true
    }

    fn verify(&self, delivery: &Delivery<'_>) -> Result<(), Refusal> {
        self.known().engine.verify(delivery)
    }

    fn answer(&self, delivery: &Delivery<'_>) -> Option<String> {
        self.known().engine.answer(delivery)
    }

    fn translate(&self, delivery: &Delivery<'_>) -> Result<Translation, Refusal> {
        self.known().engine.translate(delivery)
    }

    fn status(&self, refusal: &Refusal) -> u16 {
        self.known().engine.status(refusal)
    }

    fn kept(&self, body: &[u8]) -> Vec<u8> {
        self.known().engine.kept(body)
    }
}

#[cfg(test)]
mod tests;
