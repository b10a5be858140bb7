//! Instants in whole microseconds, read from and shown as RFC 3339.

use crate::digits::pair;
use serde::{Deserialize, Serialize};
use std::fmt;

/// Microseconds in one second.
pub const SECOND: i64 = 1_000_000;
/// Microseconds in one minute.
pub const MINUTE: i64 = 60 * SECOND;
/// Microseconds in one day, leap seconds left out as in Unix time.
pub const DAY: i64 = 86_400 * SECOND;

/// An instant: microseconds since 1970-01-01T00:00:00Z.
///
/// What comes from outside lies in the years 1 to 9998, so that sums with keep-alives and maximum stays
/// stay far from overflow; arithmetic saturates all the same.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(i64);

/// Why a text is not an instant that the ledger takes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum TimeError {
    /// The text is not RFC 3339.
    #[error("not an RFC 3339 time with an offset, such as 2026-01-31T09:30:00Z")]
    Syntax,
    /// The instant lies outside the years 1 to 9998 (UTC).
    #[error("outside the years 0001 to 9998 (UTC)")]
    Range,
}

impl Timestamp {
    /// The first instant taken from outside: 0001-01-01T00:00:00Z.
    pub const MIN: Self = Self(-62_135_596_800 * SECOND);
    /// The last instant taken from outside: 9998-12-31T23:59:59.999999Z.
    pub const MAX: Self = Self(253_370_764_800 * SECOND - 1);

    /// From microseconds since the epoch; any value.
    #[must_use]
    pub const fn from_micros(micros: i64) -> Self {
        Self(micros)
    }

    /// Microseconds since the epoch.
    #[must_use]
    pub const fn micros(self) -> i64 {
        self.0
    }

    /// The instant `micros` later (earlier where negative), saturating.
    #[must_use]
    pub const fn plus(self, micros: i64) -> Self {
        Self(self.0.saturating_add(micros))
    }

    /// Microseconds from `earlier` to `self`, negative where `earlier` is later, saturating.
    #[must_use]
    pub const fn since(self, earlier: Self) -> i64 {
        self.0.saturating_sub(earlier.0)
    }

    /// Whether the instant lies in the years 1 to 9998.
    #[must_use]
    pub fn in_range(self) -> bool {
        (Self::MIN..=Self::MAX).contains(&self)
    }

    /// Reads RFC 3339: any offset, fractions cut to microseconds, second 60 as the next second.
    ///
    /// # Errors
    /// [`TimeError::Syntax`] where the text has another form, [`TimeError::Range`] outside the years 1 to 9998 UTC.
    pub fn parse_rfc3339(text: &str) -> Result<Self, TimeError> {
        let mut p = Parser(text.as_bytes());
        let (year, month, day) = (p.number(4)?, p.after(b'-')?.number(2)?, p.after(b'-')?.number(2)?);
        p.one_of(b"Tt")?;
        let (hour, minute, second) = (p.number(2)?, p.after(b':')?.number(2)?, p.after(b':')?.number(2)?);
        let fraction = p.fraction()?;
        let offset_minutes = p.offset()?;
        let date_ok = (1..=12).contains(&month) && day >= 1 && day <= days_in_month(year, month);
        if !p.0.is_empty() || !date_ok || hour > 23 || minute > 59 || second > 60 {
            return Err(TimeError::Syntax);
        }
        let seconds = days_from_civil(year, month, day) * 86_400 + hour * 3600 + minute * 60 + second - offset_minutes * 60;
        let instant = Self(seconds * SECOND + fraction);
        if instant.in_range() { Ok(instant) } else { Err(TimeError::Range) }
    }

    /// Writes `YYYY-MM-DDTHH:MM:SS.mmmZ`, finer digits cut, as 24 bytes. Years outside 0 to 9999 are clamped to them.
    #[must_use]
    pub fn to_millis_text(self) -> [u8; 24] {
        MillisText::default().of(self)
    }

    /// Writes RFC 3339 in UTC with all six fractional digits: nothing is lost.
    #[must_use]
    pub fn to_rfc3339_micros(self) -> String {
        let millis = self.to_millis_text();
        format!("{}{:03}Z", String::from_utf8_lossy(&millis[..23]), self.0.rem_euclid(1000))
    }
}

/// Writes instants as [`Timestamp::to_millis_text`] does, many of them: the date is worked out only where it is not the one before's.
#[derive(Clone, Copy, Debug)]
pub struct MillisText {
    /// The first microsecond of the day.
    day: i64,
    /// The last instant written.
    text: [u8; 24],
}

impl Default for MillisText {
    fn default() -> Self {
        Self { day: 0, text: *b"1970-01-01T00:00:00.000Z" }
    }
}

impl MillisText {
    /// The text of an instant.
    #[must_use]
    #[inline]
    pub fn of(&mut self, instant: Timestamp) -> [u8; 24] {
        let mut in_day = instant.0.wrapping_sub(self.day).cast_unsigned();
        if in_day >= DAY.cast_unsigned() {
            in_day = self.turn_to(instant);
        }
        // Less than a day: 32 bits hold it, and divide faster.
        let millis = (in_day / 1000) as u32;
        let (seconds, millis) = (millis / 1000, millis % 1000);
        let (minutes, seconds) = (seconds / 60, seconds % 60);
        let text = &mut self.text;
        text[11..13].copy_from_slice(&pair(minutes / 60));
        text[14..16].copy_from_slice(&pair(minutes % 60));
        text[17..19].copy_from_slice(&pair(seconds));
        text[20..22].copy_from_slice(&pair(millis / 10));
        text[22] = b'0' + (millis % 10) as u8;
        *text
    }

    /// Writes the date of an instant; returns the microseconds since that day began.
    #[cold]
    fn turn_to(&mut self, instant: Timestamp) -> u64 {
        let micros = instant.0.clamp(-62_167_219_200 * SECOND, 253_402_300_800 * SECOND - 1);
        let (days, in_day) = (micros.div_euclid(DAY), micros.rem_euclid(DAY));
        self.day = days * DAY;
        let (year, month, day) = civil_from_days(days);
        put(&mut self.text[0..4], year);
        put(&mut self.text[5..7], month);
        put(&mut self.text[8..10], day);
        in_day.cast_unsigned()
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&String::from_utf8_lossy(&self.to_millis_text()))
    }
}

/// A cursor over the bytes that are still to be read.
struct Parser<'a>(&'a [u8]);

impl Parser<'_> {
    fn one_of(&mut self, allowed: &[u8]) -> Result<u8, TimeError> {
        let (first, rest) = self.0.split_first().ok_or(TimeError::Syntax)?;
        if !allowed.contains(first) {
            return Err(TimeError::Syntax);
        }
        self.0 = rest;
        Ok(*first)
    }

    fn after(&mut self, separator: u8) -> Result<&mut Self, TimeError> {
        self.one_of(&[separator])?;
        Ok(self)
    }

    fn number(&mut self, digits: usize) -> Result<i64, TimeError> {
        (0..digits).try_fold(0, |n, _| Ok(n * 10 + i64::from(self.one_of(b"0123456789")? - b'0')))
    }

    /// An optional fraction of a second, in microseconds; finer digits are cut.
    fn fraction(&mut self) -> Result<i64, TimeError> {
        if self.one_of(b".").is_err() {
            return Ok(0);
        }
        let (mut micros, mut unit) = (self.number(1)? * 100_000, 10_000);
        while let Ok(digit) = self.number(1) {
            micros += digit * unit;
            unit /= 10;
        }
        Ok(micros)
    }

    /// The offset from UTC in minutes.
    fn offset(&mut self) -> Result<i64, TimeError> {
        let sign = match self.one_of(b"Zz+-")? {
            b'+' => 1,
            b'-' => -1,
            _ => return Ok(0),
        };
        let (hours, minutes) = (self.number(2)?, self.after(b':')?.number(2)?);
        if hours > 23 || minutes > 59 { Err(TimeError::Syntax) } else { Ok(sign * (hours * 60 + minutes)) }
    }
}

fn put(into: &mut [u8], mut number: i64) {
    for byte in into.iter_mut().rev() {
        *byte = b'0' + u8::try_from(number % 10).unwrap_or(0);
        number /= 10;
    }
}

fn days_in_month(year: i64, month: i64) -> i64 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days since 1970-01-01 of a day in the proleptic Gregorian calendar; years are counted from March, so that the leap day comes last.
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let shifted = if month <= 2 { year - 1 } else { year };
    let (era, of_era) = (shifted.div_euclid(400), shifted.rem_euclid(400));
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

/// The inverse of [`days_from_civil`].
fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468;
    let (era, of_era) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * of_year + 2) / 153;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month, of_year - (153 * from_march + 2) / 5 + 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(text: &str) -> String {
        Timestamp::parse_rfc3339(text).map_or_else(|e| e.to_string(), Timestamp::to_rfc3339_micros)
    }

    #[test]
    fn reads_any_offset_and_cuts_fine_digits() {
        assert_eq!(read("2026-01-31T09:30:00Z"), "2026-01-31T09:30:00.000000Z");
        assert_eq!(read("2026-01-31t09:30:00.1234567899+05:30"), "2026-01-31T04:00:00.123456Z");
        assert_eq!(read("1969-12-31T23:59:59.999999-00:00"), "1969-12-31T23:59:59.999999Z");
        assert_eq!(read("2000-02-29T23:59:60Z"), "2000-03-01T00:00:00.000000Z");
    }

    #[test]
    fn refuses_what_is_no_instant() {
        for text in [
            "",
            "2026-01-31",
            "2026-01-31T09:30:00",
            "2026-02-29T00:00:00Z",
            "2026-13-01T00:00:00Z",
            "2026-01-31 09:30:00Z",
            "2026-01-31T24:00:00Z",
            "2026-01-31T09:30:61Z",
            "2026-01-31T09:30:00.Z",
            "2026-01-31T09:30:00+24:00",
            "2026-01-31T09:30:00Zz",
            "+2026-01-31T09:30:00Z",
        ] {
            assert_eq!(Timestamp::parse_rfc3339(text), Err(TimeError::Syntax), "{text}");
        }
        for text in ["0000-06-01T00:00:00Z", "0001-01-01T00:00:00+00:01", "9999-01-01T00:00:00Z", "9998-12-31T23:59:60Z"] {
            assert_eq!(Timestamp::parse_rfc3339(text), Err(TimeError::Range), "{text}");
        }
        assert_eq!(Timestamp::parse_rfc3339("0001-01-01T00:00:00Z"), Ok(Timestamp::MIN));
        assert_eq!(Timestamp::parse_rfc3339("9998-12-31T23:59:59.999999Z"), Ok(Timestamp::MAX));
    }

    /// Digit by digit, by the definition.
    fn slowly(instant: Timestamp) -> String {
        let micros = instant.0.clamp(-62_167_219_200 * SECOND, 253_402_300_800 * SECOND - 1);
        let (year, month, day) = civil_from_days(micros.div_euclid(DAY));
        let millis = micros.rem_euclid(DAY) / 1000;
        let (second, millis) = (millis / 1000, millis % 1000);
        format!("{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}.{millis:03}Z", second / 3600, second / 60 % 60, second % 60)
    }

    proptest! {
        #[test]
        fn text_by_definition(all in prop::collection::vec(prop_oneof![any::<i64>(), -3 * DAY..3 * DAY, Timestamp::MIN.micros()..=Timestamp::MAX.micros()], 0..9)) {
            let mut of_many = MillisText::default();
            for instant in all.into_iter().map(Timestamp::from_micros) {
                let text = of_many.of(instant);
                prop_assert_eq!(&String::from_utf8_lossy(&text), &slowly(instant));
                prop_assert_eq!(text, instant.to_millis_text());
            }
        }

        #[test]
        fn text_and_back(micros in Timestamp::MIN.micros()..=Timestamp::MAX.micros()) {
            let instant = Timestamp::from_micros(micros);
            prop_assert_eq!(Timestamp::parse_rfc3339(&instant.to_rfc3339_micros()), Ok(instant));
            let cut = Timestamp::from_micros(micros - micros.rem_euclid(1000));
            prop_assert_eq!(Timestamp::parse_rfc3339(&instant.to_string()), Ok(cut));
        }
    }
}
