//! Native events: CloudEvents 1.0 in, and out again for exports.
//!
//! A request carries events in one of four forms, chosen by its content type: one event, a batch, an event a line, or
//! binary mode (attributes in `ce-*` headers, the body is `data`). Each event is judged by itself, so that a refusal
//! names every bad one. What lies outside the ledger's own words (`subject`, `dataschema`, extension attributes, unknown
//! members of `data`) is skipped: it is no part of an event's content.

mod data;
mod direct;
mod envelope;
mod headers;
mod media;
mod write;

pub use write::to_cloudevent;

use self::data::Earlier;
use crate::fields::{Fault, Fields};
use crate::json::{Item, Items, Json, JsonError, parse, parse_line};
use media::Form;
use memchr::memchr_iter;
use rollbook_core::event::Event;

/// How many bad events of one request are named; reading stops there. A body full of bad events must not become an
/// answer many times its size.
pub const MAX_BAD: usize = 1000;

/// An event that was refused.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{message}")]
pub struct BadEvent {
    /// Its place among the request's events, counted from 0 (blank lines are no events).
    pub index: usize,
    /// The path to what is wrong, what is there, and what is allowed.
    pub message: String,
}

/// Why a request's events could not even be told apart.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum ReadError {
    /// The content type is none of the four forms (HTTP 415).
    #[error("{0}")]
    Unsupported(String),
    /// The body is not JSON, or not an array where it has to be one (HTTP 400).
    #[error("the body is not the JSON that its content type promises: {0}")]
    Malformed(String),
}

/// Reads the events of a request, each with its judgement, in the order of the body.
///
/// `headers` are all of the request's headers, names in any case; only `ce-*` ones are looked at. After [`MAX_BAD`] bad
/// events the rest is not read.
///
/// # Errors
/// [`ReadError`], where there are no events to judge one by one.
pub fn read<'h>(
    content_type: Option<&str>,
    headers: impl IntoIterator<Item = (&'h str, &'h [u8])>,
    body: &[u8],
) -> Result<Vec<Result<Event, BadEvent>>, ReadError> {
    let attributes: Vec<_> = headers.into_iter().filter(|(name, _)| headers::is_attribute(name)).collect();
    match media::form(content_type, !attributes.is_empty(), body.is_empty()).map_err(ReadError::Unsupported)? {
        Form::Structured => structured(body),
        Form::Batch => batch(body),
        Form::Lines => Ok(judged(lines(body), body.len() / USUAL)),
        Form::Binary => binary(&attributes, body),
    }
}

type Judgement = Result<Event, String>;

/// How many bytes an event of a request mostly has at least, so that the list of them is not moved as it grows.
const USUAL: usize = 256;

fn malformed(error: &impl ToString) -> ReadError {
    ReadError::Malformed(error.to_string())
}

fn structured(body: &[u8]) -> Result<Vec<Result<Event, BadEvent>>, ReadError> {
    let items = Items::open(body).map_err(|error| malformed(&error))?;
    if items.is_array() {
        return Err(malformed(&"an array is a batch: send it as application/cloudevents-batch+json"));
    }
    every(items, body.len())
}

fn batch(body: &[u8]) -> Result<Vec<Result<Event, BadEvent>>, ReadError> {
    let items = Items::open(body).map_err(|error| malformed(&error))?;
    if items.is_array() {
        return every(items, body.len());
    }
    Err(match parse(body) {
        Ok(_) => malformed(&"a batch is an array"),
        Err(error) => malformed(&error),
    })
}

fn every(mut items: Items<'_>, body_length: usize) -> Result<Vec<Result<Event, BadEvent>>, ReadError> {
    let (mut broken, mut earlier) = (None, Earlier::default());
    let sound = std::iter::from_fn(|| {
        if let Some(event) = items.read_by(|text| direct::leading(text, &mut earlier)) {
            return Some(Ok(event));
        }
        match items.next()? {
            Ok(Item::Sound(value)) => Some(whole_event(&value, &mut earlier)),
            Ok(Item::Defective(error)) => Some(Err(error.to_string())),
            Err(error) => {
                broken = Some(error);
                None
            }
        }
    });
    let results = judged(sound, body_length / USUAL);
    broken.map_or(Ok(results), |error: JsonError| Err(malformed(&error)))
}

fn lines(body: &[u8]) -> impl Iterator<Item = Judgement> {
    let mut earlier = Earlier::default();
    split(body).zip(1..).filter(|(line, _)| !line.iter().all(u8::is_ascii_whitespace)).map(move |(line, number)| {
        if let Some(event) = std::str::from_utf8(line).ok().and_then(|line| direct::whole(line, &mut earlier)) {
            return Ok(event);
        }
        let value = parse_line(line, number).map_err(|error| error.to_string())?;
        whole_event(&value, &mut earlier)
    })
}

fn split(body: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut from = 0;
    let ends = memchr_iter(b'\n', body).chain([body.len()]);
    ends.map(move |end| body.get(std::mem::replace(&mut from, end + 1)..end).unwrap_or_default())
}

fn binary(attributes: &[(&str, &[u8])], body: &[u8]) -> Result<Vec<Result<Event, BadEvent>>, ReadError> {
    let data = if body.iter().all(u8::is_ascii_whitespace) { None } else { Some(parse(body).map_err(|error| malformed(&error))?) };
    let event = headers::envelope(attributes).and_then(|envelope| envelope.event(data.as_ref(), &mut Earlier::default()));
    Ok(judged(std::iter::once(event.map_err(|fault| fault.to_string())), 0))
}

fn whole_event(value: &Json<'_>, earlier: &mut Earlier<'_>) -> Judgement {
    let mut event = || -> Result<Event, Fault> {
        let fields = Fields::of(value, "")?;
        envelope::of(fields)?.event(fields.get("data"), earlier)
    };
    event().map_err(|fault| fault.to_string())
}

/// Room is made for so many and one more.
fn judged(events: impl Iterator<Item = Judgement>, expected: usize) -> Vec<Result<Event, BadEvent>> {
    let mut bad = 0;
    let mut results = Vec::with_capacity(expected + 1);
    for (index, judgement) in events.enumerate() {
        bad += usize::from(judgement.is_err());
        results.push(judgement.map_err(|message| BadEvent { index, message }));
        if bad == MAX_BAD {
            break;
        }
    }
    results
}
