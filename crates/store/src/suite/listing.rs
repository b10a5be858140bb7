//! Cases of the list of sessions: what comes back, in which order, within which bounds.
#![expect(missing_docs, reason = "a case's name says what it holds")]

use super::fixtures::*;
use crate::contract::{SessionFilter, SessionOrder, SessionRecord, SessionSort, Store};
use std::ops::Range;
use std::sync::Arc;

const SORTS: [SessionSort; 2] = [SessionSort::StartedAt, SessionSort::Consumed];

/// Sessions of two streams: number, start, minutes, participants, meeting.
async fn five(store: &dyn Store) {
    let rows = [(1, 30, 7, 2, Some(70)), (2, 10, 7, 0, None), (3, 20, 9, 5, Some(70)), (4, 20, 1, 3, Some(71)), (5, -5, 7, 9, None)];
    let records = rows.map(|(n, start, consumed, participants, meeting)| SessionRecord {
        started_at: at(start),
        consumed,
        participants,
        meeting: meeting.map(id),
        ..record(n, session(n % 2))
    });
    for stream in [session(0), session(1)] {
        let records: Vec<_> = records.iter().filter(|record| record.stream == stream).cloned().collect();
        assert!(settled(store, stream, &records).await.unwrap());
    }
}

pub async fn records_come_back_whole(store: Arc<dyn Store>, _: HandClock) {
    let full = SessionRecord {
        meeting: Some(id(u128::MAX)),
        started_at: rollbook_core::time::Timestamp::MIN,
        last_change_at: rollbook_core::time::Timestamp::MAX,
        consumed: i64::MAX,
        participants: 1 << 40,
        folded_title: "é'\"\\%_\u{0}\u{10ffff} ".into(),
        summary: (0..=255).collect::<Vec<u8>>().into(),
        ..record(1, meeting(1))
    };
    let bare = SessionRecord { started_at: at(1), summary: Default::default(), ..record(2, meeting(1)) };
    assert!(settled(&*store, meeting(1), &[bare.clone(), full.clone()]).await.unwrap());
    let page = list(&*store, &SessionFilter::default()).await.unwrap();
    assert_eq!((page.total, page.records), (2, vec![full, bare]));
}

pub async fn both_orders_and_their_reverse(store: Arc<dyn Store>, _: HandClock) {
    five(&*store).await;
    for (sort, expected) in SORTS.into_iter().zip([[5, 2, 3, 4, 1], [4, 1, 2, 5, 3]]) {
        for descending in [false, true] {
            let mut expected = expected;
            if descending {
                expected.reverse();
            }
            let page = store.sessions(&app(), &SessionFilter::default(), SessionOrder { sort, descending }, 0..9).await.unwrap();
            assert_eq!(numbers(&page), expected, "{sort:?} {descending}");
        }
    }
}

#[expect(clippy::reversed_empty_ranges, reason = "a range that ends before it begins is one of the cases")]
pub async fn a_range_is_a_slice(store: Arc<dyn Store>, _: HandClock) {
    five(&*store).await;
    let whole: [u128; 5] = [5, 2, 3, 4, 1];
    let ranges: [(Range<u64>, Range<usize>); 8] = [
        (0..2, 0..2),
        (2..4, 2..4),
        (4..9, 4..5),
        (5..9, 0..0),
        (3..3, 0..0),
        (3..1, 0..0),
        (0..u64::MAX, 0..5),
        (u64::MAX - 1..u64::MAX, 0..0),
    ];
    for (range, expected) in ranges {
        let page = store.sessions(&app(), &SessionFilter::default(), BY_START, range.clone()).await.unwrap();
        assert_eq!((page.total, numbers(&page)), (5, whole[expected].to_vec()), "{range:?}");
    }
}

pub async fn bounds_include_their_ends(store: Arc<dyn Store>, _: HandClock) {
    five(&*store).await;
    let all = SessionFilter::default;
    let cases = [
        (SessionFilter { from: Some(at(20)), ..all() }, vec![3, 4, 1]),
        (SessionFilter { from: Some(at(21)), ..all() }, vec![1]),
        (SessionFilter { until: Some(at(20)), ..all() }, vec![5, 2, 3, 4]),
        (SessionFilter { until: Some(at(19)), ..all() }, vec![5, 2]),
        (SessionFilter { meeting: Some(id(70)), ..all() }, vec![3, 1]),
        (SessionFilter { meeting: Some(id(72)), ..all() }, vec![]),
        (SessionFilter { min_participants: Some(3), ..all() }, vec![5, 3, 4]),
        (SessionFilter { min_participants: Some(0), ..all() }, vec![5, 2, 3, 4, 1]),
        (SessionFilter { min_participants: Some(u64::MAX), ..all() }, vec![]),
        (SessionFilter { max_participants: Some(3), ..all() }, vec![2, 4, 1]),
        (SessionFilter { max_participants: Some(0), ..all() }, vec![2]),
        (SessionFilter { max_participants: Some(u64::MAX), ..all() }, vec![5, 2, 3, 4, 1]),
    ];
    for (filter, expected) in cases {
        let page = list(&*store, &filter).await.unwrap();
        assert_eq!((page.total, numbers(&page)), (expected.len() as u64, expected), "{filter:?}");
    }
}

pub async fn bounds_hold_together(store: Arc<dyn Store>, _: HandClock) {
    five(&*store).await;
    let narrow = SessionFilter {
        from: Some(at(20)),
        until: Some(at(20)),
        meeting: Some(id(70)),
        min_participants: Some(5),
        max_participants: Some(5),
        search: Some(String::new()),
    };
    let page = store.sessions(&app(), &narrow, BY_START, 0..1).await.unwrap();
    assert_eq!((page.total, numbers(&page)), (1, vec![3]));
    let slice = SessionFilter { from: Some(at(0)), max_participants: Some(3), ..SessionFilter::default() };
    let order = SessionOrder { sort: SessionSort::Consumed, descending: true };
    let page = store.sessions(&app(), &slice, order, 1..2).await.unwrap();
    assert_eq!((page.total, numbers(&page)), (3, vec![1]));
    let never = SessionFilter { from: Some(at(21)), until: Some(at(19)), ..SessionFilter::default() };
    assert_eq!(list(&*store, &never).await.unwrap().total, 0);
}

pub async fn lists_are_scoped(store: Arc<dyn Store>, _: HandClock) {
    five(&*store).await;
    let page = store.sessions(&other_app(), &SessionFilter::default(), BY_START, 0..9).await.unwrap();
    assert_eq!((page.total, page.records), (0, vec![]));
}
