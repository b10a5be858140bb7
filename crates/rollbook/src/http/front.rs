//! The API as one service: the router, and before it a short way to the two addresses that are asked far more often than all others.
//!
//! A router finds an address among many, tells its names to whoever asks, and keeps each handler and each layer in a box of its own that is
//! cloned for every request. For these two that costs more than what they do. The short way does the same: the same layers, the same
//! handlers; what it does not know at a glance goes to the router.

use super::auth::{Entry, read_id};
use super::body::Delivery;
use super::error::ApiError;
use super::guard::{self, Answering, Watch};
use super::json::Json;
use super::kept::{Has, Kept};
use super::respond::sized;
use super::{Http, compression, events, participants};
use axum::Router;
use axum::body::{Body, HttpBody};
use axum::extract::{FromRequest, Request};
use axum::http::Method;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use std::any::Any;
use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};
use tower::{BoxError, Layer, Service};
use tower_http::catch_panic::CatchPanic;
use tower_http::compression::Compression;
use tower_http::compression::predicate::SizeAbove;

/// What a handler is wrapped in, the first outermost; as in the router.
type Guarded = Watch<Compression<CatchPanic<Handler, Panicked>, SizeAbove>>;
type Panicked = fn(Box<dyn Any + Send>) -> Response;

/// The whole API.
#[derive(Clone)]
pub struct Api {
    router: Router,
    list: Guarded,
    take: Guarded,
}

impl Api {
    pub(super) fn new(http: &Http, router: Router) -> Self {
        let guarded = |address: Address| {
            let handler = CatchPanic::custom(Handler { http: http.clone(), address }, guard::panicked as Panicked);
            Watch::new(http.clone(), Some(address.template()), compression().layer(handler))
        };
        Self { router, list: guarded(Address::Participants), take: guarded(Address::Events) }
    }
}

impl<B> Service<Request<B>> for Api
where
    B: HttpBody<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
{
    type Response = Response;
    type Error = Infallible;
    type Future = Answering;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        // Each of them is ready at any time: what is bounded is answered with a refusal, and nobody waits here.
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Answering {
        match Address::of(&request) {
            // Who only asks has no body that matters.
            Some(Address::Participants) => self.list.call(request.map(|_| Body::empty())),
            Some(Address::Events) => self.take.call(request.map(Body::new)),
            None => Box::pin(self.router.call(request.map(Body::new))),
        }
    }
}

/// An address that has a short way.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Address {
    Participants,
    Events,
}

impl Address {
    fn of<B>(request: &Request<B>) -> Option<Self> {
        let all: &[Self] = match *request.method() {
            Method::GET => &[Self::Participants],
            Method::POST => &[Self::Events],
            _ => &[],
        };
        all.iter().copied().find(|address| address.names(request.uri().path()).is_some())
    }

    /// As the router has it, which counts and logs by it.
    fn template(self) -> &'static str {
        match self {
            Self::Participants => "/client/v4/accounts/{account_id}/realtime/kit/{app_id}/sessions/{session_id}/participants",
            Self::Events => "/v1/accounts/{account_id}/apps/{app_id}/events",
        }
    }

    /// What the template has before, between and behind its names.
    fn parts(self) -> (&'static str, &'static [&'static str]) {
        match self {
            Self::Participants => ("/client/v4/accounts/", &["/realtime/kit/", "/sessions/", "/participants"]),
            Self::Events => ("/v1/accounts/", &["/apps/", "/events"]),
        }
    }

    /// What a path has in the places of the names, at most three; none where it is another's path, or one to be decoded.
    fn names(self, path: &str) -> Option<[&str; 3]> {
        let (first, others) = self.parts();
        let (mut names, mut rest) = ([""; 3], path.strip_prefix(first)?);
        for (name, part) in names.iter_mut().zip(others) {
            let end = rest.bytes().position(|byte| byte == b'/' || byte == b'%').filter(|end| *end > 0)?;
            *name = &rest[..end];
            rest = rest[end..].strip_prefix(part)?;
        }
        rest.is_empty().then_some(names)
    }
}

/// What answers at an address.
#[derive(Clone)]
struct Handler {
    http: Http,
    address: Address,
}

impl Service<Request> for Handler {
    type Response = Response;
    type Error = Infallible;
    type Future = Answering;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request) -> Answering {
        let Self { http, address } = self.clone();
        // A future is moved whole: the larger ones are put in their place before anything is wrapped around them.
        let answer: Pin<Box<dyn Future<Output = _> + Send>> = match address {
            Address::Participants => Box::pin(list(http.clone(), request)),
            Address::Events => Box::pin(take(http.clone(), request)),
        };
        Box::pin(async move {
            let answer = guard::within_limits(&http, answer).await;
            Ok(sized(answer.and_then(|answer| answer).unwrap_or_else(ApiError::into_response)))
        })
    }
}

async fn list(http: Http, request: Request) -> Result<Response, ApiError> {
    let [account, app, session] = Address::Participants.names(request.uri().path()).ok_or_else(ApiError::not_found)?;
    let app = Entry::reading(&http, request.headers()).await?.to(http.apps.get(account, app)?)?;
    let session = read_id(session).ok_or_else(ApiError::not_found);
    let page = participants::page(&http, &app, session, Has::in_headers(request.headers()), request.uri().query());
    page.await.map(Kept::into_response)
}

async fn take(http: Http, request: Request) -> Result<Response, ApiError> {
    let [account, app, _] = Address::Events.names(request.uri().path()).ok_or_else(ApiError::not_found)?;
    let app = Entry::writing(&http, request.headers()).await?.to(http.apps.get(account, app)?)?;
    let delivery = Delivery::from_request(request, &http).await?;
    events::ingest(&http, &app, delivery).await.map(Json::into_response)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_a_short_way() {
        let of = |method: &str, path: &str| Address::of(&Request::builder().method(method).uri(path).body(()).unwrap());
        let (list, events) = ("/client/v4/accounts/a/realtime/kit/b/sessions/c/participants", "/v1/accounts/a/apps/b/events");
        assert_eq!(of("GET", &format!("{list}?page_no=2")), Some(Address::Participants));
        assert_eq!(of("POST", events), Some(Address::Events));
        for (method, path) in [
            ("HEAD", list),
            ("GET", events),
            ("POST", list),
            ("GET", "/client/v4/accounts/a/realtime/kit/b/sessions/c/participants/"),
            ("GET", "/client/v4/accounts/a/realtime/kit/b/sessions/c/participants/d"),
            ("GET", "/client/v4/accounts//realtime/kit/b/sessions/c/participants"),
            ("GET", "/client/v4/accounts/a/realtime/kit/%62/sessions/c/participants"),
            ("GET", "/accounts/a/realtime/kit/b/sessions/c/participants"),
            ("POST", "/v1/accounts/a/apps/b/engines/zoom"),
        ] {
            assert_eq!(of(method, path), None, "{method} {path}");
        }
        for address in [Address::Participants, Address::Events] {
            let (first, others) = address.parts();
            let names = address.template().split(['{', '}']).skip(1).step_by(2);
            let whole: String = names.zip(others).map(|(name, part)| format!("{{{name}}}{part}")).collect();
            assert_eq!(first.to_owned() + &whole, address.template());
        }
        assert_eq!(Address::Participants.names(list), Some(["a", "b", "c"]));
        assert_eq!(Address::Events.names(events), Some(["a", "b", ""]));
    }
}
