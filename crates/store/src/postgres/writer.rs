//! The task that commits. It takes all appends that wait and puts them into one transaction.
//!
//! While one transaction is being synced the next is made ready. Nothing depends on which of them ends first: an append that builds on
//! another comes after the other was answered, and of two that want one place the journal's key lets one in.

use super::failure::{Failure, Patience, SILENT};
use super::group::{Group, Job, MOST, Pace, gather};
use super::lanes::Lanes;
use super::lease::Connections;
use super::locks::Spaces;
use super::transaction::{Mode, Verdict, write};
use super::waiting::resolve;
use crate::contract::AppendError;
use std::sync::Arc;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::Instant;

/// So many transactions at once, each on a connection of its own.
const AT_ONCE: usize = 2;

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
        let (this, mut commits, mut deferred, mut pace) = (Arc::new(self), JoinSet::new(), Vec::new(), Pace::default());
        loop {
            while commits.len() >= AT_ONCE {
                pace = commits.join_next().await.and_then(Result::ok).unwrap_or_default();
            }
            while let Some(done) = commits.try_join_next() {
                pace = done.unwrap_or_default();
            }
            let Some(group) = gather(&mut queue, &mut deferred, pace).await else { break };
            let (this, began, size) = (Arc::clone(&this), Instant::now(), group.appends.len());
            commits.spawn(async move {
                this.commit(group).await;
                Pace { size, took: began.elapsed() }
            });
        }
        // Dropping the set would end them.
        while commits.join_next().await.is_some() {}
    }

    /// Tries until every job of the group is answered or on its way elsewhere.
    async fn commit(&self, mut group: Group) {
        let mut text = String::from(SILENT);
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
                Failure::Passing(_) => {
                    self.connections.counts().commits_retried.add(1);
                    patience.pause().await;
                }
                // One of them is what the database refuses: alone, each finds out for itself.
                Failure::Lasting(_) if group.appends.len() > 1 => {
                    for append in std::mem::take(&mut group.appends) {
                        Box::pin(self.commit(Group::of(append))).await;
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
