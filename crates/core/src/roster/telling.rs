//! What is shown of a peer beside its stays: descriptive fields, its events, when it was heard of.

use super::row::{PeerAct, PeerEvent};
use crate::event::PeerInfo;
use crate::fold::{Act, Anomaly, Entry, Facts, PeerIx, Reading, SittingIx};
use crate::id::{Name, StreamKind};
use crate::time::Timestamp;
use uuid::Uuid;

impl Facts {
    /// A peer's public id.
    #[must_use]
    pub fn peer_id(&self, peer: PeerIx) -> Uuid {
        self.peers[peer as usize].id
    }

    /// The descriptive fields, one by one, as the peer's earliest event that carries each has it.
    pub(crate) fn told_of(&self, peer: PeerIx) -> PeerInfo {
        let entries = &self.peers[peer as usize].entries;
        let mut told: Vec<_> = entries.iter().filter_map(|&e| Some((self.told(e), self.info(e)?))).collect();
        told.sort_by_key(|(order, _)| *order);
        let mut all = PeerInfo::new(Name::id(self.peers[peer as usize].id));
        for (_, info) in told {
            keep(&mut all.user_id, &info.user_id);
            keep(&mut all.custom_participant_id, &info.custom_participant_id);
            keep(&mut all.display_name, &info.display_name);
            keep(&mut all.preset_name, &info.preset_name);
            keep(&mut all.preset_view_type, &info.preset_view_type);
        }
        all
    }

    /// The times of the peer's first and last event that the session contains.
    pub(crate) fn heard_of(&self, reading: &Reading, sitting: SittingIx, peer: PeerIx) -> Option<(Timestamp, Timestamp)> {
        let times: Vec<_> = self.contained(reading, sitting, peer).map(|(_, e)| self.event_of(e).time).collect();
        Some((*times.iter().min()?, *times.iter().max()?))
    }

    /// The peer's events that the session contains, for show; rosters make none.
    pub(crate) fn peer_events(&self, reading: &Reading, sitting: SittingIx, session: Uuid, peer: PeerIx) -> Vec<PeerEvent> {
        let view = self.told_of(peer).preset_view_type;
        let shown = self.contained(reading, sitting, peer).filter_map(|(_, entry)| {
            let act = match entry.act {
                Act::Present(_) => return None,
                Act::Created => PeerAct::Created,
                Act::Joined => PeerAct::Joined,
                Act::Left | Act::LeftSlot(_) => PeerAct::Left,
            };
            let event = self.event_of(entry);
            Some(PeerEvent {
                at: event.time,
                source: event.source.clone(),
                source_id: event.id.clone(),
                session,
                id: self.event_id(peer, entry),
                peer: self.peers[peer as usize].id,
                act,
                preset_view_type: view.clone(),
            })
        });
        let mut events: Vec<_> = shown.collect();
        events.sort_by(|a, b| a.order().cmp(&b.order()));
        events
    }

    /// The anomalies that the peer's events in the session show, by time.
    pub(crate) fn anomalies(&self, reading: &Reading, sitting: SittingIx, peer: PeerIx) -> Vec<Anomaly> {
        let all = reading.attendances[peer as usize].anomalies.iter();
        all.filter(|(_, place)| self.contains(reading, sitting, peer, *place as usize)).map(|(anomaly, _)| *anomaly).collect()
    }

    fn contains(&self, reading: &Reading, sitting: SittingIx, peer: PeerIx, place: usize) -> bool {
        self.stream.kind != StreamKind::Meeting || reading.containing(self, peer, place) == Some(sitting)
    }

    fn contained(&self, reading: &Reading, sitting: SittingIx, peer: PeerIx) -> impl Iterator<Item = (usize, Entry)> {
        let entries = reading.attendances[peer as usize].entries.iter().map(|(entry, _)| *entry).enumerate();
        entries.filter(move |(place, _)| self.contains(reading, sitting, peer, *place))
    }
}

/// Takes a field from a later event only where no earlier one carries it.
fn keep(field: &mut Option<Box<str>>, told: &Option<Box<str>>) {
    if field.is_none() {
        field.clone_from(told);
    }
}
