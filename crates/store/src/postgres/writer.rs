//! The task that commits. It takes all appends that wait and puts them into one transaction.

use super::failure::{Failure, Patience, again};
use super::lanes::Lanes;
use super::lease::Connections;
use super::locks::Spaces;
use super::transaction::{Mode, Verdict, write};
use super::waiting::{Append, resolve};
use crate::contract::{AppendError, StoreError};
use std::collections::HashSet;
use std::sync::Arc;
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

/// The most appends that wait, and the most that share a commit.
const MOST: usize = 1024;
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
struct Group {
    appends: Vec<Append>,
    probes: Vec<(Instant, oneshot::Sender<Result<(), StoreError>>)>,
    bytes: usize,
    streams: HashSet<super::waiting::Place>,
}

impl Group {
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
    fn expire(&mut self, text: &str) -> Option<Instant> {
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
}

/// Starts the task, and returns the way to it. The task ends when the last sender is dropped and the queue is done.
pub(super) fn start(connections: Arc<Connections>, spaces: Spaces) -> (mpsc::Sender<Job>, Arc<Lanes>) {
    let (jobs, queue) = mpsc::channel(MOST);
    let lanes = Arc::new(Lanes::new(Arc::clone(&connections), spaces, jobs.downgrade()));
    let writer = Writer { connections, spaces, lanes: Arc::clone(&lanes) };
    tokio::spawn(writer.run(queue));
    (jobs, lanes)
}

struct Writer {
    connections: Arc<Connections>,
    spaces: Spaces,
    lanes: Arc<Lanes>,
}

impl Writer {
    async fn run(self, mut queue: mpsc::Receiver<Job>) {
        // What met a stream of the group before it.
        let mut deferred: Vec<Job> = Vec::new();
        loop {
            let mut group = Group::default();
            let mut waiting = std::mem::take(&mut deferred).into_iter();
            let mut next = waiting.next();
            if next.is_none() {
                next = queue.recv().await;
            }
            let Some(mut job) = next else { return };
            loop {
                deferred.extend(group.add(job).err());
                if group.is_full() {
                    break;
                }
                let Some(other) = waiting.next().or_else(|| queue.try_recv().ok()) else { break };
                job = other;
            }
            deferred.extend(waiting);
            self.commit(group).await;
        }
    }

    /// Tries until every job of the group is answered or on its way elsewhere.
    async fn commit(&self, mut group: Group) {
        let mut text = String::from("the database does not answer");
        let mut pause = None;
        while let Some(deadline) = group.expire(&text) {
            let patience = pause.get_or_insert_with(|| Patience::until(deadline));
            patience.extend(deadline);
            let failure = match patience.bound(self.attempt(&mut group)).await {
                Ok(()) => return,
                Err(failure) => failure,
            };
            tracing::warn!(appends = group.appends.len(), %failure, "a commit failed");
            text = failure.to_string();
            match failure {
                Failure::Passing(_) => patience.pause().await,
                // One of them is what the database refuses: alone, each finds out for itself.
                Failure::Lasting(_) if group.appends.len() > 1 => {
                    for append in std::mem::take(&mut group.appends) {
                        Box::pin(self.commit(Group { appends: vec![append], ..Group::default() })).await;
                    }
                }
                Failure::Lasting(error) => return group.refuse(&error),
            }
        }
    }

    async fn attempt(&self, group: &mut Group) -> Result<(), Failure> {
        let lease = self.connections.lease().await?;
        resolve(&lease, &mut group.appends).await?;
        if group.appends.is_empty() && group.probes.is_empty() {
            lease.done();
            return Ok(());
        }
        // Whoever is cut off from here on has left the commit's fate open.
        let before: Vec<bool> = group.appends.iter().map(|append| append.doubtful).collect();
        group.appends.iter_mut().for_each(|append| append.doubtful = true);
        let verdicts = match write(&lease, self.spaces, Mode::Sharing, &group.appends, !group.probes.is_empty()).await {
            Ok(verdicts) => verdicts,
            Err(broken) => {
                if !broken.doubtful {
                    group.appends.iter_mut().zip(before).for_each(|(append, before)| append.doubtful = before);
                }
                return Err(broken.failure);
            }
        };
        for (_, reply) in group.probes.drain(..) {
            let _ = reply.send(Ok(()));
        }
        let mut lost = Vec::new();
        for ((mut append, verdict), before) in group.appends.drain(..).zip(verdicts).zip(before) {
            append.doubtful = before;
            match verdict {
                Verdict::Won => {
                    self.lanes.won(&append);
                    append.answer(Ok(()));
                }
                Verdict::Lost => lost.push(append),
                Verdict::Busy => self.lanes.enter(append),
            }
        }
        // An append may have lost to itself, where the answer to an earlier try never came.
        group.appends = lost;
        resolve(&lease, &mut group.appends).await?;
        lease.done();
        for append in group.appends.drain(..) {
            self.lanes.lost(&append);
            append.answer(Err(AppendError::Conflict));
        }
        Ok(())
    }
}

impl Group {
    fn refuse(self, error: &StoreError) {
        for append in self.appends {
            append.answer(Err(again(error).into()));
        }
        for (_, reply) in self.probes {
            let _ = reply.send(Err(again(error)));
        }
    }
}
