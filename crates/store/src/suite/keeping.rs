//! Cases of `keep`, `kept`, what drops those that are kept, and `ready`.
#![expect(missing_docs, reason = "a case's name says what it holds")]

use super::fixtures::*;
use crate::contract::{KEPT_OVERHEAD, Kept, Store};
use bytes::Bytes;
use std::sync::Arc;
use std::time::Duration;

async fn keep(store: &dyn Store, engine: &str, body: &'static [u8]) {
    store.keep(&app(), engine, Bytes::from_static(body)).await.unwrap();
}

async fn bodies(store: &dyn Store, limit: usize) -> Vec<(String, Bytes)> {
    store.kept(&app(), 0, limit).await.unwrap().into_iter().map(|(_, Kept { engine, body, .. })| (engine, body)).collect()
}

fn pair(engine: &str, body: &'static [u8]) -> (String, Bytes) {
    (engine.into(), Bytes::from_static(body))
}

pub async fn a_delivery_is_kept_once(store: Arc<dyn Store>, clock: HandClock) {
    clock.set(at(1));
    for (engine, body) in [("zoom", &b"a"[..]), ("zoom", b"A"), ("jitsi", b"a"), ("zoo", b"ma"), ("zoom", b"a\0"), ("zoom", b"")] {
        keep(&*store, engine, body).await;
    }
    let times = async || store.kept(&app(), 0, 99).await.unwrap().iter().map(|(_, kept)| kept.received_at).collect::<Vec<_>>();
    let first = times().await;
    clock.set(at(2));
    for (engine, body) in [("zoom", &b"a"[..]), ("jitsi", b"a"), ("zoom", b"")] {
        keep(&*store, engine, body).await;
    }
    let expected =
        [pair("zoom", b"a"), pair("zoom", b"A"), pair("jitsi", b"a"), pair("zoo", b"ma"), pair("zoom", b"a\0"), pair("zoom", b"")];
    assert_eq!(bodies(&*store, 99).await, expected);
    assert_eq!(times().await, first);
    assert!(clock.agrees(&first, &[1; 6]), "{first:?}");
}

pub async fn the_oldest_comes_first(store: Arc<dyn Store>, clock: HandClock) {
    for (micros, body) in [(5, &b"c"[..]), (6, b"b"), (6, b"a"), (7, b"d")] {
        clock.set(at(micros));
        keep(&*store, "zoom", body).await;
    }
    let all = [b"c", b"b", b"a", b"d"].map(|body| pair("zoom", body));
    for limit in 0..=all.len() {
        assert_eq!(bodies(&*store, limit).await, all[..limit]);
    }
    assert_eq!(bodies(&*store, usize::MAX).await, all);
    let times: Vec<_> = store.kept(&app(), 0, 9).await.unwrap().iter().map(|(_, kept)| kept.received_at).collect();
    assert!(clock.agrees(&times, &[5, 6, 6, 7]), "{times:?}");
}

pub async fn deliveries_are_scoped(store: Arc<dyn Store>, _: HandClock) {
    keep(&*store, "zoom", b"a").await;
    assert_eq!(store.kept(&other_app(), 0, 9).await.unwrap(), []);
    store.keep(&other_app(), "zoom", Bytes::from_static(b"a")).await.unwrap();
    assert_eq!(store.kept(&other_app(), 0, 9).await.unwrap().len(), 1);
    assert_eq!(bodies(&*store, 9).await, [pair("zoom", b"a")]);
}

pub async fn what_was_kept_long_ago_expires(store: Arc<dyn Store>, clock: HandClock) {
    clock.set(at(10));
    keep(&*store, "zoom", b"a").await;
    store.keep(&other_app(), "zoom", Bytes::from_static(b"a")).await.unwrap();
    clock.set(at(11));
    keep(&*store, "zoom", b"b").await;
    clock.set(at(21));
    assert_eq!(store.expire_kept(Duration::from_secs(3600)).await.unwrap(), 0);
    if clock.is_obeyed() {
        assert_eq!(store.expire_kept(Duration::from_micros(11)).await.unwrap(), 0);
        assert_eq!(store.expire_kept(Duration::from_micros(10)).await.unwrap(), 2);
        assert_eq!(bodies(&*store, 9).await, [pair("zoom", b"b")]);
        keep(&*store, "zoom", b"a").await;
        assert_eq!(bodies(&*store, 9).await, [pair("zoom", b"b"), pair("zoom", b"a")]);
        clock.set(at(22));
    }
    assert!(store.expire_kept(Duration::ZERO).await.unwrap() >= 2);
    assert_eq!(store.expire_kept(Duration::ZERO).await.unwrap(), 0);
    for app in [app(), other_app()] {
        assert_eq!(store.kept(&app, 0, 9).await.unwrap(), []);
    }
    keep(&*store, "zoom", b"a").await;
    assert_eq!(bodies(&*store, 9).await, [pair("zoom", b"a")]);
}

pub async fn many_expire_at_once(store: Arc<dyn Store>, clock: HandClock) {
    for n in 0..2003_u32 {
        store.keep(&app(), "zoom", Bytes::copy_from_slice(&n.to_be_bytes())).await.unwrap();
    }
    clock.set(at(1));
    assert_eq!(store.expire_kept(Duration::ZERO).await.unwrap(), 2003);
    assert_eq!(store.kept(&app(), 0, 9).await.unwrap(), []);
}

pub async fn numbers_page_through(store: Arc<dyn Store>, _: HandClock) {
    for body in [b"a", b"b", b"c", b"d"] {
        keep(&*store, "zoom", body).await;
        store.keep(&other_app(), "zoom", Bytes::from_static(body)).await.unwrap();
    }
    let (mut after, mut all) = (0, Vec::new());
    loop {
        let page = store.kept(&app(), after, 3).await.unwrap();
        let Some((last, _)) = page.last() else { break };
        assert!(page.iter().map(|(number, _)| *number).is_sorted_by(|a, b| a < b) && page[0].0 > after);
        after = *last;
        all.extend(page.into_iter().map(|(_, kept)| kept.body));
    }
    assert_eq!(all, ["a", "b", "c", "d"]);
    assert_eq!(store.kept(&app(), i64::MAX, 9).await.unwrap(), []);
}

pub async fn a_delivery_is_discarded(store: Arc<dyn Store>, _: HandClock) {
    for (engine, body) in [("zoom", &b"a"[..]), ("jitsi", b"a"), ("zoom", b"b")] {
        keep(&*store, engine, body).await;
    }
    store.keep(&other_app(), "zoom", Bytes::from_static(b"a")).await.unwrap();
    for _ in 0..2 {
        store.discard(&app(), "zoom", Bytes::from_static(b"a")).await.unwrap();
        assert_eq!(bodies(&*store, 9).await, [pair("jitsi", b"a"), pair("zoom", b"b")]);
    }
    assert_eq!(store.kept(&other_app(), 0, 9).await.unwrap().len(), 1);
    keep(&*store, "zoom", b"a").await;
    assert_eq!(bodies(&*store, 9).await, [pair("jitsi", b"a"), pair("zoom", b"b"), pair("zoom", b"a")]);
}

pub async fn the_oldest_go_where_there_is_too_much(store: Arc<dyn Store>, _: HandClock) {
    assert_eq!(store.bound_kept(&app(), 0).await.unwrap(), 0);
    for body in [&b"1"[..], b"22", b"333", b"4444"] {
        keep(&*store, "zoom", body).await;
    }
    store.keep(&other_app(), "zoom", Bytes::from_static(b"1")).await.unwrap();
    let counted = |bodies: u64, bytes: u64| bodies * KEPT_OVERHEAD + bytes;
    assert_eq!(store.bound_kept(&app(), counted(4, 10)).await.unwrap(), 0);
    assert_eq!(store.bound_kept(&app(), counted(4, 9)).await.unwrap(), 1);
    assert_eq!(store.bound_kept(&app(), counted(2, 7)).await.unwrap(), 1);
    assert_eq!(bodies(&*store, 9).await, [pair("zoom", b"333"), pair("zoom", b"4444")]);
    assert_eq!(store.bound_kept(&app(), 1).await.unwrap(), 2, "a single one may be too much");
    assert_eq!((bodies(&*store, 9).await.len(), store.kept(&other_app(), 0, 9).await.unwrap().len()), (0, 1));
}

pub async fn many_go_at_once(store: Arc<dyn Store>, _: HandClock) {
    for n in 0..2003_u32 {
        store.keep(&app(), "zoom", Bytes::copy_from_slice(&n.to_be_bytes())).await.unwrap();
    }
    assert_eq!(store.bound_kept(&app(), 2 * (4 + KEPT_OVERHEAD)).await.unwrap(), 2001);
    assert_eq!(store.kept(&app(), 0, 9).await.unwrap().len(), 2);
}

pub async fn a_duty_is_given_back_by_its_holder(store: Arc<dyn Store>, _: HandClock) {
    let one = store.duty("one").await.unwrap().unwrap();
    let mut other = store.duty("other").await.unwrap().unwrap();
    assert!(tokio::time::timeout(Duration::from_millis(20), other.lost()).await.is_err(), "lost at once");
    drop(one);
    // A database hears of it a moment later.
    while store.duty("one").await.unwrap().is_none() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

pub async fn being_ready_changes_nothing(store: Arc<dyn Store>, _: HandClock) {
    store.ready().await.unwrap();
    append(&*store, [entry(session(1), 0, "x")]).await.unwrap();
    store.ready().await.unwrap();
    assert_eq!(head(&*store, session(1)).await.unwrap(), 1);
    assert_eq!(store.streams(&app(), None, 9).await.unwrap(), [session(1)]);
    assert_eq!(store.kept(&app(), 0, 9).await.unwrap(), []);
}
