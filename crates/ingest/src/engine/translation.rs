//! What a delivery says.

use crate::fields::Fault;
use crate::json::{Item, Items, Json};
use rollbook_core::event::Event;
use std::collections::HashSet;

/// What a delivery says.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Translation {
    /// The events, in the order of the delivery, each once.
    pub events: Vec<Event>,
    /// How many items should have become events, and could not.
    pub untranslated: usize,
    /// Why, for the first [`Translation::MAX_REASONS`] of them.
    pub reasons: Vec<Untranslated>,
}

/// An item of a delivery that should have become an event.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("item {index}: {reason}")]
pub struct Untranslated {
    /// Its place in the delivery, counted from 0.
    pub index: usize,
    /// The path to what is wrong, and what is wrong with it.
    pub reason: String,
}

impl Translation {
    /// How many reasons are kept. A delivery must not become a record many times its size.
    pub const MAX_REASONS: usize = 16;

    /// Translates each item of a JSON body: those of its array, or the one that it is. What can't be read is an item that
    /// can't be translated, since the sender is known and can't mend it.
    pub(crate) fn of_items(body: &[u8], mut translate: impl FnMut(&Json<'_>) -> Result<Vec<Event>, Fault>) -> Self {
        Self::of_lists(body, |item| vec![translate(item)])
    }

    /// The same, where each item of the body is several of the delivery's.
    pub(crate) fn of_lists(body: &[u8], mut translate: impl FnMut(&Json<'_>) -> Vec<Result<Vec<Event>, Fault>>) -> Self {
        let mut translation = Self::default();
        let items = match Items::open(body) {
            Ok(items) => items,
            Err(error) => {
                translation.give_up(0, error.to_string());
                return translation;
            }
        };
        let mut seen = HashSet::new();
        let mut places = 0..;
        for item in items {
            let lists = match item {
                Ok(Item::Sound(value)) => translate(&value).into_iter().map(|list| list.map_err(|fault| fault.to_string())).collect(),
                Ok(Item::Defective(error)) | Err(error) => vec![Err(error.to_string())],
            };
            for (events, index) in lists.into_iter().zip(&mut places) {
                match events {
                    Ok(events) => {
                        let new = events.into_iter().filter(|event| seen.insert((event.identity().0, event.content().0)));
                        translation.events.extend(new);
                    }
                    Err(reason) => translation.give_up(index, reason),
                }
            }
        }
        translation
    }

    /// Whether the delivery has to be kept raw, so that a later version can translate the rest of it.
    #[must_use]
    pub fn keep_raw(&self) -> bool {
        self.untranslated > 0
    }

    /// Counts an item that can't be translated.
    pub(crate) fn give_up(&mut self, index: usize, reason: String) {
        self.untranslated += 1;
        if self.reasons.len() < Self::MAX_REASONS {
            self.reasons.push(Untranslated { index, reason });
        }
    }
}
