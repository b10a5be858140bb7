//! Appends that would lose for ever: how a slow node comes to its turn at a stream that a fast one appends to all the time.
//!
//! An append that lost twice in a row goes into a lane: it waits for its places to be its alone. What its writer knows may be old by then,
//! so where it still loses, the lane tells it so and keeps the places for a moment. The writer catches up, appends again, and can't lose.

use super::failure::{Failure, Patience};
use super::group::Job;
use super::lease::{Connections, Lease};
use super::locks::{Spaces, slots};
use super::transaction::{Broken, Mode, Verdict, write};
use super::waiting::{Append, Place, must_resolve, resolve};
use crate::contract::AppendError;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio::time::Instant;

/// The most lanes at once; each has a connection.
const MOST: usize = 3;
/// How long places are kept for a writer that catches up. It may have nothing left to append, and meanwhile nobody else can.
const KEPT: Duration = Duration::from_millis(10);
/// So many losses in a row, none later than this after the one before, lead into a lane.
const LOSSES: u32 = 2;
const IN_A_ROW: Duration = Duration::from_millis(100);
/// How long appends to a stream go into lanes once one had to.
const CONTENDED: Duration = Duration::from_secs(1);
/// Past so many streams, those that are contended no longer are forgotten.
const MANY: usize = 1024;

/// The lanes of a node.
pub(super) struct Lanes {
    connections: Arc<Connections>,
    spaces: Spaces,
    jobs: mpsc::WeakSender<Job>,
    turns: Semaphore,
    losses: Mutex<HashMap<Place, Losses>>,
    kept: Mutex<HashMap<Place, Lane>>,
}

/// The way to who keeps places, for one append.
type Lane = Arc<Mutex<Option<oneshot::Sender<Append>>>>;

struct Losses {
    count: u32,
    last: Instant,
}

impl Losses {
    fn is_contended(&self, now: Instant) -> bool {
        self.count >= LOSSES && now < self.last + CONTENDED
    }
}

impl Lanes {
    pub(super) fn new(connections: Arc<Connections>, spaces: Spaces, jobs: mpsc::WeakSender<Job>) -> Self {
        Self { connections, spaces, jobs, turns: Semaphore::new(MOST), losses: Mutex::default(), kept: Mutex::default() }
    }

    /// Takes an append whose places are kept for it or contended; hands back any other.
    pub(super) fn offer(self: &Arc<Self>, append: Append) -> Result<(), Append> {
        let places = append.places();
        let append = match self.kept_for(&places) {
            Some(lane) => match lane.send(append) {
                Ok(()) => return Ok(()),
                Err(append) => append,
            },
            None => append,
        };
        if self.is_contended(&places) {
            self.enter(append);
            return Ok(());
        }
        Err(append)
    }

    fn is_contended(&self, places: &[Place]) -> bool {
        let now = Instant::now();
        with(&self.losses, |losses| places.iter().any(|place| losses.get(place).is_some_and(|losses| losses.is_contended(now))))
    }

    /// The lane that keeps all of the places, where it still waits.
    fn kept_for(&self, places: &[Place]) -> Option<oneshot::Sender<Append>> {
        with(&self.kept, |kept| {
            let lane = kept.get(places.first()?)?;
            let whole = places.iter().all(|place| kept.get(place).is_some_and(|other| Arc::ptr_eq(other, lane)));
            if whole { lane.lock().unwrap_or_else(PoisonError::into_inner).take() } else { None }
        })
    }

    /// Notes that an append lost its place to another.
    pub(super) fn lost(&self, append: &Append) {
        self.connections.counts().appends_lost.add(1);
        let now = Instant::now();
        with(&self.losses, |losses| {
            if losses.len() >= MANY {
                losses.retain(|_, losses| now < losses.last + CONTENDED);
            }
            for place in append.places() {
                let losses = losses.entry(place).or_insert(Losses { count: 0, last: now });
                losses.count = if now < losses.last + IN_A_ROW || losses.is_contended(now) { losses.count + 1 } else { 1 };
                losses.last = now;
            }
        });
    }

    /// Notes that an append won without a lane.
    pub(super) fn won(&self, append: &Append) {
        with(&self.losses, |losses| {
            if !losses.is_empty() {
                for place in append.places() {
                    losses.remove(&place);
                }
            }
        });
    }

    /// Sends an append through a lane.
    pub(super) fn enter(self: &Arc<Self>, append: Append) {
        self.connections.counts().lanes_entered.add(1);
        let lanes = Arc::clone(self);
        tokio::spawn(async move {
            let Ok(_turn) = lanes.turns.acquire().await else { return append.stop() };
            let patience = Patience::until(append.deadline);
            let mut appends = vec![append];
            if let Err(failure) = patience.bound(lanes.pass(&mut appends)).await {
                tracing::debug!(%failure, "a lane was cut off");
            }
            // What is left goes the common way, which knows how to try again.
            for append in appends {
                lanes.queue(append).await;
            }
        });
    }

    async fn queue(&self, append: Append) {
        let Some(jobs) = self.jobs.upgrade() else { return append.stop() };
        if let Err(mpsc::error::SendError(Job::Append(append))) = jobs.send(Job::Append(append)).await {
            append.stop();
        }
    }

    /// Waits for the places and stores the append, or what its writer makes of it once it has caught up. `appends` is left with what is
    /// not answered.
    async fn pass(&self, appends: &mut Vec<Append>) -> Result<(), Failure> {
        let lease = self.connections.lease().await?;
        let places: Vec<Place> = appends.iter().flat_map(Append::places).collect();
        if self.begin(&lease, &places, appends).await? {
            lease.done();
            return Ok(());
        }
        appends.iter().for_each(|append| self.lost(append));
        let kept = self.is_contended(&places).then(|| Kept::new(self, &places));
        appends.drain(..).for_each(|append| append.answer(Err(AppendError::Conflict)));
        if let Some(kept) = kept {
            appends.extend(kept.next().await);
        }
        if appends.is_empty() {
            lease.batch_execute("ROLLBACK").await?;
        } else {
            self.store(&lease, Mode::AtLast, appends).await?;
        }
        lease.done();
        self.connections.counts().appends_lost.add(appends.len());
        for append in appends.drain(..) {
            append.answer(Err(AppendError::Conflict));
        }
        Ok(())
    }

    /// Waits for the places, and stores what can be stored. Whether that was all, and the transaction has ended. All of it is sent at once:
    /// others wait for as long as the places are held.
    async fn begin(&self, lease: &Lease, places: &[Place], appends: &mut Vec<Append>) -> Result<bool, Failure> {
        Spaces::prepare_to_hold(lease).await?;
        let slots = slots(places.iter().map(|(_, stream)| *stream));
        let begin = async { Ok(lease.batch_execute("BEGIN").await?) };
        let hold = self.spaces.hold_places(lease, &slots);
        if must_resolve(lease, appends) {
            tokio::try_join!(begin, hold)?;
            resolve(lease, appends).await?;
            if appends.is_empty() {
                lease.batch_execute("ROLLBACK").await?;
                return Ok(true);
            }
            return self.store(lease, Mode::Alone, appends).await;
        }
        Ok(tokio::try_join!(begin, hold, self.store(lease, Mode::Alone, appends))?.2)
    }

    /// Whether all was stored, and the transaction has ended.
    async fn store(&self, lease: &Lease, mode: Mode, appends: &mut Vec<Append>) -> Result<bool, Failure> {
        let before: Vec<bool> = appends.iter().map(|append| append.doubtful).collect();
        appends.iter_mut().for_each(|append| append.doubtful = true);
        let result = write(lease, self.spaces, mode, appends, false).await;
        if !matches!(result, Err(Broken { doubtful: true, .. })) {
            appends.iter_mut().zip(before).for_each(|(append, before)| append.doubtful = before);
        }
        let won = result.map_err(|broken| broken.failure)?.iter().all(|verdict| *verdict == Verdict::Won);
        if won {
            appends.drain(..).for_each(|append| append.answer(Ok(())));
        }
        Ok(won)
    }
}

/// Places that are kept for the writer that lost them.
struct Kept<'a> {
    lanes: &'a Lanes,
    places: &'a [Place],
    lane: Lane,
    next: oneshot::Receiver<Append>,
}

impl<'a> Kept<'a> {
    fn new(lanes: &'a Lanes, places: &'a [Place]) -> Self {
        let (sender, next) = oneshot::channel();
        let lane = Arc::new(Mutex::new(Some(sender)));
        with(&lanes.kept, |kept| kept.extend(places.iter().map(|place| (place.clone(), Arc::clone(&lane)))));
        Self { lanes, places, lane, next }
    }

    /// What the writer appends, where it comes in time.
    async fn next(mut self) -> Option<Append> {
        if let Ok(next) = tokio::time::timeout(KEPT, &mut self.next).await {
            return next.ok();
        }
        // It may be on its way: from here on it is either refused, or here.
        self.next.close();
        self.next.try_recv().ok()
    }
}

impl Drop for Kept<'_> {
    fn drop(&mut self) {
        with(&self.lanes.kept, |kept| {
            for place in self.places {
                if kept.get(place).is_some_and(|lane| Arc::ptr_eq(lane, &self.lane)) {
                    kept.remove(place);
                }
            }
        });
    }
}

fn with<K, V, T>(map: &Mutex<HashMap<K, V>>, work: impl FnOnce(&mut HashMap<K, V>) -> T) -> T {
    work(&mut map.lock().unwrap_or_else(PoisonError::into_inner))
}
