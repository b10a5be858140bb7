//! rollbook: an open, self-hosted ledger of who was in a realtime session, when, and for how long.
//!
//! This crate is the program around the pure core: the ledger that keeps folds and rosters up to date over a store,
//! the HTTP API, and the command line.

pub mod cli;
pub mod clock;
#[cfg(test)]
#[path = "../../store/tests/cluster/mod.rs"]
mod cluster;
pub mod config;
pub mod connections;
pub mod demo;
pub mod engines;
pub mod export;
pub mod http;
pub mod import;
pub mod ledger;
pub mod migrate;
pub mod mirror;
pub mod periodic;
pub mod polling;
pub mod quarantine;
pub mod serve;
pub mod tokens;
mod trouble;
mod whole_file;
