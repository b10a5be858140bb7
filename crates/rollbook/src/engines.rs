//! The meeting engines of a server: what each app's settings say, and for the rest what an engine can do without any.

mod keys;

pub use keys::FetchedKeys;

use crate::clock;
use crate::config::{EngineEntry, SecretError, SecretPlace, Settings};
use rollbook_core::id::{App, AppError};
use rollbook_core::time::Timestamp;
use rollbook_ingest::engine::{self, Engine, Secret, SettingsError};
use rollbook_ingest::janus::{Janus, JanusOptions};
use rollbook_store::Clock;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use tokio::task::JoinSet;

/// The engines, by app and by name. Cheap to clone.
#[derive(Clone)]
pub struct Engines(Arc<Known>);

type ByName = BTreeMap<Box<str>, Arc<dyn Engine>>;
/// Account, app and name.
type EngineOfApp = (Box<str>, Box<str>, Box<str>);

struct Known {
    /// By account and app.
    of_apps: BTreeMap<(Box<str>, Box<str>), ByName>,
    of_all: ByName,
    /// Those engines of apps whose keys are fetched.
    fetched: BTreeMap<EngineOfApp, Arc<FetchedKeys>>,
    clock: Clock,
}

/// Why an engine of the settings can't be had.
#[derive(Debug, thiserror::Error)]
#[error("[[engines]] number {number} ({}/{}, {}): {problem}", entry.account, entry.app, entry.engine)]
pub struct EngineError {
    number: usize,
    entry: Box<EngineEntry>,
    problem: Box<Problem>,
}

impl EngineError {
    pub(crate) fn new(number: usize, entry: &EngineEntry, problem: Problem) -> Self {
        Self { number, entry: Box::new(entry.clone()), problem: Box::new(problem) }
    }
}

#[derive(Debug, thiserror::Error)]
pub(crate) enum Problem {
    #[error(transparent)]
    App(#[from] AppError),
    #[error(transparent)]
    Secret(#[from] SecretError),
    #[error(transparent)]
    Settings(#[from] SettingsError),
    #[error("mapping_file: can't read {}: {cause}", path.display())]
    Mapping { path: PathBuf, cause: std::io::Error },
    #[error("it is there twice")]
    Twice,
    #[error("poll: {0}")]
    Poll(String),
    #[error("key_url: {0}")]
    Keys(String),
}

impl Engines {
    /// The engines of these settings, by the machine's clock. Secrets are read here, once.
    ///
    /// # Errors
    /// Where an engine's settings are wrong, or a secret is not in its place.
    pub fn open(settings: &Settings) -> Result<Self, EngineError> {
        let janus = JanusOptions { rooms_shared: settings.janus_rooms_shared, silence: settings.janus_silence.micros() };
        Self::with(&settings.engines, janus, Arc::new(clock::now))
    }

    /// The engines of these entries. `janus` holds for the apps that have no entry for it.
    ///
    /// # Errors
    /// As [`Engines::open`].
    pub fn with(entries: &[EngineEntry], janus: JanusOptions, clock: Clock) -> Result<Self, EngineError> {
        let mut of_all = ByName::new();
        for name in engine::names() {
            // An engine that can do nothing without settings is one that an app must name.
            if let Ok(engine) = engine::open(name, &engine::Settings::default()) {
                of_all.insert(name.into(), engine);
            }
        }
        of_all.insert("janus".into(), Arc::new(Janus::new(janus)) as Arc<dyn Engine>);
        let (mut of_apps, mut fetched): (BTreeMap<_, ByName>, BTreeMap<_, _>) = Default::default();
        for (entry, number) in entries.iter().zip(1..) {
            let located = |problem| EngineError::new(number, entry, problem);
            let app = App::new(&entry.account, &entry.app).map_err(|error| located(error.into()))?;
            let engines = of_apps.entry((app.account().into(), app.app().into())).or_default();
            let engine = match (&entry.key_url, settings_of(entry).map_err(located)?) {
                (None, settings) => engine::open(&entry.engine, &settings).map_err(|error| located(error.into()))?,
                (Some(url), settings) => {
                    let engine = Arc::new(FetchedKeys::open(&entry.engine, url, settings).map_err(|why| located(Problem::Keys(why)))?);
                    fetched.insert((app.account().into(), app.app().into(), entry.engine.as_str().into()), Arc::clone(&engine));
                    engine as Arc<dyn Engine>
                }
            };
            if engines.insert(entry.engine.as_str().into(), engine).is_some() {
                return Err(located(Problem::Twice));
            }
        }
        Ok(Self(Arc::new(Known { of_apps, of_all, fetched, clock })))
    }

    /// An app's engine of this name.
    #[must_use]
    pub fn find(&self, app: &App, name: &str) -> Option<Arc<dyn Engine>> {
        let own = self.0.of_apps.get(&(app.account().into(), app.app().into())).and_then(|engines| engines.get(name));
        own.or_else(|| self.0.of_all.get(name)).cloned()
    }

    /// An app's engine of this name, where its keys are fetched.
    #[must_use]
    pub fn fetched(&self, app: &App, name: &str) -> Option<Arc<FetchedKeys>> {
        self.0.fetched.get(&(app.account().into(), app.app().into(), name.into())).cloned()
    }

    /// Fetches the keys that are to be fetched, at their times. Never ends.
    pub async fn keep_keys(self) {
        let mut tasks = JoinSet::new();
        for keys in self.0.fetched.values() {
            let keys = Arc::clone(keys);
            tasks.spawn(async move { keys.keep().await });
        }
        while tasks.join_next().await.is_some() {}
        std::future::pending::<()>().await;
    }

    /// The time by which signatures are judged.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        (self.0.clock)()
    }
}

fn settings_of(entry: &EngineEntry) -> Result<engine::Settings, Problem> {
    let secrets = secrets(&entry.secrets)?;
    let read = |path: &PathBuf| std::fs::read_to_string(path).map_err(|cause| Problem::Mapping { path: path.clone(), cause });
    let mapping = entry.mapping_file.as_ref().map(read).transpose()?;
    Ok(engine::Settings { secrets, options: entry.options.clone(), mapping })
}

/// The secrets in these places.
pub(crate) fn secrets(places: &[SecretPlace]) -> Result<Vec<Secret>, SecretError> {
    places.iter().map(|place| Ok(Secret::new(&place.id, &place.read()?))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn opened(text: &str) -> Result<Engines, String> {
        #[derive(serde::Deserialize)]
        struct File {
            engines: Vec<EngineEntry>,
        }
        let file: File = toml::from_str(text).unwrap();
        Engines::with(&file.engines, JanusOptions::default(), Arc::new(Timestamp::default)).map_err(|error| error.to_string())
    }

    #[test]
    fn an_app_has_its_own_engines_and_every_app_those_that_need_no_secret() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("secret");
        std::fs::write(&file, "topsecret\n").unwrap();
        let text = format!(
            "[[engines]]\naccount = \"acme\"\napp = \"school\"\nengine = \"livekit\"\nsecrets = [{{ id = \"APIa\", secret_file = \"{}\" }}]",
            file.display()
        );
        let engines = opened(&text).unwrap();
        let verifies = |app: &str, name: &str| engines.find(&App::new("acme", app).unwrap(), name).map(|engine| engine.verifies());
        assert_eq!(verifies("school", "livekit"), Some(true));
        assert_eq!(verifies("school", "janus"), Some(false));
        assert_eq!(verifies("choir", "livekit"), Some(false));
        assert_eq!(verifies("choir", "skype"), None);
        let shown = format!("{:?}", engines.find(&App::new("acme", "school").unwrap(), "livekit"));
        assert!(shown.contains("APIa") && !shown.contains("topsecret"), "{shown}");
    }

    #[test]
    fn what_is_wrong_is_named_with_the_entry() {
        let entry = |rest: &str| format!("[[engines]]\naccount = \"acme\"\napp = \"school\"\n{rest}\n");
        for (text, told) in [
            (entry("engine = \"skype\""), "no engine is called \"skype\": there are 100ms, bigbluebutton"),
            (entry("engine = \"livekit\"\nsecrets = [{ id = \"a\" }]"), "secrets: each needs either secret_env or secret_file"),
            (
                entry("engine = \"livekit\"\nsecrets = [{ id = \"a\", secret_env = \"ROLLBOOK_NO_SUCH_VARIABLE\" }]"),
                "secret_env: the variable ROLLBOOK_NO_SUCH_VARIABLE is not set",
            ),
            (entry("engine = \"livekit\"\nsecrets = [{ id = \"a\", secret_file = \"not/there\" }]"), "secret_file: can't read not/there: "),
            (entry("engine = \"livekit\"\noptions = { loud = true }"), "options: unknown field `loud`"),
        ] {
            let error = opened(&text).map(|_| ()).unwrap_err();
            let engine = text.split('"').nth(5).unwrap();
            assert!(error.starts_with(&format!("[[engines]] number 1 (acme/school, {engine}): {told}")), "{error}");
        }
        let twice = entry("engine = \"janus\"").repeat(2);
        assert_eq!(opened(&twice).map(|_| ()).unwrap_err(), "[[engines]] number 2 (acme/school, janus): it is there twice");
        let slash = "[[engines]]\naccount = \"a/b\"\napp = \"school\"\nengine = \"janus\"";
        assert!(opened(slash).map(|_| ()).unwrap_err().starts_with("[[engines]] number 1 (a/b/school, janus): "));
    }
}
