//! The writer's side of the table: everything here runs under the stripe's lock.

use std::ptr::{self, NonNull};

use super::sample::Step;
use super::{
    Bucket, Directory, LOW_BITS, RetiredSegment, SEGMENT_LOG2_MAX, Segment, Shared, address_of,
    bucket_at, match_bytes, meta_of, overflow_of, pack, split_root,
};
use crate::entry::{Block, BlockRef, Probe};
use crate::hash::KeyHash;
use crate::sync::atomic::{AtomicPtr, Ordering};

/// The overflow count sticks at its highest value, which then means "many".
const OVERFLOW_STUCK: u64 = 255;

/// No place in a whole segment, and splitting would not help: every slot of it is taken by keys whose hashes agree.
#[derive(Debug)]
pub(crate) struct Crowded(pub(crate) Block);

/// Where an entry is linked; valid until its segment grows or the entry is unlinked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Loc {
    pub(super) segment: *mut Segment,
    pub(super) bucket: u32,
    pub(super) slot: u32,
}

impl Loc {
    /// No location; for filling arrays.
    pub(crate) const NOWHERE: Loc = Loc {
        segment: ptr::null_mut(),
        bucket: 0,
        slot: 0,
    };
}

// SAFETY: a location is an address that only `Writer` looks behind, under the lock, while it is valid.
unsafe impl Send for Loc {}

/// What the lock protects of the table.
pub(crate) struct Table {
    pub(super) directories: Vec<NonNull<Directory>>,
    pub(super) n_segments: usize,
    pub(super) bytes: u64,
    pub(super) len: usize,
    pub(super) retirements: u64,
    /// The bucket that `sweep` visits next.
    pub(super) swept: Step,
    /// The bucket that `sample` visits next.
    pub(super) sampled: Step,
}

// SAFETY: the directories are owned by the table and shared with readers through atomics alone.
unsafe impl Send for Table {}

impl Table {
    /// A table and what readers need of it. `skip_bits` are the hash's top bits that chose the stripe.
    pub(crate) fn new(skip_bits: u32) -> (Shared, Table) {
        let root = Segment::new(0, 0);
        let directory = Directory::boxed(skip_bits, 0, |_| root);
        let bytes = Segment::bytes(0) + directory_bytes(0);
        let shared = Shared {
            directory: AtomicPtr::new(directory.as_ptr()),
            skip_bits,
        };
        let table = Table {
            directories: vec![directory],
            n_segments: 1,
            bytes,
            len: 0,
            retirements: 0,
            swept: Step::default(),
            sampled: Step::default(),
        };
        (shared, table)
    }

    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// How many segments were retired: a location that was noted before the latest may be gone.
    pub(crate) fn retirements(&self) -> u64 {
        self.retirements
    }

    /// Buckets of all segments, as if each had full size.
    pub(crate) fn n_buckets(&self) -> usize {
        self.n_segments << SEGMENT_LOG2_MAX
    }

    /// Bytes of segments and directories, without what is retired.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The two halves together.
    pub(crate) fn writer<'a>(&'a mut self, shared: &'a Shared) -> Writer<'a> {
        debug_assert!(
            self.directories
                .last()
                .is_some_and(|latest| ptr::eq(latest.as_ptr(), shared.directory())),
            "a table is used with its own shared half"
        );
        Writer {
            shared,
            table: self,
        }
    }
}

impl Drop for Table {
    /// Frees segments and directories; entries were drained before, or leak. The store drops both halves of a table
    /// together, after its last reader has ended.
    fn drop(&mut self) {
        let Some(latest) = self.directories.last() else {
            return;
        };
        // SAFETY: alive until freed below.
        let latest = unsafe { latest.as_ref() };
        let mut previous = ptr::null_mut();
        for root in &latest.roots {
            let (segment, _) = split_root(root.load(Ordering::Relaxed));
            if segment != previous {
                previous = segment;
                let segment = NonNull::new(segment).expect("a root is never null");
                // SAFETY: the roots of one segment stand side by side, so each is freed once; no reader is left.
                unsafe { RetiredSegment(segment).free() };
            }
        }
        for directory in self.directories.drain(..) {
            // SAFETY: each came from `Box::leak` in `Directory::boxed`, and no reader is left.
            drop(unsafe { Box::from_raw(directory.as_ptr()) });
        }
    }
}

impl Directory {
    pub(super) fn boxed(
        skip_bits: u32,
        depth: u32,
        root: impl Fn(usize) -> *mut Segment,
    ) -> NonNull<Directory> {
        let roots = (0..1usize << depth)
            .map(|index| AtomicPtr::new(root(index)))
            .collect();
        NonNull::from(Box::leak(Box::new(Directory {
            depth,
            shift: (64 - skip_bits - depth).min(63),
            mask: (1 << depth) - 1,
            roots,
        })))
    }
}

pub(super) fn directory_bytes(depth: u32) -> u64 {
    (8u64 << depth) + 64
}

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
                let loc = Loc {
                    segment,
                    bucket: index as u32,
                    slot,
                };
                if self.block(loc).is_some_and(&is_it) {
                    return Some(loc);
                }
            }
            index = (index + 1) & mask;
            if overflow_of(tags) == 0 || index == home {
                return None;
            }
        }
    }

    /// The entry that is linked at `loc`, if any.
    pub(crate) fn block(&self, loc: Loc) -> Option<BlockRef<'_>> {
        let word = self.slot(loc).load(Ordering::Relaxed);
        // SAFETY: what is linked holds the cache's count, and the borrow of `self` keeps it linked (E3).
        NonNull::new(address_of(word)).map(|raw| unsafe { BlockRef::new(raw) })
    }

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

    /// Links a block whose key is absent. The caller made room by `grow` where `growth_bytes` asked for it.
    pub(crate) fn link(&mut self, hash: KeyHash, block: Block, meta: u32) -> Result<Loc, Crowded> {
        let (segment, mask) = self.segment_of(hash);
        let loc = self.fill(segment, mask, hash, block, meta)?;
        self.table.len += 1;
        Ok(loc)
    }

    /// Puts a block into the first free slot of its probe sequence.
    pub(super) fn fill(
        &self,
        segment: *mut Segment,
        mask: usize,
        hash: KeyHash,
        block: Block,
        meta: u32,
    ) -> Result<Loc, Crowded> {
        let home = hash.bucket() & mask;
        for distance in 0..=mask {
            let index = (home + distance) & mask;
            let bucket = self.bucket(segment, index);
            let tags = bucket.tags.load(Ordering::Relaxed);
            let free = match_bytes(tags, 0);
            if free == 0 {
                continue;
            }
            let slot = free.trailing_zeros() / 8;
            // Those who are passed say so first, so that no reader stops short of the entry (T3).
            for passed in 0..distance {
                self.change_overflow(segment, (home + passed) & mask, true);
            }
            bucket.tags.store(
                tags | u64::from(hash.tag()) << (8 * slot),
                Ordering::Relaxed,
            );
            let word = pack(block.into_raw(), meta);
            // Release: pairs with the acquire of a reader; key, value, tag and overflow counts are seen (T2).
            bucket.slots[slot as usize].store(word, Ordering::Release);
            self.count(segment, 1);
            return Ok(Loc {
                segment,
                bucket: index as u32,
                slot,
            });
        }
        Err(Crowded(block))
    }

    /// Puts a block in the place of another one of the same key, whose count is handed out.
    pub(crate) fn replace(&mut self, loc: Loc, block: Block, meta: u32) -> Block {
        // SeqCst: release, so that the new entry is seen whole; and the old one's unlinking comes before the look at
        // the hazards, in the swap form too.
        let old = self
            .slot(loc)
            .swap(pack(block.into_raw(), meta), Ordering::SeqCst);
        let old = NonNull::new(address_of(old)).expect("what is replaced was linked");
        // SAFETY: the count that went in with `into_raw` comes out with the unlinking, once.
        unsafe { Block::from_raw(old) }
    }

    /// Takes an entry out; its count is handed out.
    pub(crate) fn unlink(&mut self, loc: Loc, hash: KeyHash) -> Block {
        let block = self.clear(loc, hash);
        self.table.len -= 1;
        // SAFETY: as in `replace`.
        unsafe { Block::from_raw(block) }
    }

    pub(super) fn clear(&self, loc: Loc, hash: KeyHash) -> NonNull<super::Header> {
        let index = loc.bucket as usize;
        let bucket = self.bucket(loc.segment, index);
        // SeqCst: the unlinking comes before the look at the hazards. The tag goes after it (T2).
        let old = bucket.slots[loc.slot as usize].swap(ptr::null_mut(), Ordering::SeqCst);
        let tags = bucket.tags.load(Ordering::Relaxed) & !(0xff << (8 * loc.slot));
        // Release: pairs with the acquire of a reader; who sees the tag gone sees the slot empty.
        bucket.tags.store(tags, Ordering::Release);
        let mask = (1 << self.head(loc.segment).log2) - 1;
        let mut passed = hash.bucket() & mask;
        while passed != index {
            self.change_overflow(loc.segment, passed, false);
            passed = (passed + 1) & mask;
        }
        self.count(loc.segment, -1);
        NonNull::new(address_of(old)).expect("what is unlinked was linked")
    }

    /// Counts entries of a segment; writers alone do, under the lock.
    pub(super) fn count(&self, segment: *mut Segment, by: i32) {
        let len = &self.head(segment).len;
        len.store(
            len.load(Ordering::Relaxed).wrapping_add_signed(by),
            Ordering::Relaxed,
        );
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

    pub(super) fn slot(&self, loc: Loc) -> &AtomicPtr<super::Header> {
        &self.bucket(loc.segment, loc.bucket as usize).slots[loc.slot as usize]
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
