//! Reads from streaming replicas: those that keep up, those that lag, and those that are none.

use super::Dice;
use super::cluster::{Cluster, cluster};
use rollbook_store::postgres::ReplicaReads;
use rollbook_store::suite::Subject;
use rollbook_store::suite::fixtures::{app, append, batches, entry, head, id, is_conflict, session};
use rollbook_store::{Clock, Entry, Link, LinkKind, PostgresOptions, PostgresStore, Store};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::Instant;

/// A primary and its replica, for all tests of this program.
fn pair() -> &'static (Cluster, Cluster) {
    static PAIR: OnceLock<(Cluster, Cluster)> = OnceLock::new();
    PAIR.get_or_init(|| {
        let primary = Cluster::start("-c fsync=off");
        let replica = primary.replica("-c fsync=off");
        (primary, replica)
    })
}

/// All that is new is read from the replica, however little it is.
fn options() -> PostgresOptions {
    PostgresOptions { connections: 10, check_batches: 1, ..PostgresOptions::default() }
}

async fn connect(primary: &Cluster, replica: &Cluster, address: &str) -> PostgresStore {
    let counterpart = replica.counterpart(primary, address);
    PostgresStore::connect_with_replica(address, Some(&counterpart), options()).await.unwrap()
}

mod suite {
    use super::*;

    fn replicated(_: Clock) -> Subject {
        let (primary, replica) = pair();
        let store = async { connect(primary, replica, &primary.schema().await).await };
        let store = tokio::runtime::Handle::current().block_on(store);
        Subject { store: Arc::new(store), own_time: true, alive: Box::new(()) }
    }

    rollbook_store::contract_suite!(replicated);
}

/// Appends one batch, with a link by which it is found.
async fn add(store: &PostgresStore, n: u64, known: u64) -> bool {
    let link = Link { kind: LinkKind::Peer, from: peer(n, known + 1), to: session(n.into()) };
    let result = append(store, [Entry { links: vec![link], ..entry(session(n.into()), known, "x") }]).await;
    assert!(result.is_ok() || is_conflict(&result), "{result:?}");
    result.is_ok()
}

fn peer(n: u64, seq: u64) -> uuid::Uuid {
    id(u128::from(n) << 64 | u128::from(seq))
}

const STREAMS: u64 = 5;

/// What was acknowledged of each stream, and how many reads there are to come.
struct Seen {
    acknowledged: [AtomicU64; STREAMS as usize],
    left: AtomicU64,
}

impl Seen {
    fn goes_on(&self) -> bool {
        self.left.load(Ordering::SeqCst) > 0
    }
}

async fn write(node: Arc<PostgresStore>, seen: Arc<Seen>, mut dice: Dice) {
    while seen.goes_on() {
        let n = dice.roll(STREAMS);
        let known = head(&*node, session(n.into())).await.unwrap();
        if add(&node, n, known).await {
            seen.acknowledged[n as usize].fetch_max(known + 1, Ordering::SeqCst);
        }
    }
}

async fn read(node: Arc<PostgresStore>, seen: Arc<Seen>, mut dice: Dice) {
    while seen.left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok() {
        let n = dice.roll(STREAMS);
        let must = seen.acknowledged[n as usize].load(Ordering::SeqCst);
        if dice.roll(2) == 0 && must > 0 {
            let found = node.linked(&app(), LinkKind::Peer, peer(n, must)).await.unwrap();
            assert_eq!(found, [session(n.into())], "what was acknowledged with batch {must} of stream {n} is not found");
        } else {
            let known = must.saturating_sub(dice.roll(20));
            let since = node.since(&app(), &[(session(n.into()), known)]).await.unwrap();
            let end = since.batches.last().map_or(known, |batch| batch.seq);
            assert!(end >= must, "stream {n}: {must} was acknowledged before, and {end} is read");
            assert!(since.batches.iter().map(|batch| batch.seq).eq(known + 1..=end), "numbers have gaps");
        }
    }
}

/// Ends connections to a replica, as it does itself where a query is in the way of what it has to replay.
async fn cut_off(replica: &Cluster, seen: &Seen) {
    let client = replica.client().await;
    while seen.goes_on() {
        client
            .execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'rollbook' AND random() < 0.1", &[])
            .await
            .unwrap();
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_node_sees_what_any_acknowledged_whatever_its_replica() {
    let (primary, near) = pair();
    let (late, later) =
        (primary.replica("-c fsync=off -c recovery_min_apply_delay=40ms"), primary.replica("-c fsync=off -c recovery_min_apply_delay=1h"));
    let address = primary.schema().await;
    let own = Arc::new(PostgresStore::connect(&address, options()).await.unwrap());
    let mut nodes = vec![own];
    for replica in [near, &late, &later] {
        nodes.push(Arc::new(connect(primary, replica, &address).await));
    }
    let seen = Arc::new(Seen { acknowledged: Default::default(), left: 6000.into() });
    let mut tasks = JoinSet::new();
    for (n, node) in (0..).zip(&nodes) {
        for task in 0..6 {
            tasks.spawn(read(Arc::clone(node), Arc::clone(&seen), Dice(n * 100 + task)));
        }
        tasks.spawn(write(Arc::clone(node), Arc::clone(&seen), Dice(n * 100 + 50)));
    }
    tokio::join!(tasks.join_all(), cut_off(near, &seen));
    let reads: Vec<ReplicaReads> = nodes.iter().map(|node| node.replica_reads()).collect();
    assert!(reads[1].by_replica() > 100 && reads[2].by_replica() > 100, "the replicas were hardly asked: {reads:?}");
    assert!(reads[0].by_replica() == 0 && reads[3].by_replica() == 0 && reads[3].by_primary() > 100, "{reads:?}");
}

/// Reads through the replica's node until the replica has answered `times` more reads.
async fn until_the_replica_answers(store: &PostgresStore, times: u64) {
    let wanted = store.replica_reads().by_replica() + times;
    while store.replica_reads().by_replica() < wanted {
        batches(store, session(1)).await.unwrap();
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replica_that_goes_away_and_comes_back_is_used_again_until_it_is_promoted() {
    let (primary, _) = pair();
    let replica = primary.replica("-c fsync=off");
    let store = connect(primary, &replica, &primary.schema().await).await;
    for known in 0..10 {
        assert!(add(&store, 1, known).await);
    }
    until_the_replica_answers(&store, 3).await;
    replica.control("stop");
    assert!(add(&store, 1, 10).await);
    assert_eq!(head(&store, session(1)).await.unwrap(), 11);
    replica.control("start");
    until_the_replica_answers(&store, 3).await;
    replica.control("promote");
    // What it takes by itself is nothing to us.
    let replicated = store.replica_reads().by_replica();
    for known in 11..15 {
        assert!(add(&store, 1, known).await);
        assert_eq!(head(&store, session(1)).await.unwrap(), known + 1);
        assert_eq!(store.linked(&app(), LinkKind::Peer, peer(1, known + 1)).await.unwrap(), [session(1)]);
    }
    assert_eq!(store.replica_reads().by_replica(), replicated);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_role_must_see_how_far_the_replica_is() {
    let (primary, replica) = pair();
    let address = primary.schema().await;
    let (_, schema) = address.rsplit_once("%3D").unwrap();
    let client = primary.client().await;
    client.batch_execute(&format!("CREATE ROLE plain LOGIN; GRANT ALL ON SCHEMA {schema} TO plain")).await.unwrap();
    let store = connect(primary, replica, &address.replace("postgres@", "plain@")).await;
    assert!(add(&store, 1, 0).await);
    assert_eq!(head(&store, session(1)).await.unwrap(), 1);
    assert_eq!(store.replica_reads().by_replica(), 0);
    client.batch_execute("GRANT pg_read_all_stats TO plain").await.unwrap();
    until_the_replica_answers(&store, 1).await;
}

pub(super) async fn caught_up(replica: &Cluster, primary: &Cluster) {
    let sent: String = primary.client().await.query_one("SELECT pg_current_wal_flush_lsn()::text", &[]).await.unwrap().get(0);
    let client = replica.client().await;
    while !client.query_one("SELECT pg_last_wal_replay_lsn() >= $1::text::pg_lsn", &[&sent]).await.unwrap().get::<_, bool>(0) {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// A standby takes over; the replica goes on with the primary that was, whose log is longer than that of the one that is.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replica_of_a_primary_that_was_is_not_believed() {
    let primary = Cluster::start("-c fsync=off");
    let (standby, replica) = (primary.replica("-c fsync=off"), primary.replica("-c fsync=off"));
    let plain = primary.schema().await;
    let (of_standby, of_primary) = (format!("localhost:{}", standby.port()), format!("localhost:{}", primary.port()));
    let address = plain.replace(&of_primary, &format!("{of_standby},{of_primary}"));
    let counterpart = replica.counterpart(&primary, &plain);
    let store = PostgresStore::connect_with_replica(&address, Some(&counterpart), options()).await.unwrap();
    for known in 0..5 {
        assert!(add(&store, 1, known).await);
    }
    until_the_replica_answers(&store, 2).await;
    caught_up(&standby, &primary).await;

    primary.control("stop");
    standby.control("promote");
    // Whoever appends looks first: what was judged by the server of before is a conflict.
    assert_eq!(head(&store, session(1)).await.unwrap(), 5);
    assert!(add(&store, 1, 5).await);
    primary.control("start");
    let was = primary.client().await;
    was.execute("SELECT pg_logical_emit_message(false, 'longer', repeat('x', 100000)) FROM generate_series(1, 200)", &[]).await.unwrap();
    caught_up(&replica, &primary).await;
    let answered = store.replica_reads().by_replica();
    let began = Instant::now();
    for known in 6.. {
        assert!(add(&store, 1, known).await);
        assert_eq!(store.linked(&app(), LinkKind::Peer, peer(1, known + 1)).await.unwrap(), [session(1)]);
        assert_eq!(head(&store, session(1)).await.unwrap(), known + 1);
        // Longer than the replica rests once it was found unfit.
        if began.elapsed() > Duration::from_secs(3) {
            break;
        }
    }
    assert_eq!(store.replica_reads().by_replica(), answered);
}

/// A server of another cluster, a schema of the same name in it, an address where nothing is: none makes an answer wrong.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_no_replica_of_the_primary_is_not_used() {
    let (others, replica) = pair();
    let private = cluster().authority().is_none().then(|| Cluster::start("-c fsync=off"));
    let ours = private.as_ref().unwrap_or(cluster());
    let address = ours.schema().await;
    let (_, schema) = address.rsplit_once("%3D").unwrap();
    let foreign = replica.counterpart(ours, &address);
    others.client().await.batch_execute(&format!("CREATE SCHEMA IF NOT EXISTS {schema}")).await.unwrap();
    PostgresStore::connect(&others.counterpart(ours, &address), options()).await.unwrap();
    for replica in [foreign, address.clone(), "postgres://postgres@127.0.0.1:1/postgres".to_owned()] {
        let store = PostgresStore::connect_with_replica(&address, Some(&replica), options()).await.unwrap();
        let known = head(&store, session(1)).await.unwrap();
        assert!(add(&store, 1, known).await);
        assert_eq!(head(&store, session(1)).await.unwrap(), known + 1);
        assert_eq!(store.linked(&app(), LinkKind::Peer, peer(1, known + 1)).await.unwrap(), [session(1)]);
        assert_eq!(store.replica_reads().by_replica(), 0, "{replica}");
        assert!(store.replica_reads().by_primary() > 0, "{replica}");
    }
}
