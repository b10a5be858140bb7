//! Engines by declaration: a file says where in a delivery everything is, and how it is signed.
//!
//! For engines that report one thing a delivery, as JSON, or several in one array. The file names the member that says what happened, for each such word what
//! the ledger records, and for each field a JSON pointer (RFC 6901), or several of which the first that says something counts.
//! `mapping/daily.toml` is an example that shows nearly everything. What an engine needs beyond this needs a file of code.
//!
//! A session is named where the file points to a `session` that is there, else it is unnamed, of its `meeting`. An event without an `id` in
//! the file gets a digest of its body, so that a repeated delivery is known; one whose time is that of its arrival also of that time.

mod file;
mod proof;
mod read;
mod sample;

use crate::engine::{Delivery, Engine, Refusal, Secret, Settings, SettingsError, Translation};
use crate::redact;
use crate::sample::{Samples, Visit};
use file::File;
use proof::Proof;
use serde::Deserialize;

/// An engine that a file describes, with one app's secrets.
#[derive(Debug)]
pub(crate) struct Mapped {
    name: Box<str>,
    file: File,
    proof: Option<Proof>,
    personal: Vec<&'static str>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Options {}

impl Mapped {
    /// The engine of this name that `text` describes.
    pub(crate) fn open(name: &str, text: &str, settings: &Settings) -> Result<Self, SettingsError> {
        let Options {} = settings.read_options()?;
        let file = File::read(text).map_err(SettingsError::Mapping)?;
        let secrets: Vec<Secret> = settings.checked_secrets()?;
        let proof = match (&file.verify, secrets.is_empty()) {
            (_, true) => None,
            (Some(verify), false) => Some(Proof::new(verify, secrets)?),
            (None, false) => return Err(SettingsError::Secrets("the mapping has no [verify] that could use them".to_owned())),
        };
        Ok(Self { name: name.into(), file, proof, personal: redact::PERSONAL.to_vec() })
    }
}

impl Engine for Mapped {
    fn name(&self) -> &str {
        &self.name
    }

    fn verifies(&self) -> bool {
        self.proof.is_some()
    }

    fn verify(&self, delivery: &Delivery<'_>) -> Result<(), Refusal> {
        self.proof.as_ref().map_or(Err(Refusal::Unsigned("no secret is configured")), |proof| proof.judge(delivery))
    }

    fn translate(&self, delivery: &Delivery<'_>) -> Result<Translation, Refusal> {
        Ok(Translation::of_lists(delivery.body, |body| read::events(&self.file, body, delivery.received_at)))
    }

    fn status(&self, refusal: &Refusal) -> u16 {
        if self.file.refused_is_retried { 503 } else { refusal.default_status() }
    }

    fn personal(&self) -> &[&str] {
        &self.personal
    }

    fn samples(&self, visit: &Visit<'_>) -> Option<Samples> {
        let bodies = sample::bodies(&self.file, visit)?;
        Some(Samples::of(bodies, |body| self.proof.as_ref()?.of(body, visit.left_at)))
    }
}
