//! The attributes that every event has, wherever they came from.

use super::data::{self, Earlier};
use super::media;
use crate::fields::{Fault, Fields, instant};
use crate::json::Json;
use rollbook_core::event::Event;
use rollbook_core::time::Timestamp;
use std::borrow::Cow;

/// The attributes of one event, not judged yet.
#[derive(Debug)]
pub(super) struct Envelope<'a> {
    /// What stands before an attribute's name where it came from; messages repeat it.
    pub(super) prefix: &'static str,
    pub(super) specversion: Option<Cow<'a, str>>,
    pub(super) id: Option<Cow<'a, str>>,
    pub(super) source: Option<Cow<'a, str>>,
    pub(super) kind: Option<Cow<'a, str>>,
    pub(super) time: Option<Cow<'a, str>>,
}

/// The envelope of an event that is one JSON object.
pub(super) fn of<'j>(fields: Fields<'j>) -> Result<Envelope<'j>, Fault> {
    if fields.get("data_base64").is_some() {
        return Err(Fault::new("data_base64", "is not supported: put an object into data"));
    }
    if let Some(content_type) = fields.text("datacontenttype")?.filter(|text| !media::is_json(text)) {
        return Err(Fault::value("datacontenttype", &Json::Text(content_type.into()), "a JSON media type, such as application/json"));
    }
    let attribute = |name| Ok(fields.text(name)?.map(Cow::Borrowed));
    Ok(Envelope {
        prefix: "",
        specversion: attribute("specversion")?,
        id: attribute("id")?,
        source: attribute("source")?,
        kind: attribute("type")?,
        time: attribute("time")?,
    })
}

impl Envelope<'_> {
    /// Judges the attributes, then the data by its type.
    pub(super) fn event(&self, data: Option<&Json<'_>>, earlier: &mut Earlier<'_>) -> Result<Event, Fault> {
        let version = self.filled("specversion", self.specversion.as_ref())?;
        if version != "1.0" {
            return Err(Fault::value(&self.called("specversion"), &Json::Text(version.into()), "\"1.0\""));
        }
        let id = self.filled("id", self.id.as_ref())?;
        let source = self.filled("source", self.source.as_ref())?;
        let kind = self.filled("type", self.kind.as_ref())?;
        let time = self.filled("time", self.time.as_ref())?;
        let time = Timestamp::parse_rfc3339(time).or_else(|_| instant(&self.called("time"), time))?;
        let body = match data::reader(kind) {
            Some(read) => read(data, earlier)?,
            None => return Err(Fault::value(&self.called("type"), &Json::Text(kind.into()), &data::allowed_types())),
        };
        Ok(Event { source: source.into(), id: id.into(), time, body })
    }

    fn called(&self, name: &str) -> String {
        format!("{}{name}", self.prefix)
    }

    fn filled<'t>(&self, name: &str, value: Option<&'t Cow<'_, str>>) -> Result<&'t str, Fault> {
        match value {
            None => Err(Fault::missing(&self.called(name), "a text")),
            Some(text) if text.is_empty() => Err(Fault::new(&self.called(name), "must not be empty")),
            Some(text) => Ok(text),
        }
    }
}
