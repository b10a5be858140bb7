//! The right to do what only one node is to do.

use std::convert::Infallible;
use tokio::sync::oneshot;

/// A duty that was granted: see [`crate::Store::duty`]. Dropping it gives it back.
#[derive(Debug)]
pub struct Duty(Option<Bond>);

/// Whoever holds the other ends is told by dropping one's own.
#[derive(Debug)]
struct Bond {
    lost: oneshot::Receiver<Infallible>,
    _kept: oneshot::Sender<Infallible>,
}

/// The store's side of a duty.
#[derive(Debug)]
pub(crate) struct Guard {
    /// Ends when the duty is given back.
    pub(crate) given_back: oneshot::Receiver<Infallible>,
    /// Dropped when it is lost.
    pub(crate) kept: oneshot::Sender<Infallible>,
}

impl Duty {
    /// One that is never lost: of a store that has one node.
    pub(crate) fn for_good() -> Self {
        Self(None)
    }

    /// One that is held as long as both sides are.
    pub(crate) fn guarded() -> (Self, Guard) {
        let (kept, lost) = oneshot::channel();
        let (_kept, given_back) = oneshot::channel();
        (Self(Some(Bond { lost, _kept })), Guard { given_back, kept })
    }

    /// Waits until the duty is lost. It may be another node's already when this says so.
    pub async fn lost(&mut self) {
        match &mut self.0 {
            Some(bond) => drop((&mut bond.lost).await),
            None => std::future::pending().await,
        }
    }
}
