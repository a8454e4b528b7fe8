//! A counter that many threads count up, each mostly on a line of its own.
//!
//! # Idea         a few padded words; a thread counts in the one that its number picks, and a sum adds them up
//! # Costs        counting: one atomic addition on a line that few threads share; a sum: as many loads as there are lanes
//! # Invariants   N1 nothing is lost: once quiet, the sum is the number of calls
//! # Not here     what is counted

use crate::reclaim;
use crate::sync::CachePadded;
use crate::sync::atomic::{AtomicU64, Ordering};

/// As many threads count without meeting; further ones share.
const LANES: usize = 16;

/// See the module.
#[derive(Debug)]
pub(crate) struct Lanes([CachePadded<AtomicU64>; LANES]);

impl Lanes {
    pub(crate) fn new() -> Lanes {
        Lanes(std::array::from_fn(|_| CachePadded::new(AtomicU64::new(0))))
    }

    /// Counts one; how many this lane had counted before.
    #[inline]
    pub(crate) fn add_one(&self) -> u64 {
        let lane = reclaim::thread_number() as usize % LANES;
        self.0[lane].fetch_add(1, Ordering::Relaxed)
    }

    pub(crate) fn sum(&self) -> u64 {
        self.0.iter().map(|lane| lane.load(Ordering::Relaxed)).sum()
    }
}
