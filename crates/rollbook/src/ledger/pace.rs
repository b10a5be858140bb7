//! When an app's next commit begins.
//!
//! A commit costs about the same whether it has one delivery or fifty: a sync, and a hand-over to the thread that writes and one back. So where
//! deliveries come fast, a moment between commits saves most of what they cost; where they come slowly, nobody waits.

use std::time::Duration;
use tokio::time::Instant;

/// What the last commits tell about the next.
#[derive(Default)]
pub(super) struct Pace {
    /// When the last one began; none before the first.
    began: Option<Instant>,
    /// Seconds between the beginnings of two commits, and how many deliveries each had: means in which the last counts for a part.
    between: f64,
    size: f64,
    /// How many deliveries were unanswered at the end of the last commit: those that it had and those that had come meanwhile.
    at_once: usize,
}

/// For what a commit may wait.
#[derive(PartialEq, Debug)]
pub(super) struct Company {
    /// How long, at most.
    pub(super) until: Instant,
    /// For how many deliveries in all.
    pub(super) many: usize,
}

impl Pace {
    /// How far apart commits begin for the sake of company, at most: an answer within ten milliseconds keeps every engine's queue short.
    const SPACING: Duration = Duration::from_millis(4);
    /// How many have to be expected in that time, some 1,500 a second: for fewer, nobody waits.
    const WORTH: f64 = 6.0;
    /// How many have to be unanswered at once: fewer would soon be waited for in vain.
    const AT_ONCE: usize = 4;
    /// How much the last commit counts in the means.
    const PART: f64 = 1.0 / 8.0;
    /// A longer pause counts as one of this length: it tells nothing of how fast deliveries come after it.
    const PAUSE: Duration = Duration::from_millis(20);

    /// What the next commit may wait for; none where it is not to wait.
    ///
    /// Whoever sends a delivery once the one before is answered is never waited for in vain: no more of them come than were unanswered at once.
    pub(super) fn company(&self) -> Option<Company> {
        let until = self.began? + Self::SPACING;
        let expected = self.size / self.between * Self::SPACING.as_secs_f64();
        let many = (expected.round() as usize).min(self.at_once);
        (expected >= Self::WORTH && many >= Self::AT_ONCE).then_some(Company { until, many })
    }

    /// Notes that a commit of so many deliveries begins.
    pub(super) fn begin(&mut self, now: Instant, size: usize) {
        let between = self.began.replace(now).map_or(Self::PAUSE, |before| now.duration_since(before).min(Self::PAUSE));
        self.between += (between.as_secs_f64() - self.between) * Self::PART;
        self.size += (size as f64 - self.size) * Self::PART;
        self.at_once = size;
    }

    /// Notes that it is done, and how many deliveries came meanwhile.
    pub(super) fn end(&mut self, came: usize) {
        self.at_once += came;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// For how many the next commit waits after a hundred, of which each has `size` deliveries, takes `between` and leaves `came` waiting.
    fn after(between: Duration, size: usize, came: usize) -> usize {
        let (mut pace, began) = (Pace::default(), Instant::now());
        for n in 0..100 {
            pace.begin(began + between * n, size);
            pace.end(came);
        }
        pace.company().map_or(0, |company| company.many)
    }

    const fn micros(micros: u64) -> Duration {
        Duration::from_micros(micros)
    }

    #[test]
    fn the_first_commit_waits_for_nobody() {
        assert_eq!(Pace::default().company(), None);
    }

    #[test]
    fn one_after_the_other_never_waits_however_fast() {
        assert_eq!(after(micros(1000), 1, 0), 0);
        assert_eq!(after(micros(100), 1, 0), 0);
        assert_eq!(after(micros(100), 1, 1), 0, "nor do two that take turns");
    }

    #[test]
    fn a_thousand_a_second_never_wait() {
        assert_eq!(after(micros(1000), 1, 3), 0);
        assert_eq!(after(micros(5000), 5, 5), 0, "not even where the disk makes them share commits");
    }

    #[test]
    fn five_thousand_a_second_wait_for_those_of_four_milliseconds() {
        assert_eq!(after(micros(400), 2, 2), 4, "those that were unanswered at once");
        assert_eq!(after(micros(800), 4, 2), 6, "which are more the longer commits wait");
        assert_eq!(after(micros(4000), 20, 3), 20);
        assert_eq!(after(micros(8000), 40, 19), 20);
    }

    #[test]
    fn eight_that_send_again_once_they_are_answered_are_not_expected_to_be_nine() {
        assert_eq!(after(micros(400), 4, 4), 8);
        assert_eq!(after(micros(600), 8, 0), 8);
    }

    #[test]
    fn a_commit_waits_until_four_milliseconds_after_the_one_before_began() {
        let (mut pace, began) = (Pace::default(), Instant::now());
        (0..100).for_each(|n| pace.begin(began + micros(2000) * n, 20));
        pace.end(0);
        assert_eq!(pace.company().map(|company| company.until), Some(began + micros(202_000)));
    }

    #[test]
    fn whoever_comes_alone_after_many_waits_for_nobody() {
        let (mut pace, began) = (Pace::default(), Instant::now());
        (0..100).for_each(|n| pace.begin(began + micros(2000) * n, 50));
        pace.begin(began + Duration::from_secs(60), 1);
        pace.end(0);
        assert_eq!(pace.company(), None);
    }
}
