//! A participant as JSON, straight from a roster's bytes.

use super::json::Json;
use rollbook_core::fold::{AnomalyKind, ClosedBy};
use rollbook_core::roster::{Details, PeerAct, RowView};
use rollbook_core::time::Timestamp;

/// About how many bytes a row takes, so that the buffer is laid out once.
pub(super) const ROW_BYTES: usize = 420;

/// What is shown of a row beside its fields.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Extras {
    /// The peer's events.
    pub(super) events: bool,
    /// The stays, and what was odd about them.
    pub(super) stays: bool,
}

/// Writes a row as the participants list has it.
pub(super) fn participant(json: &mut Json, row: RowView<'_>, now: Timestamp, extras: Extras) {
    who(json, row);
    json.raw(r#","preset_name":"#).maybe_text(row.preset_name());
    when(json, row, now);
    more(json, row, extras);
}

/// Writes a row as the peer report has it: the preset is the `role`, and the session is named.
pub(super) fn peer(json: &mut Json, row: RowView<'_>, now: Timestamp, extras: Extras) {
    who(json, row);
    json.raw(r#","role":"#).maybe_text(row.preset_name());
    json.raw(r#","session_id":"#).id(row.session());
    when(json, row, now);
    more(json, row, extras);
}

fn who(json: &mut Json, row: RowView<'_>) {
    json.raw(r#"{"id":"#).id(row.id());
    json.raw(r#","user_id":"#).maybe_text(row.user_id());
    json.raw(r#","custom_participant_id":"#).maybe_text(row.custom_participant_id());
    json.raw(r#","display_name":"#).maybe_text(row.display_name());
}

fn when(json: &mut Json, row: RowView<'_>, now: Timestamp) {
    json.raw(r#","joined_at":"#).time(row.joined_at());
    json.raw(r#","left_at":"#).maybe_time(row.left_at());
    json.raw(r#","duration":"#).minutes(row.length().at(now));
    json.raw(r#","created_at":"#).time(row.created_at());
    json.raw(r#","updated_at":"#).time(row.updated_at());
}

fn more(json: &mut Json, row: RowView<'_>, extras: Extras) {
    if extras != Extras::default() {
        let details = row.details();
        if extras.events {
            events(json, &details);
        }
        if extras.stays {
            stays(json, &details);
        }
    }
    json.raw("}");
}

fn events(json: &mut Json, details: &Details) {
    json.raw(r#","peer_events":"#).list(&details.events, |json, event| {
        let name = match event.act {
            PeerAct::Created => "PEER_CREATED",
            PeerAct::Joined => "PEER_JOINING",
            PeerAct::Left => "PEER_LEAVING",
        };
        json.raw(r#"{"id":"#).id(event.id).raw(r#","peer_id":"#).id(event.peer);
        json.raw(r#","event_name":""#).raw(name).raw(r#"","created_at":"#).time(event.at);
        json.raw(r#","updated_at":"#).time(event.at).raw(r#","session_id":"#).id(event.session);
        json.raw(r#","preset_view_type":"#).maybe_text(event.preset_view_type.as_deref()).raw("}");
    });
}

fn stays(json: &mut Json, details: &Details) {
    json.raw(r#","stays":"#).list(&details.stays, |json, stay| {
        json.raw(r#"{"in":"#).time(stay.start).raw(r#","out":"#).maybe_time(stay.out);
        json.raw(r#","closed_by":"#).maybe_text(stay.closed_by.map(closed_by)).raw(r#","uncertain_seconds":"#);
        match stay.out {
            Some(_) => json.seconds(stay.uncertain).raw("}"),
            None => json.raw("null}"),
        };
    });
    json.raw(r#","anomalies":"#).list(&details.anomalies, |json, anomaly| {
        json.raw(r#"{"kind":""#).raw(kind(anomaly.kind)).raw(r#"","at":"#).time(anomaly.at).raw("}");
    });
}

fn closed_by(evidence: ClosedBy) -> &'static str {
    match evidence {
        ClosedBy::SessionEnded => "session_ended",
        ClosedBy::Roster => "roster",
        ClosedBy::SourceStopped => "source_stopped",
        ClosedBy::SourceStarted => "source_started",
        ClosedBy::SlotTaken => "slot_taken",
        ClosedBy::MaxStay => "max_stay",
    }
}

fn kind(anomaly: AnomalyKind) -> &'static str {
    match anomaly {
        AnomalyKind::DuplicateJoin => "duplicate_join",
        AnomalyKind::JoinMissing => "join_missing",
        AnomalyKind::LeftWithoutJoin => "left_without_join",
        AnomalyKind::LeftAgain => "left_again",
        AnomalyKind::JoinedByRoster => "joined_by_roster",
        AnomalyKind::JoinAfterEnd => "join_after_end",
    }
}
