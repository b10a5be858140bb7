//! Binary mode: the attributes of an event in HTTP headers.

use super::envelope::Envelope;
use crate::fields::Fault;
use std::borrow::Cow;

const PREFIX: &str = "ce-";

/// Whether a header is an attribute of an event.
pub(super) fn is_attribute(name: &str) -> bool {
    name.get(..PREFIX.len()).is_some_and(|prefix| prefix.eq_ignore_ascii_case(PREFIX))
}

/// The envelope that the headers make up.
pub(super) fn envelope<'h>(headers: &[(&'h str, &'h [u8])]) -> Result<Envelope<'h>, Fault> {
    let attribute = |name: &'static str| -> Result<Option<Cow<'h, str>>, Fault> {
        let mut values = headers.iter().filter(|(header, _)| header.eq_ignore_ascii_case(name)).map(|(_, value)| *value);
        match (values.next(), values.next()) {
            (Some(value), None) => decode(value).map(|text| Some(text.into())).map_err(|problem| Fault::new(name, problem)),
            (None, _) => Ok(None),
            (Some(_), Some(_)) => Err(Fault::new(name, "the header is there more than once")),
        }
    };
    Ok(Envelope {
        prefix: PREFIX,
        specversion: attribute("ce-specversion")?,
        id: attribute("ce-id")?,
        source: attribute("ce-source")?,
        kind: attribute("ce-type")?,
        time: attribute("ce-time")?,
    })
}

/// Reads a header value as the HTTP binding says: first out of its quotes, then one round of percent-decoding, as UTF-8.
fn decode(value: &[u8]) -> Result<String, &'static str> {
    let mut bytes = Vec::with_capacity(value.len());
    let mut rest = unquote(value.trim_ascii())?.into_iter();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let mut hex = || rest.next().and_then(|b| char::from(b).to_digit(16)).and_then(|d| u8::try_from(d).ok());
        let (Some(high), Some(low)) = (hex(), hex()) else {
            return Err("'%' must be followed by two hexadecimal digits; a '%' itself is written %25");
        };
        bytes.push(high * 16 + low);
    }
    let text = String::from_utf8(bytes).map_err(|_| "not UTF-8 after percent-decoding")?;
    if text.contains('\0') { Err("the NUL character is not allowed") } else { Ok(text) }
}

fn unquote(value: &[u8]) -> Result<Vec<u8>, &'static str> {
    let [b'"', inner @ ..] = value else { return Ok(value.to_vec()) };
    let mut bytes = Vec::with_capacity(inner.len());
    let mut rest = inner.iter().copied();
    loop {
        match rest.next() {
            Some(b'"') if rest.len() == 0 => return Ok(bytes),
            Some(b'"') | None => return Err("a quoted value must end with its only bare quote"),
            Some(b'\\') => bytes.extend(rest.next()),
            Some(byte) => bytes.push(byte),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_unquoted_then_decoded_once() {
        for (value, expected) in [
            (&b"plain"[..], "plain"),
            (b"  spaced ", "spaced"),
            (b"Euro%20%E2%82%AC%20%f0%9f%98%80", "Euro € 😀"),
            (b"%2525", "%25"),
            (b"\"say %22hi%22 \\\"x\\\" \\\\\"", "say \"hi\" \"x\" \\"),
            ("é raw".as_bytes(), "é raw"),
            (b"(a comment is text)", "(a comment is text)"),
            (b"", ""),
        ] {
            assert_eq!(decode(value).as_deref(), Ok(expected));
        }
        for value in [&b"100%"[..], b"%4", b"%zz", b"%+1", b"%ff", b"\xff", b"a%00", b"\"open", b"\"a\"b\"", b"\"a\\\""] {
            assert!(decode(value).is_err(), "{value:?}");
        }
    }
}
