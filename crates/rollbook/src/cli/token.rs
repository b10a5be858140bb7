//! `rollbook token …`.

use super::{DataArgs, output};
use crate::clock;
use crate::tokens::{self, Grant, Permission};
use clap::{Args, Subcommand};

/// Make, list and revoke the tokens that open the API
#[derive(Subcommand)]
#[command(after_help = EXAMPLES)]
pub(super) enum TokenCommand {
    /// Make a token and print it: the only time that it is shown
    #[command(after_help = CREATE_EXAMPLES)]
    Create(CreateArgs),
    /// List what is known of each token: id, account, app, permission, time of creation
    List(DataArgs),
    /// Take a token back; running servers refuse it within a second
    Revoke(RevokeArgs),
}

const EXAMPLES: &str = "\
Examples:
  rollbook token create --account acme --app school --permission realtime
  rollbook token list
  rollbook token revoke tok_5d41402abc

Only a SHA-256 of each token is kept, in tokens.json in the data folder. A server
that runs there sees changes by itself.";

const CREATE_EXAMPLES: &str = "\
Examples:
  For what reports events:
    rollbook token create --account acme --app school --permission ingest
  To read all of the account's apps:
    rollbook token create --account acme --permission realtime
  For a script:
    TOKEN=$(rollbook token create --account acme --permission realtime_admin)";

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
    data: DataArgs,
}

/// What `revoke` needs.
#[derive(Args)]
pub(super) struct RevokeArgs {
    /// The token's id, as `token list` shows it
    id: String,
    #[command(flatten)]
    data: DataArgs,
}

/// Does a token command.
pub(super) fn run(command: TokenCommand) -> anyhow::Result<()> {
    match command {
        TokenCommand::Create(CreateArgs { account, app, permission, data }) => {
            let issued = tokens::create(&data.settings()?.data, Grant { account, app, permission }, clock::now())?;
            output::line(&issued.token)?;
        }
        TokenCommand::List(data) => list(&tokens::list(&data.settings()?.data)?)?,
        TokenCommand::Revoke(RevokeArgs { id, data }) => {
            tokens::revoke(&data.settings()?.data, &id)?;
            output::note(&format!("revoked {id}"));
        }
    }
    Ok(())
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
    let widths: [usize; 5] = std::array::from_fn(|column| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0));
    for row in &rows {
        let cells: Vec<_> = row.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}")).collect();
        output::line(cells.join("  ").trim_end())?;
    }
    Ok(())
}
