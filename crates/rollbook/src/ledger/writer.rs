//! The way in: one task an app takes what waits, judges it against what is known, and appends it in one commit.

use super::fold::Fold;
use super::links::{across, links};
use super::{IngestError, Inner, Ledger, Receipt};
use bytes::Bytes;
use rollbook_core::codec;
use rollbook_core::event::{Content, Event, Identity};
use rollbook_core::fold::Verdict;
use rollbook_core::id::{App, Stream};
use rollbook_store::{AppendError, Commit, Entry, Seq, StoreError};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;
use uuid::Uuid;

/// How many deliveries of one app may wait before more are turned away.
const WAITING: usize = 4096;
/// How many events one commit takes at most; a larger delivery is a commit by itself.
const EVENTS_A_COMMIT: usize = 50_000;
/// How often another writer may come first before the delivery is turned away: far more than fairness needs.
const ATTEMPTS: usize = 64;

/// A delivery that waits for its commit.
struct Delivery {
    events: Vec<(Stream, Event)>,
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
        let events = events.into_iter().map(|event| (app.stream_of(&event), event)).collect();
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

/// What one commit is to add to one stream.
struct Pending {
    fold: Arc<Fold>,
    expected: Seq,
    new: HashMap<Identity, Content>,
    events: Vec<Event>,
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

    /// The streams of the deliveries, each brought up to date. All are asked for at once, as the store answers all that wait together.
    async fn pending(self: &Arc<Self>, app: &App, deliveries: &[Delivery]) -> Result<BTreeMap<Stream, Pending>, StoreError> {
        let streams: BTreeSet<Stream> = deliveries.iter().flat_map(|delivery| &delivery.events).map(|(stream, _)| *stream).collect();
        let mut asked = JoinSet::new();
        for stream in streams {
            let (ledger, app) = (Arc::clone(self), app.clone());
            asked.spawn(async move { ledger.current(&app, stream).await.map(|(fold, _)| (stream, fold)) });
        }
        let mut pending = BTreeMap::new();
        while let Some(current) = asked.join_next().await {
            let (stream, fold) = current.map_err(|e| StoreError::Unavailable(format!("a stream was not read: {e}")))??;
            let expected = fold.lock().seq();
            pending.insert(stream, Pending { fold, expected, new: HashMap::new(), events: Vec::new() });
        }
        Ok(pending)
    }

    async fn attempt(self: &Arc<Self>, app: &App, deliveries: &[Delivery]) -> Result<Vec<Result<Receipt, Vec<usize>>>, AppendError> {
        let epoch = self.store.epoch();
        let mut streams = self.pending(app, deliveries).await?;
        let results: Vec<_> = deliveries.iter().map(|delivery| judge(&mut streams, &delivery.events)).collect();
        let new = || streams.iter().filter(|(_, pending)| !pending.events.is_empty());
        let mut all_links: Vec<_> = new().map(|(stream, pending)| links(app, *stream, &pending.events, &pending.fold)).collect();
        across(self, app, &mut all_links).await?;
        let mut commit = Commit::default();
        for ((stream, pending), links) in new().zip(all_links) {
            let links = links.into_vec();
            let earliest = pending.events.iter().map(|event| event.time).min().unwrap_or_default();
            let batch = Bytes::from(codec::encode(&pending.events));
            commit.entries.push(Entry { stream: *stream, expected: pending.expected, batch, earliest, links });
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
        self.store.append(app, commit.clone()).await?;
        for entry in commit.entries {
            if let Some(pending) = streams.get(&entry.stream) {
                pending.fold.lock().take(entry.stream, entry.expected + 1, &pending.events);
            }
        }
        Ok(results)
    }
}

/// Adds a delivery's new events to what is pending; or, where some conflict, adds nothing and names them.
fn judge(streams: &mut BTreeMap<Stream, Pending>, events: &[(Stream, Event)]) -> Result<Receipt, Vec<usize>> {
    let mut receipt = Receipt::default();
    let mut conflicts = Vec::new();
    let mut new: Vec<(Stream, &Event, Identity, Content)> = Vec::new();
    let mut of_this: HashMap<(Stream, Identity), Content> = HashMap::new();
    for (ix, (stream, event)) in events.iter().enumerate() {
        let Some(pending) = streams.get(stream) else { continue };
        let (identity, content) = (event.identity(), event.content());
        let waiting = pending.new.get(&identity).or_else(|| of_this.get(&(*stream, identity)));
        let verdict = match waiting {
            Some(known) if *known == content => Verdict::Duplicate,
            Some(_) => Verdict::Conflict,
            None => pending.fold.lock().facts.judge(event),
        };
        match verdict {
            Verdict::New => {
                of_this.insert((*stream, identity), content);
                new.push((*stream, event, identity, content));
                receipt.accepted += 1;
            }
            Verdict::Duplicate => receipt.duplicates += 1,
            Verdict::Conflict => conflicts.push(ix),
        }
    }
    if !conflicts.is_empty() {
        return Err(conflicts);
    }
    for (stream, event, identity, content) in new {
        if let Some(pending) = streams.get_mut(&stream) {
            pending.new.insert(identity, content);
            pending.events.push(event.clone());
        }
    }
    Ok(receipt)
}
