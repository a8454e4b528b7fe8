//! What a block consists of: the words before its key, and where each part lies.

use std::alloc::Layout;
use std::mem::size_of;

use super::BLOCK_ALIGN;
use super::charge::Charge;
use super::deadline::Deadline;
use super::probe::{ABSENT, IDLE, Kind, PLACED, REFRESHED, TAG_SHIFT};
use super::refresh::Refresh;
use super::value::Stored;
use crate::sync::Life;
use crate::sync::atomic::{AtomicU32, Ordering};
use crate::terms::Tag;

/// What stands before the key in each block.
#[repr(C)]
pub(crate) struct Header {
    pub(super) refs: AtomicU32,
    pub(super) kind: Kind,
    pub(super) deadline: Deadline,
    /// The version, and [`COPY`].
    pub(super) version: u64,
    pub(super) value_len: u32,
    pub(super) token: AtomicU32,
    pub(super) short_hash: u32,
    pub(super) charge: Charge,
    pub(super) stamp: u16,
    pub(super) life: Life,
}

/// The entry is a copy of what a further level has. Here, and not in `kind`, which look-ups compare; no version ever has the bit.
pub(super) const COPY: u64 = 1 << 63;

impl Header {
    /// The hard deadline.
    #[inline]
    pub(crate) fn deadline(&self) -> &Deadline {
        &self.deadline
    }

    /// The record in the timing wheel; zero for none.
    pub(crate) fn token(&self) -> u32 {
        self.token.load(Ordering::Relaxed)
    }

    /// Notes the record in the timing wheel. The caller holds the stripe's lock.
    pub(crate) fn set_token(&self, token: u32) {
        self.token.store(token, Ordering::Relaxed);
    }

    pub(crate) fn version(&self) -> u64 {
        self.version & !COPY
    }

    /// The low bits of the stripe's count of inserts when this entry came, in the units that the count had then.
    pub(crate) fn stamp(&self) -> u16 {
        self.stamp
    }

    /// What is kept of the key's hash.
    #[inline(always)]
    pub(crate) fn short_hash(&self) -> u32 {
        self.short_hash
    }

    /// What the entry is charged: its block as the allocator rounds it, and what the weigher added.
    #[inline(always)]
    pub(crate) fn charge_bytes(&self) -> u64 {
        self.charge.bytes()
    }

    /// Whether more than the cache itself holds the entry at this moment.
    pub(crate) fn has_handles(&self) -> bool {
        self.refs.load(Ordering::Relaxed) > 1
    }

    #[inline]
    pub(crate) fn shape(&self) -> u8 {
        self.kind.shape()
    }

    #[inline]
    pub(crate) fn has_idle(&self) -> bool {
        self.kind.has(IDLE)
    }

    /// Whether all that ends it is its deadline, and it is never stale.
    #[inline]
    pub(crate) fn has_deadline_alone(&self) -> bool {
        !self.kind.has(IDLE | REFRESHED)
    }

    /// Whether it says that there is no value.
    #[inline]
    pub(crate) fn is_absent(&self) -> bool {
        self.kind.has(ABSENT)
    }

    /// What kind of value it is.
    pub(crate) fn tag(&self) -> Tag {
        Tag::from_bits(self.kind.flags() >> TAG_SHIFT)
    }

    /// Whether it is a copy of what a further level has.
    pub(crate) fn is_copy(&self) -> bool {
        self.version & COPY != 0
    }

    pub(super) fn key_offset(&self) -> usize {
        key_offset(self.kind.flags())
    }
}

/// What an entry that belongs to a place carries besides.
#[repr(C)]
pub(crate) struct Member {
    pub(super) place: u64,
    token: AtomicU32,
    index: AtomicU32,
}

impl Member {
    pub(super) fn new(place: u64) -> Member {
        Member {
            place,
            token: AtomicU32::new(0),
            index: AtomicU32::new(0),
        }
    }

    /// Where the stripe keeps the entry: its record, and that of its place. The caller holds the stripe's lock.
    pub(crate) fn at(&self) -> (u32, u32) {
        let load = |word: &AtomicU32| word.load(Ordering::Relaxed);
        (load(&self.token), load(&self.index))
    }

    /// Notes both. The caller holds the stripe's lock.
    pub(crate) fn set_at(&self, (token, index): (u32, u32)) {
        self.token.store(token, Ordering::Relaxed);
        self.index.store(index, Ordering::Relaxed);
    }
}

/// The flags' values are such that each counts the words of 8 bytes that it adds.
#[inline(always)]
pub(super) fn key_offset(flags: u8) -> usize {
    if cfg!(engine_loom) {
        // The model checker's words are larger, and stand one behind the other.
        let size = |flag: u8, size: usize| if flags & flag != 0 { size } else { 0 };
        return size_of::<Header>()
            + size(PLACED, size_of::<Member>())
            + size(IDLE, size_of::<Deadline>())
            + size(REFRESHED, size_of::<Refresh>());
    }
    const { assert!(cfg!(engine_loom) || size_of::<Deadline>() == 8 * IDLE as usize) };
    const { assert!(cfg!(engine_loom) || size_of::<Member>() == 8 * PLACED as usize) };
    const { assert!(cfg!(engine_loom) || size_of::<Refresh>() == 8 * REFRESHED as usize) };
    size_of::<Header>() + usize::from(flags & (IDLE | PLACED | REFRESHED)) * 8
}

/// The idle word comes after what a member carries, which look-ups need.
#[inline(always)]
pub(super) fn idle_offset(flags: u8) -> usize {
    key_offset(flags & PLACED)
}

/// And those of the refresh come last.
#[inline(always)]
pub(super) fn refresh_offset(flags: u8) -> usize {
    key_offset(flags & (PLACED | IDLE))
}

/// The layout of a whole block and where its value begins; `None` where the sizes overflow.
pub(super) fn block_layout<V: Stored + ?Sized>(
    flags: u8,
    key_len: usize,
    value_len: usize,
) -> Option<(Layout, usize)> {
    if key_len > usize::from(u16::MAX) {
        return None;
    }
    // Header, key and padding are far from overflow; the value's length is checked with the sum.
    let value_offset = (key_offset(flags) + key_len).next_multiple_of(V::ALIGN);
    let size = V::size_bytes(value_len)?.checked_add(value_offset)?;
    let align = if V::ALIGN > BLOCK_ALIGN {
        V::ALIGN
    } else {
        BLOCK_ALIGN
    };
    Some((Layout::from_size_align(size, align).ok()?, value_offset))
}

/// What the allocator takes from the system for a block of this size: rounded up to 16 with 8 bytes of its own, as
/// glibc's does; 32 at least.
#[inline]
pub(crate) fn allocated_bytes(size: usize) -> u64 {
    ((size as u64 + 8 + 15) & !15).max(32)
}
