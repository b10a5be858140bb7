//! The fold: events of a stream in, sessions with their peers and stays out.
//!
//! [`Facts`] holds what the events say by themselves; [`Reading`] is what they say at one `now`. Both are kept up to date
//! by redoing only what an event touches, and both are the same whatever the order in which the events came.

mod attended;
mod brief;
mod facts;
mod group;
mod heap;
mod judging;
mod reading;
mod record;
mod recorded;
mod said;
mod sitting;
mod size;
mod stay;
mod table;
mod taking;
mod touched;

pub(crate) use facts::Times;
pub use facts::{Changes, DEFAULT_KEEP_ALIVE, Facts, PeerIx};
pub use judging::{IdHash, New, Verdict};
pub use reading::{Reading, Resolved, SittingIx};
pub(crate) use record::{Act, RecordIx};
pub(crate) use said::Said;
pub use sitting::Sitting;
pub use size::Size;
pub use stay::{Anomaly, AnomalyKind, ClosedBy, MAX_STAY, Stay, Validity};
pub use taking::ids_of;
