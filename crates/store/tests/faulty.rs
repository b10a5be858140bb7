//! The contract, held by the faulty store while nothing is planned, and its faults.

use rollbook_store::faulty::{Method, When};
use rollbook_store::suite::Subject;
use rollbook_store::suite::fixtures::{HandClock, app, append, entry, head, session};
use rollbook_store::{AppendError, Clock, FaultyStore, MemoryStore, Store};
use std::sync::Arc;

fn faultless(clock: Clock) -> Subject {
    Subject::alone(FaultyStore::new(Arc::new(MemoryStore::new(clock))).0)
}

rollbook_store::contract_suite!(faultless);

#[tokio::test]
async fn a_call_fails_before_or_after_its_effect() {
    let (store, faults) = FaultyStore::new(Arc::new(MemoryStore::new(HandClock::default().clock())));
    faults.fail(Method::Append, 2, When::Before);
    faults.fail(Method::Append, 3, When::After);
    append(&store, [entry(session(1), 0, "taken")]).await.unwrap();
    assert!(matches!(append(&store, [entry(session(1), 1, "lost")]).await, Err(AppendError::Store(_))));
    assert_eq!(head(&store, session(1)).await.unwrap(), 1);
    assert!(matches!(append(&store, [entry(session(1), 1, "in doubt")]).await, Err(AppendError::Store(_))));
    assert_eq!(head(&store, session(1)).await.unwrap(), 2);
    append(&store, [entry(session(1), 2, "taken")]).await.unwrap();
    assert_eq!((faults.calls(Method::Append), faults.calls(Method::Since), faults.calls(Method::Keep)), (4, 2, 0));
}

#[tokio::test]
async fn a_call_waits_until_it_is_released() {
    for when in [When::Before, When::After] {
        let (store, faults) = FaultyStore::new(Arc::new(MemoryStore::new(HandClock::default().clock())));
        let store = Arc::new(store);
        let stall = faults.stall(Method::Append, 1, when);
        let late = Arc::clone(&store);
        let call = tokio::spawn(async move { append(&*late, [entry(session(1), 0, "x")]).await });
        stall.reached().await;
        assert!(!call.is_finished());
        assert_eq!(head(&*store, session(1)).await.unwrap(), u64::from(when == When::After));
        stall.release();
        call.await.unwrap().unwrap();
        assert_eq!(head(&*store, session(1)).await.unwrap(), 1);
    }
}

#[tokio::test]
async fn a_store_that_is_down_does_nothing_until_it_is_up() {
    let (store, faults) = FaultyStore::new(Arc::new(MemoryStore::new(HandClock::default().clock())));
    faults.set_down(true);
    assert!(append(&store, [entry(session(1), 0, "x")]).await.is_err());
    assert!(store.ready().await.is_err());
    assert!(store.unsettled(&app()).await.is_err());
    faults.set_down(false);
    assert_eq!(head(&store, session(1)).await.unwrap(), 0);
}
