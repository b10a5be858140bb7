//! rollbook: an open, self-hosted ledger of who was in a realtime session, when, and for how long.
//!
//! This crate is the program around the pure core: the ledger that keeps folds and rosters up to date over a store,
//! the HTTP API, and the command line.

pub mod clock;
pub mod http;
pub mod ledger;
pub mod tokens;
