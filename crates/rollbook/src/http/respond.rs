//! How answers leave: bytes that are JSON already, and work that would keep other requests waiting.

use super::error::ApiError;
use super::json::Json;
use axum::body::{Body, HttpBody};
use axum::http::HeaderValue;
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};

impl IntoResponse for Json {
    fn into_response(self) -> Response {
        let mut response = Response::new(Body::from(self.into_bytes()));
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        response
    }
}

/// The answer with its length, without which it would be sent in chunks. The router does this for its own.
pub(super) fn sized(mut response: Response) -> Response {
    if let Some(length) = response.body().size_hint().exact() {
        response.headers_mut().insert(CONTENT_LENGTH, length.into());
    }
    response
}

/// Does a piece of work: here, or where it is heavy, on a thread that may be kept busy.
pub(super) async fn work<T: Send + 'static>(heavy: bool, work: impl FnOnce() -> T + Send + 'static) -> Result<T, ApiError> {
    if heavy {
        tokio::task::spawn_blocking(work).await.map_err(|_| ApiError::internal("a piece of work panicked, or the process is stopping"))
    } else {
        Ok(work())
    }
}

/// Writes which rows of a list an answer shows, counted from 1; an empty page is 0 to 0.
pub(super) fn paging(json: &mut Json, total: u64, passed_over: u64, shown: usize) {
    let (start, end) = if shown == 0 { (0, 0) } else { (passed_over + 1, passed_over + shown as u64) };
    json.raw(r#""paging":{"total_count":"#).number(total);
    json.raw(r#","start_offset":"#).number(start).raw(r#","end_offset":"#).number(end).raw("}");
}
