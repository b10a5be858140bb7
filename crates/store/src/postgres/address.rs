//! What an address says beyond what the driver understands: the files that a connection is made with.

use super::connect::ConnectError;
use super::failure::describe;
use std::path::PathBuf;
use std::time::Duration;
use tokio_postgres::Config;
use tokio_postgres::config::{Host, TargetSessionAttrs};

/// An unanswered packet means a lost connection after this.
pub(super) const SILENCE: Duration = Duration::from_secs(10);

/// Files that an address names, under the names that libpq gives them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Files {
    /// `sslrootcert`: whose signatures on a server's certificate count; else the system's authorities.
    pub(super) authorities: Option<PathBuf>,
    /// `sslcert`: the certificate by which the server knows us.
    pub(super) certificate: Option<PathBuf>,
    /// `sslkey`: its key.
    pub(super) key: Option<PathBuf>,
    /// `passfile`: passwords.
    pub(super) passwords: Option<PathBuf>,
}

/// Takes out of an address what the driver does not know: files, and the names of `sslmode` that say verification is wanted.
fn split(url: &str) -> (String, Files) {
    let mut files = Files::default();
    let Some((path, query)) = url.split_once('?') else { return (url.into(), files) };
    let mut rest = Vec::new();
    for pair in query.split('&') {
        match pair.split_once('=') {
            Some(("sslrootcert", "system")) => {}
            Some(("sslrootcert", name)) => files.authorities = Some(decode(name)),
            Some(("sslcert", name)) => files.certificate = Some(decode(name)),
            Some(("sslkey", name)) => files.key = Some(decode(name)),
            Some(("passfile", name)) => files.passwords = Some(decode(name)),
            Some(("sslmode", "verify-ca" | "verify-full")) => rest.push("sslmode=require"),
            _ => rest.push(pair),
        }
    }
    (format!("{path}?{}", rest.join("&")), files)
}

/// Reads an address, of whose servers one will do that has `role`.
pub(super) fn read(url: &str, role: TargetSessionAttrs) -> Result<(Config, Files), ConnectError> {
    let (url, files) = split(url);
    let mut config: Config = url.parse().map_err(|error| ConnectError::Address(describe(&error)))?;
    if config.get_application_name().is_none() {
        config.application_name("rollbook");
    }
    if config.get_connect_timeout().is_none() {
        config.connect_timeout(SILENCE);
    }
    if config.get_tcp_user_timeout().is_none() {
        config.tcp_user_timeout(SILENCE);
    }
    config.target_session_attrs(role);
    config.keepalives_idle(SILENCE);
    Ok((config, files))
}

/// What to call the ledger at an address, without the password, the user and the options that may be in it.
pub(super) fn place(url: &str, schema: Option<&str>) -> Result<String, ConnectError> {
    let (config, _) = read(url, TargetSessionAttrs::Any)?;
    let hosts = config.get_hosts().iter().enumerate().map(|(ix, host)| {
        let port = config.get_ports().get(ix).or(config.get_ports().first()).copied().unwrap_or(5432);
        match host {
            Host::Tcp(name) => format!("{name}:{port}"),
            Host::Unix(folder) => format!("{}:{port}", folder.display()),
        }
    });
    let database = config.get_dbname().or(config.get_user()).unwrap_or_default();
    let schema = schema.filter(|schema| *schema != "public").map(|schema| format!(" (schema {schema})")).unwrap_or_default();
    Ok(format!("postgres://{}/{database}{schema}", hosts.collect::<Vec<_>>().join(",")))
}

/// A file's name from an address, in which any byte may stand as `%` and two digits.
fn decode(text: &str) -> PathBuf {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let escaped = text_of(after.get(..2)).and_then(|digits| u8::from_str_radix(digits, 16).ok()).filter(|_| *first == b'%');
        bytes.push(escaped.unwrap_or(*first));
        rest = if escaped.is_some() { &after[2..] } else { after };
    }
    PathBuf::from(String::from_utf8_lossy(&bytes).into_owned())
}

fn text_of(bytes: Option<&[u8]>) -> Option<&str> {
    std::str::from_utf8(bytes?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_names_files() {
        let trusting = |file: &str| Files { authorities: Some(file.into()), ..Files::default() };
        assert_eq!(split("postgres://db/x"), ("postgres://db/x".into(), Files::default()));
        let url = "postgres://db/x?sslmode=verify-full&sslrootcert=%2Fetc%2Fca%20of%20ours.pem&connect_timeout=3";
        assert_eq!(split(url), ("postgres://db/x?sslmode=require&connect_timeout=3".into(), trusting("/etc/ca of ours.pem")));
        assert_eq!(split("postgres://db/x?sslrootcert=/a%b"), ("postgres://db/x?".into(), trusting("/a%b")));
        assert_eq!(split("postgres://db/x?sslrootcert=system&sslmode=disable").1, Files::default());
        let (url, files) = split("postgres://db/x?passfile=/run/pass&sslcert=/c.pem&sslkey=/k.pem");
        assert_eq!(
            (url.as_str(), files.passwords, files.certificate),
            ("postgres://db/x?", Some("/run/pass".into()), Some("/c.pem".into()))
        );
        assert_eq!(files.key, Some("/k.pem".into()));
    }
}
