use super::super::whole_event;
use super::*;
use crate::json::parse;
use proptest::prelude::*;

const JOINED: &str = r#"{"specversion":"1.0","id":"17+","source":"sfu-1","type":"rollbook.peer.joined","time":"2026-01-31T09:30:00.123456Z","data":{"session":{"key":"algebra","meeting_key":"room","meeting_title":"Algebra","keep_alive_seconds":90},"peer":{"key":"PA_1","user_id":"u","custom_participant_id":"c-1","display_name":"Zoë Ångström","preset_name":"host","preset_view_type":"WEBINAR","kind":"person"}}}"#;
const LEFT: &str = r#" { "data" : {"reason":"kicked","joined_at":"2026-01-31T09:30:00+05:30","session":{"id":"4f0c1c7a-8f57-4c59-9a3e-0b1c2d3e4f50","parent_key":"main"},"peer":{"id":"4f0c1c7a-8f57-4c59-9a3e-0b1c2d3e4f51","slot":"7"}}, "datacontenttype":"application/json", "subject":"x", "id":"18", "source":"sfu-1", "specversion":"1.0", "time":"2026-01-31T09:31:00Z", "type":"rollbook.peer.left"} "#;
const LEFT_SLOT: &str = r#"{"specversion":"1.0","id":"19","source":"s","type":"rollbook.peer.left","time":"2026-01-31T09:31:00Z","data":{"session":{"meeting_key":"room"},"slot":"7"}}"#;
const LEFT_PLACE: &str = r#"{"specversion":"1.0","id":"20","source":"s","type":"rollbook.peer.left","time":"2026-01-31T09:31:00Z","data":{"session":{"meeting_key":"room"},"peer":{"slot":"7"}}}"#;
const CREATED: &str = r#"{"specversion":"1.0","id":"21","source":"s","type":"rollbook.peer.created","time":"2026-01-31T09:31:00Z","data":{"session":{"key":"a"},"peer":{"key":"","kind":"robot"}}}"#;
const STARTED: &str = r#"{"specversion":"1.0","id":"22","source":"s","type":"rollbook.session.started","time":"2026-01-31T09:31:00Z","data":{"session":{"key":"a"}}}"#;
const ENDED: &str = r#"{"specversion":"1.0","id":"23","source":"s","type":"rollbook.session.ended","time":"2026-01-31T09:31:00Z","data":{"session":{"key":"a"},"reason":""}}"#;
const ALL: [&str; 7] = [JOINED, LEFT, LEFT_SLOT, LEFT_PLACE, CREATED, STARTED, ENDED];

/// What takes the place of a part of a text, or is put in between.
const PARTS: [&str; 22] = [
    "",
    " ",
    "\"",
    "\\",
    "\\n",
    "\\u0041",
    "\n",
    "\t",
    "\0",
    "\u{1f}",
    "\u{7f}",
    "{",
    "}",
    ",",
    ":",
    "null",
    "\"key\":",
    "\"slot\":",
    "\"x\":0,",
    "7",
    "é",
    "\"\"",
];

fn generally(text: &str) -> Result<Event, String> {
    let value = parse(text.as_bytes()).map_err(|error| error.to_string())?;
    whole_event(&value, &mut Earlier::default())
}

#[test]
fn reads_each_type() {
    for text in ALL {
        assert_eq!(whole(text, &mut Earlier::default()), Some(generally(text).unwrap()), "{text}");
    }
}

#[test]
fn an_escape_is_left_to_the_general_reader() {
    let text = JOINED.replace("Algebra", "Al\\u0067ebra");
    assert_eq!(whole(&text, &mut Earlier::default()).and(generally(&text).ok()), generally(JOINED).ok());
    let text = JOINED.replace("sfu-1", "sfu\\u002d1");
    assert_eq!((whole(&text, &mut Earlier::default()), generally(&text)), (None, generally(JOINED)));
}

#[test]
fn events_of_one_session_share_what_is_told_of_it() {
    let mut earlier = Earlier::default();
    let mut place = |text: &'static str| match whole(text, &mut earlier).map(|event| event.body) {
        Some(Body::PeerLeft(place, ..) | Body::PeerJoined(place, ..)) => place,
        other => panic!("{other:?}"),
    };
    let (slot, again, joined) = (place(LEFT_SLOT), place(LEFT_PLACE), place(JOINED));
    assert!(Arc::ptr_eq(&slot, &again) && *slot != *joined);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4096))]

    /// Whatever becomes of a text, what is read of it here is what is read of it there.
    #[test]
    fn agrees_with_the_general_reader(which in 0..ALL.len(), changes in prop::collection::vec((any::<prop::sample::Index>(), 0..12usize, 0..PARTS.len()), 1..3)) {
        let mut text = ALL[which].to_owned();
        for (at, length, part) in changes {
            let starts: Vec<usize> = text.char_indices().map(|(at, _)| at).chain([text.len()]).collect();
            let at = at.index(starts.len());
            let end = starts[(at + length).min(starts.len() - 1)];
            text.replace_range(starts[at]..end, PARTS[part]);
        }
        let mut earlier = Earlier::default();
        let before = whole(JOINED, &mut earlier);
        prop_assert!(before.is_some());
        if let Some(event) = whole(&text, &mut earlier) {
            prop_assert_eq!(Ok(event), generally(&text), "{}", text);
        }
    }

    #[test]
    fn a_text_ends_where_it_ends_byte_by_byte(bytes in prop::collection::vec(prop_oneof![any::<u8>(), 0x1eu8..0x24, 0x5bu8..0x5e, Just(0x80), Just(0xa2)], 0..40)) {
        let end = bytes.iter().position(|byte| matches!(byte, b'"' | b'\\' | 0..0x20)).unwrap_or(bytes.len());
        prop_assert_eq!(plain(&bytes), end);
    }
}
