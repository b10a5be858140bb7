//! The fold: events of a stream in, sessions with their peers and stays out.
//!
//! [`Facts`] holds what the events say by themselves; [`Reading`] is what they say at one `now`. Both are kept up to date
//! by redoing only what an event touches, and both are the same whatever the order in which the events came.

mod facts;
mod group;
mod reading;
mod sitting;
mod stay;
mod taking;

pub(crate) use facts::{Act, Entry};
pub use facts::{Changes, DEFAULT_KEEP_ALIVE, Facts, PeerIx, Verdict};
pub use group::Attendance;
pub use reading::{Reading, Resolved, SittingIx};
pub use sitting::Sitting;
pub use stay::{Anomaly, AnomalyKind, ClosedBy, MAX_STAY, Stay, Validity};
pub use taking::ids_of;
