//! Rosters: the participants list of a session, in an order in which any page is a slice.

mod consolidate;
mod cursor;
mod details;
mod extract;
mod form;
mod found;
mod live;
mod orders;
mod packed;
mod page;
mod row;
mod search;
mod shapes;
mod snapshot;
mod starts;
mod summary;
mod tables;
mod telling;
mod view;

pub use consolidate::consolidate;
pub use cursor::Text;
pub use extract::Extract;
pub use live::LiveRosters;
pub use page::{Order, Page, Query, Sort};
pub use row::{Details, Length, Origin, Part, PeerAct, PeerEvent, Row, ToldEvent};
pub use search::{Hits, Search, fold_case};
pub use snapshot::{Snapshot, SnapshotError, encode};
pub use summary::{Summary, summaries};
pub use view::{RowView, Shown};
