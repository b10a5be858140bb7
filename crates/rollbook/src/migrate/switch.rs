//! From a copy to the ledger that is served.

use super::admit::Admitted;
use super::answers::{Both, Compared, Verify};
use super::pass::Tally;
use super::{Ends, MigrateError, Place, Progress};
use rollbook_core::time::Timestamp;
use rollbook_store::transfer::{Mark, Standing, Transfer};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// How a run ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// The target has all that the source had at that time; the source is served on.
    Copied(Tally, Timestamp),
    /// The target is the ledger.
    Moved {
        /// What was copied in all.
        tally: Tally,
        /// What was compared after the source was closed.
        compared: Compared,
        /// For how long there was no ledger that took events.
        closed: Duration,
    },
    /// An earlier run had moved it, at this time.
    MovedBefore(Timestamp),
}

impl Ends {
    /// Copies, while the source is served.
    ///
    /// # Errors
    /// See [`MigrateError`].
    pub async fn copy_all(&self, now: Timestamp, hear: &dyn Progress) -> Result<Outcome, MigrateError> {
        match self.admit(now).await? {
            Admitted::Done(at) => Ok(Outcome::MovedBefore(at)),
            Admitted::Copy(Some(mark)) => Err(MigrateError::Refused(format!("{}: {mark}", self.source.place()))),
            Admitted::Copy(None) => {
                let mut tally = Tally::default();
                self.catch_up(&mut tally, hear).await?;
                Both::of(self, now).settle(hear).await?;
                Ok(Outcome::Copied(tally, now))
            }
        }
    }

    /// Copies what is missing, closes the source, copies the last of it, compares answers, and opens the target. Where it fails, or `stop`
    /// comes while the source is closed, the source is opened again.
    ///
    /// # Errors
    /// See [`MigrateError`].
    pub async fn switch(
        &self,
        verify: Verify,
        now: impl Fn() -> Timestamp,
        stop: impl Future<Output = ()>,
        hear: &dyn Progress,
    ) -> Result<Outcome, MigrateError> {
        let before = match self.admit(now()).await? {
            Admitted::Done(at) => return Ok(Outcome::MovedBefore(at)),
            Admitted::Copy(mark) => mark,
        };
        let mut tally = Tally::default();
        self.catch_up(&mut tally, hear).await?;
        let both = Both::of(self, now());
        both.settle(hear).await?;
        both.prepare(hear).await?;
        hear.begin("switching");
        let since = Instant::now();
        let leaving = self.close(before, now()).await?;
        let last = async {
            self.pass(false, &mut tally, hear).await?;
            both.compare(verify, now(), hear).await
        };
        let compared = tokio::select! {
            compared = last => compared,
            () = stop => Err(MigrateError::Stopped),
        };
        let compared = match compared {
            Ok(compared) => compared,
            Err(cause) => return Err(self.reopen(&leaving, cause).await),
        };
        // The source first: cut off in between, it is the target that is opened by the next run, and never both.
        if let Err(cause) = self.leave(&leaving, now()).await {
            return Err(self.reopen(&leaving, cause).await);
        }
        match self.open().await {
            Ok(()) => Ok(Outcome::Moved { tally, compared, closed: since.elapsed() }),
            Err(cause) => Err(self.closed(cause)),
        }
    }

    /// From when this returns, nothing is appended to the source.
    async fn close(&self, before: Option<Mark>, now: Timestamp) -> Result<Mark, MigrateError> {
        if let Some(mark) = before {
            return Ok(mark);
        }
        let leaving = Mark { standing: Standing::Leaving, other: self.target.place().into(), at: now };
        let closed = self.source.remark(None, Some(&leaving)).await.map_err(MigrateError::at(&self.source))?;
        if closed { Ok(leaving) } else { Err(MigrateError::Refused(format!("{} is being moved by another run", self.source.place()))) }
    }

    async fn leave(&self, leaving: &Mark, now: Timestamp) -> Result<(), MigrateError> {
        if leaving.standing == Standing::Moved {
            return Ok(());
        }
        let moved = Mark { standing: Standing::Moved, at: now, ..leaving.clone() };
        let left = self.source.remark(Some(leaving), Some(&moved)).await.map_err(MigrateError::at(&self.source))?;
        if left { Ok(()) } else { Err(MigrateError::Refused(format!("{} was opened again meanwhile", self.source.place()))) }
    }

    async fn open(&self) -> Result<(), MigrateError> {
        let mark = self.target.mark().await.map_err(MigrateError::at(&self.target))?;
        self.target.remark(mark.as_ref(), None).await.map_err(MigrateError::at(&self.target))?;
        Ok(())
    }

    /// Lets the source go on, as long as its mark is the one that is given: the target is not opened before that has changed.
    async fn reopen(&self, leaving: &Mark, cause: MigrateError) -> MigrateError {
        match self.source.remark(Some(leaving), None).await {
            Ok(true) => cause,
            Ok(false) if matches!(self.source.mark().await, Ok(None)) => cause,
            _ => self.closed(cause),
        }
    }

    fn closed(&self, cause: MigrateError) -> MigrateError {
        MigrateError::Closed { source_place: self.source.place().into(), cause: Box::new(cause) }
    }
}

/// Opens a source again that a switch closed, as long as the target was not opened. Changes nothing where there is nothing to undo. Looks at
/// the target only where that could have been.
///
/// # Errors
/// Where the target was opened: it may have taken events.
pub async fn undo(source: &Arc<dyn Transfer>, to: &Place) -> Result<(), MigrateError> {
    let Some(mark) = source.mark().await.map_err(MigrateError::at(source))? else { return Ok(()) };
    let safe = match mark.standing {
        Standing::Arriving => false,
        Standing::Leaving => true,
        Standing::Moved => {
            let (target, _) = to.target().await?;
            let of_target = target.mark().await.map_err(MigrateError::at(&target))?;
            let filling = of_target.is_some_and(|mark| mark.standing == Standing::Arriving && mark.other == source.place());
            mark.other == target.place() && filling
        }
    };
    if safe && source.remark(Some(&mark), None).await.map_err(MigrateError::at(source))? {
        return Ok(());
    }
    let back = "what moved comes back with `rollbook migrate` the other way, and only what is new is copied";
    Err(MigrateError::Refused(format!("{} can't be opened again: {mark}. To go back: {back}", source.place())))
}
