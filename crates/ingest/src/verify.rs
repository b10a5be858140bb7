//! Proofs of who sent a delivery: signatures over the raw body, and secrets that are sent along. Comparisons take constant time.

use crate::engine::{Delivery, Refusal, Secret};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::{digest, hmac};
use rollbook_core::time::MINUTE;
use subtle::ConstantTimeEq;

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

/// What is sent along proves a sender, or nothing: a token of rollbook's stands in the same place, and is judged elsewhere.
fn sent_along(given: Option<&str>, secrets: &[Secret], wrong: &'static str) -> Result<(), Refusal> {
    if given.is_some_and(|given| is_any(secrets, given)) { Ok(()) } else { Err(Refusal::Unsigned(wrong)) }
}

fn credentials<'d>(delivery: &Delivery<'d>, wanted: &str) -> Option<&'d str> {
    let (scheme, rest) = delivery.header("authorization")?.split_once(' ')?;
    scheme.eq_ignore_ascii_case(wanted).then(|| rest.trim_start())
}
