//! The one place that reads the machine's clock.

use rollbook_core::time::Timestamp;
use std::time::{SystemTime, UNIX_EPOCH};

/// The machine's clock, in whole microseconds; a clock before 1970 reads as the epoch.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "everything else is given the time: this is where it comes from")]
pub fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_micros(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
}
