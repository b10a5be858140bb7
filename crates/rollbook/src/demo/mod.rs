//! The demo: a class with two breakouts, played through the same door as any engine's events.

mod class;
mod play;

pub use class::{Class, Room};
pub use play::{Step, end, live, past};

/// The demo's account.
pub const ACCOUNT: &str = "demo";
/// The demo's app.
pub const APP: &str = "classroom";
