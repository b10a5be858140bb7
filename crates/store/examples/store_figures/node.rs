//! A node's way in, as the ledger has it: what waits for a stream while one batch of it is under way goes into the next.

use bytes::Bytes;
use rollbook_core::id::Stream;
use rollbook_store::suite::fixtures::{app, append, at, is_conflict};
use rollbook_store::{Entry, Seq, Store};
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::time::Instant;

/// The length of an encoded event, in bytes.
const EVENT: usize = 200;

pub(crate) struct Node {
    store: Arc<dyn Store>,
    desks: Mutex<HashMap<Stream, Desk>>,
    most_tries: AtomicU64,
    batches: AtomicU64,
}

/// One stream's waiting events, and the last batch that the node knows.
#[derive(Default)]
struct Desk {
    known: Seq,
    busy: bool,
    waiting: Vec<oneshot::Sender<()>>,
}

impl Node {
    pub(crate) fn new(store: Arc<dyn Store>) -> Arc<Self> {
        Arc::new(Self { store, desks: Mutex::default(), most_tries: AtomicU64::new(0), batches: AtomicU64::new(0) })
    }

    /// The most tries that a batch needed.
    pub(crate) fn most_tries(&self) -> u64 {
        self.most_tries.load(Ordering::Relaxed)
    }

    /// How many batches were stored.
    pub(crate) fn batches(&self) -> u64 {
        self.batches.load(Ordering::Relaxed)
    }

    /// Counts from here on.
    pub(crate) fn forget(&self) {
        self.most_tries.store(0, Ordering::Relaxed);
        self.batches.store(0, Ordering::Relaxed);
    }

    /// Adds an event to a stream. Returns how long that took once it is acknowledged.
    pub(crate) async fn event(self: &Arc<Self>, stream: Stream) -> Duration {
        let (began, (answer, answered)) = (Instant::now(), oneshot::channel());
        let begin = {
            let mut desks = self.desks.lock().unwrap();
            let desk = desks.entry(stream).or_default();
            desk.waiting.push(answer);
            !std::mem::replace(&mut desk.busy, true)
        };
        if begin {
            tokio::spawn(Arc::clone(self).write(stream));
        }
        answered.await.unwrap();
        began.elapsed()
    }

    async fn write(self: Arc<Self>, stream: Stream) {
        loop {
            // Whoever was just answered may have more.
            tokio::task::yield_now().await;
            let (known, waiting) = {
                let mut desks = self.desks.lock().unwrap();
                let desk = desks.get_mut(&stream).unwrap();
                let waiting = std::mem::take(&mut desk.waiting);
                desk.busy = !waiting.is_empty();
                (desk.known, waiting)
            };
            if waiting.is_empty() {
                return;
            }
            let known = self.store(stream, known, Bytes::from(vec![b'x'; EVENT * waiting.len()])).await;
            self.desks.lock().unwrap().get_mut(&stream).unwrap().known = known;
            waiting.into_iter().for_each(|answer| {
                let _ = answer.send(());
            });
        }
    }

    /// Appends until it succeeds; returns the batch's place.
    async fn store(&self, stream: Stream, mut known: Seq, batch: Bytes) -> Seq {
        let mut tries = 1;
        loop {
            let entry = Entry { stream, expected: known, batch: batch.clone(), earliest: at(0), links: Vec::new() };
            let result = append(&*self.store, [entry]).await;
            if !is_conflict(&result) {
                result.unwrap();
                self.most_tries.fetch_max(tries, Ordering::Relaxed);
                self.batches.fetch_add(1, Ordering::Relaxed);
                return known + 1;
            }
            tries += 1;
            let since = self.store.since(&app(), &[(stream, known)]).await.unwrap();
            known = since.batches.last().map_or(known, |batch| batch.seq);
        }
    }
}
