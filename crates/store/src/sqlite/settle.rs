//! The writer's side of the catalog.

use super::known::AppNo;
use super::sessions::{COLUMNS, record};
use super::txn::Txn;
use super::values::kind;
use crate::contract::{SessionRecord, StoreError, Vector};
use rollbook_core::id::{App, Stream};
use rusqlite::{Error, params};
use std::collections::BTreeMap;
use uuid::Uuid;

/// The records by id, as all that one stream has.
pub(super) type Records = BTreeMap<Uuid, SessionRecord>;

pub(super) fn settle(txn: &mut Txn<'_>, app: &App, stream: Stream, vector: &Vector, records: &Records) -> Result<bool, StoreError> {
    let app = txn.app(app)?;
    for (read, seq) in vector {
        if txn.head(app, *read)? != *seq {
            return Ok(false);
        }
    }
    replace(txn, app, stream, records)?;
    let last_change = records.values().map(|record| record.last_change_at.micros()).max();
    let sql = "INSERT INTO standings (app, kind, stream, unsettled, last_change) VALUES (?1, ?2, ?3, 0, ?4)
               ON CONFLICT (app, kind, stream) DO UPDATE SET unsettled = 0, last_change = excluded.last_change";
    txn.prepare(sql)?.execute((app, kind(stream), stream.id.into_bytes(), last_change))?;
    Ok(true)
}

/// Writes the difference: of a meeting that is used for years, one session in a thousand is new.
fn replace(txn: &Txn<'_>, app: AppNo, stream: Stream, records: &Records) -> Result<(), Error> {
    let mut standing = standing(txn, app, stream)?;
    for record in records.values() {
        if standing.remove(&record.id).as_ref() != Some(record) {
            put(txn, app, record)?;
        }
    }
    let mut delete = txn.prepare("DELETE FROM sessions WHERE app = ?1 AND kind = ?2 AND stream = ?3 AND id = ?4")?;
    for gone in standing.keys().filter(|id| !records.contains_key(id)) {
        delete.execute((app, kind(stream), stream.id.into_bytes(), gone.into_bytes()))?;
    }
    Ok(())
}

fn standing(txn: &Txn<'_>, app: AppNo, stream: Stream) -> Result<Records, Error> {
    let sql = format!("SELECT {COLUMNS} FROM sessions s WHERE app = ?1 AND kind = ?2 AND stream = ?3");
    let mut query = txn.prepare(&sql)?;
    query.query_map((app, kind(stream), stream.id.into_bytes()), |row| record(row).map(|record| (record.id, record)))?.collect()
}

fn put(txn: &Txn<'_>, app: AppNo, record: &SessionRecord) -> Result<(), Error> {
    let sql = "INSERT OR REPLACE INTO sessions
               (app, kind, stream, id, meeting, started_at, last_change_at, consumed, participants, folded_title, summary)
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)";
    txn.prepare(sql)?.execute(params![
        app,
        kind(record.stream),
        record.stream.id.into_bytes(),
        record.id.into_bytes(),
        record.meeting.map(Uuid::into_bytes),
        record.started_at.micros(),
        record.last_change_at.micros(),
        record.consumed,
        record.participants,
        record.folded_title,
        &record.summary[..],
    ])?;
    Ok(())
}
