//! What holds of tokens wherever they are kept, on each such place.

use super::{Grant, KnownTokens, Permission, TokenFile, TokenStore, TokenTable, TokensError, create, revoke};
use crate::cluster::{Cluster, cluster};
use crate::http::TokenLookup;
use rollbook_core::time::Timestamp;
use std::any::Any;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinSet;

const NOON: Timestamp = Timestamp::from_micros(1_700_000_000_000_000);

fn grant(app: Option<&str>) -> Grant {
    Grant { account: "acme".into(), app: app.map(Into::into), permission: Permission::Ingest }
}

/// Tokens as several processes open them, and what must outlive them.
struct Place {
    opened: Vec<Arc<dyn TokenStore>>,
    _alive: Box<dyn Any>,
}

fn file() -> Place {
    let folder = tempfile::tempdir().unwrap();
    let open = || Arc::new(TokenFile::new(folder.path())) as Arc<dyn TokenStore>;
    Place { opened: vec![open(), open()], _alive: Box::new(folder) }
}

async fn table() -> Place {
    let url = cluster().schema().await;
    let (first, second) = (Cluster::open(&url).await, Cluster::open(&url).await);
    let opened = [&first, &second].map(|store| Arc::new(TokenTable::new(store.tokens())) as Arc<dyn TokenStore>);
    Place { opened: opened.into(), _alive: Box::new((first, second)) }
}

macro_rules! on_each_place {
    ($($case:ident),+) => {
        mod in_a_file {
            $(#[tokio::test]
            async fn $case() {
                super::$case(super::file()).await;
            })+
        }
        mod in_a_database {
            $(#[tokio::test]
            async fn $case() {
                super::$case(super::table().await).await;
            })+
        }
    };
}

on_each_place!(made_listed_revoked, of_many_made_at_once_all_survive, no_two_have_one_id, a_new_token_works_at_once, a_revocation_is_seen);

async fn made_listed_revoked(Place { opened, .. }: Place) {
    let (here, there) = (&*opened[0], &*opened[1]);
    assert_eq!(here.list().await.unwrap(), []);
    let first = create(here, grant(Some("school")), NOON).await.unwrap();
    let second = create(there, grant(None), NOON).await.unwrap();
    let known = here.list().await.unwrap();
    assert_eq!(known.iter().map(|token| &token.id).collect::<Vec<_>>(), [&first.id, &second.id]);
    assert_eq!((&known[0].grant, known[0].created_at), (&grant(Some("school")), NOON));

    revoke(there, &first.id).await.unwrap();
    assert_eq!(here.list().await.unwrap(), known[1..]);
    assert!(matches!(revoke(here, &first.id).await, Err(TokensError::UnknownId(id)) if id == first.id));
    here.remove(&first.id).await.unwrap();
    assert_eq!(there.list().await.unwrap(), known[1..]);
}

async fn of_many_made_at_once_all_survive(Place { opened, .. }: Place) {
    let mut makers = JoinSet::new();
    for n in 0..8 {
        let tokens = Arc::clone(&opened[n % 2]);
        makers.spawn(async move {
            let mut made = Vec::new();
            for _ in 0..5 {
                made.push(create(&*tokens, grant(None), NOON).await.unwrap().id);
            }
            made
        });
    }
    let made: BTreeSet<_> = makers.join_all().await.into_iter().flatten().collect();
    let known: BTreeSet<_> = opened[0].list().await.unwrap().into_iter().map(|token| token.id).collect();
    assert_eq!((made.len(), known == made), (40, true));
}

async fn no_two_have_one_id(Place { opened, .. }: Place) {
    create(&*opened[0], grant(None), NOON).await.unwrap();
    let known = opened[0].list().await.unwrap();
    let other = super::TokenRecord { digest: super::Digest::of("rb_other"), ..known[0].clone() };
    assert!(!opened[1].add(&other).await.unwrap());
    assert_eq!(opened[1].list().await.unwrap(), known);
}

async fn a_new_token_works_at_once(Place { opened, .. }: Place) {
    let server = KnownTokens::start(&*opened[0]);
    assert_eq!(server.look_up("rb_nonsense").await, Ok(None));
    for _ in 0..3 {
        let made = create(&*opened[1], grant(None), NOON).await.unwrap();
        assert_eq!(server.look_up(&made.token).await, Ok(Some(grant(None))));
        assert_eq!(server.look_up(&made.id).await, Ok(None));
    }
}

async fn a_revocation_is_seen(Place { opened, .. }: Place) {
    let server = KnownTokens::start(&*opened[0]);
    let (kept, made) = (create(&*opened[1], grant(None), NOON).await.unwrap(), create(&*opened[1], grant(None), NOON).await.unwrap());
    assert!(server.look_up(&made.token).await.unwrap().is_some());
    revoke(&*opened[1], &made.id).await.unwrap();
    let gone = async {
        while server.look_up(&made.token).await.unwrap().is_some() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(1), gone).await.expect("a revoked token is taken for longer than a second");
    assert!(server.look_up(&kept.token).await.unwrap().is_some());
}

/// However many wrong tokens come, the database is asked at a bounded rate, and nobody waits for long.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn wrong_tokens_share_a_look() {
    let (url, client) = (cluster().schema().await, cluster().client().await);
    let (_, schema) = url.rsplit_once("%3D").unwrap();
    let store = Cluster::open(&url).await;
    // Counts what is read: each look goes through this.
    let counting = format!(
        "ALTER TABLE {schema}.tokens_version RENAME TO versions; CREATE SEQUENCE {schema}.looks;
         CREATE VIEW {schema}.tokens_version AS SELECT one, version FROM {schema}.versions WHERE nextval('{schema}.looks') > 0 OFFSET 0"
    );
    client.batch_execute(&counting).await.unwrap();
    let tokens = TokenTable::new(store.tokens());
    let server = Arc::new(KnownTokens::start(&tokens));
    let began = tokio::time::Instant::now();
    let mut bearers = JoinSet::new();
    for bearer in 0..64 {
        let server = Arc::clone(&server);
        bearers.spawn(async move {
            for n in 0..20 {
                assert_eq!(server.look_up(&format!("rb_{bearer}_{n}")).await, Ok(None));
            }
        });
    }
    bearers.join_all().await;
    let looks: i64 = client.query_one(&format!("SELECT last_value FROM {schema}.looks"), &[]).await.unwrap().get(0);
    let most = began.elapsed().as_millis() as i64 / 20 + 2;
    assert!((2..=most).contains(&looks), "1280 wrong tokens led to {looks} looks, of {most} at most");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_known_stays_in_force_while_the_database_is_away() {
    let own = Cluster::start("-c fsync=off");
    let store = Cluster::open(&own.schema().await).await;
    let tokens = TokenTable::new(store.tokens());
    let (made, gone) = (create(&tokens, grant(None), NOON).await.unwrap(), create(&tokens, grant(None), NOON).await.unwrap());
    let server = KnownTokens::start(&tokens);
    assert!(server.look_up(&made.token).await.unwrap().is_some());
    own.control("stop");
    assert!(server.look_up("rb_other").await.is_err(), "nobody can tell whether it is one");
    assert_eq!(server.look_up(&made.token).await, Ok(Some(grant(None))));
    own.control("start");
    revoke(&tokens, &gone.id).await.unwrap();
    assert_eq!(server.look_up("rb_other").await, Ok(None));
    assert_eq!(server.look_up(&gone.token).await, Ok(None));
    assert!(server.look_up(&made.token).await.unwrap().is_some());
}

#[tokio::test]
async fn the_database_holds_no_token() {
    let url = cluster().schema().await;
    let (_, schema) = url.rsplit_once("%3D").unwrap();
    let store = Cluster::open(&url).await;
    let made = create(&TokenTable::new(store.tokens()), grant(None), NOON).await.unwrap();
    let sql = format!("SELECT tokens::text FROM {schema}.tokens");
    let row: String = cluster().client().await.query_one(&sql, &[]).await.unwrap().get(0);
    assert!(row.contains(&made.id) && !row.contains(&made.token[3..]), "{row}");
}
