//! What the strict reader refuses, in which words, and that it agrees with a general one on everything else.

use proptest::prelude::*;
use rollbook_ingest::json::{Item, Items, Json, parse};
use std::collections::BTreeMap;

fn complaint(text: &[u8]) -> String {
    parse(text).err().map(|e| e.to_string()).unwrap_or_default()
}

#[test]
fn broken_texts() {
    for (text, expected) in [
        ("", "line 1, column 1: the JSON ends too early"),
        (" \n ", "line 2, column 2: the JSON ends too early"),
        ("{\"a\":", "line 1, column 6: the JSON ends too early"),
        ("{\"a\":1", "line 1, column 7: the JSON ends too early"),
        ("\"é", "line 1, column 3: the JSON ends too early"),
        ("\"\\", "line 1, column 3: the JSON ends too early"),
        ("\"\\u12", "line 1, column 6: the JSON ends too early"),
        ("tru", "line 1, column 4: the JSON ends too early"),
        ("-", "line 1, column 2: the JSON ends too early"),
        ("{} {}", "line 1, column 4: the JSON value ends here, but more text follows"),
        ("\u{feff}{}", "line 1, column 1: expected a value"),
        ("NaN", "line 1, column 1: expected a value"),
        ("[1,]", "line 1, column 4: expected a value"),
        ("{\"a\":1,}", "line 1, column 8: expected a key in quotes"),
        ("{a:1}", "line 1, column 2: expected a key in quotes"),
        ("{\"a\" 1}", "line 1, column 6: expected ':'"),
        ("[1 2]", "line 1, column 4: expected ',' or ']'"),
        ("{\"a\":1 \"b\":2}", "line 1, column 8: expected ',' or '}'"),
        ("01 ", "line 1, column 3: not a JSON number"),
        ("1. ", "line 1, column 3: not a JSON number"),
        ("1e+ ", "line 1, column 4: not a JSON number"),
        ("\"\\x\"", "line 1, column 3: not a JSON escape"),
        ("\"\\u12g4\"", "line 1, column 6: not a JSON escape"),
        ("\"\t\"", "line 1, column 2: a control character must be escaped in a JSON text"),
        ("{\n \"a\": \"\0\"}", "line 2, column 8: the NUL character is not allowed"),
        ("{\"x\":{\"y\":[\"é\\u0000\"]}}", "line 1, column 14: the NUL character is not allowed"),
        ("{\"\\u0000\":1}", "line 1, column 3: the NUL character is not allowed"),
        ("\"\\ud800\"", "line 1, column 2: half a surrogate pair is not a character"),
        ("\"\\udc00\"", "line 1, column 2: half a surrogate pair is not a character"),
        ("\"\\ud800\\ud800\\udc00\"", "line 1, column 2: half a surrogate pair is not a character"),
        ("\"\\ud800\\n\"", "line 1, column 2: half a surrogate pair is not a character"),
        ("{\"a\":1,\"b\":2,\"a\":1}", "line 1, column 14: the key \"a\" is twice in one object"),
        ("{\"a\":1,\n\"\\u0061\":1}", "line 2, column 1: the key \"a\" is twice in one object"),
        ("[[{\"x\":{\"b\":0,\"b\":0}}]]", "line 1, column 15: the key \"b\" is twice in one object"),
    ] {
        assert_eq!(complaint(text.as_bytes()), expected, "{text:?}");
    }
    assert_eq!(complaint(b"{\"a\": \"\xff\"}"), "line 1, column 8: not UTF-8");
    // A surrogate half in raw bytes is no UTF-8 at all.
    assert_eq!(complaint(b"\"\xed\xa0\x80\""), "line 1, column 2: not UTF-8");
}

#[test]
fn depth_has_a_limit() {
    let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    assert_eq!(complaint(nested(128).as_bytes()), "");
    assert_eq!(complaint(nested(129).as_bytes()), "line 1, column 129: nested deeper than 128 levels");
    assert_eq!(complaint("{\"a\":".repeat(10_000).as_bytes()), "line 1, column 641: nested deeper than 128 levels");
}

#[test]
fn big_numbers_keep_their_digits() {
    assert_eq!(parse(b" 18446744073709551616 "), Ok(Json::Number("18446744073709551616")));
    assert_eq!(parse(b"1e999"), Ok(Json::Number("1e999")));
}

#[test]
fn a_defect_spoils_its_own_item_only() {
    let body = b"[1, {\"a\":0,\"a\":0}, \"\\u0000\", 2]";
    let sound: Vec<bool> = Items::open(body).unwrap().map(|item| matches!(item.unwrap(), Item::Sound(_))).collect();
    assert_eq!(sound, [true, false, false, true]);
    for (body, count) in [("[]", 0), (" [ ] ", 0), ("{}", 1), ("[{}]", 1)] {
        assert_eq!(Items::open(body.as_bytes()).unwrap().count(), count, "{body}");
    }
    for body in ["", "[", "[1", "[1,", "[1,]", "[,]", "[] x", "[1] 2", "1 2"] {
        assert!(Items::open(body.as_bytes()).unwrap().last().unwrap().is_err(), "{body}");
    }
}

#[test]
fn many_defects_are_told_in_one_pass() {
    let body = format!("[\n{}1]", "\"é\\u0000\",\n".repeat(200_000));
    let defects = Items::open(body.as_bytes()).unwrap().filter_map(|item| match item.unwrap() {
        Item::Defective(error) => Some((error.line, error.column)),
        Item::Sound(_) => None,
    });
    assert!(defects.eq((2..200_002).map(|line| (line, 3))));
}

/// A value as a general reader's tree; numbers as whoever reads them would compare them.
fn as_general(value: &Json<'_>) -> serde_json::Value {
    match value {
        Json::Null => serde_json::Value::Null,
        Json::Bool(value) => (*value).into(),
        Json::Number(digits) => serde_json::from_str(digits).unwrap_or_default(),
        Json::Text(text) => (**text).into(),
        Json::Array(items) => items.iter().map(as_general).collect(),
        Json::Object(_) => {
            let mut text = String::new();
            value.push_canonical(&mut text);
            serde_json::from_str(&text).unwrap_or_default()
        }
    }
}

fn trees() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(Into::into),
        any::<i64>().prop_map(Into::into),
        any::<u64>().prop_map(Into::into),
        any::<String>().prop_filter("no NUL", |s| !s.contains('\0')).prop_map(Into::into),
    ];
    leaf.prop_recursive(5, 40, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Into::into),
            prop::collection::btree_map("[^\0]{0,4}", inner, 0..6)
                .prop_map(|members: BTreeMap<String, serde_json::Value>| serde_json::Value::Object(members.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn sound_texts_are_read_like_others_read_them(tree in trees(), pretty: bool) {
        let text = if pretty { serde_json::to_string_pretty(&tree) } else { serde_json::to_string(&tree) }.unwrap();
        let read = parse(text.as_bytes()).unwrap();
        prop_assert_eq!(as_general(&read), tree);
        let mut canonical = String::new();
        read.push_canonical(&mut canonical);
        prop_assert_eq!(parse(canonical.as_bytes()).unwrap(), read);
    }

    #[test]
    fn what_is_taken_is_json(text in "[\\[\\]{}:, \"\\\\u0a1dD8.eE+\\-truefalsn\u{e9}\u{1}]{0,24}") {
        if parse(text.as_bytes()).is_ok() {
            // Only a general reader's own limit on the size of floats may differ.
            let general = serde_json::from_str::<serde_json::Value>(&text);
            prop_assert!(general.is_ok() || general.is_err_and(|e| e.to_string().contains("out of range")), "{}", text);
        }
    }

    #[test]
    fn no_bytes_panic(bytes: Vec<u8>) {
        let _ = parse(&bytes);
        let _ = Items::open(&bytes).map(Iterator::count);
    }
}
