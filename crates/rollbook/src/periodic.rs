//! Work that is done from time to time, by one node of those that share a store.
//!
//! Each piece is a duty: whichever node has it does the work, and when that node ends or loses its database, another takes over. For a moment
//! two may do it at once, so it must be safe to do twice.

mod expiry;

pub use expiry::expire_kept;

use rollbook_store::{Store, StoreError};
use std::sync::Arc;
use std::time::Duration;

/// A node that has no part in a duty asks for it again after this.
const ASK_AGAIN: Duration = Duration::from_secs(15);

/// Does `work` every `every`, the first time at once, whenever this node has the duty `name`. Never ends.
async fn on_duty<F>(store: Arc<dyn Store>, name: &str, every: Duration, work: impl Fn() -> F)
where
    F: Future<Output = Result<(), StoreError>>,
{
    while_on_duty(store, name, || repeat(name, every, &work)).await;
}

/// Does `work`, which does not end by itself, for as long as this node has the duty `name`, and from the beginning when it has it again. Never
/// ends.
pub(crate) async fn while_on_duty<F>(store: Arc<dyn Store>, name: &str, work: impl Fn() -> F)
where
    F: Future<Output = ()>,
{
    loop {
        match store.duty(name).await {
            Ok(Some(mut duty)) => {
                tracing::debug!(name, "this node has the duty");
                tokio::select! {
                    () = work() => {}
                    () = duty.lost() => tracing::info!(name, "this node has lost the duty"),
                }
            }
            Ok(None) => {}
            Err(error) => tracing::warn!(name, %error, "the duty can't be asked for"),
        }
        tokio::time::sleep(ASK_AGAIN).await;
    }
}

async fn repeat<F>(name: &str, every: Duration, work: impl Fn() -> F)
where
    F: Future<Output = Result<(), StoreError>>,
{
    loop {
        if let Err(error) = work().await {
            tracing::warn!(name, %error, "periodic work failed, and will be tried again at its time");
        }
        tokio::time::sleep(every).await;
    }
}
