//! The short way and the router's: whoever asks can't tell which one the answer came.

use super::*;

/// The same address with a letter escaped, which only the router reads.
fn by_the_router(path: &str) -> String {
    path.replacen("school", "%73chool", 1)
}

fn told(answer: Answer) -> (StatusCode, Vec<(String, String)>, Vec<u8>) {
    let headers = answer.headers.iter().filter(|(name, _)| *name != "x-request-id");
    let headers = headers.map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()));
    let mut headers: Vec<_> = headers.collect();
    headers.sort();
    (answer.status, headers, answer.body)
}

#[tokio::test]
async fn both_ways_give_the_same_lists() {
    let api = with_a_lesson().await;
    for (status, path, query, token) in [
        (200, "sessions/0d3b2a4e-0000-4000-8000-000000000001", "", "read"),
        (200, "sessions/0d3b2a4e-0000-4000-8000-000000000001", "?per_page=1&page_no=2&sort_by=duration&include_stays=true", "admin"),
        (200, "sessions/0d3b2a4e-0000-4000-8000-000000000001", "?as_of=2026-01-31T23:00:00Z", "read"),
        (400, "sessions/0d3b2a4e-0000-4000-8000-000000000001", "?per_page=x", "read"),
        (400, "sessions/nothing", "?per_page=x", "read"),
        (404, "sessions/nothing", "", "read"),
        (404, "sessions/0d3b2a4e-0000-4000-8000-0000000000ff", "", "read"),
        (404, "sessions/0d3b2a4e-0000-4000-8000-000000000001", "", "other-app"),
        (403, "sessions/0d3b2a4e-0000-4000-8000-000000000001", "", "ingest"),
        (401, "sessions/0d3b2a4e-0000-4000-8000-000000000001", "", "nobody"),
        (503, "sessions/0d3b2a4e-0000-4000-8000-000000000001", "", "away"),
        (500, "sessions/0d3b2a4e-0000-4000-8000-000000000001", "", "panic"),
    ] {
        let path = format!("{KIT}/{path}/participants{query}");
        let short = told(api.get_as(token, &path).await);
        assert_eq!(short.0, status, "{path} {token}");
        assert_eq!(short, told(api.get_as(token, &by_the_router(&path)).await), "{path} {token}");
    }
}

#[tokio::test]
async fn both_ways_take_the_same_events() {
    let api = with_a_lesson().await;
    let event = peer("left", 6, "10:10:00", BEN, "");
    api.report(std::slice::from_ref(&event)).await;
    let bad = peer("vanished", 7, "10:10:00", BEN, "");
    for (status, body, token) in
        [(200, &event, "ingest"), (400, &bad, "ingest"), (404, &event, "other-app"), (403, &event, "read"), (401, &event, "nobody")]
    {
        let ask = |path: &str| {
            let request = Request::post(path).header("authorization", format!("Bearer {token}"));
            request.header("content-type", "application/x-ndjson").body(body.clone().into()).unwrap()
        };
        let short = told(api.send(ask(EVENTS)).await);
        assert_eq!(short.0, status, "{token}");
        assert_eq!(short, told(api.send(ask(&by_the_router(EVENTS))).await), "{token}");
    }
}

#[tokio::test]
async fn both_ways_are_counted_as_one() {
    let api = with_a_lesson().await;
    let path = format!("{KIT}/sessions/{SESSION}/participants");
    for path in [&path, &by_the_router(&path)] {
        assert_eq!(api.get(path).await.status, 200);
    }
    let line = r#"rollbook_http_requests_total{route="/client/v4/accounts/{account_id}/realtime/kit/{app_id}/sessions/{session_id}/participants",method="GET",status="200"} 2"#;
    let text = api.metrics.text();
    assert!(text.contains(line), "{line} in\n{text}");
}
