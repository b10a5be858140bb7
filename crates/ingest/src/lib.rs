//! Translation of what is delivered into the ledger's events, and nothing else.
//!
//! No I/O, no clock, no look-ups: what a delivery becomes depends on its bytes and on settings alone, so that the same
//! delivery is the same events on every node and at any time. Where an engine's leave names only a place, the event names
//! that place (its slot), and the fold finds the holder.
//!
//! * [`cloudevents`]: native events, in every form of CloudEvents 1.0 over HTTP, and back into text for exports. Strict:
//!   a bad event is refused, with the path to what is wrong.
//! * [`engine`]: deliveries of meeting engines. Lenient: an engine can't mend what it sent and soon stops trying, so what
//!   is no attendance is ignored, and what can't be translated is counted with its reason, for the delivery to be kept raw.
//! * [`livekit::asking`], [`janus::asking`]: what to ask an engine to learn who is in, and the rosters that its answers are. Who asks, and
//!   whether a roster is worth recording, is decided elsewhere.
//! * [`realtimekit::listed`]: what upstream's REST API lists, as the events that give the same lists here.
//! * [`json`]: the strict reader below all of them.
//!
//! # Adding an engine
//! 1. One file, `src/{engine}.rs` (with a folder of its own where it outgrows that): a table in its docs of what the
//!    engine reports and what that becomes, a type for one app's settings of it, and that type's [`engine::Engine`].
//! 2. A line in `engine/registry.rs`.
//! 3. A capture of a real run in `tests/fixtures/`, and a test that reads it like a story.
//!
//! Whoever adds one answers five questions: what makes an event's identity (the same delivery twice must give the same
//! ids), which clock its times are of, what names a peer's one connection, what its leaves name, and what it leaves unsaid
//! when it goes down. Signatures are checked over the raw body before anything is read (`verify`).

mod bigbluebutton;
pub mod cloudevents;
pub mod engine;
mod fields;
mod identity;
mod jaas;
pub mod janus;
mod jitsi;
pub mod json;
mod jwt;
pub mod livekit;
mod mapping;
mod names;
pub mod realtimekit;
mod redact;
pub mod sample;
mod verify;
mod zoom;
