//! The transaction of appends that each go to one stream: a single statement, so one round trip in all.
//!
//! All of the statement reads as of its start, which may be before a settling that it met was committed. So what it writes is decided by
//! what stands when it writes: the journal's key, and the mark's own row, never by what the statement sees elsewhere.

use super::failure::Failure;
use super::lease::Lease;
use super::locks::{Spaces, slot};
use super::transaction::{Broken, Mode, Verdict};
use super::values::{CLOCK, Keys};
use super::waiting::Append;
use crate::contract::{Entry, Link};
use rollbook_core::id::{App, StreamKind};
use tokio_postgres::types::ToSql;
use tokio_postgres::{Row, Statement};

/// An entry with its app and the number of its append.
type Offered<'a> = (usize, &'a App, &'a Entry);

/// Whether one statement will do: each append has one entry, so that none can be stored in part, and none is of a source, which needs a
/// lock first.
pub(super) fn suffices(appends: &[Append]) -> bool {
    appends.iter().all(|append| matches!(&append.commit.entries[..], [entry] if entry.stream.kind != StreamKind::Source))
}

/// Stores what can be stored of the appends, no two of which name one stream, and commits. The verdicts are in the order of the appends.
pub(super) async fn write(lease: &Lease, spaces: Spaces, mode: Mode, appends: &[Append]) -> Result<Vec<Verdict>, Broken> {
    let mut offers: Vec<Offered<'_>> = Vec::with_capacity(appends.len());
    for (number, append) in appends.iter().enumerate() {
        offers.extend(append.commit.entries.iter().map(|entry| (number, &append.app, entry)));
    }
    // One order that every node follows: two statements that meet at several streams never wait for each other.
    offers.sort_unstable_by_key(|(_, app, entry)| (*app, entry.stream));
    let statement = lease.prepare_cached(&sql(offers.iter().any(|(_, _, entry)| !entry.links.is_empty()))).await?;
    let asked = ask(lease, &statement, spaces, mode, &offers);
    let row = match mode {
        Mode::Sharing => asked.await.map_err(doubtful)?,
        Mode::Alone => asked.await?,
        Mode::AtLast => tokio::try_join!(asked, commit(lease)).map_err(doubtful)?.0,
    };
    let verdicts = judge(&row, &offers, appends.len()).map_err(doubtful)?;
    if mode == Mode::Alone && verdicts.contains(&Verdict::Won) {
        commit(lease).await.map_err(doubtful)?;
    }
    Ok(verdicts)
}

async fn commit(lease: &Lease) -> Result<(), Failure> {
    Ok(lease.batch_execute("COMMIT").await?)
}

fn doubtful(failure: Failure) -> Broken {
    Broken { failure, doubtful: true }
}

fn judge(row: &Row, offers: &[Offered<'_>], appends: usize) -> Result<Vec<Verdict>, Failure> {
    let (stored, held): (Vec<i64>, Vec<i64>) = (row.try_get(0)?, row.try_get(1)?);
    let mut verdicts = vec![Verdict::Lost; appends];
    for (numbers, verdict) in [(stored, Verdict::Won), (held, Verdict::Busy)] {
        for number in numbers {
            let offer = usize::try_from(number - 1).ok().and_then(|number| offers.get(number));
            let of = offer.and_then(|(append, ..)| verdicts.get_mut(*append));
            *of.ok_or_else(|| Failure::damaged(format!("the database answered for entry {number}, which was not offered")))? = verdict;
        }
    }
    Ok(verdicts)
}

async fn ask(lease: &Lease, statement: &Statement, spaces: Spaces, mode: Mode, offers: &[Offered<'_>]) -> Result<Row, Failure> {
    let (mut keys, mut to) = (Keys::default(), Keys::default());
    let (mut expected, mut batches, mut slots) = (Vec::new(), Vec::new(), Vec::new());
    let mut links: Vec<(&App, Link, i64)> = Vec::new();
    for (number, (_, app, entry)) in (1..).zip(offers) {
        keys.push(app, entry.stream);
        // The last number has no next: what expects it loses, as it does where it expects any batch that is not there.
        expected.push(i64::try_from(entry.expected).ok().filter(|expected| *expected < i64::MAX));
        batches.push(&entry.batch[..]);
        slots.push(slot(entry.stream));
        links.extend(entry.links.iter().map(|link| (*app, *link, number)));
    }
    links.sort_unstable();
    let (mut link_kinds, mut from, mut of) = (Vec::new(), Vec::new(), Vec::new());
    for (app, link, number) in &links {
        to.push(app, link.to);
        link_kinds.push(i16::from(link.kind as u8));
        from.push(link.from);
        of.push(*number);
    }
    let Keys { accounts, apps, kinds, ids } = &keys;
    let Keys { accounts: of_accounts, apps: of_apps, kinds: to_kinds, ids: to_ids } = &to;
    let alone = mode != Mode::Sharing;
    let mut params: Vec<&(dyn ToSql + Sync)> = vec![accounts, apps, kinds, ids, &expected, &batches, &slots, &spaces.places, &alone];
    if !links.is_empty() {
        params.extend([of_accounts as &(dyn ToSql + Sync), of_apps, &link_kinds, &from, to_kinds, to_ids, &of]);
    }
    Ok(lease.query_one(statement, &params).await?)
}

/// A row is offered where its place is free and its predecessor stands. Who comes second is told so and waits for nobody but a transaction
/// that is about to commit. A hashed look-up tells which entries are stored: their number is no column of the journal. Look-ups come before
/// marks, as in every transaction. Told are the numbers of the entries that are stored, and of those whose place is held.
fn sql(linked: bool) -> String {
    let (links, after) = if linked {
        (
            ", linked AS (
                 INSERT INTO links (account, app, kind, from_id, to_kind, to_id)
                 SELECT account, app, kind, from_id, to_kind, to_id
                 FROM unnest($10::text[], $11::text[], $12::smallint[], $13::uuid[], $14::smallint[], $15::uuid[], $16::bigint[])
                     WITH ORDINALITY AS l (account, app, kind, from_id, to_kind, to_id, entry, n)
                 WHERE (l.entry IN (SELECT n FROM won)) IS TRUE
                 ORDER BY l.n ON CONFLICT DO NOTHING
                 RETURNING 1
             )",
            "WHERE (SELECT count(*) FROM linked) >= 0",
        )
    } else {
        ("", "")
    };
    format!(
        "WITH offered AS MATERIALIZED (
             SELECT o.account COLLATE \"C\" AS account, o.app COLLATE \"C\" AS app, o.kind, o.stream, o.expected, o.batch, o.n,
                    $9::boolean OR pg_try_advisory_xact_lock_shared($8::integer, o.slot) AS free,
                    o.expected = 0 OR EXISTS (
                        SELECT FROM journal j WHERE j.account = o.account COLLATE \"C\" AND j.app = o.app COLLATE \"C\"
                            AND j.kind = o.kind AND j.stream = o.stream AND j.seq = o.expected) AS follows
             FROM unnest($1::text[], $2::text[], $3::smallint[], $4::uuid[], $5::bigint[], $6::bytea[], $7::integer[])
                  WITH ORDINALITY AS o (account, app, kind, stream, expected, batch, slot, n)
         ), stored AS (
             INSERT INTO journal (account, app, kind, stream, seq, received_at, batch)
             SELECT account, app, kind, stream, expected + 1, (SELECT {CLOCK}), batch FROM offered WHERE free AND follows ORDER BY n
             ON CONFLICT DO NOTHING
             RETURNING account, app, kind, stream
         ), won AS MATERIALIZED (
             SELECT n FROM offered o
             WHERE ((o.stream, o.kind, o.app, o.account) IN (SELECT stream, kind, app, account FROM stored)) IS TRUE
         ){links}, marked AS (
             INSERT INTO standings (account, app, kind, stream, unsettled)
             SELECT account, app, kind, stream, true FROM stored {after} ORDER BY account, app, kind, stream
             ON CONFLICT (account, app, kind, stream) DO UPDATE SET unsettled = true WHERE NOT standings.unsettled
         )
         SELECT coalesce((SELECT array_agg(n) FROM won), '{{}}'), coalesce((SELECT array_agg(n) FROM offered WHERE NOT free), '{{}}')"
    )
}
