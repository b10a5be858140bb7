//! Writing texts, and shortening them for messages.

/// Appends `text` as a JSON text, quotes included. The result has no line break, whatever the text holds.
pub fn push_text(out: &mut String, text: &str) {
    out.push('"');
    let mut rest = text;
    while let Some(at) = rest.find(|c: char| c == '"' || c == '\\' || c < ' ') {
        let (plain, from_special) = rest.split_at(at);
        out.push_str(plain);
        let mut chars = from_special.chars();
        match chars.next() {
            Some(special) if special < ' ' => out.push_str(&format!("\\u{:04x}", u32::from(special))),
            Some(special) => out.extend(['\\', special]),
            None => {}
        }
        rest = chars.as_str();
    }
    out.push_str(rest);
    out.push('"');
}

/// The text as a JSON text: see [`push_text`].
pub(crate) fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    push_text(&mut out, text);
    out
}

/// The most characters of a sender's text that a message repeats.
const SHOWN: usize = 60;

/// The text, cut where it is too long for a message.
pub(super) fn shortened(text: &str) -> String {
    match text.char_indices().nth(SHOWN) {
        Some((at, _)) => format!("{}…", text.get(..at).unwrap_or_default()),
        None => text.to_owned(),
    }
}
