//! What is done beside the jobs of a transaction: look-ups that wait become a run, and runs become larger ones.
//!
//! All of it goes with what commits add, two entries for one, so that an idle store rests, none waits for long, and nothing piles up.

use super::fresh::{Fresh, Of};
use super::merge;
use super::runs::{self, Cutter, Sizes};
use rusqlite::Connection;

/// For each look-up that a commit adds so many are written to a run, and so many on each level that is merged.
const MOVED_FOR_ONE: usize = 2;
/// How many rows of the table a commit drops, once all that they have is in a run.
const DROPPED: usize = 512;

/// How far the work is.
#[derive(Clone, Copy)]
pub(super) struct Moving {
    stage: Stage,
    /// How many entries are due that were not worth a step yet.
    due: usize,
    /// How many look-ups wait before they become a run.
    many: usize,
    sizes: Sizes,
}

/// How look-ups become a run: all that there were when it began, then the rows that had them go.
#[derive(Clone, Copy)]
enum Stage {
    /// There are too few.
    Resting,
    /// So many of those that leave are in a run. Rows up to a number have no others.
    Writing { run: i64, written: usize, upto: i64 },
    /// The rows up to a number go. There is one past it, as nothing is written without an addition: so the number is not given again.
    Dropping { upto: i64 },
}

/// What one commit did, to be noted once it is committed.
pub(super) struct Moved {
    then: Moving,
    noted: Noted,
}

/// What becomes of what is in memory.
#[derive(Clone, Copy)]
enum Noted {
    Nothing,
    Leave,
    Left,
}

impl Moved {
    /// Notes it. What the commit itself added is in memory before.
    pub(super) fn publish(self, fresh: &Fresh, moving: &mut Moving) {
        *moving = self.then;
        match self.noted {
            Noted::Nothing => {}
            Noted::Leave => fresh.leave(),
            Noted::Left => fresh.left(),
        }
    }
}

impl Moving {
    /// At the beginning. The first addition is worth a step, so that processes that end soon get on, too.
    pub(super) fn new(many: usize, sizes: Sizes) -> Self {
        Self { stage: Stage::Resting, due: sizes.step, many, sizes }
    }

    /// Nothing is done.
    pub(super) fn still(self) -> Moved {
        Moved { then: self, noted: Noted::Nothing }
    }

    /// Does a part of the work within a transaction that adds so many look-ups.
    pub(super) fn go_on(mut self, conn: &Connection, fresh: &Fresh, added: usize) -> rusqlite::Result<Moved> {
        let mut noted = Noted::Nothing;
        if added > 0 {
            self.due += added * MOVED_FOR_ONE;
        }
        let due = if added > 0 && self.due >= self.sizes.step { std::mem::take(&mut self.due) } else { 0 };
        if due > 0 {
            merge::go_on(conn, due, self.sizes)?;
        }
        match self.stage {
            Stage::Resting if added == 0 || fresh.staying() + added < self.many => {}
            Stage::Resting => {
                let upto = conn.prepare_cached("SELECT coalesce(max(number), 0) FROM fresh")?.query_row([], |row| row.get(0))?;
                self.stage = Stage::Writing { run: runs::begin(conn, 0)?, written: 0, upto };
                noted = Noted::Leave;
            }
            Stage::Writing { run, written, upto } if due > 0 => {
                let leaving = fresh.leaving();
                let written = written + self.write(conn, run, &leaving[written..], due)?;
                self.stage = Stage::Writing { run, written, upto };
                if written == leaving.len() {
                    runs::end(conn, run)?;
                    self.stage = Stage::Dropping { upto };
                    noted = Noted::Left;
                }
            }
            Stage::Writing { .. } => {}
            Stage::Dropping { upto } => {
                let sql = "DELETE FROM fresh WHERE number IN (SELECT number FROM fresh WHERE number <= ?1 LIMIT ?2)";
                if conn.prepare_cached(sql)?.execute((upto, DROPPED))? < DROPPED {
                    self.stage = Stage::Resting;
                }
            }
        }
        Ok(Moved { then: self, noted })
    }

    /// Writes whole chunks of what leaves, until so many entries are written; returns how many are.
    fn write(&self, conn: &Connection, run: i64, leaving: &[Of], due: usize) -> rusqlite::Result<usize> {
        let mut cutter = Cutter::new(conn, run, self.sizes)?;
        let mut written = 0;
        for link in leaving {
            if written >= due && cutter.is_even() {
                break;
            }
            cutter.push(&runs::place(link))?;
            written += 1;
        }
        cutter.cut()?;
        Ok(written)
    }
}
