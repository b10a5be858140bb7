//! The router over a ledger, asked as clients ask. The store is the parent module's.

mod deliveries;
mod document;
mod front;
mod kept;
mod reads;
mod refusals;
mod searches;
mod writes;

use super::store;
use crate::engines::Engines;
use crate::http::{self, AppState, Limits, Metrics, TokenLookup, TokensAway};
use crate::ledger::{Ledger, Options};
use crate::tokens::{Grant, Permission};
use async_trait::async_trait;
use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Request, StatusCode};
use rollbook_core::time::Timestamp;
use rollbook_ingest::janus::JanusOptions;
use rollbook_store::faulty::Faults;
use rollbook_store::suite::Subject;
use rollbook_store::{FaultyStore, Store};
use serde_json::Value;
use std::any::Any;
use std::sync::Arc;
use tower::ServiceExt;

/// Half past ten, an hour after the events of most tests.
const NOW: &str = "2026-01-31T10:30:00Z";
const KIT: &str = "/client/v4/accounts/acme/realtime/kit/school";
const EVENTS: &str = "/v1/accounts/acme/apps/school/events";
const JANUS: &str = "/v1/accounts/acme/apps/school/engines/janus";
const SESSION: &str = "0d3b2a4e-0000-4000-8000-000000000001";
const ANA: &str = "0d3b2a4e-0000-4000-8000-00000000000a";
const BEN: &str = "0d3b2a4e-0000-4000-8000-00000000000b";

/// The token is its own permission, with whom it is for where that is not acme.
struct Tokens;

#[async_trait]
impl TokenLookup for Tokens {
    async fn look_up(&self, token: &str) -> Result<Option<Grant>, TokensAway> {
        let grant =
            |account: &str, app: Option<&str>, permission| Some(Grant { account: account.into(), app: app.map(Into::into), permission });
        Ok(match token {
            "admin" => grant("acme", None, Permission::RealtimeAdmin),
            "read" => grant("acme", Some("school"), Permission::Realtime),
            "ingest" => grant("acme", Some("school"), Permission::Ingest),
            "other-app" => grant("acme", Some("choir"), Permission::RealtimeAdmin),
            "other-account" => grant("evil", None, Permission::RealtimeAdmin),
            "panic" => panic!("with a secret"),
            "away" => return Err(TokensAway),
            _ => None,
        })
    }
}

/// The API, and the switch that takes its store away.
struct Api {
    service: http::Api,
    metrics: Metrics,
    faults: Faults,
    store: Arc<dyn Store>,
    /// What must outlive the store, such as its folder.
    _alive: Box<dyn Any>,
}

struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: Vec<u8>,
}

fn node(store: &Arc<dyn Store>, limits: Limits) -> (http::Api, Metrics) {
    let now = Timestamp::parse_rfc3339(NOW).unwrap();
    let ledger = Ledger::new(Arc::clone(store), Options { segments: None, memory: 1 << 20 });
    let metrics = Metrics::default();
    let engines = Engines::with(&deliveries::engines(), JanusOptions::default(), Arc::new(move || now)).unwrap();
    let state = AppState { ledger, tokens: Arc::new(Tokens), limits, metrics: metrics.clone(), engines };
    (http::api(state), metrics)
}

impl Api {
    async fn new() -> Self {
        Self::with(Limits::default()).await
    }

    async fn with(limits: Limits) -> Self {
        let now = Timestamp::parse_rfc3339(NOW).unwrap();
        let Subject { store, alive, .. } = store(now).await;
        let (store, faults) = FaultyStore::new(store);
        let store: Arc<dyn Store> = Arc::new(store);
        let (service, metrics) = node(&store, limits);
        Self { service, metrics, faults, store, _alive: alive }
    }

    /// Lets another node, which knows nothing yet, answer from here on.
    fn restart(&mut self) {
        (self.service, self.metrics) = node(&self.store, Limits::default());
    }

    async fn send(&self, request: Request<Body>) -> Answer {
        let response = self.service.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let body = to_bytes(body, usize::MAX).await.unwrap().to_vec();
        assert!(parts.headers.contains_key("x-request-id"), "every answer has a name");
        Answer { status: parts.status, headers: parts.headers, body }
    }

    /// Reads with a token that may.
    async fn get(&self, path: &str) -> Answer {
        self.get_as("read", path).await
    }

    async fn get_as(&self, token: &str, path: &str) -> Answer {
        let request = Request::get(path).header("authorization", format!("Bearer {token}"));
        self.send(request.body(Body::empty()).unwrap()).await
    }

    async fn post(&self, path: &str, content_type: &str, body: impl Into<Body>) -> Answer {
        let request = Request::post(path).header("authorization", "Bearer ingest").header("content-type", content_type);
        self.send(request.body(body.into()).unwrap()).await
    }

    /// Reports events, an event a line, and expects them to be new.
    async fn report(&self, lines: &[String]) {
        let answer = self.post(EVENTS, "application/x-ndjson", lines.join("\n")).await;
        let expected = format!(r#"{{"success":true,"data":{{"accepted":{},"duplicates":0}}}}"#, lines.len());
        assert_eq!((answer.status, answer.text()), (StatusCode::OK, expected));
    }
}

impl Answer {
    fn text(&self) -> String {
        String::from_utf8(self.body.clone()).unwrap()
    }

    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("no JSON: {}", self.text()))
    }

    /// The answer's data, of a success.
    fn data(&self) -> Value {
        assert_eq!(self.status, StatusCode::OK, "{}", self.text());
        assert_eq!(self.json()["success"], true);
        self.json()["data"].clone()
    }

    /// The message of a failure, whose envelope must be whole.
    fn failure(&self, status: u16) -> String {
        assert_eq!(self.status, status, "{}", self.text());
        assert_eq!(self.headers["content-type"], "application/json");
        let json = self.json();
        assert_eq!((&json["success"], &json["error"]["code"]), (&Value::Bool(false), &Value::from(status)));
        assert_eq!(json["errors"][0]["code"], status);
        json["error"]["message"].as_str().unwrap().to_owned()
    }
}

/// A peer's event in the session, by source `sfu`, with more members of `peer` and `data`.
fn peer(kind: &str, id: u32, time: &str, peer: &str, more: &str) -> String {
    format!(
        r#"{{"specversion":"1.0","type":"rollbook.peer.{kind}","source":"sfu","id":"{id}","time":"2026-01-31T{time}Z","data":{{"session":{{"id":"{SESSION}","meeting_title":"Algebra"}},"peer":{{"id":"{peer}"{more}}}}}}}"#
    )
}

/// Ana came and went twice; Ben is in.
async fn with_a_lesson() -> Api {
    let api = Api::new().await;
    let ana = r#","user_id":"u-ana","custom_participant_id":"c-1","display_name":"Ana \"A\"","preset_name":"host","preset_view_type":"GROUP_CALL""#;
    api.report(&[
        peer("joined", 1, "09:30:00", ANA, ana),
        peer("left", 2, "09:35:48.582", ANA, ""),
        peer("joined", 3, "09:40:00", ANA, ""),
        peer("left", 4, "09:41:00", ANA, ""),
        peer("joined", 5, "10:00:00.123456", BEN, ""),
    ])
    .await;
    api
}
