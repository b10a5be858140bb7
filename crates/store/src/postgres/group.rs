//! Appends that share a commit.

use super::waiting::{Append, Place};
use crate::contract::StoreError;
use std::collections::HashSet;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

/// The most appends that wait, and the most that share a commit.
pub(super) const MOST: usize = 1024;
/// Once the appends of a commit hold so many bytes, no more join it.
const MANY_BYTES: usize = 32 << 20;

/// What waits for the next commit.
pub(super) enum Job {
    Append(Append),
    /// Only whether a commit can be had.
    Probe(Instant, oneshot::Sender<Result<(), StoreError>>),
}

/// The jobs of one commit.
#[derive(Default)]
pub(super) struct Group {
    pub(super) appends: Vec<Append>,
    pub(super) probes: Vec<(Instant, oneshot::Sender<Result<(), StoreError>>)>,
    bytes: usize,
    streams: HashSet<Place>,
}

impl Group {
    /// One append alone.
    pub(super) fn of(append: Append) -> Self {
        Self { appends: vec![append], ..Self::default() }
    }

    /// Adds a job; hands it back where the group has one of its streams already: only a later statement can tell whether it follows.
    fn add(&mut self, job: Job) -> Result<(), Job> {
        match job {
            Job::Probe(deadline, reply) => self.probes.push((deadline, reply)),
            Job::Append(append) => {
                let places = append.places();
                if places.iter().any(|place| self.streams.contains(place)) {
                    return Err(Job::Append(append));
                }
                self.streams.extend(places);
                self.bytes += append.bytes();
                self.appends.push(append);
            }
        }
        Ok(())
    }

    fn is_full(&self) -> bool {
        self.appends.len() >= MOST || self.bytes >= MANY_BYTES
    }

    /// Tells those whose time is over, and returns when that of the next will be; none where nobody is left.
    pub(super) fn expire(&mut self, text: &str) -> Option<Instant> {
        let now = Instant::now();
        for late in self.appends.extract_if(.., |append| append.deadline <= now) {
            late.give_up(text);
        }
        for (_, reply) in self.probes.extract_if(.., |(deadline, _)| *deadline <= now) {
            let _ = reply.send(Err(StoreError::Unavailable(text.into())));
        }
        let probes = self.probes.iter().map(|(deadline, _)| *deadline);
        self.appends.iter().map(|append| append.deadline).chain(probes).min()
    }

    /// Tells all of them.
    pub(super) fn refuse(self, error: &StoreError) {
        for append in self.appends {
            append.answer(Err(error.clone().into()));
        }
        for (_, reply) in self.probes {
            let _ = reply.send(Err(error.clone()));
        }
    }
}

/// How many appends the last commit had, and how long it took.
#[derive(Clone, Copy, Default)]
pub(super) struct Pace {
    pub(super) size: usize,
    pub(super) took: Duration,
}

impl Pace {
    /// So often other tasks come to their turn: callers of this program are back by then.
    const TURNS: usize = 8;
    /// The shortest wait for callers from outside, as a timer can tell it.
    const SHORTEST: Duration = Duration::from_millis(1);
    /// The longest, however long a commit took that had to be tried again.
    const LONGEST: Duration = Duration::from_millis(5);

    /// How long to wait for those who were answered. They gain the wait many times over, and who comes alone is hardly delayed.
    fn wait(self) -> Option<Duration> {
        Some((self.took / 8).min(Self::LONGEST)).filter(|wait| *wait >= Self::SHORTEST)
    }
}

/// The next group; none where no more jobs can come. Those who were answered by the last commit are about to come again, and if the next
/// went without them they would wait for two. So it waits for as many as there were, a moment at most.
pub(super) async fn gather(queue: &mut mpsc::Receiver<Job>, deferred: &mut Vec<Job>, pace: Pace) -> Option<Group> {
    let mut waiting = std::mem::take(deferred).into_iter();
    let first = match waiting.next() {
        Some(job) => job,
        None => queue.recv().await?,
    };
    let mut group = Group::default();
    deferred.extend(group.add(first).err());
    let (mut turns, end) = (0, pace.wait().map(|wait| Instant::now() + wait));
    while !group.is_full() {
        let job = waiting.next().or_else(|| queue.try_recv().ok());
        if let Some(job) = job {
            deferred.extend(group.add(job).err());
        } else if group.appends.len() + deferred.len() >= pace.size {
            break;
        } else if turns < Pace::TURNS {
            turns += 1;
            tokio::task::yield_now().await;
        } else if let Some(end) = end
            && let Ok(Some(job)) = tokio::time::timeout_at(end, queue.recv()).await
        {
            deferred.extend(group.add(job).err());
        } else {
            break;
        }
    }
    deferred.extend(waiting);
    Some(group)
}
