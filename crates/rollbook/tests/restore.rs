//! A ledger that is put back from a backup, and goes on another way to the same sequence numbers, answers with its own events.
#![expect(clippy::unwrap_used, reason = "these are tests")]

use rollbook::ledger::{Ledger, Options, View};
use rollbook_core::event::{Body, Event, PeerInfo, Place};
use rollbook_core::id::{App, Home, Name};
use rollbook_core::roster::Query;
use rollbook_core::time::Timestamp;
use rollbook_store::SqliteStore;
use std::path::Path;
use std::sync::Arc;

fn open(folder: &Path) -> Ledger {
    let clock = Arc::new(|| Timestamp::parse_rfc3339("2026-02-01T00:00:00Z").unwrap());
    let store = Arc::new(SqliteStore::open(folder, clock).unwrap());
    Ledger::new(store, Options { segments: Some(folder.join("segments")), memory: 1 << 20 })
}

/// Copies the database, and nothing else, in place of another.
fn copy(from: &Path, to: &Path) {
    for name in ["ledger.db", "ledger.db-wal", "ledger.db-shm"] {
        let _ = std::fs::remove_file(to.join(name));
        if from.join(name).exists() {
            std::fs::copy(from.join(name), to.join(name)).unwrap();
        }
    }
}

/// Someone came into the session; an hour later it was over.
async fn came(ledger: &Ledger, app: &App, who: &str) {
    let place = Arc::new(Place::new(Home::Session { session: Name::key("algebra"), meeting: None }));
    let event = |id: String, time: &str, body| {
        let time = Timestamp::parse_rfc3339(time).unwrap();
        Event { source: "sfu".into(), id: id.into(), time, body }
    };
    let joined = Body::PeerJoined(Arc::clone(&place), PeerInfo::new(Name::key(who)));
    let events = vec![
        event(format!("join {who}"), "2026-01-31T09:00:00Z", joined),
        event(format!("end {who}"), "2026-01-31T10:00:00Z", Body::SessionEnded(place, None)),
    ];
    ledger.ingest(app, events).await.unwrap();
}

async fn who_came(ledger: &Ledger, app: &App) -> Vec<uuid::Uuid> {
    let session = app.session(&Name::key("algebra"));
    let query = Query { limit: 10, ..Query::default() };
    let answer = ledger.participants(app, session, View::Raw, &query, None).await.unwrap().unwrap();
    let mut ids: Vec<_> = answer.rows().map(|row| row.id()).collect();
    ids.sort_unstable();
    ids
}

#[tokio::test]
async fn a_segment_of_another_history_is_not_served() {
    let app = App::new("acme", "school").unwrap();
    let session = app.session(&Name::key("algebra"));
    let ids = |names: &[&str]| {
        let mut ids: Vec<_> = names.iter().map(|name| app.peer(session, &Name::key(*name))).collect();
        ids.sort_unstable();
        ids
    };
    let (folder, backup) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let ledger = open(folder.path());
    came(&ledger, &app, "ana").await;
    drop(ledger);
    copy(folder.path(), backup.path());

    let ledger = open(folder.path());
    came(&ledger, &app, "ben").await;
    assert_eq!(who_came(&ledger, &app).await, ids(&["ana", "ben"]));
    drop(ledger);
    let ledger = open(folder.path());
    assert_eq!(who_came(&ledger, &app).await, ids(&["ana", "ben"]), "from the segment");
    drop(ledger);

    copy(backup.path(), folder.path());
    let ledger = open(folder.path());
    came(&ledger, &app, "chloé").await;
    drop(ledger);
    let ledger = open(folder.path());
    assert_eq!(who_came(&ledger, &app).await, ids(&["ana", "chloé"]));
}
