//! The fold of one stream, kept up to date with the store.

use super::Inner;
use super::flight::Flight;
use rollbook_core::codec;
use rollbook_core::event::{Content, Event};
use rollbook_core::fold::{Facts, New, Reading};
use rollbook_core::id::{App, Stream, StreamKind};
use rollbook_core::roster::{LiveRosters, Summary, summaries};
use rollbook_core::time::Timestamp;
use rollbook_store::{Batch, Seq, StoreError, Vector};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// One stream's facts and their reading, with what they know of the store.
pub(super) struct Fold {
    state: Mutex<State>,
    /// Bytes that the state takes: known without waiting for whoever works with it.
    weight: Arc<AtomicU64>,
    /// The store's, of all batches that were taken.
    epoch: u64,
    /// Whether it has ever known all that there was. Until then it may miss a whole journal, which is read once for all who ask.
    whole: AtomicBool,
    filling: Flight<Option<Timestamp>>,
    /// How many found someone at work with the state, and how many of them had it since.
    came: AtomicU64,
    went: AtomicU64,
    /// Held by the search that looks at everyone.
    searching: Arc<tokio::sync::Mutex<()>>,
}

/// See [`Fold`].
pub(super) struct State {
    pub(super) facts: Facts,
    pub(super) reading: Reading,
    /// Those of the reading's sessions that were asked for while someone was in.
    pub(super) live: LiveRosters,
    /// The sessions as a whole, and whether only an event can change them; none where something happened since.
    whole: Option<(Vec<Summary>, bool)>,
    /// The last batch that the facts have, of the stream itself and of each of its sources' streams.
    known: BTreeMap<Stream, Seq>,
    weight: Arc<AtomicU64>,
}

/// How many bytes of batches are taken without another thread: a few milliseconds of folding at most.
const TAKEN_AT_ONCE: usize = 64 << 10;

impl Fold {
    pub(super) fn new(app: &App, stream: Stream, epoch: u64) -> Self {
        let known = BTreeMap::from([(stream, 0)]);
        let facts = Facts::new(app.clone(), stream);
        let weight = Arc::new(AtomicU64::new(0));
        let state =
            State { facts, reading: Reading::default(), live: LiveRosters::default(), whole: None, known, weight: Arc::clone(&weight) };
        let (came, went) = (AtomicU64::new(0), AtomicU64::new(0));
        let (whole, filling, searching) = (AtomicBool::new(false), Flight::default(), Arc::default());
        Self { state: Mutex::new(state), weight, epoch, whole, filling, came, went, searching }
    }

    /// The state. A thread that panicked with it left it as of its last whole batch: every step checks against the store again.
    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        if let Ok(state) = self.state.try_lock() {
            return state;
        }
        self.came.fetch_add(1, Ordering::SeqCst);
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        self.went.fetch_add(1, Ordering::SeqCst);
        state
    }

    /// The same, after as many others as wait for it: a mutex by itself is mostly had again by whoever had it last.
    pub(super) fn lock_last(&self) -> MutexGuard<'_, State> {
        let came = self.came.load(Ordering::SeqCst);
        while self.went.load(Ordering::SeqCst) < came {
            drop(self.state.lock());
            std::thread::yield_now();
        }
        self.lock()
    }

    /// What a search holds while it looks at everyone.
    pub(super) fn searching(&self) -> &Arc<tokio::sync::Mutex<()>> {
        &self.searching
    }

    /// How many wait for the state.
    #[cfg(test)]
    pub(super) fn waiting(&self) -> u64 {
        self.came.load(Ordering::SeqCst) - self.went.load(Ordering::SeqCst)
    }

    /// See [`Store::epoch`](rollbook_store::Store::epoch).
    pub(super) fn epoch(&self) -> u64 {
        self.epoch
    }

    pub(super) fn weight(&self) -> u64 {
        1024 + self.weight.load(Ordering::Relaxed)
    }
}

impl State {
    /// The streams that the fold depends on, each with what it knows of it.
    pub(super) fn vector(&self) -> Vector {
        self.known.iter().map(|(stream, seq)| (*stream, *seq)).collect()
    }

    /// The last batch of the stream itself.
    pub(super) fn seq(&self) -> Seq {
        self.known.get(&self.facts.stream()).copied().unwrap_or(0)
    }

    /// Whether it needs nothing of a batch.
    fn knows(&self, stream: Stream, seq: Seq) -> bool {
        self.known.get(&stream).is_none_or(|known| seq <= *known)
    }

    /// Takes the events of a batch if it is the next; an older one is known. Returns whether the fold now knows it.
    pub(super) fn take<'e>(&mut self, stream: Stream, seq: Seq, events: impl Iterator<Item = (&'e Event, Content)>) -> bool {
        let own = stream == self.facts.stream();
        self.take_by(stream, seq, |facts| {
            for (event, content) in events {
                if own { facts.take_digested(event, content) } else { facts.take_life(event) }
            }
        })
    }

    /// The same, of the stream's own events that were judged as new by what the fold knew before that batch.
    pub(super) fn take_judged<'e>(&mut self, stream: Stream, seq: Seq, events: impl Iterator<Item = New<'e>>) -> bool {
        self.take_by(stream, seq, |facts| events.for_each(|event| facts.take_new(event)))
    }

    fn take_by(&mut self, stream: Stream, seq: Seq, take: impl FnOnce(&mut Facts)) -> bool {
        let Some(known) = self.known.get_mut(&stream) else { return true };
        if seq != *known + 1 {
            return seq <= *known;
        }
        *known = seq;
        take(&mut self.facts);
        let own = stream == self.facts.stream();
        if own && stream.kind != StreamKind::Source && self.facts.sources().count() >= self.known.len() {
            let sources: Vec<Stream> = self.facts.sources().map(|source| self.facts.app().source_stream(source)).collect();
            for source in sources {
                self.known.entry(source).or_insert(0);
            }
        }
        self.weigh();
        true
    }

    pub(super) fn weigh(&self) {
        let size = (self.facts.size() + self.reading.size()).whole() + self.live.size();
        self.weight.store(size as u64, Ordering::Relaxed);
    }

    /// Answers from the reading at `as_of`, or at `now` where that is not given.
    ///
    /// The reading that is kept moves with the store's `now` only: a question about another time gets one of its own, so that nobody's
    /// question about a far future makes the present expensive.
    pub(super) fn at<T>(&mut self, now: Timestamp, as_of: Option<Timestamp>, answer: impl FnOnce(&Facts, &Reading) -> T) -> T {
        let asked = as_of.unwrap_or(now);
        if self.keep_up(now, asked) { answer(&self.facts, &self.reading) } else { answer(&self.facts, &Reading::full(&self.facts, asked)) }
    }

    /// The sessions of the stream as a whole, and whether nothing but an event can change any of them.
    pub(super) fn summaries(&mut self, now: Timestamp) -> (Vec<Summary>, bool) {
        if self.keep_up(now, now)
            && let Some((whole, settled)) = &self.whole
            && let Some(older) = whole.iter().map(|summary| summary.at(now)).collect::<Option<Vec<_>>>()
        {
            // What was empty may have ended since; whether it did decides anew whether it is settled.
            let none_ended = older.iter().zip(whole).all(|(older, before)| older.ended_at == before.ended_at);
            if none_ended {
                return (older, *settled);
            }
        }
        let made = self.at(now, None, |facts, reading| summaries(facts, reading, now));
        self.whole = self.reading.validity().holds(now).then(|| made.clone());
        made
    }

    /// About how many peers the next question has to read anew.
    pub(super) fn behind(&self) -> usize {
        self.facts.changed()
    }

    /// Brings the reading that is kept up to `now`; returns whether it holds at the time that was asked about.
    pub(super) fn keep_up(&mut self, now: Timestamp, asked: Timestamp) -> bool {
        let changes = self.facts.take_changes();
        if self.reading.validity().relied_on >= now {
            self.facts.give_back(changes);
            return false;
        }
        if !changes.is_empty() || self.reading.validity().until < now {
            self.live.update(&self.facts, &mut self.reading, &changes, now);
            self.weigh();
            self.whole = None;
        }
        self.reading.validity().holds(asked)
    }
}

impl Inner {
    /// The fold of a stream with everything that was acknowledged before the call, and the store's time.
    pub(super) async fn current(self: &Arc<Self>, app: &App, stream: Stream) -> Result<(Arc<Fold>, Timestamp), StoreError> {
        loop {
            let fold = self.cache.fold(app, stream, self.store.epoch());
            let now = if fold.whole.load(Ordering::Acquire) {
                self.catch_up(app, &fold).await?
            } else {
                let (this, app, of) = (Arc::clone(self), app.clone(), Arc::clone(&fold));
                fold.filling.join(async move { this.catch_up(&app, &of).await }).await?
            };
            if let Some(now) = now {
                return Ok((fold, now));
            }
        }
    }

    /// Reads what a fold does not know yet; returns the store's time, or none where the store is in another epoch than the fold.
    async fn catch_up(&self, app: &App, fold: &Arc<Fold>) -> Result<Option<Timestamp>, StoreError> {
        loop {
            let known = fold.lock().vector();
            let since = self.store.since(app, &known).await?;
            if self.store.epoch() != fold.epoch() {
                return Ok(None);
            }
            let whole = if since.batches.iter().map(|batch| batch.batch.len()).sum::<usize>() < TAKEN_AT_ONCE {
                take_all(fold, &since.batches)?
            } else {
                let fold = Arc::clone(fold);
                let taking = tokio::task::spawn_blocking(move || take_all(&fold, &since.batches));
                taking.await.map_err(|e| StoreError::Damaged(format!("batches not taken: {e}")))??
            };
            // A source that reported for the first time brings its own starts and stops.
            let complete = whole && fold.lock().known.len() == known.len();
            if complete {
                fold.whole.store(true, Ordering::Release);
                return Ok(Some(since.now));
            }
        }
    }
}

/// Takes batches in order; returns whether the fold now knows them all. Between two batches, and while one is decoded, others may work with
/// the fold.
pub(super) fn take_all(fold: &Fold, batches: &[Batch]) -> Result<bool, StoreError> {
    let mut whole = true;
    for Batch { stream, seq, batch, .. } in batches {
        // Those who waited for one check were told the same.
        if fold.lock().knows(*stream, *seq) {
            continue;
        }
        let events = codec::decode(*stream, batch).map_err(|e| StoreError::Damaged(format!("{stream} batch {seq}: {e}")))?;
        let digested: Vec<_> = events.iter().map(|event| (event, event.content())).collect();
        whole &= fold.lock().take(*stream, *seq, digested.into_iter());
    }
    Ok(whole)
}
