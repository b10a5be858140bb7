use super::*;

#[tokio::test]
async fn who_may_what() {
    let api = with_a_lesson().await;
    let read = format!("{KIT}/sessions/{SESSION}/participants");
    for (token, status) in [("read", 200), ("admin", 200), ("ingest", 403), ("other-app", 404), ("other-account", 404), ("wrong", 401)] {
        assert_eq!(api.get_as(token, &read).await.status, status, "{token}");
    }
    for (token, status) in [("read", 403), ("admin", 200), ("ingest", 200), ("other-app", 404), ("other-account", 404), ("wrong", 401)] {
        let request = Request::post(EVENTS).header("authorization", format!("Bearer {token}"));
        let request = request.header("content-type", "application/x-ndjson").body(Body::empty()).unwrap();
        assert_eq!(api.send(request).await.status, status, "{token}");
    }
    let none = api.send(Request::get(&read).body(Body::empty()).unwrap()).await;
    none.failure(401);
    assert_eq!(none.headers["www-authenticate"], "Bearer");
    let pair = Request::get(&read).header("x-auth-email", "a@b.c").header("x-auth-key", "read").body(Body::empty()).unwrap();
    assert_eq!(api.send(pair).await.status, 200);
}

#[tokio::test]
async fn basic_authentication_is_for_what_writes() {
    let api = with_a_lesson().await;
    let basic = "Basic amFudXM6aW5nZXN0"; // janus:ingest
    let post = |path: &str| {
        let request = Request::post(path).header("authorization", basic).header("content-type", "application/x-ndjson");
        request.body(Body::from(if path == JANUS { "[]" } else { "" })).unwrap()
    };
    assert_eq!(api.send(post(JANUS)).await.status, 200);
    assert_eq!(api.send(post(EVENTS)).await.status, 200);
    let read = Request::get(format!("{KIT}/sessions")).header("authorization", "Basic amFudXM6cmVhZA==").body(Body::empty()).unwrap();
    api.send(read).await.failure(401);
}

#[tokio::test]
async fn what_is_not_there_always_looks_the_same() {
    let api = with_a_lesson().await;
    let unknown = api.get(&format!("{KIT}/sessions/{BEN}/participants")).await;
    unknown.failure(404);
    let long = "a".repeat(10_000);
    let paths = [
        format!("{KIT}/sessions/{BEN}"),
        format!("{KIT}/sessions/nonsense"),
        format!("{KIT}/sessions/../participants"),
        format!("{KIT}/sessions/%2E%2E/participants"),
        format!("{KIT}/sessions/a%2Fb/participants"),
        format!("{KIT}/sessions/%00/participants"),
        format!("{KIT}/sessions/{long}/participants"),
        format!("{KIT}/sessions//participants"),
        format!("{KIT}/sessions/{SESSION}/participants/"),
        format!("{KIT}/sessions/{SESSION}/participants/{SESSION}"),
        format!("{KIT}/sessions/{SESSION}/participants/nonsense"),
        format!("{KIT}/sessions/peer-report/nonsense"),
        format!("{KIT}/sessions/{}/participants", SESSION.replace('-', "")),
        format!("/client/v4/accounts/acme/realtime/kit/choir/sessions/{SESSION}"),
        format!("/client/v4/accounts/other/realtime/kit/school/sessions/{SESSION}"),
        "/".into(),
        "/nonsense".into(),
    ];
    for path in paths {
        let answer = api.get(&path).await;
        answer.failure(404);
        assert_eq!(answer.body, unknown.body, "{path}");
    }
    let foreign = api.get_as("other-account", &format!("{KIT}/sessions/{SESSION}/participants")).await;
    assert_eq!(foreign.body, unknown.body);
}

#[tokio::test]
async fn bad_input_is_a_400() {
    let api = with_a_lesson().await;
    let long_account = "a".repeat(33);
    for (path, part) in [
        (format!("{KIT}/sessions/{BEN}/participants?page_no=-1"), "page_no"),
        (format!("{KIT}/sessions/nonsense/participants?view=all"), "raw or consolidated"),
        (format!("{KIT}/sessions/{SESSION}/participants?search=%FF"), "UTF-8"),
        (format!("{KIT}/sessions/{SESSION}/participants?view=raw&view=raw"), "more than once"),
        (format!("{KIT}/sessions?status=live"), "LIVE or ENDED"),
        (format!("{KIT}/sessions/{SESSION}?include_breakout_rooms=1"), "true or false"),
        (format!("{KIT}/sessions/%FF/participants"), "UTF-8"),
        (format!("/accounts/acme/realtime/kit/{}/sessions", "a".repeat(65)), "app_id"),
        (format!("/accounts/{long_account}/realtime/kit/school/sessions"), "account_id"),
        ("/accounts/a%2Fb/realtime/kit/school/sessions".into(), "account_id"),
    ] {
        let message = api.get(&path).await.failure(400);
        assert!(message.starts_with("BAD_REQUEST: ") && message.contains(part), "{path}: {message}");
    }
}

#[tokio::test]
async fn other_methods_are_405() {
    let api = Api::new().await;
    for (method, path, allowed) in
        [("POST", format!("{KIT}/sessions"), "GET,HEAD"), ("DELETE", EVENTS.into(), "POST"), ("PUT", "/healthz".into(), "GET,HEAD")]
    {
        let request = Request::builder().method(method).uri(path).header("authorization", "Bearer admin");
        let answer = api.send(request.body(Body::empty()).unwrap()).await;
        answer.failure(405);
        assert_eq!(answer.headers["allow"], allowed);
    }
}

#[tokio::test]
async fn a_lost_store_is_a_503_that_says_nothing() {
    let api = with_a_lesson().await;
    api.faults.set_down(true);
    let event = peer("joined", 99, "09:30:00", ANA, "");
    let answers = [
        api.get(&format!("{KIT}/sessions/{SESSION}/participants")).await,
        api.get(&format!("{KIT}/sessions")).await,
        api.post(EVENTS, "application/cloudevents+json", event).await,
        api.post(JANUS, "application/json", r#"[{"type":64}]"#).await,
    ];
    for answer in answers {
        assert_eq!(answer.failure(503), "not available at the moment: try again");
        assert_eq!(answer.headers["retry-after"], "1");
    }
    api.faults.set_down(false);
    assert_eq!(api.get(&format!("{KIT}/sessions")).await.status, 200);
}

#[tokio::test]
async fn a_token_that_nobody_can_tell_is_a_503() {
    let api = Api::new().await;
    let answer = api.get_as("away", &format!("{KIT}/sessions")).await;
    assert_eq!(answer.failure(503), "not available at the moment: try again");
    assert_eq!(answer.headers["retry-after"], "1");
}

#[tokio::test]
async fn beyond_the_limit_is_a_503_at_once() {
    let api = Api::with(Limits { concurrent_requests: 0, ..Limits::default() }).await;
    let answer = api.get(&format!("{KIT}/sessions")).await;
    answer.failure(503);
    assert_eq!(answer.headers["retry-after"], "1");
    assert_eq!(api.get("/healthz").await.status, 200, "health is asked most when all is busy");
}

#[tokio::test]
async fn a_request_keeps_its_name() {
    let api = Api::new().await;
    let named = Request::get("/nonsense").header("x-request-id", "mine-1").body(Body::empty()).unwrap();
    assert_eq!(api.send(named).await.headers["x-request-id"], "mine-1");
}

#[tokio::test]
async fn a_panic_is_a_500_that_says_nothing() {
    let api = Api::new().await;
    assert_eq!(api.get_as("panic", &format!("{KIT}/sessions")).await.failure(500), "internal error");
}
