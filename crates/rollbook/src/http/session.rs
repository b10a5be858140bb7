//! One session.

use super::Http;
use super::auth::Reader;
use super::error::ApiError;
use super::json::Json;
use super::kept::{Has, Kept};
use super::params::{Kind, Param, Params, document};
use super::schema::{NotModified, ReadErrors, SessionAnswer as Documented, SessionPath};
use crate::ledger::SessionAnswer;
use axum::extract::{RawQuery, State};
use rollbook_core::id::App;
use rollbook_core::roster::Summary;

/// About how many bytes a session takes.
pub(super) const SESSION_BYTES: usize = 560;

/// What may be asked.
const PARAMS: &[Param] =
    &[Param { name: "include_breakout_rooms", description: "Whether the session has its breakouts, each with its own.", kind: Kind::Flag }];

document!(Known, PARAMS);

/// Fetch a session
#[utoipa::path(
    get, path = "/accounts/{account_id}/realtime/kit/{app_id}/sessions/{session_id}", tag = "sessions",
    operation_id = "get_session", params(SessionPath, Known),
    responses((status = 200, description = "The session", body = Documented), NotModified, ReadErrors),
    security(("bearer" = []), ("email" = [], "key" = []))
)]
pub(super) async fn details(State(http): State<Http>, reader: Reader, has: Has, RawQuery(query): RawQuery) -> Result<Kept, ApiError> {
    let breakouts = Params::read(query.as_deref(), PARAMS)?.flag("include_breakout_rooms")?;
    let session = reader.id("session_id")?;
    let answer = http.ledger.session(reader.app(), session, breakouts).await?.ok_or_else(ApiError::not_found)?;
    Ok(has.or_text(render(&answer, reader.app(), breakouts).into_bytes()))
}

/// The session's fields twice: in `data`, where today's SDKs read them, and in `data.session`, where their predecessors do.
fn render(answer: &SessionAnswer, app: &App, breakouts: bool) -> Json {
    let mut json = Json::with_capacity(2 * SESSION_BYTES);
    json.raw(r#"{"success":true,"data":{"#);
    let from = json.len();
    members(&mut json, answer, app, breakouts);
    let to = json.len();
    json.raw(r#","session":{"#).again(from, to).raw("}}}");
    json
}

fn members(json: &mut Json, answer: &SessionAnswer, app: &App, breakouts: bool) {
    summary(json, &answer.summary, app);
    if breakouts {
        json.raw(r#","breakout_rooms":"#).list(&answer.breakouts, |json, breakout| {
            json.raw("{");
            members(json, breakout, app, true);
            json.raw("}");
        });
    }
}

/// Writes a session's members, without the braces.
pub(super) fn summary(json: &mut Json, session: &Summary, app: &App) {
    json.raw(r#""id":"#).id(session.id);
    // The SDKs type both as strings that are always there. A session of no known meeting is its own, so that who groups by
    // meeting keeps it apart from the others.
    json.raw(r#","associated_id":"#).id(session.meeting.unwrap_or(session.id));
    json.raw(r#","meeting_display_name":"#).text(session.title.as_deref().unwrap_or_default());
    json.raw(r#","type":"meeting","status":"#).text(if session.ended_at.is_some() { "ENDED" } else { "LIVE" });
    json.raw(r#","live_participants":"#).number(session.live_participants);
    json.raw(r#","max_concurrent_participants":"#).number(session.max_concurrent_participants);
    json.raw(r#","minutes_consumed":"#).minutes(session.consumed);
    json.raw(r#","organization_id":"#).text(app.app());
    json.raw(r#","started_at":"#).time(session.started_at).raw(r#","ended_at":"#).maybe_time(session.ended_at);
    json.raw(r#","created_at":"#).time(session.started_at).raw(r#","updated_at":"#).time(session.updated_at);
}
