//! Writing an index.
//!
//! All numbers are little-endian. Lists are those of [`postings`], one after the other; where one begins is told from their start on.
//!
//! ```text
//! header     words, the bytes of their texts, grams, rows with a custom id, the bytes of the lists: u32 each
//! words      where the text ends: u32; how many rows, where the list begins; words that many names have, in order
//! texts      of the words
//! grams      three bytes; how many rows, where the list begins; in order, of all other words, and behind them how these words begin
//! custom     rows by custom id, as few bits each as the last row takes
//! lists
//! ```
//!
//! How many rows there are takes as few bytes as all rows need, and where a list begins as few as the lists do.

use super::super::packed::{bits_for, put};
use super::words::{Gram, beginning, grams, words};
use super::{fold_into, postings};
use std::collections::HashMap;
use std::hash::{BuildHasherDefault, DefaultHasher};

/// How many names are looked at for words that many have.
const SAMPLE: u32 = 16_384;
/// A word that this part of the names looked at has gets a list of its own: one in so many, and no less than so many.
const COMMON: (u32, u32) = (2_048, 8);

pub(super) const HEADER: usize = 20;
/// Bytes of what an entry begins with.
pub(super) const WORD: usize = 4;
pub(super) const GRAM: usize = 3;

/// Rows by what their names have.
type Lists<K> = HashMap<K, Vec<u32>, BuildHasherDefault<DefaultHasher>>;

/// What a search looks at in a row, beside its id.
pub(in crate::roster) struct Texts<'a> {
    pub(in crate::roster) name: Option<&'a str>,
    pub(in crate::roster) custom_id: Option<&'a str>,
}

/// An index of rows; no bytes where it would grow past what its numbers can say.
pub(in crate::roster) fn build<'a>(rows: u32, texts: impl Fn(u32) -> Texts<'a>) -> Vec<u8> {
    let mut common = common(rows, &texts);
    let mut rest: Lists<Gram> = Lists::default();
    let mut folded = Vec::new();
    for row in 0..rows {
        fold_into(texts(row).name.unwrap_or_default(), &mut folded);
        for word in words(&folded) {
            match common.get_mut(word) {
                Some(list) => add(row, list),
                None => grams(word).chain([beginning(word)]).for_each(|gram| add(row, rest.entry(gram).or_default())),
            }
        }
    }
    write(rows, &in_order(common), &in_order(rest), &by_custom_id(rows, &texts)).unwrap_or_default()
}

fn in_order<K: Ord>(lists: Lists<K>) -> Vec<(K, Vec<u32>)> {
    let mut all: Vec<(K, Vec<u32>)> = lists.into_iter().collect();
    all.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
    all
}

fn add(row: u32, list: &mut Vec<u32>) {
    if list.last() != Some(&row) {
        list.push(row);
    }
}

/// The words that many names have, with no rows as yet. It is enough to look at some names: a word that is missed is found by its grams.
fn common<'a>(rows: u32, texts: &impl Fn(u32) -> Texts<'a>) -> Lists<Vec<u8>> {
    let every = rows.div_ceil(SAMPLE).max(1);
    let mut seen: Lists<Vec<u8>> = Lists::default();
    let mut folded = Vec::new();
    for row in (0..rows).step_by(every as usize) {
        fold_into(texts(row).name.unwrap_or_default(), &mut folded);
        for word in words(&folded) {
            match seen.get_mut(word) {
                Some(list) => add(row, list),
                None => drop(seen.insert(word.to_vec(), vec![row])),
            }
        }
    }
    let enough = (rows / every / COMMON.0).max(COMMON.1) as usize;
    seen.into_iter().filter(|(_, list)| list.len() >= enough).map(|(word, _)| (word, Vec::new())).collect()
}

/// The rows that have a custom id, by it.
fn by_custom_id<'a>(rows: u32, texts: &impl Fn(u32) -> Texts<'a>) -> Vec<u32> {
    // Most are told apart by their first bytes, without a look at the texts.
    let first = |id: &str| {
        let mut first = [0; 16];
        let length = id.len().min(16);
        first[..length].copy_from_slice(&id.as_bytes()[..length]);
        u128::from_be_bytes(first)
    };
    let mut sorted: Vec<(u128, u32)> = (0..rows).filter_map(|row| Some((first(texts(row).custom_id?), row))).collect();
    sorted.sort_unstable_by(|(a, row), (b, other)| {
        a.cmp(b).then_with(|| texts(*row).custom_id.cmp(&texts(*other).custom_id)).then(row.cmp(other))
    });
    sorted.into_iter().map(|(_, row)| row).collect()
}

fn write(rows: u32, common: &[(Vec<u8>, Vec<u32>)], rest: &[(Gram, Vec<u32>)], custom: &[u32]) -> Option<Vec<u8>> {
    let mut lists = Vec::new();
    let number = |number: usize| u32::try_from(number).ok();
    let mut place = |list: &Vec<u32>| {
        let entry = (number(list.len())?, number(lists.len())?);
        postings::put(list, rows, &mut lists);
        Some(entry)
    };
    let of_words = common.iter().map(|(_, list)| place(list)).collect::<Option<Vec<_>>>()?;
    let of_grams = rest.iter().map(|(_, list)| place(list)).collect::<Option<Vec<_>>>()?;
    let texts = common.iter().map(|(word, _)| word.len()).sum();
    let mut out = Vec::new();
    for header in [common.len(), texts, rest.len(), custom.len(), lists.len()] {
        out.extend_from_slice(&number(header)?.to_le_bytes());
    }
    let (of_count, of_place) = (width(rows), width(number(lists.len())?));
    let put_entry = |name: &[u8], (count, place): (u32, u32), out: &mut Vec<u8>| {
        out.extend_from_slice(name);
        out.extend_from_slice(&count.to_le_bytes()[..of_count]);
        out.extend_from_slice(&place.to_le_bytes()[..of_place]);
    };
    let mut end = 0;
    for ((word, _), entry) in common.iter().zip(of_words) {
        end += word.len();
        put_entry(&number(end)?.to_le_bytes(), entry, &mut out);
    }
    out.extend(common.iter().flat_map(|(word, _)| word));
    rest.iter().zip(of_grams).for_each(|((gram, _), entry)| put_entry(gram, entry, &mut out));
    put(custom.iter().map(|row| u64::from(*row)), place_bits(rows), &mut out);
    out.append(&mut lists);
    Some(out)
}

/// How many bytes all numbers up to this one fit in.
pub(super) fn width(most: u32) -> usize {
    bits_for(most.into()).div_ceil(8) as usize
}

/// How many bits the number of a row takes.
pub(super) fn place_bits(rows: u32) -> u32 {
    bits_for(rows.saturating_sub(1).into())
}
