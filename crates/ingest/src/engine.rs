//! The engines that rollbook understands: a delivery in; events, or a reasoned refusal, out.

use crate::janus::{self, JanusOptions};
use rollbook_core::event::Event;

/// An engine, with what has to be known to translate its deliveries.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Engine {
    /// The Janus WebRTC server, by its event handlers.
    Janus(JanusOptions),
}

impl Engine {
    /// Every engine's name, as it stands in the address that takes its deliveries.
    pub const NAMES: [&'static str; 1] = ["janus"];

    /// The engine of a name, with default options.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        match name {
            "janus" => Some(Self::Janus(JanusOptions::default())),
            _ => None,
        }
    }

    /// The engine's name.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Janus(_) => "janus",
        }
    }

    /// Translates one delivery.
    ///
    /// # Errors
    /// [`Refusal`], where the delivery can't be an engine's at all.
    pub fn translate(&self, delivery: Delivery<'_>) -> Result<Translation, Refusal> {
        match self {
            Self::Janus(options) => janus::translate(delivery.body, *options),
        }
    }
}

/// One request of an engine. Transport compression is already undone.
#[derive(Clone, Copy, Debug, Default)]
pub struct Delivery<'a> {
    /// All header fields, names in any case: some engines sign there.
    pub headers: &'a [(&'a str, &'a [u8])],
    /// The body, byte for byte as it came: signatures cover it.
    pub body: &'a [u8],
}

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

/// Why a delivery is refused. Each engine's page says which status code the engine understands.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Refusal {
    /// The body is not in the engine's format (HTTP 400).
    #[error("the body is not what the engine sends: {0}")]
    Unreadable(String),
}
