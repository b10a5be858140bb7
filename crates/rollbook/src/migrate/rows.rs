//! The journal of one app: what is missing is copied, and both ends are compared row by row.

use super::pass::Tally;
use super::{Ends, MigrateError, Progress, named};
use rollbook_core::id::{App, Stream};
use rollbook_store::transfer::{Batches, Span, Transfer};
use rollbook_store::{Batch, Seq};
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

/// How many streams are looked at together.
const PAGE: usize = 1000;
/// How many batches, or bytes of them, are written together.
const MANY: (usize, usize) = (10_000, 8 << 20);

/// Which batches of some streams are meant: after the first sequence number, up to and with the second. No other batch counts.
#[derive(Default)]
struct Wanted(BTreeMap<Stream, (Seq, Seq)>);

impl Wanted {
    fn has(&self, batch: &Batch) -> bool {
        self.0.get(&batch.stream).is_some_and(|(after, until)| (after + 1..=*until).contains(&batch.seq))
    }

    /// The same as parts of the journal, of which there are few where one stream follows the other. `heads` are neighbours, in order.
    fn spans(&self, heads: &[(Stream, Seq)]) -> Vec<Span> {
        let mut spans: Vec<Span> = Vec::new();
        // Whether the next stream's first batch follows what the last span ends with.
        let mut open = false;
        for (stream, head) in heads {
            let Some((after, until)) = self.0.get(stream) else {
                open = false;
                continue;
            };
            match spans.last_mut().filter(|_| open && *after == 0) {
                Some(span) => span.until = (*stream, *until),
                None => spans.push(Span { after: (*stream, *after), until: (*stream, *until) }),
            }
            open = until == head;
        }
        spans
    }
}

/// The batches of one part of the journal that are wanted, one after the other.
struct Flow<'a> {
    end: &'a Arc<dyn Transfer>,
    wanted: &'a Wanted,
    coming: Batches,
    here: VecDeque<Batch>,
}

impl<'a> Flow<'a> {
    fn of(end: &'a Arc<dyn Transfer>, app: &App, wanted: &'a Wanted, span: Span) -> Self {
        Self { end, wanted, coming: end.batches(app, span), here: VecDeque::new() }
    }

    async fn next(&mut self) -> Result<Option<Batch>, MigrateError> {
        loop {
            if let Some(batch) = self.here.pop_front() {
                return Ok(Some(batch));
            }
            match self.coming.recv().await {
                Some(batches) => {
                    let batches = batches.map_err(MigrateError::at(self.end))?;
                    self.here.extend(batches.into_iter().filter(|batch| self.wanted.has(batch)));
                }
                None => return Ok(None),
            }
        }
    }
}

impl Ends {
    /// Copies what the target lacks of an app's journal, and compares it; where asked for, also compares what the target had.
    pub(super) async fn pass_journal(&self, app: &App, whole: bool, tally: &mut Tally, hear: &dyn Progress) -> Result<(), MigrateError> {
        let mut after = None;
        loop {
            let heads = self.source.heads(app, after, PAGE).await.map_err(MigrateError::at(&self.source))?;
            let Some((last, _)) = heads.last() else { return Ok(()) };
            after = Some(*last);
            let streams: Vec<_> = heads.iter().map(|(stream, _)| *stream).collect();
            let had = self.target.heads_of(app, &streams).await.map_err(MigrateError::at(&self.target))?;
            let (mut known, mut missing) = (Wanted::default(), Wanted::default());
            for ((stream, head), had) in heads.iter().zip(had) {
                if had > *head {
                    return Err(self.foreign(format!("it has batch {had} of {}, the source has {head}", named(app, *stream))));
                }
                if had > 0 {
                    known.0.insert(*stream, (0, had));
                }
                if had < *head {
                    missing.0.insert(*stream, (had, *head));
                }
            }
            if whole {
                tally.compared += self.compare(app, &known, &heads).await?;
            }
            tally.batches += self.copy(app, &missing, &heads, hear).await?;
            tally.compared += self.compare(app, &missing, &heads).await?;
        }
    }

    async fn copy(&self, app: &App, wanted: &Wanted, heads: &[(Stream, Seq)], hear: &dyn Progress) -> Result<u64, MigrateError> {
        let (mut copied, mut ends) = (0, BTreeMap::new());
        let (mut waiting, mut bytes) = (Vec::new(), 0);
        for span in wanted.spans(heads) {
            let mut flow = Flow::of(&self.source, app, wanted, span);
            while let Some(batch) = flow.next().await? {
                let first = wanted.0.get(&batch.stream).map_or(0, |(after, _)| *after);
                let before = ends.insert(batch.stream, batch.seq).unwrap_or(first);
                if batch.seq != before + 1 {
                    let what = format!("{} has batch {} after batch {before}", named(app, batch.stream), batch.seq);
                    return Err(MigrateError::at(&self.source)(rollbook_store::StoreError::Damaged(what)));
                }
                bytes += batch.batch.len();
                waiting.push(batch);
                if waiting.len() >= MANY.0 || bytes >= MANY.1 {
                    bytes = 0;
                    copied += self.put(app, std::mem::take(&mut waiting), hear).await?;
                }
            }
        }
        copied += self.put(app, waiting, hear).await?;
        Ok(copied)
    }

    async fn put(&self, app: &App, batches: Vec<Batch>, hear: &dyn Progress) -> Result<u64, MigrateError> {
        let count = batches.len() as u64;
        if count > 0 {
            self.target.put_batches(app, batches).await.map_err(MigrateError::at(&self.target))?;
            hear.advance(count);
        }
        Ok(count)
    }

    async fn compare(&self, app: &App, wanted: &Wanted, heads: &[(Stream, Seq)]) -> Result<u64, MigrateError> {
        let mut compared = 0;
        for span in wanted.spans(heads) {
            let mut ours = Flow::of(&self.source, app, wanted, span);
            let mut theirs = Flow::of(&self.target, app, wanted, span);
            loop {
                let (a, b) = tokio::try_join!(ours.next(), theirs.next())?;
                if a != b {
                    let Some(batch) = a.or(b) else { break };
                    return Err(MigrateError::Differs(format!("batch {} of {}", batch.seq, named(app, batch.stream))));
                }
                if a.is_none() {
                    break;
                }
                compared += 1;
            }
        }
        Ok(compared)
    }
}
