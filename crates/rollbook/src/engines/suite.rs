//! What holds of added engines wherever they are kept, on each such place.

use super::{AddedEngine, AddedSecret, EngineFile, EngineStore, EngineTable, Engines, EnginesError, SealKeys, SecretIn};
use crate::cluster::{Cluster, cluster};
use rollbook_core::id::App;
use rollbook_core::time::Timestamp;
use rollbook_ingest::janus::JanusOptions;
use std::any::Any;
use std::sync::Arc;
use std::time::Duration;

const KEY: &str = "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=";

/// Engines as several processes open them, and what must outlive them.
struct Place {
    opened: Vec<Arc<dyn EngineStore>>,
    _alive: Box<dyn Any>,
}

fn file() -> Place {
    let folder = tempfile::tempdir().unwrap();
    let open = || Arc::new(EngineFile::new(folder.path())) as Arc<dyn EngineStore>;
    Place { opened: vec![open(), open()], _alive: Box::new(folder) }
}

async fn table() -> Place {
    let url = cluster().schema().await;
    let (first, second) = (Cluster::open(&url).await, Cluster::open(&url).await);
    let opened = [&first, &second].map(|store| Arc::new(EngineTable::new(store.engines())) as Arc<dyn EngineStore>);
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

on_each_place!(
    put_listed_removed,
    of_many_at_once_one_wins,
    a_server_sees_what_is_added,
    one_that_cannot_be_used_says_so,
    bad_names_leave_nothing
);

fn engine(app: &str, engine: &str, secrets: Vec<AddedSecret>) -> AddedEngine {
    let (account, app, engine) = ("acme".into(), app.into(), engine.into());
    let options = if engine == "zoom" { "max_age_seconds = 60".parse().unwrap() } else { toml::Table::new() };
    AddedEngine { account, app, engine, secrets, options, mapping: None, added_at: "2026-01-31T09:30:00Z".into() }
}

fn sealed(engine: &AddedEngine, secret: &str) -> AddedSecret {
    let keys = SealKeys::read(KEY).unwrap();
    AddedSecret { id: String::new(), place: SecretIn::Sealed(keys.seal(secret, &engine.place_of("")).unwrap()) }
}

fn in_file(path: &str) -> AddedSecret {
    AddedSecret { id: String::new(), place: SecretIn::File(path.into()) }
}

async fn put_listed_removed(Place { opened, .. }: Place) {
    let (here, there) = (&*opened[0], &*opened[1]);
    assert_eq!(here.list().await.unwrap(), []);
    let zoom = engine("school", "zoom", vec![in_file("/a"), sealed(&engine("school", "zoom", vec![]), "s")]);
    let janus = engine("choir", "janus", vec![]);
    assert!(here.put(&zoom, None).await.unwrap() && there.put(&janus, None).await.unwrap());
    assert_eq!(there.list().await.unwrap(), [zoom.clone(), janus.clone()]);

    let other = AddedEngine { secrets: vec![in_file("/b")], ..zoom.clone() };
    assert!(!there.put(&other, None).await.unwrap(), "there is one");
    assert!(there.put(&zoom, None).await.unwrap(), "that very one is there");
    assert!(there.put(&other, Some(&zoom)).await.unwrap());
    assert_eq!(here.list().await.unwrap(), [other.clone(), janus.clone()], "it stays in its place");
    assert!(!here.put(&engine("none", "zoom", vec![]), Some(&zoom)).await.unwrap(), "there is none to be replaced");

    here.remove("acme", "school", "zoom").await.unwrap();
    here.remove("acme", "school", "zoom").await.unwrap();
    assert_eq!(there.list().await.unwrap(), [janus]);
}

async fn of_many_at_once_one_wins(Place { opened, .. }: Place) {
    let zoom = engine("school", "zoom", vec![]);
    opened[0].put(&zoom, None).await.unwrap();
    let writers = (0..8).map(|n| {
        let (place, before) = (Arc::clone(&opened[n % 2]), zoom.clone());
        let mine = AddedEngine { secrets: vec![in_file(&format!("/{n}"))], ..zoom.clone() };
        tokio::spawn(async move { place.put(&mine, Some(&before)).await.unwrap() })
    });
    let mut won = 0;
    for writer in writers.collect::<Vec<_>>() {
        won += usize::from(writer.await.unwrap());
    }
    assert_eq!((won, opened[1].list().await.unwrap().len()), (1, 1));
}

async fn bad_names_leave_nothing(Place { opened, .. }: Place) {
    for (app, name) in [("a/b", "zoom"), ("school", ""), ("school", "a/b"), ("school", "a\nb")] {
        let put = opened[0].put(&engine(app, name, vec![]), None).await;
        assert!(matches!(put, Err(EnginesError::BadNames(_))), "{app} {name}");
    }
    assert_eq!(opened[1].list().await.unwrap(), []);
}

fn server(place: &dyn EngineStore, keys: Option<&str>) -> Engines {
    let keys = keys.map(|keys| SealKeys::read(keys).unwrap());
    Engines::with(&[], JanusOptions::default(), Arc::new(Timestamp::default)).unwrap().with_added(place, keys)
}

/// Whether the app's Zoom verifies, or why nobody can tell.
async fn zoom(server: &Engines) -> Result<bool, String> {
    let found = server.find(&App::new("acme", "school").unwrap(), "zoom").await;
    found.map(|engine| engine.unwrap().verifies()).map_err(|cause| cause.to_string())
}

/// Looks until the app's Zoom is so, for a second.
async fn zoom_becomes(server: &Engines, expected: Result<bool, &str>) {
    let expected = expected.map_err(str::to_owned);
    let looks = async {
        while zoom(server).await != expected {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    if tokio::time::timeout(Duration::from_millis(1200), looks).await.is_err() {
        panic!("{:?} and not {expected:?}", zoom(server).await);
    }
}

async fn a_server_sees_what_is_added(Place { opened, .. }: Place) {
    let none = engine("school", "zoom", vec![]);
    let added = engine("school", "zoom", vec![sealed(&none, "the secret")]);
    opened[1].put(&added, None).await.unwrap();
    let server = server(&*opened[0], Some(KEY));
    assert_eq!(zoom(&server).await, Ok(true), "what was there before it started counts at once");
    let shown = format!("{:?}", server.find(&App::new("acme", "school").unwrap(), "zoom").await);
    assert!(!shown.contains("the secret"), "{shown}");
    assert!(!server.find(&App::new("acme", "choir").unwrap(), "zoom").await.unwrap().unwrap().verifies(), "it is the school's alone");
    opened[1].remove("acme", "school", "zoom").await.unwrap();
    zoom_becomes(&server, Ok(false)).await;
    opened[1].put(&added, None).await.unwrap();
    zoom_becomes(&server, Ok(true)).await;
}

async fn one_that_cannot_be_used_says_so(Place { opened, .. }: Place) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("secret");
    let server = server(&*opened[0], None);
    let added = engine("school", "zoom", vec![in_file(path.to_str().unwrap())]);
    opened[1].put(&added, None).await.unwrap();
    let missing = format!("secret_file: can't read {}: No such file or directory (os error 2)", path.display());
    zoom_becomes(&server, Err(&missing)).await;
    assert!(server.find(&App::new("acme", "school").unwrap(), "janus").await.unwrap().is_some(), "the others go on");
    std::fs::write(&path, "the secret\n").unwrap();
    zoom_becomes(&server, Ok(true)).await;
    let other = AddedEngine { secrets: vec![sealed(&added, "s")], ..added.clone() };
    opened[1].put(&other, Some(&added)).await.unwrap();
    zoom_becomes(&server, Err("a secret is sealed, and there is no key: set engines_key_file or ROLLBOOK_ENGINES_KEY")).await;
}

#[tokio::test]
async fn the_database_and_the_file_hold_no_secret() {
    let (folder, url) = (tempfile::tempdir().unwrap(), cluster().schema().await);
    let (_, schema) = url.rsplit_once("%3D").unwrap();
    let store = Cluster::open(&url).await;
    let none = engine("school", "zoom", vec![]);
    let added = AddedEngine { secrets: vec![sealed(&none, "the secret")], ..none };
    EngineTable::new(store.engines()).put(&added, None).await.unwrap();
    EngineFile::new(folder.path()).put(&added, None).await.unwrap();
    let sql = format!("SELECT record FROM {schema}.engines");
    let row: String = cluster().client().await.query_one(&sql, &[]).await.unwrap().get(0);
    let file = std::fs::read_to_string(folder.path().join(super::ENGINES_FILE)).unwrap();
    for text in [row, file] {
        assert!(text.contains("sealed") && !text.contains("the secret"), "{text}");
    }
}

#[tokio::test]
async fn a_damaged_file_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let (engines, path) = (EngineFile::new(folder.path()), folder.path().join(super::ENGINES_FILE));
    for damaged in ["{", r#"{"version":2,"engines":[]}"#, r#"{"version":1,"engines":[{"account":"a"}]}"#] {
        std::fs::write(&path, damaged).unwrap();
        assert!(matches!(engines.put(&engine("school", "zoom", vec![]), None).await, Err(EnginesError::Damaged { .. })), "{damaged}");
        assert_eq!(std::fs::read_to_string(&path).unwrap(), damaged);
    }
}
