//! `rollbook token …`.

use super::{DataArgs, logging, output};
use crate::config::{Layer, Settings, StorePlace};
use crate::tokens::{self, Grant, Permission};
use crate::{clock, serve};
use clap::{Args, Subcommand};

/// Make, list and revoke the tokens that open the API
#[derive(Subcommand)]
#[command(after_help = EXAMPLES)]
pub(super) enum TokenCommand {
    /// Make a token and print it: the only time that it is shown
    #[command(after_help = CREATE_EXAMPLES)]
    Create(CreateArgs),
    /// List what is known of each token: id, account, app, permission, time of creation
    List(PlaceArgs),
    /// Take a token back; running servers refuse it within a second
    Revoke(RevokeArgs),
}

const EXAMPLES: &str = "\
Examples:
  rollbook token create --account acme --app school --permission realtime
  rollbook token list
  rollbook token revoke tok_5d41402abc

Only a SHA-256 of each token is kept: in tokens.json in the data folder, or with
--store postgres://… in that database, for every server on it. Servers that run
see changes by themselves.";

const CREATE_EXAMPLES: &str = "\
Examples:
  For what reports events:
    rollbook token create --account acme --app school --permission ingest
  To read all of the account's apps:
    rollbook token create --account acme --permission realtime
  For a script:
    TOKEN=$(rollbook token create --account acme --permission realtime_admin)";

/// Where the tokens and the added engines are.
#[derive(Args)]
pub(super) struct PlaceArgs {
    #[command(flatten)]
    data: DataArgs,
    /// Where the ledger is kept: sqlite (then all is in the data folder), or the postgres:// URL that several servers share [default: sqlite]
    #[arg(long, env = "ROLLBOOK_STORE", hide_env_values = true, value_name = "STORE")]
    store: Option<StorePlace>,
}

impl PlaceArgs {
    pub(super) fn settings(self) -> anyhow::Result<Settings> {
        let layer = Layer { data: self.data.data, store: self.store, ..Layer::default() };
        Ok(Settings::resolve(self.data.file.config.as_deref(), layer)?)
    }
}

/// What `create` needs.
#[derive(Args)]
pub(super) struct CreateArgs {
    /// The account that the token is for
    #[arg(long, value_name = "ID")]
    account: String,
    /// The only app that the token is for; without it, all of the account's
    #[arg(long, value_name = "ID")]
    app: Option<String>,
    /// What the token allows: everything, reading, or writing events
    #[arg(long)]
    permission: Permission,
    #[command(flatten)]
    place: PlaceArgs,
}

/// What `revoke` needs.
#[derive(Args)]
pub(super) struct RevokeArgs {
    /// The token's id, as `token list` shows it
    id: String,
    #[command(flatten)]
    place: PlaceArgs,
}

/// Does a token command.
pub(super) fn run(command: TokenCommand) -> anyhow::Result<()> {
    logging::quiet();
    let runtime = serve::runtime()?;
    runtime.block_on(async {
        match command {
            TokenCommand::Create(CreateArgs { account, app, permission, place }) => {
                let tokens = serve::open_tokens(&place.settings()?).await?;
                let issued = tokens::create(&*tokens, Grant { account, app, permission }, clock::now()).await?;
                output::line(&issued.token)?;
            }
            TokenCommand::List(place) => list(&serve::open_existing_tokens(&place.settings()?).await?.list().await?)?,
            TokenCommand::Revoke(RevokeArgs { id, place }) => {
                let tokens = serve::open_existing_tokens(&place.settings()?).await?;
                tokens::revoke(&*tokens, &id).await?;
                output::note(&format!("revoked {id}"));
            }
        }
        Ok(())
    })
}

fn list(tokens: &[tokens::TokenRecord]) -> anyhow::Result<()> {
    let head = ["ID", "ACCOUNT", "APP", "PERMISSION", "CREATED"].map(str::to_owned);
    let rows: Vec<_> = std::iter::once(head)
        .chain(tokens.iter().map(|token| {
            let app = token.grant.app.clone().unwrap_or_else(|| "*".into());
            let created = String::from_utf8_lossy(&token.created_at.to_millis_text()).into_owned();
            [token.id.clone(), token.grant.account.clone(), app, token.grant.permission.to_string(), created]
        }))
        .collect();
    output::table(&rows)?;
    Ok(())
}
