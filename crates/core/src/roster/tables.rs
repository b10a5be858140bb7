//! What the rows of a roster have in common, each kept once and named by a number: texts that are told again and again, and sessions.

use super::cursor::Text;
use super::packed::word;
use super::row::Origin;
use std::collections::BTreeMap;
use uuid::Uuid;

/// Bytes a session.
const SESSION: usize = 48;
/// Bytes a name's end.
const END: usize = 4;

/// Texts, and what else is named by a number, in the making.
#[derive(Debug, Default)]
pub(super) struct Names {
    by_text: BTreeMap<Box<[u8]>, u32>,
    texts: Vec<u8>,
    /// Where each ends.
    ends: Vec<u32>,
}

impl Names {
    /// The number of a text, from 1; 0 of none.
    pub(super) fn number_or_none(&mut self, text: Option<&[u8]>) -> u64 {
        let Some(text) = text else { return 0 };
        if let Some(known) = self.by_text.get(text) {
            return (*known).into();
        }
        self.texts.extend_from_slice(text);
        self.ends.push(u32::try_from(self.texts.len()).unwrap_or(u32::MAX));
        let number = u32::try_from(self.ends.len()).unwrap_or(u32::MAX);
        self.by_text.insert(text.into(), number);
        number.into()
    }

    /// The number of a text that is known, or of one more as long as there are fewer than so many.
    pub(super) fn number_within(&mut self, text: &[u8], most: usize) -> Option<u64> {
        let fits = self.ends.len() < most || self.by_text.contains_key(text);
        fits.then(|| self.number_or_none(Some(text)))
    }

    /// Appends how many there are, where each ends, and the texts.
    pub(super) fn put(&self, out: &mut Vec<u8>) {
        out.extend((self.ends.len() as u32).to_le_bytes());
        out.extend(self.ends.iter().flat_map(|end| end.to_le_bytes()));
        out.extend_from_slice(&self.texts);
    }
}

/// Sessions in the making.
#[derive(Debug, Default)]
pub(super) struct Sessions {
    by_id: BTreeMap<Uuid, u32>,
    all: Vec<(Uuid, Option<Origin>)>,
}

impl Sessions {
    /// The number of a session, from 0.
    pub(super) fn number(&mut self, session: Uuid) -> u32 {
        if self.all.first().is_some_and(|(first, _)| *first == session) {
            return 0;
        }
        let Self { by_id, all } = self;
        *by_id.entry(session).or_insert_with(|| {
            all.push((session, None));
            u32::try_from(all.len() - 1).unwrap_or(u32::MAX)
        })
    }

    /// Whether this is where the events of a session are from: the first that is told is.
    pub(super) fn are_of(&mut self, session: u32, origin: Origin) -> bool {
        self.all.get_mut(session as usize).is_some_and(|(_, known)| *known.get_or_insert(origin) == origin)
    }

    /// Appends each with where its events are from.
    pub(super) fn put(&self, out: &mut Vec<u8>) {
        for (session, origin) in &self.all {
            let origin = origin.unwrap_or_default();
            for id in [session, &origin.namespace, &origin.stream] {
                out.extend_from_slice(id.as_bytes());
            }
        }
    }
}

/// Both, in a roster's bytes.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Tables<'a> {
    pub(super) sessions: &'a [u8],
    pub(super) names: &'a [u8],
}

impl<'a> Tables<'a> {
    /// The name of a number; none of 0.
    #[inline]
    pub(super) fn name(&self, number: u64) -> Text<'a> {
        name(self.names, number)
    }

    /// The shape of events of a number.
    pub(super) fn shape_of_events(&self, number: u64) -> &'a [u8] {
        named(self.names, number)
    }

    /// The session of a number.
    pub(super) fn session(&self, number: u64) -> Uuid {
        self.id(number, 0)
    }

    /// Where the events of a session are from.
    pub(super) fn origin(&self, number: u64) -> Origin {
        Origin { namespace: self.id(number, 16), stream: self.id(number, 32) }
    }

    fn id(&self, number: u64, at: usize) -> Uuid {
        let start = usize::try_from(number).unwrap_or(usize::MAX).saturating_mul(SESSION).saturating_add(at);
        self.sessions.get(start..).and_then(<[u8]>::first_chunk).map_or(Uuid::nil(), |id| Uuid::from_bytes(*id))
    }
}

/// The name of a number; none of 0.
#[inline]
pub(super) fn name(names: &[u8], number: u64) -> Text<'_> {
    if number == 0 { Text::None } else { Text::Bytes(named(names, number)) }
}

/// A text by its number, from 1.
#[inline]
fn named(names: &[u8], number: u64) -> &[u8] {
    let number = usize::try_from(number).unwrap_or(usize::MAX);
    let end = |number: usize| word(names, number.saturating_mul(END)) as u32 as usize;
    let texts = (end(0) + 1) * END;
    let from = if number <= 1 { 0 } else { end(number - 1) };
    names.get(texts + from..texts + end(number)).unwrap_or_default()
}
