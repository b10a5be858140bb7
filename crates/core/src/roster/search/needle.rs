//! What a search looks for in names, made ready for many of them.

use super::super::packed::{mask, word};
use super::words::is_within;
use super::{fold_case, fold_into};

/// Names of so many bytes and fewer are folded where they are looked at.
const SHORT: usize = 56;
/// Their bytes, and as many as a look at the last of them shows.
type Short = [u8; SHORT + 8];

/// A folded text.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Needle {
    folded: Box<str>,
    /// Its first eight bytes, if it has as many, and which of eight that are.
    first: u64,
    of_first: u64,
}

impl Needle {
    pub(super) fn new(text: &str) -> Self {
        let folded = fold_case(text);
        let (first, of_first) = (word(folded.as_bytes(), 0), mask(folded.len().min(8) as u32 * 8));
        Self { folded: folded.into(), first, of_first }
    }

    pub(super) fn folded(&self) -> &[u8] {
        self.folded.as_bytes()
    }

    /// Whether it is part of a name in UTF-8, once that is folded.
    pub(super) fn is_in(&self, name: &[u8]) -> bool {
        let mut short = [0; SHORT + 8];
        if fold_short(name, &mut short).is_some() {
            return self.is_in_short(&short, name.len());
        }
        let mut folded = Vec::with_capacity(name.len() + 8);
        fold_into(std::str::from_utf8(name).unwrap_or_default(), &mut folded);
        is_within(self.folded(), &folded)
    }

    fn is_in_short(&self, name: &Short, length: usize) -> bool {
        let needle = self.folded();
        let Some(last) = length.checked_sub(needle.len()) else { return false };
        let begins = |eight: &[u8]| word(eight, 0) & self.of_first == self.first;
        let places = name.windows(8).take(last + 1).enumerate();
        places.filter(|(_, eight)| begins(eight)).any(|(at, _)| needle.len() <= 8 || name[at..].starts_with(needle))
    }
}

/// Folds a short name of signs that are folded by one bit or not at all: those of ASCII, and the letters of Western Europe without ß.
#[inline]
fn fold_short(name: &[u8], folded: &mut Short) -> Option<()> {
    /// What these letters begin with, in UTF-8.
    const LETTER: u8 = 0xc3;
    folded[..SHORT].get_mut(..name.len())?.copy_from_slice(name);
    let mut all = 0;
    for byte in folded.iter_mut() {
        all |= *byte;
        *byte = byte.to_ascii_lowercase();
    }
    if all < 0x80 {
        return Some(());
    }
    let mut at = 0;
    while at < name.len() {
        match (folded[at], folded[at + 1]) {
            (..0x80, _) => at += 1,
            (LETTER, capital @ (0x80..=0x96 | 0x98..=0x9e)) => {
                folded[at + 1] = capital | 0x20;
                at += 2;
            }
            (LETTER, 0x97 | 0xa0..=0xbf) => at += 2,
            _ => return None,
        }
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn it_is_in_what_has_it_once_folded(
            name in prop_oneof!["[ -~]{0,70}", "[a-cA-C]{0,20}", "[À-ÿa-c]{0,40}", "[sſßẞKkİiı]{0,9}", ".{0,70}"],
            other in prop_oneof!["[a-cA-C]{0,3}", "[À-ÿ]{1,2}", "[sS]{0,3}", ".{0,10}"],
            cut in any::<(prop::sample::Index, prop::sample::Index, bool)>(),
        ) {
            let chars: Vec<char> = name.chars().collect();
            let from = cut.0.index(chars.len() + 1);
            let part: String = chars[from..].iter().take(cut.1.index(14)).collect();
            for needle in [other, part.clone(), part.to_uppercase()] {
                prop_assert_eq!(Needle::new(&needle).is_in(name.as_bytes()), fold_case(&name).contains(&fold_case(&needle)), "{:?}", needle);
            }
        }
    }

    #[test]
    fn all_letters_that_are_folded_by_one_bit() {
        for letter in (0..0x250).filter_map(char::from_u32) {
            let name = letter.to_string();
            let mut folded = [0; SHORT + 8];
            if fold_short(name.as_bytes(), &mut folded).is_some() {
                assert_eq!(&folded[..name.len()], fold_case(&name).as_bytes(), "{letter}");
            }
        }
        let is_short = |name: &str| fold_short(name.as_bytes(), &mut [0; SHORT + 8]).is_some();
        assert!(is_short("Ångström É × ÷ ÿ") && is_short(&"é".repeat(28)));
        assert!(!is_short("ß") && !is_short("ſ") && !is_short(&"a".repeat(57)));
    }
}
