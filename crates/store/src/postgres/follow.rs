//! The task that follows a replica: it looks where the replica stands for all readers that wait, and while the replica can't be used, looks
//! from time to time whether it can be again.

use super::check::Check;
use super::failure::Failure;
use super::lease::Connections;
use super::replica::{Horizon, PATIENCE, Usable};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

/// The most readers that wait.
const MOST: usize = 4096;
/// Between two looks, while someone waits.
const PAUSE: Duration = Duration::from_millis(3);
/// Between two looks at a replica that can't be used.
const REST: Duration = Duration::from_secs(1);

/// Someone who waits until the replica has reached a horizon. That it can't be used is told by dropping the reply.
pub(super) struct Wait {
    horizon: Horizon,
    deadline: Instant,
    reply: Option<oneshot::Sender<()>>,
}

impl Wait {
    pub(super) fn new(horizon: Horizon, reply: Option<oneshot::Sender<()>>) -> Self {
        Self { horizon, deadline: Instant::now() + PATIENCE, reply }
    }
}

/// Starts the task. It ends when the sender is dropped.
pub(super) fn start(connections: Arc<Connections>, check: Check, usable: Usable) -> mpsc::Sender<Wait> {
    let (waits, queue) = mpsc::channel(MOST);
    tokio::spawn(Follower { connections, check, usable }.run(queue));
    waits
}

struct Follower {
    connections: Arc<Connections>,
    check: Check,
    usable: Usable,
}

impl Follower {
    async fn run(self, mut queue: mpsc::Receiver<Wait>) {
        let mut waiting = Vec::new();
        loop {
            if waiting.is_empty() {
                let first = if self.usable.get() { queue.recv().await.map(Some) } else { self.rest(&mut queue).await };
                match first {
                    None => return,
                    Some(wait) => waiting.extend(wait),
                }
            }
            while let Ok(wait) = queue.try_recv() {
                waiting.push(wait);
            }
            if !waiting.is_empty() {
                self.look(&mut waiting).await;
            }
            if !waiting.is_empty() {
                tokio::time::sleep(PAUSE).await;
            }
        }
    }

    /// Waits for a moment, and then for the replica to come as far as the primary is. None where the task is to end.
    async fn rest(&self, queue: &mut mpsc::Receiver<Wait>) -> Option<Option<Wait>> {
        if let Ok(wait) = tokio::time::timeout(REST, queue.recv()).await {
            return wait.map(Some);
        }
        let horizon = self.check.horizon().await;
        Some(horizon.map(|horizon| Wait::new(horizon, None)))
    }

    /// Looks where the replica stands, and tells whoever that concerns. A replica that can't be asked has as long as one that is behind: it may
    /// be about to get the ledger, or to start.
    async fn look(&self, waiting: &mut Vec<Wait>) {
        let why = match self.standing().await {
            Ok(standing) => {
                for wait in waiting.extract_if(.., |wait| standing.has_reached(wait.horizon)) {
                    self.usable.gain();
                    // Nobody listens where the reader's future was dropped.
                    wait.reply.map(|reply| reply.send(()));
                }
                "it is behind the primary, or of another timeline".to_owned()
            }
            Err(failure) => failure.to_string(),
        };
        let now = Instant::now();
        if waiting.extract_if(.., |wait| wait.deadline <= now).count() > 0 {
            self.usable.lose(&why);
        }
    }

    /// Has a connection beside those that readers share, so that it needs not wait for a long list.
    async fn standing(&self) -> Result<Horizon, Failure> {
        let look = async {
            let lease = self.connections.lease().await?;
            let standing = Horizon::of_replica(&lease).await?;
            lease.done();
            Ok(standing)
        };
        tokio::time::timeout(PATIENCE, look).await?
    }
}
