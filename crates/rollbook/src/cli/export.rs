//! `rollbook export`.

use super::{AppArgs, DataArgs, logging, output};
use crate::config::StorePlace;
use crate::{clock, export, serve};
use anyhow::Context as _;
use clap::Args;
use rollbook_store::sqlite::OpenError;
use rollbook_store::{Clock, MemoryStore, SqliteReader, Store};
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Write out every event of an app, a CloudEvent a line (NDJSON)
///
/// What comes out is the whole truth of the app: imported into an empty data folder, it gives the same answers. The order of the lines
/// means nothing. A server may be at work in the folder: what it has acknowledged before the export begins is among the lines.
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct ExportArgs {
    #[command(flatten)]
    app: AppArgs,
    /// The file to write; without it, standard output
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    #[command(flatten)]
    data: DataArgs,
}

const EXAMPLES: &str = "\
Examples:
  rollbook export --account acme --app school -o school.ndjson
  rollbook export --account acme --app school | gzip > school.ndjson.gz";

/// Writes the app's events and tells how many there were.
pub(super) fn run(args: ExportArgs) -> anyhow::Result<()> {
    let settings = args.data.settings()?;
    logging::quiet();
    let app = args.app.app()?;
    // A slip in the folder's name must not look like an app without events.
    anyhow::ensure!(settings.data.is_dir(), "there is no data folder {}", settings.data.display());
    let runtime = serve::runtime()?;
    let store = match settings.store {
        StorePlace::Folder => beside(&settings.data)?,
        StorePlace::Postgres(_) => runtime.block_on(serve::open_existing(&settings))?.store,
    };
    let written = match &args.output {
        None => runtime.block_on(export::export(store.as_ref(), &app, &mut BufWriter::new(io::stdout().lock())))?,
        Some(path) => {
            let file = File::create(path).with_context(|| format!("can't write {}", path.display()))?;
            let mut out = BufWriter::new(file);
            let written = runtime.block_on(export::export(store.as_ref(), &app, &mut out));
            let synced = written.and_then(|written| Ok((written, out.flush()?, out.get_ref().sync_all()?)));
            synced.with_context(|| format!("{} is incomplete", path.display()))?.0
        }
    };
    output::note(&format!("wrote {written} events"));
    Ok(())
}

/// A folder's ledger beside whichever process works in it. A folder that was never served has no events.
pub(super) fn beside(dir: &Path) -> Result<Arc<dyn Store>, OpenError> {
    let clock: Clock = Arc::new(clock::now);
    match SqliteReader::open(dir, Arc::clone(&clock)) {
        Ok(reader) => Ok(Arc::new(reader)),
        Err(OpenError::Missing { .. }) => Ok(Arc::new(MemoryStore::new(clock))),
        Err(error) => Err(error),
    }
}
