//! TLS to the database. Wherever it is used, the server's certificate and name are verified.

use super::address::Files;
use super::connect::ConnectError;
use rustls::client::WantsClientCert;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, ConfigBuilder, RootCertStore};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio_postgres::config::SslMode;
use tokio_postgres_rustls::MakeRustlsConnect;

/// What makes TLS connections.
pub(super) type Connector = MakeRustlsConnect;

/// Reads the files that TLS needs.
pub(super) fn connector(files: &Files, mode: SslMode) -> Result<Connector, ConnectError> {
    let roots = if mode == SslMode::Disable { RootCertStore::empty() } else { authorities(files.authorities.as_ref(), mode)? };
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| ConnectError::Database(error.to_string()))?
        .with_root_certificates(roots);
    let config = match (&files.certificate, &files.key) {
        (Some(certificate), Some(key)) => known_by(config, certificate, key)?,
        (None, None) => config.with_no_client_auth(),
        _ => return Err(ConnectError::Address("sslcert and sslkey need each other".into())),
    };
    Ok(MakeRustlsConnect::new(config))
}

fn authorities(file: Option<&PathBuf>, mode: SslMode) -> Result<RootCertStore, ConnectError> {
    let unreadable = |reason: String| ConnectError::Certificates { file: file.cloned(), reason };
    let found = match file {
        Some(file) => rustls_native_certs::load_certs_from_paths(Some(file), None),
        None => rustls_native_certs::load_native_certs(),
    };
    if let (Some(_), Some(error)) = (file, found.errors.first()) {
        return Err(unreadable(error.to_string()));
    }
    let mut roots = RootCertStore::empty();
    let (taken, _) = roots.add_parsable_certificates(found.certs);
    if taken == 0 && (file.is_some() || mode == SslMode::Require) {
        return Err(unreadable("none is there".into()));
    }
    Ok(roots)
}

/// Shows the server a certificate of ours.
fn known_by(config: ConfigBuilder<ClientConfig, WantsClientCert>, certificate: &Path, key: &Path) -> Result<ClientConfig, ConnectError> {
    let unreadable = |file: &Path, reason: String| ConnectError::Certificate { file: file.into(), reason };
    let chain = CertificateDer::pem_file_iter(certificate).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let chain = chain.map_err(|error| unreadable(certificate, error.to_string()))?;
    let secret = PrivateKeyDer::from_pem_file(key).map_err(|error| unreadable(key, error.to_string()))?;
    config.with_client_auth_cert(chain, secret).map_err(|error| unreadable(certificate, error.to_string()))
}
