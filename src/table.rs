//! The hash table of one stripe: readers walk it without a lock, writers hold the stripe.
//!
//! # Idea         Extendible hashing (Fagin et al., ACM TODS 1979): a directory of segments, a segment of up to 64
//!   buckets, a bucket of one cache line. A bucket's first word holds seven one-byte tags and the count of
//!   entries that found it full; the other seven are entry pointers with 20 bits of metadata each.
//!
//! ```text
//! Shared.directory -> [segment, segment, ...] -> | head | bucket 0 | bucket 1 | ... |
//! bucket: | tag0 .. tag6, overflow | pointer+meta 0 | ... | pointer+meta 6 |
//! word:   | 63..48: meta 15..0 | 47..4: address | 3..0: meta 19..16 |
//! ```
//!
//! # Costs        a look-up: the directory, one bucket (1.1 on average), the entry; growth: one segment at a time, whose entries are placed anew. A write changes
//!   nothing of a segment but buckets; its entries are counted by root, side by side
//! # Invariants   T1 an entry never moves inside a segment, so a reader can't miss one that stays
//!   T2 an entry is there from the moment its slot is written until its slot is emptied: the tag comes before
//!   the slot and goes after it; a reader that meets a tag without an entry passes on
//!   T3 the overflow count of a bucket is at least the number of entries of the segment that passed it
//!   T4 a segment that left the directory keeps its pointers: so who finds an entry checks, after naming it,
//!   that the segment is still the directory's; and who finds none checks the same
//!   T5 directories are freed with the table only; together they are at most twice the largest. Before a segment is changed by
//!   way of a new directory, all roots of the old one are closed: null
//!   T6 readers change a word's metadata by one compare-and-swap of the whole word, under their hazard
//!   T7 the entries of a segment are the sum of the counts of its roots, a single one of which may be below zero
//! # Not here     deadlines, bytes, the choice of victims; what metadata mean (module `policy`)

mod fill;
mod find;
mod found;
mod glance;
mod grow;
mod loc;
mod owned;
mod sample;
mod writer;

use std::alloc::{Layout, alloc, handle_alloc_error};
use std::mem::{align_of, size_of};
use std::ptr::{self, NonNull};

use crate::entry::{BLOCK_ALIGN, Header};
use crate::hash::{KeyHash, N_BUCKETS, Position, SHORT_TOP_BITS};
use crate::sync::atomic::{AtomicPtr, AtomicU32, AtomicU64, Ordering};
use crate::sync::{Life, dealloc, unseen_ref};

pub(crate) use fill::{Crowded, Vacancy};
pub(crate) use found::{Found, Link};
pub(crate) use glance::{Glance, Spot};
pub(crate) use loc::Loc;
pub(crate) use owned::Table;
pub(crate) use sample::{Cursor, RANK_MAX};
pub(crate) use writer::Writer;

/// Slots in a bucket.
pub(crate) const SLOTS: usize = 7;

/// The largest number of buckets in a segment, as a power of two.
const SEGMENT_LOG2_MAX: u32 = if cfg!(engine_loom) {
    1
} else {
    N_BUCKETS.trailing_zeros()
};

/// The bits of a root that hold the mask of its segment, which is aligned to more than the largest.
const ROOT_MASK: usize = N_BUCKETS - 1;
const _: () = assert!(ROOT_MASK < align_of::<Segment>());

/// One bit in each of seven bytes; multiplied by a tag, that tag in each.
const LOW_BITS: u64 = 0x0001_0101_0101_0101;
const HIGH_BITS: u64 = LOW_BITS << 7;

/// The bits of a word that hold metadata: 16 above the 48 address bits, 4 below the alignment.
const META_LOW: usize = BLOCK_ALIGN - 1;
const META_HIGH_SHIFT: u32 = 48;
const META_HIGH_BITS: u32 = 64 - META_HIGH_SHIFT;
const ADDRESS: usize = ((1 << META_HIGH_SHIFT) - 1) & !META_LOW;

// The packing of address and metadata needs words of 64 bits.
const _: () = assert!(usize::BITS == 64);

/// How many bits of metadata a slot keeps.
pub(crate) const META_BITS: u32 = 20;

/// One cache line: tags and slots.
#[repr(C, align(64))]
struct Bucket {
    tags: AtomicU64,
    slots: [AtomicPtr<Header>; SLOTS],
}

/// What stands before a segment's buckets; written under the lock, and `log2` never again.
#[repr(C, align(64))]
pub(crate) struct Segment {
    log2: u32,
    depth: AtomicU32,
    life: Life,
}

/// The array that the top bits of a position index. Never changed in length, never freed before the table.
struct Directory {
    depth: u32,
    /// Takes a hash's bits of stripe and directory to the low end; where there are none, the mask makes it zero.
    shift: u32,
    /// The length less one; kept, so that a look-up needs no subtraction.
    mask: usize,
    roots: Box<[AtomicPtr<Segment>]>,
}

impl Directory {
    /// Where the root of a key is.
    #[inline(always)]
    fn index(&self, hash: KeyHash) -> usize {
        (hash.bits() >> self.shift) as usize & self.mask
    }
}

/// What readers begin with: on a line of its own that is written when a directory doubles.
#[derive(Debug)]
pub(crate) struct Shared {
    directory: AtomicPtr<Directory>,
    skip_bits: u32,
}

/// The reader lost a race: what it looked at was replaced meanwhile.
#[derive(Debug)]
pub(crate) struct Raced;

impl Shared {
    /// Where readers begin: the directory, and in it the root of a key.
    #[inline(always)]
    fn way(&self, hash: KeyHash) -> Way<'_> {
        // Acquire: pairs with the release in `grow`, so that the directory is seen whole.
        let directory = self.directory.load(Ordering::Acquire);
        // SAFETY: directories live as long as the table (T5), which the store drops after the last reader has ended.
        let roots = unsafe { &*directory };
        let index = roots.index(hash);
        // SAFETY: masked by the array's length, which is a power of two.
        let root = unsafe { roots.roots.get_unchecked(index) };
        // In one register, not in two: it is looked at three times.
        let root = unseen_ref(root);
        // Acquire: pairs with the release in `grow`, so that the segment is seen whole.
        Way {
            root,
            index,
            tagged: root.load(Ordering::Acquire),
        }
    }

    #[inline(always)]
    fn directory(&self) -> &Directory {
        // SAFETY: as in `way`.
        unsafe { &*self.directory.load(Ordering::Acquire) }
    }

    /// Whether the bits that a short hash keeps tell the directory slot, also after the next doubling.
    pub(crate) fn is_told_by_short(&self) -> bool {
        self.skip_bits + self.directory().depth < SHORT_TOP_BITS
    }

    #[inline(always)]
    fn position(&self, hash: KeyHash) -> Position {
        hash.position(self.skip_bits)
    }
}

/// How a reader came to a segment.
#[derive(Clone, Copy)]
struct Way<'a> {
    root: &'a AtomicPtr<Segment>,
    /// Which one of its directory it is.
    index: usize,
    tagged: *mut Segment,
}

impl Way<'_> {
    /// Whether the root was that of a directory that has a successor.
    #[inline(always)]
    fn is_closed(&self) -> bool {
        self.tagged.is_null()
    }

    /// Whether the root still names the same segment (T4). Those of a directory that has a successor name none (T5).
    #[inline(always)]
    fn is_current(&self) -> bool {
        // SeqCst: after the naming of a hazard; pairs with the stores in `grow` that replace and close roots.
        self.root.load(Ordering::SeqCst) == self.tagged
    }
}

/// Where in the matched word a tag was found: the high bit of each byte that equals the pattern's.
///
/// A byte above a true match may be reported falsely when it differs from the tag in its lowest bit alone; the
/// comparison of keys sorts that out.
#[inline(always)]
fn match_bytes(tags: u64, pattern: u64) -> u64 {
    let differing = tags ^ pattern;
    differing.wrapping_sub(LOW_BITS) & !differing & HIGH_BITS
}

#[inline(always)]
fn overflow_of(tags: u64) -> u64 {
    tags >> 56
}

#[inline(always)]
fn address_of(word: *mut Header) -> *mut Header {
    word.map_addr(|bits| bits & ADDRESS)
}

#[inline(always)]
fn meta_of(word: *mut Header) -> u32 {
    let bits = word.addr();
    (bits >> META_HIGH_SHIFT | (bits & META_LOW) << META_HIGH_BITS) as u32
}

#[inline(always)]
fn pack(address: *mut Header, meta: u32) -> *mut Header {
    debug_assert!(meta < 1 << META_BITS);
    let meta = meta as usize;
    // The lowest metadata bits, which readers look at, come out by one shift.
    address.map_addr(|bits| bits | meta << META_HIGH_SHIFT | meta >> META_HIGH_BITS)
}

/// A root is a segment's address with the mask of its buckets' numbers in the low bits.
#[inline(always)]
fn split_root(tagged: *mut Segment) -> (*mut Segment, usize) {
    let mask = tagged.addr() & ROOT_MASK;
    (tagged.map_addr(|bits| bits & !ROOT_MASK), mask)
}

#[inline(always)]
fn bucket_at(segment: *mut Segment, index: usize) -> *mut Bucket {
    segment.wrapping_add(1).cast::<Bucket>().wrapping_add(index)
}

impl Segment {
    fn layout(log2: u32) -> Layout {
        let bytes = size_of::<Segment>() + (size_of::<Bucket>() << log2);
        Layout::from_size_align(bytes, 64).expect("a segment is a few kilobytes")
    }

    /// What a segment of `2^log2` buckets takes from the allocator.
    fn bytes(log2: u32) -> u64 {
        // An aligned block costs its alignment once more in glibc, at worst.
        Segment::layout(log2).size() as u64 + 64
    }

    /// An empty segment as a root; `None` where the allocator refuses.
    fn try_new(log2: u32, depth: u32) -> Option<*mut Segment> {
        // SAFETY: the layout's size is not zero.
        let segment = unsafe { alloc(Segment::layout(log2)) }.cast::<Segment>();
        if segment.is_null() {
            return None;
        }
        // SAFETY: freshly allocated with room for the head and `2^log2` buckets; every field is written once.
        unsafe {
            segment.write(Segment {
                log2,
                depth: AtomicU32::new(depth),
                life: Life::new(),
            });
            for index in 0..1 << log2 {
                bucket_at(segment, index).write(Bucket {
                    tags: AtomicU64::new(0),
                    slots: std::array::from_fn(|_| AtomicPtr::new(ptr::null_mut())),
                });
            }
        }
        Some(segment.map_addr(|bits| bits | ((1 << log2) - 1)))
    }

    /// Two of them, or none.
    fn try_new_pair(log2: u32, depth: u32) -> Option<[*mut Segment; 2]> {
        let first = Segment::try_new(log2, depth)?;
        let second = Segment::try_new(log2, depth);
        if second.is_none() {
            let (first, _) = split_root(first);
            let first = NonNull::new(first).expect("it was allocated");
            // SAFETY: no reader has seen it.
            unsafe { RetiredSegment(first).free() };
        }
        Some([first, second?])
    }

    fn new(log2: u32, depth: u32) -> *mut Segment {
        Segment::try_new(log2, depth).unwrap_or_else(|| handle_alloc_error(Segment::layout(log2)))
    }
}

/// A segment that has left the directory, until no reader names it.
#[must_use]
pub(crate) struct RetiredSegment(NonNull<Segment>);

// SAFETY: the retired segment is owned by whoever holds this, and only read by others.
unsafe impl Send for RetiredSegment {}

impl RetiredSegment {
    pub(crate) fn as_ptr(&self) -> *mut Segment {
        self.0.as_ptr()
    }

    pub(crate) fn bytes(&self) -> u64 {
        // SAFETY: alive until `free`.
        Segment::bytes(unsafe { self.0.as_ref() }.log2)
    }

    /// # Safety
    /// It was retired before a look at the hazards that didn't name it, or no reader exists any longer.
    pub(crate) unsafe fn free(self) {
        // SAFETY: allocated with this layout; its words have no destructors; unreachable by the caller's promise.
        unsafe {
            let log2 = self.0.as_ref().log2;
            self.0.as_ref().life.end();
            dealloc(self.0.as_ptr().cast(), Segment::layout(log2));
        }
    }
}

#[cfg(test)]
#[cfg(not(engine_loom))]
mod tests;
