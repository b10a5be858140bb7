//! What a search in a large ended session costs: bytes of the index a participant, the first search of each kind, more pages of it.
//!
//! `cargo run --release -p rollbook-core --example search_figures -- 1000000`
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a measurement, run by hand")]
#![expect(clippy::disallowed_methods, reason = "it measures")]

use rollbook_core::fold::Validity;
use rollbook_core::roster::{Details, Length, Order, Query, Row, Search, Snapshot, Sort, encode};
use rollbook_core::time::{SECOND, Timestamp};
use std::hint::black_box;
use std::time::{Duration, Instant};
use uuid::Uuid;

const BASE: i64 = 1_769_853_600 * SECOND;
const PAGES: u64 = 2_000;
const FIRST: [&str; 16] =
    ["Ana", "Ben", "Chloé", "Dev", "Emi", "Finn", "Grace", "Hamza", "Inês", "Jonas", "Keiko", "Lena", "Mark", "Noor", "Olu", "Zoë"];
const LAST: [&str; 8] = ["Rivera", "Ångström", "Okafor", "Tanaka", "Novák", "Silva", "Berg", "Kaya"];
const SYLLABLES: [&str; 24] = [
    "an", "ber", "chi", "do", "el", "fa", "ger", "hol", "is", "jo", "kra", "lin", "mo", "ne", "os", "pet", "qui", "ros", "sch", "to", "ur",
    "vel", "wei", "zo",
];

fn mixed(n: u64) -> u64 {
    let n = n.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let n = (n ^ (n >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    n ^ (n >> 31)
}

/// A name of few words and a number; one of made-up words, no two alike; all the same but for a number.
fn name(kind: &str, n: u64) -> String {
    let chance = mixed(n);
    let pick = |at: u32, of: usize| (chance >> at) as usize % of;
    match kind {
        "numbered" => format!("{} {} {n}", FIRST[pick(0, 16)], LAST[pick(8, 8)]),
        "made up" => {
            let word = |at: u32| (0..3).map(|ix| SYLLABLES[pick(at + ix * 7, 24)]).collect::<String>();
            format!("{} {}", word(0), word(24))
        }
        _ => format!("user{n:06}"),
    }
}

fn row(kind: &str, n: u64) -> Row {
    let (chance, at) = (mixed(n + 1), Timestamp::from_micros(BASE + n.cast_signed() * 200));
    let length = (chance % 3_600).cast_signed() * SECOND;
    Row {
        session: Uuid::nil(),
        id: Uuid::from_u64_pair(chance, mixed(chance)),
        user_id: Some(Uuid::from_u64_pair(mixed(chance), chance).to_string().into()),
        custom_participant_id: Some(format!("c-{}", mixed(n) % 10_000_000).into()),
        display_name: Some(name(kind, n).into()),
        preset_name: Some("webinar_participant".into()),
        joined_at: at,
        left_at: Some(at.plus(length)),
        length: Length::Gone(length),
        created_at: at,
        updated_at: at.plus(length),
        details: Details::default(),
    }
}

fn timed<T>(work: impl FnOnce() -> T) -> (T, Duration) {
    let start = Instant::now();
    let done = work();
    (done, start.elapsed())
}

/// The shortest of some times: what else the machine does only adds.
fn best<T>(times: u32, work: impl Fn() -> T) -> (T, Duration) {
    let runs = (0..times).map(|_| timed(&work));
    runs.min_by_key(|(_, took)| *took).unwrap()
}

fn main() {
    let people: u64 = std::env::args().nth(1).map_or(1_000_000, |arg| arg.parse().unwrap());
    for (kind, needles) in [
        (
            "numbered",
            &["zoë", "rivera 777", "a", "7", "777", "rivera", "zoë rivera", "777123", "c-77", "f00d", " ", "nobody", "rivera 7"][..],
        ),
        ("made up", &["zo", "schanber", "holgerros", "n p", "e", "linmo"]),
        ("alike", &["user", "user0", "user000123", "123", "r00"]),
    ] {
        figures(kind, people, needles);
    }
}

fn figures(kind: &str, people: u64, needles: &[&str]) {
    let rows: Vec<Row> = (0..people).map(|n| row(kind, n)).collect();
    let mut going_on = rows.clone();
    going_on[0].left_at = None;
    let (_, without) = timed(|| encode(going_on, Validity::default(), b"tag"));
    let (roster, built) = timed(|| Snapshot::new(encode(rows, Validity::default(), b"tag")).unwrap());
    let size = roster.index_size() as f64 / people as f64;
    println!("{kind}: written in {built:.2?}, without the index in {without:.2?}; the index is {size:.1} bytes a participant");
    let now = Timestamp::from_micros(BASE + 86_400 * SECOND);
    let query = |sort, offset| Query { order: Order { sort, descending: false }, offset, limit: 25, ..Query::default() };
    let page_time = |page: &dyn Fn(u64)| best(3, || (0..PAGES).for_each(page)).1 / u32::try_from(PAGES).unwrap();
    let plain = page_time(&|n| drop(black_box(roster.page(&query(Sort::JoinedAt, mixed(n) % people), now))));
    println!("  a plain page: {plain:.2?}");
    for needle in needles {
        let search = Search::new(needle);
        let (hits, first) = best(7, || roster.search(&search));
        let (_, by_length) = best(7, || roster.page_of(&roster.search(&search), &query(Sort::Duration, u64::from(hits.len()) / 2), now));
        let by_length = by_length.saturating_sub(first);
        let (_, near) = best(7, || roster.page_of(&roster.search(&search), &query(Sort::Duration, 0), now));
        let near = near.saturating_sub(first);
        let total = u64::from(hits.len()).max(1);
        let page = page_time(&|n| drop(black_box(roster.page_of(&hits, &query(Sort::JoinedAt, mixed(n) % total), now))));
        let page_by_length = page_time(&|n| drop(black_box(roster.page_of(&hits, &query(Sort::Duration, mixed(n) % total), now))));
        let (scanned, scan) = best(3, || (0..roster.len()).filter(|ix| search.matches(roster.row(*ix))).count());
        assert_eq!(scanned, hits.len() as usize, "{needle}");
        println!(
            "  {needle:?}: {} found in {first:.0?}, first page by length {near:.0?} more and one in the middle {by_length:.0?}, then {page:.2?} and {page_by_length:.2?} a page; a scan {scan:.0?}",
            hits.len()
        );
    }
}
