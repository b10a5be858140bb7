//! There and back again.

use crate::ends::{End, deliver, exported, migrate};
use crate::program::run;
use rollbook::demo::{ACCOUNT, APP};

#[test]
fn a_ledger_moves_into_a_database_and_back_and_answers_the_same() {
    let (from, to) = (End::folder(), End::database());
    let session = from.fill();
    let before = from.answers(&session);
    assert!(before[1].contains("Chloé"), "{}", before[1]);
    let engines = |end: &End| run(&["engine", "list", "--data", end.data.to_str().unwrap()]).ok();
    let add = ["engine", "add", "zoom", "--account", ACCOUNT, "--app", APP, "--secret-env", "ZOOM", "--data", from.data.to_str().unwrap()];
    run(&add).ok();
    let events = exported(&from.data, APP);

    let told = migrate(&from, &to, &[]);
    let out = told.ok();
    assert!(out.contains("is still the ledger: run the same with --switch"), "{out}");
    assert!(to.refusal().contains("is not finished: run that `rollbook migrate` again"), "{}", to.refusal());
    assert_eq!(from.answers(&session), before, "the source is served as before");
    assert!(migrate(&from, &to, &[]).ok().starts_with("copied 0 batches, 0 look-ups, 0 kept deliveries; compared "));

    let out = migrate(&from, &to, &["--switch", "--verify", "all"]).ok();
    assert!(out.contains("is not served any more") && out.contains("compared answers: "), "{out}");
    assert_eq!(to.answers(&session), before);
    assert!(from.refusal().contains("this ledger moved to postgres://"), "{}", from.refusal());
    let again = migrate(&from, &to, &["--switch"]).ok();
    assert!(again.contains("there is nothing to do"), "{again}");

    // Into another folder, and from there into one more.
    let (other, last) = (End::folder(), End::folder());
    migrate(&to, &other, &["--switch"]).ok();
    assert_eq!(other.answers(&session), before);
    migrate(&other, &last, &["--switch"]).ok();
    assert_eq!(last.answers(&session), before);
    assert_eq!(exported(&last.data, APP), events);
    assert!(engines(&last).contains("env ZOOM") && engines(&last) == engines(&from), "added engines go with it: {}", engines(&last));
}

#[test]
fn what_moved_comes_back_and_only_what_is_new_is_copied() {
    let (first, second) = (End::database(), End::database());
    let folder = End::folder();
    let session = folder.fill();
    migrate(&folder, &first, &["--switch"]).ok();
    migrate(&first, &second, &["--switch"]).ok();
    let (server, token) = (second.serve(), second.token());
    let path = format!("/v1/accounts/{ACCOUNT}/apps/{APP}/events");
    assert_eq!(deliver(&server, &path, "application/cloudevents+json", &crate::ends::join(1, 1), &token), 200);
    drop(server);
    let answers = second.answers(&session);

    let out = migrate(&second, &first, &["--switch"]).ok();
    assert!(out.starts_with("copied 1 batches, 2 look-ups, 0 kept deliveries"), "{out}");
    assert_eq!(first.answers(&session), answers);
    let out = migrate(&first, &folder, &["--switch"]).ok();
    assert!(out.starts_with("copied 1 batches, 2 look-ups, 0 kept deliveries"), "{out}");
    assert_eq!(folder.answers(&session), answers);
}

#[test]
fn help_says_what_happens_to_the_source() {
    let help = run(&["migrate", "--help"]).ok();
    for text in ["--switch", "--undo", "503", "Examples:", "ROLLBOOK_TO"] {
        assert!(help.contains(text), "{text} is missing in {help}");
    }
}
