//! What every request passes through: a name, a bound, a count, and where it fails a line in the log.

use super::Http;
use super::error::{ApiError, Cause};
use super::metrics::{Observed, Template};
use super::request_id::{self, X_REQUEST_ID};
use super::respond::sized;
use axum::body::{Body, HttpBody};
use axum::extract::{MatchedPath, Request};
use axum::http::header::CACHE_CONTROL;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use std::any::Any;
use std::borrow::Cow;
use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};
use tower::layer::layer_fn;
use tower::{BoxError, Layer, Service};

/// What a service answers, in time.
pub(super) type Answering = Pin<Box<dyn Future<Output = Result<Response, Infallible>> + Send>>;

/// Outermost: names the request, counts it, logs it where it failed.
pub(super) fn watch<S>(http: Http) -> impl Layer<S, Service = Watch<S>> + Clone {
    layer_fn(move |inner| Watch::new(http.clone(), None, inner))
}

/// See [`watch`].
#[derive(Clone)]
pub(super) struct Watch<S> {
    http: Http,
    /// The template of the address, where it is one for all.
    template: Option<&'static str>,
    inner: S,
}

impl<S> Watch<S> {
    /// The service, with its requests watched. Without a template it is the router's to tell.
    pub(super) fn new(http: Http, template: Option<&'static str>, inner: S) -> Self {
        Self { http, template, inner }
    }
}

impl<S, B> Service<Request> for Watch<S>
where
    S: Service<Request, Response = Response<B>, Error = Infallible>,
    S::Future: Send + 'static,
    B: HttpBody<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
{
    type Response = Response;
    type Error = Infallible;
    type Future = Answering;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request) -> Self::Future {
        let http = self.http.clone();
        let id = request_id::of(request.headers());
        // The template, not the path: paths name people's sessions, and there is no end to them.
        let template = match self.template {
            Some(template) => Template::Fixed(template),
            None => Template::Matched(request.extensions().get::<MatchedPath>().cloned()),
        };
        let method = request.method().clone();
        let answer = self.inner.call(request);
        Box::pin(async move {
            let observed = http.metrics.observe(&method, template);
            let mut response = answer.await?;
            let headers = response.headers_mut();
            headers.insert(X_REQUEST_ID, id.clone());
            headers.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("private, no-cache"));
            let (status, cause) = (response.status(), response.extensions_mut().remove::<Cause>());
            observed.done(status);
            if status.is_client_error() || status.is_server_error() {
                let cause = cause.map_or(Cow::Borrowed(""), |cause| cause.0);
                log(status, &id, &observed, &cause);
            }
            Ok(response.map(Body::new))
        })
    }
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
pub(super) fn limit<S>(http: Http) -> impl Layer<S, Service = Limit<S>> + Clone {
    layer_fn(move |inner| Limit { http: http.clone(), inner })
}

/// See [`limit`].
#[derive(Clone)]
pub(super) struct Limit<S> {
    http: Http,
    inner: S,
}

impl<S> Service<Request> for Limit<S>
where
    S: Service<Request, Response = Response, Error = Infallible>,
    S::Future: Send + 'static,
{
    type Response = Response;
    type Error = Infallible;
    type Future = Answering;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request) -> Self::Future {
        let (http, answer) = (self.http.clone(), self.inner.call(request));
        Box::pin(async move { within_limits(&http, answer).await.unwrap_or_else(|refused| Ok(refused.into_response())) })
    }
}

/// What comes of a request, if it is not one too many and does not take too long.
pub(super) async fn within_limits<T>(http: &Http, answer: impl Future<Output = T>) -> Result<T, ApiError> {
    let _permit = http.requests.try_acquire().map_err(|_| ApiError::unavailable("too many requests at once"))?;
    let answer = tokio::time::timeout(http.limits.request_timeout, answer).await;
    answer.map_err(|_| ApiError::unavailable("the request took too long"))
}

/// What is answered in place of a panic, whose own text is no one's business but the log's.
pub(super) fn panicked(_: Box<dyn Any + Send>) -> Response {
    sized(ApiError::internal("a handler panicked").into_response())
}

/// No such address.
pub(super) async fn not_found() -> ApiError {
    ApiError::not_found()
}

/// The address has no such method.
pub(super) async fn method_not_allowed() -> ApiError {
    ApiError::method_not_allowed()
}
