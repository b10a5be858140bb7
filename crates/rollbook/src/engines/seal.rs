//! Secrets sealed with a key that is kept elsewhere: ChaCha20-Poly1305, a random nonce each, bound to where the secret belongs.

use crate::config::{FilePlace, SecretError, engines_keys};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use sha2::{Digest as _, Sha256};

/// What a sealed secret begins with: the form that this is.
const FORM: u8 = 1;
/// How many bytes tell which key sealed it.
const KEY_ID: usize = 4;

/// Where a secret belongs. A sealed one can't be opened elsewhere, so that no row's secret can be put into another's.
#[derive(Clone, Copy, Debug)]
pub struct Place<'a> {
    /// The account.
    pub account: &'a str,
    /// The app.
    pub app: &'a str,
    /// The engine.
    pub engine: &'a str,
    /// The id by which deliveries name the secret.
    pub id: &'a str,
}

/// Why a secret can't be sealed or opened.
#[derive(Debug, thiserror::Error)]
pub enum SealError {
    /// The keys are not to be had.
    #[error(transparent)]
    Keys(#[from] SecretError),
    /// What should be a key is none. It is not shown.
    #[error("key number {0} of engines_key_file or ROLLBOOK_ENGINES_KEY is not 32 bytes in base64: `openssl rand -base64 32` makes one")]
    BadKey(usize),
    /// There is no key.
    #[error("a secret is sealed, and there is no key: set engines_key_file or ROLLBOOK_ENGINES_KEY")]
    NoKey,
    /// None of the keys is the one that sealed it.
    #[error("a secret is sealed with another key than those of engines_key_file or ROLLBOOK_ENGINES_KEY")]
    OtherKey,
    /// It was changed, or put where it does not belong.
    #[error("a sealed secret is damaged")]
    Damaged,
    /// The system gives no random numbers.
    #[error("no random numbers: {0}")]
    Random(#[from] getrandom::Error),
}

/// The keys: the first seals, each opens what it sealed, so that one can take over from another.
pub struct SealKeys(Vec<Key>);

struct Key {
    id: [u8; KEY_ID],
    key: LessSafeKey,
}

impl Key {
    fn new(bytes: &[u8; 32]) -> Option<Self> {
        let digest: [u8; 32] = Sha256::new().chain_update(b"rollbook engines key").chain_update(bytes).finalize().into();
        let id = *digest.first_chunk()?;
        Some(Self { id, key: LessSafeKey::new(UnboundKey::new(&CHACHA20_POLY1305, bytes).ok()?) })
    }
}

impl SealKeys {
    /// Those of the variable or the file; none where there is neither.
    ///
    /// # Errors
    /// Where there are some that can't be read.
    pub fn find(file: &FilePlace) -> Result<Option<Self>, SealError> {
        engines_keys(file)?.map(|text| Self::read(&text)).transpose()
    }

    /// Keys with white space between them, each 32 bytes in base64.
    ///
    /// # Errors
    /// Where one is no key, or there is none.
    pub fn read(text: &str) -> Result<Self, SealError> {
        let key = |(number, text): (usize, &str)| {
            let bytes = STANDARD.decode(text).ok().and_then(|bytes| Key::new(&bytes.try_into().ok()?));
            bytes.ok_or(SealError::BadKey(number))
        };
        let keys: Vec<_> = (1..).zip(text.split_whitespace()).map(key).collect::<Result<_, _>>()?;
        if keys.is_empty() { Err(SealError::BadKey(1)) } else { Ok(Self(keys)) }
    }

    /// The secret, sealed: form, key, nonce, and the secret with its tag, in base64.
    ///
    /// # Errors
    /// Where the system gives no random numbers.
    pub fn seal(&self, secret: &str, place: &Place<'_>) -> Result<String, SealError> {
        let Key { id, key } = self.0.first().ok_or(SealError::NoKey)?;
        let mut nonce = [0; NONCE_LEN];
        getrandom::fill(&mut nonce)?;
        let mut sealed = secret.as_bytes().to_vec();
        let bound = Aad::from(bound(place));
        key.seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), bound, &mut sealed).map_err(|_| SealError::Damaged)?;
        Ok(STANDARD.encode([&[FORM][..], id, &nonce, &sealed].concat()))
    }

    /// The secret that was sealed.
    ///
    /// # Errors
    /// Where it was sealed with none of these keys, or for another place.
    pub fn open(&self, sealed: &str, place: &Place<'_>) -> Result<String, SealError> {
        let bytes = STANDARD.decode(sealed).map_err(|_| SealError::Damaged)?;
        let rest = bytes.strip_prefix(&[FORM]).ok_or(SealError::Damaged)?;
        let (id, rest) = rest.split_first_chunk::<KEY_ID>().ok_or(SealError::Damaged)?;
        let (nonce, secret) = rest.split_first_chunk().ok_or(SealError::Damaged)?;
        let key = self.0.iter().find(|key| key.id == *id).ok_or(SealError::OtherKey)?;
        let mut secret = secret.to_vec();
        let opened = key.key.open_in_place(Nonce::assume_unique_for_key(*nonce), Aad::from(bound(place)), &mut secret);
        String::from_utf8(opened.map_err(|_| SealError::Damaged)?.to_vec()).map_err(|_| SealError::Damaged)
    }
}

/// The place as bytes; no two places have the same.
fn bound(Place { account, app, engine, id }: &Place<'_>) -> Vec<u8> {
    let mut bytes = vec![FORM];
    for part in [account, app, engine, id] {
        bytes.extend((part.len() as u64).to_le_bytes());
        bytes.extend(part.as_bytes());
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: Place<'_> = Place { account: "acme", app: "school", engine: "livekit", id: "APIxyz" };

    fn key(byte: u8) -> String {
        STANDARD.encode([byte; 32])
    }

    #[test]
    fn what_is_sealed_is_opened_by_its_key_at_its_place_alone() {
        let keys = SealKeys::read(&key(1)).unwrap();
        let sealed = keys.seal("the secret", &HERE).unwrap();
        assert_eq!(keys.open(&sealed, &HERE).unwrap(), "the secret");
        assert_ne!(keys.seal("the secret", &HERE).unwrap(), sealed, "the nonce is drawn");
        assert!(!STANDARD.decode(&sealed).unwrap().windows(10).any(|part| part == b"the secret"));
        for elsewhere in
            [Place { account: "evil", ..HERE }, Place { app: "choir", ..HERE }, Place { engine: "zoom", ..HERE }, Place { id: "", ..HERE }]
        {
            assert!(matches!(keys.open(&sealed, &elsewhere), Err(SealError::Damaged)));
        }
        assert!(matches!(SealKeys::read(&key(2)).unwrap().open(&sealed, &HERE), Err(SealError::OtherKey)));
    }

    #[test]
    fn one_key_takes_over_from_another() {
        let sealed = SealKeys::read(&key(1)).unwrap().seal("s", &HERE).unwrap();
        let both = SealKeys::read(&format!("{}\n{}\n", key(2), key(1))).unwrap();
        assert_eq!(both.open(&sealed, &HERE).unwrap(), "s");
        assert_eq!(SealKeys::read(&key(2)).unwrap().open(&both.seal("s", &HERE).unwrap(), &HERE).unwrap(), "s");
    }

    #[test]
    fn every_flipped_bit_is_noticed() {
        let keys = SealKeys::read(&key(1)).unwrap();
        let bytes = STANDARD.decode(keys.seal("s", &HERE).unwrap()).unwrap();
        for at in 0..bytes.len() {
            let mut flipped = bytes.clone();
            flipped[at] ^= 1;
            assert!(keys.open(&STANDARD.encode(&flipped), &HERE).is_err(), "{at}");
            assert!(keys.open(&STANDARD.encode(&bytes[..at]), &HERE).is_err(), "cut to {at}");
        }
    }

    #[test]
    fn what_is_no_key_is_refused_without_being_shown() {
        for bad in ["", " \n", "c2VjcmV0", &key(1)[1..], "not base64!"] {
            let error = SealKeys::read(bad).map(|_| ()).unwrap_err().to_string();
            assert!(error.starts_with("key number 1 ") && !error.contains("c2VjcmV0"), "{error}");
        }
        assert!(SealKeys::read(&format!("{} x", key(1))).map(|_| ()).unwrap_err().to_string().starts_with("key number 2 "));
    }
}
