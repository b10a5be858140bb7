//! Exact decimal numbers: floats would lose microseconds in large times and digits in large ids.

/// A JSON number times a power of ten, cut to a whole number.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Decimal {
    /// Whether it is below zero (`-0` is not).
    pub negative: bool,
    /// The whole part of its absolute value; the largest `u64` where it is larger than that.
    pub whole: u64,
    /// Whether nothing was cut off behind the point.
    pub integral: bool,
}

impl Decimal {
    /// Reads `number`, the text of a JSON number, times 10 to the power of `shift`.
    #[must_use]
    pub fn read(number: &str, shift: u8) -> Self {
        let (sign, unsigned) = number.strip_prefix('-').map_or((false, number), |rest| (true, rest));
        let (mantissa, exponent) = unsigned.split_once(['e', 'E']).unwrap_or((unsigned, "0"));
        let (units, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let digits = || units.bytes().chain(fraction.bytes()).map(|b| u64::from(b.wrapping_sub(b'0') % 10));
        let point = length(units).saturating_add(read_exponent(exponent)).saturating_add(i64::from(shift));

        let leading_zeros = digits().take_while(|digit| *digit == 0).count();
        let significant = length(units).saturating_add(length(fraction)).saturating_sub(i64::try_from(leading_zeros).unwrap_or(i64::MAX));
        if significant == 0 {
            return Self { negative: false, whole: 0, integral: true };
        }
        let before_point = point.saturating_sub(i64::try_from(leading_zeros).unwrap_or(i64::MAX));
        // 10^20 is beyond `u64`, so no more than 20 digits are ever looked at.
        let whole = match usize::try_from(before_point) {
            Ok(count @ 0..=20) => digits()
                .skip(leading_zeros)
                .chain(std::iter::repeat(0))
                .take(count)
                .try_fold(0_u64, |n, digit| n.checked_mul(10)?.checked_add(digit))
                .unwrap_or(u64::MAX),
            Ok(_) => u64::MAX,
            Err(_) => 0,
        };
        let cut = usize::try_from(before_point).unwrap_or(0);
        let integral = before_point >= significant || (before_point >= 0 && digits().skip(leading_zeros).skip(cut).all(|d| d == 0));
        Self { negative: sign, whole, integral }
    }
}

fn length(digits: &str) -> i64 {
    i64::try_from(digits.len()).unwrap_or(i64::MAX)
}

/// An exponent beyond 64 bits is as good as the largest: no body is long enough to make up for it.
fn read_exponent(text: &str) -> i64 {
    let limit = if text.starts_with('-') { i64::MIN / 4 } else { i64::MAX / 4 };
    text.parse::<i64>().map_or(limit, |e| e.clamp(i64::MIN / 4, i64::MAX / 4))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn numbers_are_exact() {
        let cases = [
            ("0", 6, (false, 0, true)),
            ("-0", 6, (false, 0, true)),
            ("-0.0e999", 6, (false, 0, true)),
            ("0.3", 6, (false, 300_000, true)),
            ("1.9999999", 6, (false, 1_999_999, false)),
            ("0.0000009", 6, (false, 0, false)),
            ("-5", 6, (true, 5_000_000, true)),
            ("60.0", 0, (false, 60, true)),
            ("6e1", 0, (false, 60, true)),
            ("600.00e-1", 0, (false, 60, true)),
            ("60.0000000000000000000000001", 0, (false, 60, false)),
            ("1e999", 6, (false, u64::MAX, true)),
            ("-1e999", 0, (true, u64::MAX, true)),
            ("1e-999", 6, (false, 0, false)),
            ("1e99999999999999999999999", 6, (false, u64::MAX, true)),
            ("1e-99999999999999999999999", 6, (false, 0, false)),
            ("18446744073709551615", 0, (false, u64::MAX, true)),
            ("18446744073709551616", 0, (false, u64::MAX, true)),
            ("9223372036854.775807", 6, (false, 9_223_372_036_854_775_807, true)),
        ];
        for (text, shift, (negative, whole, integral)) in cases {
            assert_eq!(Decimal::read(text, shift), Decimal { negative, whole, integral }, "{text} × 10^{shift}");
        }
    }

    proptest! {
        #[test]
        fn microseconds_survive(micros: u64) {
            let text = format!("{}.{:06}", micros / 1_000_000, micros % 1_000_000);
            prop_assert_eq!(Decimal::read(&text, 6), Decimal { negative: false, whole: micros, integral: true });
        }
    }
}
