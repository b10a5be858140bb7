//! The contract, held by the memory store.

use rollbook_store::suite::Subject;
use rollbook_store::{Clock, MemoryStore};

fn memory(clock: Clock) -> Subject {
    Subject::alone(MemoryStore::new(clock))
}

rollbook_store::contract_suite!(memory);
