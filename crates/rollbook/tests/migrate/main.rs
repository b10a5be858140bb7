//! A ledger moves from one store to another, with the real command, real servers and a real PostgreSQL.
#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "these are tests")]

#[path = "../../../store/tests/cluster/mod.rs"]
mod cluster;
#[path = "../cli/program.rs"]
#[expect(dead_code, reason = "another test runs more of the command")]
mod program;

mod ends;
mod killed;
mod moving;
mod refused;
mod serving;
