//! A row of the participants list (rule 4.8): one peer in one session, or in the consolidated view one person.

use crate::fold::{Anomaly, ClosedBy, Facts, PeerIx, Reading, SittingIx, Stay};
use crate::id::{Stream, event_id};
use crate::time::Timestamp;
use uuid::Uuid;

/// A row, with all that the details of an answer may ask for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Row {
    /// The session of the peer that the row is named after.
    pub session: Uuid,
    /// That peer's id.
    pub id: Uuid,
    /// The person's permanent id.
    pub user_id: Option<Box<str>>,
    /// The id that the product gave the person.
    pub custom_participant_id: Option<Box<str>>,
    /// The name shown in the call.
    pub display_name: Option<Box<str>>,
    /// The preset that the peer came with.
    pub preset_name: Option<Box<str>>,
    /// The start of the first stay.
    pub joined_at: Timestamp,
    /// The end of the last stay; none while in.
    pub left_at: Option<Timestamp>,
    /// How long in all.
    pub length: Length,
    /// The time of the first event.
    pub created_at: Timestamp,
    /// The time of the last event.
    pub updated_at: Timestamp,
    /// What is shown on demand.
    pub details: Details<ToldEvent>,
}

/// A sum of stays.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Length {
    /// Of someone who is gone, in microseconds.
    Gone(i64),
    /// Of someone who is in: `now` minus this.
    In(Timestamp),
}

impl Length {
    /// In microseconds at `now`; negative where someone who is in came later than `now`.
    #[must_use]
    pub fn at(self, now: Timestamp) -> i64 {
        match self {
            Self::Gone(length) => length,
            Self::In(since) => now.since(since),
        }
    }
}

/// What a row shows on demand.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Details<E = PeerEvent> {
    /// In order of their starts.
    pub stays: Vec<Stay>,
    /// By time.
    pub anomalies: Vec<Anomaly>,
    /// By time, source, the source's own id, session.
    pub events: Vec<E>,
}

impl<E> Default for Details<E> {
    fn default() -> Self {
        Self { stays: Vec::new(), anomalies: Vec::new(), events: Vec::new() }
    }
}

/// One `peer.*` event of a row, as it is shown.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PeerEvent {
    /// When it happened.
    pub at: Timestamp,
    /// The session that contains it.
    pub session: Uuid,
    /// Its public id.
    pub id: Uuid,
    /// Whose it is.
    pub peer: Uuid,
    /// What it says.
    pub act: PeerAct,
    /// The peer's kind of view.
    pub preset_view_type: Option<Box<str>>,
}

/// One `peer.*` event of a row, as it was told.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ToldEvent {
    /// When it happened.
    pub at: Timestamp,
    /// Who reported it.
    pub source: Box<str>,
    /// The source's own id of it.
    pub source_id: Box<str>,
    /// The session that contains it.
    pub session: Uuid,
    /// Where it was told.
    pub origin: Origin,
    /// Whose it is.
    pub peer: Uuid,
    /// What it says.
    pub act: PeerAct,
    /// The peer's kind of view.
    pub preset_view_type: Option<Box<str>>,
}

impl PeerEvent {
    /// An event as it is shown.
    pub(super) fn of(told: &ToldEvent) -> Self {
        let ToldEvent { at, ref source, ref source_id, session, origin, peer, act, ref preset_view_type } = *told;
        Self { at, session, id: origin.event_id(source, source_id), peer, act, preset_view_type: preset_view_type.clone() }
    }
}

/// Where events are told, which their public ids are derived from: an app, by its namespace, and a stream of it, by its id.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Origin {
    /// The app's namespace.
    pub namespace: Uuid,
    /// The stream's id.
    pub stream: Uuid,
}

impl Origin {
    /// The public id of an event.
    #[must_use]
    pub fn event_id(self, source: &str, source_id: &str) -> Uuid {
        event_id(self.namespace, self.stream, source, [source_id.as_bytes()])
    }
}

impl ToldEvent {
    /// What the events of a row are ordered by.
    #[must_use]
    pub fn order(&self) -> (Timestamp, &str, &str, Uuid) {
        (self.at, &self.source, &self.source_id, self.session)
    }
}

/// What a peer's event says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PeerAct {
    /// Known, not yet in.
    Created,
    /// Came in.
    Joined,
    /// Went out.
    Left,
}

/// The fields of a row, wherever its texts are kept.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fields<T> {
    pub(super) session: Uuid,
    pub(super) id: Uuid,
    /// User id, custom id, display name, preset.
    pub(super) texts: [T; 4],
    pub(super) joined_at: Timestamp,
    pub(super) left_at: Option<Timestamp>,
    pub(super) length: Length,
    pub(super) created_at: Timestamp,
    pub(super) updated_at: Timestamp,
}

impl<T> Fields<T> {
    /// The same with other texts.
    pub(super) fn with_texts<U>(&self, texts: [U; 4]) -> Fields<U> {
        let Self { session, id, texts: _, joined_at, left_at, length, created_at, updated_at } = *self;
        Fields { session, id, texts, joined_at, left_at, length, created_at, updated_at }
    }
}

impl Row {
    /// Its fields, the texts in UTF-8.
    pub(super) fn fields(&self) -> Fields<Option<&[u8]>> {
        let Self { session, id, joined_at, left_at, length, created_at, updated_at, .. } = *self;
        let texts = [&self.user_id, &self.custom_participant_id, &self.display_name, &self.preset_name];
        let texts = texts.map(|text| text.as_deref().map(str::as_bytes));
        Fields { session, id, texts, joined_at, left_at, length, created_at, updated_at }
    }

    fn of(fields: Fields<Option<&[u8]>>, details: Details<ToldEvent>) -> Self {
        let Fields { session, id, texts, joined_at, left_at, length, created_at, updated_at } = fields;
        let [user_id, custom_participant_id, display_name, preset_name] =
            texts.map(|text| text.map(|text| std::str::from_utf8(text).unwrap_or_default().into()));
        Self {
            session,
            id,
            user_id,
            custom_participant_id,
            display_name,
            preset_name,
            joined_at,
            left_at,
            length,
            created_at,
            updated_at,
            details,
        }
    }
}

/// What the stays of a row are ordered by: at one start the shorter first, who is in last.
pub(super) fn shown_order(stay: &Stay) -> (Timestamp, bool, Option<Timestamp>, Option<ClosedBy>, i64) {
    (stay.start, stay.out.is_none(), stay.out, stay.closed_by, stay.uncertain)
}

/// The sum of a peer's stays; only the last may be open.
pub(crate) fn length(stays: &[Stay]) -> Length {
    let gone: i64 = stays.iter().filter_map(|stay| Some(stay.out?.since(stay.start))).sum();
    match stays.last() {
        Some(Stay { start, out: None, .. }) => Length::In(start.plus(-gone)),
        _ => Length::Gone(gone),
    }
}

/// A session as one of the parts that a list is made from.
#[derive(Clone, Copy, Debug)]
pub struct Part<'a> {
    /// The stream's facts.
    pub facts: &'a Facts,
    /// Their reading.
    pub reading: &'a Reading,
    /// Which of its sessions.
    pub sitting: SittingIx,
}

impl Part<'_> {
    /// The session's raw rows with all their details, in no particular order.
    #[must_use]
    pub fn rows(&self) -> Vec<Row> {
        self.all_rows(|session, peer| self.details(session, peer))
    }

    /// The session's raw rows, which of their details have the stays only.
    #[must_use]
    pub fn rows_in_brief(&self) -> Vec<Row> {
        self.all_rows(|_, peer| Details { stays: self.shown_stays(peer), ..Details::default() })
    }

    fn all_rows(&self, details: impl Fn(Uuid, PeerIx) -> Details<ToldEvent>) -> Vec<Row> {
        let peers = self.reading.listed(self.facts, self.sitting).into_iter();
        let row = |peer| self.fields(peer).map(|fields| Row::of(fields, details(fields.session, peer)));
        peers.filter_map(row).collect()
    }

    /// The fields of a peer's row, the texts in UTF-8; none where the peer has no stay in the session or is not listed.
    pub(super) fn fields(&self, peer: PeerIx) -> Option<Fields<Option<&[u8]>>> {
        let Self { facts, reading, sitting } = *self;
        let stays = reading.stays(sitting, peer);
        let (first, last) = (stays.first().filter(|_| !reading.is_robot(peer))?, stays.last()?);
        let told = facts.told_of(peer);
        let (created_at, updated_at) = reading.heard_of(facts, sitting, peer).unwrap_or((first.start, first.start));
        Some(Fields {
            session: reading.sittings().get(sitting)?.id,
            id: facts.peer_id(peer),
            texts: [told.user_id, told.custom_participant_id, told.display_name, told.preset_name],
            joined_at: first.start,
            left_at: last.out,
            length: length(&stays),
            created_at,
            updated_at,
        })
    }

    pub(super) fn details(&self, session: Uuid, peer: PeerIx) -> Details<ToldEvent> {
        let Self { facts, reading, sitting } = *self;
        let events = facts.peer_events(reading, sitting, session, peer);
        Details { stays: self.shown_stays(peer), anomalies: reading.anomalies(facts, sitting, peer), events }
    }

    fn shown_stays(&self, peer: PeerIx) -> Vec<Stay> {
        let mut stays = self.reading.stays(self.sitting, peer).to_vec();
        stays.sort_by_key(shown_order);
        stays
    }

    /// The stream that the session is folded from.
    #[must_use]
    pub fn stream(&self) -> Stream {
        self.facts.stream()
    }
}
