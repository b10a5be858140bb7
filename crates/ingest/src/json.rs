//! Strict JSON: what two readers could understand differently is an error, and no number loses a digit.
//!
//! Refused beside what RFC 8259 forbids: a key twice in one object, the NUL character, half a surrogate pair, and
//! nesting deeper than [`MAX_DEPTH`]; all of them anywhere in the text, in members that nobody reads too. A general
//! purpose reader takes the first two silently, and turns integers beyond 64 bits into floats.

mod decimal;
mod items;
mod parse;
mod string;
mod text;

pub use decimal::Decimal;
pub use items::{Item, Items};
pub(crate) use parse::leading;
pub use parse::{MAX_DEPTH, parse, parse_line};
pub use text::push_text;
pub(crate) use text::quoted;

use std::borrow::Cow;

/// A value that borrows from the text it was read from, wherever that needed no unescaping.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Json<'a> {
    /// `null`
    Null,
    /// `true` or `false`
    Bool(bool),
    /// A number, as it was written: [`Decimal`] reads it.
    Number(&'a str),
    /// A text without NUL characters.
    Text(Cow<'a, str>),
    /// An array.
    Array(Vec<Json<'a>>),
    /// An object.
    Object(Object<'a>),
}

/// The members of an object, each key once.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Object<'a> {
    /// Sorted by key, so that a look-up is a binary search and the written order carries no meaning.
    members: Vec<(Cow<'a, str>, Json<'a>)>,
}

impl<'a> Object<'a> {
    /// The value of a member, if the object has it.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Json<'a>> {
        let found = self.members.binary_search_by(|(name, _)| (**name).cmp(key));
        found.ok().and_then(|at| self.members.get(at)).map(|(_, value)| value)
    }

    /// Whether it has no members.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.members.is_empty()
    }
}

impl<'a> Json<'a> {
    /// What a JSON pointer (RFC 6901) points to, if anything.
    #[must_use]
    pub fn pointer(&self, pointer: &str) -> Option<&Json<'a>> {
        if pointer.is_empty() {
            return Some(self);
        }
        pointer.strip_prefix('/')?.split('/').try_fold(self, |value, token| match value {
            Self::Object(object) => object.get(&token.replace("~1", "/").replace("~0", "~")),
            Self::Array(items) => items.get(token.parse::<usize>().ok()?),
            _ => None,
        })
    }
}

impl Json<'_> {
    /// Appends the canonical text: keys in bytewise order, no white space, one way to escape; numbers as they were written.
    pub fn push_canonical(&self, out: &mut String) {
        match self {
            Self::Null => out.push_str("null"),
            Self::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
            Self::Number(digits) => out.push_str(digits),
            Self::Text(value) => push_text(out, value),
            Self::Array(items) => {
                out.push('[');
                for (index, item) in items.iter().enumerate() {
                    out.push_str(if index > 0 { "," } else { "" });
                    item.push_canonical(out);
                }
                out.push(']');
            }
            Self::Object(object) => {
                out.push('{');
                for (index, (key, value)) in object.members.iter().enumerate() {
                    out.push_str(if index > 0 { "," } else { "" });
                    push_text(out, key);
                    out.push(':');
                    value.push_canonical(out);
                }
                out.push('}');
            }
        }
    }

    /// The value as a message shows it: short, and on one line.
    #[must_use]
    pub fn shown(&self) -> String {
        match self {
            Self::Null => "null".into(),
            Self::Bool(value) => value.to_string(),
            Self::Number(digits) => text::shortened(digits),
            Self::Text(value) => {
                let mut out = String::new();
                push_text(&mut out, &text::shortened(value));
                out
            }
            Self::Array(_) => "an array".into(),
            Self::Object(_) => "an object".into(),
        }
    }
}

/// What is wrong with a text, and where.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("line {line}, column {column}: {problem}")]
pub struct JsonError {
    /// What is wrong.
    pub problem: Problem,
    /// The line, counted from 1.
    pub line: usize,
    /// The character in its line, counted from 1.
    pub column: usize,
}

/// What can be wrong with a text.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Problem {
    /// The text ends in the middle of a value.
    #[error("the JSON ends too early")]
    Truncated,
    /// Something else should stand here.
    #[error("expected {0}")]
    Expected(&'static str),
    /// More text after the value.
    #[error("the JSON value ends here, but more text follows")]
    Trailing,
    /// A number in a form that JSON has not.
    #[error("not a JSON number")]
    Number,
    /// An escape that JSON has not.
    #[error("not a JSON escape")]
    Escape,
    /// A control character that must be escaped.
    #[error("a control character must be escaped in a JSON text")]
    Control,
    /// The bytes are not UTF-8.
    #[error("not UTF-8")]
    Utf8,
    /// Arrays and objects within each other beyond [`MAX_DEPTH`].
    #[error("nested deeper than {MAX_DEPTH} levels")]
    TooDeep,
    /// The NUL character, escaped or raw.
    #[error("the NUL character is not allowed")]
    Nul,
    /// Half a surrogate pair.
    #[error("half a surrogate pair is not a character")]
    LoneSurrogate,
    /// A key for the second time.
    #[error("the key {0} is twice in one object")]
    Duplicate(String),
}
