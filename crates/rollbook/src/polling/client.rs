//! Asking over HTTP: one question after another, on a thread of its own.

use crate::clock;
use rollbook_core::time::{SECOND, Timestamp};
use rollbook_ingest::engine::BadAnswer;
use std::sync::{Arc, Weak};
use std::time::Duration;
use tokio::sync::oneshot;
use ureq::Agent;
use ureq::http::HeaderMap;

/// An engine that does not answer within this is away.
const TIMEOUT: Duration = Duration::from_secs(10);
const CONNECT: Duration = Duration::from_secs(5);
/// The largest answer that is read: some hundred thousand participants.
const MAX_ANSWER: u64 = 64 << 20;

/// Why a question has no answer.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub(crate) enum AskError {
    /// Nobody is there, or the answer broke off.
    #[error("{0}")]
    Unreachable(String),
    /// The engine refused to tell.
    #[error("{what} was answered with {status}: {said}")]
    Refused {
        /// What was asked for.
        what: String,
        /// The status.
        status: u16,
        /// The beginning of the answer.
        said: String,
    },
    /// The answer is something else.
    #[error(transparent)]
    Unreadable(#[from] BadAnswer),
    /// Whoever wanted to know is gone.
    #[error("nobody wants to know any more")]
    Cancelled,
}

impl AskError {
    /// The kind in one word, for counting.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Unreachable(_) => "unreachable",
            Self::Refused { .. } => "refused",
            Self::Unreadable(_) => "unreadable",
            Self::Cancelled => "cancelled",
        }
    }
}

/// An answer, and of when it is.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) body: Vec<u8>,
    /// When it was given, by the engine's clock where the engine tells.
    pub(crate) at: Timestamp,
    /// How many microseconds before `at` what it says may have been read.
    pub(crate) age: i64,
}

/// Keeps connections to engines. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Client(Agent);

impl Default for Client {
    fn default() -> Self {
        let config = Agent::config_builder().http_status_as_error(false).max_redirects(0);
        Self(config.timeout_global(Some(TIMEOUT)).timeout_connect(Some(CONNECT)).build().into())
    }
}

impl Client {
    /// Posts JSON and waits for the answer, at most [`TIMEOUT`].
    pub(crate) fn post(&self, url: &str, authorization: Option<&str>, body: &str) -> Result<Answer, AskError> {
        let request = self.0.post(url).header("content-type", "application/json").header("accept", "application/json");
        let request = authorization.into_iter().fold(request, |request, value| request.header("authorization", value));
        self.answer(url, || request.send(body))
    }

    /// Gets JSON, with the same patience.
    pub(crate) fn get(&self, url: &str) -> Result<Answer, AskError> {
        self.answer(url, || self.0.get(url).header("accept", "application/json").call())
    }

    fn answer(&self, url: &str, ask: impl FnOnce() -> Result<ureq::http::Response<ureq::Body>, ureq::Error>) -> Result<Answer, AskError> {
        let asked_at = clock::now();
        let unreachable = |error: ureq::Error| AskError::Unreachable(format!("{url}: {error}"));
        let mut response = ask().map_err(unreachable)?;
        let status = response.status();
        let (at, age) = told_at(response.headers(), asked_at, clock::now());
        let body = response.body_mut().with_config().limit(MAX_ANSWER).read_to_vec().map_err(unreachable)?;
        if status.as_u16() != 200 {
            let said = String::from_utf8_lossy(&body).chars().filter(|c| !c.is_control()).take(200).collect();
            return Err(AskError::Refused { what: url.to_owned(), status: status.as_u16(), said });
        }
        Ok(Answer { body, at, age })
    }
}

/// Of when an answer is, and how old what it says may be, in microseconds.
///
/// An engine's events have its own time, and so must what it answers: a clock of this machine that is ahead would put a roster after leaves
/// that came later, and let people in again. The header `Date` has that time, in whole seconds; within them, this machine's clock decides.
fn told_at(headers: &HeaderMap, asked: Timestamp, answered: Timestamp) -> (Timestamp, i64) {
    let took = answered.since(asked).max(0);
    let date = headers.get("date").and_then(|date| http_date(date.to_str().ok()?));
    match date {
        Some(date) => (answered.clamp(date, date.plus(SECOND)), took + SECOND),
        None => (answered, took),
    }
}

/// An instant as HTTP writes it: `Sun, 06 Nov 1994 08:49:37 GMT`.
fn http_date(text: &str) -> Option<Timestamp> {
    const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let mut parts = text.split_once(", ")?.1.split(' ');
    let [day, month, year, time, zone] = [parts.next()?, parts.next()?, parts.next()?, parts.next()?, parts.next()?];
    let month = MONTHS.iter().zip(1..).find_map(|(name, number)| (*name == month).then_some(number))?;
    let rfc3339 = format!("{year}-{month:02}-{day}T{time}Z");
    Some(Timestamp::parse_rfc3339(&rfc3339).ok()).filter(|_| zone == "GMT").flatten()
}

/// An address as questions can be put behind it. LiveKit's is often told as that of a WebSocket.
pub(crate) fn base(url: &str) -> Result<String, String> {
    let http = match url.split_once("://") {
        Some((scheme @ ("http" | "https"), rest)) => format!("{scheme}://{rest}"),
        Some(("ws", rest)) => format!("http://{rest}"),
        Some(("wss", rest)) => format!("https://{rest}"),
        _ => return Err(format!("{url:?} is no address: write it as https://livekit.example.com")),
    };
    Ok(http.trim_end_matches('/').to_owned())
}

/// Whether somebody waits for what is asked: a thread can't be stopped from outside.
pub(crate) struct Wanted(Weak<()>);

impl Wanted {
    /// An error once nobody does.
    pub(crate) fn still(&self) -> Result<(), AskError> {
        if self.0.strong_count() > 0 { Ok(()) } else { Err(AskError::Cancelled) }
    }
}

/// Asks on a thread of its own, which the end of the program does not wait for.
pub(crate) async fn on_a_thread<T: Send + 'static>(ask: impl FnOnce(&Wanted) -> T + Send + 'static) -> Result<T, AskError> {
    let (told, waiting) = oneshot::channel();
    let waits = Arc::new(());
    let wanted = Wanted(Arc::downgrade(&waits));
    let work = move || {
        // Where nobody waits, nobody misses it.
        let _ = told.send(ask(&wanted));
    };
    let gone = |why: String| AskError::Unreachable(format!("no thread to ask on: {why}"));
    std::thread::Builder::new().name("ask-engine".to_owned()).spawn(work).map_err(|error| gone(error.to_string()))?;
    let answer = waiting.await.map_err(|_| gone("it ended early".to_owned()));
    drop(waits);
    answer
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_engines_clock_says_when_and_ours_how_exactly() {
        let at = |text: &str| Timestamp::parse_rfc3339(text).unwrap();
        let told = |date: Option<&str>, ours: &str| {
            let mut headers = HeaderMap::new();
            date.map(|date| headers.insert("date", date.parse().unwrap()));
            told_at(&headers, at(ours).plus(-20_000), at(ours))
        };
        let date = Some("Sun, 06 Nov 1994 08:49:37 GMT");
        assert_eq!(told(date, "1994-11-06T08:49:37.250Z"), (at("1994-11-06T08:49:37.250Z"), 1_020_000));
        assert_eq!(told(date, "1994-11-06T09:49:37.250Z").0, at("1994-11-06T08:49:38Z"), "ours is an hour ahead");
        assert_eq!(told(date, "1994-11-06T07:49:37.250Z").0, at("1994-11-06T08:49:37Z"), "ours is an hour behind");
        for none in [None, Some("yesterday"), Some("Sun, 06 Nov 1994 08:49:37 CET"), Some("Sun, 06 Non 1994 08:49:37 GMT")] {
            assert_eq!(told(none, "1994-11-06T08:49:37.250Z"), (at("1994-11-06T08:49:37.250Z"), 20_000), "{none:?}");
        }
    }

    #[test]
    fn addresses_of_web_sockets_are_taken_too() {
        assert_eq!(base("wss://livekit.example.com/"), Ok("https://livekit.example.com".to_owned()));
        assert_eq!(base("ws://127.0.0.1:7880"), Ok("http://127.0.0.1:7880".to_owned()));
        assert_eq!(base("http://127.0.0.1:8088/janus/"), Ok("http://127.0.0.1:8088/janus".to_owned()));
        assert!(base("livekit.example.com").unwrap_err().contains("https://livekit.example.com"));
    }
}
