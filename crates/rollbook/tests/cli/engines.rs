//! Engines are added, listed, removed and tested, and a running server sees it.

use crate::program::{Said, Server, rollbook, run, said};
use std::io::Write as _;
use std::path::Path;
use std::process::Stdio;

const KEY: &str = "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=";
const OTHER_KEY: &str = "AgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgI=";

fn args<'a>(what: &'a str, data: &'a Path, more: &[&'a str]) -> Vec<&'a str> {
    [&["engine", what, "--account", "acme", "--app", "school", "--data", data.to_str().unwrap()], more].concat()
}

fn engine(what: &str, data: &Path, more: &[&str]) -> Said {
    run(&args(what, data, more))
}

/// Adds an engine whose secret comes on standard input, and is sealed with a key.
fn add_sealed(data: &Path, more: &[&str], secret: &str, key: Option<&str>) -> Said {
    let mut command = rollbook(&args("add", data, more));
    command.envs(key.map(|key| ("ROLLBOOK_ENGINES_KEY", key)));
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // It may have refused before it read.
    let _ = child.stdin.take().unwrap().write_all(secret.as_bytes());
    let output = child.wait_with_output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Said { code: output.status.code().unwrap(), out: text(output.stdout), err: text(output.stderr) }
}

fn list(data: &Path) -> Vec<String> {
    let out = run(&["engine", "list", "--data", data.to_str().unwrap()]).ok();
    out.lines().skip(1).map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect()
}

#[test]
fn what_is_added_is_listed_with_where_its_secret_is() {
    let temp = tempfile::tempdir().unwrap();
    let data = &temp.path().join("new");
    let added = engine("add", data, &["livekit", "--secret-env", "APIxyz=LIVEKIT_API_SECRET"]);
    assert_eq!((added.code, added.out.as_str()), (0, "/v1/accounts/acme/apps/school/engines/livekit\n"));
    assert!(added.err.contains("not on this machine, but servers need it: secret_env: the variable LIVEKIT_API_SECRET"), "{}", added.err);
    engine("add", data, &["jitsi", "--secret-file", "=/etc/a=b", "--option", "identity=[\"email\"]"]).ok();
    add_sealed(data, &["zoom", "--secret-stdin"], "the secret\n", Some(KEY)).ok();
    assert_eq!(engine("add", data, &["janus"]).ok(), "/v1/accounts/acme/apps/school/engines/janus\n");
    let rows = |engine: &str, secrets: &str| format!("acme school {engine} added {secrets} /v1/accounts/acme/apps/school/engines/{engine}");
    let expected = [("livekit", "APIxyz: env LIVEKIT_API_SECRET"), ("jitsi", "file /etc/a=b"), ("zoom", "sealed"), ("janus", "none")];
    assert_eq!(list(data), expected.map(|(engine, secrets)| rows(engine, secrets)));
    let file = std::fs::read_to_string(data.join("engines.json")).unwrap();
    assert!(!file.contains("the secret"), "{file}");

    engine("remove", data, &["jitsi"]).ok();
    assert_eq!(list(data).len(), 3);
    let again = engine("remove", data, &["jitsi"]);
    assert_eq!((again.code, again.err.as_str()), (1, "error: no engine jitsi was added to acme/school\n"));
}

#[test]
fn a_secret_is_never_kept_in_the_clear() {
    let temp = tempfile::tempdir().unwrap();
    let told = add_sealed(temp.path(), &["zoom", "--secret-stdin"], "the secret", None);
    assert_eq!(told.code, 1);
    assert!(told.err.starts_with("error: a secret is never kept in the clear. Set ROLLBOOK_ENGINES_KEY"), "{}", told.err);
    let told = add_sealed(temp.path(), &["zoom", "--secret-stdin"], "the secret", Some("c2hvcnQ="));
    assert!(told.err.contains("is not 32 bytes in base64") && !told.err.contains("c2hvcnQ="), "{}", told.err);
    assert!(!temp.path().join("engines.json").exists());
    let key = temp.path().join("key");
    std::fs::write(&key, KEY).unwrap();
    let in_file = ["zoom", "--secret-stdin", "--engines-key-file", key.to_str().unwrap()];
    assert!(add_sealed(temp.path(), &in_file, "s", Some(KEY)).err.contains("are both set"));
    add_sealed(temp.path(), &in_file, "s", None).ok();
}

#[test]
fn what_is_wrong_is_told_and_changes_nothing() {
    let temp = tempfile::tempdir().unwrap();
    let data = temp.path();
    let wrong = |more: &[&str]| engine("add", data, more).err;
    assert!(wrong(&["skype"]).starts_with("error: no engine is called \"skype\": there are 100ms, bigbluebutton"));
    assert!(wrong(&["zoom", "--option", "loud=true"]).starts_with("error: options: unknown field `loud`"));
    assert!(wrong(&["ours", "--mapping", "not/there"]).starts_with("error: can't read not/there"));
    let secret = data.join("secret");
    std::fs::write(&secret, "s").unwrap();
    let secret = secret.to_str().unwrap();
    assert!(wrong(&["livekit", "--secret-file", secret]).starts_with("error: secrets: each API secret needs its API key as id"));
    assert!(wrong(&["zoom", "--beside", "--secret-file", secret]).starts_with("error: no engine zoom was added to acme/school"));
    assert!(!data.join("engines.json").exists());

    engine("add", data, &["zoom", "--secret-file", secret]).ok();
    assert!(wrong(&["zoom", "--secret-file", secret]).starts_with("error: zoom of acme/school was added before"));
    assert!(wrong(&["zoom", "--beside"]).starts_with("error: --beside needs a secret"));
    engine("add", data, &["zoom", "--beside", "--secret-file", &format!("b={secret}")]).ok();
    assert!(list(data)[0].contains(&format!("file {secret}, b: file {secret}")), "{:?}", list(data));
    engine("add", data, &["zoom", "--replace", "--secret-file", secret]).ok();
    assert!(!list(data)[0].contains("b: "));

    let config = data.join("rollbook.toml");
    std::fs::write(&config, "[[engines]]\naccount = \"acme\"\napp = \"school\"\nengine = \"jaas\"\nsecrets = [{ secret_env = \"J\" }]\n")
        .unwrap();
    let config = config.to_str().unwrap();
    assert!(wrong(&["jaas", "--config", config]).starts_with("error: the settings file names jaas of acme/school, and counts"));
    let all = run(&["engine", "list", "--data", data.to_str().unwrap(), "--config", config]).ok();
    assert!(all.contains("jaas") && all.contains("settings") && all.contains("env J"), "{all}");
}

const MAPPING: &str = r#"
source = "ours"
items = "/events"
type = "/event"
[verify]
method = "hmac-sha256"
header = "X-Signature"
prefix = "sha256="
encoding = "hex"
signed = "{timestamp}.{body}"
timestamp_header = "X-Timestamp"
[fields]
time = { at = "/at", unit = "milliseconds" }
meeting = "^/room"
peer = "/who/connection"
custom_participant_id = "/who/id"
display_name = "/who/name"
[events.in]
is = "peer.joined"
[events.out]
is = "peer.left"
"#;

#[test]
fn every_engine_is_tried_out_on_a_running_server() {
    let temp = tempfile::tempdir().unwrap();
    let data = &temp.path().join("data");
    let server = Server::start_with(data, "sqlite", |command| {
        command.env("ROLLBOOK_ENGINES_KEY", KEY);
    });
    let mapping = temp.path().join("ours.toml");
    std::fs::write(&mapping, MAPPING).unwrap();
    let trial = |name: &str| {
        let mut command = rollbook(&args("test", data, &[name, "--server", &server.address]));
        said(command.env("ROLLBOOK_ENGINES_KEY", KEY)).ok()
    };
    let signs: [(&str, &[&str]); 9] = [
        ("livekit", &["--secret-stdin=APIxyz"]),
        ("zoom", &["--secret-stdin"]),
        ("jaas", &["--secret-stdin"]),
        ("jitsi", &["--secret-stdin"]),
        ("bigbluebutton", &["--secret-stdin"]),
        ("janus", &["--secret-stdin"]),
        ("daily", &["--secret-stdin"]),
        ("100ms", &["--secret-stdin"]),
        ("ours", &["--secret-stdin", "--mapping", mapping.to_str().unwrap()]),
    ];
    for (name, more) in signs {
        // In base64, as Daily's are.
        add_sealed(data, &[&[name], more].concat(), "dGhlIHNlY3JldA==", Some(KEY)).ok();
        let out = trial(name);
        assert!(out.contains("signed as it signs; "), "{name}: {out}");
        assert!(out.contains("\"rollbook engine test\"") && out.contains("joined 20") && out.contains(" by leave"), "{name}: {out}");
    }
    // There is nothing to sign with.
    for name in ["realtimekit", "videosdk", "janus"] {
        if name == "janus" {
            engine("remove", data, &["janus"]).ok();
        }
        let out = trial(name);
        assert!(out.contains("not signed: a token let them in; ") && out.contains("\"rollbook engine test\""), "{name}: {out}");
    }
    assert_eq!(run(&["token", "list", "--data", data.to_str().unwrap()]).ok().lines().count(), 1, "each token was taken back");
}

#[test]
fn a_test_tells_what_is_wrong() {
    let temp = tempfile::tempdir().unwrap();
    let data = temp.path();
    let server = Server::start_with(data, "sqlite", |command| {
        command.env("ROLLBOOK_ENGINES_KEY", KEY);
    });
    let trial = |key: &str| said(rollbook(&args("test", data, &["zoom", "--server", &server.address])).env("ROLLBOOK_ENGINES_KEY", key));
    // The server has no key for this secret.
    add_sealed(data, &["zoom", "--secret-stdin"], "the secret", Some(OTHER_KEY)).ok();
    let told = trial(OTHER_KEY);
    assert!(told.err.starts_with("error: refused: the server's log says why: the server answered 503 "), "{}", told.err);
    assert_eq!(
        trial(KEY).err,
        "error: zoom of acme/school, as it was added: a secret is sealed with another key than those of engines_key_file or ROLLBOOK_ENGINES_KEY\n"
    );
    // The server's settings file has another secret.
    drop(server);
    let (secret, config) = (data.join("secret"), data.join("rollbook.toml"));
    std::fs::write(&secret, "another").unwrap();
    let entry = format!(
        "[[engines]]\naccount = \"acme\"\napp = \"school\"\nengine = \"zoom\"\nsecrets = [{{ secret_file = \"{}\" }}]\n",
        secret.display()
    );
    std::fs::write(&config, entry).unwrap();
    let config = config.to_str().unwrap();
    let server = Server::start_with(data, "sqlite", |command| {
        command.args(["--config", config]).env("ROLLBOOK_ENGINES_KEY", KEY);
    });
    let with = |more: &[&str]| {
        let all =
            args("test", data, &[&["zoom", "--server", &server.address], more].concat()).into_iter().map(str::to_owned).collect::<Vec<_>>();
        said(rollbook(&all.iter().map(String::as_str).collect::<Vec<_>>()).env("ROLLBOOK_ENGINES_KEY", OTHER_KEY))
    };
    let told = with(&[]);
    assert!(told.err.starts_with("error: refused: the server's log says why: the server answered 401 "), "the file counts: {}", told.err);
    assert!(with(&["--config", config]).ok().contains("signed as it signs; 3 events were recorded"));
    let nowhere = engine("test", data, &["janus", "--server", "http://127.0.0.1:1"]);
    assert!(nowhere.err.contains("error: can't reach http://127.0.0.1:1/v1/accounts/acme/apps/school/engines/janus"), "{}", nowhere.err);
}
