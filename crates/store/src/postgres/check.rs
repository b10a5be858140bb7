//! The check that is shared: what a reader does not know yet, asked by one query for all readers that wait.
//!
//! One is under way at a time. A reader waits for the next that begins after it came, and never joins one that is under way: that one may
//! have looked before something was acknowledged which the reader must see.

use super::asked::{Answer, Asked, Found, Manner};
use super::failure::{Failure, Patience, silent, stopped};
use super::lease::Connections;
use super::replica::Horizon;
use crate::contract::{Seq, StoreError};
use rollbook_core::id::{App, Stream};
use std::sync::Arc;
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;
use uuid::Uuid;

/// The most readers that wait, and the most that share a query.
const MOST: usize = 4096;
/// Of one stream the check reads up to so many batches. Who misses more reads by itself, so that nobody waits for it.
pub(super) const FEW: u32 = 64;

/// A reader that waits. One without an app has nothing to ask for but the horizon.
struct Question {
    app: Option<App>,
    known: Vec<(Stream, Seq)>,
    /// Parents, each with how many streams the reader knows that it leads to.
    children: Vec<(Uuid, u64)>,
    /// When the reader gives up.
    deadline: Instant,
    reply: oneshot::Sender<Result<Answer, StoreError>>,
}

/// The way to the task that checks. The task ends when the last of these is dropped and the queue is done.
#[derive(Clone)]
pub(super) struct Check {
    connections: Arc<Connections>,
    questions: mpsc::Sender<Question>,
}

impl Check {
    /// Starts the task.
    pub(super) fn start(connections: Arc<Connections>, manner: Manner) -> Self {
        let (questions, queue) = mpsc::channel(MOST);
        tokio::spawn(answer_all(Arc::clone(&connections), manner, queue));
        Self { connections, questions }
    }

    pub(super) async fn ask(&self, app: &App, known: &[(Stream, Seq)], children: &[(Uuid, u64)]) -> Result<Answer, StoreError> {
        self.put(Some(app.clone()), known.to_vec(), children.to_vec()).await
    }

    /// Asks only how far a replica must be to know what was acknowledged before the call. None where that can't be told.
    pub(super) async fn horizon(&self) -> Option<Horizon> {
        self.put(None, Vec::new(), Vec::new()).await.ok()?.horizon
    }

    async fn put(&self, app: Option<App>, known: Vec<(Stream, Seq)>, children: Vec<(Uuid, u64)>) -> Result<Answer, StoreError> {
        let (reply, answer) = oneshot::channel();
        // It counts from now: the check may come only after others that fail.
        let deadline = self.connections.deadline();
        let question = Question { app, known, children, deadline, reply };
        let asking = async {
            self.questions.send(question).await.map_err(|_| stopped())?;
            answer.await.map_err(|_| stopped())?
        };
        tokio::time::timeout_at(deadline, asking).await.unwrap_or_else(|_| Err(silent()))
    }
}

async fn answer_all(connections: Arc<Connections>, manner: Manner, mut queue: mpsc::Receiver<Question>) {
    let mut waiting = Vec::new();
    while queue.recv_many(&mut waiting, MOST).await > 0 {
        let mut asked = Asked::of(waiting.iter().filter_map(|question| Some((question.app.as_ref()?, &question.known[..]))));
        for Question { app, children, .. } in &waiting {
            app.iter().for_each(|app| asked.add_parents(app, children));
        }
        connections.counts().checks.add(1);
        connections.counts().readers.add(waiting.len());
        let found = insist(&asked, &connections, manner, &waiting).await;
        for Question { app, known, children, reply, .. } in waiting.drain(..) {
            let answer = match &found {
                Ok(found) => asked.answer(found, manner, app.as_ref(), &known, &children).map_err(told),
                Err(error) => Err(error.clone()),
            };
            // Nobody listens where the reader's future was dropped.
            let _ = reply.send(answer);
        }
    }
}

/// Tries as long as someone waits.
async fn insist(asked: &Asked, connections: &Connections, manner: Manner, waiting: &[Question]) -> Result<Found, StoreError> {
    let last = waiting.iter().map(|question| question.deadline).max();
    let mut patience = Patience::until(last.unwrap_or_else(|| connections.deadline()));
    loop {
        let attempt = async {
            let lease = connections.lease().await?;
            let found = asked.ask(&lease, manner).await?;
            lease.done();
            Ok(found)
        };
        match patience.bound(attempt).await {
            Ok(found) => return Ok(found),
            Err(failure) => patience.after(failure).await?,
        }
    }
}

fn told(failure: Failure) -> StoreError {
    match failure {
        Failure::Lasting(error) => error,
        Failure::Passing(text) => StoreError::Unavailable(text),
    }
}
