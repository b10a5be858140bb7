//! The list of sessions.

use super::Http;
use super::auth::{Reader, read_id};
use super::error::ApiError;
use super::json::Json;
use super::kept::{Has, Kept};
use super::params::{Kind, PAGE_NO, PER_PAGE, Param, Params, SORT_ORDER, document};
use super::respond::paging;
use super::schema::{AppPath, NotModified, ReadErrors, SessionsAnswer};
use super::session::{SESSION_BYTES, summary};
use crate::ledger::{SessionList, SessionsQuery};
use axum::extract::{RawQuery, State};
use rollbook_core::id::App;

/// What may be asked.
pub(super) const PARAMS: &[Param] = &[
    PAGE_NO,
    PER_PAGE,
    Param { name: "sort_by", description: "What the list is ordered by.", kind: Kind::Choice(&["minutesConsumed", "createdAt"]) },
    SORT_ORDER,
    Param { name: "start_time", description: "Sessions that started at this time or later.", kind: Kind::Time },
    Param { name: "end_time", description: "Sessions that started at this time or earlier.", kind: Kind::Time },
    Param { name: "participants", description: "How many participants, as min:max; either may be left out.", kind: Kind::Range },
    Param { name: "status", description: "Live or ended ones only.", kind: Kind::Choice(&["LIVE", "ENDED"]) },
    Param { name: "search", description: "Part of the title, or how the session's or the meeting's id begins.", kind: Kind::Text },
    Param { name: "associated_id", description: "Sessions of this meeting only.", kind: Kind::Text },
];

document!(Known, PARAMS);

/// What was asked; none where nothing can match, since the meeting's id is the id of nothing.
pub(super) fn asked(params: &Params<'_>) -> Result<Option<SessionsQuery>, ApiError> {
    let slice = params.slice()?;
    let meeting = params.given("associated_id").map(read_id);
    let query = SessionsQuery {
        live: params.choice("status", &[("LIVE", true), ("ENDED", false)])?,
        from: params.time("start_time")?,
        until: params.time("end_time")?,
        meeting: meeting.flatten(),
        participants: params.range("participants")?,
        search: params.text("search").map(str::to_owned),
        by_consumed: params.choice("sort_by", &[("minutesConsumed", true), ("createdAt", false)])?.unwrap_or(false),
        descending: params.descending()?.unwrap_or(true),
        offset: slice.offset,
        limit: slice.limit,
    };
    Ok((meeting != Some(None)).then_some(query))
}

/// Fetch the list of sessions
#[utoipa::path(
    get, path = "/accounts/{account_id}/realtime/kit/{app_id}/sessions", tag = "sessions",
    operation_id = "list_sessions", params(AppPath, Known),
    responses((status = 200, description = "A page of the list", body = SessionsAnswer), NotModified, ReadErrors),
    security(("bearer" = []), ("email" = [], "key" = []))
)]
pub(super) async fn list(State(http): State<Http>, reader: Reader, has: Has, RawQuery(query): RawQuery) -> Result<Kept, ApiError> {
    let list = match asked(&Params::read(query.as_deref(), PARAMS)?)? {
        Some(query) => http.ledger.sessions(reader.app(), &query).await?,
        None => SessionList::default(),
    };
    Ok(has.or_text(page(&list, reader.app())))
}

/// A page of the list, as a client gets it.
pub(crate) fn page(list: &SessionList, app: &App) -> Vec<u8> {
    render(list, app).into_bytes()
}

/// Paging twice: beside `data`, where the SDKs type it, and within, where the participants list has it.
fn render(list: &SessionList, app: &App) -> Json {
    let mut json = Json::with_capacity(256 + list.sessions.len() * SESSION_BYTES);
    json.raw(r#"{"success":true,"data":{"sessions":"#);
    json.list(&list.sessions, |json, session| {
        json.raw("{");
        summary(json, session, app);
        json.raw("}");
    });
    json.raw(",");
    let from = json.len();
    paging(&mut json, list.total, list.offset, list.sessions.len());
    let to = json.len();
    json.raw("},").again(from, to).raw("}");
    json
}
