//! The four forms in which native events come, and what is none of them.

use rollbook_core::event::{Body, Event, Place};
use rollbook_core::id::{Home, Name};
use rollbook_core::time::Timestamp;
use rollbook_ingest::cloudevents::{BadEvent, MAX_BAD, ReadError, read};
use serde_json::json;

type Judged = Result<Vec<Result<Event, BadEvent>>, ReadError>;

const ONE: &str = "application/cloudevents+json";
const BATCH: &str = "application/cloudevents-batch+json";
const LINES: &str = "application/x-ndjson";

fn sent(content_type: &str, body: impl AsRef<[u8]>) -> Judged {
    read(Some(content_type), [], body.as_ref())
}

fn stopped(id: &str) -> String {
    json!({"specversion": "1.0", "id": id, "source": "s", "type": "rollbook.source.stopped", "time": "2026-01-31T09:30:00Z"}).to_string()
}

fn ids(judged: &Judged) -> Vec<String> {
    let each = |r: &Result<Event, BadEvent>| match r {
        Ok(event) => event.id.to_string(),
        Err(bad) => format!("{}! {}", bad.index, bad.message),
    };
    match judged {
        Ok(results) => results.iter().map(each).collect(),
        Err(error) => vec![error.to_string()],
    }
}

#[test]
fn one_event() {
    assert_eq!(ids(&sent(ONE, stopped("a"))), ["a"]);
    assert_eq!(ids(&sent("APPLICATION/cloudevents+json; charset=UTF-8", stopped("a"))), ["a"]);
    let batch = ids(&sent(ONE, "[]")).concat();
    assert!(batch.ends_with("an array is a batch: send it as application/cloudevents-batch+json"), "{batch}");
}

#[test]
fn a_batch() {
    assert_eq!(ids(&sent(BATCH, "[]")), [""; 0]);
    let body = format!("[{},7,{},{{\"a\":1,\"a\":1}},{}]", stopped("a"), stopped("b"), stopped("c"));
    let line = body.find("\"a\":1}").unwrap() + 1;
    assert_eq!(
        ids(&sent(BATCH, &body)),
        [
            "a".to_owned(),
            "1! 7 is not an object".to_owned(),
            "b".to_owned(),
            format!("3! line 1, column {line}: the key \"a\" is twice in one object"),
            "c".to_owned(),
        ]
    );
    for (body, expected) in [
        (stopped("a").as_str(), "a batch is an array"),
        ("", "line 1, column 1: the JSON ends too early"),
        ("[7,", "line 1, column 4: the JSON ends too early"),
        ("[] []", "line 1, column 4: the JSON value ends here, but more text follows"),
    ] {
        assert_eq!(ids(&sent(BATCH, body)), [format!("the body is not the JSON that its content type promises: {expected}")]);
    }
}

#[test]
fn an_event_a_line() {
    assert_eq!(ids(&sent(LINES, "")), [""; 0]);
    let body = format!("\n{}\r\n \t\n{{\"a\"\n\n{}\n", stopped("a"), stopped("b"));
    assert_eq!(ids(&sent(LINES, &body)), ["a", "1! line 4, column 5: the JSON ends too early", "b"]);
    let two = format!("{}{}", stopped("a"), stopped("b"));
    let column = stopped("a").len() + 1;
    let expected = format!("0! line 1, column {column}: the JSON value ends here, but more text follows");
    assert_eq!(ids(&sent(LINES, &two)), [expected]);
    // Bytes that are no text spoil their own line only.
    let body = [stopped("a").as_bytes(), b"\n\xff\n", stopped("b").as_bytes()].concat();
    assert_eq!(ids(&sent(LINES, &body)), ["a", "1! line 2, column 1: not UTF-8", "b"]);
}

#[test]
fn binary_mode() {
    let headers = |id: &'static str| {
        [
            ("CE-SpecVersion", "1.0"),
            ("ce-id", id),
            ("ce-source", "%E2%82%AC%2525"),
            ("ce-type", "rollbook.session.ended"),
            ("Ce-Time", "2026-01-31T09:30:00%2B01:00"),
            ("ce-datacontenttype", "text/plain"),
            ("ce-traceparent", "%%"),
            ("accept", "\0"),
        ]
        .map(|(name, value)| (name, value.as_bytes()))
    };
    let data = "{\"session\":{\"key\":\"k\"}}";
    for content_type in ["application/json", "text/json;charset=utf-8", "application/webhook+json"] {
        let results = read(Some(content_type), headers("%22a b\u{e9}%22"), data.as_bytes()).unwrap();
        let event = results[0].as_ref().unwrap();
        assert_eq!((&*event.id, &*event.source), ("\"a bé\"", "€%25"));
        assert_eq!(event.time, Timestamp::parse_rfc3339("2026-01-31T08:30:00Z").unwrap());
        assert_eq!(event.body, Body::SessionEnded(Place::new(Home::Session { session: Name::key("k"), meeting: None }).into(), None));
    }
    assert_eq!(ids(&read(Some("application/json"), headers("a"), b"")), ["0! data: is required: an object"]);
    assert_eq!(ids(&read(Some("application/json"), headers(""), b"{}")), ["0! ce-id: must not be empty"]);
    assert_eq!(ids(&read(Some("application/json"), headers("%00"), b"{}")), ["0! ce-id: the NUL character is not allowed"]);
    assert_eq!(ids(&read(Some("application/json"), [("ce-id", &b"1"[..])], b"{}")), ["0! ce-specversion: is required: a text"]);
    let twice = headers("a").into_iter().chain([("ce-ID", &b"b"[..])]);
    assert_eq!(ids(&read(Some("application/json"), twice, b"{}")), ["0! ce-id: the header is there more than once"]);
}

#[test]
fn a_binary_event_without_data_needs_no_content_type() {
    let headers = [
        ("ce-specversion", "1.0"),
        ("ce-id", "a"),
        ("ce-source", "s"),
        ("ce-type", "rollbook.source.started"),
        ("ce-time", "2026-01-31T09:30:00Z"),
    ]
    .map(|(name, value)| (name, value.as_bytes()));
    assert_eq!(ids(&read(None, headers, b"")), ["a"]);
    assert_eq!(ids(&read(Some("application/json"), headers, b"null")), ["a"]);
    assert!(matches!(read(None, headers, b"{}"), Err(ReadError::Unsupported(_))));
}

#[test]
fn anything_else_is_unsupported() {
    for content_type in ["application/json", "text/plain", "application/x-www-form-urlencoded", "application/cloudevents+xml", ""] {
        assert!(matches!(sent(content_type, stopped("a")), Err(ReadError::Unsupported(_))), "{content_type}");
    }
    assert!(matches!(read(None, [], b"{}"), Err(ReadError::Unsupported(_))));
}

#[test]
fn a_flood_of_bad_events_is_not_repeated_back() {
    let body = format!("[{}0]", "0,".repeat(10 * MAX_BAD));
    assert_eq!(sent(BATCH, body).unwrap().len(), MAX_BAD);
    assert_eq!(sent(LINES, "0\n".repeat(10 * MAX_BAD)).unwrap().len(), MAX_BAD);
}
