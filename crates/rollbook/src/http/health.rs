//! Whether the process lives, and whether it can take events. Neither needs a token, nor waits behind other requests.

use super::Http;
use super::error::ApiError;
use super::json::Json;
use super::schema::{Failure, Health};
use axum::extract::State;
use std::time::Duration;

/// How long the store may take to say that it is ready.
const PATIENCE: Duration = Duration::from_secs(5);

/// Whether the process is alive
#[utoipa::path(
    get, path = "/healthz", tag = "health", operation_id = "is_alive", security(()),
    responses((status = 200, description = "It is", body = Health))
)]
pub(super) async fn alive() -> Json {
    ok()
}

/// Whether events can be taken
#[utoipa::path(
    get, path = "/readyz", tag = "health", operation_id = "is_ready", security(()),
    responses((status = 200, description = "They can", body = Health), (status = 503, description = "They can't now", body = Failure))
)]
pub(super) async fn ready(State(http): State<Http>) -> Result<Json, ApiError> {
    let ready = tokio::time::timeout(PATIENCE, http.ledger.ready()).await;
    ready.map_err(|_| ApiError::unavailable("the store does not answer"))??;
    Ok(ok())
}

fn ok() -> Json {
    let mut json = Json::default();
    json.raw(r#"{"status":"ok"}"#);
    json
}
