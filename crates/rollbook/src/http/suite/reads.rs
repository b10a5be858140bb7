use super::*;
use serde_json::json;

#[tokio::test]
async fn the_participants_list() {
    let api = with_a_lesson().await;
    let path = format!("{KIT}/sessions/{SESSION}/participants");
    let answer = api.get(&path).await;
    assert_eq!(answer.headers["cache-control"], "private, no-cache");
    assert_eq!(
        answer.json(),
        json!({"success": true, "data": {
            "participants": [
                {"id": ANA, "user_id": "u-ana", "custom_participant_id": "c-1", "display_name": "Ana \"A\"", "preset_name": "host",
                 "joined_at": "2026-01-31T09:30:00.000Z", "left_at": "2026-01-31T09:41:00.000Z", "duration": 6.8097,
                 "created_at": "2026-01-31T09:30:00.000Z", "updated_at": "2026-01-31T09:41:00.000Z"},
                {"id": BEN, "user_id": null, "custom_participant_id": null, "display_name": null, "preset_name": null,
                 "joined_at": "2026-01-31T10:00:00.123Z", "left_at": null, "duration": 29.9979,
                 "created_at": "2026-01-31T10:00:00.123Z", "updated_at": "2026-01-31T10:00:00.123Z"},
            ],
            "paging": {"total_count": 2, "start_offset": 1, "end_offset": 2},
        }})
    );
    let old_base = api.get(path.strip_prefix("/client/v4").unwrap()).await;
    assert_eq!(old_base.body, answer.body, "without the prefix, too");
}

#[tokio::test]
async fn pages_orders_and_searches() {
    let api = with_a_lesson().await;
    for (query, ids, paging) in [
        ("?per_page=1", vec![ANA], (2, 1, 1)),
        ("?per_page=1.0&page_no=2", vec![BEN], (2, 2, 2)),
        ("?page_no=1e300", vec![], (2, 0, 0)),
        ("?sort_order=DESC", vec![BEN, ANA], (2, 1, 2)),
        ("?sort_by=duration&sort_order=DESC&per_page=1", vec![BEN], (2, 1, 1)),
        ("?search=ana+%22a", vec![ANA], (1, 1, 1)),
        ("?search=c-1", vec![ANA], (1, 1, 1)),
        ("?search=nobody", vec![], (0, 0, 0)),
        ("?search=&filters=x&filters=y", vec![ANA, BEN], (2, 1, 2)),
        ("?view=consolidated", vec![ANA, BEN], (2, 1, 2)),
    ] {
        let data = api.get(&format!("{KIT}/sessions/{SESSION}/participants{query}")).await.data();
        let shown: Vec<_> = data["participants"].as_array().unwrap().iter().map(|row| row["id"].as_str().unwrap()).collect();
        assert_eq!(shown, ids, "{query}");
        let (total, start, end) = paging;
        assert_eq!(data["paging"], json!({"total_count": total, "start_offset": start, "end_offset": end}), "{query}");
    }
}

#[tokio::test]
async fn as_of_sets_now() {
    let api = with_a_lesson().await;
    let row = |data: &Value| data["participants"][1]["duration"].clone();
    let path = format!("{KIT}/sessions/{SESSION}/participants?as_of=");
    assert_eq!(row(&api.get(&format!("{path}2026-01-31T12:00:00.123456%2B01:00")).await.data()), 60);
    assert_eq!(row(&api.get(&format!("{path}2026-01-31T09:00:00Z")).await.data()), 0, "never below 0");
}

#[tokio::test]
async fn extras_on_demand() {
    let api = with_a_lesson().await;
    let path = format!("{KIT}/sessions/{SESSION}/participants/{ANA}?include_peer_events=true&include_stays=true");
    let participant = &api.get(&path).await.data()["participant"];
    let events = participant["peer_events"].as_array().unwrap();
    let names: Vec<_> = events.iter().map(|event| event["event_name"].as_str().unwrap()).collect();
    assert_eq!(names, ["PEER_JOINING", "PEER_LEAVING", "PEER_JOINING", "PEER_LEAVING"]);
    assert_eq!(events[0]["peer_id"], ANA);
    assert_eq!(events[0]["session_id"], SESSION);
    assert_eq!(events[0]["preset_view_type"], "GROUP_CALL");
    assert_eq!(events[1]["created_at"], "2026-01-31T09:35:48.582Z");
    assert_eq!(events[1]["updated_at"], "2026-01-31T09:35:48.582Z");
    assert_eq!(
        participant["stays"],
        json!([
            {"in": "2026-01-31T09:30:00.000Z", "out": "2026-01-31T09:35:48.582Z", "closed_by": null, "uncertain_seconds": 0},
            {"in": "2026-01-31T09:40:00.000Z", "out": "2026-01-31T09:41:00.000Z", "closed_by": null, "uncertain_seconds": 0},
        ])
    );
    assert_eq!(participant["anomalies"], json!([]));
    let ben = api.get(&format!("{KIT}/sessions/{SESSION}/participants/{BEN}?include_stays=true")).await.data();
    let still_in = json!([{"in": "2026-01-31T10:00:00.123Z", "out": null, "closed_by": null, "uncertain_seconds": null}]);
    assert_eq!(ben["participant"]["stays"], still_in);
    assert_eq!(ben["participant"]["peer_events"], Value::Null);
}

#[tokio::test]
async fn evidence_and_anomalies_have_names() {
    let api = with_a_lesson().await;
    let started = r#"{"specversion":"1.0","type":"rollbook.source.started","source":"sfu","id":"6","time":"2026-01-31T10:10:00.123456Z"}"#;
    api.report(&[started.to_owned(), peer("left", 7, "10:20:00", BEN, "")]).await;
    let ben = api.get(&format!("{KIT}/sessions/{SESSION}/participants/{BEN}?include_stays=true")).await.data();
    assert_eq!(
        (&ben["participant"]["stays"], &ben["participant"]["anomalies"], &ben["participant"]["duration"]),
        (
            &json!([{"in": "2026-01-31T10:00:00.123Z", "out": "2026-01-31T10:10:00.123Z", "closed_by": "source_started", "uncertain_seconds": 600}]),
            &json!([{"kind": "left_again", "at": "2026-01-31T10:20:00.000Z"}]),
            &json!(10),
        )
    );
}

#[tokio::test]
async fn the_peer_report() {
    let api = with_a_lesson().await;
    let participant = &api.get(&format!("{KIT}/sessions/peer-report/{ANA}?filters=device_info,events")).await.data()["participant"];
    assert_eq!(
        *participant,
        json!({"id": ANA, "user_id": "u-ana", "custom_participant_id": "c-1", "display_name": "Ana \"A\"", "role": "host",
               "session_id": SESSION, "joined_at": "2026-01-31T09:30:00.000Z", "left_at": "2026-01-31T09:41:00.000Z", "duration": 6.8097,
               "created_at": "2026-01-31T09:30:00.000Z", "updated_at": "2026-01-31T09:41:00.000Z"})
    );
    api.get(&format!("{KIT}/sessions/peer-report/{SESSION}")).await.failure(404);
}

#[tokio::test]
async fn a_session_flat_and_nested() {
    let api = with_a_lesson().await;
    let session = json!({"id": SESSION, "associated_id": SESSION, "meeting_display_name": "Algebra", "type": "meeting", "status": "LIVE",
        "live_participants": 1, "max_concurrent_participants": 1, "minutes_consumed": 36.8076, "organization_id": "school",
        "started_at": "2026-01-31T09:30:00.000Z", "ended_at": null, "created_at": "2026-01-31T09:30:00.000Z",
        "updated_at": "2026-01-31T10:00:00.123Z"});
    let mut superset = session.clone();
    superset["session"] = session.clone();
    assert_eq!(api.get(&format!("{KIT}/sessions/{SESSION}")).await.data(), superset);
    let list = api.get(&format!("{KIT}/sessions")).await;
    let paging = json!({"total_count": 1, "start_offset": 1, "end_offset": 1});
    assert_eq!(list.json(), json!({"success": true, "data": {"sessions": [session], "paging": paging}, "paging": paging}));
}

#[tokio::test]
async fn breakouts_are_nested() {
    let api = with_a_lesson().await;
    let breakout = |id: u32, session: &str, parent: &str| {
        format!(
            r#"{{"specversion":"1.0","type":"rollbook.session.ended","source":"sfu","id":"b{id}","time":"2026-01-31T09:50:0{id}Z","data":{{"session":{{"key":"{session}",{parent}}}}}}}"#
        )
    };
    let of_session = format!(r#""parent_id":"{SESSION}""#);
    api.report(&[breakout(1, "b1", &of_session), breakout(2, "b2", r#""parent_key":"b1""#)]).await;
    let data = api.get(&format!("{KIT}/sessions/{SESSION}?include_breakout_rooms=true")).await.data();
    let inner = &data["breakout_rooms"][0]["breakout_rooms"][0];
    assert_eq!((&inner["status"], &inner["breakout_rooms"], &inner["session"]), (&json!("ENDED"), &json!([]), &Value::Null));
    assert_eq!(data["session"]["breakout_rooms"], data["breakout_rooms"]);
    let plain = api.get(&format!("{KIT}/sessions/{SESSION}")).await.data();
    assert_eq!(plain["breakout_rooms"], Value::Null);
}

#[tokio::test]
async fn the_list_of_sessions_is_filtered() {
    let api = with_a_lesson().await;
    for (query, total) in [
        ("status=LIVE", 1),
        ("status=ENDED", 0),
        ("participants=1:10", 1),
        ("participants=3:", 0),
        ("participants=3:1", 0),
        ("participants=:2", 1),
        ("start_time=2026-01-31T09:30:00Z&end_time=2026-01-31T09:30:00Z", 1),
        ("start_time=2026-01-31T09:30:01Z", 0),
        ("search=ALGEB", 1),
        ("search=0d3b", 1),
        ("associated_id=0d3b2a4e-0000-4000-8000-0000000000ff", 0),
        ("associated_id=no-uuid", 0),
        ("sort_by=minutesConsumed&sort_order=ASC", 1),
    ] {
        let answer = api.get(&format!("{KIT}/sessions?{query}")).await;
        assert_eq!(answer.data()["paging"]["total_count"], total, "{query}");
    }
}

#[tokio::test]
async fn head_and_compression() {
    let api = with_a_lesson().await;
    let path = format!("{KIT}/sessions/{SESSION}/participants?include_peer_events=true&include_stays=true");
    let ask = |method: &str, encoding: &str| {
        let request = Request::builder().method(method).uri(&path).header("authorization", "Bearer read");
        request.header("accept-encoding", encoding).body(Body::empty()).unwrap()
    };
    let plain = api.send(ask("GET", "identity")).await;
    assert!(!plain.headers.contains_key("content-encoding"));
    let packed = api.send(ask("GET", "gzip, deflate")).await;
    assert_eq!(packed.headers["content-encoding"], "gzip");
    let mut unpacked = Vec::new();
    std::io::Read::read_to_end(&mut flate2::read::GzDecoder::new(&*packed.body), &mut unpacked).unwrap();
    assert_eq!(unpacked, plain.body);
    let head = api.send(ask("HEAD", "identity")).await;
    assert_eq!((head.status, head.body.len()), (StatusCode::OK, 0));
}

#[tokio::test]
async fn health_and_metrics() {
    let api = with_a_lesson().await;
    assert_eq!(api.get("/healthz").await.text(), r#"{"status":"ok"}"#);
    assert_eq!(api.get("/readyz").await.status, 200);
    api.faults.set_down(true);
    assert_eq!(api.get("/healthz").await.status, 200);
    api.get("/readyz").await.failure(503);
    let shown = crate::http::metrics_router(api.metrics.clone());
    let response = shown.oneshot(Request::get("/metrics").body(Body::empty()).unwrap()).await.unwrap();
    let text = String::from_utf8(to_bytes(response.into_body(), usize::MAX).await.unwrap().to_vec()).unwrap();
    for line in [
        "rollbook_events_accepted_total 5",
        "rollbook_http_requests_in_flight 0",
        r#"rollbook_http_requests_total{route="/v1/accounts/{account_id}/apps/{app_id}/events",method="POST",status="200"} 1"#,
        r#"rollbook_http_requests_total{route="/readyz",method="GET",status="503"} 1"#,
    ] {
        assert!(text.contains(line), "{line} in\n{text}");
    }
}
