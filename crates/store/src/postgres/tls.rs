//! TLS to the database. Wherever it is used, the server's certificate and name are verified.

use super::connect::ConnectError;
use rustls::crypto::ring;
use rustls::{ClientConfig, RootCertStore};
use std::path::PathBuf;
use std::sync::Arc;
use tokio_postgres::config::SslMode;
use tokio_postgres_rustls::MakeRustlsConnect;

/// What makes TLS connections.
pub(super) type Connector = MakeRustlsConnect;

/// Whose signatures on a server's certificate count.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Trust {
    /// A file of certificates; else the system's.
    file: Option<PathBuf>,
}

impl Trust {
    /// Takes out of an address what the driver does not know: `sslrootcert`, and the names of `sslmode` that say verification is wanted.
    pub(super) fn split(url: &str) -> (String, Self) {
        let (path, query) = url.split_once('?').map_or((url, None), |(path, query)| (path, Some(query)));
        let mut file = None;
        let Some(query) = query else { return (url.into(), Self { file }) };
        let mut rest = Vec::new();
        for pair in query.split('&') {
            match pair.split_once('=') {
                Some(("sslrootcert", "system")) => {}
                Some(("sslrootcert", name)) => file = Some(decode(name)),
                Some(("sslmode", "verify-ca" | "verify-full")) => rest.push("sslmode=require"),
                _ => rest.push(pair),
            }
        }
        (format!("{path}?{}", rest.join("&")), Self { file })
    }

    pub(super) fn connector(self, mode: SslMode) -> Result<Connector, ConnectError> {
        let mut roots = RootCertStore::empty();
        if mode != SslMode::Disable {
            let unreadable = |reason: String| ConnectError::Certificates { file: self.file.clone(), reason };
            let found = match &self.file {
                Some(file) => rustls_native_certs::load_certs_from_paths(Some(file), None),
                None => rustls_native_certs::load_native_certs(),
            };
            if let (Some(_), Some(error)) = (&self.file, found.errors.first()) {
                return Err(unreadable(error.to_string()));
            }
            let (taken, _) = roots.add_parsable_certificates(found.certs);
            if taken == 0 && (self.file.is_some() || mode == SslMode::Require) {
                return Err(unreadable("none is there".into()));
            }
        }
        let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|error| ConnectError::Database(error.to_string()))?;
        Ok(MakeRustlsConnect::new(config.with_root_certificates(roots).with_no_client_auth()))
    }
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
    fn an_address_says_whom_to_trust() {
        let split = |url: &str| Trust::split(url);
        let trust = |file: Option<&str>| Trust { file: file.map(PathBuf::from) };
        assert_eq!(split("postgres://db/x"), ("postgres://db/x".into(), trust(None)));
        let url = "postgres://db/x?sslmode=verify-full&sslrootcert=%2Fetc%2Fca%20of%20ours.pem&connect_timeout=3";
        assert_eq!(split(url), ("postgres://db/x?sslmode=require&connect_timeout=3".into(), trust(Some("/etc/ca of ours.pem"))));
        assert_eq!(split("postgres://db/x?sslrootcert=/a%b"), ("postgres://db/x?".into(), trust(Some("/a%b"))));
        assert_eq!(split("postgres://db/x?sslrootcert=system&sslmode=disable").1, trust(None));
    }
}
