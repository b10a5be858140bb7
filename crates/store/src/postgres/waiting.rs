//! Appends on their way to the database.

use super::failure::{Failure, stopped, undecided};
use super::lease::Lease;
use super::replicated::confirm;
use super::values::Keys;
use crate::contract::{AppendError, Commit};
use rollbook_core::id::{App, Stream};
use std::collections::HashSet;
use tokio::sync::oneshot;
use tokio::time::Instant;

/// An append whose caller waits.
pub(super) struct Append {
    pub(super) app: App,
    pub(super) commit: Commit,
    /// When to give up.
    pub(super) deadline: Instant,
    /// Whether a transaction with it may be committed without our knowing.
    pub(super) doubtful: bool,
    /// The epoch of what the writer knows.
    epoch: u64,
    reply: oneshot::Sender<Result<Stored, AppendError>>,
}

/// How an append is known to be stored.
pub(super) enum Stored {
    /// It was committed.
    Committed,
    /// It was read back, and the answer to its commit never came.
    Seen(App, Commit),
}

impl Append {
    pub(super) fn new(app: App, commit: Commit, deadline: Instant, epoch: u64) -> (Self, oneshot::Receiver<Result<Stored, AppendError>>) {
        let (reply, answer) = oneshot::channel();
        (Self { app, commit, deadline, doubtful: false, epoch, reply }, answer)
    }

    pub(super) fn bytes(&self) -> usize {
        self.commit.entries.iter().map(|entry| entry.batch.len()).sum()
    }

    pub(super) fn streams(&self) -> impl Iterator<Item = Stream> {
        self.commit.entries.iter().map(|entry| entry.stream)
    }

    /// Its streams with their app.
    pub(super) fn places(&self) -> Vec<Place> {
        self.streams().map(|stream| (self.app.clone(), stream)).collect()
    }

    /// Tells the caller. Nobody listens where its future was dropped.
    pub(super) fn answer(self, result: Result<(), AppendError>) {
        let _ = self.reply.send(result.map(|()| Stored::Committed));
    }

    fn seen(self) {
        let _ = self.reply.send(Ok(Stored::Seen(self.app, self.commit)));
    }

    pub(super) fn stop(self) {
        self.answer(Err(stopped().into()));
    }

    pub(super) fn give_up(self, text: &str) {
        self.answer(Err(undecided(text)));
    }
}

/// A stream of an app.
pub(super) type Place = (App, Stream);

/// Takes out those in doubt that turn out to be stored, and of the others those of another epoch.
pub(super) async fn resolve(lease: &Lease, appends: &mut Vec<Append>) -> Result<(), Failure> {
    if appends.iter().any(|append| append.doubtful) {
        take_seen(lease, appends).await?;
    }
    // Their writers know of batches that may be gone.
    for old in appends.extract_if(.., |append| append.epoch != lease.epoch()) {
        old.answer(Err(AppendError::Conflict));
    }
    Ok(())
}

/// Whether what is in doubt, or of another epoch, has to be looked at before anything is stored.
pub(super) fn must_resolve(lease: &Lease, appends: &[Append]) -> bool {
    appends.iter().any(|append| append.doubtful || append.epoch != lease.epoch())
}

async fn take_seen(lease: &Lease, appends: &mut Vec<Append>) -> Result<(), Failure> {
    let stored = stored(lease, appends.iter().map(|append| (&append.app, &append.commit))).await?;
    let (mut n, mut open) = (0, Vec::new());
    for append in appends.drain(..) {
        let count = append.commit.entries.len();
        // All entries of a commit stand or none; a place that another took has another batch.
        if append.doubtful && (n..n + count).all(|entry| stored.contains(&entry)) {
            append.seen();
        } else {
            open.push(append);
        }
        n += count;
    }
    *appends = open;
    Ok(())
}

/// Whether a commit stands whole, and is as safe as if its answer had come.
pub(super) async fn is_safe(lease: &Lease, app: &App, commit: &Commit) -> Result<bool, Failure> {
    // It may be another server than the one where it was seen.
    let stands = stored(lease, std::iter::once((app, commit))).await?.len() == commit.entries.len();
    if stands {
        confirm(lease).await?;
    }
    Ok(stands)
}

/// Which entries, counted over all commits, stand in the journal byte for byte.
async fn stored<'a>(lease: &Lease, commits: impl Iterator<Item = (&'a App, &'a Commit)>) -> Result<HashSet<usize>, Failure> {
    let mut keys = Keys::default();
    let (mut seqs, mut batches) = (Vec::new(), Vec::new());
    for (app, commit) in commits {
        for entry in &commit.entries {
            keys.push(app, entry.stream);
            seqs.push(entry.expected.checked_add(1).and_then(|seq| i64::try_from(seq).ok()));
            batches.push(&entry.batch[..]);
        }
    }
    let sql = "SELECT o.n FROM unnest($1::text[], $2::text[], $3::smallint[], $4::uuid[], $5::bigint[], $6::bytea[])
                   WITH ORDINALITY AS o (account, app, kind, stream, seq, batch, n)
               JOIN journal j ON j.account = o.account COLLATE \"C\" AND j.app = o.app COLLATE \"C\" AND j.kind = o.kind
                   AND j.stream = o.stream AND j.seq = o.seq AND j.batch = o.batch";
    let Keys { accounts, apps, kinds, ids } = &keys;
    let rows = lease.query(&lease.prepare_cached(sql).await?, &[accounts, apps, kinds, ids, &seqs, &batches]).await?;
    let number = |row: &tokio_postgres::Row| Ok(usize::try_from(row.try_get::<_, i64>(0)? - 1).unwrap_or(usize::MAX));
    rows.iter().map(number).collect()
}
