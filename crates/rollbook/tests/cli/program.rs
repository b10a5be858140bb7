//! Running the command.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// What a run said and how it ended.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Said {
    /// Its standard output, of a run that went well.
    pub(crate) fn ok(self) -> String {
        assert_eq!(self.code, 0, "{self:?}");
        self.out
    }
}

/// The command, with nothing of this process's environment that it would take for a setting.
pub(crate) fn rollbook(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_rollbook"));
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("ROLLBOOK_")) {
        command.env_remove(name);
    }
    command.args(args);
    command
}

pub(crate) fn run(args: &[&str]) -> Said {
    said(&mut rollbook(args))
}

pub(crate) fn said(command: &mut Command) -> Said {
    let output = command.stdin(Stdio::null()).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    Said { code: output.status.code().unwrap_or(-1), out: text(output.stdout), err: text(output.stderr) }
}

/// A run that reads `input`.
pub(crate) fn run_with_input(args: &[&str], input: &[u8]) -> Said {
    let mut child = rollbook(args).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(input).unwrap();
    let output = child.wait_with_output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    Said { code: output.status.code().unwrap_or(-1), out: text(output.stdout), err: text(output.stderr) }
}

/// A server at work, killed where a test forgets it.
pub(crate) struct Server {
    child: Child,
    out: BufReader<std::process::ChildStdout>,
    pub(crate) address: String,
}

impl Server {
    /// Starts one on free ports, and waits until it says where it listens.
    pub(crate) fn start(data: &Path) -> Self {
        Self::start_on(data, "sqlite")
    }

    /// The same, with the ledger in a store of its own.
    pub(crate) fn start_on(data: &Path, store: &str) -> Self {
        Self::start_with(data, store, |_| {})
    }

    /// The same, with more said to the command.
    pub(crate) fn start_with(data: &Path, store: &str, more: impl FnOnce(&mut Command)) -> Self {
        let data = data.to_str().unwrap();
        let args = ["serve", "--listen", "127.0.0.1:0", "--metrics-listen", "127.0.0.1:0", "--data", data, "--store", store];
        let mut command = rollbook(&args);
        more(&mut command);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        out.read_line(&mut line).unwrap();
        let address = line.trim_end().strip_prefix("rollbook listening on ").unwrap().to_owned();
        Self { child, out, address }
    }

    /// Sends it a signal, and returns how it ended and what else it said.
    #[cfg(unix)]
    pub(crate) fn stop(self, signal: &str) -> (i32, String) {
        self.signal(signal);
        self.end()
    }

    #[cfg(unix)]
    pub(crate) fn signal(&self, name: &str) {
        let sent = Command::new("kill").args(["-s", name, &self.child.id().to_string()]).status().unwrap();
        assert!(sent.success());
    }

    /// Waits for its end.
    #[cfg(unix)]
    pub(crate) fn end(mut self) -> (i32, String) {
        let mut rest = String::new();
        self.out.read_to_string(&mut rest).unwrap();
        (self.child.wait().unwrap().code().unwrap_or(-1), rest)
    }

    /// Delivers one event; returns the answer.
    pub(crate) fn post(&self, event: &str, token: &str) -> String {
        let agent: ureq::Agent = ureq::Agent::config_builder().proxy(None).timeout_global(Some(Duration::from_secs(30))).build().into();
        let request = agent.post(format!("{}/v1/accounts/acme/apps/school/events", self.address));
        let request = request.header("authorization", format!("Bearer {token}")).header("content-type", "application/cloudevents+json");
        request.send(event).unwrap().body_mut().read_to_string().unwrap()
    }

    /// Asks for a path, as the bearer of a token; returns the status and the body.
    pub(crate) fn get(&self, path: &str, token: &str) -> (u16, String) {
        let config = ureq::Agent::config_builder().http_status_as_error(false).proxy(None).timeout_global(Some(Duration::from_secs(30)));
        let agent: ureq::Agent = config.build().into();
        let request = agent.get(format!("{}{path}", self.address)).header("authorization", format!("Bearer {token}"));
        let mut response = request.call().unwrap();
        (response.status().as_u16(), response.body_mut().read_to_string().unwrap())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Fails where it has ended already, which is what is wanted.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
