//! A deadline in one word that many threads look at, one may extend, and whoever finds it passed ends.
//!
//! # Idea
//! Whoever finds the deadline passed swaps it for DEAD before it answers that the entry is gone, and whoever moves the
//! deadline swaps it from the very value that it checked. So the word's own order decides: after a miss nobody brings
//! the entry back, and after a settled extension nobody misses it.
//!
//! A writer that is about to take an entry away as alive, or to put another in its place, claims the word first: readers still get
//! the entry until its deadline, and may extend that, but none of them ends it. Who finds a claimed deadline passed looks again, and finds
//! what the writer has made of it. So an entry is never missed by one thread, and replaced as a live one by another afterwards.
//!
//! # Costs
//! Looking: one load and what `probe` costs. Moving, claiming or ending: one compare-and-swap.
//!
//! # Invariants
//! - D1 DEAD never changes again.
//! - D2 A value is replaced only by who has checked that very value against the clock.
//! - D3 A claimed word is ended by nobody, and claimed until the writer that did so gives it up, under its stripe's lock.
//!
//! # Not here
//! The clock, the wheel, who extends and how far.

use crate::clock::Nanos;
use crate::sync::atomic::{AtomicU64, Ordering};

/// The entry is over: somebody has found its deadline passed.
const DEAD: u64 = 0;

/// A writer is about to take the entry away. What has no deadline has this bit as well, and is never claimed.
const CLAIMED: u64 = 1 << 63;

const NEVER: u64 = u64::MAX;

/// One deadline; `Nanos::MAX` for none, and for what is 292 years after the clock's birth or later.
#[repr(transparent)]
pub(crate) struct Deadline(AtomicU64);

/// A deadline that has not passed, and the reading of the clock that says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ahead {
    pub(crate) deadline: Nanos,
    pub(crate) now: Nanos,
    /// A writer is about to take the entry away, or to give that up.
    pub(crate) is_claimed: bool,
}

/// The deadline has passed, and a writer has claimed it: whether there is an entry is seen by looking again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct InChange;

fn word(deadline: Nanos) -> u64 {
    // The last one before would be told from none no longer, once it is claimed.
    if deadline.0 >= CLAIMED - 1 {
        NEVER
    } else {
        deadline.0
    }
}

impl Deadline {
    pub(crate) fn new(deadline: Nanos) -> Deadline {
        // A clock at its birth may give a deadline of zero, which is due in any case.
        Deadline(AtomicU64::new(word(deadline)))
    }

    /// A deadline as it would be kept: one that is too far away to count is none.
    pub(crate) fn counted(deadline: Nanos) -> Nanos {
        match word(deadline) {
            NEVER => Nanos::MAX,
            _ => deadline,
        }
    }

    /// The deadline as it stands, unchecked; the earliest time there is for one that has passed.
    #[inline]
    pub(crate) fn get(&self) -> Nanos {
        match self.0.load(Ordering::Relaxed) {
            NEVER => Nanos::MAX,
            word => Nanos(word & !CLAIMED),
        }
    }

    /// The deadline, unless it is dead, claimed or none.
    #[inline(always)]
    pub(crate) fn undisputed(&self) -> Option<Nanos> {
        let word = self.0.load(Ordering::Relaxed);
        (1..CLAIMED).contains(&word).then_some(Nanos(word))
    }

    /// Whether there is none.
    #[inline(always)]
    pub(crate) fn is_never(&self) -> bool {
        self.0.load(Ordering::Relaxed) == NEVER
    }

    /// Sets the deadline of an entry that no other thread can reach yet.
    pub(crate) fn set(&mut self, deadline: Nanos) {
        // Relaxed: the entry's linking publishes it.
        self.0.store(word(deadline), Ordering::Relaxed);
    }

    /// Whether the deadline is ahead; if it has passed (`None`), it is over for every thread from here on (D1). `probe` says
    /// whether a deadline has passed, and at which time that was decided.
    ///
    /// # Errors
    /// It has passed while a writer was changing the entry.
    #[inline]
    pub(crate) fn check(
        &self,
        mut probe: impl FnMut(Nanos) -> (bool, Nanos),
    ) -> Result<Option<Ahead>, InChange> {
        let mut seen = self.0.load(Ordering::Relaxed);
        loop {
            if seen == DEAD {
                return Ok(None);
            }
            let is_claimed = seen & CLAIMED != 0 && seen != NEVER;
            let deadline = if is_claimed {
                Nanos(seen & !CLAIMED)
            } else {
                Nanos(seen)
            };
            let (passed, now) = probe(deadline);
            if !passed {
                return Ok(Some(Ahead {
                    deadline,
                    now,
                    is_claimed,
                }));
            }
            if is_claimed {
                return Err(InChange);
            }
            // Relaxed: nothing is read or written on the strength of this word but the word itself.
            match self
                .0
                .compare_exchange(seen, DEAD, Ordering::Relaxed, Ordering::Relaxed)
            {
                Ok(_) => return Ok(None),
                Err(other) => seen = other,
            }
        }
    }

    /// Claims the deadline if it is ahead, for a writer under its stripe's lock; false if it has passed, and is over.
    pub(crate) fn claim(&self, mut probe: impl FnMut(Nanos) -> (bool, Nanos)) -> bool {
        // Most are ahead, and nobody else is at them.
        if let Some(Nanos(word)) = self.undisputed()
            && !probe(Nanos(word)).0
            && self
                .0
                // Relaxed: as in `check`.
                .compare_exchange(word, word | CLAIMED, Ordering::Relaxed, Ordering::Relaxed)
                .is_ok()
        {
            return true;
        }
        loop {
            let Ok(Some(ahead)) = self.check(&mut probe) else {
                return false;
            };
            let word = word(ahead.deadline);
            let is_done = word == NEVER
                || ahead.is_claimed
                || self
                    .0
                    // Relaxed: as in `check`.
                    .compare_exchange(word, word | CLAIMED, Ordering::Relaxed, Ordering::Relaxed)
                    .is_ok();
            if is_done {
                return true;
            }
        }
    }

    /// Gives a claim up: the entry stays as it was.
    pub(crate) fn unclaim(&self) {
        let given_up = |word| (word != NEVER && word & CLAIMED != 0).then_some(word & !CLAIMED);
        // Relaxed: as in `check`. A reader may extend it at the same time.
        let _ = self
            .0
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, given_up);
    }

    /// Moves the deadline that was checked to another one; false if it is no longer that (D2). A claim stays.
    #[inline]
    pub(crate) fn try_move(&self, checked: Ahead, to: Nanos) -> bool {
        let claim = if checked.is_claimed { CLAIMED } else { 0 };
        // Relaxed: as in `check`. With its bit, what never ends is what it was.
        self.0
            .compare_exchange(
                word(checked.deadline) | claim,
                word(to) | claim,
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
        self.0.store(word(to), Ordering::Relaxed);
        true
    }

    /// Gives a claim up whatever has become of the word since it was looked at, likewise.
    pub(crate) fn unclaim_blindly(&self) {
        let word = self.0.load(Ordering::Relaxed);
        self.0.store(word & !CLAIMED, Ordering::Relaxed);
    }
}

#[cfg(test)]
#[cfg(not(engine_loom))]
mod tests;
