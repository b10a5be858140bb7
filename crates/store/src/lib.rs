//! Where the journal and the catalog are kept. A store keeps and orders; it knows no attendance rule.
//!
//! The doc comments of [`Store`] are the contract, and one contract suite holds every backend to it.

mod contract;

pub use contract::{
    AppendError, Batch, Commit, Entry, Kept, Link, LinkKind, Seq, SessionFilter, SessionOrder, SessionPage, SessionRecord, SessionSort,
    Since, Store, StoreError, Vector,
};
