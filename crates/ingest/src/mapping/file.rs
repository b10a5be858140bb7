//! What a mapping file says.

use serde::Deserialize;
use std::collections::BTreeMap;

/// A mapping file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct File {
    /// The source of all its events.
    pub(super) source: Box<str>,
    /// Where in a delivery the array is whose items are one event each; left out where a delivery is one event.
    pub(super) items: Option<Box<str>>,
    /// The member that says what happened.
    #[serde(rename = "type")]
    pub(super) word: Pointers,
    /// Whether a refused delivery is to be repeated (503), since the engine takes other answers for a reason to give up.
    #[serde(default)]
    pub(super) refused_is_retried: bool,
    /// How a delivery proves who sent it.
    pub(super) verify: Option<Verify>,
    /// Where fields are in every event.
    #[serde(default)]
    pub(super) fields: Fields,
    /// What each word becomes, and where fields are elsewhere than in every event. Other words are ignored.
    pub(super) events: BTreeMap<Box<str>, Fields>,
}

/// How a delivery proves who sent it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, tag = "method", rename_all = "kebab-case")]
pub(super) enum Verify {
    /// A secret as `Authorization: Bearer`.
    Bearer,
    /// A secret as the password of HTTP basic authentication.
    Basic,
    /// A secret as the value of a header.
    Header {
        /// The header.
        header: Box<str>,
    },
    /// An HMAC in a header.
    HmacSha256(Signature),
    /// As `hmac-sha256`, with the older algorithm.
    HmacSha1(Signature),
    /// An RSA signature (PKCS#1 v1.5, SHA-256); the secrets are public keys in PEM.
    RsaSha256(Signature),
}

/// A signature in a header.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Signature {
    /// The header.
    pub(super) header: Box<str>,
    /// What stands before the signature in it.
    #[serde(default)]
    pub(super) prefix: Box<str>,
    /// How the signature is written.
    pub(super) encoding: Encoding,
    /// How the secret is written.
    #[serde(default)]
    pub(super) secret_encoding: Encoding,
    /// What is signed: `{body}`, `{timestamp}`, and text between them.
    #[serde(default = "body_alone")]
    pub(super) signed: Box<str>,
    /// The header with the time of the signature, in seconds or milliseconds since 1970.
    pub(super) timestamp_header: Option<Box<str>>,
    /// How old a signature may be, in seconds: the engine's last retry must fit in.
    #[serde(default = "a_day")]
    pub(super) max_age_seconds: u32,
}

fn body_alone() -> Box<str> {
    "{body}".into()
}

fn a_day() -> u32 {
    86_400
}

/// How bytes are written.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Encoding {
    /// As they are.
    #[default]
    Text,
    /// As hexadecimal digits.
    Hex,
    /// As base64.
    Base64,
}

/// What the ledger can record.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
pub(super) enum Act {
    #[serde(rename = "session.started")]
    SessionStarted,
    #[serde(rename = "session.ended")]
    SessionEnded,
    #[serde(rename = "peer.joined")]
    PeerJoined,
    #[serde(rename = "peer.left")]
    PeerLeft,
}

/// Where fields are.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Fields {
    /// What the ledger records.
    pub(super) is: Option<Act>,
    pub(super) id: Option<Pointers>,
    pub(super) time: Option<Time>,
    pub(super) joined_at: Option<Time>,
    pub(super) session: Option<Pointers>,
    pub(super) meeting: Option<Pointers>,
    pub(super) title: Option<Pointers>,
    pub(super) parent: Option<Pointers>,
    pub(super) peer: Option<Pointers>,
    pub(super) user_id: Option<Pointers>,
    pub(super) custom_participant_id: Option<Pointers>,
    pub(super) display_name: Option<Pointers>,
    pub(super) preset_name: Option<Pointers>,
    pub(super) reason: Option<Pointers>,
    pub(super) robot: Option<Robot>,
}

/// Where an instant is.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Time {
    #[serde(default)]
    pub(super) at: Pointers,
    /// How it is written.
    #[serde(default)]
    pub(super) unit: TimeUnit,
    /// A number of seconds to be added, such as how long a stay was.
    pub(super) plus_seconds: Option<Pointers>,
    /// Whether the time of arrival takes its place where it is missing. That is later than what happened by as long as the delivery took.
    #[serde(default)]
    pub(super) or_arrival: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum TimeUnit {
    #[default]
    Rfc3339,
    Seconds,
    Milliseconds,
}

/// Which peers are no people.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Robot {
    pub(super) at: Pointers,
    /// The values of robots.
    pub(super) values: Vec<Box<str>>,
}

/// JSON pointers, of which the first that points to something counts. In an item of an array, one that begins with `^` starts at the body.
#[derive(Debug, Default, Deserialize)]
#[serde(from = "OneOrMore")]
pub(super) struct Pointers(pub(super) Vec<Box<str>>);

#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrMore {
    One(Box<str>),
    More(Vec<Box<str>>),
}

impl From<OneOrMore> for Pointers {
    fn from(written: OneOrMore) -> Self {
        match written {
            OneOrMore::One(pointer) => Self(vec![pointer]),
            OneOrMore::More(pointers) => Self(pointers),
        }
    }
}

impl File {
    /// Reads a file, and checks what can be checked without a delivery.
    pub(super) fn read(text: &str) -> Result<Self, String> {
        let file: Self = toml::from_str(text).map_err(|error| error.to_string())?;
        if file.source.is_empty() {
            return Err("source: is empty".to_owned());
        }
        if file.fields.is.is_some() {
            return Err("fields: what happened is a matter of events".to_owned());
        }
        let all = file.events.values().chain([&file.fields]);
        for pointer in all.flat_map(Fields::pointers).chain(&file.word.0) {
            if !file.items.as_ref().and_then(|_| pointer.strip_prefix('^')).unwrap_or(pointer).starts_with('/') {
                return Err(format!("{pointer:?} is no JSON pointer: it begins with '/'"));
            }
        }
        if let Some(pointer) = file.items.as_ref().filter(|pointer| !pointer.starts_with('/')) {
            return Err(format!("items: {pointer:?} is no JSON pointer: it begins with '/'"));
        }
        for (word, fields) in &file.events {
            let has = |get: fn(&Fields) -> bool| get(fields) || get(&file.fields);
            let peer = matches!(fields.is, Some(Act::PeerJoined | Act::PeerLeft));
            for (needed, there) in [
                ("is", fields.is.is_some()),
                ("time", has(|fields| fields.time.is_some())),
                ("session or meeting", has(|fields| fields.session.is_some() || fields.meeting.is_some())),
                ("peer", !peer || has(|fields| fields.peer.is_some())),
            ] {
                if !there {
                    return Err(format!("events.{word:?}: {needed} is required"));
                }
            }
        }
        Ok(file)
    }
}

impl Fields {
    fn pointers(&self) -> impl Iterator<Item = &Box<str>> {
        let Self { id, time, joined_at, session, meeting, title, parent, peer, user_id, custom_participant_id, .. } = self;
        let Self { display_name, preset_name, reason, robot, .. } = self;
        let texts = [id, session, meeting, title, parent, peer, user_id, custom_participant_id, display_name, preset_name, reason];
        let times = [time, joined_at].into_iter().flatten().flat_map(|time| [Some(&time.at), time.plus_seconds.as_ref()]).flatten();
        let robots = robot.iter().map(|robot| &robot.at);
        texts.into_iter().flatten().chain(times).chain(robots).flat_map(|pointers| &pointers.0)
    }
}
