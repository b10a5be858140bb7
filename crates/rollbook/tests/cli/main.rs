//! The command as its users run it.

#![allow(clippy::unwrap_used, reason = "clippy knows test functions, not the functions that they share")]

mod engines;
mod mirroring;
mod playing;
#[expect(dead_code, reason = "other tests run more of the command")]
mod program;
mod quarantine;
mod serving;
mod settings;
mod tokens;
mod transfer;
