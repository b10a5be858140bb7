//! The check that is shared: what a reader does not know yet, asked by one query for all readers that wait.
//!
//! One is under way at a time. A reader waits for the next that begins after it came, and never joins one that is under way: that one may
//! have looked before something was acknowledged which the reader must see.

use super::failure::{Failure, Patience, again, stopped};
use super::lease::{Connections, Lease};
use super::values::{Keys, bounded, time, unsigned};
use super::waiting::Place;
use crate::contract::{Batch, Seq, Since, StoreError};
use rollbook_core::id::{App, Stream};
use rollbook_core::time::Timestamp;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
use tokio_postgres::Row;

/// The most readers that wait, and the most that share a query.
const MOST: usize = 4096;
/// Of one stream the check reads up to so many batches. Who misses more reads by itself, so that nobody waits for it.
const FEW: i64 = 64;

/// A reader that waits.
struct Question {
    app: App,
    known: Vec<(Stream, Seq)>,
    reply: oneshot::Sender<Result<Answer, StoreError>>,
}

/// What a reader is told.
enum Answer {
    Whole(Since),
    /// So much is missing that the reader must ask by itself.
    TooMuch,
}

/// The way to the task that checks. The task ends when this is dropped and the queue is done.
pub(super) struct Check {
    questions: mpsc::Sender<Question>,
    connections: Arc<Connections>,
}

impl Check {
    /// Starts the task. `delay` keeps every answer back after the database has looked.
    pub(super) fn start(connections: Arc<Connections>, delay: Duration) -> Self {
        let (questions, queue) = mpsc::channel(MOST);
        tokio::spawn(answer_all(Arc::clone(&connections), delay, queue));
        Self { questions, connections }
    }

    pub(super) async fn since(&self, app: &App, known: &[(Stream, Seq)]) -> Result<Since, StoreError> {
        let (reply, answer) = oneshot::channel();
        let question = Question { app: app.clone(), known: known.to_vec(), reply };
        self.questions.send(question).await.map_err(|_| stopped())?;
        match answer.await.map_err(|_| stopped())?? {
            Answer::Whole(since) => Ok(since),
            Answer::TooMuch => self.alone(app, known).await,
        }
    }

    async fn alone(&self, app: &App, known: &[(Stream, Seq)]) -> Result<Since, StoreError> {
        let (app, known) = (app.clone(), known.to_vec());
        let work = move |lease: Arc<Lease>| {
            let (app, known) = (app.clone(), known.clone());
            async move {
                let asked = Asked::of([(&app, &known[..])]);
                let found = asked.ask(&lease, i64::MAX, Duration::ZERO).await?;
                asked.tell(&found, &app, &known)
            }
        };
        self.connections.run(work).await
    }
}

async fn answer_all(connections: Arc<Connections>, delay: Duration, mut queue: mpsc::Receiver<Question>) {
    let mut waiting = Vec::new();
    while queue.recv_many(&mut waiting, MOST).await > 0 {
        let asked = Asked::of(waiting.iter().map(|question| (&question.app, &question.known[..])));
        let found = asked.insist(&connections, delay).await;
        for Question { app, known, reply } in waiting.drain(..) {
            let answer = match &found {
                Ok(found) if asked.is_whole(found, &app, &known) => asked.tell(found, &app, &known).map(Answer::Whole).map_err(told),
                Ok(_) => Ok(Answer::TooMuch),
                Err(error) => Err(again(error)),
            };
            // Nobody listens where the reader's future was dropped.
            let _ = reply.send(answer);
        }
    }
}

fn told(failure: Failure) -> StoreError {
    match failure {
        Failure::Lasting(error) => error,
        Failure::Passing(text) => StoreError::Unavailable(text),
    }
}

/// The streams that are asked for, each once, with the least that any reader knows of it.
#[derive(Default)]
struct Asked {
    numbers: HashMap<Place, usize>,
    places: Vec<Place>,
    known: Vec<i64>,
}

/// What the database has of each stream that was asked for.
struct Found {
    now: Timestamp,
    batches: Vec<Vec<Batch>>,
    most: i64,
}

impl Asked {
    fn of<'a>(questions: impl IntoIterator<Item = (&'a App, &'a [(Stream, Seq)])>) -> Self {
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

    async fn insist(&self, connections: &Connections, delay: Duration) -> Result<Found, StoreError> {
        let mut patience = Patience::until(connections.deadline());
        loop {
            let attempt = async {
                let lease = connections.lease().await?;
                let found = self.ask(&lease, FEW, delay).await?;
                lease.done();
                Ok(found)
            };
            match patience.bound(attempt).await {
                Ok(found) => return Ok(found),
                Err(failure) => patience.after(failure).await?,
            }
        }
    }

    /// Reads all streams at one moment: a commit over several of them is seen whole or not at all.
    async fn ask(&self, lease: &Lease, most: i64, delay: Duration) -> Result<Found, Failure> {
        let mut keys = Keys::default();
        for (app, stream) in &self.places {
            keys.push(app, *stream);
        }
        let statement = lease.prepare_cached(&sql(delay)).await?;
        let Keys { accounts, apps, kinds, ids } = &keys;
        let rows = lease.query(&statement, &[accounts, apps, kinds, ids, &self.known, &most]).await?;
        let mut found = Found { now: Timestamp::default(), batches: vec![Vec::new(); self.places.len()], most };
        for row in &rows {
            self.take(&mut found, row)?;
        }
        Ok(found)
    }

    fn take(&self, found: &mut Found, row: &Row) -> Result<(), Failure> {
        let received_at = time(row, 2)?;
        let Some(number) = usize::try_from(unsigned(row, 0)?).ok().and_then(|number| number.checked_sub(1)) else {
            found.now = received_at;
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

    /// Whether all that the reader misses was found.
    fn is_whole(&self, found: &Found, app: &App, known: &[(Stream, Seq)]) -> bool {
        known.iter().all(|(stream, _)| bounded(self.batches(found, app, *stream).len() as u64) < found.most)
    }

    fn tell(&self, found: &Found, app: &App, known: &[(Stream, Seq)]) -> Result<Since, Failure> {
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
/// time is among the rows.
fn sql(delay: Duration) -> String {
    let slow = if delay.is_zero() { String::new() } else { format!(", pg_sleep({})", delay.as_secs_f64()) };
    format!(
        "SELECT 0::bigint, 0::bigint, (extract(epoch FROM now()) * 1000000)::bigint, ''::bytea {from}
         UNION ALL
         SELECT q.n, j.seq, j.received_at, j.batch
         FROM unnest($1::text[], $2::text[], $3::smallint[], $4::uuid[], $5::bigint[])
              WITH ORDINALITY AS q (account, app, kind, stream, known, n)
         CROSS JOIN LATERAL (
             SELECT j.seq, j.received_at, j.batch FROM journal j
             WHERE j.account = q.account COLLATE \"C\" AND j.app = q.app COLLATE \"C\" AND j.kind = q.kind AND j.stream = q.stream
               AND j.seq > q.known
             ORDER BY j.seq LIMIT $6::bigint) AS j",
        from = slow.replacen(", ", "FROM ", 1)
    )
}
