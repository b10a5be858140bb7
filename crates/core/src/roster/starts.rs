//! Where the rows of a roster start: of each block of rows where its first does, then what each of them starts later than if all were as short
//! as the roster's shortest.

use super::packed::{bits_for, get, put, word};

/// How many rows share the place that their starts are told from.
const BLOCK: usize = 32;

/// Where rows start, within their section.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Starts {
    /// Bits of what a row starts later.
    pub(super) bits: u32,
    /// Bytes of the shortest row.
    pub(super) shortest: u32,
}

impl Starts {
    /// From where each row starts, and the last one ends.
    pub(super) fn of(starts: &[u64]) -> (Self, Vec<u8>) {
        let shortest = starts.windows(2).map(|two| two[1] - two[0]).min().unwrap_or(0);
        let shortest = u32::try_from(shortest).unwrap_or(u32::MAX);
        let blocks = || starts[..starts.len() - 1].chunks(BLOCK);
        let over = |block: &[u64]| {
            let from = block[0];
            block.iter().enumerate().map(|(ix, start)| start - from - ix as u64 * u64::from(shortest)).collect::<Vec<_>>()
        };
        let bits = bits_for(blocks().filter_map(|block| over(block).last().copied()).max().unwrap_or(0));
        let mut out = Vec::new();
        for block in blocks() {
            out.extend(block[0].to_le_bytes());
            put(over(block), bits, &mut out);
        }
        (Self { bits, shortest }, out)
    }

    /// Where a row starts.
    #[inline]
    pub(super) fn get(self, starts: &[u8], row: u32) -> usize {
        let (block, ix) = (row as usize / BLOCK, row as usize % BLOCK);
        let starts = starts.get(block * (8 + BLOCK / 8 * self.bits as usize)..).unwrap_or_default();
        let later = ix as u64 * u64::from(self.shortest) + get(starts.get(8..).unwrap_or_default(), ix, self.bits);
        usize::try_from(word(starts, 0).wrapping_add(later)).unwrap_or(usize::MAX)
    }
}
