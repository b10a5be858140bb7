use super::*;
use crate::http::{participants, sessions};

fn message(result: Result<(), ApiError>) -> String {
    result.map_or_else(|error| format!("{error:?}"), |()| "ok".into())
}

fn slice(query: &str) -> Option<(u64, u32)> {
    let params = Params::read(Some(query), &[PAGE_NO, PER_PAGE]).ok()?;
    params.slice().ok().map(|slice| (slice.offset, slice.limit))
}

#[test]
fn pages() {
    for (query, expected) in [
        ("", Some((0, 25))),
        ("page_no=&per_page=", Some((0, 25))),
        ("page_no&per_page", Some((0, 25))),
        ("page_no=0&per_page=0", Some((0, 25))),
        ("page_no=1", Some((0, 25))),
        ("page_no=2&per_page=10", Some((10, 10))),
        ("page_no=2.0&per_page=1e3", Some((1000, 1000))),
        ("page_no=1e300&per_page=10000", Some((u64::MAX, 10_000))),
        ("page_no=18446744073709551616", Some((u64::MAX, 25))),
        ("per_page=10000", Some((0, 10_000))),
        ("per_page=10001", None),
        ("per_page=1e300", None),
        ("page_no=-1", None),
        ("per_page=-0.5", None),
        ("page_no=1.5", None),
        ("page_no=NaN", None),
        ("per_page=inf", None),
        ("page_no=ten", None),
        ("page_no=+1", None),
        ("page_no=%2B1", Some((0, 25))),
        ("page_no=1&page_no=1", None),
        ("page_no=1&page%5Fno=1", None),
        ("unknown=-1&unknown=x&%FF=%FF&&=&PAGE_NO=x", Some((0, 25))),
    ] {
        assert_eq!(slice(query), expected, "{query}");
    }
}

#[test]
fn a_refusal_names_parameter_value_and_what_is_allowed() {
    let query = Params::read(Some("per_page=10001&include=yes%22"), &[PER_PAGE, flag("include")]).unwrap();
    let shown = message(query.slice().map(drop));
    assert!(shown.contains(r#"\"per_page\" must be a whole number from 0 to 10000; it is \"10001\""#), "{shown}");
    let shown = message(query.flag("include").map(drop));
    assert!(shown.contains("true or false") && shown.contains("include"), "{shown}");
    let long = format!("per_page={}", "9".repeat(10_000));
    let shown = message(Params::read(Some(&long), &[PER_PAGE]).unwrap().slice().map(drop));
    assert!(shown.len() < 400, "{shown}");
}

fn flag(name: &'static str) -> Param {
    Param { name, description: "", kind: Kind::Flag }
}

#[test]
fn texts_are_decoded() {
    let param = Param { name: "search", description: "", kind: Kind::Text };
    for (query, expected) in [
        ("search=a+b%26c", Some("a b&c")),
        ("search=a%20b", Some("a b")),
        ("search=%C3%A9%f0%9f%98%80", Some("é😀")),
        ("search=100%", Some("100%")),
        ("search=%zz%2", Some("%zz%2")),
        ("search=a=b=c", Some("a=b=c")),
        ("search=%00", Some("\0")),
        ("s%65arch=x", Some("x")),
        ("search=", None),
    ] {
        let params = Params::read(Some(query), &[param]).unwrap();
        assert_eq!(params.text("search"), expected, "{query}");
    }
    for query in ["search=%FF", "search=a%C3", "search=%ED%A0%80"] {
        assert!(Params::read(Some(query), &[param]).is_err(), "{query}");
    }
}

#[test]
fn ranges() {
    let param = Param { name: "participants", description: "", kind: Kind::Range };
    for (value, expected) in [
        ("1:10", Some((Some(1), Some(10)))),
        ("5:5", Some((Some(5), Some(5)))),
        ("1:", Some((Some(1), None))),
        (":10", Some((None, Some(10)))),
        ("1%3A10", Some((Some(1), Some(10)))),
        ("0:1e3", Some((Some(0), Some(1000)))),
        ("", None),
        (":", None),
        ("10", None),
        ("10:1", Some((Some(10), Some(1)))),
        ("-1:5", None),
        ("1:2:3", None),
        ("1.5:2", None),
        ("a:b", None),
    ] {
        let query = format!("participants={value}");
        let range = Params::read(Some(&query), &[param]).unwrap().range("participants").ok();
        assert_eq!(range, expected, "{value}");
    }
}

type Taken<'a> = &'a dyn Fn(&Params<'_>) -> bool;

/// What every parameter makes of every kind of value: `.` taken, `x` refused.
#[test]
fn every_parameter_and_every_kind_of_value() {
    let values = ["", "-1", "1.5", "1e400", "NaN", "inf", "true", "TRUE", "ASC", "asc", "1:10", "2026-01-31T09:30:00%2B01:00"];
    let numbers = ".xx.xxxxxxxx";
    let flags = ".xxxxx.xxxxx";
    let times = "xxxxxxxxxxx.";
    let orders = "xxxxxxxx.xxx";
    let words = "xxxxxxxxxxxx";
    let texts = "............";
    let of_participants = |params: &Params<'_>| participants::Asked::of(params).is_ok();
    let of_sessions = |params: &Params<'_>| sessions::asked(params).is_ok();
    let lists: [(&[Param], Taken<'_>); 2] = [(participants::PARAMS, &of_participants), (sessions::PARAMS, &of_sessions)];
    for (known, taken) in lists {
        for param in known {
            let expected = match (param.name, param.kind) {
                ("per_page", _) => numbers.replacen(".xx.", ".xxx", 1),
                ("sort_order", _) => orders.into(),
                (_, Kind::Number(_)) => numbers.into(),
                (_, Kind::Flag) => flags.into(),
                (_, Kind::Choice(_)) => words.into(),
                (_, Kind::Time) => times.into(),
                (_, Kind::Range) => "xxxxxxxxxx.x".into(),
                (_, Kind::Text) => texts.into(),
            };
            let verdict = |value: &&str| {
                let query = format!("{}={value}", param.name);
                let taken = Params::read(Some(&query), known).is_ok_and(|params| taken(&params));
                let twice = format!("{query}&{query}");
                assert!(Params::read(Some(&twice), known).is_err(), "{twice}");
                if taken { '.' } else { 'x' }
            };
            assert_eq!(values.iter().map(verdict).collect::<String>(), expected, "{}", param.name);
        }
    }
}
