//! Cases of `keep`, `kept` and `ready`.
#![expect(missing_docs, reason = "a case's name says what it holds")]

use super::fixtures::*;
use crate::contract::{Kept, Store};
use bytes::Bytes;
use std::sync::Arc;
use std::time::Duration;

async fn keep(store: &dyn Store, engine: &str, body: &'static [u8]) {
    store.keep(&app(), engine, Bytes::from_static(body)).await.unwrap();
}

async fn bodies(store: &dyn Store, limit: usize) -> Vec<(String, Bytes)> {
    store.kept(&app(), limit).await.unwrap().into_iter().map(|Kept { engine, body, .. }| (engine, body)).collect()
}

fn pair(engine: &str, body: &'static [u8]) -> (String, Bytes) {
    (engine.into(), Bytes::from_static(body))
}

pub async fn a_delivery_is_kept_once(store: Arc<dyn Store>, clock: HandClock) {
    clock.set(at(1));
    for (engine, body) in [("zoom", &b"a"[..]), ("zoom", b"A"), ("jitsi", b"a"), ("zoo", b"ma"), ("zoom", b"a\0"), ("zoom", b"")] {
        keep(&*store, engine, body).await;
    }
    let times = async || store.kept(&app(), 99).await.unwrap().iter().map(|kept| kept.received_at).collect::<Vec<_>>();
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
    let times: Vec<_> = store.kept(&app(), 9).await.unwrap().iter().map(|kept| kept.received_at).collect();
    assert!(clock.agrees(&times, &[5, 6, 6, 7]), "{times:?}");
}

pub async fn deliveries_are_scoped(store: Arc<dyn Store>, _: HandClock) {
    keep(&*store, "zoom", b"a").await;
    assert_eq!(store.kept(&other_app(), 9).await.unwrap(), []);
    store.keep(&other_app(), "zoom", Bytes::from_static(b"a")).await.unwrap();
    assert_eq!(store.kept(&other_app(), 9).await.unwrap().len(), 1);
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
        assert_eq!(store.kept(&app, 9).await.unwrap(), []);
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
    assert_eq!(store.kept(&app(), 9).await.unwrap(), []);
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
    assert_eq!(store.kept(&app(), 9).await.unwrap(), []);
}
