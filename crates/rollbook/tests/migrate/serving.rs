//! The source is served, and written to, while it moves.

use crate::ends::{End, deliver, join, migrate};
use rollbook::demo::{ACCOUNT, APP};
use serde_json::Value;
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Barrier, Mutex};

const EVENTS: &str = "/v1/accounts/demo/apps/classroom/events";
const JANUS: &str = "/v1/accounts/demo/apps/classroom/engines/janus";
const WRITERS: usize = 4;
/// Sessions that the writers share.
const SESSIONS: usize = 5;

fn moves_while_it_is_written_to(from: &End, to: &End) {
    let (server, token) = (from.serve(), from.token());
    let (acknowledged, refused, stop) = (Mutex::new(BTreeSet::new()), AtomicUsize::new(0), AtomicBool::new(false));
    let begun = Barrier::new(WRITERS + 1);
    std::thread::scope(|scope| {
        for writer in 0..WRITERS {
            let (server, token, acknowledged, refused, stop, begun) = (&server, &token, &acknowledged, &refused, &stop, &begun);
            scope.spawn(move || {
                for number in 0.. {
                    let peer = number * WRITERS + writer;
                    match deliver(server, EVENTS, "application/cloudevents+json", &join(peer % SESSIONS, peer), token) {
                        200 => assert!(acknowledged.lock().unwrap().insert((peer % SESSIONS, peer))),
                        status => {
                            assert_eq!(status, 503);
                            refused.fetch_add(1, Ordering::SeqCst);
                        }
                    }
                    if number == 50 {
                        begun.wait();
                    }
                    if stop.load(Ordering::SeqCst) {
                        return;
                    }
                }
            });
        }
        begun.wait();
        assert_eq!(deliver(&server, JANUS, "application/json", r#"[{"unknown":1}]"#, &token), 200);
        let copied = migrate(from, to, &[]).ok();
        assert!(copied.contains("1 kept deliveries") && copied.contains("is still the ledger"), "{copied}");
        assert_eq!(refused.load(Ordering::SeqCst), 0, "a copy is in nobody's way");
        let moved = migrate(from, to, &["--switch", "--verify", "all"]).ok();
        assert!(moved.contains("is the ledger"), "{moved}");
        let at_the_switch = acknowledged.lock().unwrap().len();
        while refused.load(Ordering::SeqCst) < 20 {
            std::thread::yield_now();
        }
        assert_eq!(acknowledged.lock().unwrap().len(), at_the_switch, "nothing is acknowledged after the switch");
        stop.store(true, Ordering::SeqCst);
    });
    // The old server reads on, says that it takes nothing, and keeps nothing.
    let list = format!("/client/v4/accounts/{ACCOUNT}/realtime/kit/{APP}/sessions");
    let (status, before) = server.get(&list, &token);
    assert_eq!(status, 200, "{before}");
    assert_eq!(server.get("/readyz", &token).0, 503);
    assert_eq!(deliver(&server, JANUS, "application/json", r#"[{"unknown":2}]"#, &token), 503);
    drop(server);

    // Whoever had access has it there.
    let server = to.serve();
    let acknowledged = acknowledged.into_inner().unwrap();
    for session in 0..SESSIONS {
        let id = rollbook_core::id::App::new(ACCOUNT, APP).unwrap().session(&rollbook_core::id::Name::key(session.to_string()));
        let (status, body) = server.get(&format!("{list}/{id}/participants?per_page=1"), &token);
        assert_eq!(status, 200, "{body}");
        let total = serde_json::from_str::<Value>(&body).unwrap()["data"]["paging"]["total_count"].as_u64().unwrap();
        let ours = acknowledged.iter().filter(|(of, _)| *of == session).count() as u64;
        assert_eq!(total, ours, "each event that was acknowledged is there, and no other");
    }
    // It takes the next.
    assert_eq!(deliver(&server, EVENTS, "application/cloudevents+json", &join(0, usize::MAX), &token), 200);
}

#[test]
fn a_folder_moves_into_a_database() {
    moves_while_it_is_written_to(&End::folder(), &End::database());
}

#[test]
fn a_database_moves_into_a_folder() {
    moves_while_it_is_written_to(&End::database(), &End::folder());
}

#[test]
fn a_database_moves_into_another() {
    moves_while_it_is_written_to(&End::database(), &End::database());
}

#[test]
fn a_folder_moves_into_another() {
    moves_while_it_is_written_to(&End::folder(), &End::folder());
}
