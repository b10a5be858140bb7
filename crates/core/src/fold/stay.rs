//! What the fold says of one peer: its stays, and what was odd about them.

use crate::time::Timestamp;
use serde::{Deserialize, Serialize};

/// How long a stay lasts without any sign of its peer: 24 hours after the latest join or roster that has it.
pub const MAX_STAY: i64 = crate::time::DAY;

/// What closed a stay whose own leave never came. At one time the first of this order is named.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub enum ClosedBy {
    /// The session's explicit end.
    SessionEnded,
    /// A roster by the stay's own source that lacks the peer.
    Roster,
    /// The stay's own source stopped.
    SourceStopped,
    /// The stay's own source started anew.
    SourceStarted,
    /// Another peer took the slot.
    SlotTaken,
    /// Nothing was heard of the peer for [`MAX_STAY`].
    MaxStay,
}

/// One unbroken interval `[start, out)` of a peer.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Stay {
    /// When it began.
    pub start: Timestamp,
    /// When it ended; none while the peer is in. Never before `start`.
    pub out: Option<Timestamp>,
    /// The evidence that closed it; none for the peer's own leave, and while in.
    pub closed_by: Option<ClosedBy>,
    /// How long before `out` the peer was last known in, in microseconds; not negative.
    pub uncertain: i64,
}

impl Stay {
    /// Its length in microseconds, counted to `now` while in: then negative where `now` lies before the start.
    #[must_use]
    pub fn length(&self, now: Timestamp) -> i64 {
        self.out.unwrap_or(now).since(self.start)
    }
}

/// Something in a peer's events that an undisturbed history would not have.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub struct Anomaly {
    /// The time of the event that shows it.
    pub at: Timestamp,
    /// What it is.
    pub kind: AnomalyKind,
}

/// The kinds of anomaly.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub enum AnomalyKind {
    /// A join of a peer that was in, with no evidence that it had gone.
    DuplicateJoin,
    /// A leave of a peer that was out, which tells when the peer had joined.
    JoinMissing,
    /// A leave of a peer that never joined.
    LeftWithoutJoin,
    /// A leave of a peer that had left.
    LeftAgain,
    /// A roster has a peer whose join was not heard.
    JoinedByRoster,
    /// A stay that starts at or after the session's explicit end.
    JoinAfterEnd,
}

/// The span of `now` for which a reading holds: `relied_on < now <= until`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Validity {
    /// The latest moment that the reading took as past.
    pub relied_on: Timestamp,
    /// The earliest moment that the reading took as still to come.
    pub until: Timestamp,
}

impl Default for Validity {
    fn default() -> Self {
        Self { relied_on: Timestamp::from_micros(i64::MIN), until: Timestamp::from_micros(i64::MAX) }
    }
}

impl Validity {
    /// Whether the reading holds at `now`.
    #[must_use]
    pub fn holds(&self, now: Timestamp) -> bool {
        self.relied_on < now && now <= self.until
    }

    /// Notes that the reading depends on whether `now` is later than `moment`; returns whether it is.
    pub fn later_than(&mut self, moment: Timestamp, now: Timestamp) -> bool {
        if now > moment {
            self.relied_on = self.relied_on.max(moment);
        } else {
            self.until = self.until.min(moment);
        }
        now > moment
    }

    /// Holds where both hold.
    pub fn narrow(&mut self, other: Self) {
        self.relied_on = self.relied_on.max(other.relied_on);
        self.until = self.until.min(other.until);
    }
}
