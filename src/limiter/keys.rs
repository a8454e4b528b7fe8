//! The bound on keys: one count that all stripes of a limiter share.
//!
//! # Idea         a claim before a key comes, given back after it has left; the lines that keys are looked up by don't hold it
//! # Costs        one compare-and-swap a new key, one addition for those that left together; nothing for a present key
//! # Invariants   LN1 the count is at least the number of keys in all stripes, and never above the bound
//! # Not here     which keys they are

use crate::sync::CachePadded;
use crate::sync::atomic::{AtomicU64, Ordering};

/// How many keys all stripes of a limiter know, and may know.
#[derive(Debug)]
pub(super) struct Keys {
    n: CachePadded<AtomicU64>,
    max: u64,
}

impl Keys {
    pub(super) fn new(max: u64) -> Self {
        Self {
            n: CachePadded::new(AtomicU64::new(0)),
            max,
        }
    }

    pub(super) fn max(&self) -> u64 {
        self.max
    }

    pub(super) fn len(&self) -> u64 {
        self.n.load(Ordering::Relaxed)
    }

    pub(super) fn has_room(&self) -> bool {
        self.len() < self.max
    }

    // Relaxed, here and below: the count protects nothing; each compare-and-swap sees the latest value.
    pub(super) fn claim(&self) -> bool {
        let more = |n| (n < self.max).then_some(n + 1);
        self.n
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, more)
            .is_ok()
    }

    pub(super) fn give_back(&self, n: usize) {
        if n > 0 {
            self.n.fetch_sub(n as u64, Ordering::Relaxed);
        }
    }
}
