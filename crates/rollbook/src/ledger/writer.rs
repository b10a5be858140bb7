//! The way in: one task an app takes what waits, judges it against what is known, and appends it in one commit.

use super::fold::Fold;
use super::links::links;
use super::{IngestError, Inner, Ledger, Receipt};
use bytes::Bytes;
use rollbook_core::codec;
use rollbook_core::event::{Content, Event, Identity};
use rollbook_core::fold::Verdict;
use rollbook_core::id::{App, Stream};
use rollbook_store::{AppendError, Commit, Entry, Seq, StoreError};
use std::collections::{BTreeMap, HashMap};
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
    async fn commit(&self, app: &App, deliveries: Vec<Delivery>) {
        for _ in 0..ATTEMPTS {
            let attempt = self.attempt(app, &deliveries).await;
            if matches!(attempt, Err(AppendError::Conflict)) {
                continue;
            }
            let results = attempt.map_err(|error| error.to_string());
            for (ix, delivery) in deliveries.into_iter().enumerate() {
                let result = match &results {
                    Ok(results) => results[ix].clone().map_err(IngestError::Conflict),
                    Err(error) => Err(StoreError::Unavailable(error.clone()).into()),
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

    async fn attempt(&self, app: &App, deliveries: &[Delivery]) -> Result<Vec<Result<Receipt, Vec<usize>>>, AppendError> {
        let mut streams: BTreeMap<Stream, Pending> = BTreeMap::new();
        for (stream, _) in deliveries.iter().flat_map(|delivery| &delivery.events) {
            if !streams.contains_key(stream) {
                let (fold, _) = self.current(app, *stream).await?;
                let expected = fold.lock().seq();
                streams.insert(*stream, Pending { fold, expected, new: HashMap::new(), events: Vec::new() });
            }
        }
        let results: Vec<_> = deliveries.iter().map(|delivery| judge(&mut streams, &delivery.events)).collect();
        let mut commit = Commit::default();
        for (stream, pending) in streams.iter().filter(|(_, pending)| !pending.events.is_empty()) {
            let links = links(self, app, *stream, &pending.events, &pending.fold).await?;
            let earliest = pending.events.iter().map(|event| event.time).min().unwrap_or_default();
            let batch = Bytes::from(codec::encode(&pending.events));
            commit.entries.push(Entry { stream: *stream, expected: pending.expected, batch, earliest, links });
        }
        if commit.entries.is_empty() {
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
