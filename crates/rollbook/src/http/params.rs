//! Query parameters: read strictly, so that a list is never silently another one than was asked for.
//!
//! Of a known parameter, whatever is not exactly right is a 400 that names the parameter, the value and what is allowed.
//! Unknown ones are ignored, since clients older and newer than this server send some.

mod docs;
mod number;

pub(super) use docs::{Kind, PAGE_NO, PER_PAGE, Param, SORT_ORDER, document, documented};

use super::error::ApiError;
use number::Number;
use rollbook_core::time::Timestamp;
use std::borrow::Cow;

/// Rows a page where a client does not say.
const DEFAULT_PER_PAGE: u32 = 25;
/// More rows than this are refused, never cut: a client would take a cut page for the last one.
const MAX_PER_PAGE: u32 = 10_000;
/// How much of a value an error message repeats.
const SHOWN: usize = 64;

/// The known parameters of a request, decoded.
pub(super) struct Params<'a> {
    given: Vec<(&'static str, Cow<'a, str>)>,
}

/// Which slice of a list was asked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Slice {
    /// How many rows to pass over.
    pub(super) offset: u64,
    /// How many rows to show at most.
    pub(super) limit: u32,
}

impl<'a> Params<'a> {
    /// Picks the known parameters out of a query.
    pub(super) fn read(query: Option<&'a str>, known: &[Param]) -> Result<Self, ApiError> {
        let mut given: Vec<(&'static str, Cow<'a, str>)> = Vec::new();
        for pair in query.unwrap_or_default().as_bytes().split(|byte| *byte == b'&') {
            let name = pair.split(|byte| *byte == b'=').next().unwrap_or_default();
            let value = pair.get(name.len() + 1..).unwrap_or_default();
            let name = decode(name);
            let Some(param) = known.iter().find(|param| param.name.as_bytes() == &*name) else { continue };
            if given.iter().any(|(name, _)| *name == param.name) {
                return Err(ApiError::bad_request(format!("\"{}\" is given more than once", param.name)));
            }
            given.push((param.name, text(decode(value)).map_err(|shown| refuse(param.name, &shown, "text in UTF-8"))?));
        }
        Ok(Self { given })
    }

    /// The value as it was given, empty or not.
    pub(super) fn given(&self, name: &str) -> Option<&str> {
        self.given.iter().find(|(given, _)| *given == name).map(|(_, value)| &**value)
    }

    /// Any text; an empty one is none.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.given(name).filter(|value| !value.is_empty())
    }

    /// `page_no` and `per_page`.
    pub(super) fn slice(&self) -> Result<Slice, ApiError> {
        let page = self.whole("page_no")?.unwrap_or(0).max(1);
        let allowed = "a whole number from 0 to 10000";
        let per_page = self.number("per_page", allowed, u64::from(MAX_PER_PAGE))?.unwrap_or(0);
        let limit = u32::try_from(per_page).unwrap_or(MAX_PER_PAGE);
        let limit = if limit == 0 { DEFAULT_PER_PAGE } else { limit };
        Ok(Slice { offset: (page - 1).saturating_mul(u64::from(limit)), limit })
    }

    /// A whole number; an empty one is none.
    pub(super) fn whole(&self, name: &str) -> Result<Option<u64>, ApiError> {
        self.number(name, "a whole number from 0", u64::MAX)
    }

    fn number(&self, name: &str, allowed: &str, max: u64) -> Result<Option<u64>, ApiError> {
        let Some(value) = self.text(name) else { return Ok(None) };
        let number = Number::read(value).filter(|number| number.whole && number.value <= max);
        number.map(|number| Some(number.value)).ok_or_else(|| refuse(name, value, allowed))
    }

    /// `true` or `false`; absent or empty is false.
    pub(super) fn flag(&self, name: &str) -> Result<bool, ApiError> {
        match self.text(name) {
            None | Some("false") => Ok(false),
            Some("true") => Ok(true),
            Some(other) => Err(refuse(name, other, "true or false")),
        }
    }

    /// One of some words, exactly.
    pub(super) fn choice<T: Copy>(&self, name: &str, words: &[(&str, T)]) -> Result<Option<T>, ApiError> {
        let Some(value) = self.given(name) else { return Ok(None) };
        let found = words.iter().find(|(word, _)| *word == value).map(|(_, meaning)| *meaning);
        let allowed = || words.iter().map(|(word, _)| *word).collect::<Vec<_>>().join(" or ");
        found.map(Some).ok_or_else(|| refuse(name, value, &allowed()))
    }

    /// `sort_order`: whether the greatest comes first.
    pub(super) fn descending(&self) -> Result<Option<bool>, ApiError> {
        self.choice("sort_order", &[("ASC", false), ("DESC", true)])
    }

    /// An instant.
    pub(super) fn time(&self, name: &str) -> Result<Option<Timestamp>, ApiError> {
        let Some(value) = self.given(name) else { return Ok(None) };
        let allowed = "an RFC 3339 time in the years 1 to 9998, such as 2026-01-31T09:30:00Z (a + is written %2B)";
        Timestamp::parse_rfc3339(value).map(Some).map_err(|_| refuse(name, value, allowed))
    }

    /// A range of counts, `min:max`; either may be left out. One that is upside down is empty, not wrong.
    pub(super) fn range(&self, name: &str) -> Result<(Option<u64>, Option<u64>), ApiError> {
        let Some(value) = self.given(name) else { return Ok((None, None)) };
        let bound = |text: &str| match text {
            "" => Some(None),
            text => Number::read(text).filter(|number| number.whole).map(|number| Some(number.value)),
        };
        let bounds = value.split_once(':').and_then(|(min, max)| Some((bound(min)?, bound(max)?)));
        let some = |bounds: &(Option<u64>, Option<u64>)| *bounds != (None, None);
        bounds.filter(some).ok_or_else(|| refuse(name, value, "min:max, two whole numbers from 0, of which one may be left out"))
    }
}

fn refuse(name: &str, value: &str, allowed: &str) -> ApiError {
    let mut shown: String = value.chars().take(SHOWN).collect();
    if shown.len() < value.len() {
        shown.push('…');
    }
    ApiError::bad_request(format!("\"{name}\" must be {allowed}; it is \"{shown}\""))
}

/// Undoes `+` and percent signs; a percent sign that starts no escape stands for itself, as in every browser.
fn decode(text: &[u8]) -> Cow<'_, [u8]> {
    if !text.iter().any(|byte| matches!(byte, b'%' | b'+')) {
        return Cow::Borrowed(text);
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text;
    while let [first, after @ ..] = rest {
        let escaped = |hex: &[u8]| hex.iter().try_fold(0, |n, digit| Some(n * 16 + char::from(*digit).to_digit(16)?));
        rest = after;
        match (first, after.get(..2).and_then(escaped).and_then(|byte| u8::try_from(byte).ok())) {
            (b'%', Some(byte)) => {
                bytes.push(byte);
                rest = &after[2..];
            }
            (b'+', _) => bytes.push(b' '),
            (other, _) => bytes.push(*other),
        }
    }
    Cow::Owned(bytes)
}

/// The bytes as text, or what can be shown of them.
fn text(bytes: Cow<'_, [u8]>) -> Result<Cow<'_, str>, String> {
    match bytes {
        Cow::Borrowed(bytes) => std::str::from_utf8(bytes).map(Cow::Borrowed).map_err(|_| String::from_utf8_lossy(bytes).into()),
        Cow::Owned(bytes) => String::from_utf8(bytes).map(Cow::Owned).map_err(|error| String::from_utf8_lossy(error.as_bytes()).into()),
    }
}

#[cfg(test)]
mod tests;
