//! What every request passes through: a name, a bound, a count, and where it fails a line in the log.

use super::Http;
use super::error::{ApiError, Cause};
use super::metrics::Observed;
use super::request_id::{self, X_REQUEST_ID};
use axum::extract::{MatchedPath, Request, State};
use axum::http::header::CACHE_CONTROL;
use axum::http::{HeaderValue, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use std::any::Any;
use std::borrow::Cow;

/// Outermost: names the request, counts it, logs it where it failed.
pub(super) async fn watch(State(http): State<Http>, request: Request, next: Next) -> Response {
    let id = request_id::of(request.headers());
    // The template, not the path: paths name people's sessions, and there is no end to them.
    let route = request.extensions().get::<MatchedPath>().map_or_else(|| "unmatched".into(), |path| path.as_str().to_owned());
    let observed = http.metrics.observe(request.method(), route);
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    headers.insert(X_REQUEST_ID, id.clone());
    headers.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("private, no-cache"));
    let (status, cause) = (response.status(), response.extensions_mut().remove::<Cause>());
    observed.done(status);
    if status.is_client_error() || status.is_server_error() {
        let cause = cause.map_or(Cow::Borrowed(""), |cause| cause.0);
        log(status, &id, &observed, &cause);
    }
    response
}

fn log(status: StatusCode, id: &HeaderValue, request: &Observed<'_>, cause: &str) {
    let (status, id) = (status.as_u16(), id.to_str().unwrap_or_default());
    let (method, route) = (request.method(), request.route());
    if status >= 500 {
        tracing::error!(request_id = id, method, route, status, cause, "request failed");
    } else {
        tracing::info!(request_id = id, method, route, status, "request refused");
    }
}

/// Bounds how many requests run at once and how long one may take.
pub(super) async fn limit(State(http): State<Http>, request: Request, next: Next) -> Response {
    let Ok(_permit) = http.requests.try_acquire() else {
        return ApiError::unavailable("too many requests at once").into_response();
    };
    match tokio::time::timeout(http.limits.request_timeout, next.run(request)).await {
        Ok(response) => response,
        Err(_) => ApiError::unavailable("the request took too long").into_response(),
    }
}

/// What is answered in place of a panic, whose own text is no one's business but the log's.
pub(super) fn panicked(_: Box<dyn Any + Send>) -> Response {
    ApiError::internal("a handler panicked").into_response()
}

/// No such address.
pub(super) async fn not_found() -> ApiError {
    ApiError::not_found()
}

/// The address has no such method.
pub(super) async fn method_not_allowed() -> ApiError {
    ApiError::method_not_allowed()
}
