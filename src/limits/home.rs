//! What an admission from a lease looks at: the terms and a cell, on one line.
//!
//! # Idea         a tenant has two homes, for threads with even numbers and with odd ones, and the terms are in both: so what a
//!   thread reads and writes while it admits is mostly its own core's
//! # Costs        sixteen bytes
//! # Invariants   LO1 a home is on one line, wherever it lies; LO2 both homes show the same terms, but for a moment under the desk's lock
//! # Not here     what the terms mean (module `terms`), what else may lie on a home's line

use super::cells::Cell;
use crate::sync::atomic::{AtomicU64, Ordering};

/// The bytes of a cache line.
pub(super) const LINE: usize = 64;

/// So many bytes behind a home are on its line, at most.
pub(crate) const APART: usize = LINE - size_of::<Home>();

/// See the module.
#[derive(Debug)]
#[repr(C, align(16))]
pub(super) struct Home {
    /// The flags, and above them when the leases of this period end, on the coarse clock's line.
    terms: AtomicU64,
    /// The lease of half of the threads, while they don't crowd.
    pub(super) cell: Cell,
}

// LO1: its size is its alignment, of which a line is a multiple.
const _: () = assert!(size_of::<Home>() == 16 && LINE.is_multiple_of(16));

impl Home {
    pub(super) fn new(terms: u64) -> Home {
        Home {
            terms: AtomicU64::new(terms),
            cell: Cell::new(),
        }
    }

    #[inline(always)]
    pub(super) fn terms(&self) -> u64 {
        // Acquire: pairs with the release in `set_terms`. Who sees the end of a new period sees that the old one's leases
        // were called in, so that no token of theirs is taken by the new end.
        self.terms.load(Ordering::Acquire)
    }

    /// Under the desk's lock.
    pub(super) fn set_terms(&self, terms: u64) {
        // Release: pairs with the acquire in `terms`.
        self.terms.store(terms, Ordering::Release);
    }
}
