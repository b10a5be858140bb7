//! Rosters: the participants list of a session, in an order in which any page is a slice.

mod consolidate;
mod row;
mod summary;

pub use consolidate::consolidate;
pub use row::{Details, Length, Part, PeerAct, PeerEvent, Row};
pub use summary::{ParentId, Summary};
