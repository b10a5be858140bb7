//! What the benchmark needs that a script is too slow for: ledgers filled without HTTP, events sent at a rate, a disk's own speed.
//!
//! Each command prints one line of JSON on standard output when it is done; progress goes to standard error.

mod disk;
mod fill;
mod people;
mod post;
mod unchecked;

use clap::Parser;

/// Fills ledgers and sends events, for `bench/run`
#[derive(Parser)]
#[command(name = "rollbook-load")]
enum Command {
    Fill(fill::FillArgs),
    Post(post::PostArgs),
    Disk(disk::DiskArgs),
    Unchecked(unchecked::UncheckedArgs),
}

fn main() -> anyhow::Result<()> {
    let report = match Command::parse() {
        Command::Fill(args) => fill::run(args)?,
        Command::Post(args) => post::run(&args)?,
        Command::Disk(args) => disk::run(&args)?,
        Command::Unchecked(args) => unchecked::run(args)?,
    };
    report_line(&report);
    Ok(())
}

#[expect(clippy::print_stdout, reason = "this line is what the command was asked for")]
fn report_line(report: &serde_json::Value) {
    println!("{report}");
}

/// A clock for measuring.
#[expect(clippy::disallowed_methods, reason = "this program measures; nothing that it fills depends on what it reads here")]
fn clock() -> std::time::Instant {
    std::time::Instant::now()
}
