//! A file of passwords as libpq knows it: lines of `host:port:database:user:password`, where `*` fits anything and `\` takes its meaning from
//! what follows. The first line that fits counts.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use tokio_postgres::Config;
use tokio_postgres::config::Host;

/// The password for a database, where the file has one.
///
/// # Errors
/// Where the file can't be read, or others than its owner and group can.
pub(super) fn find(file: &Path, config: &Config) -> io::Result<Option<String>> {
    let (mut opened, mut text) = (File::open(file)?, String::new());
    refuse_what_others_read(&opened)?;
    opened.read_to_string(&mut text)?;
    let user = config.get_user().unwrap_or_default();
    let database = config.get_dbname().unwrap_or(user);
    let ports = config.get_ports();
    let servers = config.get_hosts().iter().enumerate().map(|(n, host)| {
        let port = ports.get(n).or(ports.first()).copied().unwrap_or(5432);
        (name(host), port.to_string())
    });
    // The servers of one address are one cluster: a role has one password.
    let mut found = servers.filter_map(|(host, port)| search(&text, [&host, &port, database, user]));
    Ok(found.next())
}

#[cfg(unix)]
fn refuse_what_others_read(file: &File) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    match file.metadata()?.permissions().mode() & 0o007 {
        0 => Ok(()),
        _ => Err(io::Error::other("everyone may read it: chmod o= takes that away")),
    }
}

#[cfg(not(unix))]
fn refuse_what_others_read(_: &File) -> io::Result<()> {
    Ok(())
}

fn name(host: &Host) -> String {
    match host {
        Host::Tcp(name) => name.clone(),
        #[cfg(unix)]
        Host::Unix(_) => "localhost".into(),
    }
}

fn search(text: &str, wanted: [&str; 4]) -> Option<String> {
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines.filter_map(|line| fits(line, wanted)).next()
}

/// The line's password, where its other fields fit.
fn fits(line: &str, wanted: [&str; 4]) -> Option<String> {
    let mut rest = line;
    for wanted in wanted {
        let (any, field);
        (any, field, rest) = next(rest)?;
        if !any && field != wanted {
            return None;
        }
    }
    Some(plain(rest))
}

/// A password: all that is left of the line.
fn plain(text: &str) -> String {
    let (mut password, mut characters) = (String::new(), text.chars());
    while let Some(character) = characters.next() {
        password.push(if character == '\\' { characters.next().unwrap_or(character) } else { character });
    }
    password
}

/// The field before the first colon, whether it is a bare `*`, and what comes after.
fn next(text: &str) -> Option<(bool, String, &str)> {
    let mut field = String::new();
    let mut characters = text.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            ':' => return Some((&text[..at] == "*", field, &text[at + 1..])),
            '\\' => field.extend(characters.next().map(|(_, escaped)| escaped)),
            other => field.push(other),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "# all of them\n\
        db.example.org:5432:ledger:rollbook:one\n\
        db.example.org:*:ledger:rollbook:two\n\
        \\:\\:1:*:*:*:with:\\:colons and \\\\\n\
        short:line\n\
        *:*:*:rollbook:three\r\n";

    #[test]
    fn the_first_line_that_fits_counts() {
        let cases = [
            (["db.example.org", "5432", "ledger", "rollbook"], Some("one")),
            (["db.example.org", "5433", "ledger", "rollbook"], Some("two")),
            (["db.example.org", "5432", "ledger", "another"], None),
            (["elsewhere", "5432", "ledger", "rollbook"], Some("three")),
            (["::1", "5432", "ledger", "rollbook"], Some("with::colons and \\")),
        ];
        for (wanted, password) in cases {
            assert_eq!(search(FILE, wanted).as_deref(), password, "{wanted:?}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_file_that_everyone_may_read_is_refused() {
        use std::os::unix::fs::PermissionsExt as _;
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), FILE).unwrap();
        let config: Config = "postgres://rollbook@db.example.org/ledger".parse().unwrap();
        for (mode, read) in [(0o600, true), (0o640, true), (0o644, false)] {
            std::fs::set_permissions(file.path(), std::fs::Permissions::from_mode(mode)).unwrap();
            assert_eq!(find(file.path(), &config).ok(), read.then(|| Some("one".into())), "{mode:o}");
        }
    }
}
