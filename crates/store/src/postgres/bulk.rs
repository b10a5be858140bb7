//! What a move writes into a ledger: `COPY`, in transactions of many rows.

use super::failure::Failure;
use super::lease::Lease;
use super::schema::expect_later_batches;
use super::values::{bounded, kind};
use crate::contract::{Batch, Kept, Link};
use crate::digest::digest;
use rollbook_core::codec::Version;
use rollbook_core::id::{App, Stream, StreamKind};
use std::collections::BTreeSet;
use std::pin::pin;
use tokio_postgres::binary_copy::BinaryCopyInWriter;
use tokio_postgres::types::Type;
use uuid::Uuid;

/// A table and its columns to copy into, within a transaction where there is more to do.
async fn into(lease: &Lease, columns: &str, types: &[Type]) -> Result<BinaryCopyInWriter, Failure> {
    let sink = lease.copy_in(&format!("COPY {columns} FROM STDIN BINARY")).await?;
    Ok(BinaryCopyInWriter::new(sink, types))
}

pub(super) async fn batches(lease: &Lease, app: &App, batches: &[Batch]) -> Result<(), Failure> {
    lease.batch_execute("BEGIN").await?;
    if batches.iter().any(|batch| Version::of(&batch.batch) != Some(Version::One)) {
        expect_later_batches(lease).await?;
    }
    let types = [Type::TEXT, Type::TEXT, Type::INT2, Type::UUID, Type::INT8, Type::INT8, Type::BYTEA];
    let mut out = pin!(into(lease, "journal (account, app, kind, stream, seq, received_at, batch)", &types).await?);
    for Batch { stream, seq, batch, received_at } in batches {
        let (kind, seq, received_at, batch) = (kind(*stream), bounded(*seq), received_at.micros(), &batch[..]);
        out.as_mut().write(&[&app.account(), &app.app(), &kind, &stream.id, &seq, &received_at, &batch]).await?;
    }
    out.finish().await?;
    unsettle(lease, app, batches.iter().map(|batch| batch.stream).collect()).await?;
    lease.batch_execute("COMMIT").await?;
    Ok(())
}

/// What a source's life-cycle may change is left to the settling to find out: all of the app's is done again.
async fn unsettle(lease: &Lease, app: &App, streams: BTreeSet<Stream>) -> Result<(), Failure> {
    let (sources, others): (Vec<Stream>, Vec<Stream>) = streams.into_iter().partition(|stream| stream.kind == StreamKind::Source);
    if !sources.is_empty() {
        let sql = "UPDATE standings SET unsettled = true WHERE account = $1 AND app = $2 AND NOT unsettled";
        lease.execute(&lease.prepare_cached(sql).await?, &[&app.account(), &app.app()]).await?;
    }
    let (kinds, ids): (Vec<i16>, Vec<Uuid>) = others.into_iter().map(|stream| (kind(stream), stream.id)).unzip();
    let sql = "INSERT INTO standings (account, app, kind, stream, unsettled)
               SELECT $1, $2, s.*, true FROM unnest($3::smallint[], $4::uuid[]) AS s
               ON CONFLICT (account, app, kind, stream) DO UPDATE SET unsettled = true WHERE NOT standings.unsettled";
    lease.execute(&lease.prepare_cached(sql).await?, &[&app.account(), &app.app(), &kinds, &ids]).await?;
    Ok(())
}

pub(super) async fn links(lease: &Lease, app: &App, links: &[Link]) -> Result<(), Failure> {
    let types = [Type::TEXT, Type::TEXT, Type::INT2, Type::UUID, Type::INT2, Type::UUID];
    let mut out = pin!(into(lease, "links (account, app, kind, from_id, to_kind, to_id)", &types).await?);
    for Link { kind: what, from, to } in links {
        let (what, to_kind) = (i16::from(*what as u8), kind(*to));
        out.as_mut().write(&[&app.account(), &app.app(), &what, from, &to_kind, &to.id]).await?;
    }
    out.finish().await?;
    Ok(())
}

pub(super) async fn kept(lease: &Lease, app: &App, kept: &[Kept]) -> Result<(), Failure> {
    let types = [Type::TEXT, Type::TEXT, Type::BYTEA, Type::BYTEA, Type::BYTEA, Type::INT8];
    let mut out = pin!(into(lease, "kept (account, app, digest, engine, body, received_at)", &types).await?);
    for Kept { engine, body, received_at } in kept {
        let (digest, received_at) = (digest(engine, body), received_at.micros());
        out.as_mut().write(&[&app.account(), &app.app(), &&digest[..], &engine.as_bytes(), &&body[..], &received_at]).await?;
    }
    out.finish().await?;
    Ok(())
}
