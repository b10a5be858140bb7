use super::*;
use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use http_body_util::channel::Channel;
use serde_json::json;
use std::convert::Infallible;
use std::io::Write;
use std::time::Duration;

fn gzip(body: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(body).unwrap();
    encoder.finish().unwrap()
}

async fn post_encoded(api: &Api, encoding: &str, body: impl Into<Body>) -> Answer {
    let request = Request::post(EVENTS).header("authorization", "Bearer ingest").header("content-encoding", encoding);
    api.send(request.header("content-type", "application/x-ndjson").body(body.into()).unwrap()).await
}

#[tokio::test]
async fn the_same_again_is_a_duplicate() {
    let api = Api::new().await;
    let event = peer("joined", 1, "09:30:00", ANA, "");
    api.report(std::slice::from_ref(&event)).await;
    let batch = format!("[{event},{event}]");
    let answer = api.post(EVENTS, "application/cloudevents-batch+json", batch).await;
    assert_eq!(answer.data(), json!({"accepted": 0, "duplicates": 2}));
}

#[tokio::test]
async fn a_bad_event_refuses_all() {
    let api = Api::new().await;
    let lines = [peer("joined", 1, "09:30:00", ANA, ""), "{}".into(), peer("vanished", 2, "09:30:00", ANA, "")];
    let answer = api.post(EVENTS, "application/x-ndjson", lines.join("\n")).await;
    assert!(answer.failure(400).contains("2 events are bad"));
    let errors = answer.json()["errors"].as_array().unwrap().clone();
    assert_eq!(errors.iter().map(|error| error["index"].as_u64().unwrap()).collect::<Vec<_>>(), [1, 2]);
    assert_eq!(api.get(&format!("{KIT}/sessions")).await.data()["paging"]["total_count"], 0);
}

#[tokio::test]
async fn other_content_under_one_identity_is_a_400() {
    let api = Api::new().await;
    api.report(&[peer("joined", 1, "09:30:00", ANA, "")]).await;
    let lines = [peer("joined", 2, "09:30:00", BEN, ""), peer("joined", 1, "09:31:00", ANA, "")];
    let answer = api.post(EVENTS, "application/x-ndjson", lines.join("\n")).await;
    answer.failure(400);
    assert_eq!(answer.json()["errors"][0]["index"], 1);
}

#[tokio::test]
async fn binary_mode_and_other_types() {
    let api = Api::new().await;
    let data = format!(r#"{{"session":{{"id":"{SESSION}"}},"peer":{{"id":"{ANA}"}}}}"#);
    let request = Request::post(EVENTS).header("authorization", "Bearer ingest").header("content-type", "application/json");
    let request = request.header("ce-specversion", "1.0").header("ce-type", "rollbook.peer.joined").header("ce-source", "sfu");
    let request = request.header("ce-id", "1").header("ce-time", "2026-01-31T09:30:00Z").body(Body::from(data)).unwrap();
    assert_eq!(api.send(request).await.data(), json!({"accepted": 1, "duplicates": 0}));
    for content_type in ["text/plain", "application/json", "nonsense"] {
        api.post(EVENTS, content_type, "{}").await.failure(415);
    }
    api.post(EVENTS, "application/cloudevents+json", "{").await.failure(400);
}

#[tokio::test]
async fn gzip_bodies() {
    let api = Api::new().await;
    let event = peer("joined", 1, "09:30:00", ANA, "");
    let packed = gzip(event.as_bytes());
    assert_eq!(post_encoded(&api, "gzip", packed.clone()).await.data(), json!({"accepted": 1, "duplicates": 0}));
    assert_eq!(post_encoded(&api, "identity", event.clone()).await.data(), json!({"accepted": 0, "duplicates": 1}));
    let mut cut = packed.clone();
    cut.truncate(packed.len() - 9);
    let mut trailing = packed.clone();
    trailing.extend_from_slice(b"garbage");
    let mut damaged = packed.clone();
    let middle = packed.len() - 6;
    damaged[middle] ^= 1;
    for (what, body) in [("plain", event.into_bytes()), ("cut", cut), ("trailing", trailing), ("damaged", damaged)] {
        let answer = post_encoded(&api, "gzip", body).await;
        assert_eq!(answer.status, 400, "{what}: {}", answer.text());
    }
    let answer = post_encoded(&api, "br", packed).await;
    answer.failure(415);
    assert_eq!(answer.headers["accept-encoding"], "gzip");
}

#[tokio::test]
async fn bodies_are_bounded_after_decompression() {
    let limit = 64 << 10;
    let api = Api::with(Limits { body_bytes: limit, ..Limits::default() }).await;
    let spaces = |bytes: usize| vec![b'\n'; bytes];
    assert_eq!(api.post(EVENTS, "application/x-ndjson", spaces(limit)).await.status, 200);
    api.post(EVENTS, "application/x-ndjson", spaces(limit + 1)).await.failure(413);
    assert_eq!(post_encoded(&api, "gzip", gzip(&spaces(limit))).await.status, 200);
    post_encoded(&api, "gzip", gzip(&spaces(100 << 20))).await.failure(413);
    let short = Api::with(Limits { buffered_bytes: limit / 2, ..Limits::default() }).await;
    short.post(EVENTS, "application/x-ndjson", spaces(limit)).await.failure(503);
    assert_eq!(short.post(EVENTS, "application/x-ndjson", spaces(limit / 2)).await.status, 200, "what was held is free again");
}

#[tokio::test]
async fn a_body_that_does_not_come_is_given_up() {
    let (_sender, quiet) = Channel::<Bytes, Infallible>::new(1);
    let api = Api::with(Limits { body_timeout: Duration::from_secs(1), ..Limits::default() }).await;
    let slow = Api::with(Limits { request_timeout: Duration::from_secs(1), ..Limits::default() }).await;
    tokio::time::pause();
    let answer = api.post(EVENTS, "application/x-ndjson", Body::new(quiet)).await;
    answer.failure(408);
    assert_eq!(answer.headers["connection"], "close");
    let (_sender, quiet) = Channel::<Bytes, Infallible>::new(1);
    slow.post(EVENTS, "application/x-ndjson", Body::new(quiet)).await.failure(503);
}

#[tokio::test]
async fn janus_deliveries() {
    let api = Api::new().await;
    let joined = r#"[{"emitter":"a","type":64,"timestamp":1769851800000000,"session_id":1,"handle_id":2,"event":{"plugin":"janus.plugin.videoroom","data":{"event":"joined","room":"r1","id":"ana","display":"Ana"}}}]"#;
    assert_eq!(api.post(JANUS, "application/json", joined).await.data(), json!({"accepted": 1, "duplicates": 0}));
    assert_eq!(api.post(JANUS, "application/json", joined).await.data(), json!({"accepted": 0, "duplicates": 1}));
    let without_emitter = joined.replace(r#""emitter":"a","#, "");
    assert_eq!(api.post(JANUS, "application/json", without_emitter).await.data(), json!({"accepted": 0, "duplicates": 0}));
    assert!(api.metrics.text().contains("rollbook_deliveries_kept_total 1"));
    api.post(JANUS, "application/json", "nonsense").await.failure(400);
    api.post("/v1/accounts/acme/apps/school/engines/skype", "application/json", joined).await.failure(404);
    let list = api.get(&format!("{KIT}/sessions")).await.data();
    assert_eq!(list["paging"]["total_count"], 1);
    assert_eq!(list["sessions"][0]["meeting_display_name"], "r1");
}
