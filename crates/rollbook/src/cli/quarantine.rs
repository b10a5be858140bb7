//! `rollbook quarantine …`.

use super::client::{Client, app_path, with_token};
use super::token::PlaceArgs;
use super::{AppArgs, export, logging, output};
use crate::config::{Settings, StorePlace};
use crate::engines::Engines;
use crate::quarantine::{Quarantine, Retried, translated};
use crate::serve::{self, ServeError};
use anyhow::{Context as _, bail, ensure};
use clap::{Args, Subcommand};
use rollbook_core::id::App;
use rollbook_store::sqlite::OpenError;
use rollbook_store::{Kept, Store};
use std::io::Write as _;
use std::sync::Arc;

/// Look at deliveries of engines that were kept raw, and translate them anew
///
/// What an engine delivers and rollbook can't translate is acknowledged and kept, without its personal members, for `kept_days` and as far as
/// `kept_size` goes. Its events are in no list until they are translated.
#[derive(Subcommand)]
#[command(after_help = EXAMPLES)]
pub(super) enum QuarantineCommand {
    /// List what is kept, and why this rollbook, with these settings, can't translate it
    List(ListArgs),
    /// Write the body of a kept delivery to standard output, and what is known of it to standard error
    Show(ShowArgs),
    /// Translate kept deliveries anew, record what they say, and drop those of which nothing is left
    ///
    /// With --server a running server does it, as it is set up, with a token that is made for the command and taken back. Without it this command
    /// does it: beside servers on a database; in a data folder only while no server has it.
    #[command(after_help = RETRY_EXAMPLES)]
    Retry(RetryArgs),
}

const EXAMPLES: &str = "\
Examples:
  rollbook quarantine list --account acme --app school
  rollbook quarantine show 17 --account acme --app school | jq
  rollbook quarantine retry --account acme --app school --server http://127.0.0.1:8080

list and show only read, beside running servers. Engines of a settings file count with
--config, and those of `rollbook engine add` always.";

const RETRY_EXAMPLES: &str = "\
Examples:
  rollbook quarantine retry --account acme --app school --server http://127.0.0.1:8080
  rollbook quarantine retry 17 18 --account acme --app school --server http://127.0.0.1:8080
  rollbook quarantine retry --account acme --app school --store postgres://…
  ROLLBOOK_TOKEN=rb_… rollbook quarantine retry --account acme --app school --server https://rollbook.example.com";

/// What `list` needs.
#[derive(Args)]
pub(super) struct ListArgs {
    #[command(flatten)]
    app: AppArgs,
    #[command(flatten)]
    place: PlaceArgs,
}

/// What `show` needs.
#[derive(Args)]
pub(super) struct ShowArgs {
    /// The delivery's number, as `list` shows it
    number: i64,
    #[command(flatten)]
    app: AppArgs,
    #[command(flatten)]
    place: PlaceArgs,
}

/// What `retry` needs.
#[derive(Args)]
pub(super) struct RetryArgs {
    /// The deliveries' numbers; without any, all
    numbers: Vec<i64>,
    #[command(flatten)]
    app: AppArgs,
    /// A running server on this ledger, which is to do it
    #[arg(long, value_name = "URL")]
    server: Option<String>,
    /// A token for the server that allows everything; without it one is made
    #[arg(long, env = "ROLLBOOK_TOKEN", value_name = "TOKEN", hide_env_values = true, requires = "server")]
    token: Option<String>,
    #[command(flatten)]
    place: PlaceArgs,
}

/// How many are read at once.
const PAGE: usize = 100;

/// Does a quarantine command.
pub(super) fn run(command: QuarantineCommand) -> anyhow::Result<()> {
    logging::quiet();
    serve::runtime()?.block_on(async {
        match command {
            QuarantineCommand::List(ListArgs { app, place }) => list(&place.settings()?, &app.app()?).await,
            QuarantineCommand::Show(ShowArgs { number, app, place }) => show(&place.settings()?, &app.app()?, number).await,
            QuarantineCommand::Retry(RetryArgs { numbers, app, server, token, place }) => {
                let (settings, app) = (place.settings()?, app.app()?);
                let mut tally = Tally::default();
                let outcome = match (server, token) {
                    (None, _) => here(&settings, &app, &numbers, &mut tally).await,
                    (Some(server), Some(token)) => there(&Client::new(&server)?, &app, &token, &numbers, &mut tally),
                    (Some(server), None) => {
                        let (client, tokens) = (Client::new(&server)?, serve::open_tokens(&settings).await?);
                        with_token(&*tokens, &app, async |token| there(&client, &app, token, &numbers, &mut tally)).await
                    }
                };
                output::note(&format!("{} recorded, {} kept on", tally.recorded, tally.kept));
                outcome
            }
        }
    })
}

/// The app's ledger for reading, beside whichever process works in it.
async fn reading(settings: &Settings) -> anyhow::Result<Arc<dyn Store>> {
    // A slip in the folder's name must not look like an app of which nothing is kept.
    ensure!(settings.store != StorePlace::Folder || settings.data.is_dir(), "there is no data folder {}", settings.data.display());
    Ok(match settings.store {
        StorePlace::Folder => export::beside(&settings.data)?,
        StorePlace::Postgres(_) => serve::open(settings).await?.store,
    })
}

async fn translators(settings: &Settings) -> anyhow::Result<Engines> {
    Engines::translators(settings, &serve::open_engines(settings).await?.list().await?)
}

async fn list(settings: &Settings, app: &App) -> anyhow::Result<()> {
    let (store, engines) = (reading(settings).await?, translators(settings).await?);
    let mut rows = vec![["NUMBER", "KEPT", "ENGINE", "BYTES", "WHY"].map(str::to_owned)];
    let mut after = 0;
    loop {
        let page = store.kept(app, after, PAGE).await?;
        let Some((last, _)) = page.last() else { break };
        after = *last;
        for (number, kept) in page {
            let received_at = String::from_utf8_lossy(&kept.received_at.to_millis_text()).into_owned();
            let (bytes, why) = (kept.body.len().to_string(), why(&engines, app, &kept).await);
            rows.push([number.to_string(), received_at, kept.engine, bytes, why]);
        }
    }
    Ok(output::table(&rows)?)
}

/// Why a delivery can't be translated by this binary with these settings.
async fn why(engines: &Engines, app: &App, kept: &Kept) -> String {
    match engines.find(app, &kept.engine).await {
        Ok(Some(engine)) => match translated(&*engine, kept) {
            (_, Some(reason)) => reason,
            (events, None) => format!("it can be translated ({} events): retry it, unless they contradict what is known", events.len()),
        },
        Ok(None) => format!("no engine of the app is called {:?} here", kept.engine),
        Err(cause) => cause.to_string(),
    }
}

async fn show(settings: &Settings, app: &App, number: i64) -> anyhow::Result<()> {
    let (store, engines) = (reading(settings).await?, translators(settings).await?);
    let found = store.kept(app, number.saturating_sub(1), 1).await?.pop().filter(|(found, _)| *found == number);
    let (_, kept) = found.with_context(|| format!("no kept delivery has the number {number}; `rollbook quarantine list` shows them"))?;
    output::note(&format!("number:  {number}\nengine:  {}\nkept:    {}", kept.engine, kept.received_at.to_rfc3339_micros()));
    output::note(&format!("why:     {}", why(&engines, app, &kept).await));
    let mut out = std::io::stdout().lock();
    out.write_all(&kept.body)?;
    out.write_all(b"\n")?;
    Ok(out.flush()?)
}

/// How many deliveries came to what.
#[derive(Default)]
struct Tally {
    recorded: u64,
    kept: u64,
}

impl Tally {
    /// Tells what became of a delivery.
    fn add(&mut self, number: i64, engine: &str, accepted: u64, duplicates: u64, kept: Option<&str>) -> anyhow::Result<()> {
        let events = format!("accepted {accepted}, duplicates {duplicates}");
        let (count, told) = match kept {
            None => (&mut self.recorded, format!("recorded: {events}")),
            Some(reason) if accepted + duplicates > 0 => (&mut self.kept, format!("kept on: {reason} ({events})")),
            Some(reason) => (&mut self.kept, format!("kept on: {reason}")),
        };
        *count += 1;
        Ok(output::line(&format!("{number} {engine} {told}"))?)
    }
}

/// Retries in this process.
async fn here(settings: &Settings, app: &App, numbers: &[i64], tally: &mut Tally) -> anyhow::Result<()> {
    let opened = match serve::open(settings).await {
        Err(error @ ServeError::Store(OpenError::InUse { .. })) => {
            bail!("{error}: say where it listens and it does this, as in --server http://{}", settings.listen)
        }
        opened => opened?,
    };
    let ledger = opened.ledger(settings);
    let quarantine = Quarantine::new(ledger.clone(), translators(settings).await?, u64::MAX);
    let mut retry = async |number, kept: Kept| {
        let engine = kept.engine.clone();
        let Retried { receipt, kept, .. } = quarantine.retry(app, (number, kept)).await?;
        tally.add(number, &engine, receipt.accepted as u64, receipt.duplicates as u64, kept.as_deref())
    };
    for &number in numbers {
        let found = ledger.kept(app, number.saturating_sub(1), 1).await?.pop().filter(|(found, _)| *found == number);
        let (_, kept) = found.with_context(|| format!("no kept delivery has the number {number}"))?;
        retry(number, kept).await?;
    }
    let mut after = if numbers.is_empty() { 0 } else { i64::MAX };
    loop {
        let page = ledger.kept(app, after, PAGE).await?;
        let Some((last, _)) = page.last() else { return Ok(()) };
        after = *last;
        for (number, kept) in page {
            retry(number, kept).await?;
        }
    }
}

/// Lets a server retry.
fn there(client: &Client, app: &App, token: &str, numbers: &[i64], tally: &mut Tally) -> anyhow::Result<()> {
    let mut ask = |which: String| -> anyhow::Result<Option<i64>> {
        let headers = [("authorization".to_owned(), format!("Bearer {token}"))];
        let data = client.post(&format!("{}/quarantine/retry?{which}", app_path(app)), &headers, &[])?.data()?;
        let mut last = None;
        for delivery in data["deliveries"].as_array().map(Vec::as_slice).unwrap_or_default() {
            let count = |name: &str| delivery[name].as_u64().unwrap_or(0);
            let (number, engine) = (delivery["number"].as_i64().context("the server answered no number")?, &delivery["engine"]);
            tally.add(number, engine.as_str().unwrap_or_default(), count("accepted"), count("duplicates"), delivery["kept"].as_str())?;
            last = Some(number);
        }
        Ok(last)
    };
    for number in numbers {
        ask(format!("only={number}"))?.with_context(|| format!("no kept delivery has the number {number}"))?;
    }
    let mut after = Some(0).filter(|_| numbers.is_empty());
    while let Some(last) = after {
        after = ask(format!("after={last}"))?;
    }
    Ok(())
}
