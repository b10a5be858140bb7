//! What the journal has of streams that readers know to some number, asked by one query for all of them, at one moment.

use super::failure::Failure;
use super::lease::Lease;
use super::replica::Horizon;
use super::values::{Keys, bounded, time, unsigned};
use super::waiting::Place;
use crate::contract::{Batch, Seq, Since};
use rollbook_core::id::{App, Stream};
use rollbook_core::time::Timestamp;
use std::collections::HashMap;
use std::time::Duration;
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;
use uuid::Uuid;

/// What a reader is told.
pub(super) struct Answer {
    /// All that the reader misses; none where that is so much that it must ask by itself.
    pub(super) since: Option<Since>,
    /// Whether no parent leads to more streams.
    pub(super) same_children: bool,
    /// What a replica must have replayed to know as much, where there is one.
    pub(super) horizon: Option<Horizon>,
}

/// How a check asks.
#[derive(Clone, Copy)]
pub(super) struct Manner {
    /// Keeps every answer back after the database has looked.
    pub(super) delay: Duration,
    /// The most batches of one stream, at least 1.
    pub(super) few: i64,
    /// Whether replicas are read, so that the horizon is to be told.
    pub(super) replicated: bool,
}

/// The streams that are asked for, each once, with the least that any reader knows of it; and the parents, each once, with what some reader
/// knows of it.
#[derive(Default)]
pub(super) struct Asked {
    numbers: HashMap<Place, usize>,
    places: Vec<Place>,
    known: Vec<i64>,
    parent_numbers: HashMap<(App, Uuid), usize>,
    parents: Vec<(App, Uuid)>,
    lengths: Vec<i64>,
}

/// What the database has of each stream that was asked for.
pub(super) struct Found {
    now: Timestamp,
    horizon: Option<Horizon>,
    batches: Vec<Vec<Batch>>,
    /// To how many streams each parent leads.
    lengths: Vec<i64>,
}

impl Asked {
    pub(super) fn of<'a>(questions: impl IntoIterator<Item = (&'a App, &'a [(Stream, Seq)])>) -> Self {
        let mut all = Self::default();
        for (app, known) in questions {
            for (stream, seq) in known {
                let place = (app.clone(), *stream);
                let seq = bounded(*seq);
                match all.numbers.get(&place) {
                    Some(number) => all.known[*number] = seq.min(all.known[*number]),
                    None => {
                        all.numbers.insert(place.clone(), all.places.len());
                        all.places.push(place);
                        all.known.push(seq);
                    }
                }
            }
        }
        all
    }

    pub(super) fn add_parents(&mut self, app: &App, children: &[(Uuid, u64)]) {
        for (parent, many) in children {
            let parent = (app.clone(), *parent);
            if !self.parent_numbers.contains_key(&parent) {
                self.parent_numbers.insert(parent.clone(), self.parents.len());
                self.parents.push(parent);
                self.lengths.push(bounded(*many));
            }
        }
    }

    /// Reads all streams at one moment: a commit over several of them is seen whole or not at all.
    pub(super) async fn ask(&self, lease: &Lease, manner: Manner) -> Result<Found, Failure> {
        let mut keys = Keys::default();
        for (app, stream) in &self.places {
            keys.push(app, *stream);
        }
        let statement = lease.prepare_cached(&sql(manner, !self.parents.is_empty())).await?;
        let Keys { accounts, apps, kinds, ids } = &keys;
        let mut params: Vec<&(dyn ToSql + Sync)> = vec![accounts, apps, kinds, ids, &self.known, &manner.few];
        let of_parents = self.parents.iter().map(|(app, _)| (app.account(), app.app())).unzip();
        let (accounts, apps): (Vec<&str>, Vec<&str>) = of_parents;
        let parents: Vec<Uuid> = self.parents.iter().map(|(_, parent)| *parent).collect();
        if !parents.is_empty() {
            params.extend([&accounts as &(dyn ToSql + Sync), &apps, &parents, &self.lengths]);
        }
        let rows = lease.query(&statement, &params).await?;
        let batches = vec![Vec::new(); self.places.len()];
        let mut found = Found { now: Timestamp::default(), horizon: None, batches, lengths: self.lengths.clone() };
        for row in &rows {
            self.take(&mut found, row)?;
        }
        Ok(found)
    }

    fn take(&self, found: &mut Found, row: &Row) -> Result<(), Failure> {
        let number: i64 = row.try_get(0)?;
        if number < 0 {
            let length = usize::try_from(-1 - number).ok().and_then(|number| found.lengths.get_mut(number));
            *length.ok_or_else(|| Failure::damaged("the database answered for a parent that was not asked for"))? = row.try_get(1)?;
            return Ok(());
        }
        let received_at = time(row, 2)?;
        let Some(number) = usize::try_from(unsigned(row, 0)?).ok().and_then(|number| number.checked_sub(1)) else {
            found.now = received_at;
            found.horizon = Horizon::read(unsigned(row, 1)?, row.try_get(3)?);
            return Ok(());
        };
        let (Some((_, stream)), Some(batches), Some(known)) =
            (self.places.get(number), found.batches.get_mut(number), self.known.get(number))
        else {
            return Err(Failure::damaged(format!("the database answered for stream {number}, which was not asked for")));
        };
        let (seq, batch) = (unsigned(row, 1)?, row.try_get::<_, &[u8]>(3)?);
        let before = batches.last().map_or(unsigned_known(*known), |batch| batch.seq);
        if seq != before + 1 {
            return Err(Failure::damaged(format!("{stream} has batch {seq} where another was expected")));
        }
        batches.push(Batch { stream: *stream, seq, batch: batch.to_vec().into(), received_at });
        Ok(())
    }

    fn batches<'a>(&self, found: &'a Found, app: &App, stream: Stream) -> &'a [Batch] {
        self.numbers.get(&(app.clone(), stream)).and_then(|number| found.batches.get(*number)).map_or(&[], |batches| batches)
    }

    pub(super) fn answer(
        &self,
        found: &Found,
        manner: Manner,
        app: Option<&App>,
        known: &[(Stream, Seq)],
        children: &[(Uuid, u64)],
    ) -> Result<Answer, Failure> {
        let Some(app) = app else { return Ok(Answer { since: None, same_children: true, horizon: found.horizon }) };
        let length = |parent| self.parent_numbers.get(&(app.clone(), parent)).and_then(|number| found.lengths.get(*number));
        let same_children = children.iter().all(|(parent, many)| length(*parent) == Some(&bounded(*many)));
        let is_whole = known.iter().all(|(stream, _)| bounded(self.batches(found, app, *stream).len() as u64) < manner.few);
        let since = if is_whole { Some(self.tell(found, app, known)?) } else { None };
        Ok(Answer { since, same_children, horizon: found.horizon })
    }

    pub(super) fn tell(&self, found: &Found, app: &App, known: &[(Stream, Seq)]) -> Result<Since, Failure> {
        let missing = |(stream, seq): &(Stream, Seq)| {
            let seq = *seq;
            self.batches(found, app, *stream).iter().filter(move |batch| batch.seq > seq).cloned()
        };
        Ok(Since { now: found.now, batches: known.iter().flat_map(missing).collect() })
    }
}

fn unsigned_known(known: i64) -> Seq {
    Seq::try_from(known).unwrap_or_default()
}

/// The first row has the time at which the transaction began, just before the moment of which it reads: what was acknowledged before that
/// time is among the rows. Where replicas are read, it has the horizon too, which is looked up after that moment: a commit is in the log, and
/// synced, before anyone sees it, so the horizon lies behind all that the rows show. Of parents only those come that lead to another number
/// of streams, with their own numbers below zero.
fn sql(manner: Manner, parents: bool) -> String {
    let (position, timeline) = if manner.replicated { (Horizon::POSITION, Horizon::TIMELINE) } else { ("0::bigint", "''::bytea") };
    let slow = if manner.delay.is_zero() { String::new() } else { format!("FROM pg_sleep({})", manner.delay.as_secs_f64()) };
    let parents = if parents { PARENTS } else { "" };
    format!(
        "SELECT 0::bigint, {position}, (extract(epoch FROM now()) * 1000000)::bigint, {timeline} {slow}
         UNION ALL
         SELECT q.n, j.seq, j.received_at, j.batch
         FROM unnest($1::text[], $2::text[], $3::smallint[], $4::uuid[], $5::bigint[])
              WITH ORDINALITY AS q (account, app, kind, stream, known, n)
         CROSS JOIN LATERAL (
             SELECT j.seq, j.received_at, j.batch FROM journal j
             WHERE j.account = q.account COLLATE \"C\" AND j.app = q.app COLLATE \"C\" AND j.kind = q.kind AND j.stream = q.stream
               AND j.seq > q.known
             ORDER BY j.seq LIMIT $6::bigint) AS j
         {parents}"
    )
}

const PARENTS: &str = "UNION ALL
         SELECT -p.n, c.streams, 0::bigint, ''::bytea
         FROM unnest($7::text[], $8::text[], $9::uuid[], $10::bigint[]) WITH ORDINALITY AS p (account, app, parent, known, n)
         CROSS JOIN LATERAL (
             SELECT count(*) AS streams FROM links l
             WHERE l.account = p.account COLLATE \"C\" AND l.app = p.app COLLATE \"C\" AND l.kind = 1 AND l.from_id = p.parent) AS c
         WHERE c.streams <> p.known";
