//! The known parameters, in the one table that both reads and documents them.

use utoipa::openapi::Required;
use utoipa::openapi::path::{Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::schema::{AnyOfBuilder, KnownFormat, ObjectBuilder, Schema, SchemaFormat, Type};

/// A query parameter.
#[derive(Clone, Copy, Debug)]
pub(in crate::http) struct Param {
    pub(in crate::http) name: &'static str,
    pub(in crate::http) description: &'static str,
    pub(in crate::http) kind: Kind,
}

/// What a parameter may be.
#[derive(Clone, Copy, Debug)]
pub(in crate::http) enum Kind {
    /// A whole number from 0 to a maximum, if there is one; or empty.
    Number(Option<u32>),
    /// `true`, `false`, or empty.
    Flag,
    /// One of these words.
    Choice(&'static [&'static str]),
    /// An RFC 3339 time.
    Time,
    /// `min:max`, either left out.
    Range,
    /// Any text.
    Text,
}

/// Which page of a list.
pub(in crate::http) const PAGE_NO: Param =
    Param { name: "page_no", description: "The page; absent, empty, 0 and 1 are the first.", kind: Kind::Number(None) };
/// How long the pages of a list are.
pub(in crate::http) const PER_PAGE: Param =
    Param { name: "per_page", description: "Rows a page; absent, empty and 0 are 25.", kind: Kind::Number(Some(super::MAX_PER_PAGE)) };
/// In which direction a list is ordered.
pub(in crate::http) const SORT_ORDER: Param = Param {
    name: "sort_order",
    description: "Ascending or descending; one is the exact reverse of the other.",
    kind: Kind::Choice(&["ASC", "DESC"]),
};

/// The parameters as the OpenAPI document has them.
pub(in crate::http) fn documented(params: &[Param]) -> Vec<Parameter> {
    let parameter = |param: &Param| {
        ParameterBuilder::new()
            .name(param.name)
            .parameter_in(ParameterIn::Query)
            .required(Required::False)
            .description(Some(param.description))
            .schema(Some(param.kind.schema()))
            .build()
    };
    params.iter().map(parameter).collect()
}

impl Kind {
    fn schema(self) -> Schema {
        let string = || ObjectBuilder::new().schema_type(Type::String);
        match self {
            Self::Number(max) => {
                let number = ObjectBuilder::new().schema_type(Type::Integer).minimum(Some(0));
                or_empty(if max.is_some() { number.maximum(max) } else { number })
            }
            Self::Flag => or_empty(ObjectBuilder::new().schema_type(Type::Boolean)),
            Self::Choice(words) => string().enum_values(Some(words.iter().copied())).into(),
            Self::Time => string().format(Some(SchemaFormat::KnownFormat(KnownFormat::DateTime))).into(),
            Self::Range => string().pattern(Some("^([0-9]+:[0-9]*|:[0-9]+)$")).into(),
            Self::Text => string().into(),
        }
    }
}

/// Clients send some parameters with nothing behind the `=`.
fn or_empty(schema: ObjectBuilder) -> Schema {
    let empty = ObjectBuilder::new().schema_type(Type::String).max_length(Some(0));
    AnyOfBuilder::new().item(schema).item(empty).into()
}

/// Makes a name under which a handler's documentation finds its parameters.
macro_rules! document {
    ($name:ident, $params:expr) => {
        /// The parameters in the document.
        struct $name;

        impl utoipa::IntoParams for $name {
            fn into_params(_: impl Fn() -> Option<utoipa::openapi::path::ParameterIn>) -> Vec<utoipa::openapi::path::Parameter> {
                $crate::http::params::documented($params)
            }
        }
    };
}
pub(in crate::http) use document;
