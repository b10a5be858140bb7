//! Making a roster from folds.

use super::basis::{Basis, Held};
use super::flight::Flight;
use super::fold::Fold;
use super::roster::Found;
use super::{Inner, RosterAnswer, View};
use bytes::Bytes;
use rollbook_core::fold::{Resolved, Validity};
use rollbook_core::id::App;
use rollbook_core::roster::{Part, Row, Snapshot, consolidate, encode};
use rollbook_core::time::Timestamp;
use rollbook_store::StoreError;
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use tokio::sync::Semaphore;
use uuid::Uuid;

/// From so many bytes of folds on, what is made from them is one of a few that are made at once: it takes a core, and as much memory again.
const LARGE: u64 = 1 << 20;

/// The rosters that are being made.
pub(super) struct Makers {
    flights: Mutex<HashMap<Wanted, Weak<Flight<Option<RosterAnswer>>>>>,
    /// Of the large ones.
    turns: Semaphore,
    made: AtomicU64,
}

/// Which roster is wanted, of which app, session, time, and whether with all details.
type Wanted = (Uuid, Uuid, View, Option<Timestamp>, bool);

impl Default for Makers {
    fn default() -> Self {
        let cores = std::thread::available_parallelism().map_or(2, usize::from);
        Self { flights: Mutex::default(), turns: Semaphore::new(cores.max(2)), made: AtomicU64::new(0) }
    }
}

impl Makers {
    /// The one making of a roster that is going on, or is about to. It is forgotten, with what was made, when nobody waits for it.
    fn flight(&self, wanted: Wanted) -> Arc<Flight<Option<RosterAnswer>>> {
        let mut flights = self.flights.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(flight) = flights.get(&wanted).and_then(Weak::upgrade) {
            return flight;
        }
        flights.retain(|_, flight| flight.strong_count() > 0);
        let flight = Arc::default();
        flights.insert(wanted, Arc::downgrade(&flight));
        flight
    }

    /// How many were made.
    pub(super) fn made(&self) -> u64 {
        self.made.load(Ordering::Relaxed)
    }
}

/// The sessions that a roster is made from: the one asked for first, then its breakouts.
pub(super) struct Family {
    pub(super) members: Vec<(Arc<Fold>, Option<Uuid>)>,
    pub(super) basis: Basis,
}

/// Rows, with the span for which they hold.
struct Rows {
    session: Uuid,
    rows: Vec<Row>,
    validity: Validity,
    /// Whether nothing but an event can change them.
    settled: bool,
}

/// Which roster.
#[derive(Clone)]
struct Asked {
    app: App,
    session: Uuid,
    view: View,
    now: Timestamp,
    as_of: Option<Timestamp>,
    epoch: u64,
    /// Whether the rows must have all their details.
    details: bool,
}

/// A roster, or what is to be one that is named by what it was made from, and perhaps in a file too.
enum Made {
    Held(Arc<Held>),
    Steady(Rows, Basis),
}

impl Rows {
    /// See [`Snapshot::is_steady`].
    fn are_steady(&self) -> bool {
        self.validity.until == Validity::default().until && self.rows.iter().all(|row| row.left_at.is_some())
    }
}

impl Inner {
    /// A roster made anew, and held; none where the app knows no such session. It is made once for all who ask meanwhile.
    pub(super) async fn made(
        self: &Arc<Self>,
        app: &App,
        session: Uuid,
        view: View,
        as_of: Option<Timestamp>,
        details: bool,
    ) -> Result<Option<RosterAnswer>, StoreError> {
        let flight = self.makers.flight((app.namespace(), session, view, as_of, details));
        let (this, app) = (Arc::clone(self), app.clone());
        let work = async move {
            // Whoever waited while it was made finds it here, if it still stands.
            if let Some(standing) = this.standing(&app, session, view, as_of, details).await? {
                return Ok(Some(standing));
            }
            let Some(found) = this.find(&app, session).await? else { return Ok(None) };
            this.make(&app, session, view, found, as_of, details).await.map(Some)
        };
        flight.join(work).await
    }

    /// Makes a roster of what is known, and holds it. Of sessions that go on the rows have all their details only if these are asked for:
    /// nine tenths of the work are the events.
    async fn make(
        self: &Arc<Self>,
        app: &App,
        session: Uuid,
        view: View,
        found: Found,
        as_of: Option<Timestamp>,
        details: bool,
    ) -> Result<RosterAnswer, StoreError> {
        let asked = Asked { app: app.clone(), session, view, now: found.now, as_of, epoch: found.fold.epoch(), details };
        let Family { members, basis } = match view {
            View::Raw => alone(&found.fold),
            View::Consolidated => self.family(app, &found, session, as_of).await?,
        };
        let is_large = members.iter().map(|(fold, _)| fold.weight()).sum::<u64>() >= LARGE;
        // This only waits: an error would say that no more turns are given, which never happens.
        let _turn = if is_large { self.makers.turns.acquire().await.ok() } else { None };
        self.makers.made.fetch_add(1, Ordering::Relaxed);
        let (this, of) = (Arc::clone(self), asked.clone());
        let made = aside(move || {
            let rows = rows_of(&members, &of);
            if rows.are_steady() && basis.is_of(&members) {
                Made::Steady(rows, basis)
            } else {
                Made::Held(this.hold(&of, rows, basis, false))
            }
        });
        let held = match made.await? {
            Made::Held(held) => held,
            Made::Steady(rows, mut basis) => {
                basis.last = self.last_batches(app, &basis.vector).await?;
                // In another epoch these may be the last batches of another history.
                let stands = self.store.epoch() == asked.epoch;
                let (this, of) = (Arc::clone(self), asked.clone());
                aside(move || this.hold(&of, rows, basis, stands)).await?
            }
        };
        Ok(held.answer(as_of.unwrap_or(asked.now)))
    }

    /// Makes a roster of rows, and holds it. Where the basis names the last batches of this very ledger, it names the roster, too; and if
    /// nothing but an event can change that, it is written to a file.
    fn hold(&self, asked: &Asked, rows: Rows, basis: Basis, named: bool) -> Arc<Held> {
        let Rows { session, rows, validity, settled } = rows;
        let complete = asked.details || settled;
        let bytes = Bytes::from(encode(rows, validity, &basis.encode()));
        if named && settled && asked.as_of.is_none() {
            self.segments.write(&asked.app, session, asked.view, &bytes);
        }
        let print = named.then(|| basis.print());
        let roster = Snapshot::new(bytes).unwrap_or_else(|_| Snapshot::empty());
        let held = Arc::new(Held {
            roster: Arc::new(roster),
            basis,
            mapped: false,
            epoch: asked.epoch,
            complete,
            searches: Arc::default(),
            print,
        });
        if validity.holds(asked.now) {
            self.cache.hold_roster(&asked.app, asked.session, asked.view, Arc::clone(&held));
        }
        held
    }
}

impl Basis {
    /// Whether folds know nothing that came after what the basis says. They only grow, so what was read from them meanwhile has no more either.
    fn is_of(&self, members: &[(Arc<Fold>, Option<Uuid>)]) -> bool {
        members.iter().all(|(fold, _)| fold.lock().vector().iter().all(|known| self.vector.contains(known)))
    }
}

fn alone(fold: &Arc<Fold>) -> Family {
    let vector = fold.lock().vector();
    Family { members: vec![(Arc::clone(fold), None)], basis: Basis { vector, ..Basis::default() } }
}

/// Folding and sorting a large session takes long enough to hold up every other request of a thread.
async fn aside<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, StoreError> {
    tokio::task::spawn_blocking(work).await.map_err(|e| StoreError::Damaged(format!("roster not made: {e}")))
}

fn rows_of(members: &[(Arc<Fold>, Option<Uuid>)], asked: &Asked) -> Rows {
    let mut all = Rows { session: asked.session, rows: Vec::new(), validity: Validity::default(), settled: true };
    let mut named = None;
    for (fold, session) in members {
        let of_one = rows_of_one(fold, session.unwrap_or(asked.session), asked);
        named.get_or_insert(of_one.session);
        all.validity.narrow(of_one.validity);
        all.settled &= of_one.settled;
        all.rows.extend(of_one.rows);
    }
    all.session = named.unwrap_or(asked.session);
    if asked.view == View::Consolidated {
        all.rows = consolidate(all.session, all.rows, asked.as_of.unwrap_or(asked.now), &mut all.validity);
    }
    all
}

/// The raw rows of the session that an id leads to; none where no session is left. They have all their details if these are asked for, or
/// if the session is settled.
fn rows_of_one(fold: &Fold, session: Uuid, asked: &Asked) -> Rows {
    fold.lock().at(asked.now, asked.as_of, |facts, reading| {
        let validity = reading.validity();
        let Some(Resolved::Sitting(sitting)) = reading.resolve(facts, session) else {
            return Rows { session, rows: Vec::new(), validity, settled: false };
        };
        let part = Part { facts, reading, sitting };
        let settled = reading.sittings().len() == 1 && part.is_settled(asked.now);
        let rows = if asked.details || settled { part.rows() } else { part.rows_in_brief() };
        Rows { session: reading.sittings()[sitting].id, rows, validity, settled }
    })
}
