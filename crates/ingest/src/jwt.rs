//! JSON Web Tokens signed with a shared secret (RFC 7515, RFC 7519): HS256, and nothing else.
//!
//! No crate for this uses the cryptography that is compiled in already, and of JWT only this much is needed: the signature is over
//! the text as it came, and the one algorithm is fixed here, so that a token can't choose how it is checked.

use crate::engine::{Refusal, Secret};
use crate::fields::Fields;
use crate::json::{self, Json};
use crate::verify::{self, CLOCKS};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::hmac::HMAC_SHA256;
use rollbook_core::time::{SECOND, Timestamp};

/// What a token whose signature holds says.
pub(crate) struct Claims(Vec<u8>);

impl Claims {
    /// The claims of a token that one of the secrets made, that which the token's `iss` names, and that is of this time.
    pub(crate) fn of(token: &str, secrets: &[Secret], received_at: Timestamp) -> Result<Self, Refusal> {
        let segments: Vec<_> = token.split('.').collect();
        let [header, claims, signature] = segments[..] else { return Err(Refusal::Unsigned("no JWT of three parts")) };
        let decode = |part: &str| URL_SAFE_NO_PAD.decode(part).map_err(|_| Refusal::BadSignature("the JWT is not base64url"));
        if !is_hs256(&decode(header)?) {
            return Err(Refusal::BadSignature("the JWT is not HS256"));
        }
        let (claims, signature) = (Self(decode(claims)?), decode(signature)?);
        let issuer = claims.text("iss").ok_or(Refusal::BadSignature("the JWT has no iss"))?;
        let keys: Vec<_> = secrets.iter().filter(|secret| secret.id() == issuer).cloned().collect();
        if keys.is_empty() {
            return Err(Refusal::BadSignature("the JWT is of an API key that the settings don't have"));
        }
        let signed = [header.as_bytes(), b".", token.split('.').nth(1).unwrap_or_default().as_bytes()];
        if !verify::hmac_of_any(HMAC_SHA256, &keys, &signed, &signature) {
            return Err(Refusal::BadSignature("the JWT was made with another secret"));
        }
        claims.judge_time(received_at)?;
        Ok(claims)
    }

    fn judge_time(&self, received_at: Timestamp) -> Result<(), Refusal> {
        let expires = self.time("exp").ok_or(Refusal::Stale("the JWT has no exp"))?;
        if received_at.since(expires) > CLOCKS {
            return Err(Refusal::Stale("the JWT has expired"));
        }
        if self.time("nbf").is_some_and(|begins| begins.since(received_at) > CLOCKS) {
            return Err(Refusal::Stale("the JWT is not valid yet: check both clocks"));
        }
        Ok(())
    }

    /// A claim that is a text.
    pub(crate) fn text(&self, claim: &str) -> Option<String> {
        self.read(|claims| claims.text(claim).ok().flatten().map(str::to_owned))
    }

    /// A claim that is a number of seconds since 1970.
    fn time(&self, claim: &str) -> Option<Timestamp> {
        self.read(|claims| match claims.get(claim) {
            Some(Json::Number(digits)) => digits.parse::<i64>().ok()?.checked_mul(SECOND).map(Timestamp::from_micros),
            _ => None,
        })
    }

    fn read<T>(&self, read: impl FnOnce(Fields<'_>) -> Option<T>) -> Option<T> {
        json::parse(&self.0).ok().and_then(|claims| read(Fields::of(&claims, "").ok()?))
    }
}

/// A token of now, for five minutes, with more claims, each after a comma.
pub(crate) fn made(secret: &Secret, now: Timestamp, claims: &str) -> String {
    let seconds = now.micros() / SECOND;
    let issuer = secret.id().replace('\\', "\\\\").replace('"', "\\\"");
    let claims = format!(r#"{{"iss":"{issuer}","nbf":{seconds},"exp":{}{claims}}}"#, seconds + 300);
    let signed = format!("{}.{}", URL_SAFE_NO_PAD.encode(r#"{"alg":"HS256","typ":"JWT"}"#), URL_SAFE_NO_PAD.encode(claims));
    let tag = verify::hmac_of(HMAC_SHA256, secret.bytes(), &[signed.as_bytes()]);
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(tag.as_ref()))
}

fn is_hs256(header: &[u8]) -> bool {
    // A header that names extensions asks for an understanding that is not here.
    json::parse(header).is_ok_and(|header| {
        Fields::of(&header, "").is_ok_and(|header| header.text("alg") == Ok(Some("HS256")) && header.get("crit").is_none())
    })
}
