//! How a text is cut: into words, and words into grams.

/// In place of what a short word lacks; no UTF-8 text has this byte.
pub(super) const NONE: u8 = 0xff;

/// Three bytes that follow each other in a word; of a shorter word, all of it.
pub(super) type Gram = [u8; 3];

#[derive(Clone, Copy, PartialEq, Eq)]
enum Class {
    Letter,
    Digit,
    Other,
}

impl Class {
    fn of(byte: u8) -> Self {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | 0x80.. => Self::Letter,
            b'0'..=b'9' => Self::Digit,
            _ => Self::Other,
        }
    }
}

/// The words of a text: it is cut wherever a letter, a digit or another sign is followed by one of another kind, and nothing is left out.
///
/// Whether it is cut between two bytes depends on these two alone. So a text within another is cut at the same places; of its words, those
/// in the middle are words of the other, the first ends one, and the last begins one.
pub(super) fn words(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.chunk_by(|a, b| Class::of(*a) == Class::of(*b))
}

/// The grams of a word, or of a part of one that has at least three bytes.
pub(super) fn grams(word: &[u8]) -> impl Iterator<Item = Gram> {
    let short = match *word {
        [a] => Some([a, NONE, NONE]),
        [a, b] => Some([a, b, NONE]),
        _ => None,
    };
    short.into_iter().chain(word.windows(3).map(|gram| [gram[0], gram[1], gram[2]]))
}

/// What stands for how a word begins, beside its grams, and sorts behind them: the first byte alone, as a text may end with it.
pub(super) fn beginning(word: &[u8]) -> Gram {
    [NONE, word.first().copied().unwrap_or(NONE), NONE]
}

/// Whether a text is within another.
pub(super) fn is_within(part: &[u8], text: &[u8]) -> bool {
    part.is_empty() || text.windows(part.len()).any(|window| window == part)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(text: &str) -> Vec<&str> {
        words(text.as_bytes()).map(|word| std::str::from_utf8(word).unwrap()).collect()
    }

    #[test]
    fn texts_are_cut_between_kinds() {
        assert_eq!(cut("zoë rivera 777"), ["zoë", " ", "rivera", " ", "777"]);
        assert_eq!(cut("user42 (she/her)"), ["user", "42", " (", "she", "/", "her", ")"]);
        assert_eq!(cut("山田"), ["山田"]);
        assert!(cut("").is_empty());
    }

    #[test]
    fn words_have_grams_whatever_their_length() {
        let of = |word: &str| grams(word.as_bytes()).collect::<Vec<_>>();
        assert_eq!(of("abcd"), [*b"abc", *b"bcd"]);
        assert_eq!(of("ab"), [[b'a', b'b', NONE]]);
        assert_eq!(of("a"), [[b'a', NONE, NONE]]);
        assert_eq!(beginning(b"abcd"), [NONE, b'a', NONE]);
    }

    #[test]
    fn parts() {
        assert!(is_within(b"", b"") && is_within(b"b", b"abc") && is_within(b"abc", b"abc"));
        assert!(!is_within(b"ac", b"abc") && !is_within(b"abcd", b"abc") && !is_within(b"a", b""));
    }
}
