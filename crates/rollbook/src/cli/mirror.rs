//! `rollbook mirror`.

use super::import::target;
use super::{AppArgs, DataArgs, logging, output};
use crate::config::SecretPlace;
use crate::mirror::{Mirror, Noted, Pace, Progress, Tally, Upstream};
use anyhow::Context as _;
use clap::{Args, Subcommand};
use indicatif::{ProgressBar, ProgressStyle};
use rollbook_core::time::Timestamp;
use std::path::PathBuf;

/// Bring in what another service lists, into a data folder or a running server
#[derive(Subcommand)]
pub(super) enum MirrorCommand {
    Realtimekit(RealtimeKitArgs),
}

/// Mirror the sessions of Cloudflare RealtimeKit, or of another rollbook
///
/// Reads every session with its breakouts and participants from upstream's REST API, and records them under the same ids. What webhooks have told
/// is not told twice; what they leave out (user_id, preset_name, breakouts) is filled in. A run that stopped is simply run again, and so
/// is one that met sessions that were still going on: a file notes which are done. Keeps to 3,500 requests in five minutes.
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct RealtimeKitArgs {
    #[command(flatten)]
    app: AppArgs,
    /// Upstream's API
    #[arg(long, value_name = "URL", default_value = "https://api.cloudflare.com/client/v4")]
    upstream: String,
    /// The account's id there, where it is another
    #[arg(long, value_name = "ID")]
    upstream_account: Option<String>,
    /// The app's id there, where it is another
    #[arg(long, value_name = "ID")]
    upstream_app: Option<String>,
    /// The variable that holds a token of upstream's that may read
    #[arg(long, value_name = "VARIABLE", default_value = "CLOUDFLARE_API_TOKEN")]
    token_env: String,
    /// Only sessions that began then or later: a date, or a time as in 2026-01-31T10:00:00Z
    #[arg(long, value_name = "TIME", value_parser = instant)]
    since: Option<Timestamp>,
    /// The file that notes which sessions are done [default: ./rollbook-mirror-APP.done]
    #[arg(long, value_name = "FILE")]
    state: Option<PathBuf>,
    /// A running server to send the events to, instead of the data folder
    #[arg(long, value_name = "URL", requires = "token")]
    server: Option<String>,
    /// The token for the server
    #[arg(long, env = "ROLLBOOK_TOKEN", value_name = "TOKEN", hide_env_values = true)]
    token: Option<String>,
    #[command(flatten)]
    data: DataArgs,
}

const EXAMPLES: &str = "\
Examples:
  export CLOUDFLARE_API_TOKEN=… ROLLBOOK_TOKEN=rb_…
  rollbook mirror realtimekit --account 023e105f4ecef8ad9ca31a8372d0c353 \\
      --app 2a95132c15732412d22c1476fa83f27a --server http://127.0.0.1:8080
  rollbook mirror realtimekit --account acme --app school --since 2026-01-01 \\
      --upstream https://other.example.com/client/v4 --token-env OTHER_TOKEN

Without --server the events go into the data folder, which no server may run on meanwhile.";

/// A date is its first moment, in UTC.
fn instant(text: &str) -> Result<Timestamp, String> {
    let whole = if text.len() == "2026-01-31".len() { format!("{text}T00:00:00Z") } else { text.to_owned() };
    Timestamp::parse_rfc3339(&whole).map_err(|error| error.to_string())
}

pub(super) fn run(command: MirrorCommand) -> anyhow::Result<()> {
    let MirrorCommand::Realtimekit(args) = command;
    let settings = args.data.settings()?;
    logging::quiet();
    let app = args.app.app()?;
    let secret = SecretPlace { id: String::new(), secret_env: Some(args.token_env), secret_file: None };
    let token = secret
        .read()
        .map_err(|_| anyhow::anyhow!("upstream's token: the variable {} is not set", secret.secret_env.unwrap_or_default()))?;
    let account = args.upstream_account.as_deref().unwrap_or(app.account());
    let upstream_app = args.upstream_app.as_deref().unwrap_or(app.app());
    let mut upstream = Upstream::new(&args.upstream, account, upstream_app, &token, Pace::default())?;
    let state = args.state.unwrap_or_else(|| format!("rollbook-mirror-{}.done", app.app()).into());
    let from = format!("{} {account}/{upstream_app} to {}/{}", args.upstream.trim_end_matches('/'), app.account(), app.app());
    let mut noted = Noted::open(&state, &from)?;
    let mut target = target(args.server, args.token, &settings, app)?;
    let bar = Shown::new();
    let since = args.since.map(Timestamp::to_rfc3339_micros);
    let mut mirror = Mirror { upstream: &mut upstream, target: target.as_mut(), noted: &mut noted, tally: Tally::default() };
    let outcome = mirror.run(since.as_deref(), &bar);
    let tally = mirror.tally;
    bar.0.finish_and_clear();
    tell(tally)?;
    outcome.with_context(|| {
        format!("stopped; what is done is recorded, and noted in {}: the same command goes on from there", state.display())
    })
}

fn tell(tally: Tally) -> anyhow::Result<()> {
    let Tally { sessions, live, before, rows, guessed, receipt, known } = tally;
    output::line(&format!("{sessions} sessions, {rows} participants; {before} sessions were done before"))?;
    output::line(&format!("accepted {}, duplicates {}, known from elsewhere {known}", receipt.accepted, receipt.duplicates))?;
    if live > 0 {
        output::line(&format!("{live} sessions go on: run this again when they have ended"))?;
    }
    if guessed > 0 {
        output::line(&format!("of {guessed} participants only the sum of their stays is known, not each"))?;
    }
    Ok(())
}

/// A bar on stderr; indicatif shows nothing where that is no terminal.
struct Shown(ProgressBar);

impl Shown {
    fn new() -> Self {
        let bar = ProgressBar::new_spinner();
        let style = ProgressStyle::with_template("sessions {bar:30} {human_pos}/{human_len} {per_sec}, {eta} left");
        Self(match style {
            Ok(style) => bar.with_style(style),
            Err(_) => bar,
        })
    }
}

impl Progress for Shown {
    fn at(&self, done: u64, total: Option<u64>) {
        if let Some(total) = total {
            self.0.set_length(total);
        }
        self.0.set_position(done);
    }
}
