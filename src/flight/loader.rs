//! Which thread runs a flight's loader, while one does.
//!
//! # Idea         a word of its own, so that a load takes the flight's lock only where others may wait
//! # Costs        entering: a store; leaving: a store or a compare-and-swap
//! # Invariants   FL1 what a thread did here before it wrote a wait down (module `waits`), whoever locks that table later sees, and
//!   whoever reaches a flight sees for whom it was made: so a circle's last thread sees who loads what, and nobody is taken for the
//!   loader of what it passed on
//! # Not here     circles

use crate::sync::ThreadId;
use crate::sync::atomic::{AtomicU64, Ordering};

const NOBODY: u64 = 0;

/// The thread that runs the loader.
#[derive(Debug)]
pub(super) struct Loader(AtomicU64);

impl Loader {
    pub(super) fn new(thread: Option<ThreadId>) -> Self {
        Self(AtomicU64::new(thread.map_or(NOBODY, ThreadId::bits)))
    }

    #[inline]
    pub(super) fn thread(&self) -> Option<ThreadId> {
        // Relaxed, here and below: the table's lock orders what matters (FL1).
        ThreadId::from_bits(self.0.load(Ordering::Relaxed))
    }

    #[inline]
    pub(super) fn enter(&self, thread: ThreadId) {
        self.0.store(thread.bits(), Ordering::Relaxed);
    }

    /// Whoever leads leaves.
    #[inline]
    pub(super) fn leave(&self) {
        self.0.store(NOBODY, Ordering::Relaxed);
    }

    /// The thread leaves, unless another one has begun since it passed on.
    #[inline]
    pub(super) fn leave_if(&self, thread: ThreadId) {
        if self.thread() == Some(thread) {
            let _ = self.0.compare_exchange(
                thread.bits(),
                NOBODY,
                Ordering::Relaxed,
                Ordering::Relaxed,
            );
        }
    }
}
