//! A running server, as a client sees it.

use super::{Batch, SendError, Target};
use crate::http::KNOWN;
use crate::ledger::Receipt;
use rollbook_core::id::App;
use serde::Deserialize;
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::time::Duration;
use ureq::config::ConfigBuilder;
use ureq::http::{Response, StatusCode};
use ureq::typestate::AgentScope;
use ureq::{Agent, Body};

/// How often a batch is tried while the server is away or busy: with the pauses between, about two minutes.
const TRIES: u32 = 16;
const FIRST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);
/// How much of an answer is read: the largest names a thousand bad events.
pub(crate) const MAX_ANSWER: u64 = 16 << 20;

/// An app of a running server, and the right to write to it.
pub struct Server {
    agent: Agent,
    address: String,
    token: String,
    /// Whether it ever answered: one that never did is more likely misspelt than away.
    reached: bool,
}

/// Why a server can't be asked.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// The address is none.
    #[error("{0:?} is no server's address: write it as http://127.0.0.1:8080 or https://rollbook.example.com")]
    BadAddress(String),
}

impl Server {
    /// An app of the server at `base`, as in `http://127.0.0.1:8080`.
    ///
    /// # Errors
    /// Where `base` is no address.
    pub fn new(base: &str, app: &App, token: &str) -> Result<Self, ServerError> {
        let base = base.trim_end_matches('/');
        if !base.starts_with("http://") && !base.starts_with("https://") {
            return Err(ServerError::BadAddress(base.into()));
        }
        let address = events_address(base, app);
        Ok(Self { agent: configured().build().into(), address, token: token.into(), reached: false })
    }

    /// An app of a server of this process. It is asked directly, whatever proxy the environment names.
    #[must_use]
    pub fn local(server: SocketAddr, app: &App, token: &str) -> Self {
        let address = events_address(&format!("http://{server}"), app);
        Self { agent: configured().proxy(None).build().into(), address, token: token.into(), reached: false }
    }

    /// Sends a body of `application/x-ndjson`. While the server is busy, or away since it last answered, tries again: repeating is
    /// harmless.
    ///
    /// # Errors
    /// Where the server refuses it, or is away or busy for too long.
    pub fn post(&mut self, body: &[u8]) -> Result<Receipt, SendError> {
        let (mut pause, mut tries) = (FIRST_PAUSE, 1);
        loop {
            match self.attempt(body) {
                Outcome::Done(result) => return result,
                Outcome::Later { why, .. } if tries == TRIES => {
                    return Err(SendError::Failed(format!("{}: {why} (tried {TRIES} times)", self.address)));
                }
                Outcome::Later { why, after } => {
                    tracing::warn!(why, "the server is away or busy; trying again");
                    std::thread::sleep(after.unwrap_or(pause).min(LONGEST_PAUSE));
                    (pause, tries) = ((pause * 2).min(LONGEST_PAUSE), tries + 1);
                }
            }
        }
    }

    fn attempt(&mut self, body: &[u8]) -> Outcome {
        let request = self.agent.post(&self.address).header("content-type", "application/x-ndjson");
        match request.header("authorization", format!("Bearer {}", self.token)).send(body) {
            Ok(response) => {
                self.reached = true;
                self.judge(response)
            }
            Err(error) if self.reached => Outcome::Later { why: error.to_string(), after: None },
            Err(error) => Outcome::Done(Err(SendError::Failed(format!("{}: {error}", self.address)))),
        }
    }

    fn judge(&self, mut response: Response<Body>) -> Outcome {
        let status = response.status();
        let after = response.headers().get("retry-after").and_then(|value| value.to_str().ok()?.parse().ok()).map(Duration::from_secs);
        let text = match response.body_mut().with_config().limit(MAX_ANSWER).read_to_string() {
            Ok(text) => text,
            Err(error) => return Outcome::Later { why: format!("its answer broke off: {error}"), after: None },
        };
        let answer: Answer = serde_json::from_str(&text).unwrap_or_default();
        if let (StatusCode::OK, Some(receipt)) = (status, &answer.data) {
            return Outcome::Done(Ok(Receipt { accepted: receipt.accepted, duplicates: receipt.duplicates }));
        }
        let why = answer.error.map_or_else(|| format!("the server answered {status}"), |error| format!("{} ({status})", error.message));
        if status == StatusCode::TOO_MANY_REQUESTS || status.is_server_error() {
            return Outcome::Later { why, after };
        }
        if status == StatusCode::BAD_REQUEST && !answer.errors.is_empty() && answer.errors.iter().all(Told::is_known) {
            return Outcome::Done(Err(SendError::Known(answer.errors.iter().filter_map(|error| error.index).collect())));
        }
        let first = answer.errors.into_iter().find_map(|error| Some((error.index?, error.message)));
        Outcome::Done(Err(match first {
            Some((index, message)) if status == StatusCode::BAD_REQUEST => SendError::Refused { index, message },
            _ => SendError::Failed(format!("{}: {why}", self.address)),
        }))
    }
}

/// A status is an answer to read, not an error. A batch is small, so a minute without its answer is a server that went away.
pub(crate) fn configured() -> ConfigBuilder<AgentScope> {
    Agent::config_builder().http_status_as_error(false).timeout_global(Some(Duration::from_secs(60))).max_redirects(0)
}

fn events_address(base: &str, app: &App) -> String {
    format!("{base}/v1/accounts/{}/apps/{}/events", path_segment(app.account()), path_segment(app.app()))
}

impl Target for Server {
    fn send(&mut self, batch: &Batch) -> Result<Receipt, SendError> {
        self.post(batch.body())
    }
}

enum Outcome {
    Done(Result<Receipt, SendError>),
    Later { why: String, after: Option<Duration> },
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Answer {
    data: Option<Counts>,
    error: Option<Told>,
    errors: Vec<Told>,
}

#[derive(Deserialize)]
struct Counts {
    accepted: usize,
    duplicates: usize,
}

#[derive(Deserialize)]
struct Told {
    message: String,
    index: Option<usize>,
}

impl Told {
    fn is_known(&self) -> bool {
        self.index.is_some() && self.message == KNOWN
    }
}

/// Any text as one segment of a path.
pub(crate) fn path_segment(text: &str) -> String {
    text.bytes().fold(String::with_capacity(text.len()), |mut out, byte| {
        if byte.is_ascii_alphanumeric() || b"-_~".contains(&byte) {
            out.push(byte.into());
        } else {
            // Writing into a String has no way to fail. A dot is escaped too: a segment of dots alone is a way up.
            let _ = write!(out, "%{byte:02X}");
        }
        out
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read as _, Write as _};
    use std::net::TcpListener;

    /// A server that gives these answers, one a connection, and hangs up where there is none to give.
    fn server(answers: &'static [Option<(&'static str, &'static str)>]) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        std::thread::spawn(move || {
            for answer in answers {
                let (mut stream, _) = listener.accept().unwrap();
                let Some((head, body)) = answer else { continue };
                // One read is all of a request this small.
                let _ = stream.read(&mut [0; 4096]).unwrap();
                write!(stream, "HTTP/1.1 {head}\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}", body.len()).unwrap();
            }
        });
        Server::local(address, &App::new("acme", "school").unwrap(), "rb_x")
    }

    const TAKEN: (&str, &str) = ("200 OK", r#"{"success":true,"data":{"accepted":2,"duplicates":1}}"#);

    #[test]
    fn a_server_that_is_busy_or_goes_away_is_asked_again() {
        let busy = ("503 Service Unavailable\r\nretry-after: 0", "{}");
        let mut server = server(Box::leak(Box::new([Some(busy), None, Some(busy), Some(TAKEN)])));
        assert_eq!(server.post(b"{}").unwrap(), Receipt { accepted: 2, duplicates: 1 });
    }

    #[test]
    fn a_server_that_never_answered_is_not_waited_for() {
        let error = server(&[]).post(b"{}").unwrap_err();
        assert!(matches!(&error, SendError::Failed(why) if why.contains("/v1/accounts/acme/apps/school/events: ")), "{error}");
    }

    #[test]
    fn a_refusal_names_the_event_or_tells_why() {
        let bad = r#"{"error":{"code":400,"message":"bad"},"errors":[{"code":400,"message":"general"},{"code":400,"message":"no time","index":3}]}"#;
        let error = server(Box::leak(Box::new([Some(("400 Bad Request", bad))]))).post(b"{}").unwrap_err();
        assert!(matches!(&error, SendError::Refused { index: 3, message } if message == "no time"), "{error}");
        let foreign = ("403 Forbidden", r#"{"error":{"code":403,"message":"not yours"}}"#);
        let error = server(Box::leak(Box::new([Some(foreign)]))).post(b"{}").unwrap_err();
        assert!(error.to_string().ends_with("events: not yours (403 Forbidden)"), "{error}");
        let page = server(Box::leak(Box::new([Some(("200 OK", "<html>"))]))).post(b"{}").unwrap_err();
        assert!(page.to_string().ends_with("the server answered 200 OK"), "{page}");
    }

    #[test]
    fn what_is_no_address_is_told() {
        let app = App::new("acme", "school").unwrap();
        assert!(Server::new("localhost:8080", &app, "rb_x").is_err());
        let proper = Server::new("http://localhost:8080/", &app, "rb_x").map(|server| server.address);
        assert_eq!(proper.unwrap(), "http://localhost:8080/v1/accounts/acme/apps/school/events");
    }
}
