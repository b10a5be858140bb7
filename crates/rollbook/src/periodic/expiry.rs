//! Deliveries that were kept raw, and that nobody came for.

use super::on_duty;
use rollbook_store::Store;
use std::sync::Arc;
use std::time::Duration;

const HOUR: Duration = Duration::from_secs(3600);

/// Drops, every hour, the deliveries that were kept more than so many days ago. With 0 days, none ever. Never ends.
pub async fn expire_kept(store: Arc<dyn Store>, days: u32) {
    if days == 0 {
        return std::future::pending().await;
    }
    let work = || async {
        match store.expire_kept(24 * HOUR * days).await? {
            0 => {}
            dropped => tracing::info!(dropped, days, "deliveries that were kept raw are dropped for their age"),
        }
        Ok(())
    };
    on_duty(Arc::clone(&store), "expire kept deliveries", HOUR, work).await;
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use rollbook_store::faulty::{Method, When};
    use rollbook_store::suite::fixtures::{HandClock, app, at};
    use rollbook_store::{FaultyStore, MemoryStore};

    const DAY: i64 = 24 * 3_600_000_000;

    /// Two deliveries, of days 0 and 2; time goes on as the test says.
    #[tokio::test(start_paused = true)]
    async fn what_is_older_goes_within_the_hour_whatever_failed_before() {
        let clock = HandClock::default();
        let (store, faults) = FaultyStore::new(Arc::new(MemoryStore::new(clock.clock())));
        let store: Arc<dyn Store> = Arc::new(store);
        store.keep(&app(), "zoom", Bytes::from_static(b"old")).await.unwrap();
        clock.set(at(2 * DAY));
        store.keep(&app(), "zoom", Bytes::from_static(b"new")).await.unwrap();
        let left = async || store.kept(&app(), 0, 9).await.unwrap().len();

        faults.fail(Method::Duty, 1, When::Before);
        faults.fail(Method::ExpireKept, 2, When::Before);
        let task = tokio::spawn(expire_kept(Arc::clone(&store), 3));
        tokio::time::sleep(2 * HOUR / 3).await;
        assert_eq!((left().await, faults.calls(Method::Duty), faults.calls(Method::ExpireKept)), (2, 2, 1), "nothing is three days old");
        clock.set(at(3 * DAY + 1));
        tokio::time::sleep(HOUR).await;
        assert_eq!((left().await, faults.calls(Method::ExpireKept)), (2, 2), "the second time it failed");
        tokio::time::sleep(HOUR).await;
        assert_eq!((left().await, faults.calls(Method::ExpireKept), faults.calls(Method::Duty)), (1, 3, 2));
        task.abort();
    }

    #[tokio::test(start_paused = true)]
    async fn with_no_days_nothing_goes() {
        let clock = HandClock::default();
        let store: Arc<dyn Store> = Arc::new(MemoryStore::new(clock.clock()));
        store.keep(&app(), "zoom", Bytes::from_static(b"old")).await.unwrap();
        clock.set(at(i64::MAX));
        let ended = tokio::time::timeout(3 * HOUR, expire_kept(Arc::clone(&store), 0)).await;
        assert!(ended.is_err());
        assert_eq!(store.kept(&app(), 0, 9).await.unwrap().len(), 1);
    }
}
