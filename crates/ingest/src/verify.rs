//! Proofs of who sent a delivery: signatures over the raw body, and secrets that are sent along. Comparisons take constant time.

use crate::engine::{Delivery, Refusal, Secret};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::{digest, hmac};
use rollbook_core::time::{MINUTE, SECOND, Timestamp};
use rustls_pki_types::SubjectPublicKeyInfoDer;
use rustls_pki_types::pem::PemObject;
use subtle::ConstantTimeEq;
use webpki::RawPublicKeyEntity;

/// How far the clocks of an engine and of this machine may be apart, in microseconds.
pub(crate) const CLOCKS: i64 = 5 * MINUTE;

/// Whether some secret's HMAC of the parts, one after another, is this tag.
pub(crate) fn hmac_of_any(algorithm: hmac::Algorithm, secrets: &[Secret], parts: &[&[u8]], tag: &[u8]) -> bool {
    secrets.iter().fold(false, |found, secret| found | equal(hmac_of(algorithm, secret.bytes(), parts).as_ref(), tag))
}

/// The HMAC of the parts, one after another.
pub(crate) fn hmac_of(algorithm: hmac::Algorithm, key: &[u8], parts: &[&[u8]]) -> hmac::Tag {
    let mut context = hmac::Context::with_key(&hmac::Key::new(algorithm, key));
    for part in parts {
        context.update(part);
    }
    context.sign()
}

/// The digest of the parts, one after another.
pub(crate) fn digest_of(algorithm: &'static digest::Algorithm, parts: &[&[u8]]) -> digest::Digest {
    let mut context = digest::Context::new(algorithm);
    for part in parts {
        context.update(part);
    }
    context.finish()
}

/// Whether two values are equal, in a time that tells nothing but their lengths.
pub(crate) fn equal(one: &[u8], other: &[u8]) -> bool {
    one.ct_eq(other).into()
}

/// Whether a text is one of the secrets, in a time that does not tell their lengths either.
pub(crate) fn is_any(secrets: &[Secret], given: &str) -> bool {
    let hashed = |bytes| digest_of(&digest::SHA256, &[bytes]);
    let given = hashed(given.as_bytes());
    secrets.iter().fold(false, |found, secret| found | equal(hashed(secret.bytes()).as_ref(), given.as_ref()))
}

/// Checks the password of HTTP basic authentication; whose it is does not matter.
pub(crate) fn password(delivery: &Delivery<'_>, secrets: &[Secret]) -> Result<(), Refusal> {
    let encoded = credentials(delivery, "basic").ok_or(Refusal::Unsigned("HTTP basic authentication is missing"))?;
    let decoded = STANDARD.decode(encoded).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    let password = decoded.as_deref().and_then(|pair| pair.split_once(':')).map(|(_, password)| password);
    sent_along(password, secrets, "the password is none of this app's")
}

/// What `Authorization` says for HTTP basic authentication.
pub(crate) fn basic(user: &str, password: &Secret) -> Option<String> {
    Some(format!("Basic {}", STANDARD.encode(format!("{user}:{}", password.text()?))))
}

/// Checks the token of `Authorization: Bearer`.
pub(crate) fn bearer(delivery: &Delivery<'_>, secrets: &[Secret]) -> Result<(), Refusal> {
    let token = credentials(delivery, "bearer").ok_or(Refusal::Unsigned("the header Authorization: Bearer is missing"))?;
    sent_along(Some(token), secrets, "the token is none of this app's")
}

/// What is sent along proves a sender, or nothing: a token of rollbook's stands in the same place, and is judged elsewhere.
fn sent_along(given: Option<&str>, secrets: &[Secret], wrong: &'static str) -> Result<(), Refusal> {
    if given.is_some_and(|given| is_any(secrets, given)) { Ok(()) } else { Err(Refusal::Unsigned(wrong)) }
}

fn credentials<'d>(delivery: &Delivery<'d>, wanted: &str) -> Option<&'d str> {
    let (scheme, rest) = delivery.header("authorization")?.split_once(' ')?;
    scheme.eq_ignore_ascii_case(wanted).then(|| rest.trim_start())
}

/// Checks that what was signed at `sent` came within `max_age` microseconds of it, give or take the clocks.
pub(crate) fn fresh(sent: Timestamp, received: Timestamp, max_age: i64) -> Result<(), Refusal> {
    match received.since(sent) {
        age if age < -CLOCKS => Err(Refusal::Stale("it was made in the future: check both clocks")),
        age if age > max_age.saturating_add(CLOCKS) => Err(Refusal::Stale("it is older than the engine's last retry")),
        _ => Ok(()),
    }
}

/// An instant as whole seconds or, where it is later than any year of the ledger, as milliseconds since 1970.
pub(crate) fn unix_time(text: &str) -> Option<Timestamp> {
    let number: i64 = text.parse().ok().filter(|_| text.bytes().all(|b| b.is_ascii_digit()))?;
    let seconds = number.checked_mul(SECOND).map(Timestamp::from_micros).filter(|time| time.in_range());
    seconds.or_else(|| number.checked_mul(1000).map(Timestamp::from_micros)).filter(|time| time.in_range())
}

/// Bytes as hexadecimal digits, in lower case.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Bytes that stand as hexadecimal digits of either case.
pub(crate) fn unhex(text: &str) -> Option<Vec<u8>> {
    let digit = |b: &u8| char::from(*b).to_digit(16).and_then(|d| u8::try_from(d).ok());
    let pairs = text.as_bytes().chunks(2);
    pairs.map(|pair| if let [high, low] = pair { Some(digit(high)? << 4 | digit(low)?) } else { None }).collect()
}

/// An RSA key that signatures are checked by.
#[derive(Clone, Debug)]
pub(crate) struct RsaKey(SubjectPublicKeyInfoDer<'static>);

impl RsaKey {
    /// Reads a key in PEM (`BEGIN PUBLIC KEY`).
    pub(crate) fn from_pem(pem: &[u8]) -> Result<Self, String> {
        let key = SubjectPublicKeyInfoDer::from_pem_slice(pem).map_err(|_| "no PEM text that begins with -----BEGIN PUBLIC KEY-----")?;
        RawPublicKeyEntity::try_from(&key).map_err(|_| "the PEM text holds no public key")?;
        Ok(Self(key))
    }

    /// Whether it made this signature of a message (PKCS#1 v1.5 with SHA-256, keys of 2048 to 8192 bits).
    pub(crate) fn made(&self, message: &[u8], signature: &[u8]) -> bool {
        let key = RawPublicKeyEntity::try_from(&self.0);
        key.is_ok_and(|key| key.verify_signature(webpki::ring::RSA_PKCS1_2048_8192_SHA256, message, signature).is_ok())
    }
}
