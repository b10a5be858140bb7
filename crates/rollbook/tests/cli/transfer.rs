//! Events come in from files, and go out as the same.

use crate::program::{Said, Server, rollbook, run, run_with_input, said};
use rollbook::demo::{self, ACCOUNT, APP, Room};
use rollbook_core::id::App;
use rollbook_core::time::{DAY, SECOND, Timestamp};
use rollbook_ingest::cloudevents::to_cloudevent;
use std::collections::BTreeSet;
use std::path::Path;

const NOW: Timestamp = Timestamp::from_micros(1_750_000_000_000_000);

/// A whole class of the past, as lines, and its session.
fn class() -> (Vec<String>, String) {
    let (mut class, mut deliveries) = demo::past(NOW);
    deliveries.extend((0..40).map(|number| demo::live(&mut class, number, NOW.plus(number as i64 * SECOND)).events));
    deliveries.push(demo::end(&mut class, NOW.plus(40 * SECOND)));
    let session = class.session(&App::new(ACCOUNT, APP).unwrap(), Room::Main).to_string();
    (deliveries.iter().flatten().map(to_cloudevent).collect(), session)
}

fn transfer<'a>(command: &'a str, data: &'a Path, more: &[&'a str]) -> Vec<&'a str> {
    [&[command, "--account", ACCOUNT, "--app", APP, "--data", data.to_str().unwrap()], more].concat()
}

fn import(data: &Path, lines: &[String]) -> Said {
    run_with_input(&transfer("import", data, &["-"]), lines.join("\n").as_bytes())
}

fn token(data: &Path, permission: &str) -> String {
    let args = ["token", "create", "--account", ACCOUNT, "--data", data.to_str().unwrap(), "--permission", permission];
    run(&args).ok().trim_end().to_owned()
}

/// What a server on the folder answers about the class, a day later.
fn answers(data: &Path, session: &str) -> Vec<String> {
    let (server, token) = (Server::start(data), token(data, "realtime"));
    let base = format!("/client/v4/accounts/{ACCOUNT}/realtime/kit/{APP}/sessions");
    let at = format!("as_of={}&include_peer_events=true&include_stays=true", NOW.plus(DAY).to_rfc3339_micros());
    let paths = [
        base.clone(),
        format!("{base}/{session}"),
        format!("{base}/{session}/participants?{at}"),
        format!("{base}/{session}/participants?view=consolidated&{at}"),
    ];
    let ask = |path: &String| {
        let (status, body) = server.get(path, &token);
        assert_eq!(status, 200, "{path}: {body}");
        body
    };
    paths.iter().map(ask).collect()
}

#[test]
fn what_was_exported_gives_the_same_answers_where_it_is_imported() {
    let temp = tempfile::tempdir().unwrap();
    let [old, new, file] = ["old", "new", "out.ndjson"].map(|name| temp.path().join(name));
    let (lines, session) = class();
    import(&old, &lines).ok();
    run(&transfer("export", &old, &["-o", file.to_str().unwrap()])).ok();
    let exported = run(&transfer("export", &old, &[])).ok();
    assert_eq!(std::fs::read_to_string(&file).unwrap(), exported);
    let (given, got): (BTreeSet<_>, BTreeSet<_>) = (lines.iter().map(String::as_str).collect(), exported.lines().collect());
    assert_eq!((given, got.len()), (got.clone(), exported.lines().count()));

    run(&transfer("import", &new, &[file.to_str().unwrap()])).ok();
    let (before, after) = (answers(&old, &session), answers(&new, &session));
    assert_eq!(before, after);
    assert!(before[2].contains("Chloé"), "{}", before[2]);
}

#[test]
fn importing_again_changes_nothing() {
    let temp = tempfile::tempdir().unwrap();
    let (lines, _) = class();
    let known: BTreeSet<_> = lines.iter().collect();
    let twice = lines.len() - known.len();
    assert_eq!(import(temp.path(), &lines).ok(), format!("accepted {}, duplicates {twice}\n", known.len()));
    assert_eq!(import(temp.path(), &lines).ok(), format!("accepted 0, duplicates {}\n", lines.len()));
}

#[test]
fn packed_files_and_several_of_them_are_read() {
    let temp = tempfile::tempdir().unwrap();
    let (lines, _) = class();
    let (first, second) = lines.split_at(20);
    let [plain, packed, data] = ["a.ndjson", "b.ndjson.gz", "data"].map(|name| temp.path().join(name));
    std::fs::write(&plain, first.join("\n")).unwrap();
    let mut gz = flate2::write::GzEncoder::new(std::fs::File::create(&packed).unwrap(), flate2::Compression::fast());
    std::io::Write::write_all(&mut gz, second.join("\r\n").as_bytes()).unwrap();
    gz.finish().unwrap();
    let out = run(&transfer("import", &data, &[plain.to_str().unwrap(), packed.to_str().unwrap()])).ok();
    assert!(out.starts_with(&format!("accepted {}, ", lines.iter().collect::<BTreeSet<_>>().len())), "{out}");
}

#[test]
fn a_bad_line_stops_with_its_place_and_reason() {
    let temp = tempfile::tempdir().unwrap();
    let (lines, _) = class();
    let file = temp.path().join("a.ndjson");
    let data = temp.path().join("data");
    std::fs::write(&file, [&lines[..5], &["".into(), "{\"specversion\":\"1.0\",".into()], &lines[5..]].concat().join("\n")).unwrap();
    let told = run(&transfer("import", &data, &[file.to_str().unwrap()]));
    assert_eq!((told.code, told.out.as_str()), (1, ""));
    assert!(told.err.contains(&format!("error: {}:7: column 22: ", file.display())), "{}", told.err);

    import(&data, &lines[..1]).ok();
    let contradiction = lines[0].replace("rollbook.session.started", "rollbook.session.ended");
    let told = import(&data, &[lines[1].clone(), contradiction]);
    assert_eq!(told.code, 1);
    assert!(told.err.contains("error: standard input:2: an event of the same source and id is known"), "{}", told.err);
}

#[test]
fn a_running_server_takes_the_same_files() {
    let temp = tempfile::tempdir().unwrap();
    let (lines, session) = class();
    let [folder, file] = ["data", "a.ndjson"].map(|name| temp.path().join(name));
    std::fs::write(&file, lines.join("\n")).unwrap();
    let server = Server::start(&folder);
    let mut args = vec!["import", "--account", ACCOUNT, "--app", APP, "--server", &server.address];
    args.push(file.to_str().unwrap());
    let known = lines.iter().collect::<BTreeSet<_>>().len();
    let out = said(rollbook(&args).env("ROLLBOOK_TOKEN", token(&folder, "ingest"))).ok();
    assert_eq!(out, format!("accepted {known}, duplicates {}\n", lines.len() - known));

    let wrong = said(rollbook(&args).env("ROLLBOOK_TOKEN", "rb_wrong"));
    assert_eq!(wrong.code, 1);
    assert!(wrong.err.contains("401"), "{}", wrong.err);
    std::fs::write(&file, format!("{}\nnonsense\n", lines[0])).unwrap();
    let bad = said(rollbook(&args).env("ROLLBOOK_TOKEN", token(&folder, "ingest")));
    assert!(bad.err.contains(&format!("error: {}:2: column 2: ", file.display())), "{}", bad.err);

    let beside = run(&transfer("export", &folder, &[])).ok();
    assert_eq!(beside.lines().count(), known, "an export beside the server has all that it acknowledged");
    drop(server);
    let other = temp.path().join("other");
    import(&other, &lines).ok();
    assert_eq!(answers(&folder, &session), answers(&other, &session));
}

#[test]
fn an_export_of_nothing_is_no_accident_and_a_folder_that_is_not_there_is_one() {
    let temp = tempfile::tempdir().unwrap();
    token(temp.path(), "ingest");
    assert_eq!(run(&transfer("export", temp.path(), &[])).ok(), "");
    let missing = temp.path().join("missing");
    let told = run(&transfer("export", &missing, &[]));
    assert_eq!((told.code, told.err), (1, format!("error: there is no data folder {}\n", missing.display())));
    assert!(!missing.exists());
}
