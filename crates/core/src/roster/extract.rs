//! Rows copied out of a session that goes on: what a page shows, apart from what goes on changing.

use super::cursor::Text;
use super::form::is_odd;
use super::row::{Details, Fields, Part, PeerEvent, ToldEvent};
use super::view::RowView;
use crate::fold::PeerIx;

/// Some rows in an order of their own.
#[derive(Clone, Debug, Default)]
pub struct Extract {
    rows: Vec<Copied>,
    /// Of all rows, one after the other.
    texts: Vec<u8>,
    /// Of each row, or of none.
    details: Vec<Details<ToldEvent>>,
}

/// A row, but for its texts.
#[derive(Clone, Copy, Debug)]
pub(super) struct Copied {
    pub(super) fields: Fields<Span>,
    pub(super) is_plain: bool,
}

/// From where to where a text goes.
type Span = (u32, u32);

/// Where there is no text.
const NOWHERE: Span = (u32::MAX, u32::MAX);

/// A copied row with its texts, and with its details where they were asked for.
#[derive(Clone, Copy, Debug)]
pub(super) struct CopiedRow<'a> {
    pub(super) row: &'a Copied,
    texts: &'a [u8],
    details: Option<&'a Details<ToldEvent>>,
}

impl Extract {
    /// How many rows there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The rows in their order.
    pub fn rows(&self) -> impl Iterator<Item = RowView<'_>> {
        let with_rest = |(place, row)| CopiedRow { row, texts: &self.texts, details: self.details.get(place) };
        self.rows.iter().enumerate().map(with_rest).map(RowView::copied)
    }

    fn copy(&mut self, row: &Fields<Option<&[u8]>>) {
        let Self { rows, texts, .. } = self;
        let first = texts.len();
        let mut spans = [NOWHERE; 4];
        for (span, text) in spans.iter_mut().zip(row.texts) {
            if let Some(text) = text {
                let from = texts.len();
                texts.extend_from_slice(text);
                *span = (small(from), small(texts.len()));
            }
        }
        rows.push(Copied { fields: row.with_texts(spans), is_plain: !is_odd(&texts[first..]) });
    }
}

fn small(place: usize) -> u32 {
    u32::try_from(place).unwrap_or(u32::MAX)
}

impl<'a> CopiedRow<'a> {
    /// The text at a place of the fields' texts.
    #[inline]
    pub(super) fn text(&self, place: usize) -> Text<'a> {
        let (from, to) = self.row.fields.texts.get(place).copied().unwrap_or(NOWHERE);
        self.texts.get(from as usize..to as usize).map_or(Text::None, Text::Bytes)
    }

    pub(super) fn details(&self) -> Details {
        let Fields { joined_at, left_at, .. } = self.row.fields;
        let Some(Details { stays, anomalies, events }) = self.details else { return Details::one_stay(joined_at, left_at) };
        let events = events.iter().map(PeerEvent::of).collect();
        Details { stays: stays.clone(), anomalies: anomalies.clone(), events }
    }
}

/// About how many bytes the texts of a row take.
const TEXTS: usize = 100;

impl Part<'_> {
    /// The raw rows of some of its peers, in their order, with their details or without. Peers that it does not list are left out.
    #[must_use]
    pub fn extract(&self, peers: &[PeerIx], details: bool) -> Extract {
        self.reading.look_ahead(peers);
        self.facts.look_ahead(peers);
        let (rows, texts) = (Vec::with_capacity(peers.len()), Vec::with_capacity(peers.len() * TEXTS));
        let mut extract = Extract { rows, texts, details: Vec::new() };
        for &peer in peers {
            let Some(fields) = self.fields(peer) else { continue };
            extract.copy(&fields);
            if details {
                extract.details.push(self.details(fields.session, peer));
            }
        }
        extract
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Body, Event, Leave, Leaver, PeerInfo, Place};
    use crate::fold::{Facts, Reading};
    use crate::id::{App, Home, Name, Stream};
    use crate::time::{SECOND, Timestamp};
    use uuid::Uuid;

    const SESSION: Uuid = Uuid::from_u128(7);

    fn at(second: i64) -> Timestamp {
        Timestamp::from_micros(second * SECOND)
    }

    /// Of someone with a name.
    fn peer(name: &str) -> PeerInfo {
        PeerInfo { display_name: Some(name.into()), preset_name: Some("host".into()), ..PeerInfo::new(Name::key(name)) }
    }

    fn event(id: &str, second: i64, body: impl FnOnce(Place) -> Body) -> Event {
        let place = Place::new(Home::Session { session: Name::id(SESSION), meeting: None });
        Event { source: "sfu".into(), id: id.into(), time: at(second), body: body(place) }
    }

    /// The raw rows, in the order in which the peers were first heard of.
    fn extract(events: &[Event], now: Timestamp, details: bool) -> Extract {
        let mut facts = Facts::new(App::new("acme", "school").unwrap(), Stream::session(SESSION));
        events.iter().for_each(|event| facts.take(event));
        facts.take_changes();
        let reading = Reading::full(&facts, now);
        let peers = reading.listed(&facts, 0);
        Part { facts: &facts, reading: &reading, sitting: 0 }.extract(&peers, details)
    }

    #[test]
    fn a_row_says_whether_its_texts_are_plain() {
        let names = ["Ana", "B\u{1f}o", "Cleo \"C\" of the longest name here", "D\\", "Émile", ""];
        let events: Vec<Event> = names.iter().map(|name| event(name, 5, |place| Body::PeerJoined(place.into(), peer(name)))).collect();
        let extract = extract(&events, at(9), false);
        let shown: Vec<_> = extract.rows().map(|row| (row.display_name().unwrap().into_owned(), row.shown().is_plain())).collect();
        assert_eq!(shown, names.map(|name| (name.to_owned(), !matches!(&name.chars().nth(1), Some('\u{1f}' | 'l' | '\\')))));
    }

    #[test]
    fn what_a_later_event_adds_is_shown() {
        let joined = |peer| event("1", 5, |place| Body::PeerJoined(place.into(), peer));
        let left = |peer| event("2", 8, |place| Body::PeerLeft(place.into(), Leaver::Peer(peer), Leave::default()));
        let (first, last) = (
            PeerInfo { preset_name: None, ..peer("Ana") },
            PeerInfo { user_id: Some("u".into()), display_name: Some("Anna".into()), ..peer("Ana") },
        );
        let events = [left(last), joined(first)];
        let extract = extract(&events, at(9), true);
        let row = extract.rows().next().unwrap();
        let texts = [row.user_id(), row.custom_participant_id(), row.display_name(), row.preset_name()];
        assert_eq!(
            texts.map(|text| text.map(|text| text.into_owned())),
            [Some("u"), None, Some("Ana"), Some("host")].map(|text| text.map(String::from))
        );
        assert_eq!((row.joined_at(), row.left_at(), row.created_at(), row.updated_at()), (at(5), Some(at(8)), at(5), at(8)));
        assert_eq!((row.details().stays.len(), row.details().events.len()), (1, 2));
    }
}
