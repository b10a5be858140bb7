use crate::stories::{Sent, without};
use rollbook_ingest::engine::{self, Engine, Secret, Settings};
use std::sync::Arc;

/// A real run; its lines are deliveries.
const CAPTURE: &str = include_str!("../fixtures/janus-1.1.2-capture.ndjson");
/// An hour after it.
const LATER: i64 = 1_795_530_000;

fn janus() -> Arc<dyn Engine> {
    let settings =
        Settings { secrets: vec![Secret::new("", "sesame")], options: "silence_seconds = 10".parse().unwrap(), ..Settings::default() };
    engine::open("janus", &settings).unwrap()
}

/// The deliveries that say anything of attendance, in the order of the capture.
fn deliveries() -> Vec<Sent> {
    let lines = CAPTURE.lines().filter(|line| {
        let words = ["\"joined\"", "\"leaving\"", "\"started\"", "\"shutdown\""];
        words.iter().any(|word| line.contains(word))
    });
    lines.map(|line| Sent::at(LATER, vec![("authorization", "Basic ajpzZXNhbWU=".into())], line)).collect()
}

#[test]
fn the_ledger_gets_it_right_whatever_is_lost() {
    let (janus, run) = (janus(), deliveries());
    let holding = |word: &str, who: &str| {
        let found = run.iter().position(|sent| {
            let body = String::from_utf8(sent.body.clone()).unwrap();
            body.contains(word) && body.contains(&format!("\"id\":\"{who}\""))
        });
        found.unwrap()
    };
    let lost = |lost: &[usize]| without(lost, &*janus, &run, LATER);
    let alice = "13:18:05.129 r1 (ended 13:19:17.147): alice 13:18:05.129-13:18:06.141";
    let rest = [
        "13:18:05.132 r1 (ended 13:19:17.147): bob 13:18:05.132-13:18:06.142",
        "13:18:05.135 r1 (ended 13:19:17.147): carol 13:18:05.135-13:18:14.462",
        // No leave of his ever came: Janus was told to stop.
        "13:18:16.146 r1 (ended 13:19:17.147): dave 13:18:16.146-13:18:17.147 by SourceStopped ~1",
    ];
    assert_eq!(lost(&[]), [&[alice], &rest[..]].concat());
    let stayed = "13:18:05.129 r1 (ended 13:19:17.147): alice 13:18:05.129-13:18:17.147 by SourceStopped ~12";
    assert_eq!(lost(&[holding("leaving", "alice")]), [&[stayed], &rest[..]].concat());
    let nameless = "13:18:06.141 r1 (ended 13:19:17.147): ? 13:18:06.141-13:18:06.141 LeftWithoutJoin";
    let unseen = lost(&[holding("joined", "alice")]);
    assert_eq!((unseen.len(), &*unseen[2]), (4, nameless), "a leave names only the place");
    assert_eq!(lost(&[holding("joined", "alice"), holding("leaving", "alice")]), rest, "nobody can know");
    assert_eq!(lost(&[run.len() - 1])[3], "13:18:16.146 r1 (live): dave 13:18:16.146-", "until Janus starts again, or a day later");
}
