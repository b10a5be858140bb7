use super::*;
use axum::Router;
use axum::http::StatusCode;
use axum::routing::get;
use serde_json::json;
use std::sync::atomic::{AtomicU64, Ordering};

/// Two keys, and what each made of the body `{}`.
const FIRST: (&str, &str) = (include_str!("first.pem"), include_str!("first.sig"));
const SECOND: (&str, &str) = (include_str!("second.pem"), include_str!("second.sig"));

/// What is published, and how often it was fetched.
#[derive(Clone, Default)]
struct Well {
    says: Arc<std::sync::Mutex<(u16, String)>>,
    fetched: Arc<AtomicU64>,
}

impl Well {
    async fn dug() -> (Self, FetchedKeys) {
        let well = Self::default();
        let told = well.clone();
        let tell = move || {
            told.fetched.fetch_add(1, Ordering::Relaxed);
            let (status, body) = told.says.lock().unwrap().clone();
            async move { (StatusCode::from_u16(status).unwrap(), body) }
        };
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/.well-known/webhooks.json", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, Router::new().route("/.well-known/webhooks.json", get(tell))).await });
        let keys = FetchedKeys::open("realtimekit", &url, engine::Settings::default()).unwrap();
        (well, FetchedKeys { pause: Duration::ZERO, ..keys })
    }

    fn publishes(&self, key: &str) {
        *self.says.lock().unwrap() = (200, json!({"success": true, "data": {"publicKey": key}, "message": ""}).to_string());
    }

    fn fetched(&self) -> u64 {
        self.fetched.load(Ordering::Relaxed)
    }
}

/// Whether a delivery with this signature is one of the engine's.
fn holds(keys: &FetchedKeys, signature: &str) -> bool {
    let headers: [(&str, &[u8]); 1] = [("rtk-signature", signature.as_bytes())];
    match keys.verify(&Delivery { headers: &headers, body: b"{}", ..Delivery::default() }) {
        Ok(()) => true,
        Err(refusal) => {
            assert_eq!((refusal.kind(), keys.status(&refusal)), ("bad_signature", 503), "it is repeated, and the key may be known by then");
            false
        }
    }
}

#[tokio::test]
async fn a_key_that_was_replaced_holds_for_a_while() {
    let (well, keys) = Well::dug().await;
    assert!(keys.verifies() && !holds(&keys, FIRST.1));
    well.publishes(FIRST.0);
    assert!(keys.changed_since(0).await && holds(&keys, FIRST.1) && !holds(&keys, SECOND.1));
    assert!(!keys.changed_since(1).await, "it is the same");
    well.publishes(SECOND.0);
    assert!(keys.changed_since(1).await && holds(&keys, FIRST.1) && holds(&keys, SECOND.1));
    assert!(keys.changed_since(1).await, "somebody else has fetched it since");
    assert_eq!(well.fetched(), 3);
    assert!(!keys.changed_since(2).await && holds(&keys, FIRST.1));
    let keys = FetchedKeys { hold: Duration::ZERO, ..keys };
    assert!(!keys.changed_since(2).await && !holds(&keys, FIRST.1) && holds(&keys, SECOND.1));
}

#[tokio::test]
async fn what_is_no_key_leaves_the_known_one() {
    let (well, keys) = Well::dug().await;
    well.publishes(FIRST.0);
    assert!(keys.changed_since(0).await);
    let bad = [(503, String::new()), (200, "<html>".into()), (200, "{}".into()), (200, r#"{"data":{"publicKey":"no PEM"}}"#.into())];
    for says in bad {
        *well.says.lock().unwrap() = says;
        assert!(!keys.changed_since(1).await && holds(&keys, FIRST.1));
    }
}

#[tokio::test]
async fn it_is_not_fetched_more_often_than_anybody_likes() {
    let (well, keys) = Well::dug().await;
    let keys = FetchedKeys { pause: PAUSE, ..keys };
    *well.says.lock().unwrap() = (503, String::new());
    tokio::join!(keys.changed_since(0), keys.changed_since(0), keys.changed_since(0));
    assert!(!keys.changed_since(0).await);
    assert_eq!(well.fetched(), 1);
}

#[test]
fn only_an_engine_that_publishes_a_key_has_one_fetched() {
    let open = |name: &str, url: &str| FetchedKeys::open(name, url, engine::Settings::default()).map(|_| ());
    assert_eq!(open("livekit", "https://x.org"), Err("livekit publishes no key; realtimekit does".to_owned()));
    assert!(open("realtimekit", "x.org").unwrap_err().contains("no address"));
}
