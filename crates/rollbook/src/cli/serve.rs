//! `rollbook serve`.

use super::{FileArgs, logging, output};
use crate::config::{DEFAULTS_FILE, Layer, Settings};
use crate::serve::{self, Listeners};
use clap::Args;

/// Run the server
///
/// It keeps everything in one data folder and prints one line on standard output once it answers. SIGTERM or Ctrl-C stop it: what is
/// under way is finished first, within ten seconds. Each setting can be a flag, a variable, or a line of a settings file; the flag wins
/// over the variable, the variable over the file.
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct ServeArgs {
    #[command(flatten)]
    layer: Layer,
    #[command(flatten)]
    file: FileArgs,
    /// Print every setting with its default, and don't start
    #[arg(long)]
    print_defaults: bool,
}

const EXAMPLES: &str = "\
Examples:
  rollbook serve
  rollbook serve --data /var/lib/rollbook --listen 0.0.0.0:8080 --log-format json
  ROLLBOOK_MEMORY=4GiB rollbook serve --config /etc/rollbook.toml";

/// Serves until the process is told to stop.
pub(super) fn run(args: ServeArgs) -> anyhow::Result<()> {
    if args.print_defaults {
        return Ok(output::line(DEFAULTS_FILE.trim_end())?);
    }
    let settings = Settings::resolve(args.file.config.as_deref(), args.layer)?;
    logging::start(settings.log_level, settings.log_format);
    let runtime = serve::runtime()?;
    runtime.block_on(async {
        // The folder first: where another server has it, that is what to say, not that its address is taken.
        let opened = serve::open(&settings).await?;
        let listeners = Listeners::bind(&settings).await?;
        // Before anyone learns that we run: a signal that comes at once must be heard.
        let mut told = std::pin::pin!(serve::told_to_stop());
        let running = tokio::select! { biased;
            () = &mut told => return Ok(()),
            running = async { serve::start(&settings, &opened, listeners) } => running?,
        };
        output::line(&format!("rollbook listening on http://{}", running.address))?;
        told.await;
        tracing::info!("stopping");
        tokio::select! {
            () = running.stop() => {}
            // Told twice, it is meant.
            () = serve::told_to_stop() => {}
        }
        Ok(())
    })
}
