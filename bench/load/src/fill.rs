//! `fill`: sessions straight into a data folder, through the ledger and past HTTP.

use crate::people::Session;
use anyhow::{Context, ensure};
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use rollbook::clock;
use rollbook::ledger::{Ledger, Options, SessionsQuery, View};
use rollbook_core::id::{App, Name};
use rollbook_core::time::{DAY, MINUTE, Timestamp};
use rollbook_store::SqliteStore;
use serde_json::{Value, json};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// How many sessions are filled in between two settlings of the list of sessions, which then finds their folds still in memory.
const SETTLED_AT_ONCE: u64 = 8;

/// Fill a data folder with sessions; what an earlier call filled stays, so that one that was interrupted goes on
#[derive(Args)]
pub(crate) struct FillArgs {
    /// The data folder, which no server uses
    #[arg(long)]
    data: PathBuf,
    /// How the sessions' keys begin; PREFIX-0, PREFIX-1, and so on
    #[arg(long, default_value = "session")]
    prefix: String,
    /// How many sessions
    #[arg(long, default_value_t = 1)]
    sessions: u64,
    /// How many people in each
    #[arg(long)]
    people: u64,
    /// Over how many breakouts the people are spread beside
    #[arg(long, default_value_t = 0)]
    breakouts: u64,
    /// Sessions that go on, with four fifths of the people still in
    #[arg(long)]
    live: bool,
    /// Events a batch of the journal
    #[arg(long, default_value_t = 1000)]
    batch: usize,
    /// Bytes of memory for folds
    #[arg(long, default_value_t = 512 << 20)]
    memory: u64,
    /// Leave out segments and the list of sessions: the server makes both when they are asked for
    #[arg(long)]
    journal_only: bool,
}

/// When the first ended session began: the same in every call, so that what is told twice is the same.
const LAST_YEAR: Timestamp = Timestamp::from_micros(1_735_689_600_000_000);

struct Filling<'a> {
    args: &'a FillArgs,
    ledger: Ledger,
    app: App,
    base: Timestamp,
    bar: ProgressBar,
    added: AtomicU64,
}

pub(crate) fn run(args: &FillArgs) -> anyhow::Result<Value> {
    ensure!(args.batch > 0, "--batch must be at least 1");
    let store = SqliteStore::open(&args.data, Arc::new(clock::now)).with_context(|| args.data.display().to_string())?;
    let segments = Some(args.data.join("segments"));
    let ledger = Ledger::new(Arc::new(store), Options { segments, memory: args.memory });
    let style = ProgressStyle::with_template("{prefix}: {pos}/{len} sessions, {per_sec}, {eta} to go")?;
    let bar = ProgressBar::new(args.sessions).with_prefix(args.prefix.clone()).with_style(style);
    let base = if args.live { clock::now().plus(-50 * MINUTE) } else { LAST_YEAR };
    let filling = Filling { args, ledger, app: App::new("bench", "bench")?, base, bar, added: AtomicU64::new(0) };
    let began = crate::clock();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(filling.all())?;
    let first = filling.app.session(&Name::key(filling.session(0).key));
    let seconds = began.elapsed().as_secs_f64();
    Ok(json!({ "session": first.to_string(), "added": filling.added.into_inner(), "seconds": seconds }))
}

impl Filling<'_> {
    /// The sessions of a key follow each other a year long.
    fn session(&self, number: u64) -> Session {
        let apart = if self.args.live { 0 } else { 365 * DAY / self.args.sessions as i64 * number as i64 };
        let session = Session::new(format!("{}-{number}", self.args.prefix), number, self.args.people, self.base.plus(apart));
        session.going_on(self.args.live)
    }

    async fn all(&self) -> anyhow::Result<()> {
        let from = self.first_missing().await?;
        self.bar.set_position(from);
        for number in from..self.args.sessions {
            let main = self.session(number);
            for session in std::iter::once(main.clone()).chain((0..self.args.breakouts).map(|ix| main.breakout(ix, self.args.breakouts))) {
                self.tell(&session).await?;
            }
            if !self.args.journal_only && !self.args.live {
                self.derive(&main, number).await?;
            }
            self.bar.inc(1);
        }
        self.bar.finish();
        Ok(())
    }

    /// Sessions are filled in order, so those that are there are the first ones.
    async fn first_missing(&self) -> anyhow::Result<u64> {
        let (mut low, mut high) = (0, self.args.sessions);
        while low < high {
            let middle = low + (high - low) / 2;
            let id = self.app.session(&Name::key(self.session(middle).key));
            if self.ledger.session(&self.app, id, false).await?.is_some() { low = middle + 1 } else { high = middle }
        }
        // The last one there may be half told; telling it again adds what is missing.
        Ok(low.saturating_sub(1))
    }

    async fn tell(&self, session: &Session) -> anyhow::Result<()> {
        for batch in session.events().chunks(self.args.batch) {
            let receipt = self.ledger.ingest(&self.app, batch.to_vec()).await?;
            self.added.fetch_add(receipt.accepted as u64, Ordering::Relaxed);
        }
        Ok(())
    }

    /// Writes the segment, and now and then the catalog.
    async fn derive(&self, session: &Session, number: u64) -> anyhow::Result<()> {
        let id = self.app.session(&Name::key(session.key.as_str()));
        let view = if self.args.breakouts > 0 { View::Consolidated } else { View::Raw };
        self.ledger.roster(&self.app, id, view, None).await?;
        if (number + 1).is_multiple_of(SETTLED_AT_ONCE) || number + 1 == self.args.sessions {
            let query = SessionsQuery { limit: 1, ..SessionsQuery::default() };
            self.ledger.sessions(&self.app, &query).await?;
        }
        Ok(())
    }
}
