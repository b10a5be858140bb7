//! The pure ledger: events in, attendance answers out, `now` as an argument.
//!
//! Nothing here reads a clock, draws a random number, waits, or touches a file or a socket; the crate's
//! dependencies offer no way to. Every answer is a function of the set of events and of `now`.

pub mod codec;
pub mod digits;
pub mod event;
pub mod fold;
pub mod id;
mod ranked;
pub mod roster;
pub mod time;
