//! A store that fails and stalls when a test says so.

mod plan;

pub use plan::{Faults, Method, Stall, When};

use crate::contract::{
    AppendError, Commit, Kept, LinkKind, Seq, SessionFilter, SessionOrder, SessionPage, SessionRecord, Since, Store, StoreError, Vector,
};
use crate::duty::Duty;
use async_trait::async_trait;
use bytes::Bytes;
use plan::Fault;
use rollbook_core::codec::Version;
use rollbook_core::id::{App, Stream};
use rollbook_core::time::Timestamp;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;
use uuid::Uuid;

/// Wraps a store. Without faults it is that store.
pub struct FaultyStore {
    inner: Arc<dyn Store>,
    faults: Faults,
}

impl FaultyStore {
    /// The store, and the handle that plans its faults.
    #[must_use]
    pub fn new(inner: Arc<dyn Store>) -> (Self, Faults) {
        let faults = Faults::default();
        (Self { inner, faults: faults.clone() }, faults)
    }

    /// Makes the call with the fault that is planned for it. The call's future is lazy: nothing has happened before it is awaited.
    async fn call<T, E: From<StoreError>>(&self, method: Method, call: impl Future<Output = Result<T, E>>) -> Result<T, E> {
        let fault = self.faults.next(method);
        if let Some((When::Before, fault)) = &fault {
            suffer(method, fault).await?;
        }
        let result = call.await;
        if let Some((When::After, fault)) = &fault {
            suffer(method, fault).await?;
        }
        result
    }
}

async fn suffer(method: Method, fault: &Fault) -> Result<(), StoreError> {
    match fault {
        Fault::Fail => Err(StoreError::Unavailable(format!("planned fault of {method:?}"))),
        Fault::Stall(gate) => {
            gate.wait().await;
            Ok(())
        }
    }
}

#[async_trait]
impl Store for FaultyStore {
    async fn append(&self, app: &App, commit: Commit) -> Result<(), AppendError> {
        self.call(Method::Append, self.inner.append(app, commit)).await
    }

    async fn since(&self, app: &App, known: &[(Stream, Seq)]) -> Result<Since, StoreError> {
        self.call(Method::Since, self.inner.since(app, known)).await
    }

    async fn unchanged(&self, app: &App, known: &[(Stream, Seq)], children: &[(Uuid, u64)]) -> Result<Option<Timestamp>, StoreError> {
        self.call(Method::Unchanged, self.inner.unchanged(app, known, children)).await
    }

    async fn linked(&self, app: &App, kind: LinkKind, from: Uuid) -> Result<Vec<Stream>, StoreError> {
        self.call(Method::Linked, self.inner.linked(app, kind, from)).await
    }

    async fn streams(&self, app: &App, after: Option<Stream>, limit: usize) -> Result<Vec<Stream>, StoreError> {
        self.call(Method::Streams, self.inner.streams(app, after, limit)).await
    }

    async fn unsettled(&self, app: &App) -> Result<Vec<Stream>, StoreError> {
        self.call(Method::Unsettled, self.inner.unsettled(app)).await
    }

    async fn settle(&self, app: &App, stream: Stream, vector: &Vector, records: &[SessionRecord]) -> Result<bool, StoreError> {
        self.call(Method::Settle, self.inner.settle(app, stream, vector, records)).await
    }

    async fn sessions(&self, app: &App, filter: &SessionFilter, order: SessionOrder, range: Range<u64>) -> Result<SessionPage, StoreError> {
        self.call(Method::Sessions, self.inner.sessions(app, filter, order, range)).await
    }

    async fn keep(&self, app: &App, engine: &str, body: Bytes) -> Result<(), StoreError> {
        self.call(Method::Keep, self.inner.keep(app, engine, body)).await
    }

    async fn kept(&self, app: &App, after: i64, limit: usize) -> Result<Vec<(i64, Kept)>, StoreError> {
        self.call(Method::Kept, self.inner.kept(app, after, limit)).await
    }

    async fn discard(&self, app: &App, engine: &str, body: Bytes) -> Result<(), StoreError> {
        self.call(Method::Discard, self.inner.discard(app, engine, body)).await
    }

    async fn bound_kept(&self, app: &App, most: u64) -> Result<u64, StoreError> {
        self.call(Method::BoundKept, self.inner.bound_kept(app, most)).await
    }

    async fn expire_kept(&self, age: Duration) -> Result<u64, StoreError> {
        self.call(Method::ExpireKept, self.inner.expire_kept(age)).await
    }

    async fn duty(&self, name: &str) -> Result<Option<Duty>, StoreError> {
        self.call(Method::Duty, self.inner.duty(name)).await
    }

    fn codec(&self) -> Version {
        self.inner.codec()
    }

    fn epoch(&self) -> u64 {
        self.inner.epoch()
    }

    async fn confirm(&self) -> Result<(), StoreError> {
        self.inner.confirm().await
    }

    async fn ready(&self) -> Result<(), StoreError> {
        self.call(Method::Ready, self.inner.ready()).await
    }
}
