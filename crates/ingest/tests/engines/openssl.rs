//! The signer: `openssl` on the command line, which knows nothing of the code that is tested. Where it is missing, tests fail.

use std::io::Write;
use std::process::{Command, Stdio};

fn run(arguments: &[&str], input: &[u8]) -> Vec<u8> {
    let mut child = Command::new("openssl").args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("openssl runs");
    child.stdin.take().unwrap().write_all(input).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "openssl {arguments:?}");
    output.stdout
}

/// The HMAC-SHA256 of a message.
pub(crate) fn hmac(key: &str, message: &[u8]) -> Vec<u8> {
    let key: String = key.bytes().map(|byte| format!("{byte:02x}")).collect();
    run(&["dgst", "-sha256", "-mac", "HMAC", "-macopt", &format!("hexkey:{key}"), "-binary"], message)
}

/// The digest of a message: `sha1`, `sha256`, `sha384` or `sha512`.
pub(crate) fn digest(algorithm: &str, message: &[u8]) -> Vec<u8> {
    run(&["dgst", &format!("-{algorithm}"), "-binary"], message)
}

/// Bytes as hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Bytes as base64.
pub(crate) fn base64(bytes: &[u8]) -> String {
    String::from_utf8(run(&["base64", "-A"], bytes)).unwrap()
}

/// Bytes as base64url without padding.
pub(crate) fn base64url(bytes: &[u8]) -> String {
    base64(bytes).replace('+', "-").replace('/', "_").replace('=', "")
}

/// A fresh RSA key.
pub(crate) struct RsaKey(tempfile::TempDir);

impl RsaKey {
    pub(crate) fn generate() -> Self {
        let key = Self(tempfile::tempdir().unwrap());
        run(&["genpkey", "-quiet", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048", "-out", &key.path()], b"");
        key
    }

    fn path(&self) -> String {
        self.0.path().join("key.pem").display().to_string()
    }

    /// The public key in PEM.
    pub(crate) fn public(&self) -> String {
        String::from_utf8(run(&["pkey", "-in", &self.path(), "-pubout"], b"")).unwrap()
    }

    /// The signature (PKCS#1 v1.5, SHA-256) of a message.
    pub(crate) fn sign(&self, message: &[u8]) -> Vec<u8> {
        run(&["dgst", "-sha256", "-sign", &self.path()], message)
    }
}
