use super::*;
use crate::config::{EngineEntry, SecretPlace};
use serde_json::json;
use std::path::Path;

/// The school's LiveKit, and no other app's.
pub(super) fn engines() -> Vec<EngineEntry> {
    let secret_file = Some(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/http/suite/secret.txt"));
    let secrets = vec![SecretPlace { id: "APIkey".into(), secret_env: None, secret_file }];
    let (account, app, engine) = ("acme".into(), "school".into(), "livekit".into());
    vec![EngineEntry { account, app, engine, secrets, options: toml::Table::new(), mapping_file: None }]
}

const LIVEKIT: &str = "/v1/accounts/acme/apps/school/engines/livekit";
const JOINED: &str = r#"{"event":"participant_joined","id":"EV_1","createdAt":"1769855340","room":{"sid":"RM_a","name":"algebra"},"participant":{"sid":"PA_1","identity":"u1","name":"Ann","joinedAtMs":"1769855340000"}}"#;
/// Made a minute before [`NOW`].
const SIGNATURE: &str = "eyJhbGciOiJIUzI1NiJ9.eyJleHAiOiAxNzY5ODU1NjQwLCAiaXNzIjogIkFQSWtleSIsICJuYmYiOiAxNzY5ODU1MzQwLCAic2hhMjU2IjogIlBIRVlZdDJoNy9WWG9DQXJ6ZXY4Y25HTW0yaGxnL0s4QXR0K0FoWFNMeVk9In0.oj0HPoXj2rVspvETMWOEV4ZPWLUMr7OOXwvAst4rG4U";

async fn knock(api: &Api, path: &str, authorization: Option<&str>, body: impl Into<Body>) -> Answer {
    let request = Request::post(path).header("content-type", "application/webhook+json");
    let request = authorization.into_iter().fold(request, |request, value| request.header("authorization", value));
    api.send(request.body(body.into()).unwrap()).await
}

#[tokio::test]
async fn an_engines_signature_stands_in_for_a_token() {
    let api = Api::new();
    assert_eq!(knock(&api, LIVEKIT, Some(SIGNATURE), JOINED).await.data(), json!({"accepted": 1, "duplicates": 0}));
    assert_eq!(knock(&api, LIVEKIT, Some(SIGNATURE), JOINED).await.data(), json!({"accepted": 0, "duplicates": 1}));
    let list = api.get(&format!("{KIT}/sessions")).await.data();
    assert_eq!((&list["sessions"][0]["meeting_display_name"], &list["sessions"][0]["live_participants"]), (&json!("algebra"), &json!(1)));
    let metrics = api.metrics.text();
    for line in [
        "rollbook_engine_events_accepted_total{engine=\"livekit\"} 1",
        "rollbook_engine_events_duplicate_total{engine=\"livekit\"} 1",
        "rollbook_engine_delay_seconds_count{engine=\"livekit\"} 2",
        "rollbook_engine_delay_seconds_sum{engine=\"livekit\"} 120",
    ] {
        assert!(metrics.contains(line), "{line}");
    }
}

#[tokio::test]
async fn what_nobody_signed_is_not_taken() {
    let api = Api::new();
    let forged = JOINED.replace("Ann", "Eve");
    let answer = knock(&api, LIVEKIT, Some(SIGNATURE), forged.clone()).await;
    assert_eq!(answer.failure(401), "Unauthorized", "why is the log's business");
    knock(&api, LIVEKIT, None, JOINED).await.failure(401);
    knock(&api, LIVEKIT, Some("Bearer wrong"), JOINED).await.failure(401);
    // The secret is the school's alone, and nobody else has one.
    knock(&api, &LIVEKIT.replace("school", "choir"), Some(SIGNATURE), JOINED).await.failure(401);
    knock(&api, &LIVEKIT.replace("acme", "evil"), Some(SIGNATURE), JOINED).await.failure(401);
    knock(&api, &LIVEKIT.replace("livekit", "skype"), Some(SIGNATURE), JOINED).await.failure(401);
    knock(&api, JANUS, Some(SIGNATURE), "[]").await.failure(401);
    assert_eq!(api.get(&format!("{KIT}/sessions")).await.data()["paging"]["total_count"], 0);
    let metrics = api.metrics.text();
    assert!(metrics.contains(r#"rollbook_engine_deliveries_refused_total{engine="livekit",reason="bad_signature"} 1"#), "{metrics}");
    assert!(metrics.contains(r#"rollbook_engine_deliveries_refused_total{engine="livekit",reason="unsigned"} 4"#), "{metrics}");
    // A token that may write vouches for whoever holds it.
    assert_eq!(knock(&api, LIVEKIT, Some("Bearer ingest"), forged).await.data(), json!({"accepted": 1, "duplicates": 0}));
    knock(&api, LIVEKIT, Some("Bearer read"), JOINED).await.failure(401);
}

#[tokio::test]
async fn a_stranger_may_not_send_much() {
    let api = Api::new();
    let large = vec![b' '; (1 << 20) + 1];
    knock(&api, LIVEKIT, Some(SIGNATURE), large.clone()).await.failure(413);
    assert_eq!(knock(&api, LIVEKIT, Some("Bearer ingest"), large).await.status, 200);
}

#[tokio::test]
async fn what_cannot_be_translated_is_kept() {
    let api = Api::new();
    let answer = knock(&api, LIVEKIT, Some("Bearer ingest"), r#"{"event":"participant_joined","room":{"metadata":"x"}}"#).await;
    assert_eq!(answer.data(), json!({"accepted": 0, "duplicates": 0}));
    assert!(api.metrics.text().contains("rollbook_engine_deliveries_kept_total{engine=\"livekit\"} 1"));
}
