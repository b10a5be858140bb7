//! What a reader asks by itself, because it misses more than the shared check reads. A replica has most of it: the primary says only where
//! each stream ends.

use super::asked::{Asked, Manner};
use super::failure::Failure;
use super::lease::{Connections, Lease};
use super::replica::{Horizon, Replica};
use super::values::{Keys, bounded, time, unsigned};
use crate::contract::{Batch, Seq, Since, StoreError};
use rollbook_core::id::{App, Stream};
use rollbook_core::time::Timestamp;
use std::sync::Arc;
use std::time::Duration;
use tokio_postgres::types::ToSql;

const ALL: Manner = Manner { delay: Duration::ZERO, few: i64::MAX, replicated: false };

/// Reads it all from the primary, at one moment.
pub(super) async fn from_primary(connections: &Arc<Connections>, app: &App, known: &[(Stream, Seq)]) -> Result<Since, StoreError> {
    let (app, known) = (app.clone(), known.to_vec());
    let work = move |lease: Arc<Lease>| {
        let (app, known) = (app.clone(), known.clone());
        async move {
            let asked = Asked::of([(&app, &known[..])]);
            let found = asked.ask(&lease, ALL).await?;
            asked.tell(&found, &app, &known)
        }
    };
    connections.run(work).await
}

/// Reads it from the replica: just the batches that the primary had at one moment. None where the replica has not got them.
pub(super) async fn from_replica(
    connections: &Arc<Connections>,
    replica: &Replica,
    app: &App,
    known: &[(Stream, Seq)],
) -> Result<Option<Since>, StoreError> {
    if !replica.is_usable() {
        replica.passed();
        return Ok(None);
    }
    let (asked, streams) = (app.clone(), known.to_vec());
    let ends = move |lease: Arc<Lease>| {
        let (app, known) = (asked.clone(), streams.clone());
        async move { Ends::read(&lease, &app, &known).await }
    };
    let ends = Arc::new(connections.run(ends).await?);
    let (asked, wanted) = (app.clone(), Arc::clone(&ends));
    let read = move |lease: Arc<Lease>| {
        let (app, ends) = (asked.clone(), Arc::clone(&wanted));
        async move { ends.batches(&lease, &app).await }
    };
    // That the replica is as far as the horizon says when to ask it; whether it has the batches, they show themselves.
    let Some(batches) = replica.read(Some(ends.horizon), read).await else { return Ok(None) };
    if !ends.are_reached_by(&batches) {
        replica.missed("it lacks batches that the primary has");
        return Ok(None);
    }
    Ok(Some(Since { now: ends.now, batches: batches.into_iter().flatten().collect() }))
}

/// Where streams end, at one moment.
struct Ends {
    now: Timestamp,
    horizon: Horizon,
    /// Each stream asked for, with the last number that the reader knows and the last that there is.
    ranges: Vec<(Stream, Seq, Seq)>,
}

impl Ends {
    async fn read(lease: &Lease, app: &App, known: &[(Stream, Seq)]) -> Result<Self, Failure> {
        let sql = format!(
            "SELECT 0::bigint, {}, (extract(epoch FROM now()) * 1000000)::bigint, {}
             UNION ALL
             SELECT q.n, j.seq, 0, ''::bytea FROM unnest($3::smallint[], $4::uuid[]) WITH ORDINALITY AS q (kind, stream, n)
             CROSS JOIN LATERAL (
                 SELECT j.seq FROM journal j WHERE j.account = $1 AND j.app = $2 AND j.kind = q.kind AND j.stream = q.stream
                 ORDER BY j.seq DESC LIMIT 1) AS j",
            Horizon::POSITION,
            Horizon::TIMELINE
        );
        let keys = keys(app, known.iter().map(|(stream, _)| *stream));
        let rows = lease.query(&lease.prepare_cached(&sql).await?, &[&app.account(), &app.app(), &keys.kinds, &keys.ids]).await?;
        let (mut told, mut ranges) = (None, known.iter().map(|(stream, seq)| (*stream, *seq, *seq)).collect::<Vec<_>>());
        for row in &rows {
            match usize::try_from(unsigned(row, 0)?).ok().and_then(|number| number.checked_sub(1)) {
                None => told = Some((time(row, 2)?, Horizon::read(unsigned(row, 1)?, row.try_get(3)?))),
                Some(number) => {
                    let range = ranges.get_mut(number).ok_or_else(|| Failure::damaged("an answer for no stream that was asked for"))?;
                    range.2 = range.1.max(unsigned(row, 1)?);
                }
            }
        }
        match told {
            Some((now, Some(horizon))) => Ok(Self { now, horizon, ranges }),
            _ => Err(Failure::damaged("the database told no time and no position in its log")),
        }
    }

    async fn batches(&self, lease: &Lease, app: &App) -> Result<Vec<Vec<Batch>>, Failure> {
        let sql = "SELECT q.n, j.seq, j.received_at, j.batch
             FROM unnest($3::smallint[], $4::uuid[], $5::bigint[], $6::bigint[]) WITH ORDINALITY AS q (kind, stream, known, last, n)
             CROSS JOIN LATERAL (
                 SELECT j.seq, j.received_at, j.batch FROM journal j
                 WHERE j.account = $1 AND j.app = $2 AND j.kind = q.kind AND j.stream = q.stream AND j.seq > q.known AND j.seq <= q.last
                 ORDER BY j.seq) AS j";
        let keys = keys(app, self.ranges.iter().map(|(stream, ..)| *stream));
        let known: Vec<i64> = self.ranges.iter().map(|(_, known, _)| bounded(*known)).collect();
        let last: Vec<i64> = self.ranges.iter().map(|(.., last)| bounded(*last)).collect();
        let params: [&(dyn ToSql + Sync); 6] = [&app.account(), &app.app(), &keys.kinds, &keys.ids, &known, &last];
        let rows = lease.query(&lease.prepare_cached(sql).await?, &params).await?;
        let mut found = vec![Vec::new(); self.ranges.len()];
        for row in &rows {
            let number = usize::try_from(unsigned(row, 0)?).ok().and_then(|number| number.checked_sub(1));
            let Some((number, (stream, ..))) = number.and_then(|number| Some((number, self.ranges.get(number)?))) else {
                return Err(Failure::damaged("an answer for no stream that was asked for"));
            };
            let batch = row.try_get::<_, &[u8]>(3)?.to_vec().into();
            found[number].push(Batch { stream: *stream, seq: unsigned(row, 1)?, batch, received_at: time(row, 2)? });
        }
        Ok(found)
    }

    fn are_reached_by(&self, batches: &[Vec<Batch>]) -> bool {
        let whole =
            |((_, known, last), batches): (&(Stream, Seq, Seq), &Vec<Batch>)| batches.iter().map(|batch| batch.seq).eq(known + 1..=*last);
        self.ranges.iter().zip(batches).all(whole)
    }
}

fn keys(app: &App, streams: impl Iterator<Item = Stream>) -> Keys<'_> {
    let mut keys = Keys::default();
    streams.for_each(|stream| keys.push(app, stream));
    keys
}
