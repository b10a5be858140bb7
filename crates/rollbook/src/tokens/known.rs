//! Tokens as a running server knows them: looked up by digest in memory, and kept up to date by one task.

use super::{Digest, Grant, TokenChanges, TokenRecord, TokenStore};
use crate::http::{TokenLookup, TokensAway};
use crate::trouble::Trouble;
use async_trait::async_trait;
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::Instant;

/// How long after the last look the next begins, where nobody asks for one. A revoked token is refused within twice this.
const LOOK: Duration = Duration::from_millis(500);
/// Looks begin at least so far apart, however many unknown tokens come.
const APART: Duration = Duration::from_millis(20);
/// How long the bearer of an unknown token waits for a look.
const PATIENCE: Duration = Duration::from_secs(2);
/// How many wait for a look before more wait to wait.
const WAITING: usize = 4096;

type Known = BTreeMap<Digest, Grant>;
/// Told whether the look went well.
type Waiting = oneshot::Sender<bool>;

/// The tokens of a place. A token that was just made works at its first use: one that is unknown waits for the next look, which it shares
/// with all that wait. While the place can't be read, those known before stay in force.
pub struct KnownTokens {
    known: watch::Receiver<Known>,
    waiting: mpsc::Sender<Waiting>,
}

impl KnownTokens {
    /// Starts to look; the task ends when this is dropped.
    #[must_use]
    pub fn start(store: &dyn TokenStore) -> Self {
        let (found, known) = watch::channel(Known::default());
        let (waiting, queue) = mpsc::channel(WAITING);
        tokio::spawn(look(store.changes(), found, queue));
        Self { known, waiting }
    }

    fn find(&self, digest: &Digest) -> Option<Grant> {
        self.known.borrow().get(digest).cloned()
    }

    /// Waits until a token is known, which it may never be.
    async fn found(&self, digest: &Digest) {
        let mut known = self.known.clone();
        if known.wait_for(|known| known.contains_key(digest)).await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// Waits for a look that begins after the call; returns whether it went well.
    async fn looked(&self) -> bool {
        let (reply, told) = oneshot::channel();
        self.waiting.send(reply).await.is_ok() && told.await == Ok(true)
    }
}

#[async_trait]
impl TokenLookup for KnownTokens {
    async fn look_up(&self, token: &str) -> Result<Option<Grant>, TokensAway> {
        let digest = Digest::of(token);
        if let Some(grant) = self.find(&digest) {
            return Ok(Some(grant));
        }
        // A look that was under way may find it already; only one that begins now can tell that it is none.
        let told = tokio::select! {
            () = self.found(&digest) => true,
            looked = self.looked() => looked,
            () = tokio::time::sleep(PATIENCE) => false,
        };
        if told { Ok(self.find(&digest)) } else { Err(TokensAway) }
    }
}

async fn look(mut changes: Box<dyn TokenChanges>, found: watch::Sender<Known>, mut queue: mpsc::Receiver<Waiting>) {
    let mut waiting = Vec::new();
    let mut trouble = Trouble::with("tokens");
    // The first at once, so that those who come next are known.
    let mut pause = Duration::ZERO;
    // Whoever comes while a look is under way waits for the next: that one may have begun before the token was made.
    while tokio::time::timeout(pause, queue.recv_many(&mut waiting, WAITING)).await != Ok(0) {
        let began = Instant::now();
        let outcome = changes.next().await;
        trouble.tell(outcome.as_ref().err().map(ToString::to_string));
        let well = outcome.is_ok();
        if let Ok(Some(tokens)) = outcome {
            found.send_replace(by_digest(tokens));
        }
        for waiting in waiting.drain(..) {
            // Nobody listens where the request was given up.
            let _ = waiting.send(well);
        }
        tokio::time::sleep_until(began + APART).await;
        pause = LOOK;
    }
}

fn by_digest(tokens: Vec<TokenRecord>) -> BTreeMap<Digest, Grant> {
    tokens.into_iter().map(|token| (token.digest, token.grant)).collect()
}
