//! What could not be translated is looked at and translated anew, beside a running server and without one.

use crate::program::{Server, rollbook, run, said};
use std::path::Path;

/// Told by an engine whose mapping looks elsewhere for the connection.
const DELIVERY: &str =
    r#"{"event":"in","at":"2026-01-31T09:30:00Z","room":"algebra","who":{"conn":"p1","name":"Ann","email":"ann@example.org"}}"#;

fn mapping(peer: &str) -> String {
    format!(
        "source = \"ours\"\ntype = \"/event\"\n[fields]\ntime = {{ at = \"/at\" }}\nmeeting = \"/room\"\npeer = \"{peer}\"\ndisplay_name = \"/who/name\"\n\
         [events.in]\nis = \"peer.joined\"\n"
    )
}

fn args<'a>(command: &[&'a str], data: &'a Path, more: &[&'a str]) -> Vec<&'a str> {
    [command, &["--account", "acme", "--app", "school", "--data", data.to_str().unwrap()], more].concat()
}

/// Describes the engine, anew where it was described before.
fn describe(data: &Path, peer: &str, more: &[&str]) {
    let file = data.join("ours.toml");
    std::fs::write(&file, mapping(peer)).unwrap();
    run(&args(&["engine", "add", "ours", "--mapping", file.to_str().unwrap()], data, more)).ok();
}

fn deliver(server: &Server, token: &str, body: &str) -> String {
    let agent: ureq::Agent = ureq::Agent::config_builder().proxy(None).build().into();
    let request = agent.post(format!("{}/v1/accounts/acme/apps/school/engines/ours", server.address));
    request.header("authorization", format!("Bearer {token}")).send(body).unwrap().body_mut().read_to_string().unwrap()
}

fn token(data: &Path, permission: &str) -> String {
    run(&args(&["token", "create", "--permission", permission], data, &[])).ok().trim_end().to_owned()
}

/// What is kept: engine, and why.
fn list(data: &Path) -> Vec<(String, String)> {
    let out = run(&args(&["quarantine", "list"], data, &[])).ok();
    let rows = out.lines().skip(1).map(|line| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>());
    rows.map(|cells| (cells[2].clone(), cells[4..].join(" "))).collect()
}

/// How many events are recorded.
fn recorded(data: &Path) -> usize {
    run(&args(&["export"], data, &[])).ok().lines().count()
}

#[test]
fn what_a_running_server_kept_is_translated_once_its_engine_is_described_rightly() {
    let temp = tempfile::tempdir().unwrap();
    let data = temp.path();
    describe(data, "/who/connection", &[]);
    let server = Server::start(data);
    let writer = token(data, "ingest");
    let other = DELIVERY.replace("p1", "p2").replace("\"in\"", "\"in\",\"who2\":1");
    for body in [DELIVERY, DELIVERY, &other] {
        assert_eq!(deliver(&server, &writer, body), r#"{"success":true,"data":{"accepted":0,"duplicates":0}}"#);
    }
    let why = "item 0: /who/connection: is required".to_owned();
    assert_eq!(list(data), [("ours".to_owned(), why.clone()), ("ours".to_owned(), why)], "kept once, however often it came");

    let shown = run(&args(&["quarantine", "show", "1"], data, &[]));
    assert!(shown.err.starts_with("number:  1\nengine:  ours\nkept:    20"), "{}", shown.err);
    assert!(shown.ok().contains(r#""name":"Ann","email":null"#));
    let missing = run(&args(&["quarantine", "show", "9"], data, &[]));
    assert_eq!(missing.err, "error: no kept delivery has the number 9; `rollbook quarantine list` shows them\n");

    let retry = args(&["quarantine", "retry"], data, &["--server", &server.address]);
    let told = run(&retry);
    assert_eq!(told.err, "0 recorded, 2 kept on\n");
    assert_eq!(told.ok(), "1 ours kept on: item 0: /who/connection: is required\n2 ours kept on: item 0: /who/connection: is required\n");
    let here = run(&args(&["quarantine", "retry"], data, &[]));
    assert!(here.err.contains("is in use by another rollbook") && here.err.contains("--server http://127.0.0.1:8080"), "{}", here.err);
    let may_not = said(rollbook(&retry).env("ROLLBOOK_TOKEN", &writer));
    assert!(may_not.err.contains("the server answered 403"), "{}", may_not.err);

    describe(data, "/who/conn", &["--replace"]);
    assert!(list(data)[0].1.starts_with("it can be translated (1 events): retry it"), "{:?}", list(data));
    // The server takes up what was added within a second.
    let mut told = run(&[&retry[..], &["2"]].concat());
    for _ in 0..20 {
        if told.err == "1 recorded, 0 kept on\n" {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(100));
        told = run(&[&retry[..], &["2"]].concat());
    }
    assert_eq!(told.ok(), "2 ours recorded: accepted 1, duplicates 0\n");
    assert_eq!((list(data).len(), recorded(data)), (1, 1));
    assert_eq!(run(&retry).ok(), "1 ours recorded: accepted 1, duplicates 0\n");
    assert_eq!((list(data).len(), recorded(data)), (0, 2));
    assert_eq!(run(&retry).err, "0 recorded, 0 kept on\n");
}

#[test]
fn without_a_server_the_command_does_it() {
    let temp = tempfile::tempdir().unwrap();
    let data = temp.path();
    describe(data, "/who/connection", &[]);
    let server = Server::start(data);
    deliver(&server, &token(data, "ingest"), DELIVERY);
    drop(server);
    assert_eq!(run(&args(&["quarantine", "retry"], data, &[])).err, "0 recorded, 1 kept on\n");
    describe(data, "/who/conn", &["--replace"]);
    assert_eq!(run(&args(&["quarantine", "retry", "1"], data, &[])).ok(), "1 ours recorded: accepted 1, duplicates 0\n");
    assert_eq!(list(data), []);
    assert_eq!(recorded(data), 1);
}

#[test]
fn too_much_is_not_kept() {
    let temp = tempfile::tempdir().unwrap();
    let data = temp.path();
    describe(data, "/who/connection", &[]);
    // Room for three and a half.
    let server = Server::start_with(data, "sqlite", |command| {
        command.args(["--kept-size", "1300"]);
    });
    let writer = token(data, "ingest");
    for n in 0..9 {
        deliver(&server, &writer, &DELIVERY.replace("p1", &format!("p{n}")));
    }
    let numbers = run(&args(&["quarantine", "list"], data, &[])).ok();
    let numbers: Vec<_> = numbers.lines().skip(1).map(|line| line.split_whitespace().next().unwrap()).collect();
    assert_eq!(numbers, ["7", "8", "9"], "the oldest go");
    let nowhere = run(&args(&["quarantine", "list"], &data.join("missing"), &[]));
    assert!(nowhere.err.starts_with("error: there is no data folder"), "{}", nowhere.err);
}
