//! Looking up in an index. See [`build`](super::build) for its bytes.

use super::super::packed::{get, mask, word};
use super::bits::Bits;
use super::build::{GRAM, HEADER, WORD, place_bits, width};
use super::postings;
use super::words::{Gram, NONE, beginning, grams, is_within, words};
use std::borrow::Cow;
use std::ops::Range;

/// Looking at a row costs about as much as reading so many entries of a list.
const LOOK: u64 = 8;

/// An index over its bytes.
#[derive(Clone, Copy, Debug)]
pub(in crate::roster) struct Index<'a> {
    rows: u32,
    /// Bytes of how long a list is, and of where it begins.
    widths: (usize, usize),
    words: &'a [u8],
    texts: &'a [u8],
    grams: &'a [u8],
    custom: &'a [u8],
    customs: u32,
    lists: &'a [u8],
}

/// A list of rows.
#[derive(Clone, Copy, Debug)]
struct List {
    count: u32,
    at: u32,
}

/// Where a part of a needle lies, where it is cut into words: of those that it lies in, a name has a word each.
#[derive(Clone, Copy)]
enum Part {
    /// The whole needle: within a word.
    Only,
    /// The end of a word.
    First,
    /// A word.
    Middle,
    /// The beginning of a word.
    Last,
}

impl Part {
    fn of(ix: usize, count: usize) -> Self {
        match ix {
            _ if count == 1 => Self::Only,
            0 => Self::First,
            _ if ix + 1 == count => Self::Last,
            _ => Self::Middle,
        }
    }

    fn fits(self, piece: &[u8], word: &[u8]) -> bool {
        match self {
            Self::Only => is_within(piece, word),
            Self::First => word.ends_with(piece),
            Self::Middle => word == piece,
            Self::Last => word.starts_with(piece),
        }
    }
}

impl<'a> Index<'a> {
    /// Takes bytes that were written for so many rows; none where they are cut short, or there is no index.
    pub(in crate::roster) fn new(bytes: &'a [u8], rows: u32) -> Option<Self> {
        let number = |ix: usize| u32_at(bytes, ix * 4).map(|number| number as usize);
        let (words, texts, grams, customs, lists) = (number(0)?, number(1)?, number(2)?, number(3)?, number(4)?);
        let widths = (width(rows), width(u32_at(bytes, 16)?));
        let entry = widths.0 + widths.1;
        let mut rest = bytes.get(HEADER..)?;
        let mut take = |length: usize| {
            let (taken, after) = rest.split_at_checked(length)?;
            rest = after;
            Some(taken)
        };
        let (words, texts) = (take(words.checked_mul(WORD + entry)?)?, take(texts)?);
        let grams = take(grams.checked_mul(GRAM + entry)?)?;
        let custom = take(customs.checked_mul(place_bits(rows) as usize)?.div_ceil(8))?;
        let customs = u32::try_from(customs).ok()?;
        Some(Self { rows, widths, words, texts, grams, custom, customs, lists: rest.get(..lists)? })
    }

    /// Adds the rows in whose folded name the folded needle is found. `holds` looks at a row where the index can't tell.
    pub(super) fn by_name(&self, needle: &[u8], holds: impl Fn(u32) -> bool, found: &mut Bits) {
        let pieces: Vec<&[u8]> = words(needle).collect();
        let [only] = pieces[..] else { return self.by_words(&pieces, holds, found) };
        self.common(only, Part::Only).for_each(|list| self.add(list, found));
        let rest = self.rest(only, Part::Only);
        if only.len() <= 3 {
            rest.iter().for_each(|row| found.insert(row));
        } else {
            rest.iter()
                .filter(|row| !found.contains(*row) && holds(*row))
                .collect::<Vec<u32>>()
                .into_iter()
                .for_each(|row| found.insert(row));
        }
    }

    /// A needle of several words: the rows that have each of them, of which some may have them in another order.
    fn by_words(&self, pieces: &[&[u8]], holds: impl Fn(u32) -> bool, found: &mut Bits) {
        let part = |ix: usize| Part::of(ix, pieces.len());
        let lists = |ix: usize| self.common(pieces[ix], part(ix));
        let at_most = |ix: usize| lists(ix).map(|list| u64::from(list.count)).sum::<u64>() + self.rest_at_most(pieces[ix], part(ix));
        let mut by_number: Vec<(u64, usize)> = (0..pieces.len()).map(|ix| (at_most(ix), ix)).collect();
        by_number.sort_unstable();
        let mut candidates = Bits::new(self.rows);
        candidates.fill();
        for (at_most, ix) in by_number {
            if u64::from(candidates.count()) * LOOK <= at_most {
                break;
            }
            let mut of_piece = self.rest(pieces[ix], part(ix));
            lists(ix).for_each(|list| self.add(list, &mut of_piece));
            candidates.intersect(&of_piece);
        }
        candidates.iter().filter(|row| holds(*row)).for_each(|row| found.insert(row));
    }

    /// The places of the custom ids that begin with a text; `id` tells the one of a row.
    pub(super) fn by_custom_id(&self, begins: &str, id: impl Fn(u32) -> Option<Cow<'a, str>>) -> impl Iterator<Item = u32> {
        let count = self.customs;
        let id_at = |place: u32| id(self.custom_at(place)).unwrap_or_default();
        let from = first(0..count, |place| *id_at(place) < *begins);
        let to = first(from..count, |place| id_at(place).starts_with(begins));
        (from..to).map(|place| self.custom_at(place))
    }

    fn custom_at(&self, place: u32) -> u32 {
        get(self.custom, place as usize, place_bits(self.rows)) as u32
    }

    /// The lists of the common words that a piece fits.
    fn common(&self, piece: &[u8], part: Part) -> impl Iterator<Item = List> {
        let mut from = 0;
        self.words.chunks_exact(self.entry(WORD)).filter_map(move |entry| {
            let to = u32_at(entry, 0)? as usize;
            let word = self.texts.get(from..to)?;
            from = to;
            if part.fits(piece, word) { Some(self.list_of(entry, WORD)) } else { None }
        })
    }

    /// The rows with other words that may hold a piece; where that is a whole needle of no more than three bytes, those that do.
    fn rest(&self, piece: &[u8], part: Part) -> Bits {
        let mut rows = Bits::new(self.rows);
        if piece.len() < 3 {
            self.of_short(piece, part).for_each(|list| self.add(list, &mut rows));
            return rows;
        }
        let Some(mut lists) = grams(piece).map(|gram| self.gram(gram)).collect::<Option<Vec<List>>>() else { return rows };
        lists.sort_unstable_by_key(|list| list.count);
        let Some((rarest, lists)) = lists.split_first() else { return rows };
        self.add(*rarest, &mut rows);
        for list in lists {
            if u64::from(rows.count()) * LOOK <= u64::from(list.count) {
                break;
            }
            let mut with = Bits::new(self.rows);
            self.add(*list, &mut with);
            rows.intersect(&with);
        }
        rows
    }

    /// No less than how many rows [`Index::rest`] has.
    fn rest_at_most(&self, piece: &[u8], part: Part) -> u64 {
        let count = |list: List| u64::from(list.count);
        if piece.len() < 3 {
            return self.of_short(piece, part).map(count).sum();
        }
        grams(piece).map(|gram| self.gram(gram).map_or(0, count)).min().unwrap_or(0)
    }

    /// The lists for a piece of one or two bytes: of the words that begin as it does, where it begins one; else of the grams that hold it.
    fn of_short(&self, piece: &[u8], part: Part) -> impl Iterator<Item = List> {
        let begins = matches!(part, Part::Middle | Part::Last);
        let lists = begins.then(|| self.gram(beginning(piece))).into_iter().flatten();
        lists.chain((!begins).then(|| self.with_gram_of(piece)).into_iter().flatten())
    }

    /// The lists of the grams that hold one or two bytes.
    fn with_gram_of(&self, piece: &[u8]) -> impl Iterator<Item = List> {
        let of_piece = move |entry: &&[u8]| is_within(piece, &entry[..GRAM]);
        let is_gram = |entry: &&[u8]| entry.first() != Some(&NONE);
        self.grams.chunks_exact(self.entry(GRAM)).take_while(is_gram).filter(of_piece).map(|entry| self.list_of(entry, GRAM))
    }

    fn gram(&self, gram: Gram) -> Option<List> {
        let size = self.entry(GRAM);
        let entry = |ix: u32| self.grams.get(ix as usize * size..(ix as usize + 1) * size).unwrap_or_default();
        let count = u32::try_from(self.grams.len() / size).unwrap_or(u32::MAX);
        let at = first(0..count, |ix| entry(ix).get(..GRAM) < Some(&gram[..]));
        let found = entry(at);
        found.starts_with(&gram).then(|| self.list_of(found, GRAM))
    }

    /// Bytes of an entry that begins with so many.
    fn entry(&self, name: usize) -> usize {
        name + self.widths.0 + self.widths.1
    }

    fn list_of(&self, entry: &[u8], name: usize) -> List {
        let number = |at: usize, width: usize| (word(entry, at) & mask(width as u32 * 8)) as u32;
        List { count: number(name, self.widths.0), at: number(name + self.widths.0, self.widths.1) }
    }

    fn add(&self, list: List, rows: &mut Bits) {
        postings::add(self.lists.get(list.at as usize..).unwrap_or_default(), list.count, self.rows, rows);
    }
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..at + 4)?.try_into().map(u32::from_le_bytes).ok()
}

/// The first number of a range for which `before` is false; its end where there is none.
fn first(range: Range<u32>, before: impl Fn(u32) -> bool) -> u32 {
    let Range { start: mut low, end: mut high } = range;
    while low < high {
        let middle = low + (high - low) / 2;
        if before(middle) { low = middle + 1 } else { high = middle }
    }
    low
}
