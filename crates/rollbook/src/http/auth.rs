//! Who asks, and whether they may.
//!
//! The order of the answers is the rule: without good credentials 401; an app that the token is not for does not exist,
//! 404; an app of one's own, without the permission, 403.

use super::Http;
use super::error::ApiError;
use crate::tokens::{Grant, Permission};
use async_trait::async_trait;
use axum::extract::{FromRequestParts, RawPathParams};
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rollbook_core::id::App;
use uuid::Uuid;

/// Where tokens are known.
#[async_trait]
pub trait TokenLookup: Send + Sync {
    /// Whom a token belongs to and what it allows; none where it is unknown or revoked.
    ///
    /// # Errors
    /// Where it is not known, and can't be learnt at the moment.
    async fn look_up(&self, token: &str) -> Result<Option<Grant>, TokensAway>;
}

/// Where tokens are kept can't be read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TokensAway;

async fn grant(http: &Http, token: Option<String>, schemes: &'static str) -> Result<Grant, ApiError> {
    let token = token.ok_or_else(|| ApiError::unauthorized(schemes))?;
    let found = http.tokens.look_up(&token).await.map_err(|TokensAway| ApiError::unavailable("tokens can't be read"))?;
    found.ok_or_else(|| ApiError::unauthorized(schemes))
}

const X_AUTH_KEY: HeaderName = HeaderName::from_static("x-auth-key");

/// A request that may read an app.
pub(super) struct Reader(Admitted);

/// A request that may write to an app.
pub(super) struct Writer(Admitted);

/// A request that may do everything with an app.
pub(super) struct Admin(Admitted);

/// A request to an engine's address. The engine's own signature can stand in for a token.
pub(super) struct Sender {
    admitted: Admitted,
    /// Why no token lets it in, where none does.
    pub(super) refused: Option<ApiError>,
}

/// The app that a request is about, and what else its path names.
struct Admitted {
    app: App,
    path: RawPathParams,
}

impl Reader {
    /// The app.
    pub(super) fn app(&self) -> &App {
        &self.0.app
    }

    /// An id in the path. One that is no UUID is simply the id of nothing.
    pub(super) fn id(&self, name: &str) -> Result<Uuid, ApiError> {
        self.0.path(name).and_then(read_id).ok_or_else(ApiError::not_found)
    }
}

impl Writer {
    /// The app.
    pub(super) fn app(&self) -> &App {
        &self.0.app
    }
}

impl Admin {
    /// The app.
    pub(super) fn app(&self) -> &App {
        &self.0.app
    }
}

impl Sender {
    /// The app.
    pub(super) fn app(&self) -> &App {
        &self.admitted.app
    }

    /// A name in the path.
    pub(super) fn name(&self, name: &str) -> &str {
        self.admitted.path(name).unwrap_or_default()
    }
}

impl Admitted {
    fn path(&self, name: &str) -> Option<&str> {
        named(&self.path, name)
    }
}

/// Reads a UUID in the form that every client writes, and no other: one thing, one name.
pub(super) fn read_id(text: &str) -> Option<Uuid> {
    Uuid::try_parse(text).ok().filter(|_| text.len() == uuid::fmt::Hyphenated::LENGTH)
}

/// What a request's token allows, before it is known to which app.
pub(super) struct Entry {
    grant: Grant,
    may: bool,
}

impl Entry {
    /// Of a request that reads.
    pub(super) async fn reading(http: &Http, headers: &HeaderMap) -> Result<Self, ApiError> {
        let grant = grant(http, bearer(headers), "Bearer").await?;
        Ok(Self { may: matches!(grant.permission, Permission::Realtime | Permission::RealtimeAdmin), grant })
    }

    /// Of a request that brings events.
    pub(super) async fn writing(http: &Http, headers: &HeaderMap) -> Result<Self, ApiError> {
        let schemes = "Bearer, Basic realm=\"rollbook\"";
        // Most engines can send nothing but a password.
        let grant = grant(http, bearer(headers).or_else(|| password(headers)), schemes).await?;
        Ok(Self { may: matches!(grant.permission, Permission::Ingest | Permission::RealtimeAdmin), grant })
    }

    /// The app, if it is open to the token.
    pub(super) fn to(&self, app: App) -> Result<App, ApiError> {
        match (self.grant.covers(&app), self.may) {
            (false, _) => Err(ApiError::not_found()),
            (true, false) => Err(ApiError::forbidden()),
            (true, true) => Ok(app),
        }
    }
}

impl FromRequestParts<Http> for Reader {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, http: &Http) -> Result<Self, ApiError> {
        let entry = Entry::reading(http, &parts.headers).await?;
        admit(parts, http, &entry).await.map(Self)
    }
}

impl FromRequestParts<Http> for Writer {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, http: &Http) -> Result<Self, ApiError> {
        let entry = Entry::writing(http, &parts.headers).await?;
        admit(parts, http, &entry).await.map(Self)
    }
}

impl FromRequestParts<Http> for Admin {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, http: &Http) -> Result<Self, ApiError> {
        let grant = grant(http, bearer(&parts.headers), "Bearer").await?;
        let entry = Entry { may: grant.permission == Permission::RealtimeAdmin, grant };
        admit(parts, http, &entry).await.map(Self)
    }
}

impl FromRequestParts<Http> for Sender {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, http: &Http) -> Result<Self, ApiError> {
        match Writer::from_request_parts(parts, http).await {
            Ok(Writer(admitted)) => Ok(Self { admitted, refused: None }),
            Err(refused) => match locate(parts, http).await {
                Ok(admitted) => Ok(Self { admitted, refused: Some(refused) }),
                Err(_) => Err(refused),
            },
        }
    }
}

async fn admit(parts: &mut Parts, http: &Http, entry: &Entry) -> Result<Admitted, ApiError> {
    let Admitted { app, path } = locate(parts, http).await?;
    Ok(Admitted { app: entry.to(app)?, path })
}

/// What the path names, whoever asks.
async fn locate(parts: &mut Parts, http: &Http) -> Result<Admitted, ApiError> {
    let path = RawPathParams::from_request_parts(parts, &());
    let path = path.await.map_err(|_| ApiError::bad_request("the path is not UTF-8"))?;
    let of = |name| named(&path, name).unwrap_or_default();
    Ok(Admitted { app: http.apps.get(of("account_id"), of("app_id"))?, path })
}

fn named<'a>(path: &'a RawPathParams, name: &str) -> Option<&'a str> {
    path.iter().find(|(given, _)| *given == name).map(|(_, value)| value)
}

/// The token of a request: `Authorization` decides alone where it is there; else the key of the older pair of headers.
fn bearer(headers: &HeaderMap) -> Option<String> {
    match credentials(headers) {
        Some((scheme, token)) => scheme.eq_ignore_ascii_case("bearer").then(|| token.to_owned()),
        None if headers.contains_key(AUTHORIZATION) => None,
        None => headers.get(X_AUTH_KEY)?.to_str().ok().map(str::to_owned),
    }
}

/// The password of HTTP basic authentication; whose it is does not matter.
fn password(headers: &HeaderMap) -> Option<String> {
    let (scheme, encoded) = credentials(headers)?;
    let decoded = scheme.eq_ignore_ascii_case("basic").then(|| STANDARD.decode(encoded).ok())??;
    let (_, password) = std::str::from_utf8(&decoded).ok()?.split_once(':')?;
    Some(password.to_owned())
}

fn credentials(headers: &HeaderMap) -> Option<(&str, &str)> {
    let mut all = headers.get_all(AUTHORIZATION).iter();
    let (Some(only), None) = (all.next(), all.next()) else { return None };
    let (scheme, token) = only.to_str().ok()?.trim().split_once(' ')?;
    Some((scheme, token.trim_start()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
        headers
    }

    #[test]
    fn where_a_token_is_looked_for() {
        for (pairs, expected) in [
            (&[("authorization", "Bearer t")][..], Some("t")),
            (&[("authorization", "bearer   t ")], Some("t")),
            (&[("authorization", "Bearer")], None),
            (&[("authorization", "t")], None),
            (&[("authorization", "Basic eDp0")], None),
            (&[("authorization", "Bearer t"), ("authorization", "Bearer u")], None),
            (&[("x-auth-email", "a@b.c"), ("x-auth-key", "t")], Some("t")),
            (&[("x-auth-key", "t")], Some("t")),
            (&[("x-auth-email", "a@b.c")], None),
            (&[("authorization", "nonsense"), ("x-auth-key", "t")], None),
            (&[("authorization", "Bearer wrong"), ("x-auth-key", "t")], Some("wrong")),
            (&[], None),
        ] {
            assert_eq!(bearer(&headers(pairs)).as_deref(), expected, "{pairs:?}");
        }
        assert_eq!(password(&headers(&[("authorization", "Basic eDp0")])).as_deref(), Some("t"));
        assert_eq!(password(&headers(&[("authorization", "Basic !")])), None);
        assert_eq!(password(&headers(&[("authorization", "Bearer eDp0")])), None);
    }

    #[test]
    fn ids_have_one_form() {
        assert!(read_id("005f4e0c-4d08-4d4e-a391-a76be75cd296").is_some());
        assert!(read_id("005F4E0C-4D08-4D4E-A391-A76BE75CD296").is_some());
        for text in [
            "",
            "..",
            "005f4e0c4d084d4ea391a76be75cd296",
            "{005f4e0c-4d08-4d4e-a391-a76be75cd296}",
            "urn:uuid:005f4e0c-4d08-4d4e-a391-a76be75cd296",
        ] {
            assert!(read_id(text).is_none(), "{text}");
        }
    }
}
