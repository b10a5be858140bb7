//! Who is in at the moment, for whoever compares that with what an engine says.

use super::{Ledger, SessionsQuery, View};
use rollbook_core::id::{App, Stream};
use rollbook_core::roster::{Query, Summary};
use rollbook_core::time::Timestamp;
use rollbook_store::{LinkKind, StoreError};
use uuid::Uuid;

/// Someone who is in.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Inside {
    /// The peer's id.
    pub peer: Uuid,
    /// The id that the product gave the person.
    pub custom_id: Option<Box<str>>,
    /// When the peer first came in.
    pub since: Timestamp,
}

impl Ledger {
    /// The sessions that go on and have somebody in.
    ///
    /// # Errors
    /// Where the store can't read.
    pub async fn attended(&self, app: &App) -> Result<Vec<Summary>, StoreError> {
        let query = SessionsQuery { live: Some(true), limit: u32::MAX, ..SessionsQuery::default() };
        let mut sessions = self.sessions(app, &query).await?.sessions;
        sessions.retain(|session| session.live_participants > 0);
        Ok(sessions)
    }

    /// The people who are in a session at the store's time; robots are not among them.
    ///
    /// # Errors
    /// Where the store can't read.
    pub async fn inside(&self, app: &App, session: Uuid) -> Result<Vec<Inside>, StoreError> {
        let query = Query { limit: u32::MAX, ..Query::default() };
        let Some(answer) = self.participants(app, session, View::Raw, &query, None).await? else { return Ok(Vec::new()) };
        let inside = answer.rows().filter(|row| row.left_at().is_none());
        let inside =
            inside.map(|row| Inside { peer: row.id(), custom_id: row.custom_participant_id().map(Into::into), since: row.joined_at() });
        Ok(inside.collect())
    }

    /// The streams to which a source ever reported, ascending.
    ///
    /// # Errors
    /// Where the store can't read.
    pub async fn reported_by(&self, app: &App, source: &str) -> Result<Vec<Stream>, StoreError> {
        self.0.store.linked(app, LinkKind::Source, app.source_stream(source).id).await
    }
}
