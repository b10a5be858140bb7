//! The way in: one task an app takes what waits, judges it against what is known, and appends it in one commit.

use super::judge::{Given, Pending, judge};
use super::links::{Links, across, links};
use super::pace::{Company, Pace};
use super::{IngestError, Inner, Ledger, Receipt};
use bytes::Bytes;
use rollbook_core::codec;
use rollbook_core::event::Event;
use rollbook_core::id::{App, Stream};
use rollbook_store::{AppendError, Commit, Entry, StoreError};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use tokio::sync::mpsc::error::TryRecvError;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, timeout_at};
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
    let mut pace = Pace::default();
    while let Some(deliveries) = gather(&mut waiting, &pace).await {
        let Some(ledger) = ledger.upgrade() else { return };
        pace.begin(Instant::now(), deliveries.len());
        ledger.commit(&app, deliveries).await;
        pace.end(waiting.len());
    }
}

/// What waits, with the company that is worth a wait; none where nothing can come any more.
async fn gather(waiting: &mut mpsc::Receiver<Delivery>, pace: &Pace) -> Option<Vec<Delivery>> {
    let first = waiting.recv().await?;
    let company = pace.company();
    let mut events = first.events.len();
    let mut deliveries = vec![first];
    while events < EVENTS_A_COMMIT {
        let next = match (waiting.try_recv(), &company) {
            (Err(TryRecvError::Empty), Some(Company { until, many })) if deliveries.len() < *many => {
                timeout_at(*until, waiting.recv()).await.ok().flatten()
            }
            (next, _) => next.ok(),
        };
        let Some(next) = next else { break };
        events += next.events.len();
        deliveries.push(next);
    }
    Some(deliveries)
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
        streams.retain(|_, pending| !pending.is_empty());
        let mut commit = Commit::default();
        let mut all_links: Vec<_> = streams.iter().map(|(stream, pending)| links(app, *stream, pending.given(), &pending.fold)).collect();
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
            pending.fold.lock().take_judged(*stream, pending.expected + 1, pending.taken());
        }
        Ok(results)
    }

    fn entry(&self, stream: Stream, pending: &Pending<'_>, links: Links) -> Entry {
        let earliest = pending.events().map(|event| event.time).min().unwrap_or_default();
        let batch = Bytes::from(codec::encode(self.store.codec(), stream, pending.events()));
        Entry { stream, expected: pending.expected, batch, earliest, links: links.into_vec() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;
    use tokio::time::sleep;

    fn delivery() -> Delivery {
        Delivery { events: Vec::new(), answer: oneshot::channel().0 }
    }

    /// As after a commit of ten, at five a millisecond.
    fn fast() -> Pace {
        let mut pace = Pace::default();
        let now = Instant::now();
        (0..100).rev().for_each(|n| pace.begin(now - Duration::from_millis(2) * n, 10));
        pace.end(0);
        pace
    }

    #[tokio::test(start_paused = true)]
    async fn where_deliveries_come_slowly_a_commit_begins_at_once_with_all_that_wait() {
        let (sender, mut waiting) = mpsc::channel(99);
        let began = Instant::now();
        for _ in 0..3 {
            sender.send(delivery()).await.unwrap();
        }
        assert_eq!(gather(&mut waiting, &Pace::default()).await.unwrap().len(), 3);
        assert_eq!(began.elapsed(), Duration::ZERO);
    }

    #[tokio::test(start_paused = true)]
    async fn where_they_come_fast_a_commit_waits_for_as_many_as_are_expected_and_takes_all_that_came() {
        let (sender, mut waiting) = mpsc::channel(99);
        let (began, pace) = (Instant::now(), fast());
        let sending = async {
            for _ in 0..9 {
                sender.send(delivery()).await.unwrap();
            }
            sleep(Duration::from_millis(1)).await;
            for _ in 0..5 {
                sender.send(delivery()).await.unwrap();
            }
        };
        let (gathered, ()) = tokio::join!(gather(&mut waiting, &pace), sending);
        assert_eq!(gathered.unwrap().len(), 14);
        assert_eq!(began.elapsed(), Duration::from_millis(1));
    }

    #[tokio::test(start_paused = true)]
    async fn it_waits_no_longer_than_four_milliseconds() {
        let (sender, mut waiting) = mpsc::channel(99);
        let (began, pace) = (Instant::now(), fast());
        sender.send(delivery()).await.unwrap();
        assert_eq!(gather(&mut waiting, &pace).await.unwrap().len(), 1);
        assert!(began.elapsed() <= Duration::from_millis(5), "and what a timer adds: {:?}", began.elapsed());
    }

    #[tokio::test(start_paused = true)]
    async fn what_waits_is_taken_where_nothing_more_can_come() {
        let (sender, mut waiting) = mpsc::channel(99);
        let pace = fast();
        sender.send(delivery()).await.unwrap();
        drop(sender);
        assert_eq!(gather(&mut waiting, &pace).await.unwrap().len(), 1);
        assert!(gather(&mut waiting, &pace).await.is_none());
    }
}
