//! What is not done, and says why.

use crate::cluster::cluster;
use crate::ends::{End, deliver, join, migrate};
use crate::program::{Server, rollbook};
use std::process::Stdio;

const EVENTS: &str = "/v1/accounts/demo/apps/classroom/events";

fn refused(from: &End, to: &End, more: &[&str]) -> String {
    let told = migrate(from, to, more);
    assert_eq!((told.code, told.out.as_str()), (1, ""), "{told:?}");
    told.err
}

#[test]
fn a_target_with_a_ledger_of_its_own_is_left_alone() {
    let (one, other) = (End::folder(), End::folder());
    let session = one.fill();
    other.fill();
    let before = other.answers(&session);
    let text = refused(&one, &other, &[]);
    assert!(text.contains("it has a ledger of its own, of 2 apps (the first is demo/another)"), "{text}");
    let database = End::database();
    let (server, token) = (database.serve(), database.token());
    assert_eq!(deliver(&server, EVENTS, "application/cloudevents+json", &join(1, 1), &token), 200);
    let text = refused(&one, &database, &["--switch"]);
    assert!(text.contains("it has a ledger of its own, of 1 apps"), "{text}");
    assert_eq!(deliver(&server, EVENTS, "application/cloudevents+json", &join(1, 2), &token), 200, "it is not even disturbed");
    assert_eq!(other.answers(&session), before);
    assert_eq!(one.answers(&session), before);
}

#[test]
fn a_target_that_another_ledger_is_moving_into_is_not_filled_by_this_one() {
    let (one, other, target) = (End::folder(), End::folder(), End::database());
    one.fill();
    other.fill();
    migrate(&one, &target, &[]).ok();
    let text = refused(&other, &target, &["--switch"]);
    assert!(text.contains("can't be filled from") && text.contains(&format!("a migration from {}", one.data.display())), "{text}");
    let text = refused(&target, &End::folder(), &[]);
    assert!(text.contains("can't be moved: a migration from"), "what is not whole does not move: {text}");
}

#[test]
fn a_source_that_is_not_there_is_not_made() {
    let (nothing, target) = (End::folder(), End::database());
    let text = refused(&nothing, &target, &[]);
    assert_eq!(text, format!("error: there is no ledger in {}: ledger.db is missing\n", nothing.data.display()));
    assert!(!nothing.data.exists());
    std::fs::create_dir(&nothing.data).unwrap();
    std::fs::write(nothing.data.join("ledger.db"), "not a database, whatever its name says").unwrap();
    assert!(refused(&nothing, &target, &[]).contains("file is not a database"));
    let mut away = End::folder();
    away.place = "postgres://postgres@127.0.0.1:1/postgres?sslmode=disable".into();
    assert!(refused(&away, &target, &[]).contains("PostgreSQL: "), "an address where nobody answers");
}

#[test]
fn a_target_of_a_later_version_is_left_alone() {
    let (from, to) = (End::folder(), End::folder());
    from.fill();
    to.fill();
    let conn = rusqlite::Connection::open(to.data.join("ledger.db")).unwrap();
    conn.pragma_update(None, "user_version", 99).unwrap();
    drop(conn);
    let text = refused(&from, &to, &[]);
    assert!(text.contains("has schema version 99, and this rollbook knows versions up to"), "{text}");
}

#[test]
fn one_place_is_not_two() {
    let from = End::folder();
    from.fill();
    // The folder is the target's own while it is filled.
    assert!(refused(&from, &from, &[]).contains("source and target are the same"));
    let server = from.serve();
    assert!(refused(&from, &from, &[]).contains("is in use by another rollbook"));
    drop(server);
}

#[test]
fn a_switch_that_is_stopped_or_cut_off_can_be_undone() {
    let (from, to) = (End::database(), End::folder());
    let filled = End::folder();
    let session = filled.fill();
    migrate(&filled, &from, &["--switch"]).ok();
    migrate(&from, &to, &[]).ok();
    // As a run leaves it that is killed between closing the source and opening the target.
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let (server, token) = (from.serve(), from.token());
    let answers = from.answers(&session);
    runtime.block_on(async {
        use rollbook_store::transfer::{Mark, Standing, Transfer as _};
        let source = rollbook_store::postgres::PostgresTransfer::source(&from.place, Default::default()).await.unwrap();
        let mark = Mark { standing: Standing::Leaving, other: to.data.display().to_string(), at: crate::ends::NOW };
        assert!(source.remark(None, Some(&mark)).await.unwrap());
    });
    let post = |server: &Server, peer| deliver(server, EVENTS, "application/cloudevents+json", &join(1, peer), &token);
    assert_eq!(post(&server, 1), 503);
    assert!(from.refusal().contains("run that `rollbook migrate --switch` again to finish it, or with --undo to go on here"));
    assert!(refused(&from, &to, &[]).contains("on its way to"));
    assert!(migrate(&from, &to, &["--undo"]).ok().ends_with("takes events\n"));
    assert_eq!(post(&server, 1), 200);
    assert_eq!(from.answers(&session)[1..], answers[1..]);

    let out = migrate(&from, &to, &["--switch"]).ok();
    assert!(out.starts_with("copied 1 batches"), "{out}");
    let text = refused(&from, &to, &["--undo"]);
    assert!(text.contains("can't be opened again: this ledger moved to"), "{text}");
    drop(server);
    cluster();
}

#[test]
fn two_that_fill_one_target_are_one_too_many() {
    let (from, to) = (End::folder(), End::database());
    from.fill();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let first = runtime.block_on(rollbook_store::postgres::PostgresTransfer::target(&to.place, Default::default())).unwrap();
    assert!(refused(&from, &to, &[]).contains("is being filled by another `rollbook migrate`"));
    drop(first);
    let mut stopped = rollbook(&["migrate", "--from", &from.place, "--to", &to.place]).stdout(Stdio::null()).spawn().unwrap();
    assert!(stopped.wait().unwrap().success());
}
