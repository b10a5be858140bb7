//! The batches that were committed last: whoever follows a stream finds them here, and need not read them from the database.
//!
//! The task that appended a batch gives it to the stream's fold itself, but not at the moment of the commit: whoever reads in between would
//! wait for another thread.

use super::known::AppNo;
use crate::contract::{Batch, Seq};
use rollbook_core::id::Stream;
use std::collections::hash_map::Entry;
use std::collections::{HashMap, VecDeque};

/// How many bytes are held: what comes in some tenths of a second.
const MOST: usize = 256 << 10;
/// What a batch takes beside its bytes, about.
const OVERHEAD: usize = 128;

/// The last batches of all streams.
#[derive(Default)]
pub(super) struct Recent {
    /// Of each stream ascending.
    by_stream: HashMap<(AppNo, Stream), VecDeque<Batch>>,
    /// The streams of the batches, as they came.
    by_age: VecDeque<(AppNo, Stream)>,
    bytes: usize,
}

impl Recent {
    pub(super) fn add(&mut self, app: AppNo, batch: Batch) {
        let key = (app, batch.stream);
        self.bytes += OVERHEAD + batch.batch.len();
        self.by_stream.entry(key).or_default().push_back(batch);
        self.by_age.push_back(key);
        while self.bytes > MOST {
            self.drop_oldest();
        }
    }

    fn drop_oldest(&mut self) {
        let Some(key) = self.by_age.pop_front() else { return self.bytes = 0 };
        let Entry::Occupied(mut of_stream) = self.by_stream.entry(key) else { return };
        if let Some(oldest) = of_stream.get_mut().pop_front() {
            self.bytes -= OVERHEAD + oldest.batch.len();
        }
        if of_stream.get().is_empty() {
            of_stream.remove();
        }
    }

    /// A stream's batches after one up to another; none where not all of them are here.
    pub(super) fn between(&self, app: AppNo, stream: Stream, after: Seq, last: Seq) -> Option<impl Iterator<Item = &Batch>> {
        let batches = self.by_stream.get(&(app, stream))?;
        let place = |seq: Seq| batches.binary_search_by_key(&seq, |batch| batch.seq).ok();
        let (first, last_place) = (place(after + 1)?, place(last)?);
        let all = usize::try_from(last - after).is_ok_and(|many| last_place + 1 - first == many);
        all.then(|| batches.range(first..=last_place))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use rollbook_core::time::Timestamp;
    use uuid::Uuid;

    fn batch(stream: u128, seq: Seq, bytes: usize) -> Batch {
        let batch = Bytes::from(vec![0; bytes]);
        Batch { stream: Stream::session(Uuid::from_u128(stream)), seq, batch, received_at: Timestamp::default() }
    }

    fn seqs(recent: &Recent, stream: u128, after: Seq, last: Seq) -> Option<Vec<Seq>> {
        let found = recent.between(1, Stream::session(Uuid::from_u128(stream)), after, last)?;
        Some(found.map(|batch| batch.seq).collect())
    }

    #[test]
    fn what_follows_without_a_gap_is_found() {
        let mut recent = Recent::default();
        for seq in [5, 6, 7, 9] {
            recent.add(1, batch(7, seq, 10));
        }
        assert_eq!(seqs(&recent, 7, 4, 7), Some(vec![5, 6, 7]));
        assert_eq!(seqs(&recent, 7, 6, 7), Some(vec![7]));
        assert_eq!(seqs(&recent, 7, 3, 7), None, "batch 4 is not here");
        assert_eq!(seqs(&recent, 7, 6, 9), None, "batch 8 is not here");
        assert_eq!(seqs(&recent, 7, 6, 10), None, "batch 10 is not here");
        assert_eq!(seqs(&recent, 8, 0, 1), None, "of that stream nothing is");
    }

    #[test]
    fn the_oldest_make_room() {
        let mut recent = Recent::default();
        recent.add(1, batch(8, 1, 10));
        (1..=10).for_each(|seq| recent.add(1, batch(7, seq, MOST / 5)));
        assert_eq!((seqs(&recent, 8, 0, 1), seqs(&recent, 7, 5, 10)), (None, None));
        assert_eq!(seqs(&recent, 7, 6, 10), Some(vec![7, 8, 9, 10]));
        recent.add(1, batch(7, 11, MOST));
        assert_eq!((seqs(&recent, 7, 10, 11), recent.bytes, recent.by_stream.len(), recent.by_age.len()), (None, 0, 0, 0));
    }
}
