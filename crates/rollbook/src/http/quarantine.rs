//! The address that takes up kept deliveries.

use super::Http;
use super::auth::Admin;
use super::error::ApiError;
use super::events::not_taken;
use super::json::Json;
use super::params::{Kind, Param, Params, document};
use super::schema::{AppPath, ReadErrors, RetriedAnswer};
use crate::quarantine::Retried;
use axum::extract::{RawQuery, State};
use rollbook_store::Kept;

/// Deliveries that one request takes up at most: well within its time.
const MOST: u32 = 100;

const PARAMS: &[Param] = &[
    Param { name: "after", description: "Only those with a greater number; absent and empty are 0.", kind: Kind::Number(None) },
    Param { name: "only", description: "Only that of this number.", kind: Kind::Number(None) },
];
document!(Documented, PARAMS);

/// Translate kept deliveries anew
///
/// Up to 100, oldest first, as their engines are set up at present. What they say is recorded; one of which nothing is left to be
/// translated is dropped.
#[utoipa::path(
    post, path = "/v1/accounts/{account_id}/apps/{app_id}/quarantine/retry", tag = "ingest",
    operation_id = "retry_quarantine", params(AppPath, Documented),
    responses((status = 200, description = "What became of each", body = RetriedAnswer), ReadErrors),
    security(("bearer" = []), ("email" = [], "key" = []))
)]
pub(super) async fn retry(State(http): State<Http>, admin: Admin, RawQuery(query): RawQuery) -> Result<Json, ApiError> {
    let params = Params::read(query.as_deref(), PARAMS)?;
    let (after, limit) = match params.whole("only")? {
        Some(number) => (number.saturating_sub(1), 1),
        None => (params.whole("after")?.unwrap_or(0), MOST),
    };
    let after = i64::try_from(after).unwrap_or(i64::MAX);
    let mut kept = http.ledger.kept(admin.app(), after, limit as usize).await?;
    if let Some(number) = params.whole("only")? {
        kept.retain(|(found, _)| u64::try_from(*found) == Ok(number));
    }
    let mut retried = Vec::with_capacity(kept.len());
    for (number, kept) in kept {
        let outcome = http.quarantine.retry(admin.app(), (number, kept.clone())).await.map_err(not_taken)?;
        http.metrics.retried(&kept.engine, if outcome.kept.is_some() { "kept" } else { "recorded" });
        http.metrics.taken(outcome.receipt);
        retried.push((kept, outcome));
    }
    Ok(told(&retried))
}

fn told(retried: &[(Kept, Retried)]) -> Json {
    let mut json = Json::with_capacity(64 + 256 * retried.len());
    json.raw(r#"{"success":true,"data":{"deliveries":"#);
    json.list(retried, |json, (kept, Retried { number, receipt, kept: reason })| {
        json.raw(r#"{"number":"#).number(number.unsigned_abs()).raw(r#","engine":"#).text(&kept.engine);
        json.raw(r#","received_at":"#).time(kept.received_at);
        json.raw(r#","accepted":"#).number(receipt.accepted as u64).raw(r#","duplicates":"#).number(receipt.duplicates as u64);
        json.raw(r#","kept":"#).maybe_text(reason.as_deref()).raw("}");
    });
    json.raw("}}");
    json
}
