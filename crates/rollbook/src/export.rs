//! Export: an app's journal as the events that it was made of.

use rollbook_core::codec;
use rollbook_core::id::App;
use rollbook_ingest::cloudevents::to_cloudevent;
use rollbook_store::{Store, StoreError};
use std::io::{self, Write};

/// How many streams are asked for at a time.
const PAGE: usize = 512;

/// Why an export broke off.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The store can't read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// What the store holds is no batch of events.
    #[error("the journal of {stream} is damaged: {cause}")]
    Damaged {
        /// The stream.
        stream: rollbook_core::id::Stream,
        /// What is wrong with it.
        cause: codec::CodecError,
    },
    /// The output can't be written.
    #[error("the output can't be written")]
    Io(#[from] io::Error),
}

/// Writes every event of the app, a line each; returns how many there were. Holds one stream in memory at a time.
///
/// # Errors
/// See [`ExportError`].
pub async fn export(store: &dyn Store, app: &App, out: &mut impl Write) -> Result<u64, ExportError> {
    let (mut written, mut after) = (0, None);
    loop {
        let streams = store.streams(app, after, PAGE).await?;
        for stream in &streams {
            for batch in store.since(app, &[(*stream, 0)]).await?.batches {
                let events = codec::decode(*stream, &batch.batch).map_err(|cause| ExportError::Damaged { stream: *stream, cause })?;
                for event in &events {
                    out.write_all(to_cloudevent(event).as_bytes())?;
                    out.write_all(b"\n")?;
                }
                written += events.len() as u64;
            }
        }
        after = streams.last().copied();
        if after.is_none() {
            out.flush()?;
            return Ok(written);
        }
    }
}
