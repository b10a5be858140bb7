//! Help, the settings file, and what wins over what.

use crate::program::{rollbook, run, said};

#[test]
fn help_tells_of_every_command_and_shows_examples() {
    let help = run(&["--help"]).ok();
    for word in ["serve", "demo", "token", "engine", "quarantine", "import", "export", "migrate", "config", "Examples:"] {
        assert!(help.contains(word), "{word} is missing in {help}");
    }
    let commands: [&[&str]; 14] = [
        &["serve"],
        &["demo"],
        &["token"],
        &["token", "create"],
        &["token", "list"],
        &["import"],
        &["export"],
        &["migrate"],
        &["config"],
        &["engine"],
        &["engine", "add"],
        &["engine", "test"],
        &["quarantine"],
        &["quarantine", "retry"],
    ];
    for command in commands {
        let help = run(&[command, &["--help"]].concat()).ok();
        assert!(command == ["token", "list"] || help.contains("Example"), "{command:?}: {help}");
    }
    assert!(run(&["serve", "--help"]).ok().contains("ROLLBOOK_LISTEN"));
}

#[test]
fn the_version_is_told() {
    assert_eq!(run(&["--version"]).ok(), format!("rollbook {}\n", env!("CARGO_PKG_VERSION")));
}

#[test]
fn what_is_not_understood_is_a_matter_of_usage() {
    for args in [&["fly"][..], &["serve", "--wings", "2"], &["serve", "--memory", "1G"], &["import", "--account", "a", "--app", "b"], &[]] {
        let told = run(args);
        assert_eq!((told.code, told.out.as_str()), (2, ""), "{args:?}");
    }
}

#[test]
fn the_printed_settings_are_a_settings_file() {
    let printed = run(&["config"]).ok();
    assert_eq!(run(&["serve", "--print-defaults"]).ok(), printed);
    assert_eq!(printed.trim_end(), rollbook::config::DEFAULTS_FILE.trim_end());
}

/// Tokens go into the data folder: wherever the file appears, that setting won.
#[test]
fn a_flag_wins_over_a_variable_over_a_file_over_the_default() {
    let temp = tempfile::tempdir().unwrap();
    let config = temp.path().join("rollbook.toml");
    std::fs::write(&config, "data = \"from-file\"\n").unwrap();
    let create = ["token", "create", "--account", "acme", "--permission", "ingest"];
    let in_file = ["--config", "rollbook.toml"];
    let cases: [(&str, &[&str], Option<&str>); 4] = [
        ("rollbook-data", &[], None),
        ("from-file", &in_file, None),
        ("from-variable", &in_file, Some("from-variable")),
        ("from-flag", &["--config", "rollbook.toml", "--data", "from-flag"], Some("from-variable")),
    ];
    for (folder, flags, variable) in cases {
        let mut command = rollbook(&[&create, flags].concat());
        command.current_dir(temp.path()).envs(variable.map(|value| ("ROLLBOOK_DATA", value)));
        let before = temp.path().join(folder).exists();
        said(&mut command).ok();
        assert!(!before && temp.path().join(folder).join("tokens.json").is_file(), "{folder}");
    }
}

#[test]
fn a_wrong_settings_file_is_told_with_file_line_and_key() {
    let temp = tempfile::tempdir().unwrap();
    let config = temp.path().join("rollbook.toml");
    std::fs::write(&config, "# mine\nlisten = \"somewhere\"\n").unwrap();
    let told = run(&["serve", "--config", config.to_str().unwrap()]);
    assert_eq!(told.code, 1);
    assert!(told.err.starts_with(&format!("error: {}:2: listen: ", config.display())), "{}", told.err);
}
