//! What must hold of the reference itself, over random histories.

mod reference;

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use reference::generate::{History, Scope, history};
use reference::{Ask, ClosedBy, Ledger, Sort, View, World, everything};
use rollbook_core::event::Event;
use rollbook_core::time::{DAY, Timestamp};
use std::collections::{BTreeMap, BTreeSet};

const SCOPES: [Scope; 3] = [Scope::Plain, Scope::Named, Scope::All];

fn any_history() -> impl Strategy<Value = History> {
    prop::sample::select(SCOPES.to_vec()).prop_flat_map(|scope| history(scope, 24))
}

fn world<'a>(history: &'a History, events: &'a [Event], now: Timestamp) -> World<'a> {
    World { app: &history.app, events, now }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// The one invariant: order, duplication and splitting change nothing.
    #[test]
    fn an_answer_is_a_function_of_the_set(history in any_history(), shuffled in any::<u64>()) {
        let mut events = history.events.clone();
        let mut state = shuffled | 1;
        for i in (1..events.len()).rev() {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            events.swap(i, (state >> 33) as usize % (i + 1));
        }
        events.extend(history.events.iter().take(3).cloned());
        let told = everything(&world(&history, &history.events, history.now), &history.app, &history.events);
        prop_assert_eq!(told, everything(&world(&history, &events, history.now), &history.app, &history.events));
    }

    /// Every row's times are in order, its stays follow each other, and an open stay is the last.
    #[test]
    fn rows_are_sound(history in any_history()) {
        let world = world(&history, &history.events, history.now);
        for session in world.sessions() {
            let rows = world.participants(session.id, View::Raw, Sort::JoinedAt, false, None).unwrap();
            prop_assert_eq!(rows.len() as u64, session.participants);
            prop_assert_eq!(rows.iter().filter(|r| r.left_at.is_none()).count() as u64, session.live_participants);
            prop_assert_eq!(rows.iter().map(|r| i128::from(r.duration_micros.max(0))).sum::<i128>(), session.consumed_micros);
            prop_assert!(session.max_concurrent <= session.participants);
            prop_assert!(session.max_concurrent >= session.live_participants);
            prop_assert_eq!(session.live, session.ended_at.is_none());
            prop_assert!(session.started_at <= rows.iter().map(|r| r.joined_at).min().unwrap_or(session.started_at));
            for row in &rows {
                prop_assert!(row.created_at <= row.updated_at);
                prop_assert!(row.updated_at <= session.updated_at);
                prop_assert!(row.left_at.is_none_or(|left| row.joined_at <= left));
                prop_assert!(row.stays.iter().all(|s| s.out.is_none_or(|out| s.start <= out)));
                prop_assert!(row.stays.windows(2).all(|two| two[0].out.is_some_and(|out| out <= two[1].start)));
                prop_assert_eq!(row.stays[0].start, row.joined_at);
                prop_assert_eq!(row.stays[row.stays.len() - 1].out, row.left_at);
                for stay in &row.stays {
                    prop_assert_eq!(stay.out.is_none(), stay.uncertain.is_none());
                    prop_assert!(stay.closed_by != Some(ClosedBy::MaxStay) || stay.uncertain == Some(DAY));
                }
                prop_assert!(row.peer_events.windows(2).all(|two| two[0].at <= two[1].at));
            }
        }
    }

    /// consolidated <= sum of raw <= consolidated × devices, where nobody's duration is negative.
    #[test]
    fn persons_are_unions_of_peers(history in any_history()) {
        let world = world(&history, &history.events, history.after_everything());
        for session in world.sessions() {
            let persons = world.participants(session.id, View::Consolidated, Sort::JoinedAt, false, None).unwrap();
            let family = breakouts(&world, session.id);
            let raw: Vec<_> = family.iter().flat_map(|id| world.participants(*id, View::Raw, Sort::JoinedAt, false, None).unwrap()).collect();
            let sum: i64 = raw.iter().map(|r| r.duration_micros).sum();
            let union: i64 = persons.iter().map(|r| r.duration_micros).sum();
            prop_assert!(union <= sum && sum <= union * raw.len() as i64, "{} {} {}", union, sum, raw.len());
            prop_assert!(persons.len() <= raw.len());
            prop_assert_eq!(persons.is_empty(), raw.is_empty());
            prop_assert_eq!(persons.iter().map(|p| p.stays.len()).sum::<usize>(), raw.iter().map(|r| r.stays.len()).sum::<usize>());
            prop_assert_eq!(persons.iter().map(|p| p.peer_events.len()).sum::<usize>(), raw.iter().map(|r| r.peer_events.len()).sum::<usize>());
            for person in &persons {
                prop_assert!(raw.iter().any(|r| (r.id, r.session, &r.user_id) == (person.id, person.session, &person.user_id)));
            }
        }
    }

    /// DESC is the exact reverse of ASC, and a search only leaves rows out.
    #[test]
    fn lists_are_ordered(history in any_history()) {
        let world = world(&history, &history.events, history.now);
        for session in world.sessions() {
            for (view, sort) in [(View::Raw, Sort::JoinedAt), (View::Raw, Sort::Duration), (View::Consolidated, Sort::Duration)] {
                let ask = Ask { view, sort, descending: false, search: None };
                let up = Ledger::participants(&world, session.id, &ask).unwrap();
                let mut down = Ledger::participants(&world, session.id, &Ask { descending: true, ..ask }).unwrap();
                down.reverse();
                prop_assert_eq!(&up, &down);
                let found = Ledger::participants(&world, session.id, &Ask { search: Some("STRASSE"), ..ask }).unwrap();
                prop_assert_eq!(found, up.into_iter().filter(|r| r.display_name.as_deref() == Some("Straße")).collect::<Vec<_>>());
            }
        }
    }

    /// An id that was ever served keeps resolving, whatever arrives later: ids of an earlier state lead somewhere in every later one.
    #[test]
    fn served_ids_keep_resolving(history in history(Scope::All, 24), split in any::<prop::sample::Index>()) {
        let before = &history.events[..split.index(history.events.len() + 1)];
        for served in world(&history, before, history.now).sessions() {
            let later = world(&history, &history.events, history.now);
            let found = later.session(served.id);
            prop_assert!(found.is_some());
            prop_assert!(later.participants(served.id, View::Raw, Sort::JoinedAt, false, None).is_some());
        }
    }

    /// The sessions of one meeting neither share a stay nor begin at one time with an id in common; each begins with its first stay.
    #[test]
    fn unnamed_sessions_cut_the_meeting(history in history(Scope::All, 24)) {
        let world = world(&history, &history.events, history.now);
        let sessions = world.sessions();
        let ids: BTreeSet<_> = sessions.iter().map(|s| s.id).collect();
        prop_assert_eq!(ids.len(), sessions.len());
        let mut by_stream: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for session in sessions.iter().filter(|s| s.meeting == Some(s.stream.id)) {
            by_stream.entry(session.stream).or_default().push(session);
        }
        for sessions in by_stream.values_mut() {
            sessions.sort_by_key(|s| s.started_at);
            prop_assert!(sessions.iter().all(|s| s.participants > 0));
            prop_assert!(sessions.windows(2).all(|two| two[0].ended_at.is_none_or(|end| end <= two[1].started_at)));
        }
    }
}

/// A session and all its breakouts, by what their answers say of their parents.
fn breakouts(world: &World<'_>, asked: uuid::Uuid) -> BTreeSet<uuid::Uuid> {
    let mut family = BTreeSet::from([asked]);
    let all = world.sessions();
    loop {
        let before = family.len();
        family.extend(all.iter().filter(|s| s.parent.is_some_and(|p| family.contains(&p))).map(|s| s.id).collect::<Vec<_>>());
        if family.len() == before {
            return family;
        }
    }
}

/// The histories reach every anomaly, every way to close a stay, and every kind of session often enough to be of use.
#[test]
fn histories_reach_everything() {
    let mut runner = TestRunner::deterministic();
    let mut count: BTreeMap<String, u32> = BTreeMap::new();
    for _ in 0..1500 {
        let history = any_history().new_tree(&mut runner).unwrap().current();
        let world = world(&history, &history.events, history.now);
        let mut found = BTreeSet::new();
        let mut streams = BTreeSet::new();
        for session in world.sessions() {
            let unnamed = session.meeting == Some(session.stream.id);
            found.insert(format!("unnamed {unnamed}, live {}", session.live));
            if unnamed && !streams.insert(session.stream) {
                found.insert("two sessions of a meeting".into());
            }
            if session.parent.is_some() {
                found.insert("breakout".into());
            }
            for row in world.participants(session.id, View::Raw, Sort::JoinedAt, false, None).unwrap() {
                found.extend(row.anomalies.iter().map(|(kind, _)| format!("{kind:?}")));
                found.extend(row.stays.iter().map(|s| format!("unnamed {unnamed}, {:?}", s.closed_by)));
                found.extend((row.stays.len() > 1).then(|| "two stays of a peer".into()));
                found.extend((row.duration_micros < 0).then(|| "a duration below 0".into()));
            }
            let persons = world.participants(session.id, View::Consolidated, Sort::JoinedAt, false, None).unwrap();
            found.extend(persons.iter().any(|p| p.session != session.id).then(|| "someone in a breakout only".into()));
        }
        for what in found {
            *count.entry(what).or_default() += 1;
        }
    }
    let summary = format!("{count:#?}");
    assert_eq!(count.len(), 6 + 2 * 7 + 4 + 5, "{summary}");
    assert!(count.values().all(|n| *n >= 10), "{summary}");
}
