//! One transaction of the writer: many jobs, each in a savepoint of its own where there is more than one, and one commit for all.

use super::known::{AppNo, Changes, Known};
use super::moving::{Moved, Moving};
use super::values::kind;
use super::writer::Job;
use crate::contract::{Batch, Link, LinkKind, Seq, StoreError};
use rollbook_core::id::{App, Stream};
use rollbook_core::time::Timestamp;
use rusqlite::{CachedStatement, Connection, OptionalExtension};
use uuid::Uuid;

/// What a job works with.
pub(super) struct Txn<'a> {
    conn: &'a Connection,
    known: &'a Known,
    now: Timestamp,
    done: Changes,
    staged: Changes,
    moving: &'a mut Moving,
}

impl<'a> Txn<'a> {
    pub(super) fn new(conn: &'a Connection, known: &'a Known, now: Timestamp, moving: &'a mut Moving) -> Self {
        Self { conn, known, now, done: Changes::default(), staged: Changes::default(), moving }
    }

    /// Runs all jobs, commits what those that succeeded did, and makes it known. Where it fails, nothing is changed, and no job may be
    /// told that anything was.
    pub(super) fn run(mut self, jobs: &mut [Box<dyn Job>]) -> Result<(), StoreError> {
        let result = self.run_and_commit(jobs);
        match result {
            Ok(moved) => {
                self.known.publish(self.done);
                moved.publish(&self.known.fresh, self.moving);
                Ok(())
            }
            Err(error) => {
                if !self.conn.is_autocommit() {
                    // A rollback that fails leaves the transaction open; then the next one fails to begin and comes back here.
                    let _ = self.conn.execute_batch("ROLLBACK");
                }
                Err(error)
            }
        }
    }

    fn run_and_commit(&mut self, jobs: &mut [Box<dyn Job>]) -> Result<Moved, StoreError> {
        self.execute("BEGIN IMMEDIATE")?;
        if let [job] = jobs {
            // What it wrote is all that was written: a savepoint would keep a copy of each page for nothing.
            if !self.run_one(job)? {
                self.execute("ROLLBACK")?;
                return Ok(self.moving.still());
            }
        } else {
            for job in jobs {
                self.execute("SAVEPOINT job")?;
                if !self.run_one(job)? {
                    self.execute("ROLLBACK TO job")?;
                }
                self.execute("RELEASE job")?;
            }
        }
        let moved = self.moving.go_on(self.conn, &self.known.fresh, self.done.fresh.len())?;
        self.execute("COMMIT")?;
        Ok(moved)
    }

    /// Runs a job; `false` where what it wrote is to be undone.
    fn run_one(&mut self, job: &mut Box<dyn Job>) -> Result<bool, StoreError> {
        self.staged = Changes::default();
        if job.run(self) {
            self.done.absorb(std::mem::take(&mut self.staged));
            Ok(true)
        } else if self.conn.is_autocommit() {
            // SQLite gives up the whole transaction on some failures, a full disk among them, and with it the jobs before this one.
            Err(StoreError::Unavailable("the transaction was rolled back, as on a full or failing disk".into()))
        } else {
            Ok(false)
        }
    }

    fn execute(&self, sql: &str) -> Result<usize, rusqlite::Error> {
        self.conn.prepare_cached(sql)?.execute([])
    }

    /// The statement, prepared once a connection.
    pub(super) fn prepare(&self, sql: &str) -> Result<CachedStatement<'a>, rusqlite::Error> {
        self.conn.prepare_cached(sql)
    }

    /// The store's time at the beginning of the transaction.
    pub(super) fn now(&self) -> Timestamp {
        self.now
    }

    /// The app's number; the app is added where it is new.
    pub(super) fn app(&mut self, app: &App) -> Result<AppNo, rusqlite::Error> {
        let seen = [&self.staged, &self.done].into_iter().find_map(|changes| changes.apps.get(app).copied());
        if let Some(number) = seen.or_else(|| self.known.app(app)) {
            return Ok(number);
        }
        let mut insert = self.prepare("INSERT INTO apps (account, app) VALUES (?1, ?2) RETURNING number")?;
        let number = insert.query_row([app.account(), app.app()], |row| row.get(0))?;
        self.staged.apps.insert(app.clone(), number);
        Ok(number)
    }

    /// The stream's last sequence number, with what this transaction added.
    pub(super) fn head(&self, app: AppNo, stream: Stream) -> Result<Seq, rusqlite::Error> {
        let seen = [&self.staged, &self.done].into_iter().find_map(|changes| changes.heads.get(&(app, stream)).copied());
        match seen.or_else(|| self.known.head(app, stream)) {
            Some(seq) => Ok(seq),
            None => head(self.conn, app, stream),
        }
    }

    /// Notes look-ups that were written to wait.
    pub(super) fn add_fresh(&mut self, links: impl Iterator<Item = (AppNo, Link)>) {
        self.staged.fresh.extend(links);
    }

    /// Notes that the stream now ends at `seq`.
    pub(super) fn advance(&mut self, app: AppNo, stream: Stream, seq: Seq) {
        self.staged.heads.insert((app, stream), seq);
    }

    /// Notes a batch that was appended.
    pub(super) fn add_batch(&mut self, app: AppNo, batch: Batch) {
        self.staged.batches.push((app, batch));
    }

    /// Notes that a parent's look-up has grown.
    pub(super) fn has_more_children(&mut self, app: AppNo, parent: Uuid) -> Result<(), rusqlite::Error> {
        let many = many_children(self.conn, app, parent)?;
        self.staged.children.insert((app, parent), many);
        Ok(())
    }
}

/// To how many streams an id leads as a parent.
pub(super) fn many_children(conn: &Connection, app: AppNo, parent: Uuid) -> Result<u64, rusqlite::Error> {
    let mut query = conn.prepare_cached("SELECT count(*) FROM links WHERE app = ?1 AND kind = ?2 AND from_id = ?3")?;
    query.query_row((app, LinkKind::Child as u8, parent.into_bytes()), |row| row.get(0))
}

/// The stream's last sequence number as the database has it; 0 without batches.
pub(super) fn head(conn: &Connection, app: AppNo, stream: Stream) -> Result<Seq, rusqlite::Error> {
    let sql = "SELECT seq FROM journal WHERE app = ?1 AND kind = ?2 AND stream = ?3 ORDER BY seq DESC LIMIT 1";
    let mut query = conn.prepare_cached(sql)?;
    let seq = query.query_row((app, kind(stream), stream.id.into_bytes()), |row| row.get(0)).optional()?;
    Ok(seq.unwrap_or(0))
}
