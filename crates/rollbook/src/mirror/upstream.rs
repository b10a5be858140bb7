//! The server whose sessions are mirrored, as a client sees it.

use super::Pace;
use crate::clock;
use crate::import::path_segment;
use rollbook_ingest::engine::BadAnswer;
use rollbook_ingest::realtimekit::listed::{self, Listed, Row, Session};
use std::time::Duration;
use ureq::http::{Response, StatusCode};
use ureq::{Agent, Body};

/// How often a question is asked while the server is away or busy: with the pauses between, about five minutes, and longer where it asks for it.
const TRIES: u32 = 12;
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
/// What `retry-after` may ask for.
const LONGEST_ASKED: Duration = Duration::from_secs(900);
/// How many sessions and rows are asked for at once: the most that every version of the API allows.
const PER_PAGE: u32 = 200;
/// How much of an answer is read.
const MAX_ANSWER: u64 = 64 << 20;

/// One app of the server, and the right to read it.
pub struct Upstream {
    agent: Agent,
    sessions: String,
    token: String,
    pace: Pace,
}

/// Why the server does not tell.
#[derive(Debug, thiserror::Error)]
pub enum UpstreamError {
    /// The address is none.
    #[error("{0:?} is no address: write it as https://api.cloudflare.com/client/v4")]
    BadAddress(String),
    /// It is away, or busy, for too long.
    #[error("{url}: {why} (tried {TRIES} times)")]
    Away {
        /// What was asked.
        url: String,
        /// Why there is no answer.
        why: String,
    },
    /// It refuses.
    #[error("{url}: {why}")]
    Refused {
        /// What was asked.
        url: String,
        /// What it said.
        why: String,
    },
    /// It says something else.
    #[error("{url}: {cause}")]
    Unreadable {
        /// What was asked.
        url: String,
        /// What is wrong.
        cause: BadAnswer,
    },
}

enum Outcome {
    Answer(Vec<u8>),
    Later { why: String, after: Option<Duration> },
    Refused { status: StatusCode, why: String },
}

impl Upstream {
    /// The app of the server whose API is at `base`, as in `https://api.cloudflare.com/client/v4`, asked at this pace.
    ///
    /// # Errors
    /// Where `base` is no address.
    pub fn new(base: &str, account: &str, app: &str, token: &str, pace: Pace) -> Result<Self, UpstreamError> {
        let base = base.trim_end_matches('/');
        if !base.starts_with("http://") && !base.starts_with("https://") {
            return Err(UpstreamError::BadAddress(base.into()));
        }
        let sessions = format!("{base}/accounts/{}/realtime/kit/{}/sessions", path_segment(account), path_segment(app));
        let config = Agent::config_builder().http_status_as_error(false).timeout_global(Some(Duration::from_secs(60))).max_redirects(0);
        Ok(Self { agent: config.build().into(), sessions, token: token.into(), pace })
    }

    /// A page of the sessions, the earliest first.
    pub(super) fn sessions(&mut self, since: Option<&str>, page: u32) -> Result<Listed<(Box<str>, bool)>, UpstreamError> {
        let from = since.map_or_else(String::new, |since| format!("&start_time={}", path_segment(since)));
        let url = format!("{}?sort_by=createdAt&sort_order=ASC&page_no={page}&per_page={PER_PAGE}{from}", self.sessions);
        self.ask(&url, listed::sessions)
    }

    /// A session and its breakouts; none where the server does not know it.
    pub(super) fn session(&mut self, id: &str) -> Result<Option<Vec<Session>>, UpstreamError> {
        let url = format!("{}/{}?include_breakout_rooms=true", self.sessions, path_segment(id));
        self.maybe(&url, listed::session)
    }

    /// A page of a session's participants.
    pub(super) fn participants(&mut self, session: &str, page: u32) -> Result<Listed<Row>, UpstreamError> {
        let order = "sort_by=joinedAt&sort_order=ASC&include_peer_events=true&view=raw";
        let url = format!("{}/{}/participants?{order}&page_no={page}&per_page={PER_PAGE}", self.sessions, path_segment(session));
        self.ask(&url, listed::participants)
    }

    fn ask<T>(&mut self, url: &str, read: impl Fn(&[u8]) -> Result<T, BadAnswer>) -> Result<T, UpstreamError> {
        self.maybe(url, read)?.ok_or_else(|| UpstreamError::Refused { url: url.into(), why: "404 Not Found".into() })
    }

    fn maybe<T>(&mut self, url: &str, read: impl Fn(&[u8]) -> Result<T, BadAnswer>) -> Result<Option<T>, UpstreamError> {
        let (mut pause, mut tries) = (FIRST_PAUSE, 1);
        loop {
            std::thread::sleep(self.pace.wait(clock::now()));
            match self.attempt(url) {
                Outcome::Answer(body) => {
                    return read(&body).map(Some).map_err(|cause| UpstreamError::Unreadable { url: url.into(), cause });
                }
                Outcome::Refused { status: StatusCode::NOT_FOUND, .. } => return Ok(None),
                Outcome::Refused { why, .. } => return Err(UpstreamError::Refused { url: url.into(), why }),
                Outcome::Later { why, .. } if tries == TRIES => return Err(UpstreamError::Away { url: url.into(), why }),
                Outcome::Later { why, after } => {
                    tracing::warn!(why, "upstream is away or busy; asking again");
                    std::thread::sleep(after.map_or(pause, |after| after.min(LONGEST_ASKED)));
                    (pause, tries) = ((pause * 2).min(LONGEST_PAUSE), tries + 1);
                }
            }
        }
    }

    fn attempt(&self, url: &str) -> Outcome {
        let request = self.agent.get(url).header("accept", "application/json");
        match request.header("authorization", format!("Bearer {}", self.token)).call() {
            Ok(response) => judged(response),
            Err(error) => Outcome::Later { why: error.to_string(), after: None },
        }
    }
}

fn judged(mut response: Response<Body>) -> Outcome {
    let status = response.status();
    let after = response.headers().get("retry-after").and_then(|value| value.to_str().ok()?.parse().ok()).map(Duration::from_secs);
    let body = match response.body_mut().with_config().limit(MAX_ANSWER).read_to_vec() {
        Ok(body) => body,
        Err(error) => return Outcome::Later { why: format!("its answer broke off: {error}"), after: None },
    };
    if status == StatusCode::OK {
        return Outcome::Answer(body);
    }
    let said: String = String::from_utf8_lossy(&body).chars().filter(|c| !c.is_control()).take(200).collect();
    let why = if said.is_empty() { status.to_string() } else { format!("{status}: {said}") };
    if status == StatusCode::TOO_MANY_REQUESTS || status.is_server_error() {
        return Outcome::Later { why, after };
    }
    Outcome::Refused { status, why }
}
