//! What rows have in common beside texts that are the same: which fields they have, how long some of their texts are, which preset.
//! Each such shape is kept once, in eight bytes, and a row names its own by a byte.

use super::cursor::{HERE, tag};
use super::packed::word;
use std::collections::BTreeMap;

/// In place of a number: the shape lies in the row.
pub(super) const OWN: u8 = 255;
/// Bytes a shape.
pub(super) const SIZE: usize = 8;
/// From so many shapes on, lengths of texts are left to the rows.
const PRECISE: usize = 192;

/// The shape of a row.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct Shape {
    /// What of a row is there.
    pub(super) flags: u8,
    /// What the user id, the custom id and the display name begin with (see `cursor`).
    pub(super) tags: [u8; 3],
    /// The preset's number among the roster's names, or 0.
    pub(super) preset: u32,
}

impl Shape {
    /// The length of a display name says nothing of other rows, and lies in the row.
    pub(super) fn of(flags: u8, [user_id, custom_id, _]: [Option<&[u8]>; 3], preset: u32) -> Self {
        Self { flags, tags: [tag(user_id), tag(custom_id), HERE], preset }
    }

    pub(super) fn bytes(self) -> [u8; SIZE] {
        let (Self { flags, tags: [a, b, c], preset }, mut bytes) = (self, [0; SIZE]);
        bytes[..4].copy_from_slice(&[flags, a, b, c]);
        bytes[4..].copy_from_slice(&preset.to_le_bytes());
        bytes
    }

    /// From bytes, which may be none.
    pub(super) fn from_bytes(bytes: &[u8]) -> Self {
        let word = word(bytes, 0);
        let [flags, tags @ .., _, _, _, _] = word.to_le_bytes();
        Self { flags, tags, preset: (word >> 32) as u32 }
    }

    /// Those that have numbers.
    pub(super) fn all(bytes: &[u8]) -> Vec<Self> {
        bytes.chunks_exact(SIZE).take(OWN.into()).map(Self::from_bytes).collect()
    }
}

/// Shapes in the making.
#[derive(Debug, Default)]
pub(super) struct Shapes {
    by_shape: BTreeMap<Shape, u8>,
    pub(super) bytes: Vec<u8>,
}

impl Shapes {
    /// The number of a row's shape, and the shape that the row is written in.
    pub(super) fn number(&mut self, shape: Shape) -> (u8, Shape) {
        let rough = Shape { tags: [HERE; 3], ..shape };
        let number = self.number_within(shape, PRECISE).map(|number| (number, shape));
        number.unwrap_or_else(|| (self.number_within(rough, usize::from(OWN)).unwrap_or(OWN), rough))
    }

    /// The number of a shape that is known, or of one more as long as there are fewer than so many.
    fn number_within(&mut self, shape: Shape, most: usize) -> Option<u8> {
        let count = self.by_shape.len();
        if let Some(known) = self.by_shape.get(&shape) {
            return Some(*known);
        }
        let number = u8::try_from(count).ok().filter(|_| count < most)?;
        self.by_shape.insert(shape, number);
        self.bytes.extend(shape.bytes());
        Some(number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_only_so_many_shapes() {
        let mut shapes = Shapes::default();
        let precise = |preset| Shape { flags: 3, tags: [7, 9, HERE], preset };
        let rough = |preset| Shape { tags: [HERE; 3], ..precise(preset) };
        for preset in 0..192 {
            assert_eq!(shapes.number(precise(preset)), (preset as u8, precise(preset)));
        }
        for preset in 192..255 {
            assert_eq!(shapes.number(precise(preset)), (preset as u8, rough(preset)));
        }
        assert_eq!(shapes.number(precise(300)), (OWN, rough(300)));
        assert_eq!(shapes.number(precise(191)), (191, precise(191)));
        let read = Shape::all(&shapes.bytes);
        assert_eq!(read, (0..192).map(precise).chain((192..255).map(rough)).collect::<Vec<_>>());
        assert_eq!(Shape::from_bytes(&rough(300).bytes()), rough(300));
    }
}
