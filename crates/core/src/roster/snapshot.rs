//! A roster as immutable bytes: rows of a fixed size in joined order, permutations for the other orders, strings and details in a heap.
//!
//! The same bytes serve from memory and from a mapped file. All numbers are little-endian.
//!
//! ```text
//! header    magic, rows, gone, heap offset, the tag's place, where the heap ends, validity, where all ends
//! records   RECORD bytes a row, by (joined_at, id, session)
//! gone      u32 a row that is gone, by (length, id, session)
//! present   u32 a row that is in, by its length at any one time, then (id, session)
//! by id     u32 a row, by (id, session)
//! heap      strings, details, the caller's tag
//! index     for searches, of rosters that are large and steady
//! ```

use super::row::{Details, Fields, Length, Row};
use super::search::{Index, Texts, build};
use crate::fold::Validity;
use crate::time::Timestamp;
use std::cmp::Reverse;
use std::ops::Range;
use uuid::Uuid;

/// Names the format and its version. A file of another one is rebuilt, not read.
const MAGIC: [u8; 8] = *b"rbseg\0\0\x02";
const HEADER: usize = 80;
pub(super) const RECORD: usize = 96;
/// The text fields of a row, in the order in which the heap has them.
const TEXTS: usize = 4;
/// Fewer rows are all looked at by a search, in some tenths of a millisecond, and have no index.
const INDEXED: usize = 4_096;
/// In place of a string's length: there is none.
const NO_TEXT: u32 = u32::MAX;

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
    let indices = || 0..u32::try_from(rows.len()).unwrap_or(u32::MAX);
    let row = |ix: &u32| &rows[*ix as usize];
    let mut gone: Vec<u32> = indices().filter(|ix| row(ix).left_at.is_some()).collect();
    gone.sort_unstable_by_key(|ix| (duration_key(row(ix).length), row(ix).id, row(ix).session));
    let mut present: Vec<u32> = indices().filter(|ix| row(ix).left_at.is_none()).collect();
    present.sort_unstable_by_key(|ix| (duration_key(row(ix).length), row(ix).id, row(ix).session));
    let mut by_id: Vec<u32> = indices().collect();
    by_id.sort_unstable_by_key(|ix| (row(ix).id, row(ix).session));

    let mut heap = Vec::new();
    let mut records = Vec::with_capacity(rows.len() * RECORD);
    for row in &rows {
        let fields = row.fields();
        put_record(&fields, heap.len() as u64, &mut records);
        fields.put_texts(&mut heap);
        put_details(&row.details, &mut heap);
    }
    let tag_at = heap.len() as u64;
    heap.extend_from_slice(tag);
    // A roster that someone is in is soon made anew.
    let index = if rows.len() >= indexed && present.is_empty() { index(&rows) } else { Vec::new() };

    let mut out = Vec::with_capacity(HEADER + records.len() + rows.len() * 8 + heap.len() + index.len());
    out.extend_from_slice(&MAGIC);
    let heap_at = (HEADER + records.len() + rows.len() * 8) as u64;
    for number in [rows.len() as u64, gone.len() as u64, heap_at, heap_at + tag_at, tag.len() as u64, heap_at + heap.len() as u64] {
        out.extend_from_slice(&number.to_le_bytes());
    }
    out.extend_from_slice(&validity.relied_on.micros().to_le_bytes());
    out.extend_from_slice(&validity.until.micros().to_le_bytes());
    out.extend_from_slice(&(heap_at + (heap.len() + index.len()) as u64).to_le_bytes());
    out.extend_from_slice(&records);
    out.extend(gone.into_iter().chain(present).chain(by_id).flat_map(u32::to_le_bytes));
    out.extend_from_slice(&heap);
    out.extend_from_slice(&index);
    out
}

fn index(rows: &[Row]) -> Vec<u8> {
    build(u32::try_from(rows.len()).unwrap_or(u32::MAX), |ix| {
        let row = &rows[ix as usize];
        Texts { name: row.display_name.as_deref(), custom_id: row.custom_participant_id.as_deref() }
    })
}

/// Orders by length: of those who are in, whoever has been in longest comes last at any `now`.
fn duration_key(length: Length) -> Result<i64, Reverse<Timestamp>> {
    match length {
        Length::Gone(length) => Ok(length),
        Length::In(since) => Err(Reverse(since)),
    }
}

/// Writes a row's record; its texts, then its details, are to follow in the heap.
pub(super) fn put_record(row: &Fields<'_>, heap_at: u64, out: &mut Vec<u8>) {
    let length = match row.length {
        Length::Gone(length) => length,
        Length::In(since) => since.micros(),
    };
    out.extend_from_slice(row.id.as_bytes());
    out.extend_from_slice(row.session.as_bytes());
    let left = row.left_at.map_or(i64::MIN, Timestamp::micros);
    for number in [row.joined_at.micros(), left, length, row.created_at.micros(), row.updated_at.micros()] {
        out.extend_from_slice(&number.to_le_bytes());
    }
    out.extend_from_slice(&heap_at.to_le_bytes());
    out.resize(out.len().next_multiple_of(RECORD), 0);
}

impl Fields<'_> {
    pub(super) fn put_texts(&self, heap: &mut Vec<u8>) {
        for text in self.texts {
            let length = text.map_or(NO_TEXT, |text| u32::try_from(text.len()).unwrap_or(0));
            heap.extend_from_slice(&length.to_le_bytes());
        }
        for text in self.texts.into_iter().flatten() {
            heap.extend_from_slice(text.as_bytes());
        }
    }
}

pub(super) fn put_details(details: &Details, heap: &mut Vec<u8>) {
    // Plain data into memory: there is nothing to fail.
    heap.extend(postcard::to_stdvec(details).unwrap_or_default());
}

impl<B: Default> Snapshot<B> {
    /// A roster of no rows, which holds at every `now`.
    #[must_use]
    pub fn empty() -> Self {
        Self { bytes: B::default(), rows: 0, gone: 0, validity: Validity::default() }
    }
}

impl<B: AsRef<[u8]>> Snapshot<B> {
    /// Takes bytes that [`encode`] made.
    ///
    /// # Errors
    /// Where they are of another version, or cut short.
    pub fn new(bytes: B) -> Result<Self, SnapshotError> {
        let header = bytes.as_ref().get(..HEADER).ok_or(SnapshotError::Short)?;
        if header[..8] != MAGIC {
            return Err(SnapshotError::Format);
        }
        let number = |ix: usize| u64_at(header, 8 + ix * 8);
        let (rows, gone, heap_at, heap_end, end) = (number(0), number(1), number(2), number(5), number(8));
        let expected = (HEADER as u64).checked_add(rows.saturating_mul(RECORD as u64 + 8));
        let (Ok(rows), Ok(gone)) = (u32::try_from(rows), u32::try_from(gone)) else { return Err(SnapshotError::Format) };
        if expected != Some(heap_at) || gone > rows || heap_end > end || end != bytes.as_ref().len() as u64 {
            return Err(SnapshotError::Short);
        }
        let time = |at| Timestamp::from_micros(i64_at(header, at));
        let validity = Validity { relied_on: time(56), until: time(64) };
        Ok(Self { bytes, rows, gone, validity })
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
        let bytes = self.bytes.as_ref();
        let at = |ix: usize| usize::try_from(u64_at(bytes, 8 + ix * 8)).unwrap_or(usize::MAX);
        at(3).checked_add(at(4)).and_then(|end| bytes.get(at(3)..end)).unwrap_or_default()
    }

    /// The row at a place of the joined order; of a place past the end, an empty one.
    #[must_use]
    pub fn row(&self, ix: u32) -> RowView<'_> {
        let at = HEADER + ix as usize * RECORD;
        let record = self.bytes.as_ref().get(at..at + RECORD).unwrap_or(&[0; RECORD]);
        let heap = usize::try_from(u64_at(self.bytes.as_ref(), 24)).ok().and_then(|at| self.bytes.as_ref().get(at..));
        RowView::new(record, heap.unwrap_or_default())
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
        self.place(self.rows + place)
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
        self.size() - usize::try_from(u64_at(self.bytes.as_ref(), 48)).unwrap_or_default().min(self.size())
    }

    /// What searches look up in, if there is one.
    pub(super) fn index(&self) -> Option<Index<'_>> {
        let at = usize::try_from(u64_at(self.bytes.as_ref(), 48)).ok()?;
        Index::new(self.bytes.as_ref().get(at..)?, self.rows)
    }

    /// Appends the places of the rows in a range of the order by length at `now`, ascending.
    pub(crate) fn by_length(&self, range: Range<u32>, now: Timestamp, out: &mut Vec<u32>) {
        let present = self.rows - self.gone;
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
        let lengths = rows.iter().map(|ix| self.row(*ix).heap.first().copied().unwrap_or_default());
        std::hint::black_box(lengths.fold(0, u8::wrapping_add));
    }

    /// The number at a place of the three permutations, which lie one after the other.
    fn place(&self, ix: u32) -> u32 {
        let at = HEADER + self.rows as usize * RECORD + ix as usize * 4;
        let bytes = self.bytes.as_ref().get(at..at + 4).and_then(|b| b.try_into().ok());
        bytes.map_or(0, u32::from_le_bytes)
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

/// A row within a roster's bytes.
#[derive(Clone, Copy, Debug)]
pub struct RowView<'a> {
    record: &'a [u8],
    heap: &'a [u8],
}

impl<'a> RowView<'a> {
    pub(super) fn new(record: &'a [u8], heap: &'a [u8]) -> Self {
        let heap = usize::try_from(u64_at(record, 72)).ok().and_then(|at| heap.get(at..)).unwrap_or_default();
        Self { record, heap }
    }

    /// The peer's id.
    #[must_use]
    pub fn id(&self) -> Uuid {
        uuid_at(self.record, 0)
    }

    /// The session of that peer.
    #[must_use]
    pub fn session(&self) -> Uuid {
        uuid_at(self.record, 16)
    }

    /// The start of the first stay.
    #[must_use]
    pub fn joined_at(&self) -> Timestamp {
        Timestamp::from_micros(i64_at(self.record, 32))
    }

    /// The end of the last stay; none while in.
    #[must_use]
    pub fn left_at(&self) -> Option<Timestamp> {
        Some(i64_at(self.record, 40)).filter(|&at| at != i64::MIN).map(Timestamp::from_micros)
    }

    /// How long in all.
    #[must_use]
    pub fn length(&self) -> Length {
        let number = i64_at(self.record, 48);
        if self.left_at().is_some() { Length::Gone(number) } else { Length::In(Timestamp::from_micros(number)) }
    }

    /// The time of the first event.
    #[must_use]
    pub fn created_at(&self) -> Timestamp {
        Timestamp::from_micros(i64_at(self.record, 56))
    }

    /// The time of the last event.
    #[must_use]
    pub fn updated_at(&self) -> Timestamp {
        Timestamp::from_micros(i64_at(self.record, 64))
    }

    /// The person's permanent id.
    #[must_use]
    pub fn user_id(&self) -> Option<&'a str> {
        self.text(0)
    }

    /// The id that the product gave the person.
    #[must_use]
    pub fn custom_participant_id(&self) -> Option<&'a str> {
        self.text(1)
    }

    /// The name shown in the call.
    #[must_use]
    pub fn display_name(&self) -> Option<&'a str> {
        self.text(2)
    }

    /// The preset that the peer came with.
    #[must_use]
    pub fn preset_name(&self) -> Option<&'a str> {
        self.text(3)
    }

    /// What is shown on demand.
    #[must_use]
    pub fn details(&self) -> Details {
        let rest = self.heap.get(self.start_of(TEXTS)..).unwrap_or_default();
        postcard::take_from_bytes(rest).map_or_else(|_| Details::default(), |(details, _)| details)
    }

    fn text(&self, ix: usize) -> Option<&'a str> {
        let length = self.length_of(ix)?;
        let start = self.start_of(ix);
        std::str::from_utf8(self.heap.get(start..start + length)?).ok()
    }

    fn length_of(&self, ix: usize) -> Option<usize> {
        let length = u32::from_le_bytes(self.heap.get(ix * 4..ix * 4 + 4)?.try_into().ok()?);
        (length != NO_TEXT).then_some(length as usize)
    }

    fn start_of(&self, ix: usize) -> usize {
        TEXTS * 4 + (0..ix).filter_map(|before| self.length_of(before)).sum::<usize>()
    }
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    bytes.get(at..at + 8).and_then(|b| b.try_into().ok()).map_or(0, u64::from_le_bytes)
}

fn i64_at(bytes: &[u8], at: usize) -> i64 {
    bytes.get(at..at + 8).and_then(|b| b.try_into().ok()).map_or(0, i64::from_le_bytes)
}

fn uuid_at(bytes: &[u8], at: usize) -> Uuid {
    bytes.get(at..at + 16).and_then(|b| b.try_into().ok()).map_or(Uuid::nil(), Uuid::from_bytes)
}
