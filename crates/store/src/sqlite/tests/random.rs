//! Random look-ups, told in random commits to processes that end at random, are found as a plain set has them.

use super::fresh::{HASTY, all_is_found};
use super::*;
use crate::contract::{Entry, Link, LinkKind};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use std::collections::BTreeSet;
use uuid::Uuid;

/// What happens next.
#[derive(Clone, Debug)]
enum Step {
    /// A commit with look-ups to a session.
    Tell(u128, Vec<(LinkKind, u128)>),
    /// A commit that fails.
    Fail(u128, Vec<(LinkKind, u128)>),
    /// The process ends, and another goes on.
    Restart,
    /// All is looked at.
    Look,
}

fn told() -> impl Strategy<Value = (u128, Vec<(LinkKind, u128)>)> {
    let kinds = vec![LinkKind::Peer, LinkKind::Peer, LinkKind::Peer, LinkKind::Derived, LinkKind::Source];
    (0..3_u128, vec((select(kinds), 1..60_u128), 0..12))
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        12 => told().prop_map(|(to, links)| Step::Tell(to, links)),
        1 => told().prop_map(|(to, links)| Step::Fail(to, links)),
        1 => Just(Step::Restart),
        2 => Just(Step::Look),
    ]
}

async fn go_through(steps: Vec<Step>) {
    let folder = tempfile::tempdir().unwrap();
    let (mut store, mut commits) = watched_by(folder.path(), HASTY);
    let mut expected = BTreeSet::new();
    for step in steps {
        match step {
            Step::Tell(to, ref links) | Step::Fail(to, ref links) => {
                let to = session(to);
                let from = |n: u128| Uuid::from_u128((n % 50) << 120 | n);
                let links: Vec<_> = links.iter().map(|(kind, n)| Link { kind: *kind, from: from(*n), to }).collect();
                let seq = head(&store, to).await.unwrap();
                let fails = matches!(step, Step::Fail(..));
                commits.failing.store(fails, Ordering::SeqCst);
                let result = append(&store, [Entry { links: links.clone(), ..entry(to, seq, "x") }]).await;
                commits.failing.store(false, Ordering::SeqCst);
                assert_eq!(result.is_err(), fails);
                if !fails {
                    expected.extend(links);
                }
            }
            Step::Restart => {
                drop(store);
                (store, commits) = watched_by(folder.path(), HASTY);
            }
            Step::Look => all_is_found(&store, folder.path(), &expected).await,
        }
    }
    all_is_found(&store, folder.path(), &expected).await;
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn look_ups_are_those_of_a_plain_set(steps in vec(step(), 0..60)) {
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(go_through(steps));
    }
}
