//! Answers that a client may keep: each has a name, and is left out where the client says that it has the answer of that name.
//!
//! Nobody answers from what was kept without asking: `cache-control` is `no-cache`, as an event may come late, and what
//! is asked then is all that an answer costs up to its text.

use super::error::ApiError;
use super::json::Json;
use axum::extract::FromRequestParts;
use axum::http::header::{ACCEPT_ENCODING, CONTENT_TYPE, ETAG, IF_NONE_MATCH, VARY};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use sha2::{Digest, Sha256};
use std::convert::Infallible;

/// Goes into names that are not made of the text itself. The text may be written in another way by another release, and within one
/// this number has to change with it.
const FORMAT: &[u8] = concat!(env!("CARGO_PKG_VERSION"), "/1").as_bytes();

/// The name of an answer: the same on all nodes for the same text, and another for another text at the same address.
///
/// It is a weak entity tag, as it is one for the text and for the text compressed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Tag(String);

impl Tag {
    /// The name of an answer that follows from this.
    pub(super) fn of(parts: &[&[u8]]) -> Self {
        let mut digest = Sha256::new();
        digest.update(FORMAT);
        for part in parts {
            digest.update((part.len() as u64).to_le_bytes());
            digest.update(part);
        }
        Self::from_digest(&digest.finalize())
    }

    fn of_text(text: &[u8]) -> Self {
        Self::from_digest(&Sha256::digest(text))
    }

    fn from_digest(digest: &[u8]) -> Self {
        Self(format!("W/\"{}\"", URL_SAFE_NO_PAD.encode(&digest[..16])))
    }

    /// What is between the quotation marks, with them.
    fn opaque(&self) -> &[u8] {
        &self.0.as_bytes()[2..]
    }
}

/// The names of what the client has, by its own account.
pub(super) struct Has(Vec<HeaderValue>);

impl<S: Send + Sync> FromRequestParts<S> for Has {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self::in_headers(&parts.headers))
    }
}

impl Has {
    /// Of a request with these headers.
    pub(super) fn in_headers(headers: &HeaderMap) -> Self {
        Self(headers.get_all(IF_NONE_MATCH).iter().cloned().collect())
    }

    /// Whether the client has the answer of this name. `*` is any.
    fn has(&self, tag: &Tag) -> bool {
        // No name of ours has a comma within, so nothing is made a name of ours by cutting others at theirs.
        let mut names = self.0.iter().flat_map(|value| value.as_bytes().split(|byte| *byte == b',')).map(<[u8]>::trim_ascii);
        names.any(|name| name == b"*" || name.strip_prefix(b"W/").unwrap_or(name) == tag.opaque())
    }

    /// The answer of a name, which is made only if the client does not have it. Without a name it always is.
    pub(super) async fn or(self, tag: Option<Tag>, made: impl Future<Output = Result<Json, ApiError>>) -> Result<Kept, ApiError> {
        let text = if tag.as_ref().is_some_and(|tag| self.has(tag)) { None } else { Some(made.await?.into_bytes().into()) };
        Ok(Kept { tag, text })
    }

    /// An answer named after its text.
    pub(super) fn or_text(self, text: impl Into<Bytes>) -> Kept {
        let text = text.into();
        let tag = Tag::of_text(&text);
        let has = self.has(&tag);
        Kept { tag: Some(tag), text: (!has).then_some(text) }
    }
}

/// An answer with its name, if it has one. Without its text it says that the client has it.
#[derive(Debug)]
pub(super) struct Kept {
    tag: Option<Tag>,
    text: Option<Bytes>,
}

impl IntoResponse for Kept {
    fn into_response(self) -> Response {
        let mut response = match self.text {
            Some(text) => {
                let mut response = Response::new(text.into());
                response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
                response
            }
            None => StatusCode::NOT_MODIFIED.into_response(),
        };
        if let Some(tag) = self.tag.and_then(|tag| HeaderValue::try_from(tag.0).ok()) {
            response.headers_mut().insert(ETAG, tag);
            response.headers_mut().insert(VARY, HeaderValue::from(ACCEPT_ENCODING));
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn has(values: &[&'static str]) -> Has {
        let mut headers = HeaderMap::new();
        values.iter().for_each(|value| {
            headers.append(IF_NONE_MATCH, HeaderValue::from_static(value));
        });
        Has::in_headers(&headers)
    }

    #[test]
    fn what_a_client_may_say_it_has() {
        let tag = Tag("W/\"ours\"".into());
        for values in
            [&["W/\"ours\""][..], &["\"ours\""], &["*"], &["\"a\" ,\tW/\"ours\""], &["W/\"a\", \"b\"", "\"ours\""], &["W/\"a,b\",\"ours\""]]
        {
            assert!(has(values).has(&tag), "{values:?}");
        }
        for values in [&[][..], &[""], &["ours"], &["W/\"other\""], &["W/ours"], &["w/\"ours\""], &["\"our\", \"s\""], &["W/W/\"ours\""]] {
            assert!(!has(values).has(&tag), "{values:?}");
        }
    }

    #[test]
    fn names_of_parts_that_join_alike_differ() {
        assert_ne!(Tag::of(&[b"ab", b"c"]), Tag::of(&[b"a", b"bc"]));
        assert_eq!(Tag::of(&[b"ab", b"c"]), Tag::of(&[b"ab", b"c"]));
    }
}
