//! Events as others read them: what [`to_cloudevent`] writes, [`super::read`] reads back as the same event.

use crate::json::push_text;
use rollbook_core::event::{Body, Event, Kind, Leave, Leaver, PeerInfo, Place, Present, Roll};
use rollbook_core::id::{Home, Name, Parent};
use rollbook_core::time::{SECOND, Timestamp};

/// Writes an event as one CloudEvent in JSON, without a line break: a line of `application/x-ndjson`.
///
/// Every event that was read is written so that reading it gives the same event. A name of neither id nor key, which
/// no reader makes, is written as the empty key that it stands for.
#[must_use]
pub fn to_cloudevent(event: &Event) -> String {
    object(|o| {
        o.text("specversion", "1.0");
        o.text("id", &event.id);
        o.text("source", &event.source);
        o.text("type", type_name(&event.body));
        o.time("time", event.time);
        if event.place().is_some() {
            o.object("data", |data| put_data(data, &event.body));
        }
    })
}

fn type_name(body: &Body) -> &'static str {
    match body {
        Body::PeerCreated(..) => "rollbook.peer.created",
        Body::PeerJoined(..) => "rollbook.peer.joined",
        Body::PeerLeft(..) => "rollbook.peer.left",
        Body::SessionStarted(..) => "rollbook.session.started",
        Body::SessionEnded(..) => "rollbook.session.ended",
        Body::SessionRoster(..) => "rollbook.session.roster",
        Body::SourceStarted => "rollbook.source.started",
        Body::SourceStopped => "rollbook.source.stopped",
    }
}

fn put_data(data: &mut Members, body: &Body) {
    match body {
        Body::PeerCreated(place, peer) | Body::PeerJoined(place, peer) => {
            data.object("session", |o| put_place(o, place));
            data.object("peer", |o| put_peer(o, peer));
        }
        Body::PeerLeft(place, leaver, leave) => {
            data.object("session", |o| put_place(o, place));
            data.object("peer", |o| match leaver {
                Leaver::Peer(peer) => put_peer(o, peer),
                Leaver::Slot(slot) => o.text("slot", slot),
            });
            put_leave(data, leave);
        }
        Body::SessionStarted(place) => data.object("session", |o| put_place(o, place)),
        Body::SessionEnded(place, reason) => {
            data.object("session", |o| put_place(o, place));
            data.optional("reason", reason.as_deref());
        }
        Body::SessionRoster(place, roll) => {
            data.object("session", |o| put_place(o, place));
            put_roll(data, roll);
        }
        Body::SourceStarted | Body::SourceStopped => {}
    }
}

fn put_place(o: &mut Members, place: &Place) {
    match &place.home {
        Home::Session { session, meeting } => {
            o.name("id", "key", session);
            if let Some(meeting) = meeting {
                o.name("meeting_id", "meeting_key", meeting);
            }
        }
        Home::Meeting(meeting) => o.name("meeting_id", "meeting_key", meeting),
    }
    o.optional("meeting_title", place.meeting_title.as_deref());
    match &place.parent {
        Some(Parent::Session(session)) => o.name("parent_id", "parent_key", session),
        Some(Parent::Meeting(meeting)) => o.name("parent_meeting_id", "parent_meeting_key", meeting),
        None => {}
    }
    if let Some(seconds) = place.keep_alive_seconds {
        o.raw("keep_alive_seconds", &seconds.to_string());
    }
}

fn put_peer(o: &mut Members, peer: &PeerInfo) {
    o.name("id", "key", &peer.name);
    o.optional("slot", peer.slot.as_deref());
    o.optional("user_id", peer.user_id.as_deref());
    o.optional("custom_participant_id", peer.custom_participant_id.as_deref());
    o.optional("display_name", peer.display_name.as_deref());
    o.optional("preset_name", peer.preset_name.as_deref());
    o.optional("preset_view_type", peer.preset_view_type.as_deref());
    o.optional(
        "kind",
        peer.kind.map(|kind| match kind {
            Kind::Person => "person",
            Kind::Robot => "robot",
        }),
    );
}

fn put_leave(data: &mut Members, leave: &Leave) {
    data.optional("reason", leave.reason.as_deref());
    if let Some(joined_at) = leave.joined_at {
        data.time("joined_at", joined_at);
    }
    if leave.uncertain > 0 {
        data.seconds("uncertain_seconds", leave.uncertain);
    }
}

fn put_roll(data: &mut Members, roll: &Roll) {
    let entry = |Present { peer, joined_at }: &Present| {
        object(|o| {
            put_peer(o, peer);
            if let Some(joined_at) = joined_at {
                o.time("joined_at", *joined_at);
            }
        })
    };
    let entries: Vec<String> = roll.present.iter().map(entry).collect();
    data.raw("peers", &format!("[{}]", entries.join(",")));
    data.seconds("tolerance_seconds", roll.tolerance);
}

/// The members of an object that is being written.
struct Members(String);

fn object(put: impl FnOnce(&mut Members)) -> String {
    let mut members = Members("{".into());
    put(&mut members);
    members.0.push('}');
    members.0
}

impl Members {
    fn key(&mut self, key: &str) {
        if !self.0.ends_with('{') {
            self.0.push(',');
        }
        push_text(&mut self.0, key);
        self.0.push(':');
    }

    fn raw(&mut self, key: &str, json: &str) {
        self.key(key);
        self.0.push_str(json);
    }

    fn text(&mut self, key: &str, text: &str) {
        self.key(key);
        push_text(&mut self.0, text);
    }

    fn optional(&mut self, key: &str, text: Option<&str>) {
        if let Some(text) = text {
            self.text(key, text);
        }
    }

    fn name(&mut self, id_key: &str, key_key: &str, name: &Name) {
        if let Some(id) = name.id {
            self.text(id_key, &id.to_string());
        }
        self.optional(key_key, name.key.as_deref().or(name.id.is_none().then_some("")));
    }

    fn time(&mut self, key: &str, time: Timestamp) {
        self.text(key, &time.to_rfc3339_micros());
    }

    /// Microseconds as seconds with all six digits, which a float could not hold.
    fn seconds(&mut self, key: &str, micros: i64) {
        let micros = micros.max(0);
        self.raw(key, &format!("{}.{:06}", micros / SECOND, micros % SECOND));
    }

    fn object(&mut self, key: &str, put: impl FnOnce(&mut Self)) {
        self.raw(key, "{");
        put(self);
        self.0.push('}');
    }
}
