//! What may be answered instead.

use std::collections::BTreeMap;
use utoipa::IntoResponses;
use utoipa::openapi::response::Response;
use utoipa::openapi::schema::{ObjectBuilder, Type};
use utoipa::openapi::{ContentBuilder, Header, Ref, RefOr, ResponseBuilder};

/// What a reading request gets instead of what the client has.
pub(in crate::http) struct NotModified;

/// What a reading request may get instead.
pub(in crate::http) struct ReadErrors;

/// What a writing request may get instead.
pub(in crate::http) struct WriteErrors;

type Responses = BTreeMap<String, RefOr<Response>>;

impl IntoResponses for NotModified {
    fn responses() -> Responses {
        let etag = Header::new(ObjectBuilder::new().schema_type(Type::String));
        let response = ResponseBuilder::new().description("The client has the answer: if-none-match names it").header("etag", etag);
        Responses::from([("304".to_owned(), RefOr::T(response.build()))])
    }
}

impl IntoResponses for ReadErrors {
    fn responses() -> Responses {
        failures(&[
            ("400", "A parameter is wrong"),
            ("401", "No credentials, or wrong ones"),
            ("403", "The token has not the permission"),
            ("404", "Unknown, or not for this token"),
            ("500", "Our fault"),
            ("503", "Not at the moment"),
        ])
    }
}

impl IntoResponses for WriteErrors {
    fn responses() -> Responses {
        let mut responses = Self::own();
        responses.append(&mut ReadErrors::responses());
        responses
    }
}

impl WriteErrors {
    fn own() -> Responses {
        failures(&[
            ("408", "The body came too slowly"),
            ("413", "The body is too large, as it came or decompressed"),
            ("415", "The content type or encoding is not taken"),
        ])
    }
}

fn failures(all: &[(&str, &str)]) -> Responses {
    let content = || ContentBuilder::new().schema(Some(Ref::from_schema_name("Failure"))).build();
    let header = || Header::new(ObjectBuilder::new().schema_type(Type::String));
    let response = |(status, description): &(&str, &str)| {
        let response = ResponseBuilder::new().description(*description).content("application/json", content());
        let response = response.header("x-request-id", header());
        let response = if *status == "503" { response.header("retry-after", header()) } else { response };
        ((*status).to_owned(), RefOr::T(response.build()))
    };
    all.iter().map(response).collect()
}
