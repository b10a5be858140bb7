//! Asking no more often than one may.

use rollbook_core::time::{MINUTE, Timestamp};
use std::collections::VecDeque;
use std::time::Duration;

/// At most so many requests in any window of time.
#[derive(Debug)]
pub struct Pace {
    most: usize,
    window: i64,
    /// When the last `most` requests were made.
    made: VecDeque<Timestamp>,
}

impl Default for Pace {
    /// What Cloudflare allows a user of its API: 3,500 in five minutes.
    fn default() -> Self {
        Self::new(3_500, 5 * MINUTE)
    }
}

impl Pace {
    /// At most `most` requests in `window` microseconds.
    #[must_use]
    pub fn new(most: usize, window: i64) -> Self {
        Self { most: most.max(1), window, made: VecDeque::new() }
    }

    /// How long to wait before a request that would otherwise be made at `now`. It counts as made then.
    pub fn wait(&mut self, now: Timestamp) -> Duration {
        let free_at = match self.made.front() {
            Some(first) if self.made.len() >= self.most => first.plus(self.window).max(now),
            _ => now,
        };
        if self.made.len() >= self.most {
            self.made.pop_front();
        }
        self.made.push_back(free_at);
        Duration::from_micros(free_at.since(now).try_into().unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rollbook_core::time::SECOND;

    #[test]
    fn no_window_has_more_than_is_allowed() {
        let mut pace = Pace::new(3, 10 * SECOND);
        let mut now = Timestamp::default();
        let mut made = Vec::new();
        for _ in 0..10 {
            now = now.plus(i64::try_from(pace.wait(now).as_micros()).unwrap());
            made.push(now.micros() / SECOND);
            now = now.plus(SECOND);
        }
        assert_eq!(made, [0, 1, 2, 10, 11, 12, 20, 21, 22, 30]);
    }
}
