//! `disk`: what the disk itself does, with the bytes that the journal would get, or with those that are posted.

use crate::people::Session;
use crate::post::lines;
use anyhow::Context;
use clap::Args;
use rollbook::clock;
use rollbook_core::codec::{self, Version};
use rollbook_core::id::App;
use serde_json::{Value, json};
use std::io::{Seek, SeekFrom, Write};
use std::path::PathBuf;
use std::time::Duration;

/// The file that is written over: large enough that no write soon comes back to the same place.
const FILE: usize = 64 << 20;

/// Write encoded batches into a file that is already there, each synced, and tell how many events that makes
#[derive(Args)]
pub(crate) struct DiskArgs {
    /// The folder, on the disk that is meant
    #[arg(long)]
    folder: PathBuf,
    /// Events a batch
    #[arg(long, default_value_t = 1000)]
    batch: u64,
    /// Write events as they are posted, not as the journal has them
    #[arg(long)]
    posted: bool,
    /// How long
    #[arg(long)]
    seconds: f64,
}

pub(crate) fn run(args: &DiskArgs) -> anyhow::Result<Value> {
    let session = Session::new("disk-0".into(), 0, 0, clock::now());
    let events: Vec<_> = (0..args.batch).map(|person| session.joined(person, clock::now())).collect();
    let stream = App::new("bench", "bench")?.stream_of(events.first().context("--batch must be at least 1")?);
    let bytes = if args.posted { lines(&events) } else { codec::encode(Version::NEWEST, stream, &events) };
    let mut file = tempfile::tempfile_in(&args.folder)?;
    file.write_all(&vec![1; FILE.max(bytes.len())])?;
    file.sync_all()?;
    file.rewind()?;
    let (began, end, mut batches, mut at) = (crate::clock(), Duration::from_secs_f64(args.seconds), 0_u64, 0);
    while began.elapsed() < end {
        if at + bytes.len() > FILE {
            at = 0;
        }
        file.seek(SeekFrom::Start(at as u64))?;
        file.write_all(&bytes)?;
        file.sync_data()?;
        (batches, at) = (batches + 1, at + bytes.len());
    }
    let seconds = began.elapsed().as_secs_f64();
    Ok(json!({ "batches": batches, "events": batches * args.batch, "bytes": bytes.len(), "seconds": seconds }))
}
