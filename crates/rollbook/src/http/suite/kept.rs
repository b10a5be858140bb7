//! Answers that a client may keep, and answers of which it wants the head only.

use super::*;
use axum::http::Method;

impl Api {
    /// Reads with more headers.
    async fn ask(&self, method: Method, path: &str, headers: &[(&str, &str)]) -> Answer {
        let request = Request::builder().method(method).uri(path).header("authorization", "Bearer read");
        let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
        self.send(request.body(Body::empty()).unwrap()).await
    }

    /// Reads what the client has an answer of already.
    async fn again(&self, path: &str, known: &str) -> Answer {
        self.ask(Method::GET, path, &[("if-none-match", known)]).await
    }
}

impl Answer {
    fn etag(&self) -> String {
        assert_eq!(self.status, StatusCode::OK, "{}", self.text());
        self.headers["etag"].to_str().unwrap().to_owned()
    }

    /// Says that the client has the answer of this name.
    fn is_known(&self, etag: &str) {
        assert_eq!((self.status, self.text()), (StatusCode::NOT_MODIFIED, String::new()));
        assert_eq!(self.headers["etag"], etag);
        assert_eq!(
            (&self.headers["cache-control"], &self.headers["vary"]),
            (&"private, no-cache".parse().unwrap(), &"accept-encoding".parse().unwrap())
        );
        assert!(!self.headers.contains_key("content-type"));
    }
}

/// Ana and Ben came and went.
async fn with_a_lesson_that_is_over() -> Api {
    let api = with_a_lesson().await;
    api.report(&[peer("left", 6, "10:10:00", BEN, "")]).await;
    api
}

fn participants(query: &str) -> String {
    format!("{KIT}/sessions/{SESSION}/participants{query}")
}

/// An address of each kind that is read.
fn every_address() -> [String; 9] {
    [
        participants(""),
        participants("?search=nobody"),
        participants("?view=consolidated&include_stays=true&include_peer_events=true"),
        participants(&format!("/{ANA}")),
        format!("{KIT}/sessions"),
        format!("{KIT}/sessions/{SESSION}"),
        format!("{KIT}/sessions/{SESSION}?include_breakout_rooms=true"),
        format!("{KIT}/sessions/peer-report/{ANA}"),
        "/openapi.json".into(),
    ]
}

#[tokio::test]
async fn what_the_client_has_is_not_sent_again() {
    let api = with_a_lesson_that_is_over().await;
    for path in every_address().into_iter().filter(|path| path != "/openapi.json") {
        let etag = api.get(&path).await.etag();
        assert!(etag.starts_with("W/\""), "{etag}");
        api.again(&path, &etag).await.is_known(&etag);
        api.again(&path, &format!("\"another\", {etag}")).await.is_known(&etag);
        api.again(&path, "*").await.is_known(&etag);
        assert_eq!(api.again(&path, "W/\"another\"").await.etag(), etag);
    }
}

#[tokio::test]
async fn an_event_that_comes_late_makes_another_answer() {
    let api = with_a_lesson_that_is_over().await;
    let addresses: Vec<_> = every_address().into_iter().filter(|path| path != "/openapi.json" && !path.contains(ANA)).collect();
    let mut before = Vec::new();
    for path in &addresses {
        before.push(api.get(path).await);
    }
    api.report(&[peer("joined", 7, "09:45:00", BEN, "")]).await;
    for (path, before) in addresses.iter().zip(before) {
        let after = api.again(path, &before.etag()).await;
        assert_ne!(after.etag(), before.etag(), "{path}");
        assert_eq!(after.body == before.body, path.ends_with("nobody"), "{path}");
        api.again(path, &after.etag()).await.is_known(&after.etag());
    }
}

#[tokio::test]
async fn a_list_that_grows_older_by_itself_has_no_name() {
    let api = with_a_lesson().await;
    for query in ["", "?view=consolidated", "?per_page=1", "?search=ana", "?as_of=2026-01-31T12:00:00Z"] {
        let answer = api.again(&participants(query), "*").await;
        assert_eq!((answer.status, answer.headers.get("etag")), (StatusCode::OK, None), "{query}");
    }
}

#[tokio::test]
async fn a_name_is_of_what_was_asked_not_of_how() {
    let api = with_a_lesson_that_is_over().await;
    let mut names = std::collections::BTreeSet::new();
    for alike in [
        &["", "?page_no=1&per_page=25", "?sort_by=joinedAt&sort_order=ASC&search=&nothing=x", "?include_stays=false"][..],
        &["?sort_order=DESC"],
        &["?sort_by=duration"],
        &["?page_no=2"],
        &["?per_page=26"],
        &["?page_no=2&per_page=1", "?per_page=1.0&page_no=2"],
        &["?view=consolidated"],
        &["?include_stays=true"],
        &["?include_peer_events=true"],
        &["?include_peer_events=true&include_stays=true"],
        &["?search=ana", "?search=an%61"],
        &["?search=ANA"],
        &["?as_of=2026-01-31T10:20:00Z", "?as_of=2026-01-31T11:20:00%2B01:00"],
    ] {
        let first = api.get(&participants(alike[0])).await.etag();
        for other in alike {
            assert_eq!(api.get(&participants(other)).await.etag(), first, "{other}");
        }
        assert!(names.insert(first), "{alike:?}");
    }
}

#[tokio::test]
async fn every_node_has_the_same_names() {
    let mut api = with_a_lesson_that_is_over().await;
    let mut names = Vec::new();
    for path in every_address() {
        names.push(api.get(&path).await.etag());
    }
    // Another way to the same: the session from the last address first, from nothing.
    api.restart();
    for (path, etag) in every_address().iter().zip(names).rev() {
        assert_eq!(api.get(path).await.etag(), etag, "{path}");
    }
}

#[tokio::test]
async fn a_stranger_learns_nothing_from_a_name() {
    let api = with_a_lesson_that_is_over().await;
    let known = [("if-none-match", "*")];
    for (token, status) in [("nobody", 401), ("other-account", 404), ("other-app", 404), ("ingest", 403)] {
        let request = Request::get(participants("")).header("authorization", format!("Bearer {token}")).header(known[0].0, known[0].1);
        api.send(request.body(Body::empty()).unwrap()).await.failure(status);
    }
    api.again(&participants("?per_page=x"), "*").await.failure(400);
    api.again(&format!("{KIT}/sessions/{BEN}/participants"), "*").await.failure(404);
}

#[tokio::test]
async fn without_a_look_at_the_store_nothing_is_known_to_be_the_same() {
    let api = with_a_lesson_that_is_over().await;
    let etag = api.get(&participants("")).await.etag();
    api.faults.set_down(true);
    api.again(&participants(""), &etag).await.failure(503);
    api.faults.set_down(false);
    api.again(&participants(""), &etag).await.is_known(&etag);
}

#[tokio::test]
async fn a_name_is_of_the_answer_compressed_too() {
    let api = with_a_lesson_that_is_over().await;
    let path = participants("?include_peer_events=true&include_stays=true");
    let plain = api.get(&path).await;
    let packed = api.ask(Method::GET, &path, &[("accept-encoding", "gzip")]).await;
    assert_eq!(
        (&packed.headers["content-encoding"], &packed.headers["vary"]),
        (&"gzip".parse().unwrap(), &"accept-encoding".parse().unwrap())
    );
    assert_eq!(packed.etag(), plain.etag());
    for encoding in ["gzip", "identity"] {
        api.ask(Method::GET, &path, &[("accept-encoding", encoding), ("if-none-match", &plain.etag())]).await.is_known(&plain.etag());
    }
}

#[tokio::test]
async fn nothing_is_compressed_that_nobody_asked_for() {
    let api = with_a_lesson_that_is_over().await;
    let path = participants("?include_peer_events=true&include_stays=true");
    for encoding in [&[][..], &[("accept-encoding", "identity")], &[("accept-encoding", "br")], &[("accept-encoding", "gzip;q=0")]] {
        let answer = api.ask(Method::GET, &path, encoding).await;
        assert_eq!(answer.headers.get("content-encoding"), None, "{encoding:?}");
        assert_eq!(answer.headers["content-length"], answer.body.len().to_string());
        answer.data();
    }
}

#[tokio::test]
async fn whatever_can_be_got_has_a_head() {
    let api = with_a_lesson_that_is_over().await;
    for path in every_address().into_iter().chain(["/healthz".into(), "/readyz".into(), participants("?per_page=x"), "/nowhere".into()]) {
        for encoding in ["identity", "gzip"] {
            let headers = [("accept-encoding", encoding), ("x-request-id", "one")];
            let whole = api.ask(Method::GET, &path, &headers).await;
            let head = api.ask(Method::HEAD, &path, &headers).await;
            assert_eq!((head.status, &head.headers, head.body.len()), (whole.status, &whole.headers, 0), "{path} {encoding}");
        }
        if let Some(etag) = api.get(&path).await.headers.get("etag") {
            let known = api.ask(Method::HEAD, &path, &[("if-none-match", etag.to_str().unwrap())]).await;
            assert_eq!(known.status, StatusCode::NOT_MODIFIED);
        }
    }
}
