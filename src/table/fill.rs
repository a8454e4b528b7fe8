//! Slots for keys that are absent.
//!
//! # Idea         the look that finds a key absent knows where it belongs; the next free slot of its probe sequence if that bucket is full
//! # Costs        a line; further ones where buckets are full
//! # Invariants   T2, T3
//! # Not here     growth: `grow`; leaving: `writer`

use std::ptr::NonNull;

use super::{Header, LOW_BITS, Loc, Segment, Writer, match_bytes, overflow_of, pack, split_root};
use crate::entry::{Block, Probe};
use crate::hash::KeyHash;
use crate::sync::atomic::Ordering;

/// No place in a whole segment, and splitting would not help: every slot of it is taken by keys whose hashes agree.
#[derive(Debug)]
pub(crate) struct Crowded(pub(crate) Block);

/// A bucket where an absent key belongs, with a free slot, as long as no segment is retired, and nothing linked.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Vacancy {
    segment: *mut Segment,
    index: usize,
    /// Its tags, and which of its slots are free.
    tags: u64,
    free: u64,
    /// Which root names the segment.
    root: usize,
    retirements: u64,
}

impl Writer<'_> {
    /// Where the entry of a key is linked, as `find`, and a free slot for the key, if there is one where it belongs: one look at one line, for most keys that are absent.
    #[inline(always)]
    pub(crate) fn seek<'k>(
        &self,
        hash: KeyHash,
        probe: impl FnOnce() -> Probe<'k>,
    ) -> (Option<Loc>, Option<Vacancy>) {
        let way = self.shared.way(hash);
        let (segment, mask) = split_root(way.tagged);
        let index = hash.bucket() & mask;
        let tags = self.bucket(segment, index).tags.load(Ordering::Relaxed);
        let may_be_there = match_bytes(tags, LOW_BITS * u64::from(hash.tag())) != 0;
        let present = if may_be_there || overflow_of(tags) != 0 {
            self.find(hash, &probe())
        } else {
            None
        };
        let free = match_bytes(tags, 0);
        let vacancy = (free != 0).then_some(Vacancy {
            segment,
            index,
            tags,
            free,
            root: way.index,
            retirements: self.table.retirements,
        });
        (present, vacancy)
    }

    /// Links a block whose key is absent into a bucket where `seek` found a free slot for it; the block comes back if that may be so no
    /// more.
    #[inline(always)]
    pub(crate) fn link_at(
        &mut self,
        mut vacancy: Vacancy,
        hash: KeyHash,
        block: Block,
        meta: u32,
    ) -> Result<Loc, Block> {
        // Entries come and go in between where room had to be made, and with them segments.
        if vacancy.retirements != self.table.retirements {
            return Err(block);
        }
        let bucket = self.bucket(vacancy.segment, vacancy.index);
        vacancy.tags = bucket.tags.load(Ordering::Relaxed);
        vacancy.free = match_bytes(vacancy.tags, 0);
        if vacancy.free == 0 {
            return Err(block);
        }
        Ok(self.link_in(vacancy, hash, block, meta))
    }

    /// The same where nothing was linked or unlinked since `seek`.
    #[inline(always)]
    pub(crate) fn link_in(
        &mut self,
        vacancy: Vacancy,
        hash: KeyHash,
        block: Block,
        meta: u32,
    ) -> Loc {
        let Vacancy {
            segment,
            index,
            tags,
            free,
            root,
            retirements,
        } = vacancy;
        debug_assert_eq!(retirements, self.table.retirements);
        debug_assert_eq!(
            tags,
            self.bucket(segment, index).tags.load(Ordering::Relaxed)
        );
        let word = pack(block.into_raw(), meta);
        let loc = self.fill_slot(segment, index, free, tags, hash, word);
        self.table.counts[root] += 1;
        self.table.len += 1;
        loc
    }

    /// Links a block whose key is absent. The caller made room by `grow` where `growth_bytes` asked for it.
    #[inline]
    pub(crate) fn link(&mut self, hash: KeyHash, block: Block, meta: u32) -> Result<Loc, Crowded> {
        let (segment, mask) = self.segment_of(hash);
        let raw = block.into_raw();
        let Some(loc) = self.fill(segment, mask, hash, pack(raw, meta)) else {
            let raw = NonNull::new(raw).expect("a block is never null");
            // SAFETY: its count went into no slot.
            return Err(Crowded(unsafe { Block::from_raw(raw) }));
        };
        self.count(hash, 1);
        Ok(loc)
    }

    /// Puts a word into the first free slot of its key's probe sequence, if there is one.
    #[inline(always)]
    pub(super) fn fill(
        &self,
        segment: *mut Segment,
        mask: usize,
        hash: KeyHash,
        word: *mut Header,
    ) -> Option<Loc> {
        let home = hash.bucket() & mask;
        let tags = self.bucket(segment, home).tags.load(Ordering::Relaxed);
        let free = match_bytes(tags, 0);
        if free == 0 {
            return self.fill_beyond(segment, mask, hash, word);
        }
        Some(self.fill_slot(segment, home, free, tags, hash, word))
    }

    /// The same, where the key's first bucket is full.
    #[inline(never)]
    fn fill_beyond(
        &self,
        segment: *mut Segment,
        mask: usize,
        hash: KeyHash,
        word: *mut Header,
    ) -> Option<Loc> {
        let home = hash.bucket() & mask;
        let mut index = home;
        for _ in 0..mask {
            index = (index + hash.stride()) & mask;
            let bucket = self.bucket(segment, index);
            let tags = bucket.tags.load(Ordering::Relaxed);
            let free = match_bytes(tags, 0);
            if free == 0 {
                continue;
            }
            // Those who are passed say so first, so that no reader stops short of the entry (T3).
            let mut passed = home;
            while passed != index {
                self.change_overflow(segment, passed, true);
                passed = (passed + hash.stride()) & mask;
            }
            return Some(self.fill_slot(segment, index, free, tags, hash, word));
        }
        None
    }

    /// Puts a word into the first free slot of a bucket with these tags.
    #[inline(always)]
    fn fill_slot(
        &self,
        segment: *mut Segment,
        index: usize,
        free: u64,
        tags: u64,
        hash: KeyHash,
        word: *mut Header,
    ) -> Loc {
        let slot = free.trailing_zeros() / 8;
        let tag = u64::from(hash.tag()) << (8 * slot);
        let bucket = self.bucket(segment, index);
        bucket.tags.store(tags | tag, Ordering::Relaxed);
        let loc = Loc::new(segment, index, slot);
        // Release: pairs with the acquire of a reader; key, value, tag and overflow counts are seen (T2).
        self.slot(loc).store(word, Ordering::Release);
        loc
    }
}
