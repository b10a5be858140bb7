//! Judging the proof that a mapping file describes.

use super::file::{Encoding, Signature, Verify};
use crate::engine::{Delivery, Refusal, Secret, SettingsError};
use crate::verify::{self, RsaKey};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::hmac::{HMAC_SHA1_FOR_LEGACY_USE_ONLY, HMAC_SHA256, Key};
use rollbook_core::time::{SECOND, Timestamp};
use std::fmt;

/// A way to prove who sent a delivery, with the secrets for it.
#[derive(Debug)]
pub(super) enum Proof {
    Bearer(Vec<Secret>),
    Basic(Vec<Secret>),
    Header(Box<str>, Vec<Secret>),
    Signed(Signed, Keys),
}

/// Where a signature is and what it covers.
#[derive(Debug)]
pub(super) struct Signed {
    header: Box<str>,
    prefix: Box<str>,
    encoding: Encoding,
    parts: Vec<Part>,
    timestamp_header: Option<Box<str>>,
    max_age: i64,
}

#[derive(Debug)]
enum Part {
    Body,
    Timestamp,
    Text(Box<str>),
}

/// What a signature is checked by.
pub(super) enum Keys {
    Hmac(Vec<Key>),
    Rsa(Vec<RsaKey>),
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Hmac(_) => "Hmac(…)",
            Self::Rsa(_) => "Rsa(…)",
        })
    }
}

impl Proof {
    pub(super) fn new(verify: &Verify, secrets: Vec<Secret>) -> Result<Self, SettingsError> {
        Ok(match verify {
            Verify::Bearer => Self::Bearer(secrets),
            Verify::Basic => Self::Basic(secrets),
            Verify::Header { header } => Self::Header(header.clone(), secrets),
            Verify::HmacSha256(signature) | Verify::HmacSha1(signature) => {
                let algorithm = if matches!(verify, Verify::HmacSha1(_)) { HMAC_SHA1_FOR_LEGACY_USE_ONLY } else { HMAC_SHA256 };
                let bytes = |secret: &Secret| {
                    let written = std::str::from_utf8(secret.bytes()).ok().and_then(|text| decode(text, signature.secret_encoding));
                    let written = written.filter(|bytes| !bytes.is_empty());
                    written.ok_or_else(|| SettingsError::Secrets(format!("a secret is not {:?}", signature.secret_encoding)))
                };
                let keys = secrets.iter().map(|secret| Ok(Key::new(algorithm, &bytes(secret)?))).collect::<Result<_, _>>()?;
                Self::Signed(Signed::new(signature)?, Keys::Hmac(keys))
            }
            Verify::RsaSha256(signature) => {
                let keys = secrets.iter().map(|secret| RsaKey::from_pem(secret.bytes())).collect::<Result<_, _>>();
                Self::Signed(Signed::new(signature)?, Keys::Rsa(keys.map_err(SettingsError::Secrets)?))
            }
        })
    }

    pub(super) fn judge(&self, delivery: &Delivery<'_>) -> Result<(), Refusal> {
        match self {
            Self::Bearer(secrets) => verify::bearer(delivery, secrets),
            Self::Basic(secrets) => verify::password(delivery, secrets),
            Self::Header(header, secrets) => {
                let given = delivery.header(header).ok_or(Refusal::Unsigned("the header with the secret is missing"))?;
                if verify::is_any(secrets, given) { Ok(()) } else { Err(Refusal::BadSignature("the secret is none of this app's")) }
            }
            Self::Signed(signed, keys) => signed.judge(delivery, keys),
        }
    }
}

impl Proof {
    /// The headers that prove a body sent at `now`; none where only the public half of a key is known.
    pub(super) fn of(&self, body: &str, now: Timestamp) -> Option<Vec<(String, String)>> {
        match self {
            Self::Bearer(secrets) => Some(vec![("authorization".to_owned(), format!("Bearer {}", secrets.first()?.text()?))]),
            Self::Basic(secrets) => Some(vec![("authorization".to_owned(), verify::basic("rollbook", secrets.first()?)?)]),
            Self::Header(header, secrets) => Some(vec![(header.to_string(), secrets.first()?.text()?.to_owned())]),
            Self::Signed(_, Keys::Rsa(_)) => None,
            Self::Signed(signed, Keys::Hmac(keys)) => {
                let at = signed.timestamp_header.as_ref().map(|_| (now.micros() / SECOND).to_string());
                let message: Vec<&[u8]> = signed
                    .parts
                    .iter()
                    .map(|part| match part {
                        Part::Body => body.as_bytes(),
                        Part::Timestamp => at.as_deref().unwrap_or_default().as_bytes(),
                        Part::Text(text) => text.as_bytes(),
                    })
                    .collect();
                let tag = ring::hmac::sign(keys.first()?, &message.concat());
                let written = match signed.encoding {
                    Encoding::Hex => verify::hex(tag.as_ref()),
                    Encoding::Base64 => STANDARD.encode(tag.as_ref()),
                    Encoding::Text => return None,
                };
                let mut headers = vec![(signed.header.to_string(), format!("{}{written}", signed.prefix))];
                headers.extend(signed.timestamp_header.as_deref().zip(at).map(|(header, at)| (header.to_string(), at)));
                Some(headers)
            }
        }
    }
}

impl Signed {
    fn new(written: &Signature) -> Result<Self, SettingsError> {
        let parts = parts(&written.signed);
        let signs_body = parts.iter().any(|part| matches!(part, Part::Body));
        let signs_time = parts.iter().any(|part| matches!(part, Part::Timestamp));
        if !signs_body || signs_time != written.timestamp_header.is_some() {
            let message = "verify.signed: needs {body}, and {timestamp} if and only if there is a timestamp_header";
            return Err(SettingsError::Mapping(message.to_owned()));
        }
        let Signature { header, prefix, encoding, timestamp_header, .. } = written;
        let (header, prefix, timestamp_header) = (header.clone(), prefix.clone(), timestamp_header.clone());
        let max_age = i64::from(written.max_age_seconds) * SECOND;
        Ok(Self { header, prefix, encoding: *encoding, parts, timestamp_header, max_age })
    }

    fn judge(&self, delivery: &Delivery<'_>, keys: &Keys) -> Result<(), Refusal> {
        let given = delivery.header(&self.header).ok_or(Refusal::Unsigned("the header with the signature is missing"))?;
        let signature = given.strip_prefix(&*self.prefix).and_then(|text| decode(text, self.encoding));
        let signature = signature.ok_or(Refusal::BadSignature("the signature is not written as it should be"))?;
        let at = self
            .timestamp_header
            .as_ref()
            .map(|header| delivery.header(header).ok_or(Refusal::Unsigned("the header with the time is missing")));
        let at = at.transpose()?;
        let message: Vec<&[u8]> = self.parts.iter().map(|part| part.bytes(delivery, at)).collect();
        let made = match keys {
            Keys::Hmac(keys) => keys.iter().fold(false, |made, key| made | ring::hmac::verify(key, &message.concat(), &signature).is_ok()),
            Keys::Rsa(keys) => keys.iter().any(|key| key.made(&message.concat(), &signature)),
        };
        if !made {
            return Err(Refusal::BadSignature("the signature is not that of the delivery by a known secret"));
        }
        let Some(at) = at else { return Ok(()) };
        let sent = verify::unix_time(at).ok_or(Refusal::Stale("the header with the time has none"))?;
        verify::fresh(sent, delivery.received_at, self.max_age)
    }
}

impl Part {
    fn bytes<'d>(&'d self, delivery: &Delivery<'d>, at: Option<&'d str>) -> &'d [u8] {
        match self {
            Self::Body => delivery.body,
            Self::Timestamp => at.unwrap_or_default().as_bytes(),
            Self::Text(text) => text.as_bytes(),
        }
    }
}

fn parts(template: &str) -> Vec<Part> {
    let mut parts = Vec::new();
    let mut rest = template;
    while !rest.is_empty() {
        if let Some(after) = rest.strip_prefix("{body}") {
            parts.push(Part::Body);
            rest = after;
        } else if let Some(after) = rest.strip_prefix("{timestamp}") {
            parts.push(Part::Timestamp);
            rest = after;
        } else {
            let end = rest.char_indices().skip(1).find(|(_, letter)| *letter == '{').map_or(rest.len(), |(at, _)| at);
            let (text, after) = rest.split_at(end);
            parts.push(Part::Text(text.into()));
            rest = after;
        }
    }
    parts
}

fn decode(text: &str, encoding: Encoding) -> Option<Vec<u8>> {
    match encoding {
        Encoding::Text => Some(text.as_bytes().to_vec()),
        Encoding::Hex => verify::unhex(text),
        Encoding::Base64 => STANDARD.decode(text).ok(),
    }
}
