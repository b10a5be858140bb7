//! What the index finds is what a look at every row finds.

use super::super::page::{Order, Query, Sort};
use super::super::row::{Details, Length, Row};
use super::super::snapshot::{Snapshot, encode_indexed};
use super::*;
use crate::fold::Validity;
use crate::time::Timestamp;
use proptest::prelude::*;

/// What case folding makes much of, and what the cutting into words does.
const SIGNS: [&str; 24] =
    ["a", "A", "b", "s", "S", "ß", "ẞ", "ſ", "ss", "i", "I", "İ", "ı", "\u{307}", "é", "e\u{301}", "K", "ﬃ", "山", "Σ", "ς", "7", " ", "-"];
const WORDS: [&str; 8] = ["user", "Straße", "İstanbul", "Ana", "777", "12", "  ", "ΣΊΣΥΦΟΣ"];

fn text() -> impl Strategy<Value = String> {
    let sign = prop_oneof![4 => prop::sample::select(&SIGNS[..]), 1 => prop::sample::select(&WORDS[..])];
    let of_signs = prop::collection::vec(sign, 0..9).prop_map(|signs| signs.concat());
    let of_words = prop::collection::vec(prop::sample::select(&WORDS[..]), 0..4).prop_map(|words| words.join(" "));
    prop_oneof![4 => of_signs, 4 => of_words, 1 => any::<String>()]
}

type Who = (Option<String>, Option<String>, u128, i64, bool);

fn row(ix: u128, (name, custom_id, id, time, gone): Who, all_gone: bool) -> Row {
    let at = Timestamp::from_micros(time);
    // Some ids are near each other, none the same; some lengths are the same.
    let id = if id % 3 == 0 { ix } else { id << 8 | ix };
    let gone = gone || all_gone;
    Row {
        session: Uuid::nil(),
        id: Uuid::from_u128(id),
        user_id: None,
        custom_participant_id: custom_id.map(Into::into),
        display_name: name.map(Into::into),
        preset_name: None,
        joined_at: at,
        left_at: gone.then(|| at.plus(time % 7)),
        length: if gone { Length::Gone(time % 7) } else { Length::In(at) },
        created_at: at,
        updated_at: at,
        details: Details::default(),
    }
}

fn rows() -> impl Strategy<Value = Vec<Row>> {
    let who = (prop::option::weighted(0.9, text()), prop::option::of(text()), any::<u128>(), 0..1000i64, prop::bool::weighted(0.8));
    let all_gone = prop::bool::weighted(0.7);
    (prop::collection::vec(who, 0..120), all_gone)
        .prop_map(|(all, all_gone)| (0..).zip(all).map(|(ix, who)| row(ix, who, all_gone)).collect())
}

/// Something that is there, if one cuts it out of the names, ids and custom ids; or anything.
fn needle(rows: &[Row], pick: (usize, usize, usize), text: String) -> String {
    let texts: Vec<String> = rows
        .iter()
        .flat_map(|row| {
            [
                row.display_name.as_deref().map(str::to_owned),
                row.custom_participant_id.as_deref().map(str::to_owned),
                Some(row.id.to_string()),
            ]
        })
        .flatten()
        .collect();
    match texts.get(pick.0 % (texts.len() + 4)) {
        Some(whole) => {
            let chars: Vec<char> = whole.chars().collect();
            let from = if pick.2.is_multiple_of(2) { 0 } else { pick.1 % (chars.len() + 1) };
            chars[from..].iter().take(1 + pick.2 % 9).collect()
        }
        None => text,
    }
}

fn roster(rows: &[Row], indexed: usize) -> Snapshot<Vec<u8>> {
    Snapshot::new(encode_indexed(rows.to_vec(), Validity::default(), b"tag", indexed)).unwrap()
}

/// By the words of the rule: part of the folded name, or how an id or a custom id begins.
fn by_rule(needle: &str, row: &Row) -> bool {
    let custom_id = row.custom_participant_id.as_ref().is_some_and(|id| id.starts_with(needle));
    let name = row.display_name.as_ref().is_some_and(|name| fold_case(name).contains(&fold_case(needle)));
    needle.is_empty() || row.id.to_string().starts_with(needle) || custom_id || name
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn the_index_finds_what_the_rule_says(rows in rows(), pick in any::<(usize, usize, usize)>(), other in text(), limit in 1..20u32) {
        let needle = needle(&rows, pick, other);
        let search = Search::new(&needle);
        let (indexed, scanned) = (roster(&rows, 0), roster(&rows, usize::MAX));
        prop_assert_eq!(indexed.index().is_some(), rows.iter().all(|row| row.left_at.is_some()));
        prop_assert!(scanned.index().is_none());
        let expected = rows.iter().filter(|row| by_rule(&needle, row)).count();
        let now = Timestamp::from_micros(1000);
        for sort in [Sort::JoinedAt, Sort::Duration] {
            for descending in [false, true] {
                let mut query = Query { order: Order { sort, descending }, limit: u32::MAX, ..Query::default() };
                let mut all = scanned.page(&query, now).rows;
                all.retain(|ix| search.matches(scanned.row(*ix)));
                prop_assert_eq!(all.len(), expected, "{}", needle);
                query.search = Some(search.clone());
                prop_assert_eq!(&scanned.page(&query, now).rows, &all);
                prop_assert_eq!(&indexed.page(&query, now).rows, &all);
                let hits = indexed.search(&search);
                query.limit = limit;
                let mut paged = Vec::new();
                loop {
                    let page = indexed.page_of(&hits, &query, now);
                    prop_assert_eq!((page.total as usize, page.offset as usize), (all.len(), paged.len()));
                    if page.rows.is_empty() {
                        break;
                    }
                    paged.extend(page.rows);
                    query.offset = paged.len() as u64;
                }
                prop_assert_eq!(&paged, &all);
            }
        }
    }

    #[test]
    fn texts_are_folded_in_parts_as_a_whole(text in prop_oneof![text(), any::<String>()]) {
        let mut folded = Vec::new();
        fold_into(&text, &mut folded);
        prop_assert_eq!(String::from_utf8(folded).unwrap(), fold_case(&text));
    }

    #[test]
    fn a_damaged_index_does_no_harm(rows in rows(), needle in text(), damage in prop::collection::vec((any::<usize>(), any::<u8>()), 1..8), cut in any::<usize>()) {
        let rows: Vec<Row> = rows.into_iter().filter(|row| row.left_at.is_some()).collect();
        let count = u32::try_from(rows.len()).unwrap();
        let texts = |row: u32| Texts { name: rows[row as usize].display_name.as_deref(), custom_id: rows[row as usize].custom_participant_id.as_deref() };
        let mut bytes = build(count, texts);
        for (at, byte) in damage {
            let at = at % bytes.len();
            bytes[at] = byte;
        }
        bytes.truncate(bytes.len() - cut % 3 * (cut % bytes.len()) / 2);
        let Some(index) = Index::new(&bytes, count) else { return Ok(()) };
        let search = Search::new(&needle);
        let mut found = Bits::new(count);
        index.by_name(search.needle.folded(), |_| true, &mut found);
        let _ = index.by_custom_id(&search.text, |row| rows.get(row as usize)?.custom_participant_id.as_deref().map(Into::into)).count();
        prop_assert!(found.iter().all(|row| row < count));
    }
}

#[test]
fn ascii_names_are_folded_as_any() {
    let all: String = (0..128u8).map(char::from).collect();
    let mut folded = Vec::new();
    fold_into(&all, &mut folded);
    assert_eq!(String::from_utf8(folded).unwrap(), fold_case(&all));
}

#[test]
fn how_ids_begin() {
    let id = Uuid::from_u128(0x0d3b_2a4e_1111_4222_8333_4444_5555_6666);
    let shown = id.to_string();
    for length in 0..=36 {
        let (from, to) = ids_from(&shown[..length]).unwrap();
        assert!(from <= id && id <= to && from.to_string().starts_with(&shown[..length]) && to.to_string().starts_with(&shown[..length]));
    }
    assert_eq!(ids_from(&shown), Some((id, id)));
    for text in ["0D", "0d3b2a4e1", "0d3-", "g", "-", "0d3b2a4e-1111-4222-8333-4444555566660", "é"] {
        assert_eq!(ids_from(text), None, "{text}");
    }
}
