//! `rollbook import`.

use super::{AppArgs, DataArgs, logging, output};
use crate::config::Settings;
use crate::import::{self, Folder, Server, Target};
use crate::ledger::Receipt;
use crate::serve;
use anyhow::Context as _;
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use rollbook_core::id::App;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// Bring in events from files, into a data folder or a running server
///
/// Each line is a CloudEvent in JSON (NDJSON), as `rollbook export` writes them; gzip is recognised. Files are streamed, so they may be
/// of any size. Repeating is harmless: what is known already is counted as a duplicate. An import that stopped is simply run again.
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct ImportArgs {
    #[command(flatten)]
    app: AppArgs,
    /// A running server to send the events to, instead of the data folder
    #[arg(long, value_name = "URL", requires = "token")]
    server: Option<String>,
    /// The token for the server
    #[arg(long, env = "ROLLBOOK_TOKEN", value_name = "TOKEN", hide_env_values = true)]
    token: Option<String>,
    #[command(flatten)]
    data: DataArgs,
    /// The files; `-` is standard input
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
}

const EXAMPLES: &str = "\
Examples:
  rollbook import --account acme --app school events.ndjson.gz
  ROLLBOOK_TOKEN=rb_… rollbook import --account acme --app school \\
      --server http://127.0.0.1:8080 events.ndjson
  rollbook export --account acme --app school --data old |
      rollbook import --account acme --app school --data new -

Without --server the events go into the data folder, which no server may run on meanwhile.";

/// Imports each file in turn and tells what became of the events.
pub(super) fn run(args: ImportArgs) -> anyhow::Result<()> {
    let settings = args.data.settings()?;
    logging::quiet();
    let app = args.app.app()?;
    let mut target = target(args.server, args.token, &settings, app)?;
    let mut total = Receipt::default();
    let outcome = args.files.iter().try_for_each(|path| file(path, target.as_mut(), &mut total));
    let Receipt { accepted, duplicates } = total;
    match outcome {
        Ok(()) => Ok(output::line(&format!("accepted {accepted}, duplicates {duplicates}"))?),
        Err(error) => {
            output::note(&format!(
                "accepted {accepted}, duplicates {duplicates} before the error; what was accepted is stored, and to import it again is harmless"
            ));
            Err(error)
        }
    }
}

/// A running server, where one is named; else the data folder.
pub(super) fn target(server: Option<String>, token: Option<String>, settings: &Settings, app: App) -> anyhow::Result<Box<dyn Target>> {
    Ok(match (server, token) {
        (Some(server), Some(token)) => Box::new(Server::new(&server, &app, &token)?),
        _ => Box::new(folder(settings, app)?),
    })
}

fn folder(settings: &Settings, app: App) -> anyhow::Result<Folder> {
    let runtime = serve::runtime()?;
    let ledger = runtime.block_on(serve::open(settings))?.ledger(settings);
    Ok(Folder::new(ledger, app, runtime))
}

fn file(path: &Path, target: &mut dyn Target, total: &mut Receipt) -> anyhow::Result<()> {
    if path == Path::new("-") {
        let bar = progress(None);
        return imported("standard input", bar.wrap_read(io::stdin().lock()), target, total, &bar);
    }
    let name = path.display().to_string();
    let file = File::open(path).with_context(|| format!("can't open {name}"))?;
    let meta = file.metadata().with_context(|| format!("can't open {name}"))?;
    let bar = progress(meta.is_file().then_some(meta.len()));
    imported(&name, bar.wrap_read(file), target, total, &bar)
}

fn imported(name: &str, file: impl Read, target: &mut dyn Target, total: &mut Receipt, bar: &ProgressBar) -> anyhow::Result<()> {
    bar.set_message(name.to_owned());
    let outcome = import::import(name, file, target, total);
    bar.finish_and_clear();
    Ok(outcome?)
}

/// A bar on stderr, by the bytes of the file; indicatif shows nothing where that is no terminal.
fn progress(len: Option<u64>) -> ProgressBar {
    let (bar, template) = match len {
        Some(len) => (ProgressBar::new(len), "{msg} {bar:30} {bytes}/{total_bytes} {bytes_per_sec}, {eta} left"),
        None => (ProgressBar::new_spinner(), "{msg} {spinner} {bytes} {bytes_per_sec}"),
    };
    match ProgressStyle::with_template(template) {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}
