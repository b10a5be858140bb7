//! The addresses that take what meeting engines deliver.
//!
//! An engine gives up after a few tries and can't mend what it sent: whatever is in its format is stored, as events or
//! else raw, and acknowledged. Who sent it is proved by a token, or by the engine's own signature where the app has a
//! secret for it; a signature that is there must hold in either case.

use super::Http;
use super::auth::Sender;
use super::body::Delivery;
use super::error::ApiError;
use super::events::{not_taken, taken};
use super::json::Json;
use super::respond::work;
use super::schema::{EnginePath, Receipt as Documented, WriteErrors};
use crate::engines::Unusable;
use crate::ledger::{IngestError, Receipt};
use crate::quarantine;
use axum::extract::{Request, State};
use rollbook_core::time::Timestamp;
use rollbook_ingest::engine::{self, Engine, Reception, Refusal, Translation};
use std::sync::Arc;

/// Some engines deliver to addresses below the one that they are given.
pub(super) const BELOW: &str = "/v1/accounts/{account_id}/apps/{app_id}/engines/{engine}/{*below}";

/// What a sender may have read that nobody has vouched for, in bytes: far more than any engine signs at once.
const UNVOUCHED_BYTES: usize = 1 << 20;

/// Take a delivery of a meeting engine
///
/// What is no attendance in it is ignored; what can't be translated is kept raw. An engine that signs what it delivers needs no token
/// once the settings have its secret.
#[utoipa::path(
    post, path = "/v1/accounts/{account_id}/apps/{app_id}/engines/{engine}", tag = "ingest",
    operation_id = "take_delivery", params(EnginePath), request_body(content = serde_json::Value, description = "As the engine sends it"),
    responses((status = 200, description = "All is stored", body = Documented), WriteErrors),
    security(("basic" = []), ("bearer" = []), ("email" = [], "key" = []))
)]
pub(super) async fn take(State(http): State<Http>, sender: Sender, request: Request) -> Result<Json, ApiError> {
    let found = http.engines.find(sender.app(), sender.name("engine")).await;
    let found = found.map_err(|Unusable(cause)| {
        http.metrics.refused_of(sender.name("engine"), "unusable");
        ApiError::unavailable(cause.to_string())
    })?;
    let (engine, vouched) = match (found, &sender.refused) {
        (Some(engine), None) => (engine, true),
        (Some(engine), Some(_)) if engine.verifies() => (engine, false),
        (Some(engine), Some(_)) => return Err(nobody_vouches(&http, &*engine, sender)),
        (None, _) => return Err(sender.refused.unwrap_or_else(ApiError::not_found)),
    };
    let delivery = receive(&http, request, vouched).await?;
    match judged(&http, &sender, &engine, &delivery, vouched).await? {
        Ok(Reception::Events(translation)) => record(&http, &sender, &*engine, &delivery, translation).await,
        Ok(Reception::Answer(answer)) => Ok(said(&answer)),
        Err(refusal) => Err(refused(&http, &*engine, &refusal)),
    }
}

/// What is to be done with a delivery. A signature of no known key may be one of a key that has just been published.
async fn judged(
    http: &Http,
    sender: &Sender,
    engine: &Arc<dyn Engine>,
    delivery: &Arc<Arrival>,
    vouched: bool,
) -> Result<Result<Reception, Refusal>, ApiError> {
    let judge = || {
        let (given, judge) = (Arc::clone(delivery), Arc::clone(engine));
        work(delivery.body.is_heavy(), move || given.reception(&*judge, vouched))
    };
    let fetched = http.engines.fetched(sender.app(), engine.name()).map(|keys| (keys.generation(), keys));
    let reception = judge().await?;
    match (&reception, fetched) {
        (Err(Refusal::BadSignature(_)), Some((generation, keys))) if keys.changed_since(generation).await => judge().await,
        _ => Ok(reception),
    }
}

/// A delivery as it came, with where and when it did.
struct Arrival {
    body: Delivery,
    target: String,
    at: Timestamp,
}

async fn receive(http: &Http, request: Request, vouched: bool) -> Result<Arc<Arrival>, ApiError> {
    let target = request.uri().path_and_query().map(ToString::to_string).unwrap_or_default();
    let limit = if vouched { http.limits.body_bytes } else { http.limits.body_bytes.min(UNVOUCHED_BYTES) };
    let body = Delivery::read(request, http, limit).await?;
    Ok(Arc::new(Arrival { body, target, at: http.engines.now() }))
}

impl Arrival {
    fn reception(&self, engine: &dyn Engine, vouched: bool) -> Result<Reception, Refusal> {
        let headers: Vec<_> = self.body.pairs().collect();
        let delivery = engine::Delivery { headers: &headers, target: &self.target, body: &self.body.body, received_at: self.at };
        engine.receive(&delivery, vouched)
    }
}

/// Stores what a delivery says, and acknowledges it.
async fn record(http: &Http, sender: &Sender, engine: &dyn Engine, delivery: &Arrival, translation: Translation) -> Result<Json, ApiError> {
    if translation.keep_raw() {
        keep(http, sender, engine, delivery).await?;
    }
    let events = translation.events;
    for event in &events {
        http.metrics.delayed(engine.name(), delivery.at.since(event.time));
    }
    let counted = |receipt: Receipt| {
        http.metrics.taken_from(engine.name(), receipt);
        taken(http, receipt)
    };
    match http.ledger.ingest(sender.app(), events.clone()).await {
        Ok(receipt) => Ok(counted(receipt)),
        Err(IngestError::Conflict(places)) => {
            keep(http, sender, engine, delivery).await?;
            http.ledger.ingest(sender.app(), quarantine::without(events, &places)).await.map(counted).map_err(not_taken)
        }
        Err(error) => Err(not_taken(error)),
    }
}

/// What the engine asked for, word for word.
fn said(answer: &str) -> Json {
    let mut json = Json::with_capacity(answer.len());
    json.raw(answer);
    json
}

/// No token lets the sender in, and the engine has nothing to prove itself by.
fn nobody_vouches(http: &Http, engine: &dyn Engine, sender: Sender) -> ApiError {
    let refusal = Refusal::Unsigned("no token lets it in, and the settings have no secret of this engine");
    let answer = refused(http, engine, &refusal);
    if engine.status(&refusal) == refusal.default_status() { sender.refused.unwrap_or(answer) } else { answer }
}

/// Counts and logs a refusal, and puts it into the status code that the engine understands. Why is told to the log only.
fn refused(http: &Http, engine: &dyn Engine, refusal: &Refusal) -> ApiError {
    http.metrics.refused_of(engine.name(), refusal.kind());
    match engine.status(refusal) {
        400 => ApiError::bad_request(refusal.to_string()),
        503 => ApiError::unavailable(refusal.to_string()),
        _ => {
            tracing::warn!(engine = engine.name(), reason = %refusal, "a delivery was refused");
            ApiError::unauthorized("Bearer, Basic realm=\"rollbook\"")
        }
    }
}

/// Keeps a delivery raw. The log says that it did, and nothing of what is in it: there are names.
async fn keep(http: &Http, sender: &Sender, engine: &dyn Engine, delivery: &Arrival) -> Result<(), ApiError> {
    let app = sender.app();
    let dropped = http.quarantine.keep(app, engine.name(), engine.kept(&delivery.body.body).into()).await?;
    http.metrics.kept(engine.name());
    http.metrics.dropped(dropped);
    tracing::warn!(engine = engine.name(), account = app.account(), app = app.app(), "a delivery was kept raw");
    Ok(())
}
