//! Spans of time that a setting gives in seconds and the ledger counts in microseconds.

use serde::Deserialize;
use std::str::FromStr;

/// Whole seconds, at most [`Seconds::MAX`].
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[serde(try_from = "u32")]
pub struct Seconds(pub u32);

impl Seconds {
    /// The longest span whose microseconds fit 32 bits: more than an hour.
    pub const MAX: u32 = u32::MAX / 1_000_000;

    /// The span in microseconds.
    #[must_use]
    pub fn micros(self) -> u32 {
        self.0.saturating_mul(1_000_000)
    }
}

impl TryFrom<u32> for Seconds {
    type Error = String;

    fn try_from(seconds: u32) -> Result<Self, String> {
        if seconds <= Self::MAX { Ok(Self(seconds)) } else { Err(format!("{seconds} is too long: at most {} seconds", Self::MAX)) }
    }
}

impl FromStr for Seconds {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let seconds: u32 = text.parse().map_err(|_| format!("{text:?} is no whole number of seconds"))?;
        seconds.try_into()
    }
}
