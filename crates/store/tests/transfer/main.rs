//! Both ends of a move: what is read is what was stored, what is put is as it was, and a marked ledger takes nothing from anyone else.
#![expect(clippy::unwrap_used, reason = "these are tests")]

#[path = "../cluster/mod.rs"]
mod cluster;

use bytes::Bytes;
use cluster::cluster;
use rollbook_core::id::Stream;
use rollbook_core::time::Timestamp;
use rollbook_store::postgres::{ConnectError, PostgresTransfer};
use rollbook_store::sqlite::{OpenError, SqliteTransfer};
use rollbook_store::suite::fixtures::{app, append, at, entry, link, meeting, other_app, record, session, source};
use rollbook_store::transfer::{Mark, Span, Standing, Transfer};
use rollbook_store::{AppendError, Batch, Clock, PostgresOptions, PostgresStore, SqliteStore, Store, StoreError};
use std::path::PathBuf;
use std::sync::Arc;

/// Where a ledger is.
enum Place {
    Folder(tempfile::TempDir),
    Database(String),
}

fn clock() -> Clock {
    Arc::new(|| Timestamp::from_micros(1_000))
}

impl Place {
    async fn both() -> [Self; 2] {
        [Self::Folder(tempfile::tempdir().unwrap()), Self::Database(cluster().schema().await)]
    }

    async fn served(&self) -> Result<Arc<dyn Store>, String> {
        Ok(match self {
            Self::Folder(dir) => Arc::new(SqliteStore::open(dir.path(), clock()).map_err(|error: OpenError| error.to_string())?),
            Self::Database(url) => {
                Arc::new(PostgresStore::connect(url, PostgresOptions::default()).await.map_err(|error: ConnectError| error.to_string())?)
            }
        })
    }

    async fn source(&self) -> Arc<dyn Transfer> {
        match self {
            Self::Folder(dir) => Arc::new(SqliteTransfer::source(dir.path(), clock()).unwrap()),
            Self::Database(url) => Arc::new(PostgresTransfer::source(url, PostgresOptions::default()).await.unwrap()),
        }
    }

    async fn target(&self) -> Arc<dyn Transfer> {
        match self {
            Self::Folder(dir) => Arc::new(SqliteTransfer::target(dir.path(), clock()).unwrap()),
            Self::Database(url) => Arc::new(PostgresTransfer::target(url, PostgresOptions::default()).await.unwrap()),
        }
    }
}

async fn all(end: &dyn Transfer, first: (Stream, u64), last: (Stream, u64)) -> Vec<Batch> {
    let mut coming = end.batches(&app(), Span { after: first, until: last });
    let mut found = Vec::new();
    while let Some(batches) = coming.recv().await {
        found.extend(batches.unwrap());
    }
    found
}

fn mark(standing: Standing) -> Mark {
    Mark { standing, other: "the other's place".into(), at: at(5) }
}

fn unavailable(result: Result<(), StoreError>) -> String {
    result.unwrap_err().to_string()
}

/// A database that nodes of an earlier release may use is theirs until it gets what they can't read.
#[tokio::test(flavor = "multi_thread")]
async fn batches_of_a_later_version_shut_out_older_nodes() {
    let url = cluster().schema().await;
    let target = Place::Database(url.clone()).target().await;
    let (_, schema) = url.rsplit_once("%3D").unwrap();
    let client = cluster().client().await;
    let version = async || client.query_one(&format!("SELECT version FROM {schema}.rollbook_schema"), &[]).await.unwrap().get::<_, i32>(0);
    let batch = |seq, bytes| Batch { stream: session(1), seq, batch: Bytes::from_static(bytes), received_at: at(1) };
    target.put_batches(&app(), vec![batch(1, &[1, 0])]).await.unwrap();
    assert_eq!(version().await, 1);
    target.put_batches(&app(), vec![batch(2, &[1, 0]), batch(3, &[2, 0])]).await.unwrap();
    assert_eq!(version().await, 4);
    drop(target);
    Place::Database(url.clone()).served().await.unwrap();
    assert_eq!(version().await, 4, "who knows the step leaves it");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_stored_is_read_in_order_and_put_as_it_was() {
    for (from, to) in Place::both().await.into_iter().zip(Place::both().await.into_iter().rev()) {
        let store = from.served().await.unwrap();
        let mut first = entry(session(1), 0, "one");
        first.links = vec![link(source(9), session(1))];
        append(&*store, [first, entry(meeting(1), 0, "two"), entry(source(9), 0, "three")]).await.unwrap();
        append(&*store, [entry(session(1), 1, "four")]).await.unwrap();
        for body in ["b", "a"] {
            store.keep(&other_app(), "janus", Bytes::from_static(body.as_bytes())).await.unwrap();
        }
        let (ours, theirs) = (from.source().await, to.target().await);
        assert_eq!(ours.apps().await.unwrap(), [other_app(), app()]);
        let heads = ours.heads(&app(), None, 9).await.unwrap();
        assert_eq!(heads, [(session(1), 2), (meeting(1), 1), (source(9), 1)]);
        assert_eq!(ours.heads(&app(), Some(session(1)), 1).await.unwrap(), [(meeting(1), 1)]);
        assert_eq!(ours.heads_of(&app(), &[source(9), session(7), session(1)]).await.unwrap(), [1, 0, 2]);
        let batches = all(&*ours, (session(1), 0), (source(9), 1)).await;
        assert_eq!(batches.iter().map(|batch| &batch.batch[..]).collect::<Vec<_>>(), [&b"one"[..], b"four", b"two", b"three"]);
        assert_eq!(all(&*ours, (session(1), 1), (meeting(1), 1)).await, batches[1..3]);

        theirs.put_batches(&app(), batches.clone()).await.unwrap();
        assert_eq!(all(&*theirs, (session(1), 0), (source(9), 1)).await, batches, "with the times at which they were received");
        let links = ours.links(&app(), None, 9).await.unwrap();
        assert_eq!(links, [link(source(9), session(1))]);
        theirs.put_links(&app(), links.clone()).await.unwrap();
        assert_eq!(theirs.links(&app(), None, 9).await.unwrap(), links);
        assert_eq!(theirs.links(&app(), links.first().copied(), 9).await.unwrap(), []);
        let kept: Vec<_> = ours.kept(&other_app(), 0, 9).await.unwrap().into_iter().map(|(_, kept)| kept).collect();
        assert_eq!(theirs.kept_at(&other_app(), &kept).await.unwrap(), [None, None]);
        theirs.put_kept(&other_app(), kept.clone()).await.unwrap();
        assert_eq!(theirs.kept_at(&other_app(), &kept).await.unwrap(), kept.iter().map(|kept| Some(kept.received_at)).collect::<Vec<_>>());
        let store = theirs.store();
        assert_eq!(
            store.kept(&other_app(), 0, 9).await.unwrap().into_iter().map(|(_, kept)| kept).collect::<Vec<_>>(),
            kept,
            "in the order in which they were kept"
        );
        assert_eq!(store.unsettled(&app()).await.unwrap(), [session(1), meeting(1)]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_settled_is_unsettled_by_what_is_put() {
    for to in Place::both().await {
        let theirs = to.target().await;
        let store = theirs.store();
        let put = async |stream, seq| {
            let batch = Batch { stream, seq, batch: Bytes::from_static(b"x"), received_at: at(1) };
            theirs.put_batches(&app(), vec![batch]).await.unwrap();
        };
        let settle = async |stream, seq| store.settle(&app(), stream, &vec![(stream, seq)], &[record(1, stream)]).await.unwrap();
        put(session(1), 1).await;
        assert!(settle(session(1), 1).await);
        put(session(1), 2).await;
        assert_eq!(store.unsettled(&app()).await.unwrap(), [session(1)]);
        assert!(settle(session(1), 2).await);
        put(source(9), 1).await;
        assert_eq!(store.unsettled(&app()).await.unwrap(), [session(1)], "a source's life-cycle may change any of them");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_marked_ledger_takes_nothing_from_those_who_have_it_open_and_is_opened_by_nobody() {
    for place in Place::both().await {
        let store = place.served().await.unwrap();
        append(&*store, [entry(session(1), 0, "before")]).await.unwrap();
        let end = place.source().await;
        assert_eq!(end.mark().await.unwrap(), None);
        assert!(!end.remark(Some(&mark(Standing::Moved)), None).await.unwrap(), "it has no such mark");
        assert!(end.remark(None, Some(&mark(Standing::Leaving))).await.unwrap());
        assert_eq!(end.mark().await.unwrap(), Some(mark(Standing::Leaving)));

        for (standing, text) in [(Standing::Leaving, "on its way to the other's place"), (Standing::Moved, "moved to the other's place on")]
        {
            end.remark(Some(&mark(Standing::Leaving)), Some(&mark(standing))).await.unwrap();
            let Err(AppendError::Store(error)) = append(&*store, [entry(session(1), 1, "after")]).await else { panic!("it was taken") };
            assert!(error.to_string().contains(text), "{error}");
            assert!(unavailable(store.keep(&app(), "janus", Bytes::from_static(b"x")).await).contains(text));
            assert!(unavailable(store.ready().await).contains(text));
            assert_eq!(store.since(&app(), &[(session(1), 0)]).await.unwrap().batches.len(), 1, "it is read as before");
            if let Place::Database(_) = place {
                assert!(place.served().await.err().unwrap().contains(text));
            }
        }
        assert!(end.remark(Some(&mark(Standing::Moved)), None).await.unwrap());
        append(&*store, [entry(session(1), 1, "again")]).await.unwrap();
        store.ready().await.unwrap();
        drop(store);
        assert!(place.served().await.is_ok());
        end.remark(None, Some(&mark(Standing::Arriving))).await.unwrap();
        assert!(place.served().await.err().unwrap().contains("is not finished: run that `rollbook migrate` again"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_is_being_filled_takes_nothing_from_its_nodes() {
    let url = cluster().schema().await;
    let node = PostgresStore::connect(&url, PostgresOptions::default()).await.unwrap();
    let end = PostgresTransfer::target(&url, PostgresOptions::default()).await.unwrap();
    assert!(end.remark(None, Some(&mark(Standing::Arriving))).await.unwrap());
    assert!(matches!(append(&node, [entry(session(1), 0, "x")]).await, Err(AppendError::Store(_))));
    let batch = Batch { stream: session(1), seq: 1, batch: Bytes::from_static(b"x"), received_at: at(1) };
    end.put_batches(&app(), vec![batch.clone()]).await.unwrap();
    assert_eq!(node.since(&app(), &[(session(1), 0)]).await.unwrap().batches, [batch]);
    assert!(PostgresTransfer::target(&url, PostgresOptions::default()).await.is_err(), "one process fills it");
}

#[test]
fn places_have_no_passwords() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let place = runtime.block_on(async {
        let url = cluster().schema().await.replace("postgres@", "postgres:secret@");
        PostgresTransfer::target(&url, PostgresOptions::default()).await.unwrap().place().to_owned()
    });
    assert!(place.starts_with("postgres://localhost:") && place.contains("/postgres (schema test_"), "{place}");
    let dir: PathBuf = tempfile::tempdir().unwrap().keep();
    let place = SqliteTransfer::target(&dir, clock()).unwrap().place().to_owned();
    assert_eq!(place, dir.display().to_string());
    std::fs::remove_dir_all(dir).unwrap();
}
