//! A migration that is killed goes on where it was.

use crate::ends::{End, join, migrate, migrate_command};
use crate::program::run_with_input;
use rollbook::demo::{ACCOUNT, APP};
use rollbook_store::{PostgresOptions, PostgresStore, SqliteStore, Store};
use std::process::Stdio;
use std::time::Duration;

const SESSIONS: usize = 600;

/// A ledger of many streams, of two batches each.
fn filled() -> End {
    let end = End::folder();
    for round in 0..2 {
        let lines: Vec<String> = (0..SESSIONS).map(|session| join(session, session * 2 + round)).collect();
        let args = ["import", "--account", ACCOUNT, "--app", APP, "--data", &end.place, "-"];
        run_with_input(&args, lines.join("\n").as_bytes()).ok();
    }
    end
}

/// Runs the command and kills it after a time; tells whether it came to its end before.
fn killed_after(from: &End, to: &End, more: &[&str], time: Duration) -> bool {
    let mut child = migrate_command(from, to, more).stdout(Stdio::null()).spawn().unwrap();
    let step = Duration::from_millis(2);
    for _ in 0..time.as_millis() / step.as_millis() {
        if let Some(status) = child.try_wait().unwrap() {
            assert!(status.success());
            return true;
        }
        std::thread::sleep(step);
    }
    child.kill().unwrap();
    child.wait().unwrap();
    false
}

/// What the target says to whoever would serve it; nothing where it is still as empty as it was, or is the ledger.
fn refusal(from: &End, to: &End) -> Option<String> {
    let clock: rollbook_store::Clock = std::sync::Arc::new(|| crate::ends::NOW);
    let app = rollbook_core::id::App::new(ACCOUNT, APP).unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let store: Box<dyn Store> = if to.store == "sqlite" {
            match SqliteStore::open(&to.data, clock) {
                Ok(store) => Box::new(store),
                Err(error) => return Some(error.to_string()),
            }
        } else {
            match PostgresStore::connect(&to.store, PostgresOptions::default()).await {
                Ok(store) => Box::new(store),
                Err(error) => return Some(error.to_string()),
            }
        };
        // The last thing that a run does is to open the target: it may be killed after that too.
        if !store.streams(&app, None, 1).await.unwrap().is_empty() {
            assert!(from.refusal().contains("this ledger moved to"), "{}", from.refusal());
        }
        None
    })
}

fn goes_on_after_it_is_killed(from: &End, to: &End) {
    // Ever later: while it opens, copies, settles, switches and compares.
    let (mut kills, mut time) = (0, Duration::from_millis(15));
    while !killed_after(from, to, if kills < 8 { &[] } else { &["--switch"] }, time) || kills < 8 {
        kills += 1;
        time = time.mul_f64(1.15);
        assert!(refusal(from, to).is_none_or(|text| text.contains("is not finished")), "half a ledger is not served");
    }
    let out = migrate(from, to, &["--switch"]).ok();
    assert!(out.contains("there is nothing to do"), "{out}");
    assert!(from.refusal().contains("this ledger moved to"), "{}", from.refusal());
    // Whatever was cut off, it is the same: what comes back is nothing, and all is compared on the way.
    let back = migrate(to, from, &["--switch", "--verify", "all"]).ok();
    assert!(back.starts_with(&format!("copied 0 batches, 0 look-ups, 0 kept deliveries; compared {} batches", SESSIONS * 2)), "{back}");
    assert!(back.contains(&format!("{SESSIONS} sessions in lists, {} lists of participants", SESSIONS * 2)), "{back}");
}

#[test]
fn on_the_way_into_a_database() {
    goes_on_after_it_is_killed(&filled(), &End::database());
}

#[test]
fn on_the_way_into_a_folder() {
    let (folder, database) = (filled(), End::database());
    migrate(&folder, &database, &["--switch"]).ok();
    goes_on_after_it_is_killed(&database, &End::folder());
}
