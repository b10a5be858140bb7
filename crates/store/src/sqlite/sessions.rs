//! The list of settled sessions.

use super::known::AppNo;
use super::values::{count, stream, time, uuid};
use crate::beginnings::ids_from;
use crate::contract::{SessionFilter, SessionOrder, SessionPage, SessionRecord, SessionSort};
use rusqlite::types::Value;
use rusqlite::{Connection, Error, Row, params_from_iter};
use std::ops::Range;
use uuid::Uuid;

/// What [`record`] reads.
pub(super) const COLUMNS: &str =
    "s.kind, s.stream, s.id, s.meeting, s.started_at, s.last_change_at, s.consumed, s.participants, s.folded_title, s.summary";

/// Streams that changed since they were settled: their records wait for the next time.
const HIDDEN: &str = "SELECT 1 FROM standings INDEXED BY standings_hidden WHERE unsettled = 1 AND last_change IS NOT NULL";

pub(super) fn record(row: &Row<'_>) -> Result<SessionRecord, Error> {
    Ok(SessionRecord {
        stream: stream(row, 0)?,
        id: uuid(row, 2)?,
        meeting: row.get::<_, Option<[u8; 16]>>(3)?.map(Uuid::from_bytes),
        started_at: time(row, 4)?,
        last_change_at: time(row, 5)?,
        consumed: row.get(6)?,
        participants: row.get(7)?,
        folded_title: row.get(8)?,
        summary: row.get::<_, Vec<u8>>(9)?.into(),
    })
}

/// Reads the slice. `conn` is in a transaction, so that total and records agree.
pub(super) fn page(
    conn: &Connection,
    app: AppNo,
    filter: &SessionFilter,
    order: SessionOrder,
    range: &Range<u64>,
) -> Result<SessionPage, Error> {
    let mut matching = Matching::new(app, filter);
    let mut any_hidden = conn.prepare_cached(&format!("SELECT EXISTS ({HIDDEN} AND app = ?1)"))?;
    if any_hidden.query_row([app], |row| row.get(0))? {
        matching.clauses.push_str(&format!(" AND NOT EXISTS ({HIDDEN} AND app = s.app AND kind = s.kind AND stream = s.stream)"));
    }
    let sql = format!("SELECT count(*) FROM sessions s WHERE {}", matching.clauses);
    let total = conn.prepare_cached(&sql)?.query_row(params_from_iter(&matching.values), |row| row.get(0))?;
    Ok(SessionPage { total, records: matching.slice(conn, order, range)? })
}

/// The clauses that pick the records, and their values in order.
struct Matching {
    clauses: String,
    values: Vec<Value>,
}

impl Matching {
    fn new(app: AppNo, filter: &SessionFilter) -> Self {
        let mut all = Self { clauses: "s.app = ?1".into(), values: vec![app.into()] };
        let SessionFilter { from, until, meeting, min_participants, max_participants, search } = filter;
        all.and("s.started_at >= ", from.map(|from| from.micros()));
        all.and("s.started_at <= ", until.map(|until| until.micros()));
        all.and("s.meeting = ", meeting.map(blob));
        all.and("s.participants >= ", min_participants.map(count));
        all.and("s.participants <= ", max_participants.map(count));
        if let Some(text) = search {
            all.and_found(text);
        }
        all
    }

    fn and(&mut self, clause: &str, value: Option<impl Into<Value>>) {
        if let Some(value) = value {
            let number = self.bind(value);
            self.clauses.push_str(&format!(" AND {clause}{number}"));
        }
    }

    /// The place of a value that is added.
    fn bind(&mut self, value: impl Into<Value>) -> String {
        self.values.push(value.into());
        format!("?{}", self.values.len())
    }

    /// `instr` knows no wildcard and compares bytes; the ids that begin with a text are a range of ids.
    fn and_found(&mut self, text: &str) {
        let text_number = self.bind(text.to_owned());
        let mut found = format!("instr(s.folded_title, {text_number}) > 0");
        if let Some((first, last)) = ids_from(text) {
            let (first, last) = (self.bind(blob(first)), self.bind(blob(last)));
            found.push_str(&format!(" OR s.id BETWEEN {first} AND {last} OR s.meeting BETWEEN {first} AND {last}"));
        }
        self.clauses.push_str(&format!(" AND ({found})"));
    }

    fn slice(mut self, conn: &Connection, order: SessionOrder, range: &Range<u64>) -> Result<Vec<SessionRecord>, Error> {
        let key = match order.sort {
            SessionSort::StartedAt => "s.started_at",
            SessionSort::Consumed => "s.consumed",
        };
        // The stream makes the order total where two streams claim one session.
        let direction = if order.descending { "DESC" } else { "ASC" };
        let keys = [key, "s.id", "s.kind", "s.stream"].map(|key| format!("{key} {direction}")).join(", ");
        let limit = self.bind(count(range.end.saturating_sub(range.start)));
        let offset = self.bind(count(range.start));
        // The slice is found within an index; only its own records are read.
        let sql = format!(
            "WITH slice AS (SELECT s.rowid AS place FROM sessions s WHERE {} ORDER BY {keys} LIMIT {limit} OFFSET {offset})
             SELECT {COLUMNS} FROM slice CROSS JOIN sessions s ON s.rowid = slice.place ORDER BY {keys}",
            self.clauses
        );
        conn.prepare_cached(&sql)?.query_map(params_from_iter(&self.values), record)?.collect()
    }
}

fn blob(id: Uuid) -> Value {
    Value::Blob(id.as_bytes().to_vec())
}
