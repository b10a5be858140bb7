//! Every engine, asked as it delivers: signed by `openssl`, with bytes flipped, late, replayed, dropped, doubled and out of order.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod bigbluebutton;
mod jaas;
mod janus;
mod jitsi;
mod livekit;
mod mapping;
mod openssl;
mod realtimekit;
mod samples;
mod stories;
mod zoom;
