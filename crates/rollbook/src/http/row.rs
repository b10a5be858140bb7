//! A participant as JSON, straight from a roster's bytes.

use super::json::{Json, put_id};
use rollbook_core::fold::{AnomalyKind, ClosedBy};
use rollbook_core::roster::{Details, PeerAct, RowView, Shown, Text};
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
    let mut shown = row.shown();
    who(json, row, &mut shown);
    text(json, br#","preset_name":""#, shown.preset_name(), shown.is_plain());
    when(json, &shown, now);
    more(json, row, extras);
}

/// Writes a row as the peer report has it: the preset is the `role`, and the session is named.
pub(super) fn peer(json: &mut Json, row: RowView<'_>, now: Timestamp, extras: Extras) {
    let mut shown = row.shown();
    who(json, row, &mut shown);
    text(json, br#","role":""#, shown.preset_name(), shown.is_plain());
    json.raw(r#","session_id":"#).id(row.session());
    when(json, &shown, now);
    more(json, row, extras);
}

#[inline]
fn who(json: &mut Json, row: RowView<'_>, shown: &mut Shown<'_>) {
    json.form(br#"{"id":"00000000-0000-0000-0000-000000000000""#, |json| put_id(row.id(), json, 7));
    text(json, br#","user_id":""#, shown.next_text(), shown.is_plain());
    text(json, br#","custom_participant_id":""#, shown.next_text(), shown.is_plain());
    text(json, br#","display_name":""#, shown.next_text(), shown.is_plain());
}

/// Writes a text, or null, behind what comes before it, the text's first quote included.
#[inline]
fn text<const LENGTH: usize>(json: &mut Json, before: &[u8; LENGTH], text: Text<'_>, is_plain: bool) {
    match text {
        Text::Bytes(bytes) if is_plain => json.bytes(before).bytes(bytes).bytes(b"\""),
        Text::Bytes(bytes) => json.bytes(&before[..LENGTH - 1]).escaped(bytes),
        Text::Id(id) => json.bytes(&before[..LENGTH - 1]).id(id),
        Text::None => json.bytes(&before[..LENGTH - 1]).raw("null"),
    };
}

/// Most times are told twice, and worked out once.
#[inline]
fn when(json: &mut Json, row: &Shown<'_>, now: Timestamp) {
    let joined = json.millis(row.joined_at);
    let mut last = joined;
    if let Some(left_at) = row.left_at {
        last = json.millis(left_at);
        json.form(br#","joined_at":"0000-00-00T00:00:00.000Z","left_at":"0000-00-00T00:00:00.000Z","duration":"#, |json| {
            json[14..38].copy_from_slice(&joined);
            json[51..75].copy_from_slice(&last);
        });
    } else {
        json.form(br#","joined_at":"0000-00-00T00:00:00.000Z","left_at":null,"duration":"#, |json| json[14..38].copy_from_slice(&joined));
    }
    json.minutes(row.length.at(now));
    let created = if row.created_at == row.joined_at { joined } else { json.millis(row.created_at) };
    let updated = if row.updated_at == row.left_at.unwrap_or(row.joined_at) { last } else { json.millis(row.updated_at) };
    json.form(br#","created_at":"0000-00-00T00:00:00.000Z","updated_at":"0000-00-00T00:00:00.000Z""#, |json| {
        json[15..39].copy_from_slice(&created);
        json[55..79].copy_from_slice(&updated);
    });
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

#[cfg(test)]
mod tests;
