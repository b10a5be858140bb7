//! The shapes of paths and answers, for the document only: no handler fills them, and a test holds the answers to them.
#![expect(dead_code, reason = "read by the document's generator alone")]

mod failures;
mod paths;

pub(super) use failures::{NotModified, ReadErrors, WriteErrors};
pub(super) use paths::{AppPath, EnginePath, ParticipantPath, PeerPath, SessionPath};

use utoipa::ToSchema;
use uuid::Uuid;

/// The participants list.
#[derive(ToSchema)]
pub(super) struct ParticipantsAnswer {
    success: bool,
    data: Participants,
}

/// A page of it.
#[derive(ToSchema)]
pub(super) struct Participants {
    participants: Vec<Participant>,
    paging: Paging,
}

/// One participant.
#[derive(ToSchema)]
pub(super) struct ParticipantAnswer {
    success: bool,
    data: ParticipantData,
}

/// One participant.
#[derive(ToSchema)]
pub(super) struct ParticipantData {
    participant: Participant,
}

/// One peer.
#[derive(ToSchema)]
pub(super) struct PeerAnswer {
    success: bool,
    data: PeerData,
}

/// One peer.
#[derive(ToSchema)]
pub(super) struct PeerData {
    participant: Peer,
}

/// Which rows an answer shows, counted from 1; 0 and 0 where it shows none.
#[derive(ToSchema)]
pub(super) struct Paging {
    total_count: u64,
    start_offset: u64,
    end_offset: u64,
}

/// One peer in one session, or in the consolidated view one person.
#[derive(ToSchema)]
pub(super) struct Participant {
    /// The peer's id.
    id: Uuid,
    #[schema(required)]
    user_id: Option<String>,
    #[schema(required)]
    custom_participant_id: Option<String>,
    #[schema(required)]
    display_name: Option<String>,
    #[schema(required)]
    preset_name: Option<String>,
    #[schema(format = DateTime)]
    joined_at: String,
    /// Null while in.
    #[schema(required, format = DateTime)]
    left_at: Option<String>,
    /// In minutes, with four decimals.
    #[schema(minimum = 0)]
    duration: f64,
    #[schema(format = DateTime)]
    created_at: String,
    #[schema(format = DateTime)]
    updated_at: String,
    /// Only where asked for.
    #[schema(nullable = false)]
    peer_events: Option<Vec<PeerEvent>>,
    /// Only where asked for.
    #[schema(nullable = false)]
    stays: Option<Vec<Stay>>,
    /// Only where asked for.
    #[schema(nullable = false)]
    anomalies: Option<Vec<Anomaly>>,
}

/// One peer in the session that it joined latest.
#[derive(ToSchema)]
pub(super) struct Peer {
    /// The peer's id.
    id: Uuid,
    #[schema(required)]
    user_id: Option<String>,
    #[schema(required)]
    custom_participant_id: Option<String>,
    #[schema(required)]
    display_name: Option<String>,
    /// The preset.
    #[schema(required)]
    role: Option<String>,
    session_id: Uuid,
    #[schema(format = DateTime)]
    joined_at: String,
    /// Null while in.
    #[schema(required, format = DateTime)]
    left_at: Option<String>,
    /// In minutes, with four decimals.
    #[schema(minimum = 0)]
    duration: f64,
    #[schema(format = DateTime)]
    created_at: String,
    #[schema(format = DateTime)]
    updated_at: String,
    /// Only where asked for.
    #[schema(nullable = false)]
    peer_events: Option<Vec<PeerEvent>>,
    /// Only where asked for.
    #[schema(nullable = false)]
    stays: Option<Vec<Stay>>,
    /// Only where asked for.
    #[schema(nullable = false)]
    anomalies: Option<Vec<Anomaly>>,
}

/// What was reported of a peer.
#[derive(ToSchema)]
pub(super) struct PeerEvent {
    id: Uuid,
    peer_id: Uuid,
    event_name: EventName,
    #[schema(format = DateTime)]
    created_at: String,
    #[schema(format = DateTime)]
    updated_at: String,
    session_id: Uuid,
    #[schema(required)]
    preset_view_type: Option<String>,
}

/// What happened to the peer.
#[derive(ToSchema)]
pub(super) enum EventName {
    #[schema(rename = "PEER_CREATED")]
    Created,
    #[schema(rename = "PEER_JOINING")]
    Joining,
    #[schema(rename = "PEER_LEAVING")]
    Leaving,
}

/// One unbroken stay.
#[derive(ToSchema)]
pub(super) struct Stay {
    #[schema(format = DateTime)]
    r#in: String,
    /// Null while in.
    #[schema(required, format = DateTime)]
    out: Option<String>,
    /// The evidence that closed it: session_ended, roster, source_stopped, source_started, slot_taken or max_stay. Null for the
    /// peer's own leave, and while in.
    #[schema(required)]
    closed_by: Option<String>,
    /// How long before `out` the peer was last known in. Null while in.
    #[schema(required, minimum = 0)]
    uncertain_seconds: Option<f64>,
}

/// What an undisturbed history would not have.
#[derive(ToSchema)]
pub(super) struct Anomaly {
    kind: AnomalyKind,
    #[schema(format = DateTime)]
    at: String,
}

/// The kinds.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
pub(super) enum AnomalyKind {
    DuplicateJoin,
    JoinMissing,
    LeftWithoutJoin,
    LeftAgain,
    JoinedByRoster,
    JoinAfterEnd,
}

/// The list of sessions; `paging` twice, beside `data` and within it.
#[derive(ToSchema)]
pub(super) struct SessionsAnswer {
    success: bool,
    data: Sessions,
    paging: Paging,
}

/// A page of it.
#[derive(ToSchema)]
pub(super) struct Sessions {
    sessions: Vec<Session>,
    paging: Paging,
}

/// One session, twice: flat, and again as `session`.
#[derive(ToSchema)]
pub(super) struct SessionAnswer {
    success: bool,
    data: SessionData,
}

/// The session's own members, and the same again.
#[derive(ToSchema)]
pub(super) struct SessionData {
    #[serde(flatten)]
    flat: Session,
    session: Session,
}

/// One live occurrence of a meeting.
#[derive(ToSchema)]
pub(super) struct Session {
    id: Uuid,
    /// The meeting; the session itself where none is known.
    associated_id: Uuid,
    /// The meeting's title; empty where it has none.
    meeting_display_name: String,
    r#type: SessionType,
    status: Status,
    live_participants: u64,
    max_concurrent_participants: u64,
    /// With four decimals.
    #[schema(minimum = 0)]
    minutes_consumed: f64,
    /// The app.
    organization_id: String,
    #[schema(format = DateTime)]
    started_at: String,
    /// Null while live.
    #[schema(required, format = DateTime)]
    ended_at: Option<String>,
    #[schema(format = DateTime)]
    created_at: String,
    #[schema(format = DateTime)]
    updated_at: String,
    /// Only where asked for.
    #[schema(no_recursion, nullable = false)]
    breakout_rooms: Option<Vec<Session>>,
}

/// Always `meeting`.
#[derive(ToSchema)]
#[schema(rename_all = "lowercase")]
pub(super) enum SessionType {
    Meeting,
}

/// Whether it goes on.
#[derive(ToSchema)]
#[schema(rename_all = "UPPERCASE")]
pub(super) enum Status {
    Live,
    Ended,
}

/// What became of a delivery.
#[derive(ToSchema)]
pub(super) struct Receipt {
    success: bool,
    data: Counts,
}

/// Of events.
#[derive(ToSchema)]
pub(super) struct Counts {
    /// Those that were new.
    accepted: u64,
    /// Those that were known.
    duplicates: u64,
}

/// Kept deliveries that were translated anew.
#[derive(ToSchema)]
pub(super) struct RetriedAnswer {
    success: bool,
    data: RetriedDeliveries,
}

/// In the order in which they were kept.
#[derive(ToSchema)]
pub(super) struct RetriedDeliveries {
    deliveries: Vec<RetriedDelivery>,
}

/// What became of one.
#[derive(ToSchema)]
pub(super) struct RetriedDelivery {
    number: u64,
    engine: String,
    #[schema(format = DateTime)]
    received_at: String,
    /// Events of it that were new.
    accepted: u64,
    /// Events of it that were known.
    duplicates: u64,
    /// Why it is kept on; null where it is dropped.
    #[schema(required)]
    kept: Option<String>,
}

/// What is answered where there is nothing better to answer.
#[derive(ToSchema)]
pub(super) struct Failure {
    /// Always false.
    success: bool,
    error: Problem,
    /// The same, or each bad event of a delivery.
    errors: Vec<Problem>,
}

/// What is wrong.
#[derive(ToSchema)]
pub(super) struct Problem {
    /// The HTTP status.
    #[schema(minimum = 400, maximum = 599)]
    code: u16,
    message: String,
    /// Of a bad event: its place in the delivery, from 0.
    #[schema(nullable = false)]
    index: Option<u64>,
}

/// All is well.
#[derive(ToSchema)]
pub(super) struct Health {
    status: String,
}
