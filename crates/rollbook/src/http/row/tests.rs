use super::*;
use proptest::prelude::*;
use rollbook_core::fold::{Stay, Validity};
use rollbook_core::roster::{Length, Row, Snapshot, encode};
use rollbook_core::time::{DAY, SECOND};
use std::fmt::Write;
use uuid::Uuid;

const NOW: Timestamp = Timestamp::from_micros(1_769_853_600 * SECOND);

/// A row as the API describes it, put together one character after the other.
fn by_definition(row: &Row) -> String {
    // Finer digits are cut.
    let quoted = |at: Timestamp| format!("\"{}Z\"", &at.to_rfc3339_micros()[..23]);
    format!(
        r#"{{"id":"{}","user_id":{},"custom_participant_id":{},"display_name":{},"preset_name":{},"joined_at":{},"left_at":{},"duration":{},"created_at":{},"updated_at":{}}}"#,
        row.id,
        string(row.user_id.as_deref()),
        string(row.custom_participant_id.as_deref()),
        string(row.display_name.as_deref()),
        string(row.preset_name.as_deref()),
        quoted(row.joined_at),
        row.left_at.map_or("null".into(), quoted),
        minutes(row.length.at(NOW)),
        quoted(row.created_at),
        quoted(row.updated_at),
    )
}

fn string(text: Option<&str>) -> String {
    let Some(text) = text else { return "null".into() };
    let mut json = String::from('"');
    for character in text.chars() {
        match character {
            '"' | '\\' => json.extend(['\\', character]),
            '\n' => json.push_str("\\n"),
            '\r' => json.push_str("\\r"),
            '\t' => json.push_str("\\t"),
            ..' ' => write!(json, "\\u{:04x}", u32::from(character)).unwrap(),
            _ => json.push(character),
        }
    }
    json + "\""
}

/// Half away from zero, without trailing zeros.
fn minutes(micros: i64) -> String {
    let steps = (i128::from(micros.max(0)) * 2 + 6_000) / 12_000;
    let text = format!("{}.{:04}", steps / 10_000, steps % 10_000);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

fn text() -> impl Strategy<Value = Option<Box<str>>> {
    let id = any::<u128>().prop_map(|id| Uuid::from_u128(id).to_string());
    prop::option::of(prop_oneof!["[a-zé ]{0,12}", ".{0,40}", "[\\x00-\\x7f]{0,9}", id].prop_map(Into::into))
}

fn row() -> impl Strategy<Value = Row> {
    let time =
        || prop_oneof![-DAY..2 * DAY, Just(NOW.micros()), (0..2 * DAY).prop_map(|n| NOW.micros() - n)].prop_map(Timestamp::from_micros);
    let length = prop_oneof![0..7 * DAY, Just(0), (0..9_000_000i64).prop_map(|n| n * 3_000), (i64::MAX / 16)..(i64::MAX / 8)];
    let times = (time(), time(), time(), time(), length, any::<[bool; 3]>());
    (any::<u128>().prop_map(Uuid::from_u128), [text(), text(), text(), text()], times).prop_map(|(id, texts, times)| {
        let [user_id, custom_participant_id, display_name, preset_name] = texts;
        let (joined_at, left_at, created_at, updated_at, length, [is_in, same, usual]) = times;
        let left_at = if usual { joined_at.plus(length) } else { left_at };
        let (left_at, length) = if is_in { (None, Length::In(joined_at)) } else { (Some(left_at), Length::Gone(length)) };
        let (created_at, updated_at) = if same { (joined_at, left_at.unwrap_or(joined_at)) } else { (created_at, updated_at) };
        let details = rollbook_core::roster::Details {
            stays: vec![Stay { start: joined_at, out: left_at, closed_by: None, uncertain: 0 }],
            ..Default::default()
        };
        Row {
            session: Uuid::from_u128(1),
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
}

proptest! {
    #[test]
    fn rows_are_what_the_definition_writes(rows in prop::collection::vec(row(), 0..9)) {
        let mut expected = rows.clone();
        expected.sort_by_key(|row| (row.joined_at, row.id));
        let roster = Snapshot::new(encode(rows, Validity::default(), b"")).unwrap();
        let mut json = Json::default();
        json.list(0..roster.len(), |json, place| participant(json, roster.row(place), NOW, Extras::default()));
        let expected: Vec<String> = expected.iter().map(by_definition).collect();
        prop_assert_eq!(String::from_utf8(json.into_bytes()).unwrap(), format!("[{}]", expected.join(",")));
    }
}
