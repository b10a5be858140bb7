//! Commits whose answer never comes.

use super::Dice;
use super::cluster::cluster;
use rollbook_store::suite::fixtures::{app, append, batches, entry, id, link, meeting, session, source};
use rollbook_store::{Entry, LinkKind, PostgresOptions, PostgresStore, Store};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

/// Passes bytes on to the database. Of what has the mark it cuts off some after passing it on, other instead. Returns its port, and counts
/// cuts.
async fn cutting_proxy(to: String, mark: &'static str, cuts: Arc<AtomicU64>) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        for n in 0.. {
            let (client, _) = listener.accept().await.unwrap();
            let server = TcpStream::connect(&to).await.unwrap();
            tokio::spawn(pass(client, server, mark, Dice(n), Arc::clone(&cuts)));
        }
    });
    port
}

async fn pass(client: TcpStream, server: TcpStream, mark: &str, mut dice: Dice, cuts: Arc<AtomicU64>) {
    let ((mut from_client, mut to_client), (mut from_server, mut to_server)) = (client.into_split(), server.into_split());
    let back = tokio::spawn(async move { tokio::io::copy(&mut from_server, &mut to_client).await });
    let mut bytes = vec![0; 1 << 16];
    while let Ok(count @ 1..) = from_client.read(&mut bytes).await {
        let chunk = &bytes[..count];
        let cut = chunk.windows(mark.len()).any(|text| text == mark.as_bytes()) && dice.roll(3) == 0;
        if cut {
            back.abort();
            cuts.fetch_add(1, Ordering::SeqCst);
        }
        if (!cut || dice.roll(3) > 0) && to_server.write_all(chunk).await.is_err() {
            return;
        }
        if cut {
            // The database comes to commit, or is still at it, when the store asks what became of it.
            tokio::time::sleep(Duration::from_millis(dice.roll(2) * 20)).await;
            return;
        }
    }
    back.abort();
}

/// A store as it is, and one that is cut off at the mark.
async fn stores(mark: &'static str, cuts: &Arc<AtomicU64>) -> (PostgresStore, Arc<PostgresStore>) {
    let plain = cluster().schema().await;
    let (before, after) = plain.split_once('@').unwrap();
    let (host, after) = after.split_once('/').unwrap();
    let store = PostgresStore::connect(&plain, PostgresOptions::default()).await.unwrap();
    let port = cutting_proxy(host.to_owned(), mark, Arc::clone(cuts)).await;
    let cut = format!("{before}@127.0.0.1:{port}/{after}");
    let cut = PostgresStore::connect(&cut, PostgresOptions { patience: Duration::from_secs(60), ..Default::default() }).await.unwrap();
    (store, Arc::new(cut))
}

/// Half of the answers to commits get lost, and no caller is troubled with it: what is acknowledged is there once, and nothing conflicts
/// with itself.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commit_in_doubt_is_looked_up() {
    let cuts = Arc::new(AtomicU64::new(0));
    let (store, cut) = stores("COMMIT", &cuts).await;
    for n in 0..100 {
        let text = format!("{n}");
        append(&*cut, [entry(session(1), n, &text), entry(meeting(1), n, &text)]).await.unwrap();
    }
    assert!(cuts.load(Ordering::SeqCst) > 20, "only {cuts:?} commits were cut off");
    for stream in [session(1), meeting(1)] {
        let stored = batches(&store, stream).await.unwrap();
        assert_eq!(stored.len(), 100);
        assert_eq!(stored.iter().map(|batch| &batch.batch).collect::<BTreeSet<_>>().len(), 100);
    }
}

/// The same where one statement is the whole transaction, and several of them are under way at once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn statements_in_doubt_are_looked_up_side_by_side() {
    const WRITERS: u128 = 6;
    let cuts = Arc::new(AtomicU64::new(0));
    let (store, cut) = stores("batch of", &cuts).await;
    let mut tasks = JoinSet::new();
    for writer in 0..WRITERS {
        let cut = Arc::clone(&cut);
        tasks.spawn(async move {
            for n in 0..40 {
                let one = entry(session(writer), n, &format!("batch of {writer}, {n}"));
                append(&*cut, [Entry { links: vec![link(source(writer), one.stream)], ..one }]).await.unwrap();
            }
        });
    }
    tasks.join_all().await;
    assert!(cuts.load(Ordering::SeqCst) > 20, "only {cuts:?} statements were cut off");
    for writer in 0..WRITERS {
        let stored = batches(&store, session(writer)).await.unwrap();
        let texts = stored.iter().map(|batch| String::from_utf8_lossy(&batch.batch).into_owned());
        assert!(texts.eq((0..40).map(|n| format!("batch of {writer}, {n}"))), "writer {writer}: {stored:?}");
        assert_eq!(store.linked(&app(), LinkKind::Source, id(writer)).await.unwrap(), [session(writer)]);
    }
}
