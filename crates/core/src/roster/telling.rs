//! What is shown of a peer beside its stays: descriptive fields, and its events.

use super::row::{Origin, PeerAct, ToldEvent};
use crate::fold::{Act, Facts, PeerIx, Reading, Said, SittingIx};
use uuid::Uuid;

/// The descriptive fields of a peer, in UTF-8.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Told<'a> {
    pub(crate) user_id: Option<&'a [u8]>,
    pub(crate) custom_participant_id: Option<&'a [u8]>,
    pub(crate) display_name: Option<&'a [u8]>,
    pub(crate) preset_name: Option<&'a [u8]>,
}

impl Told<'_> {
    fn is_complete(&self) -> bool {
        let of_person = self.user_id.is_some() && self.custom_participant_id.is_some() && self.display_name.is_some();
        of_person && self.preset_name.is_some()
    }
}

/// A peer has mostly a join and a leave: fewer records than this need no list of their own.
const FEW: usize = 4;

impl Facts {
    /// A peer's public id.
    #[must_use]
    pub fn peer_id(&self, peer: PeerIx) -> Uuid {
        self.peers[peer as usize].id
    }

    /// The descriptive fields, one by one, as the peer's earliest event that carries each has it.
    pub(crate) fn told_of(&self, peer: PeerIx) -> Told<'_> {
        let mut all = Told::default();
        self.earliest_said(peer, |said| {
            all.user_id = all.user_id.or(said.user_id);
            all.custom_participant_id = all.custom_participant_id.or(said.custom_participant_id);
            all.display_name = all.display_name.or(said.display_name);
            all.preset_name = all.preset_name.or_else(|| Some(self.preset(said.preset_name?)));
            all.is_complete()
        });
        all
    }

    /// The kind of view, as the peer's earliest event that carries it has it.
    fn preset_view_type_of(&self, peer: PeerIx) -> Option<&str> {
        let mut view = None;
        self.earliest_said(peer, |said| {
            view = said.preset_view_type;
            view.is_some()
        });
        std::str::from_utf8(self.preset(view?)).ok()
    }

    /// What the peer's events say of it, the earliest first, until it is enough.
    fn earliest_said<'a>(&'a self, peer: PeerIx, mut is_enough: impl FnMut(Said<'a>) -> bool) {
        let (mut few, mut all_of_many) = ([0; FEW], Vec::new());
        let many = self.newest_first(peer).zip(&mut few).map(|(record, place)| *place = record).count();
        let records = if many < FEW {
            &mut few[..many]
        } else {
            all_of_many.extend(self.newest_first(peer));
            &mut all_of_many[..]
        };
        records.reverse();
        if !records.is_sorted_by(|a, b| self.compare_told(*a, *b).is_le()) {
            records.sort_by(|a, b| self.compare_told(*a, *b));
        }
        let mut before = None;
        for place in records.iter().filter_map(|record| self.said_at(*record)) {
            // A leave mostly says what the join said, which is written once.
            if before != Some(place) && is_enough(self.said_there(place)) {
                return;
            }
            before = Some(place);
        }
    }

    fn origin(&self) -> Origin {
        Origin { namespace: self.app().namespace(), stream: self.stream().id }
    }

    /// The peer's events that the session contains, for show; rosters make none.
    pub(crate) fn peer_events(&self, reading: &Reading, sitting: SittingIx, session: Uuid, peer: PeerIx) -> Vec<ToldEvent> {
        let origin = self.origin();
        let view = self.preset_view_type_of(peer);
        let shown = reading.contained(self, sitting, peer).into_iter().filter_map(|record| {
            let act = match self.entry(record).act {
                Act::Present => return None,
                Act::Created => PeerAct::Created,
                Act::Joined => PeerAct::Joined,
                Act::Left | Act::LeftSlot(_) => PeerAct::Left,
            };
            let (source, source_id) = self.identity(record);
            Some(ToldEvent {
                at: self.time(record),
                source: source.into(),
                source_id: source_id.into(),
                session,
                origin,
                peer: self.peers[peer as usize].id,
                act,
                preset_view_type: view.map(Into::into),
            })
        });
        let mut events: Vec<_> = shown.collect();
        events.sort_by(|a, b| a.order().cmp(&b.order()));
        events
    }
}
