//! `fill`: sessions straight into a data folder, through the ledger and past HTTP.

use crate::people::Session;
use anyhow::{Context, ensure};
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use rollbook::clock;
use rollbook::ledger::{Ledger, Options, SessionsQuery, View};
use rollbook_core::id::{App, Name};
use rollbook_core::time::{MINUTE, Timestamp};
use rollbook_store::SqliteStore;
use serde_json::{Value, json};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::task::JoinSet;
use uuid::Uuid;

/// How many sessions are filled at one time: so many share a sync, and their folds are still in memory when the list of sessions is settled.
const AT_ONCE: usize = 8;

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

struct Filling {
    args: FillArgs,
    ledger: Ledger,
    app: App,
    base: Timestamp,
    added: AtomicU64,
}

pub(crate) fn run(args: FillArgs) -> anyhow::Result<Value> {
    ensure!(args.batch > 0, "--batch must be at least 1");
    let store = SqliteStore::open(&args.data, Arc::new(clock::now)).with_context(|| args.data.display().to_string())?;
    let segments = Some(args.data.join("segments"));
    let ledger = Ledger::new(Arc::new(store), Options { segments, memory: args.memory });
    let base = if args.live { clock::now().plus(-50 * MINUTE) } else { LAST_YEAR };
    let filling = Arc::new(Filling { args, ledger, app: App::new("bench", "bench")?, base, added: AtomicU64::new(0) });
    let began = crate::clock();
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(all(&filling))?;
    let seconds = began.elapsed().as_secs_f64();
    Ok(json!({ "session": filling.id(0).to_string(), "added": filling.added.load(Ordering::Relaxed), "seconds": seconds }))
}

async fn all(filling: &Arc<Filling>) -> anyhow::Result<()> {
    let sessions = filling.args.sessions;
    let style = ProgressStyle::with_template("{prefix}: {pos}/{len} sessions, {per_sec}, {eta} to go")?;
    let bar = ProgressBar::new(sessions).with_prefix(filling.args.prefix.clone()).with_style(style);
    let mut next = filling.first_missing().await?;
    bar.set_position(next);
    while next < sessions {
        let group: JoinSet<_> = (next..sessions.min(next + AT_ONCE as u64)).map(|number| tell(Arc::clone(filling), number)).collect();
        for told in group.join_all().await {
            told?;
            bar.inc(1);
        }
        next += AT_ONCE as u64;
        if !filling.args.journal_only {
            // Who asks for the list settles what has ended.
            filling.ledger.sessions(&filling.app, &SessionsQuery { limit: 1, ..SessionsQuery::default() }).await?;
        }
    }
    bar.finish();
    Ok(())
}

/// Tells of one session and its breakouts, and has its segment written.
async fn tell(filling: Arc<Filling>, number: u64) -> anyhow::Result<()> {
    let Filling { args, ledger, app, .. } = &*filling;
    let main = filling.session(number);
    for session in std::iter::once(main.clone()).chain((0..args.breakouts).map(|ix| main.breakout(ix, args.breakouts))) {
        let mut events = session.events().peekable();
        while events.peek().is_some() {
            let receipt = ledger.ingest(app, events.by_ref().take(args.batch).collect()).await?;
            filling.added.fetch_add(receipt.accepted as u64, Ordering::Relaxed);
        }
    }
    if !args.journal_only && !args.live {
        ledger.roster(app, filling.id(number), View::Raw, None).await?;
        if args.breakouts > 0 {
            ledger.roster(app, filling.id(number), View::Consolidated, None).await?;
        }
    }
    Ok(())
}

impl Filling {
    /// One begins every five minutes: a hundred thousand make a year.
    fn session(&self, number: u64) -> Session {
        let apart = if self.args.live { 0 } else { 5 * MINUTE * number.cast_signed() };
        let session = Session::new(format!("{}-{number}", self.args.prefix), number, self.args.people, self.base.plus(apart));
        session.going_on(self.args.live)
    }

    fn id(&self, number: u64) -> Uuid {
        self.app.session(&Name::key(format!("{}-{number}", self.args.prefix)))
    }

    /// Sessions are filled in order, so those that are there are the first ones; the last of them may be half told, and telling them again
    /// adds what is missing.
    async fn first_missing(&self) -> anyhow::Result<u64> {
        let (mut low, mut high) = (0, self.args.sessions);
        while low < high {
            let middle = low + (high - low) / 2;
            if self.ledger.session(&self.app, self.id(middle), false).await?.is_some() { low = middle + 1 } else { high = middle }
        }
        Ok(low.saturating_sub(AT_ONCE as u64))
    }
}
