//! `rollbook migrate`.

use super::{logging, output};
use crate::migrate::{self, Compared, Ends, Outcome, Place, Progress, Tally, Verify};
use crate::{clock, serve};
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use std::io::{self, IsTerminal as _};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Move a whole ledger to another store, while it is served
///
/// All apps move: every event with the time at which it was received, every delivery that was kept for later, and
/// all tokens and added engines (the target's become those of the source). First without --switch:
/// it copies, compares what it copied row by row, and changes nothing for the clients of the source, however often it is run. Then with
/// --switch: it copies what is new since, closes the source, copies the last of it, compares answers, and opens the target. From when the
/// source is closed its servers go on answering reads, and answer events with 503, so that their senders try again; to be served again it
/// refuses. Then start servers on the target.
///
/// Whatever fails, or is killed: run the same command again, it goes on where it was. A target that is not whole refuses to be served. Where
/// the comparison fails, the source is opened again. To go back after the switch, migrate the other way: only what is new is copied.
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct MigrateArgs {
    /// The ledger to move: a data folder, or a postgres:// URL
    #[arg(long, env = "ROLLBOOK_FROM", hide_env_values = true, value_name = "DIR|URL")]
    from: Place,
    /// Where to: a data folder that no server runs on, or a postgres:// URL; empty, or partly filled by the same command
    #[arg(long, env = "ROLLBOOK_TO", hide_env_values = true, value_name = "DIR|URL")]
    to: Place,
    /// Close the source, copy the last of it, and open the target
    #[arg(long, conflicts_with = "undo")]
    switch: bool,
    /// Open the source again, after a switch that was cut off
    #[arg(long)]
    undo: bool,
    /// How many sessions' participants are compared at the switch; the lists of sessions always are as a whole
    #[arg(long, value_name = "WHICH", default_value = "sample")]
    verify: Verify,
}

const EXAMPLES: &str = "\
Examples:
  export ROLLBOOK_TO=postgres://rollbook:secret@db.example.org/rollbook
  rollbook migrate --from /var/lib/rollbook             copies; may take long, and disturbs nobody
  rollbook migrate --from /var/lib/rollbook --switch    moves; events wait for some seconds
  rollbook serve --store $ROLLBOOK_TO

A URL on the command line shows its password to whoever lists processes; the variables
ROLLBOOK_FROM and ROLLBOOK_TO do not.";

/// Moves a ledger, and tells how far it came.
pub(super) fn run(args: MigrateArgs) -> anyhow::Result<()> {
    let MigrateArgs { from, to, switch, undo, verify } = args;
    logging::quiet();
    serve::runtime()?.block_on(async {
        let (source, source_beside) = from.source().await?;
        if undo {
            migrate::undo(&source, &to).await?;
            return Ok(output::line(&format!("{} takes events", source.place()))?);
        }
        let (target, target_beside) = to.target().await?;
        let ends = Ends { source, source_beside, target, target_beside };
        let shown = Shown::default();
        let outcome = match switch {
            true => ends.switch(verify, clock::now, serve::told_to_stop(), &shown).await,
            false => ends.copy_all(clock::now(), &shown).await,
        };
        shown.bar.finish_and_clear();
        tell(&ends, outcome?)
    })
}

fn tell(ends: &Ends, outcome: Outcome) -> anyhow::Result<()> {
    let (source, target) = (ends.source.place(), ends.target.place());
    match outcome {
        Outcome::Copied(tally, at) => {
            copied(tally)?;
            output::line(&format!("{target} has all that {source} had at {}, and maybe more", at.to_rfc3339_micros()))?;
            output::line(&format!("{source} is still the ledger: run the same with --switch to move it"))?;
        }
        Outcome::Moved { tally, compared: Compared { sessions, rosters }, closed } => {
            copied(tally)?;
            output::line(&format!("compared answers: {sessions} sessions in lists, {rosters} lists of participants"))?;
            output::line(&format!("no events were taken for {:.1} s", closed.as_secs_f64()))?;
            output::line(&format!("moved: {target} is the ledger, and {source} is not served any more"))?;
        }
        Outcome::MovedBefore(at) => {
            output::line(&format!("{source} moved to {target} on {}: there is nothing to do", at.to_rfc3339_micros()))?;
        }
    }
    Ok(())
}

fn copied(tally: Tally) -> io::Result<()> {
    let Tally { batches, compared, links, kept, tokens, engines } = tally;
    output::line(&format!(
        "copied {batches} batches, {links} look-ups, {kept} kept deliveries; compared {compared} batches; both have {tokens} tokens and {engines} added engines"
    ))
}

/// A count on stderr that goes on; where that is no terminal, a line now and then.
struct Shown {
    bar: ProgressBar,
    plain: bool,
    count: AtomicU64,
}

/// After so many more there is another line.
const A_LINE: u64 = 100_000;

impl Default for Shown {
    fn default() -> Self {
        let bar = ProgressBar::new_spinner();
        if let Ok(style) = ProgressStyle::with_template("{msg} {spinner} {human_pos} ({per_sec})") {
            bar.set_style(style);
        }
        Self { bar, plain: !io::stderr().is_terminal(), count: AtomicU64::new(0) }
    }
}

impl Progress for Shown {
    fn begin(&self, what: &str) {
        self.count.store(0, Ordering::Relaxed);
        self.bar.reset();
        self.bar.set_message(what.to_owned());
        self.bar.enable_steady_tick(Duration::from_millis(200));
        if self.plain {
            output::note(what);
        }
    }

    fn advance(&self, count: u64) {
        self.bar.inc(count);
        let before = self.count.fetch_add(count, Ordering::Relaxed);
        if self.plain && before / A_LINE != (before + count) / A_LINE {
            output::note(&format!("{} done", before + count));
        }
    }
}
