//! A roster as immutable bytes: rows in joined order, each found by its place; and their places in the other orders.
//!
//! The same bytes serve from memory and from a mapped file. All numbers are little-endian.
//!
//! ```text
//! header    magic; rows, gone; base, tick, widths; where each section starts; validity
//! sessions  those of the rows (see `tables`)
//! names     texts that many rows have, shapes of events (see `tables`, `details`)
//! shapes    of rows (see `shapes`)
//! orders    places of rows, as few bits each as the last one takes:
//!           rows that are gone, by (length, id, session)
//!           rows that are in, by their length at any one time, then (id, session)
//!           all rows, by (id, session)
//! starts    where each row starts (see `starts`)
//! rows      by (joined_at, id, session), each in the form of `form`
//! tag       the caller's
//! index     for searches, of rosters that are large and steady
//! ```

use super::cursor::Two;
use super::form::{Form, Writer};
use super::packed::{bits_for, get, put, word};
use super::row::{Length, Row};
use super::search::{Index, Texts, build};
use super::shapes::Shape;
use super::starts::Starts;
use super::tables::Tables;
use super::view::RowView;
use crate::fold::Validity;
use crate::time::Timestamp;
use std::cmp::Reverse;
use std::ops::Range;
use uuid::Uuid;

/// Names the format and its version. A file of another one is rebuilt, not read.
const MAGIC: [u8; 8] = *b"rbseg\0\0\x03";
/// Where the header has its numbers.
const ROWS: usize = 8;
const GONE: usize = 12;
const BASE: usize = 16;
const TICK: usize = 24;
const WIDTHS: usize = 32;
const SHORTEST: usize = 36;
const SECTIONS: usize = 40;
const VALIDITY: usize = SECTIONS + (ALL + 1) * 8;
const HEADER: usize = VALIDITY + 16;
/// The sections, by their numbers.
const OF_SESSIONS: usize = 0;
const OF_NAMES: usize = 1;
const SHAPES: usize = 2;
const ORDERS: usize = 3;
const STARTS: usize = 4;
const OF_ROWS: usize = 5;
const TAG: usize = 6;
const INDEX: usize = 7;
const ALL: usize = 8;
/// Fewer rows are all looked at by a search, in some tenths of a millisecond, and have no index.
const INDEXED: usize = 4_096;

/// Why bytes are not a roster that this version reads.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum SnapshotError {
    /// Another format or version.
    #[error("not a roster of this version")]
    Format,
    /// The file is shorter than its header says.
    #[error("the roster is cut short")]
    Short,
}

/// A roster over any bytes.
#[derive(Clone, Debug)]
pub struct Snapshot<B> {
    bytes: B,
    rows: u32,
    gone: u32,
    form: Form,
    /// Bits of a place.
    place_bits: u32,
    starts: Starts,
    /// Where each section starts, and the last one ends.
    sections: [usize; ALL + 1],
    validity: Validity,
}

/// Encodes rows, with the span of `now` for which they hold and a tag that the caller gives meaning to (what they were made from).
#[must_use]
pub fn encode(rows: Vec<Row>, validity: Validity, tag: &[u8]) -> Vec<u8> {
    encode_indexed(rows, validity, tag, INDEXED)
}

/// The same, with an index from so many rows on.
pub(super) fn encode_indexed(mut rows: Vec<Row>, validity: Validity, tag: &[u8], indexed: usize) -> Vec<u8> {
    rows.sort_unstable_by_key(|row| (row.joined_at, row.id, row.session));
    let mut writer = Writer { form: Form::of(&rows), ..Writer::default() };
    let mut starts_of_rows = Vec::with_capacity(rows.len() + 1);
    for row in &rows {
        starts_of_rows.push(writer.rows.len() as u64);
        writer.put(&row.fields(), &row.details);
    }
    starts_of_rows.push(writer.rows.len() as u64);
    let (starts, starts_of_rows) = Starts::of(&starts_of_rows);
    let gone = rows.iter().filter(|row| row.left_at.is_some()).count();

    let mut sections = [const { Vec::new() }; ALL];
    writer.sessions.put(&mut sections[OF_SESSIONS]);
    writer.names.put(&mut sections[OF_NAMES]);
    sections[SHAPES] = writer.shapes.bytes;
    put(orders(&rows).into_iter().map(u64::from), place_bits(rows.len()), &mut sections[ORDERS]);
    sections[STARTS] = starts_of_rows;
    sections[OF_ROWS] = writer.rows;
    sections[TAG] = tag.to_vec();
    // A roster that someone is in is soon made anew.
    if rows.len() >= indexed && gone == rows.len() {
        sections[INDEX] = index(&rows);
    }

    let all = HEADER + sections.iter().map(Vec::len).sum::<usize>();
    let mut out = Vec::with_capacity(all);
    out.extend_from_slice(&MAGIC);
    out.extend([rows.len(), gone].into_iter().flat_map(|number| u32::try_from(number).unwrap_or(u32::MAX).to_le_bytes()));
    out.extend([writer.form.base, writer.form.tick].into_iter().flat_map(i64::to_le_bytes));
    let [joined, length] = writer.form.spans.widths();
    out.extend_from_slice(&[joined, length, starts.bits as u8, 0]);
    out.extend(starts.shortest.to_le_bytes());
    let mut at = HEADER;
    for length in sections.iter().map(Vec::len).chain([0]) {
        out.extend((at as u64).to_le_bytes());
        at += length;
    }
    out.extend([validity.relied_on, validity.until].into_iter().flat_map(|at| at.micros().to_le_bytes()));
    sections.iter().for_each(|section| out.extend_from_slice(section));
    out
}

fn index(rows: &[Row]) -> Vec<u8> {
    build(u32::try_from(rows.len()).unwrap_or(u32::MAX), |ix| {
        let row = &rows[ix as usize];
        Texts { name: row.display_name.as_deref(), custom_id: row.custom_participant_id.as_deref() }
    })
}

/// The places of the rows that are gone, then of those that are in, by length; and of all, by id.
fn orders(rows: &[Row]) -> Vec<u32> {
    let row = |ix: &u32| &rows[*ix as usize];
    let indices = || 0..u32::try_from(rows.len()).unwrap_or(u32::MAX);
    let mut orders: Vec<u32> = indices().collect();
    // Whoever is in comes after whoever is gone.
    orders.sort_unstable_by_key(|ix| (duration_key(row(ix).length), row(ix).id, row(ix).session));
    let mut by_id: Vec<u32> = indices().collect();
    by_id.sort_unstable_by_key(|ix| (row(ix).id, row(ix).session));
    orders.extend(by_id);
    orders
}

fn place_bits(rows: usize) -> u32 {
    bits_for(rows.saturating_sub(1) as u64).min(u32::BITS)
}

/// Orders by length: of those who are in, whoever has been in longest comes last at any `now`.
fn duration_key(length: Length) -> Result<i64, Reverse<Timestamp>> {
    match length {
        Length::Gone(length) => Ok(length),
        Length::In(since) => Err(Reverse(since)),
    }
}

impl<B: Default> Snapshot<B> {
    /// A roster of no rows, which holds at every `now`.
    #[must_use]
    pub fn empty() -> Self {
        let (form, starts, validity) = (Form::default(), Starts::default(), Validity::default());
        Self { bytes: B::default(), rows: 0, gone: 0, form, place_bits: 0, starts, sections: [0; ALL + 1], validity }
    }
}

impl<B: AsRef<[u8]>> Snapshot<B> {
    /// Takes bytes that [`encode`] made.
    ///
    /// # Errors
    /// Where they are of another version, or cut short.
    pub fn new(bytes: B) -> Result<Self, SnapshotError> {
        let all = bytes.as_ref();
        let header = all.first_chunk::<HEADER>().ok_or(SnapshotError::Short)?;
        if header[..8] != MAGIC {
            return Err(SnapshotError::Format);
        }
        let small = |at| word(header, at) as u32;
        let time = |at| Timestamp::from_micros(word(header, at).cast_signed());
        let sections: [usize; ALL + 1] = std::array::from_fn(|ix| usize::try_from(word(header, SECTIONS + ix * 8)).unwrap_or(usize::MAX));
        let (rows, gone, tick) = (small(ROWS), small(GONE), word(header, TICK).cast_signed());
        let starts = Starts { bits: header[WIDTHS + 2].into(), shortest: small(SHORTEST) };
        if sections[ALL] != all.len() || !sections.is_sorted() || sections[0] != HEADER {
            return Err(SnapshotError::Short);
        }
        if gone > rows || tick < 1 || starts.bits > 56 {
            return Err(SnapshotError::Format);
        }
        let form = Form {
            base: word(header, BASE).cast_signed(),
            tick,
            spans: Two::bits([header[WIDTHS], header[WIDTHS + 1]]),
            shapes: Shape::all(all.get(sections[SHAPES]..sections[SHAPES + 1]).unwrap_or_default()),
        };
        let validity = Validity { relied_on: time(VALIDITY), until: time(VALIDITY + 8) };
        Ok(Self { bytes, rows, gone, form, place_bits: place_bits(rows as usize), starts, sections, validity })
    }

    #[inline]
    fn section(&self, number: usize) -> &[u8] {
        self.bytes.as_ref().get(self.sections[number]..self.sections[number + 1]).unwrap_or_default()
    }

    /// How many rows there are.
    #[must_use]
    pub fn len(&self) -> u32 {
        self.rows
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rows == 0
    }

    /// How many bytes it takes.
    #[must_use]
    pub fn size(&self) -> usize {
        self.bytes.as_ref().len()
    }

    /// The span of `now` for which the rows hold.
    #[must_use]
    pub fn validity(&self) -> Validity {
        self.validity
    }

    /// Whether the rows are the same at every `now` from the one that they were made at on: nobody is in, and nothing is still to come.
    #[must_use]
    pub fn is_steady(&self) -> bool {
        self.all_gone() && self.validity.until == Validity::default().until
    }

    /// What the caller tagged the rows with.
    #[must_use]
    pub fn tag(&self) -> &[u8] {
        self.section(TAG)
    }

    /// The row at a place of the joined order; of a place past the end, an empty one.
    #[must_use]
    pub fn row(&self, ix: u32) -> RowView<'_> {
        self.reader().row(ix)
    }

    /// The rows at some places, in their order.
    pub fn rows<'a>(&'a self, places: &'a [u32]) -> impl Iterator<Item = RowView<'a>> {
        let reader = self.reader();
        places.iter().map(move |place| reader.row(*place))
    }

    /// What reads many rows.
    pub(super) fn reader(&self) -> Reader<'_> {
        let tables = Tables { sessions: self.section(OF_SESSIONS), names: self.section(OF_NAMES) };
        let (starts, all_starts, rows) = (self.starts, self.section(STARTS), self.section(OF_ROWS));
        Reader { form: &self.form, tables, starts, all_starts, rows, len: self.rows }
    }

    /// The row of a peer.
    #[must_use]
    pub fn find(&self, id: Uuid) -> Option<u32> {
        let at = search(self.rows, |place| self.row(self.by_id(place)).id() < id);
        (at < self.rows && self.row(self.by_id(at)).id() == id).then(|| self.by_id(at))
    }

    /// The rows of peers with ids from one to another, both included. Of these no row is looked at.
    pub(super) fn with_ids(&self, from: Uuid, to: Uuid) -> impl Iterator<Item = u32> {
        let first = search(self.rows, |place| self.row(self.by_id(place)).id() < from);
        let end = search(self.rows, |place| self.row(self.by_id(place)).id() <= to);
        (first..end).map(|place| self.by_id(place))
    }

    /// The row at a place of the order by id.
    fn by_id(&self, place: u32) -> u32 {
        // Damaged bytes may say that there are more rows than two orders of them have places.
        self.place(self.rows.saturating_add(place))
    }

    /// Whether nobody is in.
    pub(super) fn all_gone(&self) -> bool {
        self.gone == self.rows
    }

    /// The row at a place of the order by length of those who are gone.
    pub(super) fn gone_at(&self, place: u32) -> u32 {
        self.place(place)
    }

    /// How many bytes of it are for searches.
    #[must_use]
    pub fn index_size(&self) -> usize {
        self.section(INDEX).len()
    }

    /// What searches look up in, if there is one.
    pub(super) fn index(&self) -> Option<Index<'_>> {
        Index::new(self.section(INDEX), self.rows)
    }

    /// Appends the places of the rows in a range of the order by length at `now`, ascending.
    pub(crate) fn by_length(&self, range: Range<u32>, now: Timestamp, out: &mut Vec<u32>) {
        let present = self.rows - self.gone;
        if present == 0 {
            return out.extend((range.start..range.end.min(self.rows)).map(|ix| self.place(ix)));
        }
        let gone_at = |ix: u32| self.place(ix);
        let present_at = |ix: u32| self.place(self.gone + ix);
        let key = |ix: u32| (self.row(ix).length().at(now), self.row(ix).id(), self.row(ix).session());
        // Of the first `start` rows in all, `from_gone` are gone: the fewest such that the next who is in comes no earlier.
        let start = range.start.min(self.rows);
        let (low, high) = (start.saturating_sub(present), start.min(self.gone));
        let mut from_gone = low
            + search(high - low, |ix| {
                let ix = low + ix;
                key(gone_at(ix)) < key(present_at(start - ix - 1))
            });
        let mut from_present = start - from_gone;
        let next_gone = (from_gone..self.gone).take(range.len()).map(gone_at);
        self.look_ahead(&next_gone.collect::<Vec<u32>>());
        for _ in range {
            let gone = (from_gone < self.gone).then(|| gone_at(from_gone));
            let in_now = (from_present < present).then(|| present_at(from_present));
            match (gone, in_now) {
                (Some(gone), in_now) if in_now.is_none_or(|in_now| key(gone) < key(in_now)) => {
                    out.push(gone);
                    from_gone += 1;
                }
                (_, Some(in_now)) => {
                    out.push(in_now);
                    from_present += 1;
                }
                _ => return,
            }
        }
    }

    /// Looks at rows that will be read and lie far apart: so the waits for memory pass together, not one after the other.
    pub(crate) fn look_ahead(&self, rows: &[u32]) {
        /// What memory is fetched by.
        const LINE: usize = 64;
        let of_row = |row: &[u8]| row.first().copied().unwrap_or_default() ^ row.get(LINE).copied().unwrap_or_default();
        let reader = self.reader();
        std::hint::black_box(rows.iter().fold(0, |seen, ix| seen ^ of_row(reader.bytes(*ix))));
    }

    /// The number at a place of the orders, which lie one after the other.
    #[inline]
    fn place(&self, ix: u32) -> u32 {
        get(self.section(ORDERS), ix as usize, self.place_bits) as u32
    }
}

/// A roster's sections, cut out of its bytes once for many rows.
#[derive(Clone, Copy)]
pub(super) struct Reader<'a> {
    form: &'a Form,
    tables: Tables<'a>,
    starts: Starts,
    all_starts: &'a [u8],
    rows: &'a [u8],
    len: u32,
}

impl<'a> Reader<'a> {
    #[inline]
    pub(super) fn row(&self, ix: u32) -> RowView<'a> {
        RowView::packed(self.form, self.tables, self.bytes(ix))
    }

    /// The bytes of a row, and of all that follow.
    #[inline]
    fn bytes(&self, ix: u32) -> &'a [u8] {
        let start = self.starts.get(self.all_starts, ix);
        self.rows.get(start..).filter(|_| ix < self.len).unwrap_or_default()
    }
}

/// The first place below `len` for which `before` is false; `len` where there is none.
fn search(len: u32, before: impl Fn(u32) -> bool) -> u32 {
    let (mut low, mut high) = (0, len);
    while low < high {
        let middle = low + (high - low) / 2;
        if before(middle) { low = middle + 1 } else { high = middle }
    }
    low
}
