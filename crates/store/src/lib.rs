//! Where the journal and the catalog are kept. A store keeps and orders; it knows no attendance rule.
//!
//! The doc comments of [`Store`] are the contract, and one contract suite holds every backend to it: see `suite`, behind the feature of
//! that name.

mod beginnings;
mod contract;
mod digest;
mod duty;
pub mod faulty;
pub mod memory;
pub mod postgres;
pub mod sqlite;
#[cfg(feature = "suite")]
pub mod suite;
pub mod transfer;

pub use contract::{
    AppendError, Batch, Commit, Entry, KEPT_OVERHEAD, Kept, Link, LinkKind, Seq, SessionFilter, SessionOrder, SessionPage, SessionRecord,
    SessionSort, Since, Store, StoreError, Vector,
};
pub use duty::Duty;
pub use faulty::FaultyStore;
pub use memory::MemoryStore;
pub use postgres::{PostgresOptions, PostgresStore};
pub use sqlite::{SqliteReader, SqliteStore};

use rollbook_core::time::Timestamp;
use std::sync::Arc;

/// Where a store of this process takes its time from. The binary passes the machine's clock, tests pass one that they set.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;
