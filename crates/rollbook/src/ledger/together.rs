//! Many folds brought up to date at once: the store is asked for all of them in one question.

use super::Inner;
use super::fold::{Fold, take_all};
use rollbook_core::id::{App, Stream};
use rollbook_core::time::Timestamp;
use rollbook_store::{Batch, Seq, StoreError};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// A fold with the store's time at which it had everything.
pub(super) type Current = (Arc<Fold>, Timestamp);

impl Inner {
    /// The folds of some streams, each with everything that was acknowledged before the call; in the order of the streams.
    pub(super) async fn current_all(self: &Arc<Self>, app: &App, streams: &BTreeSet<Stream>) -> Result<Vec<Current>, StoreError> {
        if let Some(stream) = streams.first().filter(|_| streams.len() == 1) {
            return Ok(vec![self.current(app, *stream).await?]);
        }
        loop {
            let epoch = self.store.epoch();
            let folds: Vec<_> = streams.iter().map(|stream| self.cache.fold(app, *stream, epoch)).collect();
            if let Some(times) = self.catch_up_all(app, &folds, epoch).await? {
                return Ok(folds.into_iter().zip(times).collect());
            }
        }
    }

    /// Reads what the folds do not know yet; returns the store's time at which each knew all, or none where the store is in another epoch.
    async fn catch_up_all(&self, app: &App, folds: &[Arc<Fold>], epoch: u64) -> Result<Option<Vec<Timestamp>>, StoreError> {
        let mut times = vec![Timestamp::default(); folds.len()];
        let mut behind: Vec<(usize, Arc<Fold>)> = folds.iter().cloned().enumerate().collect();
        while !behind.is_empty() {
            // A source's life-cycle is evidence in many sessions: it is asked for once, from where the one that knows least of it is.
            let mut known: BTreeMap<Stream, Seq> = BTreeMap::new();
            let mut lengths = Vec::with_capacity(behind.len());
            for (_, fold) in &behind {
                let vector = fold.lock().vector();
                lengths.push(vector.len());
                for (stream, seq) in vector {
                    known.entry(stream).and_modify(|least| *least = seq.min(*least)).or_insert(seq);
                }
            }
            let known: Vec<_> = known.into_iter().collect();
            let since = self.store.since(app, &known).await?;
            if self.store.epoch() != epoch {
                return Ok(None);
            }
            behind.iter().for_each(|(place, _)| times[*place] = since.now);
            if since.batches.is_empty() {
                break;
            }
            let taking = tokio::task::spawn_blocking(move || take_each(behind, &lengths, &since.batches));
            behind = taking.await.map_err(|e| StoreError::Damaged(format!("batches not taken: {e}")))??;
        }
        Ok(Some(times))
    }
}

/// Gives each fold, with its place, the batches of the streams that it depends on; returns those that have to look again.
fn take_each(folds: Vec<(usize, Arc<Fold>)>, lengths: &[usize], batches: &[Batch]) -> Result<Vec<(usize, Arc<Fold>)>, StoreError> {
    let mut of_stream: BTreeMap<Stream, &[Batch]> = BTreeMap::new();
    for of_one in batches.chunk_by(|a, b| a.stream == b.stream) {
        of_stream.extend(of_one.first().map(|first| (first.stream, of_one)));
    }
    let mut behind = Vec::new();
    for ((place, fold), length) in folds.into_iter().zip(lengths) {
        let vector = fold.lock().vector();
        let mut whole = true;
        for of_one in vector.iter().filter_map(|(stream, _)| of_stream.get(stream)) {
            whole &= take_all(&fold, of_one)?;
        }
        // A source that reported for the first time brings its own starts and stops.
        if !whole || fold.lock().vector().len() != *length {
            behind.push((place, fold));
        }
    }
    Ok(behind)
}
