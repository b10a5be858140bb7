//! The meeting engines of a server: what each app's settings say, what was added by command, and for the rest what an engine can do
//! without any.
//!
//! What was added is in a file of its own in the data folder, or in the database that several nodes share: an engine can be added before
//! any server ran, and removed while one runs.

mod database;
mod file;
mod keys;
mod known;
mod record;
mod seal;
mod store;
#[cfg(test)]
mod suite;

pub use database::EngineTable;
pub use file::{ENGINES_FILE, EngineFile};
pub use keys::FetchedKeys;
pub use known::Unusable;
pub use record::{AddedEngine, AddedSecret, SecretIn, UnusableEngine};
pub use seal::{Place, SealError, SealKeys};
pub use store::{EngineChanges, EngineStore, EnginesError};

use crate::clock;
use crate::config::{EngineEntry, SecretError, SecretPlace, Settings};
use known::AddedEngines;
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
pub struct Engines {
    known: Arc<Known>,
    /// Those that were added, where there is a place for them.
    added: Option<AddedEngines>,
}

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
            let engine = match &entry.key_url {
                None => open(entry).map_err(located)?,
                Some(url) => {
                    let settings = settings_of(entry).map_err(located)?;
                    let engine = Arc::new(FetchedKeys::open(&entry.engine, url, settings).map_err(|why| located(Problem::Keys(why)))?);
                    fetched.insert((app.account().into(), app.app().into(), entry.engine.as_str().into()), Arc::clone(&engine));
                    engine as Arc<dyn Engine>
                }
            };
            if engines.insert(entry.engine.as_str().into(), engine).is_some() {
                return Err(located(Problem::Twice));
            }
        }
        Ok(Self { known: Arc::new(Known { of_apps, of_all, fetched, clock }), added: None })
    }

    /// The engines of settings and those that were added, without any secrets: they translate, and verify nothing.
    ///
    /// # Errors
    /// Where an engine's settings are wrong.
    pub fn translators(settings: &Settings, added: &[AddedEngine]) -> anyhow::Result<Self> {
        let bare = |entry: &EngineEntry| EngineEntry { secrets: Vec::new(), ..entry.clone() };
        let entries: Vec<_> = settings.engines.iter().map(bare).collect();
        let janus = JanusOptions { rooms_shared: settings.janus_rooms_shared, silence: settings.janus_silence.micros() };
        let Self { known, .. } = Self::with(&entries, janus, Arc::new(clock::now))?;
        let mut known = Arc::into_inner(known).ok_or_else(|| anyhow::anyhow!("the engines are in use"))?;
        for engine in added {
            let of_app = known.of_apps.entry((engine.account.as_str().into(), engine.app.as_str().into())).or_default();
            if !of_app.contains_key(&*engine.engine) {
                of_app.insert(engine.engine.as_str().into(), engine.translator()?);
            }
        }
        Ok(Self { known: Arc::new(known), added: None })
    }

    /// These, and those that are added to a place, from now on. `keys` open secrets that are sealed there. The task that looks after them ends
    /// when the last clone is dropped.
    #[must_use]
    pub fn with_added(self, place: &dyn EngineStore, keys: Option<SealKeys>) -> Self {
        let known = Arc::clone(&self.known);
        let taken = move |AddedEngine { account, app, engine, .. }: &AddedEngine| known.of_app(account, app, engine).is_some();
        Self { added: Some(AddedEngines::start(place.changes(), keys, taken)), ..self }
    }

    /// An app's engine of this name: that of the settings file, else one that was added, else what such an engine can do without settings.
    ///
    /// # Errors
    /// Where there is one that can't be used at the moment, or what was added can't be told.
    pub async fn find(&self, app: &App, name: &str) -> Result<Option<Arc<dyn Engine>>, Unusable> {
        if let Some(engine) = self.known.of_app(app.account(), app.app(), name) {
            return Ok(Some(Arc::clone(engine)));
        }
        let added = match &self.added {
            Some(added) => added.find(app, name).await?,
            None => None,
        };
        Ok(added.or_else(|| self.known.of_all.get(name).cloned()))
    }

    /// An app's engine of this name, where its keys are fetched.
    #[must_use]
    pub fn fetched(&self, app: &App, name: &str) -> Option<Arc<FetchedKeys>> {
        self.known.fetched.get(&(app.account().into(), app.app().into(), name.into())).cloned()
    }

    /// Fetches the keys that are to be fetched, at their times. Never ends.
    pub async fn keep_keys(self) {
        let mut tasks = JoinSet::new();
        for keys in self.known.fetched.values() {
            let keys = Arc::clone(keys);
            tasks.spawn(async move { keys.keep().await });
        }
        while tasks.join_next().await.is_some() {}
        std::future::pending::<()>().await;
    }

    /// The time by which signatures are judged.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        (self.known.clock)()
    }
}

impl Known {
    fn of_app(&self, account: &str, app: &str, name: &str) -> Option<&Arc<dyn Engine>> {
        self.of_apps.get(&(account.into(), app.into()))?.get(name)
    }
}

/// The engine of an entry of the settings file, with its secrets; without keys that are fetched.
///
/// # Errors
/// Where a secret or the mapping is not to be had, or its settings are wrong.
pub fn opened(entry: &EngineEntry) -> anyhow::Result<Arc<dyn Engine>> {
    Ok(open(entry)?)
}

fn open(entry: &EngineEntry) -> Result<Arc<dyn Engine>, Problem> {
    Ok(engine::open(&entry.engine, &settings_of(entry)?)?)
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

    #[tokio::test]
    async fn an_app_has_its_own_engines_and_every_app_those_that_need_no_secret() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("secret");
        std::fs::write(&file, "topsecret\n").unwrap();
        let text = format!(
            "[[engines]]\naccount = \"acme\"\napp = \"school\"\nengine = \"livekit\"\nsecrets = [{{ id = \"APIa\", secret_file = \"{}\" }}]",
            file.display()
        );
        let engines = opened(&text).unwrap();
        let find = async |app: &str, name: &str| engines.find(&App::new("acme", app).unwrap(), name).await.unwrap();
        let verifies = async |app: &str, name: &str| find(app, name).await.map(|engine| engine.verifies());
        assert_eq!(verifies("school", "livekit").await, Some(true));
        assert_eq!(verifies("school", "janus").await, Some(false));
        assert_eq!(verifies("choir", "livekit").await, Some(false));
        assert_eq!(verifies("choir", "skype").await, None);
        let shown = format!("{:?}", find("school", "livekit").await);
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
