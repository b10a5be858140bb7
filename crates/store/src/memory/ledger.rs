//! What the memory store holds of one app.

use crate::contract::{AppendError, Batch, Commit, Entry, KEPT_OVERHEAD, Kept, Link, LinkKind, Seq, SessionRecord, Vector};
use bytes::Bytes;
use rollbook_core::id::{Stream, StreamKind};
use rollbook_core::time::Timestamp;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use uuid::Uuid;

/// One app's journal, look-ups, catalog and kept deliveries.
#[derive(Default)]
pub(super) struct Ledger {
    journal: BTreeMap<Stream, Vec<Batch>>,
    links: BTreeSet<Link>,
    standings: BTreeMap<Stream, Standing>,
    kept: BTreeMap<i64, Kept>,
    /// How many deliveries were ever kept.
    numbers: i64,
}

/// How a session's or a meeting's stream stands towards the catalog.
#[derive(Default)]
struct Standing {
    unsettled: bool,
    records: BTreeMap<Uuid, SessionRecord>,
}

impl Ledger {
    pub(super) fn append(&mut self, commit: Commit, now: Timestamp) -> Result<(), AppendError> {
        if commit.repeats_a_stream() || commit.entries.iter().any(|entry| self.head(entry.stream) != entry.expected) {
            return Err(AppendError::Conflict);
        }
        self.links.extend(commit.entries.iter().flat_map(|entry| &entry.links));
        for entry in commit.entries {
            self.mark(&entry);
            let Entry { stream, expected, batch, .. } = entry;
            self.journal.entry(stream).or_default().push(Batch { stream, seq: expected + 1, batch, received_at: now });
        }
        Ok(())
    }

    /// Marks as unsettled what an entry may change. The commit's links stand already.
    fn mark(&mut self, entry: &Entry) {
        if entry.stream.kind != StreamKind::Source {
            self.standings.entry(entry.stream).or_default().unsettled = true;
            return;
        }
        for stream in self.linked(LinkKind::Source, entry.stream.id) {
            if let Some(standing) = self.standings.get_mut(&stream) {
                standing.unsettled |= standing.records.values().any(|record| record.last_change_at >= entry.earliest);
            }
        }
    }

    pub(super) fn head(&self, stream: Stream) -> Seq {
        self.journal.get(&stream).and_then(|batches| batches.last()).map_or(0, |batch| batch.seq)
    }

    pub(super) fn after(&self, stream: Stream, known: Seq) -> impl Iterator<Item = Batch> {
        self.journal.get(&stream).into_iter().flatten().filter(move |batch| batch.seq > known).cloned()
    }

    pub(super) fn linked(&self, kind: LinkKind, from: Uuid) -> Vec<Stream> {
        self.links.iter().filter(|link| link.kind == kind && link.from == from).map(|link| link.to).collect()
    }

    pub(super) fn streams(&self, after: Option<Stream>, limit: usize) -> Vec<Stream> {
        let start = after.map_or(Bound::Unbounded, Bound::Excluded);
        self.journal.range((start, Bound::Unbounded)).take(limit).map(|(stream, _)| *stream).collect()
    }

    pub(super) fn unsettled(&self) -> Vec<Stream> {
        self.standings.iter().filter(|(_, standing)| standing.unsettled).map(|(stream, _)| *stream).collect()
    }

    pub(super) fn settle(&mut self, stream: Stream, vector: &Vector, records: &[SessionRecord]) -> bool {
        if vector.iter().any(|(stream, seq)| self.head(*stream) != *seq) {
            return false;
        }
        let records = records.iter().map(|record| (record.id, SessionRecord { stream, ..record.clone() })).collect();
        self.standings.insert(stream, Standing { unsettled: false, records });
        true
    }

    pub(super) fn settled_records(&self) -> impl Iterator<Item = &SessionRecord> {
        self.standings.values().filter(|standing| !standing.unsettled).flat_map(|standing| standing.records.values())
    }

    pub(super) fn keep(&mut self, engine: &str, body: Bytes, now: Timestamp) {
        if !self.kept.values().any(|kept| kept.engine == engine && kept.body == body) {
            self.numbers += 1;
            self.kept.insert(self.numbers, Kept { engine: engine.into(), body, received_at: now });
        }
    }

    /// Drops what was kept before a time; returns how many.
    pub(super) fn expire_kept(&mut self, before: Timestamp) -> u64 {
        self.kept.extract_if(.., |_, kept| kept.received_at < before).count() as u64
    }

    pub(super) fn kept(&self, after: i64, limit: usize) -> Vec<(i64, Kept)> {
        let later = self.kept.range((Bound::Excluded(after), Bound::Unbounded));
        later.take(limit).map(|(number, kept)| (*number, kept.clone())).collect()
    }

    pub(super) fn discard(&mut self, engine: &str, body: &Bytes) {
        self.kept.retain(|_, kept| kept.engine != engine || kept.body != body);
    }

    /// Drops the oldest until the others count at most so many bytes; returns how many.
    pub(super) fn bound_kept(&mut self, most: u64) -> u64 {
        let mut bytes = 0;
        let beyond = self.kept.iter().rev().find(|(_, kept)| {
            bytes += kept.body.len() as u64 + KEPT_OVERHEAD;
            bytes > most
        });
        let Some(last) = beyond.map(|(number, _)| *number) else { return 0 };
        self.kept.extract_if(..=last, |_, _| true).count() as u64
    }
}
