//! Every engine, asked as it delivers: signed by `openssl`, with bytes flipped, late, replayed, dropped, doubled and out of order.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod livekit;
mod openssl;
mod stories;
