//! The transaction of appends: many commits, each whole or not at all, and two round trips in all; one where a single statement
//! will do.

use super::failure::Failure;
use super::lease::Lease;
use super::locks::{Spaces, slot, sources};
use super::marks::{self, Marks};
use super::once;
use super::values::{CLOCK, Keys, stream};
use super::waiting::Append;
use crate::contract::{Entry, Link};
use rollbook_core::id::{App, Stream};
use std::collections::{BTreeMap, BTreeSet};

/// What became of an append in a transaction that was committed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It is stored.
    Won,
    /// Another batch stands at its place, or the place does not follow the stream's last. Nothing of it is stored.
    Lost,
    /// Another node holds a place. Nothing of it is stored.
    Busy,
}

/// A transaction that failed.
pub(super) struct Broken {
    pub(super) failure: Failure,
    /// Whether it may be committed all the same.
    pub(super) doubtful: bool,
}

impl<E: Into<Failure>> From<E> for Broken {
    fn from(failure: E) -> Self {
        Self { failure: failure.into(), doubtful: false }
    }
}

/// How a transaction keeps from others' appends.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    /// It shares places with others, and begins and ends here.
    Sharing,
    /// It was begun, and holds the places alone. Where nothing was won, it stays open.
    Alone,
    /// The same, but it ends here.
    AtLast,
}

/// Stores what can be stored of the appends, no two of which name one stream, and commits. The verdicts are in the order of the appends.
pub(super) async fn write(lease: &Lease, spaces: Spaces, mode: Mode, appends: &[Append], probe: bool) -> Result<Vec<Verdict>, Broken> {
    if !probe && once::suffices(appends) {
        return once::write(lease, spaces, mode, appends).await;
    }
    let offer = Offer::of(appends.iter());
    let found = offer.insert(lease, spaces, mode).await?;
    let verdicts: Vec<Verdict> = appends.iter().map(|append| found.of(append)).collect();
    found.undo(lease, appends, &verdicts).await?;
    let won = || appends.iter().zip(&verdicts).filter(|(_, verdict)| **verdict == Verdict::Won).map(|(append, _)| append);
    if won().next().is_some() || probe {
        finish(lease, &Offer::of(won()), probe).await.map_err(|failure| Broken { failure, doubtful: true })?;
    } else if mode != Mode::Alone {
        lease.batch_execute("ROLLBACK").await?;
    }
    Ok(verdicts)
}

/// All entries in one order that every node follows: two transactions that meet at several streams never wait for each other.
struct Offer<'a>(Vec<(&'a App, &'a Entry)>);

impl<'a> Offer<'a> {
    fn of(appends: impl Iterator<Item = &'a Append>) -> Self {
        let mut entries: Vec<_> = appends.flat_map(|append| append.commit.entries.iter().map(|entry| (&append.app, entry))).collect();
        entries.sort_unstable_by_key(|(app, entry)| (*app, entry.stream));
        Self(entries)
    }

    async fn insert(&self, lease: &Lease, spaces: Spaces, mode: Mode) -> Result<Found, Broken> {
        let mut keys = Keys::default();
        let (mut expected, mut batches, mut slots) = (Vec::new(), Vec::new(), Vec::new());
        for (app, entry) in &self.0 {
            keys.push(app, entry.stream);
            // The last number has no next: what expects it loses, as it does where it expects any batch that is not there.
            expected.push(i64::try_from(entry.expected).ok().filter(|expected| *expected < i64::MAX));
            batches.push(&entry.batch[..]);
            slots.push(slot(entry.stream));
        }
        let insert = lease.prepare_cached(&insert_sql()).await?;
        let alone = mode != Mode::Sharing;
        let Keys { accounts, apps, kinds, ids } = &keys;
        let params: &[&(dyn tokio_postgres::types::ToSql + Sync)] =
            &[accounts, apps, kinds, ids, &expected, &batches, &slots, &alone, &spaces.places];
        let sources = sources(self.0.iter().map(|(_, entry)| entry.stream));
        let begin = async { if alone { Ok(()) } else { lease.batch_execute("BEGIN").await } };
        let rows = if sources.is_empty() {
            tokio::try_join!(begin, lease.query(&insert, params))?.1
        } else {
            begin.await?;
            spaces.hold_sources(lease, &sources, true).await?;
            lease.query(&insert, params).await?
        };
        let mut found = Found::default();
        for row in rows {
            let (account, app): (&str, &str) = (row.try_get(0)?, row.try_get(1)?);
            let key = (account.to_owned(), app.to_owned(), stream(&row, 2)?);
            if row.try_get(4)? {
                found.stored.insert(key)
            } else {
                found.held.insert(key)
            };
        }
        Ok(found)
    }
}

/// A row is offered where its place is free and its predecessor stands. Who comes second is told so and waits for nobody but a transaction
/// that is about to commit.
fn insert_sql() -> String {
    format!(
        "WITH offered AS MATERIALIZED (
             SELECT o.*, $8::boolean OR pg_try_advisory_xact_lock_shared($9::integer, o.slot) AS free,
                    o.expected = 0 OR EXISTS (
                        SELECT FROM journal j WHERE j.account = o.account COLLATE \"C\" AND j.app = o.app COLLATE \"C\"
                            AND j.kind = o.kind AND j.stream = o.stream AND j.seq = o.expected) AS follows
             FROM unnest($1::text[], $2::text[], $3::smallint[], $4::uuid[], $5::bigint[], $6::bytea[], $7::integer[])
                  WITH ORDINALITY AS o (account, app, kind, stream, expected, batch, slot, n)
         ), stored AS (
             INSERT INTO journal (account, app, kind, stream, seq, received_at, batch)
             SELECT account, app, kind, stream, expected + 1, {CLOCK}, batch FROM offered WHERE free AND follows ORDER BY n
             ON CONFLICT DO NOTHING
             RETURNING account, app, kind, stream
         )
         SELECT account COLLATE \"C\", app COLLATE \"C\", kind, stream, true FROM stored
         UNION ALL SELECT account COLLATE \"C\", app COLLATE \"C\", kind, stream, false FROM offered WHERE NOT free"
    )
}

type Key = (String, String, Stream);

/// The entries that are stored, and those whose place is held. All others lost.
#[derive(Default)]
struct Found {
    stored: BTreeSet<Key>,
    held: BTreeSet<Key>,
}

fn key(app: &App, entry: &Entry) -> Key {
    (app.account().to_owned(), app.app().to_owned(), entry.stream)
}

impl Found {
    fn of(&self, append: &Append) -> Verdict {
        let mut verdict = Verdict::Won;
        for entry in &append.commit.entries {
            let key = key(&append.app, entry);
            if self.held.contains(&key) {
                return Verdict::Busy;
            }
            if !self.stored.contains(&key) {
                verdict = Verdict::Lost;
            }
        }
        verdict
    }

    /// Takes back what is stored of commits that did not win all of their places. Nobody else has seen it.
    async fn undo(&self, lease: &Lease, appends: &[Append], verdicts: &[Verdict]) -> Result<(), Failure> {
        let mut keys = Keys::default();
        let mut seqs = Vec::new();
        for (append, _) in appends.iter().zip(verdicts).filter(|(_, verdict)| **verdict != Verdict::Won) {
            for entry in append.commit.entries.iter().filter(|entry| self.stored.contains(&key(&append.app, entry))) {
                keys.push(&append.app, entry.stream);
                seqs.push(i64::try_from(entry.expected + 1).unwrap_or(i64::MAX));
            }
        }
        if keys.is_empty() {
            return Ok(());
        }
        let sql = "DELETE FROM journal j USING unnest($1::text[], $2::text[], $3::smallint[], $4::uuid[], $5::bigint[])
                       AS o (account, app, kind, stream, seq)
                   WHERE j.account = o.account COLLATE \"C\" AND j.app = o.app COLLATE \"C\" AND j.kind = o.kind
                     AND j.stream = o.stream AND j.seq = o.seq";
        let delete = lease.prepare_cached(sql).await?;
        let Keys { accounts, apps, kinds, ids } = &keys;
        lease.execute(&delete, &[accounts, apps, kinds, ids, &seqs]).await?;
        Ok(())
    }
}

/// Writes what goes with the batches, and commits. All of it is sent at once; where a part fails, the database does not commit.
async fn finish(lease: &Lease, winners: &Offer<'_>, probe: bool) -> Result<(), Failure> {
    let mut marks = Marks::default();
    let mut links: BTreeMap<(&App, Link), ()> = BTreeMap::new();
    for (app, entry) in &winners.0 {
        marks.add(app, entry);
        links.extend(entry.links.iter().map(|link| ((*app, *link), ())));
    }
    let links: Vec<(&App, Link)> = links.into_keys().collect();
    // A statement that is not prepared yet would be prepared by a round trip of its own, after those that were sent before it.
    marks::prepare(lease, &links, &marks, probe).await?;
    tokio::try_join!(marks::add_links(lease, &links), marks.write(lease), marks::touch(lease, probe), async {
        Ok(lease.batch_execute("COMMIT").await?)
    })?;
    Ok(())
}
