//! Which calls of a faulty store go wrong, and how.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;

/// A method of the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[expect(missing_docs, reason = "each is named after its method")]
pub enum Method {
    Append,
    Since,
    Unchanged,
    Linked,
    Streams,
    Unsettled,
    Settle,
    Sessions,
    Keep,
    Kept,
    Discard,
    BoundKept,
    ExpireKept,
    Duty,
    Ready,
}

/// On which side of the call's effect the fault lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// The effect has not happened; where the call fails, it never does.
    Before,
    /// The effect has happened and the answer is lost or late: a commit in doubt.
    After,
}

/// What a fault does.
#[derive(Clone)]
pub(super) enum Fault {
    Fail,
    Stall(Arc<Gate>),
}

/// Plans the faults of one store, and counts its calls. Clones are the same plan.
#[derive(Clone, Default)]
pub struct Faults(Arc<Mutex<Plan>>);

#[derive(Default)]
struct Plan {
    calls: BTreeMap<Method, u64>,
    planned: BTreeMap<(Method, u64), (When, Fault)>,
    down: bool,
}

impl Faults {
    /// Lets the `nth` call of `method` from now fail; the next one is the first.
    pub fn fail(&self, method: Method, nth: u64, when: When) {
        self.plan(method, nth, when, Fault::Fail);
    }

    /// Lets the `nth` call of `method` from now wait until it is released; the next one is the first.
    pub fn stall(&self, method: Method, nth: u64, when: When) -> Stall {
        let gate = Arc::new(Gate::default());
        self.plan(method, nth, when, Fault::Stall(Arc::clone(&gate)));
        Stall(gate)
    }

    /// Whether every call fails before its effect, whatever else is planned.
    pub fn set_down(&self, down: bool) {
        self.lock().down = down;
    }

    /// How many calls of `method` were made.
    #[must_use]
    pub fn calls(&self, method: Method) -> u64 {
        self.lock().calls.get(&method).copied().unwrap_or(0)
    }

    fn plan(&self, method: Method, nth: u64, when: When, fault: Fault) {
        let mut plan = self.lock();
        let call = plan.calls.get(&method).copied().unwrap_or(0) + nth;
        plan.planned.insert((method, call), (when, fault));
    }

    /// Counts a call, and takes the fault that is planned for it.
    pub(super) fn next(&self, method: Method) -> Option<(When, Fault)> {
        let mut plan = self.lock();
        let calls = plan.calls.entry(method).or_default();
        *calls += 1;
        let call = (method, *calls);
        let planned = plan.planned.remove(&call);
        if plan.down { Some((When::Before, Fault::Fail)) } else { planned }
    }

    fn lock(&self) -> MutexGuard<'_, Plan> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A call that waits. Dropping this releases it.
pub struct Stall(Arc<Gate>);

#[derive(Default)]
pub(super) struct Gate {
    reached: Notify,
    released: Notify,
}

impl Gate {
    pub(super) async fn wait(&self) {
        self.reached.notify_one();
        self.released.notified().await;
    }
}

impl Stall {
    /// Waits until the call is there.
    pub async fn reached(&self) {
        self.0.reached.notified().await;
    }

    /// Lets the call go on, now or when it comes.
    pub fn release(self) {}
}

impl Drop for Stall {
    fn drop(&mut self) {
        self.0.released.notify_one();
    }
}
