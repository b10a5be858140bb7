//! `post`: events over HTTP, as fast as they are taken or at a given rate, with what each answer took.

use crate::people::Session;
use anyhow::{Context, ensure};
use clap::Args;
use futures_util::future::try_join_all;
use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::client::conn::http1::{self, SendRequest};
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HOST};
use hyper::{Request, StatusCode, Uri};
use hyper_util::rt::TokioIo;
use rollbook::clock;
use rollbook_core::event::Event;
use rollbook_ingest::cloudevents::to_cloudevent;
use serde_json::{Value, json};
use std::borrow::Borrow;
use std::cell::Cell;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};
use tokio::net::TcpStream;
use tokio::runtime;
use tokio::sync::Semaphore;

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

/// What one connection saw, or all of them.
#[derive(Default)]
struct Seen {
    micros: Vec<u32>,
    refused: u64,
    /// When the last answer came, in seconds since the beginning.
    until: f64,
}

pub(crate) fn run(args: &PostArgs) -> anyhow::Result<Value> {
    ensure!(args.sessions > 0 && args.batch > 0 && args.connections > 0, "--sessions, --batch and --connections must be at least 1");
    let mut seen = runtime::Builder::new_current_thread().enable_io().build()?.block_on(send_all(args))?;
    seen.micros.sort_unstable();
    let micros = &seen.micros;
    let at = |part: f64| micros.get(((micros.len() as f64 * part) as usize).min(micros.len().saturating_sub(1))).copied();
    Ok(json!({
        "posts": micros.len(), "events": micros.len() as u64 * args.batch, "refused": seen.refused, "seconds": seen.until,
        "p50_us": at(0.5), "p99_us": at(0.99), "p999_us": at(0.999), "max_us": micros.last(),
    }))
}

/// Sends posts over all connections until the time is up. All of it is one thread's work: a thread a connection would take more of the
/// clients' core than the server of its own, and what asks for pages there would be slowed down by it.
async fn send_all(args: &PostArgs) -> anyhow::Result<Seen> {
    let target = Target::new(args)?;
    let sessions = (0..args.sessions).map(|n| Session::new(format!("{}-{n}", args.key), n, 0, clock::now())).collect();
    let (schedule, began) = (Arc::new(Semaphore::new(0)), crate::clock());
    let sending = Sending { args, target, sessions, next: Cell::new(0), schedule: Arc::clone(&schedule), began };
    if let Some(rate) = args.rate {
        let posts = (args.seconds * rate as f64).ceil() as u64;
        let connections = args.connections as usize;
        thread::spawn(move || keep_time(&schedule, began, rate, posts, connections));
    }
    let connections = (0..args.connections).map(|_| sending.connection());
    let mut all = Seen::default();
    for seen in try_join_all(connections).await? {
        all.micros.extend(seen.micros);
        all.refused += seen.refused;
        all.until = all.until.max(seen.until);
    }
    Ok(all)
}

/// Lets each post go when it is due, and then every connection come to its end. A timer of the runtime is a millisecond late, more than an
/// answer takes.
fn keep_time(schedule: &Semaphore, began: Instant, rate: u64, posts: u64, connections: usize) {
    for post in 0..posts {
        if let Some(wait) = due(post, rate).checked_sub(began.elapsed()) {
            thread::sleep(wait);
        }
        schedule.add_permits(1);
    }
    schedule.add_permits(connections);
}

/// When a post is due, since the beginning.
fn due(post: u64, rate: u64) -> Duration {
    Duration::from_secs_f64(post as f64 / rate as f64)
}

/// Where posts go.
struct Target {
    uri: Uri,
    address: String,
    token: String,
    content_type: &'static str,
}

impl Target {
    fn new(args: &PostArgs) -> anyhow::Result<Self> {
        let uri: Uri = args.url.parse().context("--url")?;
        ensure!(uri.scheme_str() == Some("http"), "--url must begin with http://");
        let address = format!("{}:{}", uri.host().context("--url has no host")?, uri.port_u16().unwrap_or(80));
        let content_type = if args.batch == 1 { "application/cloudevents+json" } else { "application/x-ndjson" };
        Ok(Self { uri, address, token: format!("Bearer {}", args.token), content_type })
    }

    /// A connection, of which a task of its own takes care.
    async fn connect(&self) -> anyhow::Result<SendRequest<Full<Bytes>>> {
        let stream = TcpStream::connect(&self.address).await?;
        stream.set_nodelay(true)?;
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        tokio::spawn(connection);
        Ok(sender)
    }

    /// Sends one post, and reads the answer to its end.
    async fn send(&self, sender: &mut SendRequest<Full<Bytes>>, body: Bytes) -> anyhow::Result<StatusCode> {
        sender.ready().await?;
        let request = Request::post(self.uri.path()).header(HOST, &self.address).header(AUTHORIZATION, &self.token);
        let answer = sender.send_request(request.header(CONTENT_TYPE, self.content_type).body(Full::new(body))?).await?;
        let status = answer.status();
        answer.into_body().collect().await?;
        Ok(status)
    }
}

/// What all connections share.
struct Sending<'a> {
    args: &'a PostArgs,
    target: Target,
    sessions: Vec<Session>,
    next: Cell<u64>,
    schedule: Arc<Semaphore>,
    began: Instant,
}

impl Sending<'_> {
    /// Sends posts over one connection until the time is up. At a rate, an answer's time counts from when the post was due, so that a
    /// server that stands still is not asked less and told better.
    async fn connection(&self) -> anyhow::Result<Seen> {
        let mut sender = self.target.connect().await?;
        let mut seen = Seen::default();
        while let Some((post, from)) = self.turn().await {
            let body = body(self.args, &self.sessions[(post % self.args.sessions) as usize], post);
            match self.target.send(&mut sender, body.into()).await {
                Ok(StatusCode::OK) => {
                    let now = self.began.elapsed();
                    seen.micros.push(u32::try_from((now - from).as_micros()).unwrap_or(u32::MAX));
                    seen.until = now.as_secs_f64();
                }
                Ok(_) => seen.refused += 1,
                Err(_) => {
                    seen.refused += 1;
                    sender = self.target.connect().await?;
                }
            }
        }
        Ok(seen)
    }

    /// The next post's number, and since when its answer's time counts; none where the time is up.
    async fn turn(&self) -> Option<(u64, Duration)> {
        if self.args.rate.is_some() {
            self.schedule.acquire().await.ok()?.forget();
        }
        let post = self.next.replace(self.next.get() + 1);
        let from = self.args.rate.map_or_else(|| self.began.elapsed(), |rate| due(post, rate));
        let over = from.as_secs_f64() >= self.args.seconds || self.args.posts.is_some_and(|posts| post >= posts);
        (!over).then_some((post, from))
    }
}

fn body(args: &PostArgs, session: &Session, post: u64) -> Vec<u8> {
    lines((post * args.batch..(post + 1) * args.batch).map(|n| event(args, session, n)))
}

/// Events as they are posted, a line each.
pub(crate) fn lines(events: impl IntoIterator<Item = impl Borrow<Event>>) -> Vec<u8> {
    events.into_iter().flat_map(|event| (to_cloudevent(event.borrow()) + "\n").into_bytes()).collect()
}

fn event(args: &PostArgs, session: &Session, n: u64) -> Event {
    match (args.leaves, n % 2) {
        (false, _) => session.joined(args.first + n, clock::now()),
        (true, 0) => session.joined(args.first + n / 2, clock::now()),
        (true, _) => session.left(args.first + n / 2, clock::now()),
    }
}
