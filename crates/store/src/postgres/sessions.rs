//! The list of settled sessions.

use super::failure::Failure;
use super::lease::Lease;
use super::values::{bounded, stream, time, unsigned};
use crate::beginnings::ids_from;
use crate::contract::{SessionFilter, SessionOrder, SessionPage, SessionRecord, SessionSort};
use rollbook_core::id::App;
use std::ops::Range;
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;
use uuid::Uuid;

/// What [`record`] reads.
pub(super) const COLUMNS: &str =
    "s.kind, s.stream, s.id, s.meeting, s.started_at, s.last_change_at, s.consumed, s.participants, s.folded_title, s.summary";

/// Leaves out the records of streams that changed since they were settled.
const SHOWN: &str = "NOT EXISTS (SELECT FROM standings h WHERE h.account = s.account AND h.app = s.app AND h.kind = s.kind
    AND h.stream = s.stream AND h.unsettled AND h.last_change IS NOT NULL)";

pub(super) fn record(row: &Row) -> Result<SessionRecord, Failure> {
    let title = String::from_utf8(row.try_get(8)?).map_err(|_| Failure::damaged("a session's title is no text"))?;
    Ok(SessionRecord {
        stream: stream(row, 0)?,
        id: row.try_get(2)?,
        meeting: row.try_get(3)?,
        started_at: time(row, 4)?,
        last_change_at: time(row, 5)?,
        consumed: row.try_get(6)?,
        participants: unsigned(row, 7)?,
        folded_title: title,
        summary: row.try_get::<_, Vec<u8>>(9)?.into(),
    })
}

/// Reads total and slice at one moment.
pub(super) async fn page(
    lease: &Lease,
    app: &App,
    filter: &SessionFilter,
    order: SessionOrder,
    range: &Range<u64>,
) -> Result<SessionPage, Failure> {
    let matching = Matching::new(app, filter);
    let count = lease.prepare_cached(&matching.count()).await?;
    let slice = lease.prepare_cached(&matching.slice(order)).await?;
    let (skip, take) = (bounded(range.start), bounded(range.end.saturating_sub(range.start)));
    let values = matching.params();
    let mut within = values.clone();
    within.extend([&take as &(dyn ToSql + Sync), &skip]);
    let (_, total, rows, ()) = tokio::try_join!(
        lease.batch_execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"),
        lease.query_one(&count, &values),
        lease.query(&slice, &within),
        lease.batch_execute("COMMIT"),
    )?;
    Ok(SessionPage { total: unsigned(&total, 0)?, records: rows.iter().map(record).collect::<Result<_, _>>()? })
}

/// The clauses that pick the records, and their values in order.
struct Matching {
    clauses: String,
    values: Vec<Box<dyn ToSql + Sync + Send>>,
}

impl Matching {
    fn new(app: &App, filter: &SessionFilter) -> Self {
        let mut all = Self { clauses: SHOWN.into(), values: Vec::new() };
        let SessionFilter { from, until, meeting, min_participants, max_participants, search } = filter;
        all.and("s.account =", Some(app.account().to_owned()));
        all.and("s.app =", Some(app.app().to_owned()));
        all.and("s.started_at >=", from.map(|from| from.micros()));
        all.and("s.started_at <=", until.map(|until| until.micros()));
        all.and("s.meeting =", *meeting);
        all.and("s.participants >=", min_participants.map(bounded));
        all.and("s.participants <=", max_participants.map(bounded));
        if let Some(text) = search {
            all.and_found(text);
        }
        all
    }

    fn and(&mut self, clause: &str, value: Option<impl ToSql + Sync + Send + 'static>) {
        if let Some(value) = value {
            let place = self.bind(value);
            self.clauses.push_str(&format!(" AND {clause} {place}"));
        }
    }

    /// The place of a value that is added.
    fn bind(&mut self, value: impl ToSql + Sync + Send + 'static) -> String {
        self.values.push(Box::new(value));
        format!("${}", self.values.len())
    }

    fn and_found(&mut self, text: &str) {
        let needle = self.bind(text.as_bytes().to_vec());
        let mut found = format!("position({needle}::bytea IN s.folded_title) > 0");
        if let Some((first, last)) = ids_from(text) {
            let range = [first, last].map(|id: Uuid| self.bind(id)).join(" AND ");
            found.push_str(&format!(" OR s.id BETWEEN {range} OR s.meeting BETWEEN {range}"));
        }
        self.clauses.push_str(&format!(" AND ({found})"));
    }

    fn params(&self) -> Vec<&(dyn ToSql + Sync)> {
        self.values.iter().map(|value| &**value as &(dyn ToSql + Sync)).collect()
    }

    fn count(&self) -> String {
        format!("SELECT count(*) FROM sessions s WHERE {}", self.clauses)
    }

    fn slice(&self, order: SessionOrder) -> String {
        let key = match order.sort {
            SessionSort::StartedAt => "s.started_at",
            SessionSort::Consumed => "s.consumed",
        };
        // The stream makes the order total where two streams claim one session.
        let direction = if order.descending { "DESC" } else { "ASC" };
        let keys = [key, "s.id", "s.kind", "s.stream"].map(|key| format!("{key} {direction}")).join(", ");
        let (take, skip) = (self.values.len() + 1, self.values.len() + 2);
        format!("SELECT {COLUMNS} FROM sessions s WHERE {} ORDER BY {keys} LIMIT ${take} OFFSET ${skip}", self.clauses)
    }
}
