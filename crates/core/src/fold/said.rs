//! What an event says of its peer, and what a leave tells, in the heap and out of it.

use super::heap::{Heap, Reader};
use crate::event::{Content, Kind, Leave, PeerInfo};
use crate::time::Timestamp;

/// What an event, or an entry of a roster, says of its peer.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Said<'a> {
    /// The number of the slot that it takes.
    pub(super) slot: Option<u32>,
    pub(super) kind: Option<Kind>,
    /// Texts, in UTF-8.
    pub(crate) user_id: Option<&'a [u8]>,
    pub(crate) custom_participant_id: Option<&'a [u8]>,
    pub(crate) display_name: Option<&'a [u8]>,
    /// By their numbers.
    pub(crate) preset_name: Option<u32>,
    pub(crate) preset_view_type: Option<u32>,
}

/// The numbers of what is told of a peer again and again.
#[derive(Clone, Copy, Debug)]
pub(super) struct Numbers {
    pub(super) slot: Option<u32>,
    pub(super) preset_name: Option<u32>,
    pub(super) preset_view_type: Option<u32>,
}

/// Bits that say which fields of a [`Said`] are told; two of them say the kind.
const USER_ID: u64 = 1;
const CUSTOM_ID: u64 = 2;
const DISPLAY_NAME: u64 = 4;
const PRESET_NAME: u64 = 8;
const PRESET_VIEW_TYPE: u64 = 16;
const PERSON: u64 = 32;
const ROBOT: u64 = 64;

/// Bits that say which fields of a [`Leave`] are told.
const JOINED_AT: u64 = 1;
const UNCERTAIN: u64 = 2;

impl Heap {
    /// Writes what is said of a peer; returns where. No two texts of this kind begin alike and go on differently.
    pub(super) fn say(&mut self, info: &PeerInfo, numbers: Numbers) -> u64 {
        let said = self.end();
        self.number(numbers.slot.map_or(0, |slot| u64::from(slot) + 1));
        let bit = |told, bit| if told { bit } else { 0 };
        self.number(
            bit(info.user_id.is_some(), USER_ID)
                | bit(info.custom_participant_id.is_some(), CUSTOM_ID)
                | bit(info.display_name.is_some(), DISPLAY_NAME)
                | bit(numbers.preset_name.is_some(), PRESET_NAME)
                | bit(numbers.preset_view_type.is_some(), PRESET_VIEW_TYPE)
                | info.kind.map_or(0, |kind| if kind == Kind::Robot { ROBOT } else { PERSON }),
        );
        for text in [&info.user_id, &info.custom_participant_id, &info.display_name].into_iter().flatten() {
            self.text(text);
        }
        for number in [numbers.preset_name, numbers.preset_view_type].into_iter().flatten() {
            self.number(number.into());
        }
        said
    }

    /// Whether what was written last, from a place on, is what is said at another; the slot counts only where it is taken.
    pub(super) fn same_said(&self, known: u64, last: u64, takes_slot: bool) -> bool {
        let (mut known, mut last) = (self.at(known), self.at(last));
        let same_slot = known.number() == last.number();
        (same_slot || !takes_slot) && known.begins_like(last)
    }

    /// Writes what a leave tells.
    pub(super) fn leave(&mut self, leave: &Leave) {
        let uncertain = if leave.uncertain == 0 { 0 } else { UNCERTAIN };
        self.number(uncertain | if leave.joined_at.is_some() { JOINED_AT } else { 0 });
        if let Some(joined) = leave.joined_at {
            self.number(joined.micros() as u64);
        }
        if leave.uncertain != 0 {
            self.number(leave.uncertain as u64);
        }
    }
}

impl<'a> Reader<'a> {
    pub(super) fn content(&mut self) -> Content {
        let mut content = Content::default();
        let length = content.0.len();
        if let Ok(bytes) = self.bytes(length).try_into() {
            content.0 = bytes;
        }
        content
    }

    pub(super) fn said(mut self) -> Said<'a> {
        let slot = self.number().checked_sub(1).and_then(|ix| u32::try_from(ix).ok());
        let told = self.number();
        let mut said = Said { slot, ..Said::default() };
        said.kind = if told & ROBOT != 0 { Some(Kind::Robot) } else { (told & PERSON != 0).then_some(Kind::Person) };
        said.user_id = (told & USER_ID != 0).then(|| self.raw_text());
        said.custom_participant_id = (told & CUSTOM_ID != 0).then(|| self.raw_text());
        said.display_name = (told & DISPLAY_NAME != 0).then(|| self.raw_text());
        said.preset_name = (told & PRESET_NAME != 0).then(|| self.small());
        said.preset_view_type = (told & PRESET_VIEW_TYPE != 0).then(|| self.small());
        said
    }

    pub(super) fn small(&mut self) -> u32 {
        u32::try_from(self.number()).unwrap_or(u32::MAX)
    }

    /// What a leave tells beside who left and when; its reason is shown nowhere.
    pub(super) fn leave(&mut self) -> Leave {
        let told = self.number();
        let mut instant = || Timestamp::from_micros(self.number() as i64);
        let joined_at = (told & JOINED_AT != 0).then(&mut instant);
        let uncertain = if told & UNCERTAIN == 0 { 0 } else { instant().micros() };
        Leave { reason: None, joined_at, uncertain }
    }
}
