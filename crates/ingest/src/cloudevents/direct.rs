//! Events in the form in which nearly all come, read in one pass, without a tree of their members.
//!
//! What is read here is read as the general reader reads it. Everything else is left to that: an escape, a `null`, a member that this does
//! not know, a key twice, a roster, and whatever is wrong, so that there is one place that says what.

use super::data::{Earlier, VIEW_TYPES};
use rollbook_core::event::{Body, Event, Kind, Leave, Leaver, PeerInfo, Place};
use rollbook_core::id::Name;
use rollbook_core::time::Timestamp;
use std::sync::Arc;
use uuid::Uuid;

/// Reads the event that a text begins with; how many bytes it is long.
pub(super) fn leading<'t>(text: &'t str, earlier: &mut Earlier<'t>) -> Option<(Event, usize)> {
    let mut scan = Scan { text, at: 0 };
    let mut envelope = Envelope::default();
    scan.members(|scan, key| envelope.member(scan, key, earlier))?;
    Some((envelope.event()?, scan.at))
}

/// The same, of a text that is one event and nothing else.
pub(super) fn whole<'t>(text: &'t str, earlier: &mut Earlier<'t>) -> Option<Event> {
    let (event, length) = leading(text, earlier)?;
    text.as_bytes().get(length..)?.iter().all(|byte| is_space(*byte)).then_some(event)
}

#[derive(Default)]
struct Envelope<'t> {
    specversion: Option<&'t str>,
    id: Option<&'t str>,
    source: Option<&'t str>,
    kind: Option<&'t str>,
    time: Option<&'t str>,
    content_type: Option<&'t str>,
    /// No part of an event, but not to be told twice.
    subject: Option<&'t str>,
    data: Option<Data<'t>>,
}

/// What the data of any type may tell; a type's own reader takes no notice of what it does not ask for.
#[derive(Default)]
struct Data<'t> {
    place: Option<Arc<Place>>,
    peer: Option<PeerInfo>,
    slot: Option<&'t str>,
    reason: Option<&'t str>,
    joined_at: Option<Timestamp>,
}

impl<'t> Envelope<'t> {
    fn member(&mut self, scan: &mut Scan<'t>, key: &str, earlier: &mut Earlier<'t>) -> Option<()> {
        match key {
            "specversion" => once(&mut self.specversion, scan.text()),
            "id" => once(&mut self.id, scan.text()),
            "source" => once(&mut self.source, scan.text()),
            "type" => once(&mut self.kind, scan.text()),
            "time" => once(&mut self.time, scan.text()),
            "datacontenttype" => once(&mut self.content_type, scan.text().filter(|text| *text == "application/json")),
            "subject" => once(&mut self.subject, scan.text()),
            "data" => {
                let mut data = Data::default();
                scan.members(|scan, key| data.member(scan, key, earlier))?;
                once(&mut self.data, Some(data))
            }
            _ => None,
        }
    }

    fn event(self) -> Option<Event> {
        let filled = |text: Option<&'t str>| text.filter(|text| !text.is_empty());
        let (id, source) = (filled(self.id)?, filled(self.source)?);
        let time = Timestamp::parse_rfc3339(self.time?).ok().filter(|_| self.specversion == Some("1.0"))?;
        let Data { place, peer, slot, reason, joined_at } = self.data?;
        let (place, known) = (place?, |peer: Option<PeerInfo>| peer.filter(is_named));
        let reason = reason.map(Into::into);
        let body = match self.kind? {
            "rollbook.peer.created" => Body::PeerCreated(place, known(peer)?),
            "rollbook.peer.joined" => Body::PeerJoined(place, known(peer)?),
            "rollbook.peer.left" => Body::PeerLeft(place, leaver(peer, slot)?, Leave { reason, joined_at, uncertain: 0 }),
            "rollbook.session.started" => Body::SessionStarted(place),
            "rollbook.session.ended" => Body::SessionEnded(place, reason),
            _ => return None,
        };
        Some(Event { source: source.into(), id: id.into(), time, body })
    }
}

impl<'t> Data<'t> {
    fn member(&mut self, scan: &mut Scan<'t>, key: &str, earlier: &mut Earlier<'t>) -> Option<()> {
        match key {
            "session" => once(&mut self.place, scan.place(earlier)),
            "peer" => once(&mut self.peer, scan.peer()),
            "slot" => once(&mut self.slot, scan.text()),
            "reason" => once(&mut self.reason, scan.text()),
            "joined_at" => once(&mut self.joined_at, scan.text().and_then(|text| Timestamp::parse_rfc3339(text).ok())),
            _ => None,
        }
    }
}

fn is_named(peer: &PeerInfo) -> bool {
    peer.name.id.is_some() || peer.name.key.is_some()
}

fn leaver(peer: Option<PeerInfo>, slot: Option<&str>) -> Option<Leaver> {
    match peer {
        Some(peer) if is_named(&peer) => Some(Leaver::Peer(peer)),
        Some(peer) => peer.slot.map(Leaver::Slot),
        None => slot.map(|slot| Leaver::Slot(slot.into())),
    }
}

/// A member that is told for the first time.
fn once<T>(member: &mut Option<T>, told: Option<T>) -> Option<()> {
    if member.replace(told?).is_some() { None } else { Some(()) }
}

/// A place in a text that is read.
struct Scan<'t> {
    text: &'t str,
    at: usize,
}

impl<'t> Scan<'t> {
    fn rest(&self) -> &'t [u8] {
        self.text.as_bytes().get(self.at..).unwrap_or_default()
    }

    fn space(&mut self) {
        self.at += self.rest().iter().take_while(|byte| is_space(**byte)).count();
    }

    fn take(&mut self, byte: u8) -> Option<()> {
        self.space();
        let found = self.rest().first() == Some(&byte);
        self.at += usize::from(found);
        found.then_some(())
    }

    /// A text that is written as it reads.
    fn text(&mut self) -> Option<&'t str> {
        self.take(b'"')?;
        let length = plain(self.rest());
        let (text, rest) = self.text.get(self.at..)?.split_at_checked(length)?;
        self.at += length + 1;
        rest.starts_with('"').then_some(text)
    }

    fn boxed(&mut self) -> Option<Box<str>> {
        self.text().map(Into::into)
    }

    fn word(&mut self, words: &[&str]) -> Option<&'t str> {
        self.text().filter(|text| words.contains(text))
    }

    /// An object, each member of which is read as its key says.
    fn members(&mut self, mut member: impl FnMut(&mut Self, &'t str) -> Option<()>) -> Option<()> {
        self.take(b'{')?;
        loop {
            let key = self.text()?;
            self.take(b':')?;
            member(self, key)?;
            self.space();
            match self.rest().first()? {
                b',' => self.at += 1,
                b'}' => {
                    self.at += 1;
                    return Some(());
                }
                _ => return None,
            }
        }
    }

    /// What is told of the session: mostly what the event before told, letter by letter.
    fn place(&mut self, earlier: &mut Earlier<'t>) -> Option<Arc<Place>> {
        self.space();
        let (place, length) = earlier.leading(self.text.get(self.at..)?)?;
        self.at += length;
        Some(place)
    }

    fn peer(&mut self) -> Option<PeerInfo> {
        let mut peer = PeerInfo::new(Name { id: None, key: None });
        self.members(|scan, key| match key {
            "id" => once(&mut peer.name.id, scan.text().filter(|text| text.len() == 36).and_then(|text| Uuid::try_parse(text).ok())),
            "key" => once(&mut peer.name.key, scan.boxed()),
            "slot" => once(&mut peer.slot, scan.boxed()),
            "user_id" => once(&mut peer.user_id, scan.boxed()),
            "custom_participant_id" => once(&mut peer.custom_participant_id, scan.boxed()),
            "display_name" => once(&mut peer.display_name, scan.boxed()),
            "preset_name" => once(&mut peer.preset_name, scan.boxed()),
            "preset_view_type" => once(&mut peer.preset_view_type, scan.word(&VIEW_TYPES).map(Into::into)),
            "kind" => {
                let word = scan.word(&["person", "robot"]);
                once(&mut peer.kind, word.map(|word| if word == "robot" { Kind::Robot } else { Kind::Person }))
            }
            _ => None,
        })?;
        Some(peer)
    }
}

fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r')
}

/// How many bytes of a text in quotes are letters of its own: up to a quote, an escape or a control character. Eight at a time.
fn plain(bytes: &[u8]) -> usize {
    const EACH: u64 = 0x0101_0101_0101_0101;
    const TOP: u64 = 0x80 * EACH;
    let below = |word: u64, least: u64| word.wrapping_sub(least * EACH) & !word & TOP;
    let (words, _) = bytes.as_chunks::<8>();
    for (ix, word) in words.iter().enumerate() {
        let word = u64::from_le_bytes(*word);
        let same = |letter: u8| below(word ^ (u64::from(letter) * EACH), 1);
        let special = below(word, 0x20) | same(b'"') | same(b'\\');
        if special != 0 {
            // A borrow marks no byte but those after one that is special itself: the lowest mark is right.
            return ix * 8 + special.trailing_zeros() as usize / 8;
        }
    }
    let whole = words.len() * 8;
    let rest = bytes.get(whole..).unwrap_or_default();
    whole + rest.iter().take_while(|byte| !matches!(byte, b'"' | b'\\' | 0..0x20)).count()
}

#[cfg(test)]
mod tests;
