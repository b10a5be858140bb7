//! The address that takes native events.

use super::Http;
use super::auth::Writer;
use super::body::Delivery;
use super::error::ApiError;
use super::json::Json;
use super::respond::work;
use super::schema::{AppPath, Receipt as Documented, WriteErrors};
use crate::ledger::{IngestError, Receipt};
use axum::extract::State;
use rollbook_core::event::Event;
use rollbook_core::id::App;
use rollbook_ingest::cloudevents::{self, BadEvent, MAX_BAD, ReadError};
use std::sync::Arc;

/// What is said of an event in conflict with a known one.
pub(crate) const KNOWN: &str = "an event of this source and id is known already, with other content";

/// Take events
///
/// CloudEvents 1.0 in one of four forms. The answer comes once the events are on disk; of a delivery with a bad event
/// nothing is stored.
#[utoipa::path(
    post, path = "/v1/accounts/{account_id}/apps/{app_id}/events", tag = "ingest",
    operation_id = "take_events", params(AppPath),
    request_body(description = "Events, or in binary mode the data of one", content(
        (serde_json::Value = "application/cloudevents+json"), (Vec<serde_json::Value> = "application/cloudevents-batch+json"),
        (String = "application/x-ndjson"), (serde_json::Value = "application/json"),
    )),
    responses((status = 200, description = "All is stored", body = Documented), WriteErrors),
    security(("bearer" = []), ("email" = [], "key" = []), ("basic" = []))
)]
pub(super) async fn take(State(http): State<Http>, writer: Writer, delivery: Delivery) -> Result<Json, ApiError> {
    ingest(&http, writer.app(), delivery).await
}

/// The same, past the router.
pub(super) async fn ingest(http: &Http, app: &App, delivery: Delivery) -> Result<Json, ApiError> {
    let delivery = Arc::new(delivery);
    let given = delivery.clone();
    let judged = work(delivery.is_heavy(), move || cloudevents::read(given.content_type().as_deref(), given.pairs(), &given.body));
    let events = all_good(http, judged.await?.map_err(unreadable)?)?;
    match http.ledger.ingest(app, events).await {
        Ok(receipt) => Ok(taken(http, receipt)),
        Err(IngestError::Conflict(places)) => Err(in_conflict(http, &places)),
        Err(error) => Err(not_taken(error)),
    }
}

/// The events, if none is bad.
fn all_good(http: &Http, judged: Vec<Result<Event, BadEvent>>) -> Result<Vec<Event>, ApiError> {
    let mut events = Vec::with_capacity(judged.len());
    let mut bad = Vec::new();
    for judgement in judged {
        match judgement {
            Ok(event) => events.push(event),
            Err(event) => bad.push((event.index, event.message.into())),
        }
    }
    http.metrics.refused(bad.len());
    if bad.is_empty() { Ok(events) } else { Err(ApiError::bad_events(bad)) }
}

fn unreadable(error: ReadError) -> ApiError {
    match error {
        ReadError::Unsupported(message) => ApiError::unsupported_media(message),
        ReadError::Malformed(_) => ApiError::bad_request(error.to_string()),
    }
}

fn in_conflict(http: &Http, places: &[usize]) -> ApiError {
    http.metrics.refused(places.len());
    ApiError::bad_events(places.iter().take(MAX_BAD).map(|place| (*place, KNOWN.into())).collect())
}

/// Counts what was taken, and says so.
pub(super) fn taken(http: &Http, receipt: Receipt) -> Json {
    http.metrics.taken(receipt);
    let mut json = Json::with_capacity(80);
    json.raw(r#"{"success":true,"data":{"accepted":"#).number(receipt.accepted as u64);
    json.raw(r#","duplicates":"#).number(receipt.duplicates as u64).raw("}}");
    json
}

/// What is answered where the ledger takes nothing at the moment.
pub(super) fn not_taken(error: IngestError) -> ApiError {
    match error {
        IngestError::Store(error) => error.into(),
        IngestError::Overloaded => ApiError::unavailable("the ledger is overloaded"),
        IngestError::Conflict(_) => ApiError::internal("a conflict came where there can be none"),
    }
}
