//! Work that many ask for at the same time, done once for all of them.

use rollbook_store::StoreError;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::sync::Mutex;

/// The same work for whoever asks. One at a time does it.
///
/// Whoever asks while it is under way waits for the next, and never shares what is under way: that may have looked at the store before
/// something was acknowledged which he must see. So however many ask at once, it is done twice at most, or once if the second time
/// finds that it is done.
pub(super) struct Flight<T> {
    /// Counts the moments at which someone came or the work began: which of two is the later.
    moments: AtomicU64,
    last: Arc<Mutex<Option<Landed<T>>>>,
}

/// What came of the last time.
struct Landed<T> {
    begun: u64,
    result: Result<T, StoreError>,
}

impl<T> Default for Flight<T> {
    fn default() -> Self {
        Self { moments: AtomicU64::new(0), last: Arc::default() }
    }
}

impl<T: Clone + Send + 'static> Flight<T> {
    /// What came of the work at a time that began after the call. It goes on where its caller goes away, so that those who wait have it.
    ///
    /// # Errors
    /// As of the work, of which the failure is shared too: each waiting for a failure of its own would take ever longer.
    pub(super) async fn join(&self, work: impl Future<Output = Result<T, StoreError>> + Send + 'static) -> Result<T, StoreError> {
        let came = self.moments.fetch_add(1, Ordering::SeqCst);
        let mut last = Arc::clone(&self.last).lock_owned().await;
        if let Some(landed) = last.as_ref().filter(|landed| landed.begun > came) {
            return landed.result.clone();
        }
        let begun = self.moments.fetch_add(1, Ordering::SeqCst);
        let flight = tokio::spawn(async move {
            let result = work.await;
            *last = Some(Landed { begun, result: result.clone() });
            result
        });
        flight.await.map_err(|error| StoreError::Damaged(format!("shared work was cut off: {error}")))?
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicU32;
    use tokio::sync::{Notify, Semaphore};
    use tokio::task::JoinSet;

    /// Work that is counted, and waits until it is let go on.
    #[derive(Clone, Default)]
    struct Work(Arc<(AtomicU32, Notify, Notify)>);

    impl Work {
        async fn done(self, fails: bool) -> Result<u32, StoreError> {
            let (begun, here, released) = &*self.0;
            let number = begun.fetch_add(1, Ordering::SeqCst) + 1;
            here.notify_one();
            released.notified().await;
            if fails { Err(StoreError::Unavailable(format!("time {number}"))) } else { Ok(number) }
        }

        /// Waits until it is under way.
        async fn begun(&self) {
            self.0.1.notified().await;
        }

        fn release(&self) {
            self.0.2.notify_one();
        }
    }

    /// Lets everybody who was spawned come to where he waits.
    async fn settled() {
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
    }

    fn ask(all: &mut JoinSet<Result<u32, StoreError>>, flight: &Arc<Flight<u32>>, work: &Work, fails: bool) -> tokio::task::AbortHandle {
        let (flight, work) = (Arc::clone(flight), work.clone());
        all.spawn(async move { flight.join(work.done(fails)).await })
    }

    #[tokio::test]
    async fn who_comes_while_it_is_under_way_shares_the_next() {
        let (flight, work, mut all) = (Arc::default(), Work::default(), JoinSet::new());
        ask(&mut all, &flight, &work, false);
        work.begun().await;
        for _ in 0..31 {
            ask(&mut all, &flight, &work, false);
        }
        settled().await;
        work.release();
        assert_eq!(all.join_next().await.unwrap().unwrap().unwrap(), 1);
        work.begun().await;
        work.release();
        let shared: Vec<u32> = all.join_all().await.into_iter().map(Result::unwrap).collect();
        assert_eq!(shared, [2; 31]);
    }

    #[tokio::test]
    async fn a_caller_that_goes_away_leaves_the_work_to_those_who_wait() {
        let (flight, work, mut all) = (Arc::default(), Work::default(), JoinSet::new());
        let first = ask(&mut all, &flight, &work, false);
        work.begun().await;
        first.abort();
        assert!(all.join_next().await.unwrap().unwrap_err().is_cancelled());
        ask(&mut all, &flight, &work, false);
        settled().await;
        assert_eq!(work.0.0.load(Ordering::SeqCst), 1, "the first time is still under way");
        work.release();
        work.begun().await;
        work.release();
        assert_eq!(all.join_all().await.into_iter().map(Result::unwrap).collect::<Vec<_>>(), [2]);
    }

    #[tokio::test]
    async fn a_failure_is_of_those_only_who_came_before_it_began() {
        let (flight, work, mut all) = (Arc::default(), Work::default(), JoinSet::new());
        ask(&mut all, &flight, &work, true);
        work.begun().await;
        ask(&mut all, &flight, &work, false);
        settled().await;
        work.release();
        assert!(all.join_next().await.unwrap().unwrap().is_err());
        work.begun().await;
        work.release();
        assert_eq!(all.join_next().await.unwrap().unwrap().unwrap(), 2);
    }

    #[tokio::test]
    async fn a_panic_stops_nobody_else() {
        let flight = Arc::new(Flight::default());
        let here = Arc::new(Semaphore::new(0));
        let of_first = (Arc::clone(&flight), Arc::clone(&here));
        let first = tokio::spawn(async move {
            let here = of_first.1;
            of_first.0.join(async move { if here.acquire().await.is_ok() { panic!("planned") } else { Ok(1) } }).await
        });
        settled().await;
        let second = tokio::spawn(async move { flight.join(async { Ok(2) }).await });
        settled().await;
        here.add_permits(1);
        assert!(matches!(first.await.unwrap(), Err(StoreError::Damaged(_))));
        assert_eq!(second.await.unwrap().unwrap(), 2);
    }
}
