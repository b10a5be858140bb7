//! Added engines as a running server knows them: opened, and kept up to date by one task.

use super::{AddedEngine, EngineChanges, SealKeys};
use crate::trouble::Trouble;
use rollbook_core::id::App;
use rollbook_ingest::engine::Engine;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// How long after the last look the next begins. What was added or removed counts within twice this.
const LOOK: Duration = Duration::from_millis(500);
/// How long a delivery waits for the first look of a server that has just started.
const PATIENCE: Duration = Duration::from_secs(2);

/// An app's engine, by its names.
type Key = (Box<str>, Box<str>, Box<str>);
/// An engine, or why it can't be used.
type Outcome = Result<Arc<dyn Engine>, Arc<str>>;
type Known = BTreeMap<Key, Outcome>;

/// The engine of an app can't be told, or can't be used. The engine should deliver again: what is wrong is on this side.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{0}")]
pub struct Unusable(pub Arc<str>);

/// The engines that were added. While the place where they are kept can't be read, those known before stay in force.
#[derive(Clone)]
pub(super) struct AddedEngines(watch::Receiver<Option<Arc<Known>>>);

impl AddedEngines {
    /// Starts to look; the task ends when every clone of this is dropped. `taken` tells of an engine that the settings file has too, which
    /// counts in its place.
    pub(super) fn start(
        changes: Box<dyn EngineChanges>,
        keys: Option<SealKeys>,
        taken: impl Fn(&AddedEngine) -> bool + Send + 'static,
    ) -> Self {
        let (found, known) = watch::channel(None);
        tokio::spawn(Looks { changes, keys, added: Vec::new(), told: BTreeMap::new() }.go_on(found, taken));
        Self(known)
    }

    /// An app's engine of this name, where one was added.
    pub(super) async fn find(&self, app: &App, name: &str) -> Result<Option<Arc<dyn Engine>>, Unusable> {
        let mut known = self.0.clone();
        let first = tokio::time::timeout(PATIENCE, known.wait_for(Option::is_some)).await;
        let Ok(Ok(known)) = first.map(|known| known.map(|known| known.clone())) else {
            return Err(Unusable("the engines that were added can't be read".into()));
        };
        let key = (app.account().into(), app.app().into(), name.into());
        known.and_then(|known| known.get(&key).cloned()).transpose().map_err(Unusable)
    }
}

struct Looks {
    changes: Box<dyn EngineChanges>,
    keys: Option<SealKeys>,
    added: Vec<AddedEngine>,
    /// What was said to be wrong with each.
    told: BTreeMap<Key, Arc<str>>,
}

impl Looks {
    async fn go_on(mut self, found: watch::Sender<Option<Arc<Known>>>, taken: impl Fn(&AddedEngine) -> bool) {
        let mut trouble = Trouble::with("the added engines");
        while !found.is_closed() {
            let next = self.changes.next().await;
            trouble.tell(next.as_ref().err().map(ToString::to_string));
            let changed = match next {
                Ok(Some(added)) => {
                    added.iter().filter(|engine| taken(engine)).for_each(|AddedEngine { account, app, engine, .. }| {
                        tracing::warn!(
                            account,
                            app,
                            engine,
                            "the settings file names this engine too: that counts, and not what was added"
                        );
                    });
                    self.added = added;
                    true
                }
                // A secret may have come to its place since.
                Ok(None) => !self.told.is_empty(),
                Err(_) => false,
            };
            if changed {
                let known = self.opened();
                found.send_replace(Some(Arc::new(known)));
            }
            tokio::select! {
                () = found.closed() => return,
                () = tokio::time::sleep(LOOK) => {}
            }
        }
    }

    /// Opens each; says once of each that can't be used why, and when it can.
    fn opened(&mut self) -> Known {
        let mut known = Known::new();
        let mut wrong = BTreeMap::new();
        for added in &self.added {
            let AddedEngine { account, app, engine, .. } = added;
            let key: Key = (account.as_str().into(), app.as_str().into(), engine.as_str().into());
            let opened = added.open(self.keys.as_ref()).map_err(|cause| Arc::from(cause.to_string()));
            match (&opened, self.told.get(&key)) {
                (Err(cause), before) => {
                    if before != Some(cause) {
                        tracing::error!(account, app, engine, %cause, "an added engine can't be used: its deliveries get 503");
                    }
                    wrong.insert(key.clone(), Arc::clone(cause));
                }
                (Ok(_), Some(_)) => tracing::info!(account, app, engine, "the added engine can be used again"),
                (Ok(_), None) => {}
            }
            known.insert(key, opened);
        }
        self.told = wrong;
        known
    }
}
