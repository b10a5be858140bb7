//! `post`: events over HTTP, as fast as they are taken or at a given rate, with what each answer took.

use crate::people::Session;
use anyhow::ensure;
use clap::Args;
use rollbook::clock;
use rollbook_core::event::Event;
use rollbook_ingest::cloudevents::to_cloudevent;
use serde_json::{Value, json};
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};
use ureq::Agent;

/// Send joins (and leaves) over HTTP, and tell how long the answers took
#[derive(Args)]
pub(crate) struct PostArgs {
    /// The address that takes events
    #[arg(long)]
    url: String,
    /// A token that may write
    #[arg(long)]
    token: String,
    /// How the sessions' keys begin: KEY-0, KEY-1, and so on
    #[arg(long)]
    key: String,
    /// Over how many sessions the posts go, one after the other
    #[arg(long, default_value_t = 1)]
    sessions: u64,
    /// Events a post
    #[arg(long, default_value_t = 1)]
    batch: u64,
    /// Posts under way at one time, at most
    #[arg(long, default_value_t = 4)]
    connections: u64,
    /// Posts a second; as many as are taken, where not given
    #[arg(long)]
    rate: Option<u64>,
    /// Every second event is the leave of whoever joined just before
    #[arg(long)]
    leaves: bool,
    /// The number of the first person: those who joined before have lower ones
    #[arg(long, default_value_t = 0)]
    first: u64,
    /// How many posts at most
    #[arg(long)]
    posts: Option<u64>,
    /// How long at most
    #[arg(long)]
    seconds: f64,
}

/// What one connection saw.
#[derive(Default)]
struct Seen {
    micros: Vec<u32>,
    refused: u64,
    /// When the last answer came, in seconds since the beginning.
    until: f64,
}

pub(crate) fn run(args: &PostArgs) -> anyhow::Result<Value> {
    ensure!(args.sessions > 0 && args.batch > 0 && args.connections > 0, "--sessions, --batch and --connections must be at least 1");
    let sessions: Vec<Session> = (0..args.sessions).map(|n| Session::new(format!("{}-{n}", args.key), n, 0, clock::now())).collect();
    let (next, began) = (AtomicU64::new(0), crate::clock());
    let seen: Vec<Seen> = thread::scope(|scope| {
        let all: Vec<_> = (0..args.connections).map(|_| scope.spawn(|| connection(args, &sessions, &next, began))).collect();
        all.into_iter().filter_map(|one| one.join().ok()).collect()
    });
    ensure!(seen.len() as u64 == args.connections, "a connection's thread panicked");
    let mut micros: Vec<u32> = seen.iter().flat_map(|seen| seen.micros.iter().copied()).collect();
    micros.sort_unstable();
    let at = |part: f64| micros.get(((micros.len() as f64 * part) as usize).min(micros.len().saturating_sub(1))).copied();
    let seconds = seen.iter().map(|seen| seen.until).fold(0.0, f64::max);
    Ok(json!({
        "posts": micros.len(), "events": micros.len() as u64 * args.batch, "refused": seen.iter().map(|seen| seen.refused).sum::<u64>(),
        "seconds": seconds, "p50_us": at(0.5), "p99_us": at(0.99), "p999_us": at(0.999), "max_us": micros.last(),
    }))
}

/// Sends posts until the time is up. At a rate, an answer's time counts from when the post was due, so that a server that stands still is
/// not asked less and told better.
fn connection(args: &PostArgs, sessions: &[Session], next: &AtomicU64, began: Instant) -> Seen {
    let agent: Agent =
        Agent::config_builder().http_status_as_error(false).proxy(None).timeout_global(Some(Duration::from_secs(60))).build().into();
    let end = Duration::from_secs_f64(args.seconds);
    let mut seen = Seen::default();
    loop {
        let post = next.fetch_add(1, Ordering::Relaxed);
        let due = args.rate.map(|rate| Duration::from_secs_f64(post as f64 / rate as f64));
        if due.unwrap_or_else(|| began.elapsed()) >= end || args.posts.is_some_and(|posts| post >= posts) {
            return seen;
        }
        let body = body(args, &sessions[(post % args.sessions) as usize], post);
        if let Some(wait) = due.and_then(|due| due.checked_sub(began.elapsed())) {
            thread::sleep(wait);
        }
        let from = due.unwrap_or_else(|| began.elapsed());
        match send(&agent, args, &body) {
            Ok(200) => {
                seen.micros.push(u32::try_from((began.elapsed() - from).as_micros()).unwrap_or(u32::MAX));
                seen.until = began.elapsed().as_secs_f64();
            }
            _ => seen.refused += 1,
        }
    }
}

fn send(agent: &Agent, args: &PostArgs, body: &[u8]) -> Result<u16, ureq::Error> {
    let kind = if args.batch == 1 { "application/cloudevents+json" } else { "application/x-ndjson" };
    let request = agent.post(&args.url).header("authorization", format!("Bearer {}", args.token)).content_type(kind);
    let mut answer = request.send(body)?;
    // The connection serves again once the answer is read.
    answer.body_mut().read_to_vec()?;
    Ok(answer.status().as_u16())
}

fn body(args: &PostArgs, session: &Session, post: u64) -> Vec<u8> {
    let lines = (post * args.batch..(post + 1) * args.batch).map(|n| to_cloudevent(&event(args, session, n)) + "\n");
    lines.flat_map(String::into_bytes).collect()
}

fn event(args: &PostArgs, session: &Session, n: u64) -> Event {
    match (args.leaves, n % 2) {
        (false, _) => session.joined(args.first + n, clock::now()),
        (true, 0) => session.joined(args.first + n / 2, clock::now()),
        (true, _) => session.left(args.first + n / 2, clock::now()),
    }
}
