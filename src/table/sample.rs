//! Looking at entries that nobody asked for: samples, the endless sweep, the walk over all.

use super::{Loc, SLOTS, Segment, Writer, address_of, bucket_at, meta_of, prefetch, split_root};
use crate::entry::{Block, BlockRef};
use crate::hash::{KeyHash, Position};
use crate::sync::atomic::Ordering;

/// A place in the order of positions, from which a walk over all entries continues.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Cursor(pub(super) u64);

impl Cursor {
    pub(crate) const START: Cursor = Cursor(0);
}

impl Writer<'_> {
    /// Asks the processor for the bucket that `sample` will look at for the same `random`.
    pub(crate) fn prefetch_sample(&self, random: u64) {
        let (segment, index) = self.random_bucket(random);
        prefetch(bucket_at(segment, index));
    }

    /// Asks the processor for the entry that is linked at `loc`.
    pub(crate) fn prefetch_block(&self, loc: Loc) {
        prefetch(address_of(self.slot(loc).load(Ordering::Relaxed)));
    }

    /// Calls `see` for each entry of one bucket, chosen by 64 random bits.
    pub(crate) fn sample(&self, random: u64, see: impl FnMut(Loc, u32)) {
        let (segment, index) = self.random_bucket(random);
        self.visit(segment, index, see);
    }

    fn random_bucket(&self, random: u64) -> (*mut Segment, usize) {
        let hash = KeyHash::from_bits(random >> self.shared.skip_bits);
        let (segment, mask) = split_root(self.shared.root_at_position(random).load(Ordering::Relaxed));
        (segment, hash.bucket() & mask)
    }

    pub(super) fn visit(&self, segment: *mut Segment, index: usize, mut see: impl FnMut(Loc, u32)) {
        for (slot, word) in self.bucket(segment, index).slots.iter().enumerate() {
            let word = word.load(Ordering::Relaxed);
            if !address_of(word).is_null() {
                see(Loc { segment, bucket: index as u32, slot: slot as u32 }, meta_of(word));
            }
        }
    }

    /// Visits the next bucket of an endless walk over all of them.
    pub(crate) fn sweep(&mut self, mut see: impl FnMut(&mut Self, Loc, u32)) {
        let (root, index) = self.table.swept;
        let roots = self.shared.directory().roots.len();
        let root = if root < roots { root } else { 0 };
        let (segment, mask) = split_root(self.shared.directory().roots[root].load(Ordering::Relaxed));
        let mut seen = [(0, 0); SLOTS];
        let mut n = 0;
        let index = index & mask;
        self.visit(segment, index, |loc, meta| {
            seen[n] = (loc.slot, meta);
            n += 1;
        });
        for &(slot, meta) in &seen[..n] {
            see(self, Loc { segment, bucket: index as u32, slot }, meta);
        }
        self.table.swept = if index < mask {
            (root, index + 1)
        } else {
            // A segment stands behind `2^(directory's depth - its own)` roots side by side; on to the next one.
            let depth = self.shared.directory().depth - self.head(segment).depth.load(Ordering::Relaxed);
            let next = ((root >> depth) + 1) << depth;
            (if next < roots { next } else { 0 }, 0)
        };
    }

    /// Takes counts of all entries of one segment from `cursor` on; where to go on, or `None` after the last.
    pub(crate) fn collect(
        &self,
        cursor: Cursor,
        hash_of: &dyn Fn(BlockRef<'_>) -> KeyHash,
        out: &mut Vec<Block>,
    ) -> Option<Cursor> {
        let directory = self.shared.directory();
        let (segment, mask) = split_root(self.shared.root_at_position(cursor.0).load(Ordering::Relaxed));
        for index in 0..=mask {
            self.visit(segment, index, |loc, _| {
                let block = self.block(loc).expect("visited slots are taken");
                let position: Position = self.shared.position(hash_of(block));
                // After a merge, the segment holds entries that an earlier call has yielded.
                if position.bits() >= cursor.0 {
                    out.push(block.acquire());
                }
            });
        }
        let depth = self.head(segment).depth.load(Ordering::Relaxed);
        debug_assert!(depth <= directory.depth);
        if depth == 0 {
            return None;
        }
        let range = 1u64 << (64 - depth);
        (cursor.0 & !(range - 1)).checked_add(range).map(Cursor)
    }
}
