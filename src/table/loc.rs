//! The place of an entry in its table.

use std::mem::offset_of;
use std::ptr::NonNull;

use super::{Bucket, Header, Segment, bucket_at};
use crate::sync::atomic::AtomicPtr;

/// Where an entry is linked: its slot; valid until its segment grows, splits or is merged, or the entry is unlinked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Loc(pub(super) NonNull<AtomicPtr<Header>>);

impl Loc {
    /// No location; for filling arrays.
    pub(crate) const NOWHERE: Loc = Loc(NonNull::<Bucket>::dangling().cast());

    #[inline(always)]
    pub(super) fn new(segment: *mut Segment, index: usize, slot: u32) -> Loc {
        let first = bucket_at(segment, index).wrapping_byte_add(offset_of!(Bucket, slots));
        let slot = first
            .cast::<AtomicPtr<Header>>()
            .wrapping_add(slot as usize);
        debug_assert!(!slot.is_null());
        // SAFETY: a place behind the head of a segment.
        Loc(unsafe { NonNull::new_unchecked(slot) })
    }

    /// The bucket that it is in: a line, which begins where the line of its slots does.
    #[inline(always)]
    pub(super) fn bucket(self) -> NonNull<Bucket> {
        let bucket = self
            .0
            .as_ptr()
            .map_addr(|at| at & !(align_of::<Bucket>() - 1));
        // SAFETY: as in `new`; a bucket is as large as it is aligned.
        unsafe { NonNull::new_unchecked(bucket.cast()) }
    }

    /// Which slot of its bucket it is.
    #[inline(always)]
    pub(super) fn slot(self) -> u32 {
        let offset = self.0.addr().get() % align_of::<Bucket>() - offset_of!(Bucket, slots);
        (offset / size_of::<AtomicPtr<Header>>()) as u32
    }

    /// Which bucket of its segment it is.
    pub(super) fn index_in(self, segment: *mut Segment) -> usize {
        let begin = bucket_at(segment, 0).addr();
        (self.0.addr().get() - begin) / size_of::<Bucket>()
    }
}

const _: () = assert!(size_of::<Bucket>() == align_of::<Bucket>());

// SAFETY: a location is an address that only `Writer` looks behind, under the lock, while it is valid.
unsafe impl Send for Loc {}
