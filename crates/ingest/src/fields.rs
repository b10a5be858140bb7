//! Typed reading of an object's members, with the path to whatever is wrong.

use crate::json::{Decimal, Json, Object};
use rollbook_core::id::Name;
use rollbook_core::time::Timestamp;
use std::fmt;
use uuid::Uuid;

/// What is wrong with a member, and the path to it. The path is put together only on the way out of an error.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Fault {
    path: String,
    problem: String,
}

impl Fault {
    /// A fault of one member.
    pub(crate) fn new(member: &str, problem: impl Into<String>) -> Self {
        Self { path: member.to_owned(), problem: problem.into() }
    }

    /// A value that is not what is `allowed`.
    pub(crate) fn value(member: &str, value: &Json<'_>, allowed: &str) -> Self {
        Self::new(member, format!("{} is not {allowed}", value.shown()))
    }

    /// A member that has to be there.
    pub(crate) fn missing(member: &str, allowed: &str) -> Self {
        Self::new(member, format!("is required: {allowed}"))
    }

    /// The same fault, seen from the object that `member` belongs to.
    pub(crate) fn within(self, member: &str) -> Self {
        let joint = if self.path.is_empty() || self.path.starts_with('[') { "" } else { "." };
        Self { path: format!("{member}{joint}{}", self.path), problem: self.problem }
    }

    /// The same fault, seen from the array that has it at `index`.
    pub(crate) fn at(self, index: usize) -> Self {
        self.within(&format!("[{index}]"))
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.path.is_empty() { f.write_str(&self.problem) } else { write!(f, "{}: {}", self.path, self.problem) }
    }
}

/// An object whose members are read by type. A member that is `null` is absent.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fields<'j>(pub(crate) &'j Object<'j>);

impl<'j> Fields<'j> {
    /// The value as an object; `what` names it in the fault.
    pub(crate) fn of(value: &'j Json<'j>, what: &str) -> Result<Self, Fault> {
        match value {
            Json::Object(object) => Ok(Self(object)),
            other => Err(Fault::value(what, other, "an object")),
        }
    }

    pub(crate) fn get(self, member: &str) -> Option<&'j Json<'j>> {
        self.0.get(member).filter(|value| **value != Json::Null)
    }

    fn read<T>(self, member: &str, allowed: &str, read: impl Fn(&'j Json<'j>) -> Option<T>) -> Result<Option<T>, Fault> {
        self.get(member).map(|value| read(value).ok_or_else(|| Fault::value(member, value, allowed))).transpose()
    }

    pub(crate) fn object(self, member: &str) -> Result<Option<Self>, Fault> {
        self.get(member).map(|value| Self::of(value, member)).transpose()
    }

    pub(crate) fn array(self, member: &str) -> Result<Option<&'j [Json<'j>]>, Fault> {
        self.read(member, "an array", |value| match value {
            Json::Array(items) => Some(items.as_slice()),
            _ => None,
        })
    }

    pub(crate) fn text(self, member: &str) -> Result<Option<&'j str>, Fault> {
        self.read(member, "a text", |value| match value {
            Json::Text(text) => Some(&**text),
            _ => None,
        })
    }

    /// A text that says something.
    pub(crate) fn filled(self, member: &str) -> Result<Option<&'j str>, Fault> {
        Ok(self.text(member)?.filter(|text| !text.is_empty()))
    }

    /// A text that has to say something.
    pub(crate) fn needed(self, member: &str) -> Result<&'j str, Fault> {
        self.filled(member)?.ok_or_else(|| Fault::missing(member, "a text"))
    }

    /// An object that has to be there.
    pub(crate) fn needed_object(self, member: &str) -> Result<Self, Fault> {
        self.object(member)?.ok_or_else(|| Fault::missing(member, "an object"))
    }

    pub(crate) fn owned(self, member: &str) -> Result<Option<Box<str>>, Fault> {
        Ok(self.text(member)?.map(Into::into))
    }

    /// One of a few words.
    pub(crate) fn word(self, member: &str, words: &[&'static str]) -> Result<Option<&'static str>, Fault> {
        let Some(value) = self.get(member) else { return Ok(None) };
        let found = match value {
            Json::Text(text) => words.iter().copied().find(|word| *word == text),
            _ => None,
        };
        found.map(Some).ok_or_else(|| Fault::value(member, value, &format!("one of {}", words.join(", "))))
    }

    pub(crate) fn uuid(self, member: &str) -> Result<Option<Uuid>, Fault> {
        // The 36 characters rule out the other forms that the parser knows: braces, `urn:uuid:`, no hyphens.
        self.read(member, "a UUID with hyphens", |value| match value {
            Json::Text(text) if text.len() == 36 => Uuid::try_parse(text).ok(),
            _ => None,
        })
    }

    /// A UUID, any text as a key, or both.
    pub(crate) fn name(self, id: &str, key: &str) -> Result<Option<Name>, Fault> {
        let name = Name { id: self.uuid(id)?, key: self.owned(key)? };
        Ok(Some(name).filter(|name| name.id.is_some() || name.key.is_some()))
    }

    pub(crate) fn time(self, member: &str) -> Result<Option<Timestamp>, Fault> {
        let Some(text) = self.text(member)? else { return Ok(None) };
        instant(member, text).map(Some)
    }

    /// An instant as a number, or a number in a text, of `unit` since 1970.
    pub(crate) fn epoch(self, member: &str, unit: Unit) -> Result<Option<Timestamp>, Fault> {
        self.read(member, unit.allowed(), |value| epoch(value, unit))
    }

    /// Seconds as microseconds: finer digits are cut, and what is too large for the ledger is its largest.
    pub(crate) fn seconds(self, member: &str) -> Result<Option<i64>, Fault> {
        self.read(member, "a number of seconds, 0 or more", |value| match value {
            Json::Number(digits) => {
                Some(Decimal::read(digits, 6)).filter(|n| !n.negative).map(|n| i64::try_from(n.whole).unwrap_or(i64::MAX))
            }
            _ => None,
        })
    }

    /// Minutes as microseconds: finer digits are cut, and what is too large for the ledger is its largest.
    pub(crate) fn minutes(self, member: &str) -> Result<Option<i64>, Fault> {
        Ok(self.seconds(member)?.map(|micros| micros.saturating_mul(60)))
    }

    /// A whole number within bounds, however it is written (`60`, `60.0`, `6e1`).
    pub(crate) fn whole(self, member: &str, min: u16, max: u16) -> Result<Option<u16>, Fault> {
        let Some(value) = self.get(member) else { return Ok(None) };
        let found = match value {
            Json::Number(digits) => Some(Decimal::read(digits, 0))
                .filter(|n| n.integral && !n.negative)
                .and_then(|n| u16::try_from(n.whole).ok())
                .filter(|n| (min..=max).contains(n)),
            _ => None,
        };
        found.map(Some).ok_or_else(|| Fault::value(member, value, &format!("a whole number from {min} to {max}")))
    }
}

/// What a number of time counts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Unit {
    Seconds,
    Millis,
}

impl Unit {
    fn allowed(self) -> &'static str {
        match self {
            Self::Seconds => "seconds since 1970",
            Self::Millis => "milliseconds since 1970",
        }
    }

    /// The power of ten that makes microseconds of it.
    pub(crate) fn to_micros(self) -> u8 {
        match self {
            Self::Seconds => 6,
            Self::Millis => 3,
        }
    }
}

/// An instant as a number, or a number in a text, since 1970.
pub(crate) fn epoch(value: &Json<'_>, unit: Unit) -> Option<Timestamp> {
    let digits = match value {
        Json::Number(digits) => *digits,
        Json::Text(text) if !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()) => &**text,
        _ => return None,
    };
    let number = Decimal::read(digits, unit.to_micros());
    let micros = i64::try_from(number.whole).ok().filter(|_| !number.negative)?;
    Some(Timestamp::from_micros(micros)).filter(|time| time.in_range())
}

/// An instant as RFC 3339 writes it.
pub(crate) fn instant(member: &str, text: &str) -> Result<Timestamp, Fault> {
    Timestamp::parse_rfc3339(text).map_err(|error| Fault::new(member, format!("{} is {error}", Json::Text(text.into()).shown())))
}
