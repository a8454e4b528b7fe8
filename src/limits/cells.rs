//! Leases: what threads may still admit without visiting the desk.
//!
//! # Idea         a cell is a word that holds what is left of its lease, operations in its upper half and bytes in its lower; threads
//!   take from it, the desk fills it and calls it in
//!
//! ```text
//! 63        32 31         0
//! | operations |   bytes  |     0: no lease, or used up
//! ```
//!
//! # Costs        taking: one compare-and-swap on a line that mostly one thread writes
//! # Invariants   LC1 the desk fills only cells that it has called in, one desk at a time; LC2 each token of a lease is taken by
//!   one thread or called in, once; LC3 a cost that doesn't fit changes nothing
//! # Not here     how large leases are, when they end

use crate::sync::CachePadded;
use crate::sync::atomic::{AtomicU64, Ordering};

/// The most that one half of a word can hold.
pub(crate) const HALF_MAX: u64 = u32::MAX as u64;

/// The most cells of a tenant.
pub(crate) const CELLS_MAX: usize = 32;

/// What came of taking a cost from a lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Taken {
    /// The lease doesn't hold it, or is over.
    No,
    /// At the first attempt.
    Alone,
    /// Another thread was at the cell as well.
    Raced,
}

/// One lease.
#[derive(Debug)]
pub(crate) struct Cell(AtomicU64);

impl Cell {
    pub(crate) fn new() -> Cell {
        Cell(AtomicU64::new(0))
    }

    /// Takes a cost from the lease, if it has that much left and is still in force.
    #[inline(always)]
    pub(crate) fn take(&self, ops: u64, bytes: u64, is_in_force: impl FnOnce() -> bool) -> Taken {
        // Before the time is read: a load waits for the exchange before it, and does so meanwhile.
        let left = self.0.load(Ordering::Relaxed);
        let Some(rest) = rest_of(left, ops, bytes) else {
            return Taken::No;
        };
        if !is_in_force() {
            return Taken::No;
        }
        match self.exchange(left, rest) {
            Ok(_) => Taken::Alone,
            Err(left) => self.take_among_others(left, ops, bytes),
        }
    }

    #[cold]
    #[inline(never)]
    fn take_among_others(&self, mut left: u64, ops: u64, bytes: u64) -> Taken {
        while let Some(rest) = rest_of(left, ops, bytes) {
            match self.exchange(left, rest) {
                Ok(_) => return Taken::Raced,
                Err(other) => left = other,
            }
        }
        Taken::No
    }

    #[inline(always)]
    fn exchange(&self, left: u64, rest: u64) -> Result<u64, u64> {
        // Relaxed: all that matters is the order of this word's values (LC2), and a lease guards no memory.
        self.0
            .compare_exchange_weak(left, rest, Ordering::Relaxed, Ordering::Relaxed)
    }

    /// Takes in two steps, which is what the model's failing twin does.
    #[cfg(engine_loom)]
    pub(crate) fn take_in_two_steps(&self, cost: [u64; 2]) -> Taken {
        let (left, [ops, bytes]) = (self.0.load(Ordering::Relaxed), cost);
        let Some(rest) = rest_of(left, ops, bytes) else {
            return Taken::No;
        };
        self.0.store(rest, Ordering::Relaxed);
        Taken::Alone
    }

    /// Fills a cell that was called in; both halves are at most [`HALF_MAX`].
    pub(crate) fn lend(&self, [ops, bytes]: [u64; 2]) {
        debug_assert!(ops <= HALF_MAX);
        debug_assert!(bytes <= HALF_MAX);
        debug_assert_eq!(self.0.load(Ordering::Relaxed), 0, "LC1");
        self.0.store(ops << 32 | bytes, Ordering::Relaxed);
    }

    /// Calls a lease in: what was left of it.
    pub(crate) fn call_in(&self) -> [u64; 2] {
        // A word that is empty stays so until the desk, which is us, fills it.
        let left = if self.0.load(Ordering::Relaxed) == 0 {
            0
        } else {
            self.0.swap(0, Ordering::Relaxed)
        };
        [left >> 32, left & HALF_MAX]
    }

    /// Calls in in two steps, which is what the model's failing twin does.
    #[cfg(engine_loom)]
    pub(crate) fn call_in_in_two_steps(&self) -> [u64; 2] {
        let left = self.0.load(Ordering::Relaxed);
        self.0.store(0, Ordering::Relaxed);
        [left >> 32, left & HALF_MAX]
    }
}

/// The cells of one tenant, each on a line of its own.
#[derive(Debug)]
pub(crate) struct Cells(Box<[CachePadded<Cell>]>);

impl Cells {
    /// `n_cells` is a power of two, at most [`CELLS_MAX`].
    pub(crate) fn new(n_cells: usize) -> Cells {
        debug_assert!(n_cells.is_power_of_two());
        debug_assert!(n_cells <= CELLS_MAX);
        Cells(
            (0..n_cells)
                .map(|_| CachePadded::new(Cell::new()))
                .collect(),
        )
    }

    /// The number of a thread's cell.
    #[inline]
    pub(crate) fn index_of(&self, thread: u32) -> usize {
        thread as usize & (self.0.len() - 1)
    }

    /// A cell by its number.
    #[inline]
    pub(crate) fn get(&self, idx: usize) -> Option<&Cell> {
        self.0.get(idx).map(|cell| &**cell)
    }
}

/// What is left without a cost, if both halves hold it; both of its are at most [`HALF_MAX`] (LC3).
#[inline(always)]
fn rest_of(left: u64, ops: u64, bytes: u64) -> Option<u64> {
    // Nothing is borrowed from the upper half, so the difference of the words tells whether that holds its part.
    if left & HALF_MAX < bytes {
        return None;
    }
    left.checked_sub(ops << 32 | bytes)
}
