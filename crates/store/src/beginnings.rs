//! Ids by the beginning of their text.

use uuid::Uuid;

/// The first and the last id whose hyphenated lower-case text begins with `text`; none where no id's does.
pub(crate) fn ids_from(text: &str) -> Option<(Uuid, Uuid)> {
    let id = |filler: u8| {
        let mut full = Uuid::from_bytes([filler; 16]).hyphenated().to_string();
        full.get(..text.len())?;
        full.replace_range(..text.len(), text);
        // Parsing takes other forms too; only what reads back the same is the text of an id.
        Uuid::try_parse(&full).ok().filter(|id| id.hyphenated().to_string() == full)
    };
    Some((id(0x00)?, id(0xff)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_is_a_range_of_ids() {
        let range = |first, last| Some((Uuid::parse_str(first).unwrap(), Uuid::parse_str(last).unwrap()));
        assert_eq!(ids_from(""), Some((Uuid::nil(), Uuid::max())));
        assert_eq!(ids_from("a"), range("a0000000-0000-0000-0000-000000000000", "afffffff-ffff-ffff-ffff-ffffffffffff"));
        assert_eq!(ids_from("01234567-8"), range("01234567-8000-0000-0000-000000000000", "01234567-8fff-ffff-ffff-ffffffffffff"));
        let whole = "01234567-89ab-cdef-0123-456789abcdef";
        assert_eq!(ids_from(whole), range(whole, whole));
        for none in ["A", "g", "-", "012345678", "01234567-89ab-cdef-0123-456789abcdef0", "é", "%", "{"] {
            assert_eq!(ids_from(none), None, "{none}");
        }
    }
}
