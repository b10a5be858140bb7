//! A disk that stands still: what waits is bounded, who comes beyond is told so at once, other apps go on, and nothing is lost.

use rollbook::ledger::{IngestError, Ledger, Options, Receipt};
use rollbook_core::event::{Body, Event, PeerInfo, Place};
use rollbook_core::id::{App, Home, Name};
use rollbook_core::time::Timestamp;
use rollbook_store::faulty::{Method, When};
use rollbook_store::{FaultyStore, MemoryStore};
use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;

fn joined(n: u32) -> Event {
    let place = Place::new(Home::Session { session: Name::key("algebra"), meeting: None });
    let body = Body::PeerJoined(place.into(), PeerInfo::new(Name::key(n.to_string())));
    Event { source: "sfu".into(), id: n.to_string().into(), time: Timestamp::from_micros(n.into()), body }
}

const ONE: Receipt = Receipt { accepted: 1, duplicates: 0 };

#[tokio::test]
async fn what_waits_is_bounded_and_keeps_nobody_else_waiting() {
    let (store, faults) = FaultyStore::new(Arc::new(MemoryStore::new(Arc::new(Timestamp::default))));
    let ledger = Ledger::new(Arc::new(store), Options { segments: None, memory: 1 << 20 });
    let (busy, other) = (App::new("acme", "school").unwrap(), App::new("acme", "college").unwrap());
    let stall = faults.stall(Method::Append, 1, When::Before);
    let mut waiting = vec![Box::pin(ledger.ingest(&busy, vec![joined(0)]))];
    let first = waiting.first_mut().unwrap();
    assert!(poll_fn(|cx| Poll::Ready(first.as_mut().poll(cx).is_pending())).await);
    stall.reached().await;

    let turned_away = loop {
        let n = u32::try_from(waiting.len()).unwrap();
        assert!(n < 10_000, "there is no bound");
        let mut delivery = Box::pin(ledger.ingest(&busy, vec![joined(n)]));
        match poll_fn(|cx| Poll::Ready(delivery.as_mut().poll(cx))).await {
            Poll::Pending => waiting.push(delivery),
            Poll::Ready(answer) => break (n, answer),
        }
    };
    assert!(matches!(turned_away, (_, Err(IngestError::Overloaded))));
    assert_eq!(ledger.ingest(&other, vec![joined(0)]).await.unwrap(), ONE, "another app's is on disk meanwhile");

    stall.release();
    for delivery in waiting {
        assert_eq!(delivery.await.unwrap(), ONE);
    }
    assert_eq!(ledger.ingest(&busy, vec![joined(turned_away.0)]).await.unwrap(), ONE, "who comes again is taken");
    assert!(faults.calls(Method::Append) <= 5, "all that waited share a commit or two: {}", faults.calls(Method::Append));
}
