//! Nodes whose machines' clocks are wrong. Nothing that a node answers depends on its own clock.

use super::{LIST, Server, schema};
use crate::program::{rollbook, said};
use rollbook_core::time::{DAY, MINUTE, Timestamp};
use serde_json::Value;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

/// What a program is started with so that its clock is off; timers go on as they would.
struct Off {
    library: PathBuf,
    by: &'static str,
}

impl Off {
    fn new(by: &'static str) -> Self {
        let folders = std::fs::read_dir("/usr/lib").unwrap().map(|entry| entry.unwrap().path().join("faketime/libfaketimeMT.so.1"));
        let library = folders.into_iter().find(|path| path.exists());
        assert!(library.is_some(), "libfaketime is not installed (Debian: apt-get install libfaketime)");
        Self { library: library.unwrap(), by }
    }

    fn set<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        command.env("LD_PRELOAD", &self.library).env("FAKETIME", self.by).env("FAKETIME_DONT_FAKE_MONOTONIC", "1")
    }
}

fn joined(session: &str, peer: &str, at: Timestamp) -> String {
    format!(
        r#"{{"specversion":"1.0","type":"rollbook.peer.joined","source":"sfu","id":"{peer}","time":"{}","data":{{"session":{{"id":"{session}"}},"peer":{{"key":"{peer}"}}}}}}"#,
        at.to_rfc3339_micros()
    )
}

#[test]
fn a_nodes_clock_decides_nothing() {
    let (url, now) = (schema(), rollbook::clock::now());
    let (ahead, behind) = (Off::new("+1h"), Off::new("-1h"));
    let folders: [_; 3] = std::array::from_fn(|_| tempfile::tempdir().unwrap());
    let start = |folder: usize, off: Option<&Off>| {
        Server::start_with(folders[folder].path(), &url, |command| {
            if let Some(off) = off {
                off.set(command);
            }
        })
    };
    let nodes = [start(0, None), start(1, Some(&ahead)), start(2, Some(&behind))];
    let args = ["token", "create", "--account", "acme", "--permission", "realtime_admin", "--store", &url];
    let token = said(ahead.set(&mut rollbook(&args))).ok().trim().to_owned();
    let list = said(&mut rollbook(&["token", "list", "--store", &url])).ok();
    let made = list.split_whitespace().last().unwrap();
    assert!(Timestamp::parse_rfc3339(made).unwrap() > now.plus(50 * MINUTE), "the clock is not off: {list}");

    // Half an hour on either side of the longest stay; and just now.
    let at = [now.plus(30 * MINUTE - DAY), now.plus(-30 * MINUTE - DAY), now.plus(-10 * MINUTE)];
    let sessions = [1, 2, 3].map(|n| format!("0d3b2a4e-0000-4000-8000-00000000000{n}"));
    for n in 0..9 {
        let (node, session) = (&nodes[n % 3], n / 3);
        let answer = node.post(&joined(&sessions[session], &format!("p{session}-{}", n % 3), at[session].plus(n as i64)), &token);
        assert!(answer.contains(r#""accepted":1"#), "{answer}");
    }
    let ask = |node: &Server, path: &str| -> Value {
        let (status, body) = node.get(path, &token);
        assert_eq!(status, 200, "{body}");
        serde_json::from_str::<Value>(&body).unwrap()["data"].clone()
    };
    let rows = |node: &Server, session: usize| ask(node, &format!("{LIST}/{}/participants?include_stays=true", sessions[session]));
    let minutes = |node: &Server| rows(node, 0)["participants"][0]["duration"].as_f64().unwrap();
    for _ in 0..5 {
        // The three are asked one after the other, over and over: time goes on, and never back.
        let told = [&nodes[0], &nodes[1], &nodes[2], &nodes[0]].map(minutes);
        assert!(told.is_sorted() && told[0] >= 23.5 * 60.0 && told[3] < 23.5 * 60.0 + 5.0, "{told:?}");
    }
    for node in &nodes {
        assert!(rows(node, 0)["participants"].as_array().unwrap().iter().all(|row| row["left_at"].is_null()));
        assert_eq!(rows(node, 1), rows(&nodes[0], 1));
        assert_eq!(rows(node, 1)["participants"][2]["stays"][0]["closed_by"], "max_stay");
        let joins: Vec<_> = rows(node, 2)["participants"].as_array().unwrap().iter().map(|row| row["joined_at"].clone()).collect();
        assert_eq!(joins, [6, 7, 8].map(|n| Value::from(at[2].plus(n).to_string())));
        let list = ask(node, LIST);
        let told: Vec<_> = list["sessions"].as_array().unwrap().iter().map(|s| (s["id"].clone(), s["status"].clone())).collect();
        let told_of = |n: usize, status: &str| (Value::from(sessions[n].clone()), Value::from(status));
        assert_eq!(told, [told_of(2, "LIVE"), told_of(0, "LIVE"), told_of(1, "ENDED")]);
        let as_of = format!("{LIST}/{}/participants?as_of={}", sessions[2], now.plus(60 * MINUTE).to_rfc3339_micros());
        assert_eq!(ask(node, &as_of), ask(&nodes[0], &as_of));
    }

    let id = list.lines().last().unwrap().split_whitespace().next().unwrap();
    said(behind.set(&mut rollbook(&["token", "revoke", "--store", &url, id]))).ok();
    std::thread::sleep(Duration::from_secs(1));
    assert_eq!(nodes.each_ref().map(|node| node.get(LIST, &token).0), [401; 3]);
}
