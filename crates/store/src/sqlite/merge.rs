//! Runs of a level become one of the next, a part with each commit that adds look-ups.
//!
//! What a commit takes over from the runs that end is in their successor with that commit, and the chunks that are taken over whole go with it. So
//! every look-up is in the database at every moment, little of it twice, and how far the work has come is told by the successor's last entry:
//! a process that ends, or a commit that fails, has nothing to make good.

use super::runs::{self, Cutter, Entry, FIRST, Place, Run, Sizes, entries};
use rusqlite::{Connection, OptionalExtension};

/// Takes over so many entries in each merge that is under way, and begins those that are due.
pub(super) fn go_on(conn: &Connection, due: usize, sizes: Sizes) -> rusqlite::Result<()> {
    let all = runs::all(conn)?;
    for target in all.iter().filter(|run| run.level > 0 && !run.whole) {
        let sources: Vec<i64> = all.iter().filter(|run| run.target == Some(target.number)).map(|run| run.number).collect();
        take_over(conn, target.number, &sources, due, sizes)?;
    }
    let resting: Vec<&Run> = all.iter().filter(|run| run.whole && run.target.is_none()).collect();
    // Its level's merge is done before as many runs have come again: each entry that is added pays for two on every level.
    let busy = |level| all.iter().any(|run| run.level == level && run.target.is_some());
    for of_level in resting.chunk_by(|a, b| a.level == b.level) {
        if let Some(sources) = of_level.get(..sizes.merged)
            && let [Run { level, .. }, ..] = sources
            && !busy(*level)
        {
            let target = runs::begin(conn, level + 1)?;
            for source in sources {
                conn.prepare_cached("UPDATE runs SET target = ?1 WHERE number = ?2")?.execute((target, source.number))?;
            }
        }
    }
    Ok(())
}

fn take_over(conn: &Connection, target: i64, sources: &[i64], due: usize, sizes: Sizes) -> rusqlite::Result<()> {
    let mut last = reached(conn, target)?;
    let mut inputs = sources.iter().map(|run| Input::after(conn, *run, last)).collect::<rusqlite::Result<Vec<_>>>()?;
    let (mut cutter, mut taken) = (Cutter::new(conn, target, sizes)?, 0);
    // It ends with a chunk, so that what it has reached is the chunk's last.
    while taken < due || !cutter.is_even() {
        let heads = inputs.iter().enumerate().filter_map(|(ix, input)| Some((input.head?, ix)));
        let Some((place, ix)) = heads.min() else { break };
        if place != last {
            cutter.push(&place)?;
            last = place;
        }
        inputs[ix].advance(conn)?;
        taken += 1;
    }
    cutter.cut()?;
    let (app, kind, entry) = last;
    for run in sources {
        let sql = "DELETE FROM chunks WHERE run = ?1 AND (app, kind, last) <= (?2, ?3, ?4)";
        conn.prepare_cached(sql)?.execute((run, app, kind, entry))?;
    }
    if inputs.iter().all(|input| input.head.is_none()) {
        conn.prepare_cached("DELETE FROM runs WHERE target = ?1")?.execute([target])?;
        runs::end(conn, target)?;
    }
    Ok(())
}

/// The last place that a run has.
fn reached(conn: &Connection, run: i64) -> rusqlite::Result<Place> {
    let sql = "SELECT app, kind, last FROM chunks WHERE run = ?1 ORDER BY app DESC, kind DESC, last DESC LIMIT 1";
    let last = conn.prepare_cached(sql)?.query_row([run], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).optional()?;
    Ok(last.unwrap_or(FIRST))
}

/// A run that is read in its order.
struct Input {
    run: i64,
    /// The next look-up; none after the last.
    head: Option<Place>,
    /// Those of its chunk that come after it, the next one last.
    rest: Vec<Entry>,
}

impl Input {
    fn after(conn: &Connection, run: i64, place: Place) -> rusqlite::Result<Self> {
        let mut input = Self { run, head: None, rest: Vec::new() };
        input.read(conn, place)?;
        Ok(input)
    }

    fn advance(&mut self, conn: &Connection) -> rusqlite::Result<()> {
        let Some(head @ (app, kind, _)) = self.head else { return Ok(()) };
        match self.rest.pop() {
            Some(next) => self.head = Some((app, kind, next)),
            None => self.read(conn, head)?,
        }
        Ok(())
    }

    /// Goes on with the chunk that has the next look-up after a place.
    fn read(&mut self, conn: &Connection, after: Place) -> rusqlite::Result<()> {
        let sql =
            "SELECT app, kind, entries FROM chunks WHERE run = ?1 AND (app, kind, last) > (?2, ?3, ?4) ORDER BY app, kind, last LIMIT 1";
        let mut query = conn.prepare_cached(sql)?;
        let mut rows = query.query((self.run, after.0, after.1, after.2))?;
        self.head = None;
        if let Some(row) = rows.next()? {
            let of = (row.get(0)?, row.get(1)?);
            let chunk = entries(row.get_ref(2)?.as_blob()?)?;
            let start = if of == (after.0, after.1) { chunk.partition_point(|entry| *entry <= after.2) } else { 0 };
            self.rest.extend(chunk[start..].iter().rev());
            self.head = self.rest.pop().map(|next| (of.0, of.1, next));
        }
        Ok(())
    }
}
