//! One pass over all that the source has.

use super::{Ends, MigrateError, Progress};

/// Once a pass copied no more than this, the next copies about as little.
const LITTLE: u64 = 1000;
/// After so many passes a source that takes events faster than they are copied is given up on; the switch stops it.
const PASSES: usize = 8;

/// What was done.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Tally {
    /// Batches of the journal that were copied.
    pub batches: u64,
    /// Batches that both ends were found to have alike.
    pub compared: u64,
    /// Look-ups that were copied.
    pub links: u64,
    /// Kept deliveries that were copied.
    pub kept: u64,
    /// Tokens that both ends have.
    pub tokens: u64,
    /// Added engines that both ends have.
    pub engines: u64,
}

impl Ends {
    /// Passes until little is left to copy. The first pass compares all that the target has.
    pub(super) async fn catch_up(&self, tally: &mut Tally, hear: &dyn Progress) -> Result<(), MigrateError> {
        hear.begin("copying");
        for number in 0..PASSES {
            let before = tally.batches;
            self.pass(number == 0, tally, hear).await?;
            if tally.batches - before <= LITTLE {
                break;
            }
        }
        Ok(())
    }

    /// Copies what the target lacks, and compares it; where asked for, also compares what the target had.
    pub(super) async fn pass(&self, whole: bool, tally: &mut Tally, hear: &dyn Progress) -> Result<(), MigrateError> {
        for app in self.source.apps().await.map_err(MigrateError::at(&self.source))? {
            self.pass_journal(&app, whole, tally, hear).await?;
            self.pass_links(&app, tally, hear).await?;
            self.pass_kept(&app, tally, hear).await?;
        }
        tally.tokens = self.copy_tokens().await?;
        tally.engines = self.copy_engines().await?;
        Ok(())
    }
}
