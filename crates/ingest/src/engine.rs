//! The engines that rollbook understands: a delivery in; events, an answer or a reasoned refusal out.
//!
//! An [`Engine`] is one app's view of a meeting engine: the kind of engine, with the app's secrets and options in it. What a
//! delivery becomes depends on its bytes, these settings and the time that the caller says it arrived at, and on nothing else.

mod refusal;
mod registry;
mod settings;
mod translation;

pub use refusal::{BadAnswer, Refusal};
pub use registry::{names, open};
pub use settings::{Secret, Settings, SettingsError};
pub use translation::{Translation, Untranslated};

use crate::redact;
use crate::sample::{Samples, Visit};
use rollbook_core::time::Timestamp;
use std::fmt;

/// One request of an engine. Transport compression is already undone.
#[derive(Clone, Copy, Debug, Default)]
pub struct Delivery<'a> {
    /// All header fields, names in any case: some engines sign there.
    pub headers: &'a [(&'a str, &'a [u8])],
    /// Path and query, as they came: some engines sign the address.
    pub target: &'a str,
    /// The body, byte for byte as it came: signatures cover it.
    pub body: &'a [u8],
    /// When it arrived, by the machine's clock. Signatures are judged by it, and nothing that is recorded, unless an engine
    /// tells no time at all.
    pub received_at: Timestamp,
}

impl<'a> Delivery<'a> {
    /// A header's value, none where it is not there exactly once or is no text.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&'a str> {
        let mut values = self.headers.iter().filter(|(given, _)| given.eq_ignore_ascii_case(name)).map(|(_, value)| *value);
        let (Some(only), None) = (values.next(), values.next()) else { return None };
        std::str::from_utf8(only).ok().map(str::trim)
    }
}

/// What is to be done with a delivery.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Reception {
    /// To be recorded.
    Events(Translation),
    /// A question of the engine, to be answered at once with this JSON (HTTP 200). Nothing is recorded.
    Answer(String),
}

/// A meeting engine, with one app's settings.
pub trait Engine: Send + Sync + fmt::Debug {
    /// Its name, as it stands in the address that takes its deliveries.
    fn name(&self) -> &str;

    /// Whether it has a secret or key, so that a delivery can prove by itself who sent it.
    fn verifies(&self) -> bool;

    /// Judges the proof that a delivery carries. Called only where [`Engine::verifies`].
    ///
    /// # Errors
    /// [`Refusal::Unsigned`] where it carries none; another where the one that it carries does not hold.
    fn verify(&self, delivery: &Delivery<'_>) -> Result<(), Refusal>;

    /// What the engine wants to hear at once, where the delivery is a question. Its proof has been judged.
    fn answer(&self, _delivery: &Delivery<'_>) -> Option<String> {
        None
    }

    /// Translates a delivery whose sender is known.
    ///
    /// # Errors
    /// [`Refusal::Unreadable`], where it can't be an engine's at all.
    fn translate(&self, delivery: &Delivery<'_>) -> Result<Translation, Refusal>;

    /// The HTTP status that makes the engine do the right thing after a refusal: give up what can't be mended, repeat what can.
    fn status(&self, refusal: &Refusal) -> u16 {
        refusal.default_status()
    }

    /// The members of its deliveries that are personal and no attendance: they are in nothing that is kept.
    fn personal(&self) -> &[&str] {
        redact::PERSONAL
    }

    /// Deliveries that tell of a visit as the engine would, proved as it would prove them; none where this can't be made.
    fn samples(&self, _visit: &Visit<'_>) -> Option<Samples> {
        None
    }

    /// The body as it may be kept: without [`Engine::personal`] members.
    fn kept(&self, body: &[u8]) -> Vec<u8> {
        redact::members(body, self.personal())
    }
}

impl dyn Engine + '_ {
    /// Judges, then answers or translates. `vouched` says that the sender is known by other means: then a proof may be
    /// missing, but one that is there must hold.
    ///
    /// # Errors
    /// See [`Refusal`].
    pub fn receive(&self, delivery: &Delivery<'_>, vouched: bool) -> Result<Reception, Refusal> {
        let judged = if self.verifies() { self.verify(delivery) } else { Err(Refusal::Unsigned("no secret is configured")) };
        match judged {
            Err(Refusal::Unsigned(_)) if vouched => {}
            judged => judged?,
        }
        match self.answer(delivery) {
            Some(answer) => Ok(Reception::Answer(answer)),
            None => self.translate(delivery).map(Reception::Events),
        }
    }
}
