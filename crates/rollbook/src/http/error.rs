//! What is answered where there is nothing better to answer: one envelope that clients of both kinds read.

use super::json::Json;
use axum::body::Body;
use axum::http::header::{ACCEPT_ENCODING, CONNECTION, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use rollbook_core::id::AppError;
use rollbook_store::StoreError;
use std::borrow::Cow;

/// An error as the client sees it, with the cause that only the log sees.
#[derive(Debug)]
pub(super) struct ApiError(Box<Parts>);

#[derive(Debug)]
struct Parts {
    status: StatusCode,
    message: Cow<'static, str>,
    events: Vec<(usize, Cow<'static, str>)>,
    header: Option<(HeaderName, HeaderValue)>,
    cause: Option<Cause>,
}

/// Why a request failed, for the log: never a text of the client's, never a person's name.
#[derive(Clone, Debug)]
pub(super) struct Cause(pub(super) Cow<'static, str>);

impl ApiError {
    fn new(status: StatusCode, message: impl Into<Cow<'static, str>>) -> Self {
        Self(Box::new(Parts { status, message: message.into(), events: Vec::new(), header: None, cause: None }))
    }

    fn with(mut self, name: HeaderName, value: &'static str) -> Self {
        self.0.header = Some((name, HeaderValue::from_static(value)));
        self
    }

    /// The request is wrong in itself; the same again will not help.
    pub(super) fn bad_request(message: impl Into<Cow<'static, str>>) -> Self {
        let message = message.into();
        Self::new(StatusCode::BAD_REQUEST, format!("BAD_REQUEST: {message}"))
    }

    /// These events of a delivery (by place) are bad, and so nothing of it was stored.
    pub(super) fn bad_events(events: Vec<(usize, Cow<'static, str>)>) -> Self {
        let subject = if events.len() == 1 { "an event is".to_owned() } else { format!("{} events are", events.len()) };
        let mut error = Self::bad_request(format!("{subject} bad: see errors; nothing of the delivery was stored"));
        error.0.events = events;
        error
    }

    /// No credentials, or wrong ones.
    pub(super) fn unauthorized(schemes: &'static str) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "Unauthorized").with(WWW_AUTHENTICATE, schemes)
    }

    /// The token is good, and not for this.
    pub(super) fn forbidden() -> Self {
        Self::new(StatusCode::FORBIDDEN, "the token does not have the permission")
    }

    /// One text for everything that is not there, so that what belongs to others can't be told from what does not exist.
    pub(super) fn not_found() -> Self {
        Self::new(StatusCode::NOT_FOUND, "not found")
    }

    /// The address has no such method.
    pub(super) fn method_not_allowed() -> Self {
        Self::new(StatusCode::METHOD_NOT_ALLOWED, "the address does not have this method")
    }

    /// The body took longer than it may. A sender may repeat: events are stored once, however often they come.
    pub(super) fn too_slow() -> Self {
        Self::new(StatusCode::REQUEST_TIMEOUT, "the body came too slowly; nothing was stored").with(CONNECTION, "close")
    }

    /// The body is larger than it may be, as it came or decompressed.
    pub(super) fn too_large(limit: usize) -> Self {
        let message = format!("the body may have {limit} bytes at most, decompressed: split the delivery");
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, message).with(CONNECTION, "close")
    }

    /// The body is in a format that is not taken.
    pub(super) fn unsupported_media(message: String) -> Self {
        Self::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, message)
    }

    /// The body is compressed in a way that is not taken.
    pub(super) fn unsupported_encoding() -> Self {
        let message = "the content encoding is not supported: send the body as it is, or as gzip";
        Self::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, message).with(ACCEPT_ENCODING, "gzip")
    }

    /// Not now; a moment later it may well work.
    pub(super) fn unavailable(cause: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "not available at the moment: try again").with(RETRY_AFTER, "1").because(cause)
    }

    /// Our fault.
    pub(super) fn internal(cause: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal error").because(cause)
    }

    fn because(mut self, cause: impl Into<Cow<'static, str>>) -> Self {
        self.0.cause = Some(Cause(cause.into()));
        self
    }
}

impl Parts {
    fn body(&self) -> Vec<u8> {
        let code = u64::from(self.status.as_u16());
        let mut json = Json::with_capacity(128 + self.events.len() * 128);
        json.raw(r#"{"success":false,"error":{"code":"#).number(code).raw(r#","message":"#).text(&self.message);
        json.raw(r#"},"errors":"#);
        if self.events.is_empty() {
            json.raw(r#"[{"code":"#).number(code).raw(r#","message":"#).text(&self.message).raw("}]}");
        } else {
            json.list(&self.events, |json, (index, message)| {
                json.raw(r#"{"code":"#).number(code).raw(r#","message":"#).text(message);
                json.raw(r#","index":"#).number(*index as u64).raw("}");
            });
            json.raw("}");
        }
        json.into_bytes()
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Unavailable(_) => Self::unavailable(error.to_string()),
            StoreError::Damaged(_) => Self::internal(error.to_string()),
        }
    }
}

impl From<AppError> for ApiError {
    fn from(error: AppError) -> Self {
        Self::bad_request(error.to_string())
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let parts = self.0;
        let mut response = Response::new(Body::from(parts.body()));
        *response.status_mut() = parts.status;
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        response.headers_mut().extend(parts.header);
        if let Some(cause) = parts.cause {
            response.extensions_mut().insert(cause);
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(error: &ApiError) -> String {
        String::from_utf8(error.0.body()).unwrap()
    }

    #[test]
    fn both_kinds_of_client_can_read_it() {
        assert_eq!(
            shown(&ApiError::bad_request("\"x\" is wrong")),
            r#"{"success":false,"error":{"code":400,"message":"BAD_REQUEST: \"x\" is wrong"},"errors":[{"code":400,"message":"BAD_REQUEST: \"x\" is wrong"}]}"#
        );
        assert_eq!(
            shown(&ApiError::not_found()),
            r#"{"success":false,"error":{"code":404,"message":"not found"},"errors":[{"code":404,"message":"not found"}]}"#
        );
    }

    #[test]
    fn bad_events_are_named_by_their_place() {
        let error = ApiError::bad_events(vec![(0, "a".into()), (7, "b".into())]);
        assert_eq!(
            shown(&error),
            "{\"success\":false,\"error\":{\"code\":400,\"message\":\"BAD_REQUEST: 2 events are bad: see errors; nothing of the delivery was stored\"},\
             \"errors\":[{\"code\":400,\"message\":\"a\",\"index\":0},{\"code\":400,\"message\":\"b\",\"index\":7}]}"
        );
    }

    #[test]
    fn the_stores_text_stays_here() {
        for error in [StoreError::Unavailable("secret".into()), StoreError::Damaged("secret".into())] {
            let retry = matches!(error, StoreError::Unavailable(_));
            let error = ApiError::from(error);
            assert!(!shown(&error).contains("secret"));
            let response = error.into_response();
            assert!(response.status().is_server_error());
            assert_eq!(response.headers().contains_key(RETRY_AFTER), retry);
            assert!(response.extensions().get::<Cause>().is_some_and(|cause| cause.0.contains("secret")));
        }
    }
}
