//! The API's own description, made from the handlers.

use super::Http;
use super::kept::Has;
use axum::http::header::CACHE_CONTROL;
use axum::routing::{MethodRouter, get};
use bytes::Bytes;
use utoipa::openapi::security::{ApiKey, ApiKeyValue, Http as Scheme, HttpAuthScheme, SecurityScheme};
use utoipa::openapi::{Components, InfoBuilder, OpenApi, OpenApiBuilder};

const ABOUT: &str = "Who was in a realtime session, when, and for how long. The sessions family answers as Cloudflare RealtimeKit's does, \
                     under `/client/v4` and, for clients of older base addresses, without it. Unknown query parameters are ignored, \
                     among them the `filters` of older clients.";

/// The document before any path.
pub(super) fn about() -> OpenApi {
    let info = InfoBuilder::new().title("rollbook").version(env!("CARGO_PKG_VERSION")).description(Some(ABOUT)).build();
    let header = |name: &str, about: &str| SecurityScheme::ApiKey(ApiKey::Header(ApiKeyValue::with_description(name, about)));
    let mut components = Components::new();
    for (name, scheme) in [
        ("bearer", SecurityScheme::Http(Scheme::new(HttpAuthScheme::Bearer))),
        ("basic", SecurityScheme::Http(Scheme::new(HttpAuthScheme::Basic))),
        ("email", header("X-Auth-Email", "Any; it goes with the key.")),
        ("key", header("X-Auth-Key", "The token.")),
    ] {
        components.add_security_scheme(name, scheme);
    }
    OpenApiBuilder::new().info(info).components(Some(components)).build()
}

/// `/openapi.json`: the same bytes for everyone.
pub(super) fn serve(api: &OpenApi) -> MethodRouter<Http> {
    // A document that was built here has no way not to be JSON.
    let text = Bytes::from(api.to_json().unwrap_or_default());
    get(move |has: Has| async move { ([(CACHE_CONTROL, "public, max-age=300")], has.or_text(text)) })
}
