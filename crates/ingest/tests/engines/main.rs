//! Every engine, asked as it delivers: signed by `openssl`, with bytes flipped, late, replayed, dropped, doubled and out of order.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod bigbluebutton;
mod jaas;
mod janus;
mod janus_asked;
mod jitsi;
mod livekit;
mod livekit_asked;
mod mapping;
mod openssl;
mod realtimekit;
mod samples;
mod stories;
mod zoom;
