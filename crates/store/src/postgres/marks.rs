//! What an append writes beside its batches: look-ups, and the marks of what it may change.

use super::failure::Failure;
use super::lease::Lease;
use super::values::Keys;
use crate::contract::{Entry, Link, LinkKind};
use rollbook_core::id::{App, StreamKind};

/// Up to so many streams of a source are gone through one by one; past it, the settled streams from `earliest` on are.
const FEW_LINKS: usize = 1000;

const LINKS: &str = "INSERT INTO links (account, app, kind, from_id, to_kind, to_id)
    SELECT account, app, kind, from_id, to_kind, to_id
    FROM unnest($1::text[], $2::text[], $3::smallint[], $4::uuid[], $5::smallint[], $6::uuid[])
         WITH ORDINALITY AS l (account, app, kind, from_id, to_kind, to_id, n)
    ORDER BY n ON CONFLICT DO NOTHING";

const TOUCH: &str = "UPDATE probe SET writes = writes + 1";

/// Adds look-ups, which are in order and each there once.
pub(super) async fn add_links(lease: &Lease, links: &[(&App, Link)]) -> Result<(), Failure> {
    if links.is_empty() {
        return Ok(());
    }
    let mut to = Keys::default();
    let (mut kinds, mut from) = (Vec::new(), Vec::new());
    for (app, link) in links {
        to.push(app, link.to);
        kinds.push(i16::from(link.kind as u8));
        from.push(link.from);
    }
    let Keys { accounts, apps, kinds: to_kinds, ids } = &to;
    lease.execute(&lease.prepare_cached(LINKS).await?, &[accounts, apps, &kinds, &from, to_kinds, ids]).await?;
    Ok(())
}

/// Writes something of no meaning.
pub(super) async fn touch(lease: &Lease, probe: bool) -> Result<(), Failure> {
    if probe {
        lease.execute(&lease.prepare_cached(TOUCH).await?, &[]).await?;
    }
    Ok(())
}

/// Streams that change, and sources whose life-cycle may change others. Added in order.
#[derive(Default)]
pub(super) struct Marks<'a> {
    changed: Keys<'a>,
    sources: Keys<'a>,
    earliest: Vec<i64>,
}

impl<'a> Marks<'a> {
    pub(super) fn add(&mut self, app: &'a App, entry: &Entry) {
        if entry.stream.kind == StreamKind::Source {
            self.sources.push(app, entry.stream);
            self.earliest.push(entry.earliest.micros());
        } else {
            self.changed.push(app, entry.stream);
        }
    }

    /// Marks them as unsettled. The look-ups of the same commits stand already.
    pub(super) async fn write(&self, lease: &Lease) -> Result<(), Failure> {
        let Some(sql) = self.sql() else { return Ok(()) };
        let statement = lease.prepare_cached(&sql).await?;
        let Keys { accounts, apps, kinds, ids } = &self.changed;
        if self.sources.is_empty() {
            lease.execute(&statement, &[accounts, apps, kinds, ids]).await?;
        } else {
            let Keys { accounts: of, apps: within, ids: sources, .. } = &self.sources;
            lease.execute(&statement, &[accounts, apps, kinds, ids, of, within, sources, &self.earliest]).await?;
        }
        Ok(())
    }

    fn sql(&self) -> Option<String> {
        if self.sources.is_empty() && self.changed.is_empty() {
            return None;
        }
        let (lives, disturbed) = if self.sources.is_empty() { (String::new(), String::new()) } else { (lives(), disturbed()) };
        // A stream that is marked is left alone: its place, which is held, keeps it from being settled meanwhile.
        Some(format!(
            "WITH {lives} marked AS (
                 SELECT account COLLATE \"C\" AS account, app COLLATE \"C\" AS app, kind, stream
                 FROM unnest($1::text[], $2::text[], $3::smallint[], $4::uuid[]) AS c (account, app, kind, stream)
                 {disturbed}
             )
             INSERT INTO standings (account, app, kind, stream, unsettled)
             SELECT m.account, m.app, m.kind, m.stream, true FROM marked m
             WHERE NOT EXISTS (SELECT FROM standings s WHERE s.account = m.account AND s.app = m.app AND s.kind = m.kind
                                   AND s.stream = m.stream AND s.unsettled)
             ORDER BY m.account, m.app, m.kind, m.stream
             ON CONFLICT (account, app, kind, stream) DO UPDATE SET unsettled = true WHERE NOT standings.unsettled"
        ))
    }
}

fn lives() -> String {
    let source = LinkKind::Source as u8;
    format!(
        "lives AS MATERIALIZED (
             SELECT e.account COLLATE \"C\" AS account, e.app COLLATE \"C\" AS app, e.source, e.earliest,
                    (SELECT count(*) FROM (
                        SELECT FROM links l WHERE l.account = e.account COLLATE \"C\" AND l.app = e.app COLLATE \"C\" AND l.kind = {source}
                            AND l.from_id = e.source LIMIT {FEW_LINKS} + 1) AS counted) <= {FEW_LINKS} AS few
             FROM unnest($5::text[], $6::text[], $7::uuid[], $8::bigint[]) AS e (account, app, source, earliest)
         ),"
    )
}

/// The settled streams that a source's batch may change: linked to it, with a change at its earliest time or later. `OFFSET 0` keeps the
/// order in which the tables are gone through.
fn disturbed() -> String {
    let source = LinkKind::Source as u8;
    format!(
        "UNION
         SELECT s.account, s.app, s.kind, s.stream FROM lives e
         CROSS JOIN LATERAL (SELECT l.to_kind, l.to_id FROM links l
             WHERE l.account = e.account AND l.app = e.app AND l.kind = {source} AND l.from_id = e.source OFFSET 0) AS l
         CROSS JOIN LATERAL (SELECT s.account, s.app, s.kind, s.stream FROM standings s
             WHERE s.account = e.account AND s.app = e.app AND s.kind = l.to_kind AND s.stream = l.to_id
               AND NOT s.unsettled AND s.last_change >= e.earliest OFFSET 0) AS s
         WHERE e.few
         UNION
         SELECT s.account, s.app, s.kind, s.stream FROM lives e
         CROSS JOIN LATERAL (SELECT s.account, s.app, s.kind, s.stream FROM standings s
             WHERE s.account = e.account AND s.app = e.app AND NOT s.unsettled AND s.last_change >= e.earliest OFFSET 0) AS s
         WHERE NOT e.few AND EXISTS (SELECT FROM links l
             WHERE l.account = e.account AND l.app = e.app AND l.kind = {source} AND l.from_id = e.source
               AND l.to_kind = s.kind AND l.to_id = s.stream)"
    )
}

/// Prepares what [`add_links`], [`Marks::write`] and [`touch`] need.
pub(super) async fn prepare(lease: &Lease, links: &[(&App, Link)], marks: &Marks<'_>, probe: bool) -> Result<(), Failure> {
    if !links.is_empty() {
        lease.prepare_cached(LINKS).await?;
    }
    if let Some(sql) = marks.sql() {
        lease.prepare_cached(&sql).await?;
    }
    if probe {
        lease.prepare_cached(TOUCH).await?;
    }
    Ok(())
}
