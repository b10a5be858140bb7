use super::*;
use crate::config::{EngineEntry, SecretPlace};
use serde_json::json;
use std::path::Path;

/// The school's LiveKit and Zoom, and no other app's.
pub(super) fn engines() -> Vec<EngineEntry> {
    let entry = |engine: &str, id: &str| {
        let secret_file = Some(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/http/suite/secret.txt"));
        let secrets = vec![SecretPlace { id: id.into(), secret_env: None, secret_file }];
        let (account, app, options) = ("acme".into(), "school".into(), toml::Table::new());
        EngineEntry { account, app, engine: engine.into(), secrets, options, mapping_file: None, key_url: None, poll: None }
    };
    vec![entry("livekit", "APIkey"), entry("zoom", "")]
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
    let api = Api::new().await;
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
    let api = Api::new().await;
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
    let api = Api::new().await;
    let large = vec![b' '; (1 << 20) + 1];
    knock(&api, LIVEKIT, Some(SIGNATURE), large.clone()).await.failure(413);
    assert_eq!(knock(&api, LIVEKIT, Some("Bearer ingest"), large).await.status, 200);
}

#[tokio::test]
async fn what_cannot_be_translated_is_kept() {
    let api = Api::new().await;
    let answer = knock(&api, LIVEKIT, Some("Bearer ingest"), r#"{"event":"participant_joined","room":{"metadata":"x"}}"#).await;
    assert_eq!(answer.data(), json!({"accepted": 0, "duplicates": 0}));
    assert!(api.metrics.text().contains("rollbook_engine_deliveries_kept_total{engine=\"livekit\"} 1"));
}

#[tokio::test]
async fn a_question_of_an_engine_is_answered_word_for_word() {
    let api = Api::new().await;
    let body = r#"{"event":"endpoint.url_validation","payload":{"plainToken":"qgg8vlvZRS6UYooatFL8Aw"}}"#;
    let request = Request::post("/v1/accounts/acme/apps/school/engines/zoom").header("x-zm-request-timestamp", "1769855340");
    let request = request.header("x-zm-signature", "v0=e250fb67ebedbc028af75545d9f9726cfd66b9306dd302ae681c2c086398cd7c");
    let answer = api.send(request.body(Body::from(body)).unwrap()).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.headers["content-type"], "application/json");
    let hashed = "79c3f17ec911f219b93a6a545d3493260e4584189b885d00af4534fe867e5ec3";
    assert_eq!(answer.text(), format!(r#"{{"plainToken":"qgg8vlvZRS6UYooatFL8Aw","encryptedToken":"{hashed}"}}"#));
}

#[tokio::test]
async fn a_refusal_is_what_the_engine_understands() {
    let api = Api::new().await;
    // Both would take a 401 for a reason never to come again.
    for engine in ["bigbluebutton", "realtimekit"] {
        let answer = knock(&api, &LIVEKIT.replace("livekit", engine), None, "event=%5B%5D").await;
        answer.failure(503);
        assert!(answer.headers.contains_key("retry-after"));
    }
    let metrics = api.metrics.text();
    assert!(metrics.contains(r#"rollbook_engine_deliveries_refused_total{engine="bigbluebutton",reason="unsigned"} 1"#), "{metrics}");
}

#[tokio::test]
async fn some_engines_deliver_below_their_address() {
    let api = Api::new().await;
    let below = format!("{}/events/occupant/joined", LIVEKIT.replace("livekit", "jitsi"));
    let body = r#"{"event_name":"muc-occupant-joined","room_jid":"r@x","occupant":{"occupant_jid":"a@x/1","joined_at":1769851800}}"#;
    assert_eq!(api.post(&below, "application/json", body).await.data(), json!({"accepted": 1, "duplicates": 0}));
    knock(&api, &below, None, body).await.failure(401);
}

const RETRY: &str = "/v1/accounts/acme/apps/school/quarantine/retry";

async fn retry(api: &Api, query: &str) -> Value {
    let request = Request::post(format!("{RETRY}{query}")).header("authorization", "Bearer admin");
    api.send(request.body(Body::empty()).unwrap()).await.data()["deliveries"].take()
}

#[tokio::test]
async fn what_was_kept_is_translated_anew() {
    let api = Api::new().await;
    let unknown = r#"{"event":"participant_joined","room":{"sid":"RM_a"}}"#;
    for body in [unknown, "no JSON"] {
        knock(&api, LIVEKIT, Some("Bearer ingest"), body).await.data();
    }
    // Another content under a known id.
    for body in [JOINED.to_owned(), JOINED.replace("Ann", "Eve")] {
        knock(&api, LIVEKIT, Some("Bearer ingest"), body).await.data();
    }
    let answer = retry(&api, "").await;
    let told: Vec<_> = answer.as_array().unwrap().iter().map(|kept| (kept["engine"].clone(), kept["kept"].clone())).collect();
    assert_eq!(told[0], (json!("livekit"), json!("item 0: participant: is required: an object")));
    assert_eq!(told[1].0, json!("livekit"));
    assert!(told[1].1.as_str().unwrap().starts_with("item 0: "), "{told:?}");
    assert_eq!(told[2].1, json!("it contradicts what is known, in 1 of its events"));
    assert!(api.metrics.text().contains(r#"rollbook_engine_deliveries_retried_total{engine="livekit",outcome="kept"} 3"#));
    let (first, second) = (answer[0]["number"].as_u64().unwrap(), answer[1]["number"].as_u64().unwrap());
    assert_eq!(retry(&api, &format!("?only={first}")).await.as_array().unwrap().len(), 1);
    assert_eq!(retry(&api, &format!("?only={}", second + 1000)).await, json!([]));
    assert_eq!(retry(&api, &format!("?after={first}")).await[0]["number"], second);
    let request = |token: &str| Request::post(RETRY).header("authorization", format!("Bearer {token}")).body(Body::empty()).unwrap();
    for (token, status) in [("nobody", 401), ("other-app", 404), ("ingest", 403), ("read", 403)] {
        api.send(request(token)).await.failure(status);
    }
    let bad = Request::post(format!("{RETRY}?after=x")).header("authorization", "Bearer admin").body(Body::empty()).unwrap();
    assert!(api.send(bad).await.failure(400).contains("\"after\" must be a whole number from 0"));
}

#[tokio::test]
async fn what_can_be_translated_is_recorded_and_dropped() {
    let api = Api::new().await;
    let app = rollbook_core::id::App::new("acme", "school").unwrap();
    // As an earlier rollbook would have left it, which knew less.
    api.store.keep(&app, "livekit", JOINED.into()).await.unwrap();
    api.store.keep(&app, "livekit", r#"{"event":"track_published"}"#.into()).await.unwrap();
    api.store.keep(&app, "skype", "{}".into()).await.unwrap();
    let outcome = |kept: &Value| (kept["accepted"].clone(), kept["kept"].clone());
    let answer = retry(&api, "").await;
    let expected = [(json!(1), Value::Null), (json!(0), Value::Null), (json!(0), json!("no engine of the app is called \"skype\""))];
    assert_eq!(answer.as_array().unwrap().iter().map(outcome).collect::<Vec<_>>(), expected);
    assert_eq!(retry(&api, "").await.as_array().unwrap().len(), 1);
    assert_eq!(api.get(&format!("{KIT}/sessions")).await.data()["sessions"][0]["live_participants"], 1);
    api.faults.set_down(true);
    let request = Request::post(RETRY).header("authorization", "Bearer admin").body(Body::empty()).unwrap();
    api.send(request).await.failure(503);
}
