//! Rosters: the participants list of a session, in an order in which any page is a slice.

mod consolidate;
mod extract;
mod live;
mod page;
mod row;
mod search;
mod snapshot;
mod summary;
mod telling;

pub use consolidate::consolidate;
pub use extract::Extract;
pub use live::LiveRosters;
pub use page::{Order, Page, Query, Sort};
pub use row::{Details, Length, Part, PeerAct, PeerEvent, Row};
pub use search::{Hits, Search, fold_case};
pub use snapshot::{RowView, Snapshot, SnapshotError, encode};
pub use summary::{Summary, summaries};
