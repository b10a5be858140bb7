//! Three nodes, written to and read from at random, while one of them is killed and started again and again: whatever was acknowledged before a
//! read began is in its answer, on every node.

use super::{LIST, SESSION, Server, schema, token};
use serde_json::Value;
use std::path::Path;
use std::sync::RwLock;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

const BREAKOUT: &str = "0d3b2a4e-0000-4000-8000-000000000002";
const WRITERS: u64 = 3;
const READERS: u64 = 4;
const KILLS: usize = 4;
/// Of a node, between its start and its end.
const LIFE: Duration = Duration::from_millis(1500);

/// Numbers that look random.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides
    }
}

/// How many peers joined the session and its breakout, as acknowledged; how many more may have; how many reads saw what they had to.
#[derive(Default)]
struct Seen {
    session: AtomicU64,
    breakout: AtomicU64,
    in_doubt: AtomicU64,
    reads: AtomicU64,
    over: AtomicBool,
}

struct Nodes {
    addresses: [RwLock<String>; 3],
    token: String,
    seen: Seen,
}

fn agent() -> ureq::Agent {
    let config = ureq::Agent::config_builder().http_status_as_error(false).proxy(None).timeout_global(Some(Duration::from_secs(20)));
    config.build().into()
}

impl Nodes {
    fn address(&self, node: u64) -> String {
        self.addresses[node as usize].read().unwrap().clone()
    }

    /// The answer of a node, if it gave one.
    fn ask(&self, agent: &ureq::Agent, node: u64, path: &str) -> Option<Value> {
        let request = agent.get(format!("{}{path}", self.address(node))).header("authorization", format!("Bearer {}", self.token));
        let mut response = request.call().ok()?;
        let body = response.body_mut().read_to_string().ok()?;
        assert_eq!(response.status(), 200, "{body}");
        Some(serde_json::from_str(&body).unwrap())
    }

    fn write(&self, writer: u64) {
        let (agent, mut dice) = (agent(), Dice(writer));
        for n in 0.. {
            if self.seen.over.load(Ordering::SeqCst) {
                return;
            }
            let in_breakout = dice.roll(3) == 0;
            let (session, count) = if in_breakout {
                (format!(r#"{{"id":"{BREAKOUT}","parent_id":"{SESSION}"}}"#), &self.seen.breakout)
            } else {
                (format!(r#"{{"id":"{SESSION}"}}"#), &self.seen.session)
            };
            let event = format!(
                r#"{{"specversion":"1.0","type":"rollbook.peer.joined","source":"sfu","id":"{writer}-{n}","time":"2026-01-31T09:{:02}:00Z","data":{{"session":{session},"peer":{{"key":"{writer}-{n}"}}}}}}"#,
                dice.roll(60)
            );
            let request = agent.post(format!("{}/v1/accounts/acme/apps/school/events", self.address(dice.roll(3))));
            let request = request.header("authorization", format!("Bearer {}", self.token));
            match request.header("content-type", "application/cloudevents+json").send(event).map(|response| response.status().as_u16()) {
                Ok(200) => count.fetch_add(1, Ordering::SeqCst),
                Ok(status) => unreachable!("{status} for what is right"),
                Err(_) => self.seen.in_doubt.fetch_add(1, Ordering::SeqCst),
            };
        }
    }

    fn read(&self, reader: u64) {
        let (agent, mut dice) = (agent(), Dice(1000 + reader));
        while !self.seen.over.load(Ordering::SeqCst) {
            let (view, must) = match dice.roll(2) {
                0 => ("raw", self.seen.session.load(Ordering::SeqCst)),
                // A row a person: the breakout's are among them.
                _ => ("consolidated", self.seen.session.load(Ordering::SeqCst) + self.seen.breakout.load(Ordering::SeqCst)),
            };
            if must == 0 {
                continue;
            }
            let Some(answer) = self.ask(&agent, dice.roll(3), &format!("{LIST}/{SESSION}/participants?per_page=1&view={view}")) else {
                continue;
            };
            let told = answer["data"]["paging"]["total_count"].as_u64().unwrap();
            assert!(told >= must, "{view}: {must} were acknowledged before, and {told} are told");
            self.seen.reads.fetch_add(1, Ordering::SeqCst);
        }
    }
}

/// Ends the others where one has failed.
struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

#[test]
fn every_node_answers_with_what_any_acknowledged() {
    let url = schema();
    let folders: [_; 3] = std::array::from_fn(|_| tempfile::tempdir().unwrap());
    let start = |folder: &Path| Server::start_on(folder, &url);
    let mut servers = folders.each_ref().map(|folder| Some(start(folder.path())));
    let addresses = servers.each_ref().map(|server| RwLock::new(server.as_ref().unwrap().address.clone()));
    let nodes = Nodes { addresses, token: token(&url), seen: Seen::default() };
    std::thread::scope(|scope| {
        let nodes = &nodes;
        for writer in 0..WRITERS {
            scope.spawn(move || {
                let _over = Over(&nodes.seen.over);
                nodes.write(writer);
            });
        }
        for reader in 0..READERS {
            scope.spawn(move || {
                let _over = Over(&nodes.seen.over);
                nodes.read(reader);
            });
        }
        let _over = Over(&nodes.seen.over);
        for kill in 0..KILLS {
            // No signal is awaited: the moment is to be any.
            std::thread::sleep(LIFE);
            let node = kill % 3;
            servers[node].take().unwrap().stop("KILL");
            std::thread::sleep(LIFE / 3);
            let again = start(folders[node].path());
            *nodes.addresses[node].write().unwrap() = again.address.clone();
            servers[node] = Some(again);
        }
        std::thread::sleep(LIFE);
    });
    let count = |count: &AtomicU64| count.load(Ordering::SeqCst);
    let Seen { session, breakout, in_doubt, reads, .. } = &nodes.seen;
    let (acknowledged, in_doubt) = (count(session) + count(breakout), count(in_doubt));
    println!("{acknowledged} acknowledged, {in_doubt} in doubt, {} reads", count(reads));
    assert!(acknowledged > 50 && count(reads) > 50);
    let path =
        format!("{LIST}/{SESSION}/participants?view=consolidated&per_page=10000&as_of=2026-01-31T10:00:00Z&include_peer_events=true");
    let [a, b, c] = [0, 1, 2].map(|node| nodes.ask(&agent(), node, &path).unwrap());
    assert!(a == b && b == c);
    let told = a["data"]["paging"]["total_count"].as_u64().unwrap();
    assert!((acknowledged..=acknowledged + in_doubt).contains(&told), "{told} of {acknowledged} and {in_doubt} in doubt");
}
