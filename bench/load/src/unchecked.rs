//! `unchecked`: a node on PostgreSQL that answers without asking what is new. What the check costs is measured against it; nobody is to be
//! served so.

use crate::report_line;
use clap::Args;
use rollbook::config::{Settings, StorePlace};
use rollbook::engines::EngineTable;
use rollbook::serve::{self, Listeners, Opened};
use rollbook::tokens::TokenTable;
use rollbook_store::{PostgresOptions, PostgresStore};
use serde_json::{Value, json};
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::sync::Arc;

/// Serve a ledger on PostgreSQL without the check of what is new, to measure against, until told to stop
#[derive(Args)]
pub(crate) struct UncheckedArgs {
    /// The database
    #[arg(long)]
    store: String,
    /// The node's folder
    #[arg(long)]
    data: PathBuf,
}

pub(crate) fn run(args: UncheckedArgs) -> anyhow::Result<Value> {
    let any = (Ipv4Addr::LOCALHOST, 0).into();
    let UncheckedArgs { store, data } = args;
    let settings = Settings { listen: any, metrics_listen: any, data, store: StorePlace::Postgres(store.clone()), ..Settings::default() };
    serve::runtime()?.block_on(async {
        let store = PostgresStore::connect(&store, PostgresOptions { unchecked: true, ..PostgresOptions::default() }).await?;
        let tokens = Arc::new(TokenTable::new(store.tokens()));
        let engines = Arc::new(EngineTable::new(store.engines()));
        let segments = Some(settings.data.join("segments").join(store.id().to_string()));
        let opened = Opened { store: Arc::new(store), tokens, engines, segments, replica_reads: None, database: None };
        let running = serve::start(&settings, &opened, Listeners::bind(&settings).await?)?;
        report_line(&json!({"url": format!("http://{}", running.address)}));
        serve::told_to_stop().await;
        running.stop().await;
        Ok(json!({"stopped": true}))
    })
}
