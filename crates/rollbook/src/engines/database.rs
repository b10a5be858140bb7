//! Added engines in the ledger's database, for all of its nodes.

use super::{AddedEngine, EngineChanges, EngineStore, EnginesError};
use async_trait::async_trait;
use rollbook_store::postgres::{EngineSet, PostgresEngines, StoredEngine};
use uuid::Uuid;

/// The added engines of a database.
pub struct EngineTable(PostgresEngines);

impl EngineTable {
    /// Those beside a ledger.
    #[must_use]
    pub fn new(engines: PostgresEngines) -> Self {
        Self(engines)
    }
}

#[async_trait]
impl EngineStore for EngineTable {
    async fn put(&self, engine: &AddedEngine, before: Option<&AddedEngine>) -> Result<bool, EnginesError> {
        engine.check().map_err(EnginesError::BadNames)?;
        let before = before.map(record).transpose()?;
        let AddedEngine { account, app, engine: name, .. } = engine;
        let stored = StoredEngine { account: account.clone(), app: app.clone(), engine: name.clone(), record: record(engine)? };
        Ok(self.0.put(stored, before).await?)
    }

    async fn remove(&self, account: &str, app: &str, engine: &str) -> Result<(), EnginesError> {
        Ok(self.0.remove(account, app, engine).await?)
    }

    async fn list(&self) -> Result<Vec<AddedEngine>, EnginesError> {
        self.0.unless(None).await?.map_or(Ok(Vec::new()), |set| read(&set))
    }

    fn changes(&self) -> Box<dyn EngineChanges> {
        Box::new(Changes { engines: self.0.clone(), told: None })
    }
}

struct Changes {
    engines: PostgresEngines,
    /// The version that was told.
    told: Option<Uuid>,
}

#[async_trait]
impl EngineChanges for Changes {
    async fn next(&mut self) -> Result<Option<Vec<AddedEngine>>, EnginesError> {
        let Some(set) = self.engines.unless(self.told).await? else { return Ok(None) };
        let engines = read(&set)?;
        self.told = Some(set.version);
        Ok(Some(engines))
    }
}

fn record(engine: &AddedEngine) -> Result<String, EnginesError> {
    serde_json::to_string(engine).map_err(|cause| damaged(&cause.to_string()))
}

/// All of them or none: a record that can't be read was not written by us, so the others can't be trusted.
fn read(set: &EngineSet) -> Result<Vec<AddedEngine>, EnginesError> {
    let record = |text: &String| {
        let engine: AddedEngine = serde_json::from_str(text).map_err(|cause| damaged(&cause.to_string()))?;
        engine.check().map_err(|cause| damaged(&cause))?;
        Ok(engine)
    };
    set.records.iter().map(record).collect()
}

fn damaged(cause: &str) -> EnginesError {
    EnginesError::Damaged { place: "the table of engines".into(), cause: cause.into() }
}
