//! Searches of a session that is large enough to have an index, and of one that goes on and is too large to be searched at once.

use super::*;
use serde_json::json;
use std::collections::BTreeMap;

const PEOPLE: u32 = 5_000;
const NAMES: [&str; 4] = ["Zoë", "STRASSE", "Straße", "Ana"];

fn id_of(person: u32) -> String {
    format!("{:08x}-0000-4000-8000-000000000000", person.wrapping_mul(0x9e37_79b9))
}

fn joined(person: u32, name: &str) -> String {
    let (minute, second) = (person / 60 % 60, person % 60);
    let more = format!(r#","display_name":"{name} {person}","custom_participant_id":"C-{person}""#);
    peer("joined", person, &format!("08:{minute:02}:{second:02}"), &id_of(person), &more)
}

/// Many came within an hour.
async fn with_a_webinar_that_goes_on() -> Api {
    let api = Api::new().await;
    let events: Vec<String> = (0..PEOPLE).map(|person| joined(person, NAMES[person as usize % 4])).collect();
    api.report(&events).await;
    api
}

/// All of them are gone.
async fn with_a_webinar() -> Api {
    let api = with_a_webinar_that_goes_on().await;
    let end = format!(
        r#"{{"specversion":"1.0","type":"rollbook.session.ended","source":"sfu","id":"end","time":"2026-01-31T10:00:00Z","data":{{"session":{{"id":"{SESSION}"}}}}}}"#
    );
    api.report(&[end]).await;
    api
}

impl Api {
    /// How many a search finds, and their ids, read page by page.
    async fn found(&self, query: &str) -> (u64, Vec<String>) {
        let (mut ids, mut page_no) = (Vec::new(), 1);
        loop {
            let path = format!("{KIT}/sessions/{SESSION}/participants?{query}&per_page=1999&page_no={page_no}");
            let data = self.get(&path).await.data();
            let shown = data["participants"].as_array().unwrap();
            let total = data["paging"]["total_count"].as_u64().unwrap();
            if shown.is_empty() {
                return (total, ids);
            }
            assert_eq!(data["paging"]["start_offset"], ids.len() + 1);
            ids.extend(shown.iter().map(|row| row["id"].as_str().unwrap().to_owned()));
            page_no += 1;
        }
    }
}

#[tokio::test]
async fn pages_of_what_is_found_are_the_whole() {
    pages_are_the_whole(with_a_webinar().await).await;
}

#[tokio::test]
async fn so_they_are_while_people_are_in() {
    pages_are_the_whole(with_a_webinar_that_goes_on().await).await;
}

async fn pages_are_the_whole(mut api: Api) {
    let people: BTreeMap<String, u32> = (0..PEOPLE).map(|person| (id_of(person), person)).collect();
    for round in 0..2 {
        for sort in ["joinedAt", "duration"] {
            let everyone = api.found(&format!("sort_by={sort}")).await.1;
            assert_eq!(everyone.len(), PEOPLE as usize);
            let numbered: Vec<(u32, String)> = everyone.into_iter().map(|id| (people[&id], id)).collect();
            for (search, finds) in [
                ("strasse", (|person| matches!(person % 4, 1 | 2)) as fn(u32) -> bool),
                ("zo%C3%8B", |person| person % 4 == 0),
                ("ana+12", |person| person % 4 == 3 && person.to_string().starts_with("12")),
                ("99", |person| person.to_string().contains("99") || id_of(person).starts_with("99")),
                ("C-4", |person| person.to_string().starts_with('4')),
                ("c-4", |person| id_of(person).starts_with("c-4")),
                ("9e3779b9-", |person| person == 1),
                ("+", |_| true),
                ("nobody", |_| false),
            ] {
                let mut expected: Vec<String> = numbered.iter().filter(|(person, _)| finds(*person)).map(|(_, id)| id.clone()).collect();
                let found = api.found(&format!("search={search}&sort_by={sort}")).await;
                assert_eq!(found, (expected.len() as u64, expected.clone()), "{search} by {sort}, round {round}");
                expected.reverse();
                let found = api.found(&format!("search={search}&sort_by={sort}&sort_order=DESC")).await;
                assert_eq!(found, (expected.len() as u64, expected), "{search} by {sort} from the end, round {round}");
            }
        }
        api.restart();
    }
}

#[tokio::test]
async fn whoever_was_reported_late_is_found() {
    who_is_reported_late_is_found(with_a_webinar().await).await;
}

#[tokio::test]
async fn whoever_comes_between_two_pages_is_found() {
    who_is_reported_late_is_found(with_a_webinar_that_goes_on().await).await;
}

async fn who_is_reported_late_is_found(api: Api) {
    assert_eq!(api.found("search=strasse").await.0, u64::from(PEOPLE / 2));
    api.report(&[joined(PEOPLE, "straSSE")]).await;
    let (total, found) = api.found("search=strasse").await;
    assert_eq!((total, found.contains(&id_of(PEOPLE))), (u64::from(PEOPLE / 2 + 1), true));
    let only = api.get(&format!("{KIT}/sessions/{SESSION}/participants?search=STRASSE+{PEOPLE}")).await.data();
    assert_eq!(only["paging"], json!({"total_count": 1, "start_offset": 1, "end_offset": 1}));
}
