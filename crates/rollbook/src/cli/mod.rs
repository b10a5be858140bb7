//! The command line: what can be asked for, and who does it.

mod client;
mod demo;
mod engine;
mod export;
mod import;
mod logging;
mod migrate;
mod mirror;
mod output;
mod quarantine;
mod serve;
mod token;

use crate::config::{DEFAULTS_FILE, Layer, Settings};
use clap::{Args, Parser, Subcommand};
use std::io;
use std::path::PathBuf;
use std::process::ExitCode;

/// A self-hosted attendance ledger: who was in a session, when, and for how long.
#[derive(Parser)]
#[command(name = "rollbook", version, about, after_help = EXAMPLES, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

const EXAMPLES: &str = "\
Examples:
  rollbook demo                          a class that comes and goes, to see it at work
  rollbook token create --account acme --app school --permission ingest
  rollbook serve --data /var/lib/rollbook
  rollbook config > rollbook.toml        every setting, with its default

`rollbook COMMAND --help` tells more of each.";

#[derive(Subcommand)]
enum Command {
    Serve(serve::ServeArgs),
    Demo(demo::DemoArgs),
    #[command(subcommand)]
    Token(token::TokenCommand),
    #[command(subcommand)]
    Engine(engine::EngineCommand),
    #[command(subcommand)]
    Quarantine(quarantine::QuarantineCommand),
    Import(import::ImportArgs),
    Export(export::ExportArgs),
    Migrate(migrate::MigrateArgs),
    #[command(subcommand)]
    Mirror(mirror::MirrorCommand),
    /// Print every setting with its default, as a settings file
    #[command(after_help = "Example:\n  rollbook config > rollbook.toml && rollbook serve --config rollbook.toml")]
    Config,
}

/// The data folder, for commands that need no other setting.
#[derive(Args)]
struct DataArgs {
    /// The data folder [default: ./rollbook-data]
    #[arg(long, env = "ROLLBOOK_DATA", value_name = "DIR")]
    data: Option<PathBuf>,
    #[command(flatten)]
    file: FileArgs,
}

/// The settings file.
#[derive(Args)]
struct FileArgs {
    /// A settings file; `rollbook config` prints one
    #[arg(long, env = "ROLLBOOK_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
}

impl DataArgs {
    fn settings(self) -> anyhow::Result<Settings> {
        Ok(Settings::resolve(self.file.config.as_deref(), Layer { data: self.data, ..Layer::default() })?)
    }
}

/// The app that a command is about.
#[derive(Args)]
struct AppArgs {
    /// The account's id
    #[arg(long, value_name = "ID")]
    account: String,
    /// The app's id
    #[arg(long, value_name = "ID")]
    app: String,
}

impl AppArgs {
    fn app(&self) -> anyhow::Result<rollbook_core::id::App> {
        Ok(rollbook_core::id::App::new(&self.account, &self.app)?)
    }
}

/// Does what the command line asks for.
#[must_use]
pub fn run() -> ExitCode {
    let outcome = match Cli::parse().command {
        Command::Serve(args) => serve::run(args),
        Command::Demo(args) => demo::run(args),
        Command::Token(command) => token::run(command),
        Command::Engine(command) => engine::run(command),
        Command::Quarantine(command) => quarantine::run(command),
        Command::Import(args) => import::run(args),
        Command::Export(args) => export::run(args),
        Command::Migrate(args) => migrate::run(args),
        Command::Mirror(command) => mirror::run(command),
        Command::Config => output::line(DEFAULTS_FILE.trim_end()).map_err(Into::into),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        // Whoever read our output has enough of it (`rollbook export … | head`).
        Err(error) if is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            output::error(&error);
            ExitCode::FAILURE
        }
    }
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error.chain().filter_map(|cause| cause.downcast_ref::<io::Error>()).any(|cause| cause.kind() == io::ErrorKind::BrokenPipe)
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }
}
