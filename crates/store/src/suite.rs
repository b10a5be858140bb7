//! The contract suite: one list of cases, for every backend.
//!
//! A backend's test file names a function that makes an empty store, and calls [`contract_suite!`](crate::contract_suite) with it.
#![expect(clippy::unwrap_used, reason = "these are tests, though other crates call them")]

pub mod appending;
pub mod fixtures;
pub mod keeping;
pub mod listing;
pub mod looking;
pub mod racing;
pub mod searching;
pub mod settling;
pub mod sources;

use crate::{Clock, Store};
use fixtures::HandClock;
use std::any::Any;
use std::sync::Arc;

/// A store to test, and what must outlive it, such as its folder.
pub struct Subject {
    /// The store, empty.
    pub store: Arc<dyn Store>,
    /// Whether the store's time is its own, such as a database's, and not the clock that the case sets.
    pub own_time: bool,
    /// Dropped after the store.
    pub alive: Box<dyn Any>,
}

impl Subject {
    /// A store that needs nothing else.
    pub fn alone(store: impl Store) -> Self {
        Self { store: Arc::new(store), own_time: false, alive: Box::new(()) }
    }
}

/// Runs one case on a store of its own, with a clock that the case sets. The store is made within the runtime, not within a task.
pub fn run<F: Future<Output = ()>>(make: impl FnOnce(Clock) -> Subject, case: impl FnOnce(Arc<dyn Store>, HandClock) -> F) {
    let clock = HandClock::default();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let Subject { store, own_time, alive } = {
        let _within = runtime.enter();
        make(clock.clock())
    };
    clock.let_go(own_time);
    runtime.block_on(case(store, clock));
    drop(runtime);
    drop(alive);
}

/// Makes one test of each case of the contract. `$make` is a function from a [`Clock`] to a [`Subject`].
#[macro_export]
macro_rules! contract_suite {
    ($make:path) => {
        $crate::contract_suite! { @tests $make;
            appending: sequence_numbers_have_no_gaps, an_append_behind_or_ahead_conflicts, a_conflict_leaves_nothing,
                a_commit_reaches_all_its_streams, a_stream_twice_in_a_commit_conflicts, a_commit_without_entries_does_nothing,
                kinds_with_one_id_are_different_streams, apps_share_nothing, batches_are_opaque, big_batches_come_back;
            looking: since_reads_what_is_after, since_asks_many_streams, since_has_nothing_past_the_end, times_come_from_the_clock,
                what_came_to_a_stream_is_a_change, what_came_to_a_parent_is_a_change, links_stand_once_and_ascend, links_are_scoped, streams_ascend_and_page;
            settling: what_changed_is_unsettled, settling_needs_the_whole_vector, a_refused_settling_changes_nothing,
                settling_replaces_all_records, a_changed_session_leaves_the_list, a_stream_without_sessions_settles;
            sources: a_source_marks_what_it_may_change, one_late_session_is_enough, links_of_the_commit_count, only_source_links_count,
                a_linked_stream_that_is_empty_is_not_marked, a_source_of_many_streams_marks_them;
            listing: records_come_back_whole, both_orders_and_their_reverse, a_range_is_a_slice, bounds_include_their_ends,
                bounds_hold_together, lists_are_scoped;
            searching: a_title_is_found_by_any_part, no_character_is_a_wildcard, ids_are_found_by_their_beginning;
            keeping: a_delivery_is_kept_once, the_oldest_comes_first, deliveries_are_scoped, what_was_kept_long_ago_expires, many_expire_at_once,
                numbers_page_through, a_delivery_is_discarded, the_oldest_go_where_there_is_too_much, many_go_at_once,
                a_duty_is_given_back_by_its_holder, being_ready_changes_nothing;
            racing: one_appender_wins_each_place, a_commit_is_seen_whole, what_was_acknowledged_is_seen, a_new_child_is_seen,
                a_dropped_append_happens_whole_or_not, settling_never_hides_an_append;
        }
    };
    (@tests $make:path; $($part:ident: $($case:ident),+;)+) => {
        $($(
            #[test]
            fn $case() {
                $crate::suite::run($make, $crate::suite::$part::$case);
            }
        )+)+
    };
}
