//! One participant of a session.

use super::Http;
use super::auth::Reader;
use super::error::ApiError;
use super::json::Json;
use super::kept::{Has, Kept};
use super::params::{Param, Params, document};
use super::participants::{AS_OF, INCLUDE_PEER_EVENTS, INCLUDE_STAYS, extras};
use super::row::{self, ROW_BYTES};
use super::schema::{NotModified, ParticipantAnswer, ParticipantPath, ReadErrors};
use axum::extract::{RawQuery, State};

/// What may be asked. The `filters` of old clients asked for statistics that are not recorded, and is ignored.
const PARAMS: &[Param] = &[INCLUDE_PEER_EVENTS, INCLUDE_STAYS, AS_OF];

document!(Known, PARAMS);

/// Fetch a participant of a session
#[utoipa::path(
    get, path = "/accounts/{account_id}/realtime/kit/{app_id}/sessions/{session_id}/participants/{participant_id}", tag = "sessions",
    operation_id = "get_participant", params(ParticipantPath, Known),
    responses((status = 200, description = "The participant", body = ParticipantAnswer), NotModified, ReadErrors),
    security(("bearer" = []), ("email" = [], "key" = []))
)]
pub(super) async fn details(State(http): State<Http>, reader: Reader, has: Has, RawQuery(query): RawQuery) -> Result<Kept, ApiError> {
    let params = Params::read(query.as_deref(), PARAMS)?;
    let (extras, as_of) = (extras(&params)?, params.time("as_of")?);
    let (session, participant) = (reader.id("session_id")?, reader.id("participant_id")?);
    let answer = http.ledger.participant(reader.app(), session, participant, as_of).await?.ok_or_else(ApiError::not_found)?;
    let mut json = Json::with_capacity(ROW_BYTES);
    json.raw(r#"{"success":true,"data":{"participant":"#);
    for row in answer.rows() {
        row::participant(&mut json, row, answer.now, extras);
    }
    json.raw("}}");
    Ok(has.or_text(json.into_bytes()))
}
