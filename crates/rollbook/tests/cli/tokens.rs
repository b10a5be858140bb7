//! Tokens are made, listed, revoked, and a running server sees it.

use crate::program::{Server, run, said};

fn create(data: &str, more: &[&str]) -> String {
    let args = [&["token", "create", "--data", data, "--account", "acme"], more].concat();
    run(&args).ok()
}

#[test]
fn create_prints_the_token_and_nothing_else_even_where_no_server_ever_ran() {
    let temp = tempfile::tempdir().unwrap();
    let data = temp.path().join("new/folder");
    let out = create(data.to_str().unwrap(), &["--app", "school", "--permission", "ingest"]);
    let token = out.strip_suffix('\n').unwrap();
    assert!(token.starts_with("rb_") && token.len() == 46 && !token.contains(char::is_whitespace), "{out:?}");
    assert!(data.join("tokens.json").is_file());
}

#[test]
fn list_shows_everything_but_the_token() {
    let temp = tempfile::tempdir().unwrap();
    let data = temp.path().to_str().unwrap();
    let tokens = [create(data, &["--app", "school", "--permission", "realtime"]), create(data, &["--permission", "realtime_admin"])];
    let out = run(&["token", "list", "--data", data]).ok();
    let rows: Vec<Vec<_>> = out.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(rows[0], ["ID", "ACCOUNT", "APP", "PERMISSION", "CREATED"]);
    assert_eq!((&rows[1][1..4], &rows[2][1..4]), (&["acme", "school", "realtime"][..], &["acme", "*", "realtime_admin"][..]));
    assert!(tokens.iter().all(|token| !out.contains(&token.trim_end()[3..])));

    run(&["token", "revoke", "--data", data, rows[1][0]]).ok();
    assert_eq!(run(&["token", "list", "--data", data]).ok().lines().count(), 2);
    let again = run(&["token", "revoke", "--data", data, rows[1][0]]);
    assert_eq!((again.code, again.out.as_str()), (1, ""));
    assert!(again.err.starts_with(&format!("error: no token has the id \"{}\"", rows[1][0])), "{}", again.err);
}

#[test]
fn commands_at_once_lose_nothing() {
    let temp = tempfile::tempdir().unwrap();
    let data = temp.path().to_str().unwrap();
    let mut create = crate::program::rollbook(&["token", "create", "--data", data, "--account", "acme", "--permission", "ingest"]);
    let running: Vec<_> = (0..8).map(|_| create.stdout(std::process::Stdio::null()).spawn().unwrap()).collect();
    assert!(running.into_iter().all(|mut child| child.wait().unwrap().success()));
    assert_eq!(run(&["token", "list", "--data", data]).ok().lines().count(), 9);
}

#[test]
fn what_can_be_no_token_is_refused() {
    let temp = tempfile::tempdir().unwrap();
    let data = temp.path().join("data");
    let create = ["token", "create", "--data", data.to_str().unwrap(), "--account", "a/b", "--permission"];
    let bad_account = run(&[&create[..], &["ingest"]].concat());
    assert_eq!(bad_account.code, 1);
    assert!(bad_account.err.starts_with("error: account_id must be 1 to 32 characters"), "{}", bad_account.err);
    assert_eq!(run(&[&create[..], &["everything"]].concat()).code, 2);
    assert!(!data.exists());
}

#[test]
fn a_damaged_file_is_told_and_left_alone() {
    let temp = tempfile::tempdir().unwrap();
    std::fs::write(temp.path().join("tokens.json"), "{").unwrap();
    let told = said(crate::program::rollbook(&["token", "list"]).env("ROLLBOOK_DATA", temp.path()));
    assert_eq!(told.code, 1);
    assert!(told.err.contains("tokens.json is damaged: "), "{}", told.err);
}

#[test]
fn a_running_server_takes_a_new_token_at_once_and_drops_a_revoked_one_within_a_second() {
    let temp = tempfile::tempdir().unwrap();
    let data = temp.path().to_str().unwrap();
    let server = Server::start(temp.path());
    let sessions = "/client/v4/accounts/acme/realtime/kit/school/sessions";
    assert_eq!(server.get(sessions, "rb_wrong").0, 401);
    let token = create(data, &["--permission", "realtime"]);
    assert_eq!(server.get(sessions, token.trim_end()).0, 200);

    let list = run(&["token", "list", "--data", data]).ok();
    let id = list.lines().nth(1).unwrap().split_whitespace().next().unwrap();
    run(&["token", "revoke", "--data", data, id]).ok();
    std::thread::sleep(std::time::Duration::from_millis(1001));
    assert_eq!(server.get(sessions, token.trim_end()).0, 401);
}
