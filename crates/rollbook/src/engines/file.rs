//! Added engines in a file of the data folder.

use super::{AddedEngine, EngineChanges, EngineStore, EnginesError};
use crate::whole_file::{Changes, WholeFile, aside};
use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::path::Path;

/// The name of the file in the data folder.
pub const ENGINES_FILE: &str = "engines.json";
const VERSION: u32 = 1;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Stored {
    version: u32,
    engines: Vec<AddedEngine>,
}

/// The added engines of a data folder, which needs not exist yet.
pub struct EngineFile(WholeFile);

impl EngineFile {
    /// Those of the folder.
    #[must_use]
    pub fn new(dir: &Path) -> Self {
        Self(WholeFile::new(dir, ENGINES_FILE))
    }
}

#[async_trait]
impl EngineStore for EngineFile {
    async fn put(&self, engine: &AddedEngine, before: Option<&AddedEngine>) -> Result<bool, EnginesError> {
        engine.check().map_err(EnginesError::BadNames)?;
        let (file, engine, before) = (self.0.clone(), engine.clone(), before.cloned());
        let put = move |engines: &mut Vec<AddedEngine>| {
            let there = engines.iter_mut().find(|there| there.key() == engine.key());
            match (there, before) {
                (None, None) => engines.push(engine),
                (Some(there), Some(before)) if *there == before => *there = engine,
                (Some(there), _) if *there == engine => {}
                _ => return false,
            }
            true
        };
        aside(move || edit(&file, put)).await
    }

    async fn remove(&self, account: &str, app: &str, engine: &str) -> Result<(), EnginesError> {
        let (file, names) = (self.0.clone(), [account, app, engine].map(str::to_owned));
        let key = move |there: &AddedEngine| there.key() != (&names[0], &names[1], &names[2]);
        aside(move || edit(&file, |engines| engines.retain(key))).await
    }

    async fn list(&self) -> Result<Vec<AddedEngine>, EnginesError> {
        let file = self.0.clone();
        aside(move || parse(&file, file.read().bytes?.as_deref())).await
    }

    fn changes(&self) -> Box<dyn EngineChanges> {
        Box::new(Changes::new(self.0.clone(), parse))
    }
}

#[async_trait]
impl EngineChanges for Changes<Vec<AddedEngine>, EnginesError> {
    async fn next(&mut self) -> Result<Option<Vec<AddedEngine>>, EnginesError> {
        Changes::next(self).await
    }
}

/// All of the file or nothing: a file with one bad entry was not written by us, so none of it can be trusted. No file is no engines.
fn parse(file: &WholeFile, bytes: Option<&[u8]>) -> Result<Vec<AddedEngine>, EnginesError> {
    bytes.map_or(Ok(Vec::new()), engines_of).map_err(|cause| EnginesError::Damaged { place: file.path().display().to_string(), cause })
}

fn engines_of(bytes: &[u8]) -> Result<Vec<AddedEngine>, String> {
    let Stored { version, engines } = serde_json::from_slice(bytes).map_err(|cause| cause.to_string())?;
    if version != VERSION {
        return Err(format!("version {version} is not known to this rollbook (it knows {VERSION})"));
    }
    let mut keys = BTreeSet::new();
    for engine in &engines {
        engine.check()?;
        if !keys.insert(engine.key()) {
            return Err(format!("{}/{} has {:?} twice", engine.account, engine.app, engine.engine));
        }
    }
    drop(keys);
    Ok(engines)
}

/// Reads the engines, lets `change` alter them, and replaces the file.
fn edit<T>(file: &WholeFile, change: impl FnOnce(&mut Vec<AddedEngine>) -> T) -> Result<T, EnginesError> {
    file.edit(|bytes| {
        let mut engines = parse(file, bytes.as_deref())?;
        let outcome = change(&mut engines);
        let text = serde_json::to_string_pretty(&Stored { version: VERSION, engines });
        let text = text.map_err(|cause| EnginesError::Damaged { place: ENGINES_FILE.into(), cause: cause.to_string() })?;
        Ok((text + "\n", outcome))
    })
}
