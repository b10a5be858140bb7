//! The addresses that take what meeting engines deliver.
//!
//! An engine gives up after a few tries and can't mend what it sent: whatever is in its format is stored, as events or
//! else raw, and acknowledged.

use super::Http;
use super::auth::Writer;
use super::body::Delivery;
use super::error::ApiError;
use super::events::{not_taken, taken};
use super::json::Json;
use super::respond::work;
use super::schema::{EnginePath, Receipt as Documented, WriteErrors};
use crate::ledger::IngestError;
use axum::extract::State;
use rollbook_core::event::Event;
use rollbook_ingest::engine::{self, Engine, Refusal, Translation};
use std::sync::Arc;

/// Take a delivery of a meeting engine
///
/// What is no attendance in it is ignored; what can't be translated is kept raw.
#[utoipa::path(
    post, path = "/v1/accounts/{account_id}/apps/{app_id}/engines/{engine}", tag = "ingest",
    operation_id = "take_delivery", params(EnginePath), request_body(content = serde_json::Value, description = "As the engine sends it"),
    responses((status = 200, description = "All is stored", body = Documented), WriteErrors),
    security(("basic" = []), ("bearer" = []), ("email" = [], "key" = []))
)]
pub(super) async fn take(State(http): State<Http>, writer: Writer, delivery: Delivery) -> Result<Json, ApiError> {
    let engine = named(&http, writer.name("engine")).ok_or_else(ApiError::not_found)?;
    let delivery = Arc::new(delivery);
    let given = delivery.clone();
    let translation = work(delivery.is_heavy(), move || translate(engine, &given)).await?;
    let Translation { events, untranslated, .. } = translation.map_err(|refusal| ApiError::bad_request(refusal.to_string()))?;
    if untranslated > 0 {
        keep(&http, &writer, engine, &delivery).await?;
    }
    match http.ledger.ingest(writer.app(), events.clone()).await {
        Ok(receipt) => Ok(taken(&http, receipt)),
        Err(IngestError::Conflict(places)) => {
            keep(&http, &writer, engine, &delivery).await?;
            http.ledger.ingest(writer.app(), without(events, &places)).await.map(|receipt| taken(&http, receipt)).map_err(not_taken)
        }
        Err(error) => Err(not_taken(error)),
    }
}

/// The events that conflict with nothing that is known: an engine can't take back the others, so these are not held up by them.
fn without(events: Vec<Event>, conflicts: &[usize]) -> Vec<Event> {
    (0..).zip(events).filter(|(place, _)| !conflicts.contains(place)).map(|(_, event)| event).collect()
}

fn named(http: &Http, name: &str) -> Option<Engine> {
    Some(match Engine::from_name(name)? {
        Engine::Janus(_) => Engine::Janus(http.janus),
    })
}

fn translate(engine: Engine, delivery: &Delivery) -> Result<Translation, Refusal> {
    let headers: Vec<_> = delivery.pairs().collect();
    engine.translate(engine::Delivery { headers: &headers, body: &delivery.body })
}

/// Keeps a delivery raw. The log says that it did, and nothing of what is in it: there are names.
async fn keep(http: &Http, writer: &Writer, engine: Engine, delivery: &Delivery) -> Result<(), ApiError> {
    http.ledger.keep(writer.app(), engine.name(), delivery.body.clone()).await?;
    http.metrics.kept();
    tracing::warn!(engine = engine.name(), account = writer.app().account(), app = writer.app().app(), "a delivery was kept raw");
    Ok(())
}
