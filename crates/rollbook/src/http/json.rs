//! Answers written straight into one buffer: no tree of values, and nothing between a row's bytes and its JSON.

use rollbook_core::digits::{pair, put_hyphenated};
use rollbook_core::time::{MillisText, Timestamp};
use uuid::Uuid;

/// A JSON text in the making. The caller writes the punctuation, as literals that the compiler lays out for it.
#[derive(Default)]
pub(super) struct Json {
    text: Vec<u8>,
    times: MillisText,
}

impl Json {
    /// An empty text with room for this many bytes.
    pub(super) fn with_capacity(bytes: usize) -> Self {
        Self { text: Vec::with_capacity(bytes), ..Self::default() }
    }

    /// The text written so far.
    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.text
    }

    /// How many bytes are written: with [`Json::again`], a part can be repeated.
    pub(super) fn len(&self) -> usize {
        self.text.len()
    }

    /// Writes once more what was written from one place to another.
    pub(super) fn again(&mut self, from: usize, to: usize) -> &mut Self {
        self.text.extend_from_within(from..to);
        self
    }

    /// Writes JSON as it stands.
    #[inline]
    pub(super) fn raw(&mut self, json: &str) -> &mut Self {
        self.bytes(json.as_bytes())
    }

    /// Writes JSON as it stands, from bytes in UTF-8.
    #[inline]
    pub(super) fn bytes(&mut self, json: &[u8]) -> &mut Self {
        self.text.extend_from_slice(json);
        self
    }

    /// Writes JSON that the caller then changes where it differs from time to time.
    #[inline]
    pub(super) fn form<const LENGTH: usize>(&mut self, json: &[u8; LENGTH], change: impl FnOnce(&mut [u8; LENGTH])) -> &mut Self {
        self.text.extend_from_slice(json);
        if let Some(written) = self.text.last_chunk_mut() {
            change(written);
        }
        self
    }

    /// Writes a string.
    pub(super) fn text(&mut self, text: &str) -> &mut Self {
        self.escaped(text.as_bytes())
    }

    /// Writes a string, from bytes in UTF-8.
    pub(super) fn escaped(&mut self, bytes: &[u8]) -> &mut Self {
        self.text.push(b'"');
        let mut written = 0;
        // Whole runs are copied at once: names rarely hold anything to escape.
        for (at, byte) in bytes.iter().enumerate().filter(|(_, byte)| matches!(byte, 0..0x20 | b'"' | b'\\')) {
            self.text.extend_from_slice(&bytes[written..at]);
            self.escape(*byte);
            written = at + 1;
        }
        self.text.extend_from_slice(&bytes[written..]);
        self.text.push(b'"');
        self
    }

    fn escape(&mut self, byte: u8) {
        const HEX: &[u8; 16] = b"0123456789abcdef";
        match byte {
            b'"' | b'\\' => self.text.extend_from_slice(&[b'\\', byte]),
            b'\n' => self.text.extend_from_slice(b"\\n"),
            b'\r' => self.text.extend_from_slice(b"\\r"),
            b'\t' => self.text.extend_from_slice(b"\\t"),
            _ => {
                let (high, low) = (HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]);
                self.text.extend_from_slice(&[b'\\', b'u', b'0', b'0', high, low]);
            }
        }
    }

    /// Writes a string, or null.
    pub(super) fn maybe_text(&mut self, text: Option<&str>) -> &mut Self {
        match text {
            Some(text) => self.text(text),
            None => self.raw("null"),
        }
    }

    /// Writes an id.
    pub(super) fn id(&mut self, id: Uuid) -> &mut Self {
        self.form(&[b'"'; 38], |text| put_id(id, text, 1))
    }

    /// Writes an instant, cut to milliseconds.
    pub(super) fn time(&mut self, time: Timestamp) -> &mut Self {
        let millis = self.millis(time);
        self.form(&[b'"'; 26], |text| text[1..25].copy_from_slice(&millis))
    }

    /// The text of an instant, cut to milliseconds, for the caller to write.
    #[inline]
    pub(super) fn millis(&mut self, time: Timestamp) -> [u8; 24] {
        self.times.of(time)
    }

    /// Writes an instant, or null.
    pub(super) fn maybe_time(&mut self, time: Option<Timestamp>) -> &mut Self {
        match time {
            Some(time) => self.time(time),
            None => self.raw("null"),
        }
    }

    /// Writes a whole number.
    pub(super) fn number(&mut self, mut number: u64) -> &mut Self {
        let mut digits = [0; 20];
        let mut at = digits.len();
        while number >= 10 {
            at -= 2;
            digits[at..at + 2].copy_from_slice(&pair((number % 100) as u32));
            number /= 100;
        }
        if number > 0 || at == digits.len() {
            at -= 1;
            digits[at] = b'0' + number as u8;
        }
        self.bytes(&digits[at..])
    }

    /// Writes microseconds as minutes with four decimals, half away from zero; shown never below 0.
    ///
    /// Integers to the end: a float would round some of the exact halves the other way.
    pub(super) fn minutes(&mut self, micros: i64) -> &mut Self {
        const TEN_THOUSANDTH: u64 = 6_000;
        let micros = u64::try_from(micros).unwrap_or(0);
        let steps = (micros + TEN_THOUSANDTH / 2) / TEN_THOUSANDTH;
        match u32::try_from(steps) {
            Ok(steps @ ..100_000_000) => self.few_decimals(steps / 10_000, steps % 10_000),
            _ => self.number(steps / 10_000).decimals::<2>(steps % 10_000),
        }
    }

    /// Writes a whole number below 10,000 and four decimals.
    #[inline]
    fn few_decimals(&mut self, whole: u32, decimals: u32) -> &mut Self {
        let ([a, b], [c, d]) = (pair(whole / 100), pair(whole % 100));
        let ([e, f], [g, h]) = (pair(decimals / 100), pair(decimals % 100));
        let digits = [a, b, c, d, b'.', e, f, g, h];
        let from = 3 - usize::from(whole >= 10) - usize::from(whole >= 100) - usize::from(whole >= 1000);
        let to = match decimals {
            0 => 4,
            _ if h != b'0' => 9,
            _ if g != b'0' => 8,
            _ if f != b'0' => 7,
            _ => 6,
        };
        self.bytes(&digits[from..to])
    }

    /// Writes microseconds as seconds, exactly; shown never below 0.
    pub(super) fn seconds(&mut self, micros: i64) -> &mut Self {
        let micros = u64::try_from(micros).unwrap_or(0);
        self.number(micros / 1_000_000).decimals::<3>(micros % 1_000_000)
    }

    /// Writes what comes after the point, without trailing zeros: a number of two digits for each of its pairs.
    #[inline]
    fn decimals<const PAIRS: usize>(&mut self, mut number: u64) -> &mut Self {
        if number == 0 {
            return self;
        }
        let mut digits = [[0; 2]; PAIRS];
        for two in digits.iter_mut().rev() {
            *two = pair((number % 100) as u32);
            number /= 100;
        }
        let digits = digits.as_flattened();
        let shown = digits.iter().rposition(|digit| *digit != b'0').map_or(0, |last| last + 1);
        self.bytes(b".").bytes(&digits[..shown])
    }

    /// Writes an array.
    pub(super) fn list<T>(&mut self, items: impl IntoIterator<Item = T>, mut write: impl FnMut(&mut Self, T)) -> &mut Self {
        self.text.push(b'[');
        let mut is_first = true;
        // Not a loop: what is put together of several parts goes through each by itself.
        items.into_iter().for_each(|item| {
            if !std::mem::take(&mut is_first) {
                self.text.push(b',');
            }
            write(self, item);
        });
        self.text.push(b']');
        self
    }
}

/// Writes an id at a place within a text that has room for it.
#[inline]
pub(super) fn put_id(id: Uuid, text: &mut [u8], at: usize) {
    if let Some(room) = text.get_mut(at..).and_then(<[u8]>::first_chunk_mut) {
        put_hyphenated(id, room);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn written(write: impl FnOnce(&mut Json) -> &mut Json) -> String {
        let mut json = Json::default();
        write(&mut json);
        String::from_utf8(json.into_bytes()).unwrap()
    }

    fn minutes(micros: i64) -> String {
        written(|json| json.minutes(micros))
    }

    #[test]
    fn minutes_are_rounded_half_away_from_zero() {
        for (micros, expected) in [
            (348_582_000, "5.8097"),
            (415_578_000, "6.9263"),
            (0, "0"),
            (-1, "0"),
            (i64::MIN, "0"),
            (2_999, "0"),
            (3_000, "0.0001"),
            (8_999, "0.0001"),
            (9_000, "0.0002"),
            (150_000_000, "2.5"),
            (60_000_000, "1"),
            (59_996_999, "0.9999"),
            (59_997_000, "1"),
            (6_000_000_000, "100"),
            (i64::MAX, "153722867280.9129"),
        ] {
            assert_eq!(minutes(micros), expected, "{micros}");
        }
    }

    #[test]
    fn seconds_lose_nothing() {
        for (micros, expected) in [(0, "0"), (1, "0.000001"), (9_300_000, "9.3"), (60_000_000, "60"), (-5, "0")] {
            assert_eq!(written(|json| json.seconds(micros)), expected);
        }
    }

    proptest! {
        /// Against the definition: the nearest multiple of a ten-thousandth, found by comparing distances.
        #[test]
        fn minutes_by_definition(micros in prop_oneof![0..i64::MAX, 0..10_000_000i64, (0..1_000_000i64).prop_map(|n| n * 3000)]) {
            let shown = minutes(micros);
            let (whole, decimals) = shown.split_once('.').unwrap_or((&shown, ""));
            prop_assert!(decimals.len() <= 4 && !decimals.ends_with('0'));
            let steps: i128 = format!("{whole}{decimals:0<4}").parse().unwrap();
            let distance = |steps: i128| (steps * 6_000 - i128::from(micros)).abs();
            prop_assert!(distance(steps) < distance(steps - 1) || micros == 0 || distance(steps) == distance(steps - 1));
            prop_assert!(distance(steps) < distance(steps + 1), "a tie goes up");
        }

        #[test]
        fn texts_read_back(text in any::<String>()) {
            let shown = written(|json| json.text(&text));
            prop_assert_eq!(serde_json::from_str::<String>(&shown).unwrap(), text);
        }

        #[test]
        fn numbers_read_back(number in any::<u64>()) {
            prop_assert_eq!(written(|json| json.number(number)), number.to_string());
        }
    }

    #[test]
    fn control_characters_are_escaped() {
        let all: String = (0..0x80).map(char::from).collect();
        let shown = written(|json| json.text(&all));
        assert!(shown.bytes().all(|byte| byte >= 0x20));
        assert_eq!(serde_json::from_str::<String>(&shown).unwrap(), all);
        assert_eq!(written(|json| json.text("a\"b\\c\u{1f}é😀")), r#""a\"b\\c\u001fé😀""#);
    }

    #[test]
    fn lists_and_nulls() {
        assert_eq!(
            written(|json| json.list([1, 2, 3], |json, n| {
                json.number(n);
            })),
            "[1,2,3]"
        );
        assert_eq!(
            written(|json| json.list(Vec::<u64>::new(), |json, n| {
                json.number(n);
            })),
            "[]"
        );
        assert_eq!(written(|json| json.maybe_text(None).maybe_time(None)), "nullnull");
        assert_eq!(written(|json| json.time(Timestamp::from_micros(1_999))), "\"1970-01-01T00:00:00.001Z\"");
        assert_eq!(written(|json| json.id(Uuid::nil())), "\"00000000-0000-0000-0000-000000000000\"");
    }
}
