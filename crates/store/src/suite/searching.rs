//! Cases of the text that a list of sessions is searched for.
#![expect(missing_docs, reason = "a case's name says what it holds")]

use super::fixtures::*;
use crate::contract::{SessionFilter, SessionRecord, Store};
use std::sync::Arc;

async fn titled(store: &dyn Store, titles: &[&str]) {
    let records: Vec<_> =
        (1..).zip(titles).map(|(n, title)| SessionRecord { folded_title: (*title).into(), ..record(n << 100, session(1)) }).collect();
    assert!(settled(store, session(1), &records).await.unwrap());
}

async fn found(store: &dyn Store, text: &str) -> Vec<u128> {
    let page = list(store, &SessionFilter { search: Some(text.into()), ..SessionFilter::default() }).await.unwrap();
    assert_eq!(page.total, page.records.len() as u64);
    numbers(&page)
}

async fn found_titles(store: &dyn Store, text: &str) -> Vec<u128> {
    found(store, text).await.iter().map(|n| n >> 100).collect()
}

pub async fn a_title_is_found_by_any_part(store: Arc<dyn Store>, _: HandClock) {
    titled(&*store, &["algebra two", "two", "älgebra", "", "a\u{0}b two\u{0}"]).await;
    for (text, expected) in [
        ("two", vec![1, 2, 5]),
        ("algebra", vec![1]),
        ("lgebra", vec![1, 3]),
        ("ä", vec![3]),
        ("a two", vec![1]),
        ("Two", vec![]),
        ("Ä", vec![]),
        ("two ", vec![]),
        ("a\u{0}", vec![5]),
        ("\u{0}b", vec![5]),
        ("algebra two and more", vec![]),
        ("", vec![1, 2, 3, 4, 5]),
    ] {
        assert_eq!(found_titles(&*store, text).await, expected, "{text:?}");
    }
}

pub async fn no_character_is_a_wildcard(store: Arc<dyn Store>, _: HandClock) {
    let titles = ["100% sure", "a_x", "x*y?", "c:\\temp", "it's \"so\"", "[a-z]", "plain words; --"];
    titled(&*store, &titles).await;
    for (n, text) in (1..).zip(["%", "_", "*", "\\", "'", "[", "; --"]) {
        assert_eq!(found_titles(&*store, text).await, [n], "{text:?}");
    }
    for text in ["1%e", "a.x", "s_re", "\\%", "?*", "^", "''", "[a]"] {
        assert_eq!(found_titles(&*store, text).await, [0; 0], "{text:?}");
    }
}

pub async fn ids_are_found_by_their_beginning(store: Arc<dyn Store>, _: HandClock) {
    let (one, two, three) = (
        0xabcdef01_2345_6789_abcd_ef0123456789_u128,
        0xabcdef01_2345_6789_abcd_ef012345678a_u128,
        0xff000000_0000_0000_0000_000000000000_u128,
    );
    let held = [(one, None), (two, Some(id(three))), (three, Some(id(one)))];
    let records = held.map(|(n, meeting)| SessionRecord { meeting, ..record(n, session(1)) });
    assert!(settled(&*store, session(1), &records).await.unwrap());
    for (text, expected) in [
        ("a", vec![one, two, three]),
        ("abcdef01-", vec![one, two, three]),
        ("abcdef01-2345-6789-abcd-ef0123456789", vec![one, three]),
        ("abcdef01-2345-6789-abcd-ef012345678a", vec![two]),
        ("ff", vec![two, three]),
        ("f", vec![two, three]),
        ("fff", vec![]),
        ("AB", vec![]),
        ("bcdef", vec![]),
        ("abcdef012", vec![]),
        ("abcdef01-2345-6789-abcd-ef01234567890", vec![]),
        ("abcdef0123456789abcdef0123456789", vec![]),
        ("{abcdef01", vec![]),
        ("abcdef0_", vec![]),
        ("-", vec![]),
    ] {
        assert_eq!(found(&*store, text).await, expected, "{text:?}");
    }
}
