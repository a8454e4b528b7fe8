//! Looking at entries that nobody asked for: samples, the endless sweep, the walk over all.

use std::ptr::{self, NonNull};

use super::grow::HashOf;
use super::{Loc, SLOTS, Segment, Table, Writer, address_of, bucket_at, meta_of, split_root};
use crate::entry::{Block, Header};
use crate::hash::Position;
use crate::sync::atomic::Ordering;
use crate::sync::prefetch;

/// A place in the order of positions, from which a walk over all entries continues.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Cursor(pub(super) u64);

impl Cursor {
    pub(crate) const START: Cursor = Cursor(0);
}

/// What tells the slots of a bucket apart.
const SLOT_BITS: u32 = (SLOTS as u32).ilog2() + 1;

/// Ranks of a sample are below this.
pub(crate) const RANK_MAX: u32 = 1 << (u32::BITS - SLOT_BITS);

/// Where an endless walk over the buckets stands.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Step {
    root: usize,
    index: usize,
}

impl Writer<'_> {
    /// Asks the processor for the bucket of `loc`.
    pub(crate) fn prefetch_bucket(&self, loc: Loc) {
        prefetch(loc.bucket().as_ptr());
    }

    /// Asks the processor for the entry that is linked at `loc`.
    pub(crate) fn prefetch_block(&self, loc: Loc) {
        let block = address_of(self.slot(loc).load(Ordering::Relaxed));
        prefetch(block);
        // Blocks are aligned to 16, so that some headers reach into a second line.
        prefetch(block.wrapping_byte_add(size_of::<Header>() - 1));
    }

    /// Looks at the next `n_buckets` of an endless walk of its own, and shows the entry that `rank`, below [`RANK_MAX`], puts lowest in
    /// each, with its rank; if there are several, any. Where an entry lies is chance, so those that lie
    /// side by side are as good a sample as any, and the processor sees them coming. The metadata of one that was looked at, if
    /// there is any: which one depends on `pick` alone, not on its rank, so that many of them are like all entries.
    pub(crate) fn sample(
        &mut self,
        n_buckets: usize,
        pick: u32,
        rank: impl Fn(u32) -> u32,
        mut see: impl FnMut(u32, u32, Loc),
    ) -> Option<u32> {
        let mut any = None;
        for _ in 0..n_buckets {
            let (segment, index) = self.take_step(|table| &mut table.sampled);
            let slots = &self.bucket(segment, index).slots;
            // Rank and slot in one number: the least of them needs no branch.
            let mut lowest = u32::MAX;
            for (slot, word) in slots.iter().enumerate() {
                let word = word.load(Ordering::Relaxed);
                let key = rank(meta_of(word)) << SLOT_BITS | slot as u32;
                lowest = lowest.min(if word.is_null() { u32::MAX } else { key });
            }
            if lowest == u32::MAX {
                continue;
            }
            // One time in eight none is picked, which is cheaper than a remainder by seven.
            if let Some(word) = slots.get(pick as usize % (SLOTS + 1)) {
                let picked = word.load(Ordering::Relaxed);
                any = (!picked.is_null()).then(|| meta_of(picked)).or(any);
            }
            let slot = lowest & ((1 << SLOT_BITS) - 1);
            // What was shown is what is there; readers change the metadata at most to a later use's.
            if let Some(word) = slots.get(slot as usize) {
                let meta = meta_of(word.load(Ordering::Relaxed));
                see(lowest >> SLOT_BITS, meta, Loc::new(segment, index, slot));
            }
        }
        self.prefetch_step(n_buckets);
        any
    }

    pub(super) fn visit(&self, segment: *mut Segment, index: usize, mut see: impl FnMut(Loc, u32)) {
        for (slot, word) in self.bucket(segment, index).slots.iter().enumerate() {
            let word = word.load(Ordering::Relaxed);
            if !address_of(word).is_null() {
                see(Loc::new(segment, index, slot as u32), meta_of(word));
            }
        }
    }

    /// Visits the next bucket of an endless walk over all of them.
    pub(crate) fn sweep(&mut self, mut see: impl FnMut(&mut Self, Loc, u32)) {
        let (segment, index) = self.take_step(|table| &mut table.swept);
        let mut seen = [(Loc::NOWHERE, 0); SLOTS];
        let mut n = 0;
        self.visit(segment, index, |loc, meta| {
            seen[n] = (loc, meta);
            n += 1;
        });
        for &(loc, meta) in &seen[..n] {
            see(self, loc, meta);
        }
    }

    /// Asks the processor for the buckets that `sample` visits next.
    fn prefetch_step(&self, n_buckets: usize) {
        let step = self.table.sampled;
        let roots = &self.shared.directory().roots;
        let root = roots.get(step.root).unwrap_or(&roots[0]);
        let (segment, mask) = split_root(root.load(Ordering::Relaxed));
        for at in 0..n_buckets {
            prefetch(bucket_at(segment, (step.index + at) & mask));
        }
    }

    /// The bucket where a walk stands, which then stands at the next one.
    #[inline]
    fn take_step(&mut self, walk: impl FnOnce(&mut Table) -> &mut Step) -> (*mut Segment, usize) {
        let step = walk(self.table);
        let directory = self.shared.directory();
        let root = if step.root < directory.roots.len() {
            step.root
        } else {
            0
        };
        let (segment, mask) = split_root(directory.roots[root].load(Ordering::Relaxed));
        let index = step.index & mask;
        *step = if index < mask {
            Step {
                root,
                index: index + 1,
            }
        } else {
            // A segment stands behind `2^(directory's depth - its own)` roots side by side; on to the next one.
            // SAFETY: a root of the latest directory, which only a writer replaces.
            let depth = directory.depth - unsafe { &*segment }.depth.load(Ordering::Relaxed);
            Step {
                root: ((root >> depth) + 1) << depth,
                index: 0,
            }
        };
        (segment, index)
    }

    /// Takes counts of all entries of one segment from `cursor` on, with their metadata; where to go on, or `None` after the last.
    pub(crate) fn collect(
        &self,
        cursor: Cursor,
        hash_of: impl HashOf,
        mut see: impl FnMut(Block, u32),
    ) -> Option<Cursor> {
        let directory = self.shared.directory();
        let (segment, mask) = split_root(
            self.shared
                .root_at_position(cursor.0)
                .load(Ordering::Relaxed),
        );
        let ask_for = |index| self.visit(segment, index, |loc, _| self.prefetch_block(loc));
        ask_for(0);
        for index in 0..=mask {
            // A bucket ahead, or the lock would be held for as long as each entry in turn takes to come.
            ask_for(usize::min(index + 1, mask));
            self.visit(segment, index, |loc, meta| {
                let block = self.block(loc).expect("visited slots are taken");
                let position: Position = self.shared.position(hash_of(block));
                // After a merge, the segment holds entries that an earlier call has yielded.
                if position.bits() >= cursor.0 {
                    see(block.acquire(), meta);
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

    /// Takes all entries out, at the end of the table.
    pub(crate) fn drain(&mut self, out: &mut Vec<Block>) {
        let mut previous = ptr::null_mut();
        for root in &self.shared.directory().roots {
            let (segment, mask) = split_root(root.load(Ordering::Relaxed));
            if segment == std::mem::replace(&mut previous, segment) {
                continue;
            }
            for index in 0..=mask {
                for slot in &self.bucket(segment, index).slots {
                    let word = slot.swap(ptr::null_mut(), Ordering::SeqCst);
                    // SAFETY: as in `replace`.
                    out.extend(
                        NonNull::new(address_of(word)).map(|raw| unsafe { Block::from_raw(raw) }),
                    );
                }
            }
        }
        self.table.len = 0;
        self.table.counts.fill(0);
    }
}
