//! Growth and shrinking, a segment at a time.

use std::ops::Range;
use std::ptr::{self, NonNull};

use super::owned::{counts_bytes, directory_bytes};
use super::{
    Directory, RetiredSegment, SEGMENT_LOG2_MAX, SLOTS, Segment, Writer, address_of, match_bytes,
    split_root,
};
use crate::entry::{BlockRef, Header};
use crate::hash::KeyHash;
use crate::sync::atomic::Ordering;
use crate::sync::prefetch;

/// A directory may be this much deeper than its number of segments explains; beyond, the keys' hashes agree by intent
/// or by a miracle, and splitting would only eat memory.
const SPARE_DEPTH: u32 = 4;

/// A segment of full size splits when more than 6 of 7 slots are taken.
fn limit(log2: u32) -> usize {
    if log2 == 0 {
        SLOTS
    } else {
        (SLOTS - 1) << log2
    }
}

/// Two neighbours merge when they'd fill less than a third of one.
pub(super) const MERGE_BELOW: usize = (SLOTS << SEGMENT_LOG2_MAX) / 3;

/// Finds an entry's hash again.
pub(crate) trait HashOf: Fn(BlockRef<'_>) -> KeyHash + Copy {}

impl<F: Fn(BlockRef<'_>) -> KeyHash + Copy> HashOf for F {}

impl Writer<'_> {
    /// The bytes that `grow` would allocate before this key is linked; 0: there is room.
    pub(crate) fn growth_bytes(&self, hash: KeyHash) -> u64 {
        let (segment, mask) = self.segment_of(hash);
        let home = self
            .bucket(segment, hash.bucket() & mask)
            .tags
            .load(Ordering::Relaxed);
        // A key that finds a place at home needs no growth; so the segment's head is looked at by few inserts.
        if match_bytes(home, 0) != 0 {
            return 0;
        }
        let head = self.head(segment);
        let depth = head.depth.load(Ordering::Relaxed);
        let directory = self.shared.directory();
        let n = if depth == directory.depth {
            // A lone root's count is that of its segment, and not below zero.
            let n = self.table.counts[directory.index(hash)];
            debug_assert!(n >= 0, "T7");
            n as usize
        } else {
            self.count_of(self.roots_of(self.shared.position(hash).bits(), depth))
        };
        if n < limit(head.log2) {
            return 0;
        }
        if head.log2 < SEGMENT_LOG2_MAX {
            return Segment::bytes(next_log2(head.log2));
        }
        if !self.may_split(segment) {
            return 0;
        }
        let doubling = if depth == self.shared.directory().depth {
            directory_bytes(depth + 1) + counts_bytes(depth + 1)
        } else {
            0
        };
        2 * Segment::bytes(SEGMENT_LOG2_MAX) + doubling
    }

    fn may_split(&self, segment: *mut Segment) -> bool {
        let deepest = usize::BITS - self.table.n_segments.leading_zeros() + SPARE_DEPTH;
        self.head(segment).depth.load(Ordering::Relaxed) < deepest
    }

    /// Makes room where this key belongs: a larger segment, or a split one. What is replaced goes into `retired`.
    /// Where the allocator refuses, nothing changes, and the key takes what places are left.
    pub(crate) fn grow(
        &mut self,
        hash: KeyHash,
        hash_of: impl HashOf,
        retired: &mut Vec<RetiredSegment>,
    ) {
        let (segment, _) = self.segment_of(hash);
        if self.head(segment).log2 < SEGMENT_LOG2_MAX {
            self.enlarge(hash, hash_of, retired);
        } else if self.may_split(segment) {
            self.split(hash, hash_of, retired);
        }
    }

    /// Puts a larger segment in the place of a small one.
    fn enlarge(&mut self, hash: KeyHash, hash_of: impl HashOf, retired: &mut Vec<RetiredSegment>) {
        let (old, mask) = self.segment_of(hash);
        let head = self.head(old);
        let (log2, depth) = (head.log2, head.depth.load(Ordering::Relaxed));
        let Some(new) = Segment::try_new(next_log2(log2), depth) else {
            return;
        };
        for index in 0..=mask {
            self.copy_bucket(old, index, |_| split_root(new), hash_of);
        }
        // Release: the copies are seen whole. Readers of the old segment find it stale (T4).
        self.store_roots(hash, depth, new);
        self.table.bytes =
            self.table.bytes + Segment::bytes(next_log2(log2)) - Segment::bytes(log2);
        self.retire(old, retired);
    }

    /// Asks the processor for what tells the hashes of a bucket's entries.
    fn prefetch_hashes(&self, segment: *mut Segment, index: usize) {
        for word in &self.bucket(segment, index).slots {
            let block = address_of(word.load(Ordering::Relaxed));
            prefetch(block.wrapping_byte_add(size_of::<Header>() - 1));
        }
    }

    /// Copies the entries of one bucket, each into the segment that it belongs to.
    fn copy_bucket(
        &self,
        from: *mut Segment,
        index: usize,
        mut to: impl FnMut(KeyHash) -> (*mut Segment, usize),
        hash_of: impl HashOf,
    ) {
        for slot in &self.bucket(from, index).slots {
            let word = slot.load(Ordering::Relaxed);
            let Some(block) = self.block_of(word) else {
                continue;
            };
            let hash = hash_of(block);
            let (to, mask) = to(hash);
            // The cache's one count, once more: it stands for both segments, of which the old one is given up.
            let filled = self.fill(to, mask, hash, word);
            assert!(filled.is_some(), "a larger or emptier segment has room");
        }
    }

    /// Puts two segments in the place of a full one, each for half of its positions. Both are new, so that every entry lies where it
    /// belongs as if it had just come: in a segment that was full, many found their bucket full, and whoever looks for those, or for
    /// what is absent, has to pass on.
    fn split(&mut self, hash: KeyHash, hash_of: impl HashOf, retired: &mut Vec<RetiredSegment>) {
        let (old, mask) = self.segment_of(hash);
        let depth = self.head(old).depth.load(Ordering::Relaxed);
        let Some(halves) = Segment::try_new_pair(SEGMENT_LOG2_MAX, depth + 1) else {
            return;
        };
        if depth == self.shared.directory().depth {
            self.double_directory();
        }
        // The second takes the upper half: positions whose bit number `depth` from the top is one.
        let upper = 1u64 << (63 - depth);
        let skip_bits = self.shared.skip_bits;
        let segments = halves.map(|half| split_root(half).0);
        let n = self.count_of(self.roots_of(self.shared.position(hash).bits(), depth));
        let mut n_upper = 0;
        self.prefetch_hashes(old, 0);
        for index in 0..=mask {
            // A bucket ahead, since their hashes are in the entries.
            self.prefetch_hashes(old, usize::min(index + 1, mask));
            self.copy_bucket(
                old,
                index,
                |hash| {
                    let half = usize::from(hash.at_position(skip_bits, upper) != 0);
                    n_upper += half;
                    (segments[half], mask)
                },
                hash_of,
            );
        }
        let lower = self.shared.position(hash).bits() & !(u64::MAX >> depth);
        for (at, (half, n)) in [lower, lower | upper]
            .into_iter()
            .zip(halves.into_iter().zip([n - n_upper, n_upper]))
        {
            // Readers of the old segment find another one in the directory, and start again (T4).
            self.store_roots_at(at, depth + 1, half);
            self.recount(at, depth + 1, n);
        }
        self.table.n_segments += 1;
        self.table.bytes += Segment::bytes(SEGMENT_LOG2_MAX);
        self.retire(old, retired);
    }

    /// Files a segment that no root names any more.
    fn retire(&mut self, segment: *mut Segment, retired: &mut Vec<RetiredSegment>) {
        self.table.retirements += 1;
        let segment = NonNull::new(segment).expect("a root is never null");
        retired.push(RetiredSegment(segment));
    }

    /// Whether `shrink` may have something to do: not while this key's root alone has entries enough.
    #[inline(always)]
    pub(crate) fn may_shrink(&self, hash: KeyHash) -> bool {
        let index = self.shared.directory().index(hash);
        self.table.counts[index] <= MERGE_BELOW as i32
    }

    /// Merges the segment of this key with its neighbour if both are nearly empty. True if it did.
    pub(crate) fn shrink(
        &mut self,
        hash: KeyHash,
        hash_of: impl HashOf,
        retired: &mut Vec<RetiredSegment>,
    ) -> bool {
        let (segment, _) = self.segment_of(hash);
        let head = self.head(segment);
        let depth = head.depth.load(Ordering::Relaxed);
        let position = self.shared.position(hash).bits();
        // The neighbour's head is another line, so it's looked at only where it could matter.
        if depth == 0 || self.count_of(self.roots_of(position, depth)) > MERGE_BELOW {
            return false;
        }
        let bit = 1u64 << (64 - depth);
        let lower = position & !(u64::MAX >> (depth - 1));
        let roots =
            [lower, lower | bit].map(|at| self.shared.root_at_position(at).load(Ordering::Relaxed));
        // The upper one stays. Other segments are new when roots come to name them, so a root that has left a segment never comes
        // back to it: a reader that finds its root unchanged has looked at the right segment all the time (T4).
        let [(from, mask), (into, _)] = roots.map(split_root);
        let [from_head, into_head] = [from, into].map(|segment| self.head(segment));
        if into_head.depth.load(Ordering::Relaxed) != from_head.depth.load(Ordering::Relaxed)
            || self.count_of(self.roots_of(lower, depth - 1)) > MERGE_BELOW
        {
            return false;
        }
        for index in 0..=mask {
            // Readers of the upper segment may see these; a full comparison of keys makes that harmless.
            self.copy_bucket(from, index, |_| split_root(roots[1]), hash_of);
        }
        into_head.depth.store(depth - 1, Ordering::Relaxed);
        self.store_roots_at(lower, depth - 1, roots[1]);
        self.table.n_segments -= 1;
        self.table.bytes -= Segment::bytes(self.head(from).log2);
        self.retire(from, retired);
        true
    }

    /// Merges the next two segments that are both nearly empty, whatever their keys. True if there were any among so many roots.
    pub(crate) fn shrink_next(
        &mut self,
        n_roots_max: usize,
        hash_of: impl HashOf,
        retired: &mut Vec<RetiredSegment>,
    ) -> bool {
        let directory = self.shared.directory();
        let mut n_passed = 0;
        while n_passed < n_roots_max.min(directory.roots.len()) {
            let index = self.table.merged & directory.mask;
            let hash = KeyHash::from_bits((index as u64) << directory.shift);
            // What was merged may be merged again.
            if self.shrink(hash, hash_of, retired) {
                return true;
            }
            // On behind all roots of the segment, each of which would give the same answer.
            let (segment, _) = self.segment_of(hash);
            let depth = self.head(segment).depth.load(Ordering::Relaxed);
            let roots = self.roots_of(self.shared.position(hash).bits(), depth);
            n_passed += roots.end - index;
            self.table.merged = roots.end;
        }
        false
    }

    /// Whether segments hold so little on average that some could be merged.
    pub(crate) fn is_sparse(&self) -> bool {
        self.table.n_segments > 1 && self.table.len < self.table.n_segments * MERGE_BELOW / 2
    }

    fn double_directory(&mut self) {
        let old = self.shared.directory();
        let depth = old.depth + 1;
        let new = Directory::boxed(self.shared.skip_bits, depth, |index| {
            old.roots[index >> 1].load(Ordering::Relaxed)
        });
        // Release: pairs with the acquire in `way`, so that it is seen whole.
        self.shared.directory.store(new.as_ptr(), Ordering::Release);
        for root in &old.roots {
            // SeqCst: in order with the loads in `is_current`; what follows can change a segment (T5).
            root.store(ptr::null_mut(), Ordering::SeqCst);
        }
        self.table.directories.push(new);
        self.table.bytes += directory_bytes(depth) + counts_bytes(depth) - counts_bytes(depth - 1);
        // All that came by a root stays with the first of its two.
        let counts = self.table.counts.iter().flat_map(|&n| [n, 0]).collect();
        self.table.counts = counts;
    }

    fn store_roots(&self, hash: KeyHash, depth: u32, tagged: *mut Segment) {
        self.store_roots_at(self.shared.position(hash).bits(), depth, tagged);
    }

    /// Makes all roots of the range of `2^(64 - depth)` positions around `position` name one segment.
    fn store_roots_at(&self, position: u64, depth: u32, tagged: *mut Segment) {
        let roots = self.roots_of(position, depth);
        for root in &self.shared.directory().roots[roots] {
            // SeqCst: release, so that the segment is seen whole; and in order with the loads in `is_current`.
            root.store(tagged, Ordering::SeqCst);
        }
    }

    /// The roots of the range of `2^(64 - depth)` positions around `position`, which is that of a segment of this depth.
    fn roots_of(&self, position: u64, depth: u32) -> Range<usize> {
        let spread = self.shared.directory().depth - depth;
        let first = if depth == 0 {
            0
        } else {
            ((position >> (64 - depth)) as usize) << spread
        };
        first..first + (1 << spread)
    }

    /// Notes how many entries a segment has, which was split.
    fn recount(&mut self, position: u64, depth: u32, n: usize) {
        let roots = self.roots_of(position, depth);
        let counts = &mut self.table.counts[roots];
        counts.fill(0);
        counts[0] = n as i32;
    }
}

/// Small segments grow by fours, so that a stripe reaches full size in three steps.
fn next_log2(log2: u32) -> u32 {
    (log2 + 2).min(SEGMENT_LOG2_MAX)
}
