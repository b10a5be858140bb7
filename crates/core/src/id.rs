//! Who and where: the app that everything belongs to, names as engines give them, and the UUIDs derived from them.

mod streams;

pub use streams::Streams;

use crate::digits::hyphenated;
use crate::event::{Body, Event, Leaver};
use serde::{Deserialize, Serialize};
use sha1::{Digest, Sha1};
use std::fmt;
use std::sync::Arc;
use uuid::{Builder, Uuid};

/// The tenant and one application of it. Nothing is ever visible across apps.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct App {
    account: Arc<str>,
    app: Arc<str>,
    namespace: Uuid,
}

/// Why an account id or an app id was refused.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{what} must be 1 to {max} characters without '/' and control characters")]
pub struct AppError {
    /// `account_id` or `app_id`.
    pub what: &'static str,
    /// The most characters that it may have.
    pub max: usize,
}

impl App {
    /// The most characters of an account id.
    pub const MAX_ACCOUNT: usize = 32;
    /// The most characters of an app id.
    pub const MAX_APP: usize = 64;

    /// Checks both ids and derives the app's namespace.
    ///
    /// # Errors
    /// Where an id is empty, too long (32 and 64 characters), or holds `/` or a control character.
    pub fn new(account: &str, app: &str) -> Result<Self, AppError> {
        check_id("account_id", account, Self::MAX_ACCOUNT)?;
        check_id("app_id", app, Self::MAX_APP)?;
        let namespace = derived(Uuid::NAMESPACE_URL, [b"rollbook:", account.as_bytes(), b"/", app.as_bytes()]);
        Ok(Self { account: account.into(), app: app.into(), namespace })
    }

    /// The account id.
    #[must_use]
    pub fn account(&self) -> &str {
        &self.account
    }

    /// The app id.
    #[must_use]
    pub fn app(&self) -> &str {
        &self.app
    }

    /// The UUIDv5 namespace of every id that is derived within the app.
    #[must_use]
    pub fn namespace(&self) -> Uuid {
        self.namespace
    }

    /// The id derived from a session's key.
    #[must_use]
    pub fn session(&self, name: &Name) -> Uuid {
        name.resolve(self.namespace, b"session:")
    }

    /// The id derived from a meeting's key.
    #[must_use]
    pub fn meeting(&self, name: &Name) -> Uuid {
        name.resolve(self.namespace, b"meeting:")
    }

    /// The id of a peer within its home: the session, or the meeting where the session is unnamed.
    #[must_use]
    pub fn peer(&self, home: Uuid, name: &Name) -> Uuid {
        match name {
            Name { id: Some(id), .. } => *id,
            Name { key, .. } => self.peer_by_key(home, key.as_deref().unwrap_or_default()),
        }
    }

    /// The id of the one peer that an event of a stream names; none where it names none, or more.
    #[must_use]
    pub fn peer_of(&self, stream: Stream, event: &Event) -> Option<Uuid> {
        match &event.body {
            Body::PeerCreated(_, info) | Body::PeerJoined(_, info) | Body::PeerLeft(_, Leaver::Peer(info), _) => {
                Some(self.peer(stream.id, &info.name))
            }
            _ => None,
        }
    }

    /// The id of a peer that has a key only.
    #[must_use]
    pub fn peer_by_key(&self, home: Uuid, key: &str) -> Uuid {
        derived(self.namespace, [b"peer:", &hyphenated(home)[..], b":", key.as_bytes()])
    }

    /// The key of the peer that a leave on a free slot is (rule 4.7).
    #[must_use]
    pub fn stray_key(&self, leave: &Event) -> String {
        format!("event:{}:{}", leave.source, leave.id)
    }

    /// The public id of an event of a stream; `peer` where the event is a roster and the id is that of one peer's entry.
    #[must_use]
    pub fn event(&self, stream: Uuid, source: &str, id: &str, peer: Option<Uuid>) -> Uuid {
        match peer {
            Some(peer) => event_id(self.namespace, stream, source, [id.as_bytes(), b":", &hyphenated(peer)]),
            None => event_id(self.namespace, stream, source, [id.as_bytes()]),
        }
    }

    /// The stream that keeps a source's life-cycle.
    #[must_use]
    pub fn source_stream(&self, source: &str) -> Stream {
        Stream { kind: StreamKind::Source, id: derived(self.namespace, [b"source:", source.as_bytes()]) }
    }

    /// The stream that an event belongs to (see the ledger's words: named session, else meeting, else source).
    #[must_use]
    pub fn stream_of(&self, event: &Event) -> Stream {
        match event.place() {
            None => self.source_stream(&event.source),
            Some(place) => match &place.home {
                Home::Session { session, .. } => Stream::session(self.session(session)),
                Home::Meeting(meeting) => Stream::meeting(self.meeting(meeting)),
            },
        }
    }
}

/// The public id of an event of a stream, in an app's namespace.
pub(crate) fn event_id<const N: usize>(namespace: Uuid, stream: Uuid, source: &str, id: [&[u8]; N]) -> Uuid {
    let (stream, length) = (hyphenated(stream), source.len().to_string());
    let head = [b"event:", &stream[..], b":", length.as_bytes(), b":", source.as_bytes(), b":"];
    derived(namespace, head.into_iter().chain(id))
}

/// The UUIDv5 of a name that comes in parts. Every event has some of these, so the digest is made by the processor's own instructions where
/// it has them, and the name is never put together.
fn derived<'a>(namespace: Uuid, name: impl IntoIterator<Item = &'a [u8]>) -> Uuid {
    let mut hash = Sha1::new_with_prefix(namespace.as_bytes());
    for part in name {
        hash.update(part);
    }
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&hash.finalize()[..16]);
    Builder::from_sha1_bytes(bytes).into_uuid()
}

fn check_id(what: &'static str, id: &str, max: usize) -> Result<(), AppError> {
    let fits = !id.is_empty() && id.chars().count() <= max && !id.chars().any(|c| c == '/' || c.is_control());
    if fits { Ok(()) } else { Err(AppError { what, max }) }
}

/// An identity as the sender gave it: a UUID, or any text that a UUID is derived from. Where both are given, `id` wins.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub struct Name {
    /// The UUID, where the sender has one.
    pub id: Option<Uuid>,
    /// The sender's own key, where it has one. At least one of the two is given; a name of neither is the empty key.
    pub key: Option<Box<str>>,
}

impl Name {
    /// A name that is a UUID.
    #[must_use]
    pub fn id(id: Uuid) -> Self {
        Self { id: Some(id), key: None }
    }

    /// A name that is any text.
    #[must_use]
    pub fn key(key: impl Into<Box<str>>) -> Self {
        Self { id: None, key: Some(key.into()) }
    }

    fn resolve(&self, namespace: Uuid, prefix: &[u8]) -> Uuid {
        self.id.unwrap_or_else(|| derived(namespace, [prefix, self.key.as_deref().unwrap_or_default().as_bytes()]))
    }
}

/// Where an event happened: a session that has a name, or a meeting whose sessions have none.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Home {
    /// A named session, with its meeting where the sender told it.
    Session {
        /// The session's own name.
        session: Name,
        /// The meeting that the session is an occurrence of.
        meeting: Option<Name>,
    },
    /// A meeting whose engine names no sessions.
    Meeting(Name),
}

/// What a breakout belongs to.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Parent {
    /// A named session.
    Session(Name),
    /// A meeting: its unnamed session at that time.
    Meeting(Name),
}

/// The id of what a session is a breakout of.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum ParentId {
    /// This session, or the one that this id of an unnamed session leads to.
    Session(Uuid),
    /// The session of this meeting that had last begun when the breakout started, else its first.
    Meeting(Uuid),
}

impl ParentId {
    /// The id under which breakouts are looked up.
    #[must_use]
    pub fn id(self) -> Uuid {
        match self {
            Self::Session(id) | Self::Meeting(id) => id,
        }
    }
}

/// What a stream keeps.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub enum StreamKind {
    /// The events of one named session.
    Session = 0,
    /// The events of one meeting whose sessions are unnamed.
    Meeting = 1,
    /// The starts and stops of one source.
    Source = 2,
}

impl StreamKind {
    /// The kind of a stored number.
    #[must_use]
    pub fn from_u8(number: u8) -> Option<Self> {
        [Self::Session, Self::Meeting, Self::Source].into_iter().find(|k| *k as u8 == number)
    }
}

/// The journal's unit: events of one app that are appended, deduplicated and folded together.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub struct Stream {
    /// What the stream keeps.
    pub kind: StreamKind,
    /// The session's, the meeting's or the source's UUID.
    pub id: Uuid,
}

impl Stream {
    /// The stream of a named session.
    #[must_use]
    pub fn session(id: Uuid) -> Self {
        Self { kind: StreamKind::Session, id }
    }

    /// The stream of a meeting with unnamed sessions.
    #[must_use]
    pub fn meeting(id: Uuid) -> Self {
        Self { kind: StreamKind::Meeting, id }
    }
}

impl fmt::Display for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.kind {
            StreamKind::Session => "session",
            StreamKind::Meeting => "meeting",
            StreamKind::Source => "source",
        };
        write!(f, "{kind}:{}", self.id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_bounded() {
        assert!(App::new(&"a".repeat(32), &"é".repeat(64)).is_ok());
        for (account, app) in [("", "x"), ("x", ""), ("a/b", "x"), ("x", "a\0"), (&"a".repeat(33), "x"), ("x", &"a".repeat(65))] {
            assert!(App::new(account, app).is_err(), "{account:?} {app:?}");
        }
    }

    #[test]
    fn derived_ids_never_change() {
        let app = App::new("acme", "school").unwrap();
        let session = app.session(&Name::key("algebra"));
        assert_eq!(session, Uuid::new_v5(&app.namespace(), b"session:algebra"));
        assert_eq!(app.peer(session, &Name::key("ana")), Uuid::new_v5(&app.namespace(), format!("peer:{session}:ana").as_bytes()));
        let both = Name { id: Some(session), key: Some("other".into()) };
        assert_eq!(app.session(&both), session);
        assert_eq!(app.event(session, "é", "1", None), Uuid::new_v5(&app.namespace(), format!("event:{session}:2:é:1").as_bytes()));
        let of_peer = format!("event:{session}:2:é:1:{session}");
        assert_eq!(app.event(session, "é", "1", Some(session)), Uuid::new_v5(&app.namespace(), of_peer.as_bytes()));
        assert_eq!(app.namespace(), Uuid::new_v5(&Uuid::NAMESPACE_URL, b"rollbook:acme/school"));
        assert_eq!(app.source_stream("sfu").id, Uuid::new_v5(&app.namespace(), b"source:sfu"));
    }
}
