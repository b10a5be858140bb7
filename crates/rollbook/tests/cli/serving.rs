//! A server starts, refuses a second one, and stops.
#![cfg(unix)]

use crate::program::{Server, run};
use std::io::{Read as _, Write as _};
use std::net::TcpStream;

#[test]
fn a_server_says_one_line_answers_and_stops_when_told() {
    let temp = tempfile::tempdir().unwrap();
    let server = Server::start(temp.path());
    let address = server.address.strip_prefix("http://").unwrap().to_owned();
    assert!(!address.ends_with(":0"));
    assert_eq!(server.get("/v1/nothing/here", "rb_x").0, 404);
    assert_eq!(server.stop("TERM"), (0, String::new()));
    assert!(TcpStream::connect(&address).is_err());
}

#[test]
fn ctrl_c_stops_it_too_and_an_idle_connection_does_not_hold_it() {
    let temp = tempfile::tempdir().unwrap();
    let server = Server::start(temp.path());
    server.get("/v1/nothing/here", "rb_x");
    let _idle = TcpStream::connect(server.address.strip_prefix("http://").unwrap()).unwrap();
    assert_eq!(server.stop("INT").0, 0);
}

#[test]
fn a_second_server_on_the_same_folder_is_refused() {
    let temp = tempfile::tempdir().unwrap();
    let first = Server::start(temp.path());
    let data = temp.path().to_str().unwrap();
    let second = run(&["serve", "--listen", "127.0.0.1:0", "--metrics-listen", "127.0.0.1:0", "--data", data]);
    assert_eq!((second.code, second.out.as_str()), (1, ""));
    assert!(second.err.starts_with(&format!("error: data folder {data} is in use by another rollbook")), "{}", second.err);
    let told = run(&["import", "--account", "acme", "--app", "school", "--data", data, "-"]);
    assert_eq!(told.code, 1);
    assert!(told.err.contains("is in use by another rollbook"), "{}", told.err);
    assert_eq!(first.stop("TERM").0, 0);
    assert_eq!(Server::start(temp.path()).stop("TERM").0, 0);
}

#[test]
fn an_address_that_is_taken_is_named_with_its_setting() {
    let temp = tempfile::tempdir().unwrap();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let told = run(&["serve", "--data", temp.path().to_str().unwrap(), "--listen", &address]);
    assert_eq!(told.code, 1);
    assert!(told.err.starts_with(&format!("error: can't listen on {address} (listen): ")), "{}", told.err);
}

#[test]
fn what_is_under_way_when_it_is_told_to_stop_is_finished() {
    let temp = tempfile::tempdir().unwrap();
    let data = temp.path().to_str().unwrap();
    let token = run(&["token", "create", "--account", "acme", "--permission", "ingest", "--data", data]).ok();
    let server = Server::start(temp.path());
    let address = server.address.strip_prefix("http://").unwrap().to_owned();
    let event = r#"{"specversion":"1.0","id":"1","source":"x","type":"rollbook.source.started","time":"2026-01-01T00:00:00Z"}"#;
    let mut stream = TcpStream::connect(&address).unwrap();
    write!(
        stream,
        "POST /v1/accounts/acme/apps/school/events HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer {}\r\n\
         content-type: application/cloudevents+json\r\nexpect: 100-continue\r\ncontent-length: {}\r\n\r\n",
        token.trim_end(),
        event.len()
    )
    .unwrap();
    // It says so when it waits for the body: the request is under way.
    let mut go_on = [0; 25];
    stream.read_exact(&mut go_on).unwrap();
    assert_eq!(&go_on, b"HTTP/1.1 100 Continue\r\n\r\n");
    server.signal("TERM");
    while TcpStream::connect(&address).is_ok() {
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    stream.write_all(event.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 OK") && answer.contains("\"accepted\":1"), "{answer}");
    assert_eq!(server.end().0, 0);
    let exported = run(&["export", "--account", "acme", "--app", "school", "--data", data]).ok();
    assert_eq!(exported.lines().count(), 1);
}
