//! What a kept delivery is known by.

use sha2::{Digest, Sha256};

/// Of the engine and the body; no two pairs run together to the same bytes.
pub(crate) fn digest(engine: &str, body: &[u8]) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update((engine.len() as u64).to_le_bytes());
    hash.update(engine);
    hash.update(body);
    hash.finalize().into()
}
