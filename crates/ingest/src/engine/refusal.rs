//! Why a delivery is refused, and why an answer can't be used.

use crate::fields::Fault;

/// Why a delivery is refused. [`super::Engine::status`] says which status code the engine understands.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Refusal {
    /// Nothing in it proves who sent it.
    #[error("the delivery is not signed: {0}")]
    Unsigned(&'static str),
    /// What should prove it does not hold: it was made with another secret, or of another body.
    #[error("the signature is wrong: {0}")]
    BadSignature(&'static str),
    /// The signature holds, but is too old or of the future.
    #[error("the signature is not of this time: {0}")]
    Stale(&'static str),
    /// The body is not in the engine's format.
    #[error("the body is not what the engine sends: {0}")]
    Unreadable(String),
}

impl Refusal {
    /// The kind in one word, for counting.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Unsigned(_) => "unsigned",
            Self::BadSignature(_) => "bad_signature",
            Self::Stale(_) => "stale",
            Self::Unreadable(_) => "unreadable",
        }
    }

    /// The status for engines that understand HTTP: 401 for who sent it, 400 for what was sent.
    #[must_use]
    pub fn default_status(&self) -> u16 {
        match self {
            Self::Unsigned(_) | Self::BadSignature(_) | Self::Stale(_) => 401,
            Self::Unreadable(_) => 400,
        }
    }
}

/// An engine that was asked answered something else.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("the answer is not what was asked for: {0}")]
pub struct BadAnswer(pub String);

impl From<Fault> for BadAnswer {
    fn from(fault: Fault) -> Self {
        Self(fault.to_string())
    }
}
