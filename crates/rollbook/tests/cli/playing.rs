//! The demo.
#![cfg(unix)]

use crate::program::{rollbook, run};
use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Command, Stdio};

#[test]
fn the_demo_answers_the_lines_that_it_prints_and_ends_when_told() {
    let temp = tempfile::tempdir().unwrap();
    let args = ["demo", "--listen", "127.0.0.1:0", "--data", temp.path().to_str().unwrap()];
    let mut child = rollbook(&args).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    let mut curls = lines.by_ref().filter(|line| line.trim_start().starts_with("curl "));
    let answers = [curls.next().unwrap(), curls.next().unwrap()].map(|curl| {
        let quoted: Vec<_> = curl.split('\'').collect();
        let (name, value) = quoted[1].split_once(": ").unwrap();
        let config = ureq::Agent::config_builder().proxy(None);
        let agent: ureq::Agent = config.build().into();
        let body = agent.get(quoted[3]).header(name, value).call().unwrap().body_mut().read_to_string().unwrap();
        serde_json::from_str::<serde_json::Value>(&body).unwrap()
    });
    let names = |answer: &serde_json::Value| {
        let rows = answer["data"]["participants"].as_array().unwrap();
        rows.iter().map(|row| row["display_name"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let [raw, consolidated] = answers.each_ref().map(names);
    let times = |names: &[String]| names.iter().filter(|name| *name == "Ben").count();
    assert!(raw.len() > 9 && times(&raw) >= 2 && times(&consolidated) == 1, "{raw:?} {consolidated:?}");
    assert!(answers[0]["data"]["participants"].as_array().unwrap().iter().any(|row| row["left_at"].is_null()));

    assert!(lines.by_ref().any(|line| line.contains("came into") || line.contains("left")), "somebody comes or goes");
    assert!(Command::new("kill").args(["-s", "INT", &child.id().to_string()]).status().unwrap().success());
    lines.for_each(drop);
    assert_eq!(child.wait().unwrap().code(), Some(0));
    assert_eq!(run(&["token", "list", "--data", temp.path().to_str().unwrap()]).ok().lines().count(), 1);
}

#[test]
fn a_demo_ends_by_itself_when_its_time_is_up() {
    let temp = tempfile::tempdir().unwrap();
    let args = ["demo", "--for", "0", "--listen", "127.0.0.1:0", "--data", temp.path().to_str().unwrap()];
    let out = run(&args).ok();
    assert!(out.contains("view=consolidated"), "{out}");
}

#[test]
fn a_demo_finds_a_free_port_where_the_usual_one_is_taken() {
    // Where another program has it already, that will do as well.
    let _taken = std::net::TcpListener::bind("127.0.0.1:8080");
    let temp = tempfile::tempdir().unwrap();
    let mut child = rollbook(&["demo", "--for", "0", "--data", temp.path().to_str().unwrap()])
        .stderr(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let mut told = String::new();
    child.stderr.take().unwrap().read_to_string(&mut told).unwrap();
    assert!(told.contains("127.0.0.1:8080 is taken; the demo uses a free port"), "{told}");
    assert!(child.wait().unwrap().success());
}
