//! What the lock protects of the table, from its beginning to its end.

use std::ptr::{self, NonNull};

use super::sample::Step;
use super::{Directory, RetiredSegment, SEGMENT_LOG2_MAX, Segment, Shared, Writer, split_root};
use crate::sync::atomic::{AtomicPtr, Ordering};

/// What the lock protects of the table.
pub(crate) struct Table {
    pub(super) directories: Vec<NonNull<Directory>>,
    pub(super) n_segments: usize,
    pub(super) bytes: u64,
    pub(super) len: usize,
    /// The entries that came by each root of the latest directory (T7).
    pub(super) counts: Vec<i32>,
    pub(super) retirements: u64,
    /// The bucket that `sweep` visits next.
    pub(super) swept: Step,
    /// The bucket that `sample` visits next.
    pub(super) sampled: Step,
    /// The root that `shrink_next` looks at next.
    pub(super) merged: usize,
}

// SAFETY: the directories are owned by the table and shared with readers through atomics alone.
unsafe impl Send for Table {}

impl Table {
    /// A table and what readers need of it. `skip_bits` are the hash's top bits that chose the stripe.
    pub(crate) fn new(skip_bits: u32) -> (Shared, Table) {
        let root = Segment::new(0, 0);
        let directory = Directory::boxed(skip_bits, 0, |_| root);
        let bytes = Segment::bytes(0) + directory_bytes(0) + counts_bytes(0);
        let shared = Shared {
            directory: AtomicPtr::new(directory.as_ptr()),
            skip_bits,
        };
        let table = Table {
            directories: vec![directory],
            n_segments: 1,
            bytes,
            len: 0,
            counts: vec![0],
            retirements: 0,
            swept: Step::default(),
            sampled: Step::default(),
            merged: 0,
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

/// What the counts by root take, of the latest directory alone.
pub(super) fn counts_bytes(depth: u32) -> u64 {
    4u64 << depth
}
