//! The look-ups and the kept deliveries of one app.

use super::pass::Tally;
use super::{Ends, MigrateError, Progress};
use rollbook_core::id::App;
use rollbook_store::Link;
use std::collections::BTreeSet;

/// How many look-ups are looked at together.
const PAGE: usize = 10_000;
/// How many kept deliveries, which may be large.
const FEW: usize = 100;

impl Ends {
    /// Makes the target's look-ups the source's: both are read in order, side by side.
    pub(super) async fn pass_links(&self, app: &App, tally: &mut Tally, hear: &dyn Progress) -> Result<(), MigrateError> {
        let mut after = None;
        loop {
            let ours = self.source.links(app, after, PAGE).await.map_err(MigrateError::at(&self.source))?;
            let theirs = self.target.links(app, after, PAGE).await.map_err(MigrateError::at(&self.target))?;
            let last = ours.last().copied();
            let ours: BTreeSet<Link> = ours.into_iter().collect();
            let theirs: BTreeSet<Link> = theirs.into_iter().filter(|link| last.is_none_or(|last| *link <= last)).collect();
            if let Some(link) = theirs.difference(&ours).next() {
                let text = format!("it leads from {} to {} in {}/{}, the source does not", link.from, link.to, app.account(), app.app());
                return Err(self.foreign(text));
            }
            let missing: Vec<Link> = ours.difference(&theirs).copied().collect();
            if !missing.is_empty() {
                let count = missing.len() as u64;
                self.target.put_links(app, missing).await.map_err(MigrateError::at(&self.target))?;
                tally.links += count;
                hear.advance(count);
            }
            if last.is_none() {
                return Ok(());
            }
            after = last;
        }
    }

    /// Adds the kept deliveries that the target lacks, in the source's order.
    pub(super) async fn pass_kept(&self, app: &App, tally: &mut Tally, hear: &dyn Progress) -> Result<(), MigrateError> {
        let mut after = 0;
        loop {
            let page = self.source.kept(app, after, FEW).await.map_err(MigrateError::at(&self.source))?;
            let Some((last, _)) = page.last() else { return Ok(()) };
            after = *last;
            let kept: Vec<_> = page.into_iter().map(|(_, kept)| kept).collect();
            let there = self.target.kept_at(app, &kept).await.map_err(MigrateError::at(&self.target))?;
            let mut missing = Vec::new();
            for (kept, at) in kept.into_iter().zip(there) {
                match at {
                    None => missing.push(kept),
                    Some(at) if at == kept.received_at => {}
                    Some(_) => {
                        let text = format!("a delivery to {} that {}/{} keeps has two times", kept.engine, app.account(), app.app());
                        return Err(MigrateError::Differs(text));
                    }
                }
            }
            if !missing.is_empty() {
                let count = missing.len() as u64;
                self.target.put_kept(app, missing).await.map_err(MigrateError::at(&self.target))?;
                tally.kept += count;
                hear.advance(count);
            }
        }
    }
}
