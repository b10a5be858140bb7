//! A name for every request, so that an answer, a line of the log and a user's report can be matched.

use axum::http::{HeaderMap, HeaderName, HeaderValue};
use std::hash::{BuildHasher, RandomState};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};

/// Where the id travels, both ways.
pub(super) const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The most characters of an id that is taken from the client.
const LONGEST: usize = 64;

/// The client's own id where it is harmless in a log, else a new one.
pub(super) fn of(headers: &HeaderMap) -> HeaderValue {
    let harmless = |id: &&HeaderValue| {
        let allowed = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_.:".contains(byte);
        (1..=LONGEST).contains(&id.len()) && id.as_bytes().iter().all(allowed)
    };
    headers.get(X_REQUEST_ID).filter(harmless).cloned().unwrap_or_else(new)
}

/// Unique: a number that no other process is likely to have drawn, and a count within this one.
fn new() -> HeaderValue {
    static PROCESS: LazyLock<String> = LazyLock::new(|| format!("{:016x}-", RandomState::new().hash_one("rollbook")));
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let mut count = COUNT.fetch_add(1, Ordering::Relaxed);
    let (mut digits, mut at) = ([b'0'; 16], 15);
    while count > 15 {
        digits[at] = HEX[(count & 15) as usize];
        (count, at) = (count >> 4, at - 1);
    }
    digits[at] = HEX[count as usize];
    HeaderValue::try_from([PROCESS.as_bytes(), &digits[at..]].concat()).unwrap_or(HeaderValue::from_static("unnamed"))
}

const HEX: &[u8; 16] = b"0123456789abcdef";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn taken_where_harmless_else_new() {
        let id = |text: &str| of(&HeaderMap::from_iter([(X_REQUEST_ID, HeaderValue::from_str(text).unwrap())]));
        assert_eq!(id("abc-1.2_3:4"), "abc-1.2_3:4");
        for bad in ["", "a b", "a=b", "\"", &"a".repeat(65)] {
            assert_ne!(id(bad), bad);
        }
        assert_ne!(of(&HeaderMap::new()), of(&HeaderMap::new()));
    }
}
