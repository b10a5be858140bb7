//! A peer, found without its session.

use super::Http;
use super::auth::Reader;
use super::error::ApiError;
use super::json::Json;
use super::kept::{Has, Kept};
use super::params::{Param, Params, document};
use super::participants::{INCLUDE_PEER_EVENTS, INCLUDE_STAYS, extras};
use super::row::{self, ROW_BYTES};
use super::schema::{NotModified, PeerAnswer, PeerPath, ReadErrors};
use axum::extract::{RawQuery, State};

/// What may be asked. `filters` would pick parts of `peer_report`, of which none are recorded.
const PARAMS: &[Param] = &[INCLUDE_PEER_EVENTS, INCLUDE_STAYS];

document!(Known, PARAMS);

/// Fetch a participant by the peer's id
#[utoipa::path(
    get, path = "/accounts/{account_id}/realtime/kit/{app_id}/sessions/peer-report/{peer_id}", tag = "sessions",
    operation_id = "get_peer_report", params(PeerPath, Known),
    responses((status = 200, description = "The peer, in the session that it joined latest", body = PeerAnswer), NotModified, ReadErrors),
    security(("bearer" = []), ("email" = [], "key" = []))
)]
pub(super) async fn details(State(http): State<Http>, reader: Reader, has: Has, RawQuery(query): RawQuery) -> Result<Kept, ApiError> {
    let extras = extras(&Params::read(query.as_deref(), PARAMS)?)?;
    let peer = reader.id("peer_id")?;
    let answer = http.ledger.peer(reader.app(), peer).await?.ok_or_else(ApiError::not_found)?;
    let mut json = Json::with_capacity(ROW_BYTES);
    json.raw(r#"{"success":true,"data":{"participant":"#);
    for row in answer.rows() {
        row::peer(&mut json, row, answer.now, extras);
    }
    json.raw("}}");
    Ok(has.or_text(json.into_bytes()))
}
