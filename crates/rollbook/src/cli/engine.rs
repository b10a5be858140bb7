//! `rollbook engine …`.

mod trial;
mod written;

use super::client::app_path;
use super::token::PlaceArgs;
use super::{AppArgs, logging, output};
use crate::config::{EngineEntry, FilePlace, SecretPlace, Settings};
use crate::engines::{AddedEngine, EngineStore, SealKeys, SecretIn, UnusableEngine};
use crate::{clock, serve};
use anyhow::{Context as _, bail, ensure};
use clap::{Args, Subcommand};
use rollbook_core::id::App;
use std::path::PathBuf;
use written::{SecretArgs, option};

/// Add, list, remove and test the meeting engines of apps
#[derive(Subcommand)]
#[command(after_help = EXAMPLES)]
pub(super) enum EngineCommand {
    /// Add an engine to an app; running servers take its deliveries within a second
    #[command(after_help = ADD_EXAMPLES)]
    Add(AddArgs),
    /// List the engines that were added, and with --config those of the settings file
    List(PlaceArgs),
    /// Remove an engine that was added; running servers forget it within a second
    Remove(RemoveArgs),
    /// Send what an engine would send to a running server, and show the row that it becomes
    ///
    /// A person who never was comes and goes in a session that says it is a test. The deliveries are signed as the engine signs them, where there
    /// is a secret for that; RealtimeKit and VideoSDK sign with keys of which only the public half is here: for these, and where there is no
    /// secret, a token that is made for the command and taken back lets them in. An engine that was just added may need a second: so
    /// long a refusal is tried again.
    #[command(after_help = TEST_EXAMPLES)]
    Test(trial::TestArgs),
}

const EXAMPLES: &str = "\
Examples:
  rollbook engine add livekit --account acme --app school --secret-env APIxyz=LIVEKIT_API_SECRET
  rollbook engine list
  rollbook engine test livekit --account acme --app school
  rollbook engine remove livekit --account acme --app school

What is added is kept in engines.json in the data folder, or with --store postgres://…
in that database, for every server on it. Servers that run see changes by themselves.
Where a server's settings file names the same engine of an app, the file counts.";

const ADD_EXAMPLES: &str = "\
Examples:
  The servers find the secret in a variable, or in a file:
    rollbook engine add zoom --account acme --app school --secret-env ZOOM_SECRET_TOKEN
    rollbook engine add livekit --account acme --app school --secret-file APIxyz=/etc/rollbook/livekit
  It is kept with the engine, sealed with a key that the servers have too:
    export ROLLBOOK_ENGINES_KEY=$(openssl rand -base64 32)
    rollbook engine add livekit --account acme --app school --secret-stdin=APIxyz < secret
  Another secret takes over, and later counts alone:
    rollbook engine add zoom --account acme --app school --beside --secret-env ZOOM_NEW_TOKEN
    rollbook engine add zoom --account acme --app school --replace --secret-env ZOOM_NEW_TOKEN
  An engine that posts JSON of its own:
    rollbook engine add ours --account acme --app school --mapping ours.toml --secret-env OUR_SECRET";

const TEST_EXAMPLES: &str = "\
Examples:
  rollbook engine test livekit --account acme --app school
  rollbook engine test zoom --account acme --app school --config rollbook.toml --server https://rollbook.example.com";

/// What `add` needs.
#[derive(Args)]
pub(super) struct AddArgs {
    /// The engine: a name that docs/engines has, or any with --mapping
    engine: String,
    #[command(flatten)]
    app: AppArgs,
    #[command(flatten)]
    secrets: SecretArgs,
    /// An option of the engine's; the value as TOML writes it, or else a text. Any number of these
    #[arg(long = "option", value_name = "NAME=VALUE", value_parser = option)]
    options: Vec<(String, toml::Value)>,
    /// A mapping file, for an engine that rollbook does not know by name. Its text is kept; a later change of the file changes nothing
    #[arg(long, value_name = "FILE")]
    mapping: Option<PathBuf>,
    /// Replace what was added under this name, secrets and options too
    #[arg(long)]
    replace: bool,
    /// Add the secrets to those of the engine that was added, and leave the rest as it is: while one secret takes over from another
    #[arg(long, conflicts_with_all = ["replace", "options", "mapping"])]
    beside: bool,
    #[command(flatten)]
    key: KeyArgs,
    #[command(flatten)]
    place: PlaceArgs,
}

/// Where the key is that seals secrets.
#[derive(Args)]
pub(super) struct KeyArgs {
    /// The file with the key that seals secrets, if not in ROLLBOOK_ENGINES_KEY
    #[arg(long, env = "ROLLBOOK_ENGINES_KEY_FILE", value_name = "FILE")]
    engines_key_file: Option<FilePlace>,
}

impl KeyArgs {
    fn keys(self, settings: &Settings) -> anyhow::Result<Option<SealKeys>> {
        Ok(SealKeys::find(self.engines_key_file.as_ref().unwrap_or(&settings.engines_key_file))?)
    }
}

/// What `remove` needs.
#[derive(Args)]
pub(super) struct RemoveArgs {
    /// The engine's name
    engine: String,
    #[command(flatten)]
    app: AppArgs,
    #[command(flatten)]
    place: PlaceArgs,
}

/// Does an engine command.
pub(super) fn run(command: EngineCommand) -> anyhow::Result<()> {
    logging::quiet();
    serve::runtime()?.block_on(async {
        match command {
            EngineCommand::Add(args) => add(args).await,
            EngineCommand::List(place) => list(&place.settings()?).await,
            EngineCommand::Remove(RemoveArgs { engine, app, place }) => {
                let (app, engines) = (app.app()?, serve::open_existing_engines(&place.settings()?).await?);
                // Looked up before, so that a slip in a name or the folder creates nothing.
                ensure!(find(&*engines, &app, &engine).await?.is_some(), "no engine {engine} was added to {}", named(&app));
                engines.remove(app.account(), app.app(), &engine).await?;
                output::note(&format!("removed {engine} of {}", named(&app)));
                Ok(())
            }
            EngineCommand::Test(args) => trial::run(args).await,
        }
    })
}

async fn find(engines: &dyn EngineStore, app: &App, engine: &str) -> anyhow::Result<Option<AddedEngine>> {
    let all = engines.list().await?;
    Ok(all.into_iter().find(|added| (&*added.account, &*added.app, &*added.engine) == (app.account(), app.app(), engine)))
}

fn named(app: &App) -> String {
    format!("{}/{}", app.account(), app.app())
}

async fn add(args: AddArgs) -> anyhow::Result<()> {
    let AddArgs { engine, app, secrets, options, mapping, replace, beside, key, place } = args;
    let (app, settings) = (app.app()?, place.settings()?);
    ensure!(
        in_settings(&settings, &app, &engine).is_none(),
        "the settings file names {engine} of {}, and counts: change it there",
        named(&app)
    );
    let keys = key.keys(&settings)?;
    let engines = serve::open_engines(&settings).await?;
    let before = find(&*engines, &app, &engine).await?;
    let added = match &before {
        Some(before) if beside => before.clone(),
        None if beside => bail!("no engine {engine} was added to {}: without --beside this adds it", named(&app)),
        Some(_) if !replace => bail!("{engine} of {} was added before: --replace it, or add a secret --beside it", named(&app)),
        _ => {
            let read = |path: PathBuf| std::fs::read_to_string(&path).with_context(|| format!("can't read {}", path.display()));
            let mapping = mapping.map(read).transpose()?;
            let added_at = clock::now().to_rfc3339_micros();
            let (account, app) = (app.account().to_owned(), app.app().to_owned());
            AddedEngine {
                account,
                app,
                engine: engine.clone(),
                secrets: Vec::new(),
                options: options.into_iter().collect(),
                mapping,
                added_at,
            }
        }
    };
    let given = secrets.given(&added, keys.as_ref())?;
    ensure!(!beside || !given.is_empty(), "--beside needs a secret");
    let added = AddedEngine { secrets: [added.secrets.clone(), given].concat(), ..added };
    check(&added, keys.as_ref())?;
    ensure!(
        engines.put(&added, before.as_ref()).await?,
        "another command just changed {engine} of {}: look at it, and try again",
        named(&app)
    );
    if added.secrets.is_empty() {
        output::note("without a secret only a token lets its deliveries in: `rollbook token create --permission ingest`");
    }
    Ok(output::line(&address(&app, &engine))?)
}

/// Refuses settings that are wrong. A secret that is only to be found where servers run is their matter.
fn check(added: &AddedEngine, keys: Option<&SealKeys>) -> anyhow::Result<()> {
    added.translator()?;
    match added.open(keys) {
        Err(UnusableEngine::Secret(cause)) => output::note(&format!("not on this machine, but servers need it: {cause}")),
        opened => drop(opened?),
    }
    Ok(())
}

fn in_settings<'s>(settings: &'s Settings, app: &App, engine: &str) -> Option<&'s EngineEntry> {
    settings.engines.iter().find(|entry| (&*entry.account, &*entry.app, &*entry.engine) == (app.account(), app.app(), engine))
}

/// The address that takes an engine's deliveries, on any server.
fn address(app: &App, engine: &str) -> String {
    format!("{}/engines/{engine}", app_path(app))
}

async fn list(settings: &Settings) -> anyhow::Result<()> {
    let mut rows = vec![["ACCOUNT", "APP", "ENGINE", "FROM", "SECRETS", "ADDRESS"].map(str::to_owned)];
    let row = |account: &str, app: &str, engine: &str, from: &str, secrets: Vec<String>| -> anyhow::Result<_> {
        let secrets = if secrets.is_empty() { "none".to_owned() } else { secrets.join(", ") };
        let address = address(&App::new(account, app)?, engine);
        Ok([account.into(), app.into(), engine.into(), from.into(), secrets, address])
    };
    for EngineEntry { account, app, engine, secrets, .. } in &settings.engines {
        let secrets = secrets.iter().map(|SecretPlace { id, secret_env, secret_file }| match (secret_env, secret_file) {
            (Some(variable), _) => of(id, &format!("env {variable}")),
            (_, Some(path)) => of(id, &format!("file {}", path.display())),
            (None, None) => of(id, "nowhere"),
        });
        rows.push(row(account, app, engine, "settings", secrets.collect())?);
    }
    for AddedEngine { account, app, engine, secrets, .. } in serve::open_existing_engines(settings).await?.list().await? {
        let secrets = secrets.iter().map(|secret| match &secret.place {
            SecretIn::Env(variable) => of(&secret.id, &format!("env {variable}")),
            SecretIn::File(path) => of(&secret.id, &format!("file {}", path.display())),
            SecretIn::Sealed(_) => of(&secret.id, "sealed"),
        });
        rows.push(row(&account, &app, &engine, "added", secrets.collect())?);
    }
    Ok(output::table(&rows)?)
}

fn of(id: &str, place: &str) -> String {
    if id.is_empty() { place.to_owned() } else { format!("{id}: {place}") }
}
