//! The participants list of a session.

use super::Http;
use super::auth::Reader;
use super::error::ApiError;
use super::json::Json;
use super::kept::{Has, Kept, Tag};
use super::params::{Kind, PAGE_NO, PER_PAGE, Param, Params, SORT_ORDER, document};
use super::respond::{paging, work};
use super::row::{self, Extras, ROW_BYTES};
use super::schema::{NotModified, ParticipantsAnswer, ReadErrors, SessionPath};
use crate::ledger::{PageAnswer, Print, RosterAnswer, View};
use axum::extract::{RawQuery, State};
use rollbook_core::id::App;
use rollbook_core::roster::{Order, Query, Search, Sort};
use rollbook_core::time::Timestamp;
use uuid::Uuid;

/// Show the peers' events.
pub(super) const INCLUDE_PEER_EVENTS: Param =
    Param { name: "include_peer_events", description: "Whether each row has its peer's events, the earliest first.", kind: Kind::Flag };
/// Show the stays.
pub(super) const INCLUDE_STAYS: Param = Param {
    name: "include_stays",
    description: "Whether each row has its stays and what was odd about them (an addition of rollbook).",
    kind: Kind::Flag,
};
/// Answer as of a time.
pub(super) const AS_OF: Param = Param {
    name: "as_of",
    description: "The time that durations are counted to; pages of one time belong together (an addition of rollbook).",
    kind: Kind::Time,
};

/// What may be asked.
pub(super) const PARAMS: &[Param] = &[
    INCLUDE_PEER_EVENTS,
    INCLUDE_STAYS,
    PAGE_NO,
    PER_PAGE,
    Param { name: "search", description: "Part of the display name, or how the participant's id or custom id begins.", kind: Kind::Text },
    Param { name: "sort_by", description: "What the list is ordered by.", kind: Kind::Choice(&["joinedAt", "duration"]) },
    SORT_ORDER,
    Param {
        name: "view",
        description: "A row for each peer of the session, or a row for each person over the session and its breakouts.",
        kind: Kind::Choice(&["raw", "consolidated"]),
    },
    AS_OF,
];

document!(Known, PARAMS);

/// What was asked.
pub(super) struct Asked {
    view: View,
    query: Query,
    extras: Extras,
    as_of: Option<Timestamp>,
}

impl Asked {
    pub(super) fn of(params: &Params<'_>) -> Result<Self, ApiError> {
        let slice = params.slice()?;
        let sort = params.choice("sort_by", &[("joinedAt", Sort::JoinedAt), ("duration", Sort::Duration)])?.unwrap_or_default();
        let order = Order { sort, descending: params.descending()?.unwrap_or(false) };
        let search = params.text("search").map(Search::new);
        let extras = extras(params)?;
        Ok(Self {
            view: params.choice("view", &[("raw", View::Raw), ("consolidated", View::Consolidated)])?.unwrap_or_default(),
            query: Query { order, search, offset: slice.offset, limit: slice.limit, details: extras != Extras::default() },
            extras,
            as_of: params.time("as_of")?,
        })
    }

    /// The name of the answer, of rows that follow from what the print is of.
    fn tag(&self, session: Uuid, print: &Print) -> Tag {
        let Self { view, query: Query { order, search, offset, limit, .. }, extras, as_of } = self;
        let choices = [
            *view == View::Consolidated,
            order.sort == Sort::Duration,
            order.descending,
            extras.events,
            extras.stays,
            search.is_some(),
            as_of.is_some(),
        ];
        let as_of = as_of.map_or(0, Timestamp::micros).to_le_bytes();
        let search = search.as_ref().map_or("", Search::text).as_bytes();
        let (offset, limit) = (offset.to_le_bytes(), limit.to_le_bytes());
        Tag::of(&[print, session.as_bytes(), &choices.map(u8::from), &offset, &limit, &as_of, search])
    }
}

/// Which extras were asked for.
pub(super) fn extras(params: &Params<'_>) -> Result<Extras, ApiError> {
    Ok(Extras { events: params.flag("include_peer_events")?, stays: params.flag("include_stays")? })
}

/// Fetch the participants list of a session
#[utoipa::path(
    get, path = "/accounts/{account_id}/realtime/kit/{app_id}/sessions/{session_id}/participants", tag = "sessions",
    operation_id = "list_participants", params(SessionPath, Known),
    responses((status = 200, description = "A page of the list", body = ParticipantsAnswer), NotModified, ReadErrors),
    security(("bearer" = []), ("email" = [], "key" = []))
)]
pub(super) async fn list(State(http): State<Http>, reader: Reader, has: Has, RawQuery(query): RawQuery) -> Result<Kept, ApiError> {
    page(&http, reader.app(), reader.id("session_id"), has, query.as_deref()).await
}

/// The same, past the router.
pub(super) async fn page(http: &Http, app: &App, session: Result<Uuid, ApiError>, has: Has, query: Option<&str>) -> Result<Kept, ApiError> {
    let asked = Asked::of(&Params::read(query, PARAMS)?)?;
    let session = session?;
    let answer = http.ledger.participants(app, session, asked.view, &asked.query, asked.as_of).await?;
    let answer = answer.ok_or_else(ApiError::not_found)?;
    let tag = answer.print.map(|print| asked.tag(session, &print));
    has.or(tag, work(is_heavy(&answer, asked.extras), move || render(&answer, asked.extras))).await
}

/// All rows of a roster as the list has them, with all that can be shown of them.
pub(crate) fn all_rows(answer: &RosterAnswer) -> Vec<u8> {
    let RosterAnswer { roster, now, .. } = answer;
    let mut json = Json::with_capacity(roster.len() as usize * ROW_BYTES);
    json.list(0..roster.len(), |json, place| row::participant(json, roster.row(place), *now, Extras { events: true, stays: true }));
    json.into_bytes()
}

/// Whether writing the answer takes long enough to be in the way of other requests.
fn is_heavy(answer: &PageAnswer, extras: Extras) -> bool {
    answer.len() > if extras == Extras::default() { 5_000 } else { 500 }
}

fn render(answer: &PageAnswer, extras: Extras) -> Json {
    let mut json = Json::with_capacity(128 + answer.len() * ROW_BYTES);
    json.raw(r#"{"success":true,"data":{"participants":"#);
    json.list(answer.rows(), |json, row| row::participant(json, row, answer.now, extras));
    json.raw(",");
    paging(&mut json, answer.total.into(), answer.offset.into(), answer.len());
    json.raw("}}");
    json
}
