//! The incremental fold against the reference, over random histories in random batches with a moving `now`.

mod incremental;
mod reference;

use incremental::Folded;
use proptest::prelude::*;
use reference::generate::{History, Scope, history};
use reference::{Ask, Ledger, Sort, View, World};
use rollbook_core::event::Event;
use rollbook_core::time::Timestamp;

/// Some find all, some find few or nobody.
const NEEDLES: [&str; 6] = ["a", "", "ana m", "STRASS", "custom", "zz"];

fn any_history(most: usize) -> impl Strategy<Value = History> {
    prop::sample::select(vec![Scope::Plain, Scope::Named, Scope::All]).prop_flat_map(move |scope| history(scope, most))
}

/// Asks both everything that can be asked, and wants the same answers.
fn agree(history: &History, events: &[Event], ours: &Folded, now: Timestamp) -> Result<(), TestCaseError> {
    let reference = World { app: &history.app, events, now };
    let sessions = Ledger::sessions(&reference);
    prop_assert_eq!(&sessions, &ours.sessions());
    for session in &sessions {
        for view in [View::Raw, View::Consolidated] {
            for (sort, descending, search) in
                [(Sort::JoinedAt, false, None), (Sort::Duration, true, None), (Sort::JoinedAt, true, Some("a"))]
            {
                let ask = Ask { view, sort, descending, search };
                prop_assert_eq!(
                    Ledger::participants(&reference, session.id, &ask),
                    ours.participants(session.id, &ask),
                    "{:?} {:?}",
                    session.id,
                    ask
                );
            }
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 1000, max_shrink_iters: 20_000, ..ProptestConfig::default() })]

    /// All at once.
    #[test]
    fn the_whole_agrees(history in any_history(28)) {
        let ours = Folded::whole(&history.app, &history.events, history.now);
        agree(&history, &history.events, &ours, history.now)?;
    }

    /// Batch by batch, asked in between, `now` going on (and once back): a prefix, then the rest, equals the whole.
    #[test]
    fn batches_agree(history in any_history(28), cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..4), late in any::<bool>()) {
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(history.events.len() + 1)).collect();
        cuts.push(history.events.len());
        cuts.sort_unstable();
        let mut ours = Folded::new(&history.app, history.now);
        let mut from = 0;
        for (nth, to) in cuts.into_iter().enumerate() {
            ours.take(&history.events[from..to]);
            from = to;
            let now = history.now.plus(nth as i64 * 37_000_000);
            ours.read(now);
            agree(&history, &history.events[..to], &ours, now)?;
        }
        let now = if late { history.after_everything() } else { history.now };
        ours.read(now);
        agree(&history, &history.events, &ours, now)?;
    }

    /// What searches found in a session that goes on is right whoever comes, goes or is renamed: also while they look at the others, and
    /// more of them than are kept.
    #[test]
    fn live_searches_agree(
        history in any_history(40),
        steps in prop::collection::vec((any::<prop::sample::Index>(), 0..6usize, 0..9usize, any::<bool>()), 1..12),
    ) {
        let mut ours = Folded::new(&history.app, history.now);
        let (mut from, mut now) = (0, history.now);
        for (cut, needle, most, comes) in steps {
            if comes {
                let to = from + cut.index(history.events.len() - from + 1);
                ours.take(&history.events[from..to]);
                (from, now) = (to, now.plus(7_000_000));
                ours.read(now);
            }
            ours.look(NEEDLES[needle], most);
            for session in ours.sessions().iter().filter(|_| most % 2 == 0) {
                let search = Some(NEEDLES[(needle + most) % NEEDLES.len()]);
                for (sort, descending) in [(Sort::JoinedAt, false), (Sort::Duration, true)] {
                    // It holds the pages of the live roster against those of one that is made for this.
                    let ask = Ask { view: View::Raw, sort, descending, search };
                    prop_assert!(ours.participants(session.id, &ask).is_some());
                }
            }
        }
    }

    /// Every id that was ever served leads where the reference says, also where no session is left.
    #[test]
    fn served_ids_agree(history in history(Scope::All, 20), split in any::<prop::sample::Index>()) {
        let before = &history.events[..split.index(history.events.len() + 1)];
        let ours = Folded::whole(&history.app, &history.events, history.now);
        for served in Ledger::sessions(&(World { app: &history.app, events: before, now: history.now })) {
            let reference = World { app: &history.app, events: &history.events, now: history.now };
            prop_assert_eq!(Ledger::session(&reference, served.id), ours.session(served.id));
            for ask in [Ask::raw(), Ask::consolidated()] {
                prop_assert_eq!(Ledger::participants(&reference, served.id, &ask), ours.participants(served.id, &ask));
            }
        }
    }
}
