//! The way in: one task an app takes what waits, judges it against what is known, and appends it in one commit.

use super::judge::{Given, Pending, judge};
use super::links::{Links, across, links};
use super::{IngestError, Inner, Ledger, Receipt};
use bytes::Bytes;
use rollbook_core::codec;
use rollbook_core::event::Event;
use rollbook_core::id::{App, Stream};
use rollbook_store::{AppendError, Commit, Entry, StoreError};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use tokio::sync::{mpsc, oneshot};
use uuid::Uuid;

/// How many deliveries of one app may wait before more are turned away.
const WAITING: usize = 4096;
/// How many events one commit takes at most; a larger delivery is a commit by itself.
const EVENTS_A_COMMIT: usize = 50_000;
/// How often another writer may come first before the delivery is turned away: far more than fairness needs.
const ATTEMPTS: usize = 64;

/// A delivery that waits for its commit.
struct Delivery {
    events: Vec<Given>,
    answer: oneshot::Sender<Result<Receipt, IngestError>>,
}

/// The writing tasks, by app.
#[derive(Default)]
pub(super) struct Writers(Mutex<HashMap<Uuid, mpsc::Sender<Delivery>>>);

impl Ledger {
    /// Takes a delivery: all of it or nothing. Returns once what was new is on disk.
    ///
    /// # Errors
    /// See [`IngestError`]; in each case nothing was acknowledged.
    pub async fn ingest(&self, app: &App, events: Vec<Event>) -> Result<Receipt, IngestError> {
        let (answer, answered) = oneshot::channel();
        let events = Given::all(app, events);
        self.writer(app).try_send(Delivery { events, answer }).map_err(|_| IngestError::Overloaded)?;
        let stopped = || StoreError::Unavailable("the writer stopped before it answered".into());
        answered.await.unwrap_or_else(|_| Err(stopped().into()))
    }

    fn writer(&self, app: &App) -> mpsc::Sender<Delivery> {
        let mut writers = self.0.writers.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(writer) = writers.get(&app.namespace()).filter(|writer| !writer.is_closed()) {
            return writer.clone();
        }
        let (writer, waiting) = mpsc::channel(WAITING);
        tokio::spawn(write(Arc::downgrade(&self.0), app.clone(), waiting));
        writers.insert(app.namespace(), writer.clone());
        writer
    }
}

/// Commits what waits, as long as there is a ledger to write for.
async fn write(ledger: Weak<Inner>, app: App, mut waiting: mpsc::Receiver<Delivery>) {
    while let Some(first) = waiting.recv().await {
        let mut events = first.events.len();
        let mut deliveries = vec![first];
        while events < EVENTS_A_COMMIT
            && let Ok(next) = waiting.try_recv()
        {
            events += next.events.len();
            deliveries.push(next);
        }
        let Some(ledger) = ledger.upgrade() else { return };
        ledger.commit(&app, deliveries).await;
    }
}

impl Inner {
    /// Commits deliveries, and answers each. A delivery with an event in conflict is refused whole; the others are not held up by it.
    async fn commit(self: &Arc<Self>, app: &App, deliveries: Vec<Delivery>) {
        for _ in 0..ATTEMPTS {
            let results = match self.attempt(app, &deliveries).await {
                Err(AppendError::Conflict) => continue,
                Err(AppendError::Store(error)) => Err(error),
                Ok(results) => Ok(results),
            };
            for (ix, delivery) in deliveries.into_iter().enumerate() {
                let result = match &results {
                    Ok(results) => results[ix].clone().map_err(IngestError::Conflict),
                    Err(error) => Err(error.clone().into()),
                };
                // Whoever no longer waits for the answer delivers again, and learns then.
                let _ = delivery.answer.send(result);
            }
            return;
        }
        for delivery in deliveries {
            let _ = delivery.answer.send(Err(IngestError::Overloaded));
        }
    }

    /// The streams of the deliveries, each brought up to date.
    async fn pending<'d>(self: &Arc<Self>, app: &App, deliveries: &'d [Delivery]) -> Result<BTreeMap<Stream, Pending<'d>>, StoreError> {
        let streams: BTreeSet<Stream> = deliveries.iter().flat_map(|delivery| &delivery.events).map(|given| given.stream).collect();
        let folds = self.current_all(app, &streams).await?;
        Ok(streams.into_iter().zip(folds.into_iter().map(|(fold, _)| Pending::new(fold))).collect())
    }

    async fn attempt(self: &Arc<Self>, app: &App, deliveries: &[Delivery]) -> Result<Vec<Result<Receipt, Vec<usize>>>, AppendError> {
        let epoch = self.store.epoch();
        let mut streams = self.pending(app, deliveries).await?;
        let results: Vec<_> = deliveries.iter().map(|delivery| judge(&mut streams, &delivery.events)).collect();
        streams.retain(|_, pending| !pending.new.is_empty());
        let mut commit = Commit::default();
        let mut all_links: Vec<_> = streams.iter().map(|(stream, pending)| links(app, *stream, pending.events(), &pending.fold)).collect();
        across(self, app, &mut all_links).await?;
        for ((stream, pending), links) in streams.iter().zip(all_links) {
            commit.entries.push(self.entry(*stream, pending, links));
        }
        if self.store.epoch() != epoch {
            // What was judged by may be gone.
            return Err(AppendError::Conflict);
        }
        if commit.entries.is_empty() {
            if results.iter().any(|result| matches!(result, Ok(receipt) if receipt.duplicates > 0)) {
                // What was seen may not be as safe yet as what is acknowledged has to be; once a later commit is, it is.
                self.store.confirm().await?;
            }
            return Ok(results);
        }
        self.store.append(app, commit).await?;
        for (stream, pending) in &streams {
            let events = pending.new.iter().map(|given| (&given.event, given.content));
            pending.fold.lock().take(*stream, pending.expected + 1, events);
        }
        Ok(results)
    }

    fn entry(&self, stream: Stream, pending: &Pending<'_>, links: Links) -> Entry {
        let earliest = pending.events().map(|event| event.time).min().unwrap_or_default();
        let batch = Bytes::from(codec::encode(self.store.codec(), stream, pending.events()));
        Entry { stream, expected: pending.expected, batch, earliest, links: links.into_vec() }
    }
}
