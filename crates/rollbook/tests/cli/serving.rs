//! A server starts, refuses a second one, and stops.
#![cfg(unix)]

use crate::program::{Server, run};
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
    for command in ["export", "import"] {
        let args = [&[command, "--account", "acme", "--app", "school", "--data", data][..], if command == "import" { &["-"] } else { &[] }];
        let told = run(&args.concat());
        assert_eq!(told.code, 1);
        assert!(told.err.contains("is in use by another rollbook"), "{}", told.err);
    }
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
