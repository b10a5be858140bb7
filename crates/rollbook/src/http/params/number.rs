//! Numbers as clients write them: some send the float 1.0 where they mean 1.

/// A number that is not negative, exactly.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Number {
    /// The whole part; the greatest there is, where it is greater.
    pub(super) value: u64,
    /// Whether nothing lies behind the decimal point.
    pub(super) whole: bool,
}

impl Number {
    /// Reads decimal text with an optional fraction and exponent; none where it is something else, or negative.
    ///
    /// Digit by digit, since a float would take 0.99999999999999999 for 1 and 1e400 for no number.
    pub(super) fn read(text: &str) -> Option<Self> {
        let (mantissa, exponent) = text.split_once(['e', 'E']).map_or((text, Some(0)), |(mantissa, e)| (mantissa, read_exponent(e)));
        let exponent = exponent?;
        let (negative, mantissa) = match mantissa.as_bytes().first()? {
            b'-' => (true, &mantissa[1..]),
            b'+' => (false, &mantissa[1..]),
            _ => (false, mantissa),
        };
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        if whole.len() + fraction.len() == 0 || !whole.bytes().chain(fraction.bytes()).all(|digit| digit.is_ascii_digit()) {
            return None;
        }
        let number = shift(whole, fraction, exponent);
        // The float -0.0 is 0.
        (!negative || number == Self { value: 0, whole: true }).then_some(number)
    }
}

fn read_exponent(text: &str) -> Option<i64> {
    let (negative, digits) = match text.as_bytes().first()? {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    if digits.is_empty() || !digits.bytes().all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    // Beyond the length of any request line an exponent changes nothing any more.
    let exponent = digits.parse().unwrap_or(i64::MAX / 4).min(i64::MAX / 4);
    Some(if negative { -exponent } else { exponent })
}

/// The value of digits around a point that the exponent moves.
fn shift(whole: &str, fraction: &str, exponent: i64) -> Number {
    let digits = || whole.bytes().chain(fraction.bytes()).map(|digit| digit - b'0');
    let point = i64::try_from(whole.len()).unwrap_or(i64::MAX / 4) + exponent;
    let mut number = Number { value: 0, whole: true };
    for (place, digit) in (0i64..).zip(digits()) {
        if place < point {
            number.value = number.value.saturating_mul(10).saturating_add(u64::from(digit));
        } else {
            number.whole &= digit == 0;
        }
    }
    let missing = point - i64::try_from(whole.len() + fraction.len()).unwrap_or(0);
    if number.value > 0 && missing > 0 {
        // Twenty more digits are past the greatest number already.
        number.value = number.value.saturating_mul(10u64.saturating_pow(u32::try_from(missing).unwrap_or(u32::MAX)));
    }
    number
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimal_text() {
        for (text, expected) in [
            ("0", Some((0, true))),
            ("007", Some((7, true))),
            ("1.0", Some((1, true))),
            ("1.", Some((1, true))),
            (".5", Some((0, false))),
            ("1e3", Some((1000, true))),
            ("1.5E+1", Some((15, true))),
            ("1500e-2", Some((15, true))),
            ("1501e-2", Some((15, false))),
            ("-0", Some((0, true))),
            ("-0.0", Some((0, true))),
            ("+5", Some((5, true))),
            ("1e300", Some((u64::MAX, true))),
            ("1e99999999999999999999", Some((u64::MAX, true))),
            ("0e99999999999999999999", Some((0, true))),
            ("1e-99999999999999999999", Some((0, false))),
            ("18446744073709551615", Some((u64::MAX, true))),
            ("18446744073709551616", Some((u64::MAX, true))),
            ("0.99999999999999999999999", Some((0, false))),
            ("-1", None),
            ("-0.5", None),
            ("", None),
            (".", None),
            ("-", None),
            ("e5", None),
            ("1e", None),
            ("1e+", None),
            ("1e5e5", None),
            ("1.2.3", None),
            ("NaN", None),
            ("inf", None),
            ("0x10", None),
            ("1_000", None),
            (" 1", None),
            ("١", None),
        ] {
            assert_eq!(Number::read(text).map(|n| (n.value, n.whole)), expected, "{text:?}");
        }
    }
}
