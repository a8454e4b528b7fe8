//! A deadline in one word that many threads look at, one may extend, and whoever finds it passed ends.
//!
//! # Idea
//! Whoever finds the deadline passed swaps it for DEAD before it answers that the entry is gone, and whoever moves the
//! deadline swaps it from the very value that it checked. So the word's own order decides: after a miss nobody brings
//! the entry back, and after a settled extension nobody misses it.
//!
//! # Costs
//! Looking: one load and what `probe` costs. Moving or ending: one compare-and-swap.
//!
//! # Invariants
//! - D1 DEAD never changes again.
//! - D2 A value is replaced only by who has checked that very value against the clock.
//!
//! # Not here
//! The clock, the wheel, who extends and how far.

use crate::clock::Nanos;
use crate::sync::atomic::{AtomicU64, Ordering};

/// The entry is over: somebody has found its deadline passed.
const DEAD: u64 = 0;

/// One deadline; `Nanos::MAX` for none.
#[repr(transparent)]
pub(crate) struct Deadline(AtomicU64);

/// A deadline that has not passed, and the reading of the clock that says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ahead {
    pub(crate) deadline: Nanos,
    pub(crate) now: Nanos,
}

impl Deadline {
    pub(crate) fn new(deadline: Nanos) -> Deadline {
        // A clock at its birth may give a deadline of zero, which is due in any case.
        Deadline(AtomicU64::new(deadline.0))
    }

    /// The deadline as it stands, unchecked; the earliest time there is for one that has passed.
    #[inline]
    pub(crate) fn get(&self) -> Nanos {
        Nanos(self.0.load(Ordering::Relaxed))
    }

    /// Sets the deadline of an entry that no other thread can reach yet.
    pub(crate) fn set(&mut self, deadline: Nanos) {
        // Relaxed: the entry's linking publishes it.
        self.0.store(deadline.0, Ordering::Relaxed);
    }

    /// Whether the deadline is ahead; if it has passed, it is over for every thread from here on (D1). `probe` says
    /// whether a deadline has passed, and at which time that was decided.
    #[inline]
    pub(crate) fn check(&self, mut probe: impl FnMut(Nanos) -> (bool, Nanos)) -> Option<Ahead> {
        let mut seen = self.0.load(Ordering::Relaxed);
        loop {
            if seen == DEAD {
                return None;
            }
            let (passed, now) = probe(Nanos(seen));
            if !passed {
                return Some(Ahead {
                    deadline: Nanos(seen),
                    now,
                });
            }
            // Relaxed: nothing is read or written on the strength of this word but the word itself.
            match self
                .0
                .compare_exchange(seen, DEAD, Ordering::Relaxed, Ordering::Relaxed)
            {
                Ok(_) => return None,
                Err(other) => seen = other,
            }
        }
    }

    /// Moves the deadline that was checked to another one; false if it is no longer that (D2).
    #[inline]
    pub(crate) fn try_move(&self, checked: Ahead, to: Nanos) -> bool {
        // Relaxed: as in `check`.
        self.0
            .compare_exchange(
                checked.deadline.0,
                to.0,
                Ordering::Relaxed,
                Ordering::Relaxed,
            )
            .is_ok()
    }
}

#[cfg(engine_loom)]
impl Deadline {
    /// Moves the deadline whatever it is by now, which is what a model's failing twin does.
    pub(crate) fn move_blindly(&self, to: Nanos) -> bool {
        self.0.store(to.0, Ordering::Relaxed);
        true
    }
}

#[cfg(test)]
#[cfg(not(engine_loom))]
mod tests;
