use super::*;
use clap::{CommandFactory as _, Parser};

#[derive(Parser)]
struct Flags {
    #[command(flatten)]
    layer: Layer,
}

fn flags(args: &[&str]) -> Layer {
    Flags::try_parse_from([&["test"], args].concat()).unwrap().layer
}

fn file(text: &str) -> (tempfile::NamedTempFile, PathBuf) {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), text).unwrap();
    let path = file.path().to_owned();
    (file, path)
}

#[test]
fn the_printed_file_is_the_defaults_and_leaves_none_out() {
    let (_keep, path) = file(DEFAULTS_FILE);
    let other = Settings {
        listen: ([1, 1, 1, 1], 1).into(),
        metrics_listen: ([1, 1, 1, 1], 2).into(),
        data: "other".into(),
        store: StorePlace::Postgres("postgres://u:p@h/d".into()),
        read_store: ReplicaPlace::Postgres("postgres://u:p@r/d".into()),
        memory: Size(1),
        max_concurrent_requests: NonZeroU32::MIN,
        janus_rooms_shared: true,
        janus_silence: Seconds(1),
        kept_days: 1,
        kept_size: Size(2),
        engines_key_file: FilePlace(Some("key".into())),
        log_level: LogLevel::Trace,
        log_format: LogFormat::Json,
        engines: Vec::new(),
    };
    assert_eq!(other.under(Layer::read(&path).unwrap()), Settings::default());
}

#[test]
fn every_setting_has_a_variable_and_a_line_in_the_file_and_tells_its_default() {
    for arg in Flags::command().get_arguments() {
        let key = arg.get_id().as_str();
        assert_eq!(arg.get_env().unwrap().to_str().unwrap(), format!("ROLLBOOK_{}", key.to_uppercase()));
        let line = DEFAULTS_FILE.lines().find_map(|line| line.strip_prefix(&format!("{key} = "))).unwrap();
        let help = arg.get_help().unwrap().to_string();
        assert!(help.ends_with(&format!("[default: {}]", line.trim_matches('"'))), "{key}: {help}");
    }
}

#[test]
fn a_flag_wins_over_the_file_and_the_file_over_the_default() {
    let (_keep, path) = file("listen = \"127.0.0.1:1\"\nmemory = \"2GiB\"\n");
    let settings = Settings::resolve(Some(&path), flags(&["--listen", "127.0.0.1:2"])).unwrap();
    let expected = Settings { listen: ([127, 0, 0, 1], 2).into(), memory: Size(2 << 30), ..Settings::default() };
    assert_eq!(settings, expected);
    assert_eq!(Settings::resolve(None, flags(&[])).unwrap(), Settings::default());
}

#[test]
fn a_replica_needs_a_database_and_no_password_is_shown() {
    let refused = Settings::resolve(None, flags(&["--read-store", "postgres://u:secret@r/d"])).unwrap_err().to_string();
    assert!(refused.contains("read_store") && refused.contains("store is \"sqlite\"") && !refused.contains("secret"), "{refused}");
    let both = Settings::resolve(None, flags(&["--store", "postgres://u:secret@h/d", "--read-store", "postgres://u:secret@r/d"])).unwrap();
    assert_eq!(both.read_store.url(), Some("postgres://u:secret@r/d"));
    assert!(!format!("{both:?}").contains("secret"));
}

#[test]
fn what_is_wrong_in_a_file_is_named_with_line_and_key() {
    let cases = [
        ("# one\n\nlissten = \"x\"", 3, "lissten: unknown field `lissten`, expected one of `listen`"),
        ("listen = \"localhost\"", 1, "listen: invalid socket address"),
        ("log_level = \"info\"\nmemory = \"1G\"", 2, "memory: \"1G\" is no size"),
        ("max_concurrent_requests = 0", 1, "max_concurrent_requests: invalid value: integer `0`"),
        ("janus_silence = 4295", 1, "janus_silence: 4295 is too long"),
        ("log_level = \"loud\"", 1, "log_level: unknown variant `loud`"),
        ("data = 3", 1, "data: invalid type: integer `3`"),
        ("\n[[engines]]\naccount = \"a\"\nsecret = \"x\"", 4, "secret: unknown field `secret`, expected one of `account`"),
        ("[[engines]]\naccount = 1", 2, "account: invalid type: integer `1`"),
        ("\n[server]\n", 2, "unknown field `server`"),
        ("\ndata = \"unclosed", 2, "data: "),
    ];
    for (text, line, message) in cases {
        let (_keep, path) = file(text);
        let told = Settings::resolve(Some(&path), Layer::default()).unwrap_err().to_string();
        assert!(told.starts_with(&format!("{}:{line}: {message}", path.display())), "{told}");
    }
    let told = Settings::resolve(Some(Path::new("not/there.toml")), Layer::default()).unwrap_err().to_string();
    assert!(told.starts_with("can't read the settings file not/there.toml: "), "{told}");
}
