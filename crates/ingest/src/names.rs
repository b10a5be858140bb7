//! Names that are put together from an engine's words and numbers. Each is injective: different things never share one.

use crate::fields::{Fault, Fields};
use crate::json::Json;
use rollbook_core::event::{Body, Event};
use rollbook_core::id::Name;
use rollbook_core::time::Timestamp;
use sha2::{Digest, Sha256};
use std::borrow::Cow;
use uuid::Uuid;

/// Joins parts by `/`. In a part `/` and `%` are written `%2F` and `%25`, so that no part can pose as two.
pub(crate) fn joined(parts: &[&str]) -> Box<str> {
    let escaped = |part: &&str| part.replace('%', "%25").replace('/', "%2F");
    parts.iter().map(escaped).collect::<Vec<_>>().join("/").into()
}

/// A name that is the UUID that the text is, else the text itself.
pub(crate) fn named(text: &str) -> Name {
    // The 36 characters rule out the other forms that the parser knows.
    match Uuid::try_parse(text).ok().filter(|_| text.len() == uuid::fmt::Hyphenated::LENGTH) {
        Some(id) => Name::id(id),
        None => Name::key(text),
    }
}

/// An id as text, each digit kept. Whether a server writes numbers or texts is a setting of its own (`string_ids`): the
/// number 5 and the text "5" are one id.
pub(crate) fn id<'j>(fields: Fields<'j>, member: &str) -> Result<Cow<'j, str>, Fault> {
    let allowed = "a whole number or a text";
    match fields.get(member) {
        Some(Json::Text(text)) => Ok(Cow::Borrowed(text)),
        Some(Json::Number(digits)) if digits.bytes().all(|b| b.is_ascii_digit()) => Ok(Cow::Borrowed(digits)),
        Some(other) => Err(Fault::value(member, other, allowed)),
        None => Err(Fault::missing(member, allowed)),
    }
}

/// An event's id where the engine has none: a digest of what makes the event one, so that a repeated delivery gives the same id.
pub(crate) fn digest(parts: &[&str]) -> Box<str> {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part);
    }
    // 128 bits: no two of an instance's events will ever meet, and every row of a page carries an id.
    hash.finalize().iter().take(16).map(|byte| format!("{byte:02x}")).collect::<String>().into()
}

/// An event that is known by what it says, where nobody else will ever tell it in other words: its id is a digest of its content.
pub(crate) fn by_content(source: &str, time: Timestamp, body: Body) -> Event {
    let event = Event { source: source.into(), id: Box::default(), time, body };
    let id = event.content().0.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    Event { id: id.into(), ..event }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn parts_stay_apart() {
        assert_eq!(&*joined(&["janus-a", "videoroom", "r1"]), "janus-a/videoroom/r1");
        assert_eq!(&*joined(&["a/b", "100%"]), "a%2Fb/100%25");
    }

    proptest! {
        #[test]
        fn different_parts_have_different_names(a in "[/%2F5a]{0,4}", b in "[/%2F5a]{0,4}", c in "[/%2F5a]{0,4}", d in "[/%2F5a]{0,4}") {
            prop_assert_eq!(joined(&[&a, &b]) == joined(&[&c, &d]), (&a, &b) == (&c, &d));
        }
    }
}
