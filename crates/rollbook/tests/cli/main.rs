//! The command as its users run it.

mod program;
mod serving;
mod settings;
mod tokens;
mod transfer;
