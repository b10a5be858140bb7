//! How a stream's records are replaced, while nothing that they were made from can change.

use super::failure::Failure;
use super::lease::Lease;
use super::locks::{Spaces, slots, sources};
use super::sessions::{COLUMNS, record};
use super::values::{Keys, bounded, kind};
use crate::contract::{SessionRecord, Vector};
use rollbook_core::id::{App, Stream};
use std::collections::BTreeMap;
use tokio_postgres::types::ToSql;
use uuid::Uuid;

/// The records by id, as all that one stream has.
pub(super) type Records = BTreeMap<Uuid, SessionRecord>;

/// Whether the vector stood, and the stream was settled. Safe to do twice.
pub(super) async fn settle(
    lease: &Lease,
    spaces: Spaces,
    app: &App,
    stream: Stream,
    vector: &Vector,
    records: &Records,
) -> Result<bool, Failure> {
    lease.batch_execute("BEGIN").await?;
    spaces.hold_places(lease, &slots(std::iter::once(stream))).await?;
    spaces.hold_sources(lease, &sources(vector.iter().map(|(stream, _)| *stream)), false).await?;
    if !stands(lease, app, vector).await? {
        lease.batch_execute("ROLLBACK").await?;
        return Ok(false);
    }
    replace(lease, app, stream, records).await?;
    let last_change = records.values().map(|record| record.last_change_at.micros()).max();
    let sql = "INSERT INTO standings (account, app, kind, stream, unsettled, last_change) VALUES ($1, $2, $3, $4, false, $5)
               ON CONFLICT (account, app, kind, stream) DO UPDATE SET unsettled = false, last_change = excluded.last_change";
    let statement = lease.prepare_cached(sql).await?;
    lease.execute(&statement, &[&app.account(), &app.app(), &kind(stream), &stream.id, &last_change]).await?;
    lease.batch_execute("COMMIT").await?;
    Ok(true)
}

/// Whether every stream ends where the vector says. A statement of its own, after the locks: it sees what those before them committed.
async fn stands(lease: &Lease, app: &App, vector: &Vector) -> Result<bool, Failure> {
    let mut keys = Keys::default();
    for (stream, _) in vector {
        keys.push(app, *stream);
    }
    let seqs: Vec<i64> = vector.iter().map(|(_, seq)| bounded(*seq)).collect();
    let sql = "SELECT NOT EXISTS (
                   SELECT FROM unnest($3::smallint[], $4::uuid[], $5::bigint[]) AS v (kind, stream, seq)
                   WHERE v.seq <> coalesce((SELECT j.seq FROM journal j WHERE j.account = $1 AND j.app = $2 AND j.kind = v.kind
                       AND j.stream = v.stream ORDER BY j.seq DESC LIMIT 1), 0))";
    let statement = lease.prepare_cached(sql).await?;
    let row = lease.query_one(&statement, &[&app.account(), &app.app(), &keys.kinds, &keys.ids, &seqs]).await?;
    Ok(row.try_get(0)?)
}

/// Writes the difference: of a meeting that is used for years, one session in a thousand is new.
async fn replace(lease: &Lease, app: &App, stream: Stream, records: &Records) -> Result<(), Failure> {
    let mut standing = standing(lease, app, stream).await?;
    let changed: Vec<&SessionRecord> = records.values().filter(|record| standing.remove(&record.id).as_ref() != Some(record)).collect();
    put(lease, app, stream, &changed).await?;
    let gone: Vec<Uuid> = standing.into_keys().filter(|id| !records.contains_key(id)).collect();
    if !gone.is_empty() {
        let sql = "DELETE FROM sessions WHERE account = $1 AND app = $2 AND kind = $3 AND stream = $4 AND id = ANY ($5)";
        let statement = lease.prepare_cached(sql).await?;
        lease.execute(&statement, &[&app.account(), &app.app(), &kind(stream), &stream.id, &gone]).await?;
    }
    Ok(())
}

async fn standing(lease: &Lease, app: &App, stream: Stream) -> Result<Records, Failure> {
    let sql = format!("SELECT {COLUMNS} FROM sessions s WHERE account = $1 AND app = $2 AND kind = $3 AND stream = $4");
    let statement = lease.prepare_cached(&sql).await?;
    let rows = lease.query(&statement, &[&app.account(), &app.app(), &kind(stream), &stream.id]).await?;
    rows.iter().map(|row| record(row).map(|record| (record.id, record))).collect()
}

async fn put(lease: &Lease, app: &App, stream: Stream, records: &[&SessionRecord]) -> Result<(), Failure> {
    if records.is_empty() {
        return Ok(());
    }
    let sql = "INSERT INTO sessions (account, app, kind, stream,
                   id, meeting, started_at, last_change_at, consumed, participants, folded_title, summary)
               SELECT $1, $2, $3, $4, r.* FROM unnest($5::uuid[], $6::uuid[], $7::bigint[], $8::bigint[], $9::bigint[], $10::bigint[],
                   $11::bytea[], $12::bytea[]) AS r
               ON CONFLICT (account, app, kind, stream, id) DO UPDATE SET meeting = excluded.meeting, started_at = excluded.started_at,
                   last_change_at = excluded.last_change_at, consumed = excluded.consumed, participants = excluded.participants,
                   folded_title = excluded.folded_title, summary = excluded.summary";
    let column = |value: fn(&SessionRecord) -> i64| -> Vec<i64> { records.iter().map(|record| value(record)).collect() };
    let ids: Vec<Uuid> = records.iter().map(|record| record.id).collect();
    let meetings: Vec<Option<Uuid>> = records.iter().map(|record| record.meeting).collect();
    let titles: Vec<&[u8]> = records.iter().map(|record| record.folded_title.as_bytes()).collect();
    let summaries: Vec<&[u8]> = records.iter().map(|record| &record.summary[..]).collect();
    let numbers = [
        column(|record| record.started_at.micros()),
        column(|record| record.last_change_at.micros()),
        column(|record| record.consumed),
        column(|record| bounded(record.participants)),
    ];
    let [started, changed, consumed, participants] = &numbers;
    let (account, within, kind) = (app.account(), app.app(), kind(stream));
    let params: [&(dyn ToSql + Sync); 12] =
        [&account, &within, &kind, &stream.id, &ids, &meetings, started, changed, consumed, participants, &titles, &summaries];
    lease.execute(&lease.prepare_cached(sql).await?, &params).await?;
    Ok(())
}
