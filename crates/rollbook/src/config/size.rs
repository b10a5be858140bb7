//! Sizes as people write them: `1GiB`, `512 MB`, `1073741824`.

use serde::{Deserialize, Deserializer, de};
use std::fmt;
use std::str::FromStr;

/// A number of bytes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Size(pub u64);

const UNITS: [(&str, u64); 9] = [
    ("TiB", 1 << 40),
    ("GiB", 1 << 30),
    ("MiB", 1 << 20),
    ("KiB", 1 << 10),
    ("TB", 1_000_000_000_000),
    ("GB", 1_000_000_000),
    ("MB", 1_000_000),
    ("KB", 1_000),
    ("B", 1),
];

impl FromStr for Size {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let refused = |why: &str| format!("{text:?} {why}: write a whole number and B, KB, MB, GB, TB, KiB, MiB, GiB or TiB, as in 512MiB");
        let trimmed = text.trim();
        let split = trimmed.find(|c: char| !c.is_ascii_digit()).unwrap_or(trimmed.len());
        let (number, unit) = trimmed.split_at(split);
        let number: u64 = number.parse().map_err(|_| refused("is no size"))?;
        let unit = unit.trim_start();
        // A bare `G` is left out on purpose: half of the world reads it as 1000³, half as 1024³.
        let factor = match unit {
            "" => Some(1),
            unit => UNITS.iter().find(|(name, _)| name.eq_ignore_ascii_case(unit)).map(|(_, factor)| *factor),
        };
        let bytes = number.checked_mul(factor.ok_or_else(|| refused("is no size"))?);
        bytes.map(Self).ok_or_else(|| refused("is more than 16 EiB"))
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let exact = UNITS.iter().find(|(_, factor)| self.0 != 0 && self.0.is_multiple_of(*factor));
        let (name, factor) = exact.unwrap_or(&("B", 1));
        write!(f, "{}{name}", self.0 / factor)
    }
}

impl<'de> Deserialize<'de> for Size {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_as_people_write_them() {
        let cases =
            [("0", 0), ("17", 17), ("17B", 17), ("1GiB", 1 << 30), ("1 gib", 1 << 30), (" 512MiB ", 512 << 20), ("2GB", 2_000_000_000)];
        for (text, bytes) in cases {
            assert_eq!(text.parse(), Ok(Size(bytes)), "{text}");
        }
    }

    #[test]
    fn what_is_no_size_is_refused_with_the_way_to_write_one() {
        for text in ["", "GiB", "-1", "1.5GiB", "1G", "1 zib", "1GiB x", "99999999999999999999", "16777216TiB"] {
            let why = text.parse::<Size>().unwrap_err();
            assert!(why.contains("512MiB") && why.contains(&format!("{text:?}")), "{why}");
        }
    }

    #[test]
    fn a_size_is_read_as_it_is_shown() {
        for (bytes, shown) in [(0, "0B"), (1 << 30, "1GiB"), (1536 << 20, "1536MiB"), (1_000_000, "1MB"), (1023, "1023B")] {
            assert_eq!(Size(bytes).to_string(), shown);
            assert_eq!(shown.parse(), Ok(Size(bytes)));
        }
    }
}
