//! Which two ends go together.

use super::{Ends, MigrateError, named};
use rollbook_core::id::App;
use rollbook_core::time::Timestamp;
use rollbook_store::transfer::{Mark, Standing};

/// How many streams are looked at together.
const PAGE: usize = 1000;
/// How many kept deliveries, which may be large.
const FEW: usize = 100;

/// What there is to do.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Admitted {
    /// Copy. The mark is the source's.
    Copy(Option<Mark>),
    /// Nothing: the source moved to the target at that time.
    Done(Timestamp),
}

impl Ends {
    /// Judges both marks, and marks the target as one that is being filled.
    pub(super) async fn admit(&self, now: Timestamp) -> Result<Admitted, MigrateError> {
        let Self { source, target, .. } = self;
        if source.place() == target.place() {
            return Err(MigrateError::Refused(format!("source and target are the same: {}", source.place())));
        }
        let of_source = source.mark().await.map_err(MigrateError::at(source))?;
        let of_target = target.mark().await.map_err(MigrateError::at(target))?;
        match &of_source {
            None => {}
            Some(Mark { standing: Standing::Moved, other, at }) if other == target.place() && of_target.is_none() => {
                return Ok(Admitted::Done(*at));
            }
            Some(Mark { standing: Standing::Moved | Standing::Leaving, other, .. }) if other == target.place() => {}
            Some(mark) => return Err(MigrateError::Refused(format!("{} can't be moved: {mark}", source.place()))),
        }
        match &of_target {
            None => self.claim(now).await?,
            Some(Mark { standing: Standing::Arriving, other, .. }) if other == source.place() => self.belongs().await?,
            // On the way back: it is a part of what it became.
            Some(mark @ Mark { standing: Standing::Moved, other, .. }) if other == source.place() => {
                self.belongs().await?;
                self.mark_target(Some(mark), now).await?;
            }
            Some(mark) => {
                let text = format!("{} can't be filled from {}: {mark}", target.place(), source.place());
                return Err(MigrateError::Refused(text));
            }
        }
        Ok(Admitted::Copy(of_source))
    }

    /// Takes an empty target.
    async fn claim(&self, now: Timestamp) -> Result<(), MigrateError> {
        self.is_empty().await?;
        self.mark_target(None, now).await?;
        // A node that was at work on it may have written until then.
        let mark = self.target.mark().await.map_err(MigrateError::at(&self.target))?;
        let Err(error) = self.is_empty().await else { return Ok(()) };
        self.target.remark(mark.as_ref(), None).await.map_err(MigrateError::at(&self.target))?;
        Err(error)
    }

    async fn is_empty(&self) -> Result<(), MigrateError> {
        let apps = self.target.apps().await.map_err(MigrateError::at(&self.target))?;
        let Some(first) = apps.first() else { return Ok(()) };
        let text = format!("it has a ledger of its own, of {} apps (the first is {}/{})", apps.len(), first.account(), first.app());
        Err(self.foreign(text))
    }

    async fn mark_target(&self, from: Option<&Mark>, now: Timestamp) -> Result<(), MigrateError> {
        let mark = Mark { standing: Standing::Arriving, other: self.source.place().into(), at: now };
        let marked = self.target.remark(from, Some(&mark)).await.map_err(MigrateError::at(&self.target))?;
        if marked { Ok(()) } else { Err(MigrateError::Refused(format!("{} is in use by another migration", self.target.place()))) }
    }

    /// Whether the target is a part of the source, as far as the ends of streams tell; their batches are compared when they are passed.
    async fn belongs(&self) -> Result<(), MigrateError> {
        for app in self.target.apps().await.map_err(MigrateError::at(&self.target))? {
            self.streams_belong(&app).await?;
            self.kept_belongs(&app).await?;
        }
        Ok(())
    }

    async fn streams_belong(&self, app: &App) -> Result<(), MigrateError> {
        let Self { source, target, .. } = self;
        let mut after = None;
        loop {
            let heads = target.heads(app, after, PAGE).await.map_err(MigrateError::at(target))?;
            let streams: Vec<_> = heads.iter().map(|(stream, _)| *stream).collect();
            let theirs = source.heads_of(app, &streams).await.map_err(MigrateError::at(source))?;
            for ((stream, seq), known) in heads.into_iter().zip(theirs) {
                if seq > known {
                    return Err(self.foreign(format!("it has batch {seq} of {}, the source has {known}", named(app, stream))));
                }
            }
            after = streams.last().copied();
            if after.is_none() {
                return Ok(());
            }
        }
    }

    async fn kept_belongs(&self, app: &App) -> Result<(), MigrateError> {
        let Self { source, target, .. } = self;
        let mut after = 0;
        loop {
            let (numbers, kept): (Vec<_>, Vec<_>) =
                target.kept(app, after, FEW).await.map_err(MigrateError::at(target))?.into_iter().unzip();
            let theirs = source.kept_at(app, &kept).await.map_err(MigrateError::at(source))?;
            // What the source does not keep any more may have been dropped there for its age.
            if kept.iter().zip(theirs).any(|(kept, at)| at.is_some_and(|at| at != kept.received_at)) {
                return Err(self.foreign(format!(
                    "it keeps a delivery of {}/{} of another time than the source",
                    app.account(),
                    app.app()
                )));
            }
            match numbers.last() {
                Some(last) => after = *last,
                None => return Ok(()),
            }
        }
    }
}
