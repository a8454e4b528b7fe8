//! The writer's side of the table: everything here runs under the stripe's lock.

use std::ops::Range;
use std::ptr::{self, NonNull};

use super::{
    Bucket, Header, LOW_BITS, Loc, SEGMENT_LOG2_MAX, Segment, Shared, Table, address_of, bucket_at,
    match_bytes, meta_of, overflow_of, pack, split_root,
};
use crate::entry::{Block, BlockRef, Probe};
use crate::hash::KeyHash;
use crate::sync::atomic::{AtomicPtr, Ordering};

/// The overflow count sticks at its highest value, which then means "many".
const OVERFLOW_STUCK: u64 = 255;

/// One writer's access to the table, for as long as it holds the lock.
pub(crate) struct Writer<'a> {
    pub(super) shared: &'a Shared,
    pub(super) table: &'a mut Table,
}

impl Writer<'_> {
    /// Where the entry of a key is linked, whether it holds a value or not.
    #[inline]
    pub(crate) fn find(&self, hash: KeyHash, probe: &Probe<'_>) -> Option<Loc> {
        self.search(hash, |block| block.is_of(probe))
    }

    /// Where the entry with this wheel record is linked.
    pub(crate) fn find_token(&self, hash: KeyHash, token: u32) -> Option<Loc> {
        self.search(hash, |block| block.token() == token)
    }

    /// Where the entry with this record among its like is linked.
    pub(crate) fn find_member(&self, hash: KeyHash, token: u32) -> Option<Loc> {
        self.search(hash, |block| {
            block.member().is_some_and(|member| member.at().0 == token)
        })
    }

    /// Where the entry of this version is linked.
    pub(crate) fn find_version(&self, hash: KeyHash, version: u64) -> Option<Loc> {
        self.search(hash, |block| block.version() == version)
    }

    /// Where this very entry is linked.
    pub(crate) fn find_block(&self, hash: KeyHash, block: BlockRef<'_>) -> Option<Loc> {
        self.search(hash, |other| ptr::eq(other.as_ptr(), block.as_ptr()))
    }

    #[inline]
    fn search(&self, hash: KeyHash, is_it: impl Fn(BlockRef<'_>) -> bool) -> Option<Loc> {
        let (segment, mask) = self.segment_of(hash);
        let pattern = LOW_BITS * u64::from(hash.tag());
        let home = hash.bucket() & mask;
        let mut index = home;
        loop {
            let bucket = self.bucket(segment, index);
            let tags = bucket.tags.load(Ordering::Relaxed);
            let mut matches = match_bytes(tags, pattern);
            while matches != 0 {
                let slot = matches.trailing_zeros() / 8;
                matches &= matches - 1;
                let loc = Loc::new(segment, index, slot);
                if self.block(loc).is_some_and(&is_it) {
                    return Some(loc);
                }
            }
            index = (index + hash.stride()) & mask;
            if overflow_of(tags) == 0 || index == home {
                return None;
            }
        }
    }

    /// Asks the processor for the first entry in a hash's bucket that may be of that hash.
    pub(crate) fn prefetch_like(&self, hash: KeyHash) {
        let (segment, mask) = self.segment_of(hash);
        let index = hash.bucket() & mask;
        let tags = self.bucket(segment, index).tags.load(Ordering::Relaxed);
        let matches = match_bytes(tags, LOW_BITS * u64::from(hash.tag()));
        if matches != 0 {
            self.prefetch_block(Loc::new(segment, index, matches.trailing_zeros() / 8));
        }
    }

    /// The entry that is linked at `loc`, if any.
    #[inline(always)]
    pub(crate) fn block(&self, loc: Loc) -> Option<BlockRef<'_>> {
        self.block_of(self.slot(loc).load(Ordering::Relaxed))
    }

    /// The entry of a word that was found in a slot, if any.
    #[inline(always)]
    pub(super) fn block_of(&self, word: *mut Header) -> Option<BlockRef<'_>> {
        // SAFETY: what is linked holds the cache's count, and the borrow of `self` keeps it linked (E3).
        NonNull::new(address_of(word)).map(|raw| unsafe { BlockRef::new(raw) })
    }

    #[inline(always)]
    pub(crate) fn meta(&self, loc: Loc) -> u32 {
        meta_of(self.slot(loc).load(Ordering::Relaxed))
    }

    /// Sets the metadata, whatever readers do to them at the same time.
    pub(crate) fn set_meta(&mut self, loc: Loc, meta: u32) {
        let slot = self.slot(loc);
        let mut word = slot.load(Ordering::Relaxed);
        // Readers change a word once a tick at most (T6), so that this ends.
        while let Err(other) = slot.compare_exchange(
            word,
            pack(address_of(word), meta),
            Ordering::Relaxed,
            Ordering::Relaxed,
        ) {
            word = other;
        }
    }

    /// Puts a block in the place of another one of the same key, whose count is handed out.
    pub(crate) fn replace(&mut self, loc: Loc, block: Block, meta: u32) -> Block {
        let old = self.put_word(loc, pack(block.into_raw(), meta));
        // SAFETY: the count that went in with `into_raw` comes out with the unlinking, once.
        unsafe { Block::from_raw(old) }
    }

    /// Takes an entry out; its count is handed out.
    pub(crate) fn unlink(&mut self, loc: Loc, hash: KeyHash) -> Block {
        let (segment, mask) = self.segment_of(hash);
        debug_assert!(
            loc.index_in(segment) <= mask,
            "an entry is where its hash says"
        );
        let block = self.clear(segment, mask, loc, hash);
        self.count(hash, -1);
        // SAFETY: as in `replace`.
        unsafe { Block::from_raw(block) }
    }

    /// Empties a slot of a segment.
    pub(super) fn clear(
        &self,
        segment: *mut Segment,
        mask: usize,
        loc: Loc,
        hash: KeyHash,
    ) -> NonNull<Header> {
        let bucket = self.bucket_of(loc);
        // The tag goes after it (T2).
        let old = self.put_word(loc, ptr::null_mut());
        let tags = bucket.tags.load(Ordering::Relaxed) & !(0xff << (8 * loc.slot()));
        // Release: pairs with the acquire of a reader; who sees the tag gone sees the slot empty.
        bucket.tags.store(tags, Ordering::Release);
        let (mut passed, index) = (hash.bucket() & mask, loc.index_in(segment));
        while passed != index {
            self.change_overflow(segment, passed, false);
            passed = (passed + hash.stride()) & mask;
        }
        old
    }

    /// Puts a word in the place of a linked entry's, which is unlinked by that: its address. A plain store, since readers change no
    /// address in a slot (T6), and what they change besides goes with the entry.
    #[inline(always)]
    fn put_word(&self, loc: Loc, word: *mut Header) -> NonNull<Header> {
        let slot = self.slot(loc);
        let old = slot.load(Ordering::Relaxed);
        // Release: pairs with the acquire of a reader, who sees a new entry whole. The look at the hazards comes after the full barrier of
        // `heavy`, and so after this, in all forms.
        slot.store(word, Ordering::Release);
        NonNull::new(address_of(old)).expect("what is unlinked was linked")
    }

    /// Counts an entry that comes or goes.
    #[inline(always)]
    pub(super) fn count(&mut self, hash: KeyHash, by: i32) {
        let index = self.shared.directory().index(hash);
        // T5: the latest directory is the one that the counts belong to.
        self.table.counts[index] += by;
        self.table.len = self.table.len.wrapping_add_signed(by as isize);
    }

    /// The entries of the segment behind these roots (T7).
    pub(super) fn count_of(&self, roots: Range<usize>) -> usize {
        let n: i32 = self.table.counts[roots].iter().sum();
        debug_assert!(n >= 0, "T7");
        n as usize
    }

    pub(super) fn change_overflow(&self, segment: *mut Segment, index: usize, up: bool) {
        let bucket = self.bucket(segment, index);
        let tags = bucket.tags.load(Ordering::Relaxed);
        if overflow_of(tags) != OVERFLOW_STUCK {
            let one = 1 << 56;
            // Release: pairs with the acquire of a reader, for whom a passed bucket's count must not lag behind.
            bucket
                .tags
                .store(if up { tags + one } else { tags - one }, Ordering::Release);
        }
    }

    /// An entry of the segment where this key belongs, which is not empty.
    pub(crate) fn first_of(&self, hash: KeyHash) -> Loc {
        let (segment, mask) = self.segment_of(hash);
        let mut first = None;
        for index in 0..=mask {
            self.visit(segment, index, |loc, _| first = first.or(Some(loc)));
        }
        first.expect("a crowded segment has entries")
    }

    #[inline(always)]
    pub(super) fn segment_of(&self, hash: KeyHash) -> (*mut Segment, usize) {
        split_root(self.shared.way(hash).tagged)
    }

    pub(super) fn head(&self, segment: *mut Segment) -> &Segment {
        // SAFETY: the callers pass segments of the directory, or locations in them, which only a writer replaces.
        unsafe { &*segment }
    }

    pub(super) fn bucket(&self, segment: *mut Segment, index: usize) -> &Bucket {
        debug_assert!(index < 1 << self.head(segment).log2);
        debug_assert!(self.head(segment).log2 <= SEGMENT_LOG2_MAX);
        // SAFETY: as `head`; the index is masked by the segment's size.
        unsafe { &*bucket_at(segment, index) }
    }

    pub(super) fn bucket_of(&self, loc: Loc) -> &Bucket {
        // SAFETY: the callers pass locations that are valid, in segments that only a writer replaces.
        unsafe { loc.bucket().as_ref() }
    }

    pub(super) fn slot(&self, loc: Loc) -> &AtomicPtr<Header> {
        // SAFETY: as in `bucket_of`.
        unsafe { loc.0.as_ref() }
    }
}

impl Shared {
    pub(super) fn root_at_position(&self, position: u64) -> &AtomicPtr<Segment> {
        let directory = self.directory();
        let index = if directory.depth == 0 {
            0
        } else {
            (position >> (64 - directory.depth)) as usize
        };
        &directory.roots[index]
    }
}
