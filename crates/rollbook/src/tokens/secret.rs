//! The secret part: making tokens, and the digest that is kept of one.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use sha2::{Digest as _, Sha256};
use std::fmt::Write as _;

/// SHA-256 of a token. A token is 256 random bits, so one fast hash keeps it: there is nothing to guess that a slow one would protect.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Digest([u8; 32]);

impl Digest {
    /// The digest of a token as its bearer sends it.
    #[must_use]
    pub fn of(token: &str) -> Self {
        Self(Sha256::digest(token.as_bytes()).into())
    }

    /// Its bytes.
    #[must_use]
    pub fn bytes(&self) -> &[u8; 32] {
        &self.0
    }

    fn from_hex(text: &str) -> Option<Self> {
        let mut bytes = [0; 32];
        if text.len() != 64 || !text.bytes().all(|b| b.is_ascii_hexdigit()) {
            return None;
        }
        for (at, byte) in bytes.iter_mut().enumerate() {
            *byte = u8::from_str_radix(text.get(2 * at..2 * at + 2)?, 16).ok()?;
        }
        Some(Self(bytes))
    }
}

impl Serialize for Digest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&hex(&self.0))
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::from_hex(&text).ok_or_else(|| de::Error::custom("a digest must be 64 hexadecimal digits"))
    }
}

/// A new token, `rb_` and 256 random bits: the prefix lets people and secret scanners recognise it.
pub(super) fn new_token() -> Result<String, getrandom::Error> {
    let mut random = [0; 32];
    getrandom::fill(&mut random)?;
    Ok(format!("rb_{}", URL_SAFE_NO_PAD.encode(random)))
}

/// A new public id. It is drawn, not cut from the digest, so that it says nothing about the token.
pub(super) fn new_id() -> Result<String, getrandom::Error> {
    let mut random = [0; 5];
    getrandom::fill(&mut random)?;
    Ok(format!("tok_{}", hex(&random)))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut out, byte| {
        // Writing into a String has no way to fail.
        let _ = write!(out, "{byte:02x}");
        out
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_is_read_as_it_was_written_and_nothing_else_is() {
        let digest = Digest::of("rb_x");
        assert_eq!(Digest::from_hex(&hex(&digest.0)), Some(digest));
        for bad in ["", "00", &"g".repeat(64), &"é".repeat(32), &"0".repeat(63), &"0".repeat(66)] {
            assert_eq!(Digest::from_hex(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_token_is_256_bits_behind_a_prefix() {
        let token = new_token().unwrap();
        let random = URL_SAFE_NO_PAD.decode(token.strip_prefix("rb_").unwrap()).unwrap();
        assert_eq!(random.len(), 32);
        assert_ne!(token, new_token().unwrap());
    }
}
