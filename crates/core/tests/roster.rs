//! A roster's bytes say what was written: every field of every row, in every order, whatever the times, texts and events are.

use proptest::prelude::*;
use rollbook_core::fold::{Anomaly, AnomalyKind, ClosedBy, Stay, Validity};
use rollbook_core::roster::{
    Details, Length, Order, Origin, PeerAct, PeerEvent, Query, Row, Snapshot, SnapshotError, Sort, ToldEvent, encode,
};
use rollbook_core::time::{SECOND, Timestamp};
use uuid::Uuid;

const BASE: i64 = 1_769_853_600 * SECOND;
const NOW: Timestamp = Timestamp::from_micros(BASE + 100_000 * SECOND);

/// Times of one clock: of whole seconds, of milliseconds, or as fine as they are kept.
#[derive(Clone, Copy, Debug)]
struct Clock {
    tick: i64,
    span: i64,
}

fn clock() -> impl Strategy<Value = Clock> {
    let span = prop_oneof![Just(3), Just(5_000), Just(i64::MAX / 8 / SECOND)];
    (prop_oneof![Just(SECOND), Just(1_000), Just(1)], span).prop_map(|(tick, span)| Clock { tick, span })
}

impl Clock {
    fn time(self) -> impl Strategy<Value = Timestamp> {
        (0..self.span).prop_map(move |ticks| Timestamp::from_micros(BASE + ticks * self.tick))
    }
}

fn text() -> impl Strategy<Value = Option<Box<str>>> {
    let id = any::<u128>().prop_map(|id| Uuid::from_u128(id).to_string());
    let text = prop_oneof![4 => "[a-zé ]{0,12}", 1 => ".{0,300}", 1 => Just("a\"b\\c\n".to_owned()), 1 => id];
    prop::option::weighted(0.8, text.prop_map(Into::into))
}

fn stay(clock: Clock) -> impl Strategy<Value = Stay> {
    use ClosedBy::{MaxStay, Roster, SessionEnded, SlotTaken, SourceStarted, SourceStopped};
    let evidence = prop::sample::select(vec![SessionEnded, Roster, SourceStopped, SourceStarted, SlotTaken, MaxStay]);
    (clock.time(), prop::option::of((clock.time(), prop::option::of(evidence), clock.time()))).prop_map(|(start, closed)| match closed {
        Some((out, closed_by, known)) => Stay { start, out: Some(out), closed_by, uncertain: known.micros() - BASE },
        None => Stay { start, out: None, closed_by: None, uncertain: 0 },
    })
}

fn anomaly(clock: Clock) -> impl Strategy<Value = Anomaly> {
    use AnomalyKind::{DuplicateJoin, JoinAfterEnd, JoinMissing, JoinedByRoster, LeftAgain, LeftWithoutJoin};
    let kinds = vec![DuplicateJoin, JoinMissing, LeftWithoutJoin, LeftAgain, JoinedByRoster, JoinAfterEnd];
    (clock.time(), prop::sample::select(kinds)).prop_map(|(at, kind)| Anomaly { at, kind })
}

fn origin(session: Uuid) -> Origin {
    Origin { namespace: Uuid::from_u128(7), stream: Uuid::from_u128(session.as_u128() / 2) }
}

fn event(clock: Clock, row: (Uuid, Uuid)) -> impl Strategy<Value = ToldEvent> {
    let name = prop_oneof!["[ab]{0,3}", "EV_é?[a-c]{0,9}", ".{12,17}"];
    let session = prop_oneof![3 => Just(row.0), 1 => session()];
    let peer = prop_oneof![3 => Just(row.1), 1 => any::<u128>().prop_map(Uuid::from_u128)];
    let act = prop::sample::select(vec![PeerAct::Created, PeerAct::Joined, PeerAct::Left]);
    (clock.time(), prop::sample::select(vec!["sfu-1", "sfu-2", ""]), name, session, peer, act, text(), prop::bool::weighted(0.9)).prop_map(
        |(at, source, source_id, session, peer, act, preset_view_type, usual)| {
            let origin = if usual { origin(session) } else { Origin::default() };
            ToldEvent { at, source: source.into(), source_id: source_id.into(), session, origin, peer, act, preset_view_type }
        },
    )
}

fn session() -> impl Strategy<Value = Uuid> {
    (0..4u128).prop_map(|n| Uuid::from_u128(n * n * 3))
}

/// Times that are told twice, mostly.
fn like(time: Timestamp, clock: Clock) -> impl Strategy<Value = Timestamp> {
    prop_oneof![3 => Just(time), 1 => clock.time()]
}

fn row(clock: Clock) -> impl Strategy<Value = Row> {
    let ids = (session(), any::<u128>().prop_map(Uuid::from_u128));
    let start = (ids, clock.time(), prop::option::weighted(0.7, clock.time()), any::<bool>());
    start.prop_flat_map(move |((session, id), joined_at, left_at, usual)| {
        let last = left_at.unwrap_or(joined_at);
        let length = match left_at {
            Some(left) if usual => Just(Length::Gone(left.since(joined_at))).boxed(),
            Some(_) => clock.time().prop_map(|to| Length::Gone(to.micros() - BASE)).boxed(),
            None => like(joined_at, clock).prop_map(Length::In).boxed(),
        };
        let one = Stay { start: joined_at, out: left_at, closed_by: None, uncertain: 0 };
        let stays = prop_oneof![2 => Just(vec![one]), 1 => prop::collection::vec(stay(clock), 1..4)];
        let details = (stays, prop::collection::vec(anomaly(clock), 0..2), prop::collection::vec(event(clock, (session, id)), 0..4));
        let times = (length, like(joined_at, clock), like(last, clock));
        (times, details, [text(), text(), text(), text()]).prop_map(move |((length, created_at, updated_at), details, texts)| {
            let [user_id, custom_participant_id, display_name, preset_name] = texts;
            let (stays, anomalies, events) = details;
            let details = Details { stays, anomalies, events };
            Row {
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
        })
    })
}

fn rows() -> impl Strategy<Value = Vec<Row>> {
    clock().prop_flat_map(|clock| prop::collection::vec(row(clock), 0..100))
}

fn read(roster: &Snapshot<Vec<u8>>, ix: u32) -> Row {
    let row = roster.row(ix);
    let text = |text: Option<std::borrow::Cow<'_, str>>| text.map(|text| text.as_ref().into());
    Row {
        session: row.session(),
        id: row.id(),
        user_id: text(row.user_id()),
        custom_participant_id: text(row.custom_participant_id()),
        display_name: text(row.display_name()),
        preset_name: text(row.preset_name()),
        joined_at: row.joined_at(),
        left_at: row.left_at(),
        length: row.length(),
        created_at: row.created_at(),
        updated_at: row.updated_at(),
        details: Details { stays: row.details().stays, anomalies: row.details().anomalies, events: Vec::new() },
    }
}

fn shown(event: &ToldEvent) -> PeerEvent {
    let ToldEvent { at, session, peer, act, .. } = *event;
    let id = event.origin.event_id(&event.source, &event.source_id);
    PeerEvent { at, session, id, peer, act, preset_view_type: event.preset_view_type.clone() }
}

proptest! {
    #[test]
    fn what_was_written_is_read(rows in rows()) {
        let validity = Validity { relied_on: Timestamp::from_micros(-5), until: NOW };
        let roster = Snapshot::new(encode(rows.clone(), validity, b"tag")).unwrap();
        prop_assert_eq!((roster.len() as usize, roster.validity(), roster.tag()), (rows.len(), validity, &b"tag"[..]));
        let mut expected = rows;
        expected.sort_by_key(|row| (row.joined_at, row.id, row.session));
        for (ix, row) in (0..).zip(&expected) {
            let events: Vec<PeerEvent> = row.details.events.iter().map(shown).collect();
            prop_assert_eq!(roster.row(ix).details().events, events);
            let row = Row { details: Details { events: Vec::new(), ..row.details.clone() }, ..row.clone() };
            prop_assert_eq!(read(&roster, ix), row);
            let found = roster.find(expected[ix as usize].id).unwrap();
            prop_assert_eq!(expected[found as usize].id, expected[ix as usize].id);
        }
        prop_assert_eq!(roster.row(roster.len()).id(), Uuid::nil());

        let order = Order { sort: Sort::Duration, descending: false };
        let all = roster.page(&Query { order, limit: 1_000, ..Query::default() }, NOW).rows;
        let mut by_length: Vec<u32> = (0..roster.len()).collect();
        by_length.sort_by_key(|ix| (roster.row(*ix).length().at(NOW), roster.row(*ix).id(), roster.row(*ix).session()));
        prop_assert_eq!(all, by_length);
    }

    /// A file may be damaged: whatever is read of it then, nothing panics, and nothing goes on for ever.
    #[test]
    fn damaged_bytes_are_read_as_something(rows in rows(), damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..20)) {
        let mut bytes = encode(rows, Validity::default(), b"tag");
        let short = Snapshot::new(bytes[..bytes.len() - 1].to_vec());
        prop_assert_eq!(short.err(), Some(SnapshotError::Short));
        for (at, byte) in damage {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        let Ok(roster) = Snapshot::new(bytes) else { return Ok(()) };
        for ix in (0..roster.len()).take(200) {
            read(&roster, ix);
            drop(roster.row(ix).details());
        }
        let order = Order { sort: Sort::Duration, descending: true };
        drop(roster.page(&Query { order, offset: 3, limit: 9, ..Query::default() }, NOW));
        let _ = roster.find(Uuid::nil());
    }
}

#[test]
fn another_version_is_none() {
    let mut bytes = encode(Vec::new(), Validity::default(), b"");
    bytes[7] = 1;
    assert_eq!(Snapshot::new(bytes).err(), Some(SnapshotError::Format));
    assert_eq!(Snapshot::new(Vec::new()).err(), Some(SnapshotError::Short));
}

#[test]
fn a_damaged_count_of_rows_is_no_way_past_the_end() {
    let mut bytes = encode(Vec::new(), Validity::default(), b"");
    bytes[8..12].fill(0xff);
    let roster = Snapshot::new(bytes).unwrap();
    assert_eq!((roster.len(), roster.find(Uuid::max())), (u32::MAX, None));
}
