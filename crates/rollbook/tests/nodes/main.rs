//! Several nodes on one PostgreSQL: what one has acknowledged, the others answer with, at once; and when one dies, the others go on.
#![expect(clippy::unwrap_used, reason = "these are tests")]

mod busy;
mod clocks;
#[path = "../../../store/tests/cluster/mod.rs"]
mod cluster;
mod counts;
#[path = "../cli/program.rs"]
#[expect(dead_code, reason = "another test runs more of the command")]
mod program;
mod segments;

use cluster::cluster;
use program::{Server, run};
use serde_json::Value;
use std::time::Duration;

const LIST: &str = "/client/v4/accounts/acme/realtime/kit/school/sessions";
const SESSION: &str = "0d3b2a4e-0000-4000-8000-000000000001";

/// A new ledger's address in the database.
fn schema() -> String {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(cluster().schema())
}

fn token(store: &str) -> String {
    run(&["token", "create", "--account", "acme", "--permission", "realtime_admin", "--store", store]).ok().trim().to_owned()
}

/// One peer's join or leave.
fn event(peer: usize, what: &str, minute: usize) -> String {
    format!(
        r#"{{"specversion":"1.0","type":"rollbook.peer.{what}","source":"sfu","id":"{what}-{peer}","time":"2026-01-31T09:{minute:02}:00Z","data":{{"session":{{"id":"{SESSION}"}},"peer":{{"key":"{peer}","display_name":"Peer {peer}"}}}}}}"#
    )
}

fn total(server: &Server, token: &str) -> Value {
    let (status, body) = server.get(&format!("{LIST}/{SESSION}/participants?per_page=1"), token);
    assert_eq!(status, 200, "{body}");
    serde_json::from_str::<Value>(&body).unwrap()["data"]["paging"]["total_count"].clone()
}

#[test]
fn what_one_node_acknowledged_the_other_answers_with() {
    let url = schema();
    let (folder_a, folder_b) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let token = token(&url);
    let (a, b) = (Server::start_on(folder_a.path(), &url), Server::start_on(folder_b.path(), &url));
    for peer in 0..40 {
        let (node, other) = if peer % 2 == 0 { (&a, &b) } else { (&b, &a) };
        assert_eq!(node.post(&event(peer, "joined", peer), &token), r#"{"success":true,"data":{"accepted":1,"duplicates":0}}"#);
        // The other node, as soon as the first has answered; and the first.
        for node in [other, node] {
            assert_eq!(total(node, &token), peer + 1);
        }
    }
    assert_eq!(b.post(&event(7, "joined", 7), &token), r#"{"success":true,"data":{"accepted":0,"duplicates":1}}"#);

    a.stop("KILL");
    let body = b.post(&event(7, "left", 50), &token);
    assert_eq!(body, r#"{"success":true,"data":{"accepted":1,"duplicates":0}}"#);
    let a = Server::start_on(folder_a.path(), &url);
    let ask = format!("{LIST}/{SESSION}/participants?search=peer%207&include_stays=true&as_of=2026-01-31T10:00:00Z");
    let (of_a, of_b) = (a.get(&ask, &token), b.get(&ask, &token));
    assert_eq!(of_a, of_b);
    assert!(of_a.1.contains(r#""left_at":"2026-01-31T09:50:00.000Z","duration":43"#), "{}", of_a.1);
    let list = |server: &Server, token: &str| serde_json::from_str::<Value>(&server.get(LIST, token).1).unwrap();
    assert_eq!(list(&a, &token)["paging"]["total_count"], 1);
    assert_eq!(list(&b, &token)["data"]["sessions"][0]["status"], "ENDED", "the longest stay is over");
}

/// Tokens are the database's: each node takes one that was just made, and refuses one within a second of its revocation.
#[test]
fn tokens_are_the_same_on_every_node() {
    let url = schema();
    let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let nodes = folders.each_ref().map(|folder| Server::start_on(folder.path(), &url));
    let status = |node: &Server, token: &str| node.get(LIST, token).0;
    assert_eq!(nodes.each_ref().map(|node| status(node, "rb_wrong")), [401, 401]);
    for _ in 0..3 {
        let token = token(&url);
        assert_eq!(nodes.each_ref().map(|node| status(node, &token)), [200, 200]);
    }
    let token = token(&url);
    assert_eq!(nodes.each_ref().map(|node| status(node, &token)), [200, 200]);
    let list = run(&["token", "list", "--store", &url]).ok();
    let id = list.lines().last().unwrap().split_whitespace().next().unwrap();
    assert_eq!(list.lines().count(), 5, "{list}");
    run(&["token", "revoke", "--store", &url, id]).ok();
    std::thread::sleep(Duration::from_secs(1));
    assert_eq!(nodes.each_ref().map(|node| status(node, &token)), [401, 401]);
    assert_eq!(run(&["token", "revoke", "--store", &url, id]).code, 1);
}

/// A slip in an address leads to no ledger, and does not make one.
#[test]
fn what_only_reads_makes_no_ledger() {
    let url = schema();
    let folder = tempfile::tempdir().unwrap();
    let (data, settings) = (folder.path().to_str().unwrap(), folder.path().join("rollbook.toml"));
    std::fs::write(&settings, format!("store = {url:?}")).unwrap();
    let settings = settings.to_str().unwrap();
    let commands: [&[&str]; 3] = [
        &["token", "list", "--store", &url],
        &["token", "revoke", "--store", &url, "tok_5d41402abc"],
        &["export", "--data", data, "--config", settings, "--account", "acme", "--app", "school"],
    ];
    for command in commands {
        let refused = run(command);
        assert_eq!((refused.code, refused.out.as_str()), (1, ""), "{command:?}");
        assert!(refused.err.starts_with("error: the database has no ledger: is it the right one?"), "{}", refused.err);
    }
    let token = token(&url);
    assert!(token.starts_with("rb_"), "who makes a token makes the ledger");
    assert_eq!(run(commands[0]).ok().lines().count(), 2);
    assert_eq!(run(commands[2]).ok(), "");
}
