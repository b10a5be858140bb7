//! What is kept of a delivery that could not be translated: everything but personal members.
//!
//! This reads no JSON: a body may be kept just because it is none. Every member of a personal name loses its value; whatever else
//! is there stays as it was, byte for byte.

/// Names of members that are personal and no attendance, in any engine's deliveries.
pub(crate) const PERSONAL: &[&str] = &[
    "email",
    "ip",
    "ip_address",
    "ip-address",
    "ipAddress",
    "user_agent",
    "user-agent",
    "userAgent",
    "session-token",
    "session_token",
    "sessionToken",
    "phone_number",
    "phone",
    "avatar",
];

/// The body, with `null` for the value of each member of one of these names, at any depth.
pub(crate) fn members(body: &[u8], names: &[&str]) -> Vec<u8> {
    let mut kept = Vec::with_capacity(body.len());
    let mut rest = body;
    while let Some(at) = rest.iter().position(|byte| *byte == b'"') {
        let (before, from_quote) = rest.split_at(at);
        kept.extend_from_slice(before);
        let (text, after) = from_quote.split_at(text_length(from_quote));
        kept.extend_from_slice(text);
        rest = after;
        if names.iter().any(|name| text.strip_prefix(b"\"").and_then(|t| t.strip_suffix(b"\"")) == Some(name.as_bytes()))
            && let Some(value) = after_colon(after)
        {
            kept.extend_from_slice(b":null");
            rest = value.get(value_length(value)..).unwrap_or_default();
        }
    }
    kept.extend_from_slice(rest);
    kept
}

/// What follows the colon and white space, if a colon is next.
fn after_colon(rest: &[u8]) -> Option<&[u8]> {
    rest.trim_ascii_start().strip_prefix(b":").map(<[u8]>::trim_ascii_start)
}

/// How many bytes the text in quotes has that `rest` begins with, quotes included; all, where it never ends.
fn text_length(rest: &[u8]) -> usize {
    let mut escaped = false;
    for (at, byte) in rest.iter().enumerate().skip(1) {
        match byte {
            b'"' if !escaped => return at + 1,
            b'\\' => escaped = !escaped,
            _ => escaped = false,
        }
    }
    rest.len()
}

/// How many bytes the value has that `rest` begins with; all, where it never ends.
fn value_length(rest: &[u8]) -> usize {
    let (mut at, mut depth) = (0, 0_usize);
    while let Some(byte) = rest.get(at) {
        match byte {
            b'"' => {
                at += text_length(rest.get(at..).unwrap_or_default());
                if depth == 0 {
                    return at;
                }
                continue;
            }
            b'{' | b'[' => depth += 1,
            b'}' | b']' | b',' if depth == 0 => return at,
            b'}' | b']' => depth -= 1,
            _ => {}
        }
        at += 1;
        if depth == 0 && matches!(byte, b'}' | b']') {
            return at;
        }
    }
    rest.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(body: &str) -> String {
        String::from_utf8(members(body.as_bytes(), PERSONAL)).unwrap()
    }

    #[test]
    fn personal_members_lose_their_values_at_any_depth() {
        assert_eq!(kept(r#"{"a":1,"email":"x@y","b":[{"ip" : "1.2.3.4","c":2}]}"#), r#"{"a":1,"email":null,"b":[{"ip":null,"c":2}]}"#);
        assert_eq!(kept(r#"{"email":{"x":["}\"",1]},"n":"email"}"#), r#"{"email":null,"n":"email"}"#);
        assert_eq!(kept(r#"{"ip":17,"phone":null}"#), r#"{"ip":null,"phone":null}"#);
        assert_eq!(kept(r#"{"name":"say \"email\": \"x\""}"#), r#"{"name":"say \"email\": \"x\""}"#);
    }

    #[test]
    fn what_is_no_json_loses_them_too() {
        assert_eq!(kept(r#"{"email":"x@y"#), r#"{"email":null"#);
        assert_eq!(kept(r#"[{"email":"x","email":"y"},"#), r#"[{"email":null,"email":null},"#);
        assert_eq!(kept(r#"{"ip":[1,2"#), r#"{"ip":null"#);
        assert_eq!(kept("no JSON"), "no JSON");
        assert_eq!(kept("\""), "\"");
    }
}
