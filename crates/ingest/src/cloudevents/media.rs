//! Which form a content type announces.

/// The four forms in which events travel.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Form {
    /// The body is one event.
    Structured,
    /// The body is an array of events.
    Batch,
    /// The body has an event a line.
    Lines,
    /// The headers are the event, the body is its data.
    Binary,
}

const ALLOWED: &str = "send application/cloudevents+json, application/cloudevents-batch+json, application/x-ndjson, \
                       or any JSON type with ce-* headers";

/// The form of a request, or why it is none.
///
/// No content type at all is right for exactly one request: a binary event that has no data, and so no content.
pub(super) fn form(content_type: Option<&str>, has_attributes: bool, no_body: bool) -> Result<Form, String> {
    let Some(content_type) = content_type else {
        return if has_attributes && no_body { Ok(Form::Binary) } else { Err(format!("the content type is missing: {ALLOWED}")) };
    };
    let media = Media::read(content_type);
    if !media.utf8 {
        return Err(format!("the charset of \"{content_type}\" is not supported: JSON is UTF-8"));
    }
    match media.essence.as_str() {
        "application/cloudevents+json" => Ok(Form::Structured),
        "application/cloudevents-batch+json" => Ok(Form::Batch),
        "application/x-ndjson" => Ok(Form::Lines),
        // The binding reserves the whole prefix for structured forms, so that an unknown one is never taken for data.
        other if other.starts_with("application/cloudevents") => Err(format!("\"{content_type}\" is not supported: {ALLOWED}")),
        _ if media.is_json() && has_attributes => Ok(Form::Binary),
        _ if media.is_json() => Err(format!("\"{content_type}\" without ce-* headers is no CloudEvent: {ALLOWED}")),
        _ => Err(format!("\"{content_type}\" is not supported: {ALLOWED}")),
    }
}

/// Whether a `datacontenttype` says JSON.
pub(super) fn is_json(content_type: &str) -> bool {
    let media = Media::read(content_type);
    media.utf8 && media.is_json()
}

struct Media {
    /// Type and subtype in lower case.
    essence: String,
    utf8: bool,
}

impl Media {
    fn read(text: &str) -> Self {
        let mut parts = text.split(';');
        let essence = parts.next().unwrap_or_default().trim().to_ascii_lowercase();
        let charsets = parts.filter_map(|p| p.split_once('=')).filter(|(name, _)| name.trim().eq_ignore_ascii_case("charset"));
        let utf8 = charsets
            .map(|(_, value)| value.trim().trim_matches('"'))
            .all(|c| c.eq_ignore_ascii_case("utf-8") || c.eq_ignore_ascii_case("utf8"));
        Self { essence, utf8 }
    }

    fn is_json(&self) -> bool {
        let Some((kind, subtype)) = self.essence.split_once('/') else { return false };
        let named = |text: &str| !text.is_empty() && !text.contains(char::is_whitespace);
        named(kind) && (subtype == "json" || subtype.strip_suffix("+json").is_some_and(named))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms() {
        for (content_type, attributes, expected) in [
            ("application/cloudevents+json", false, Some(Form::Structured)),
            ("Application/CloudEvents+JSON ; charset=\"UTF-8\"", true, Some(Form::Structured)),
            ("application/cloudevents-batch+json;charset=utf-8", false, Some(Form::Batch)),
            ("application/x-ndjson", false, Some(Form::Lines)),
            ("application/json", true, Some(Form::Binary)),
            ("text/json; charset=utf-8", true, Some(Form::Binary)),
            ("application/webhook+json", true, Some(Form::Binary)),
            ("application/json", false, None),
            ("application/cloudevents+avro", true, None),
            ("application/cloudevents-next+json", true, None),
            ("application/cloudevents+json; charset=latin1", false, None),
            ("application/json; charset=utf-16", true, None),
            ("text/plain", true, None),
            ("+json", true, None),
            ("/json", true, None),
            ("application/+json", true, None),
            ("", true, None),
        ] {
            assert_eq!(form(Some(content_type), attributes, false).ok(), expected, "{content_type:?}");
        }
        assert_eq!(form(None, true, true), Ok(Form::Binary));
        assert!(form(None, true, false).is_err() && form(None, false, true).is_err());
    }
}
