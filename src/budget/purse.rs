//! Bytes that several caches share: how many of them none of the caches has.
//!
//! # Idea         a cache takes bytes out before it claims them, and puts back what it doesn't use; so the sum is never passed, whoever comes
//!   between
//!
//! ```text
//! sum over caches of what each was given   +   free   =   max + debt
//! ```
//!
//! The debt is what was given out when the bound was lowered; what is put back pays it first.
//!
//! # Costs        a few atomic operations, once in a chunk of bytes
//! # Invariants   P1 the equation above, between any two calls; P2 without debt no cache is given what would pass `max`
//! # Not here     who has too much (module `common`)

use crate::sync::CachePadded;
use crate::sync::atomic::{AtomicU64, Ordering};

/// What is taken at a time, while there is plenty: this part of the bound, within limits.
const CHUNK_SHARE: u64 = 256;
const CHUNK_MIN: u64 = 4 << 10;
const CHUNK_MAX: u64 = 1 << 20;

/// See the module.
#[derive(Debug)]
pub(crate) struct Purse {
    max: AtomicU64,
    /// What each cache may have if all want it.
    share: AtomicU64,
    free: CachePadded<AtomicU64>,
    debt: AtomicU64,
}

// All orderings are Relaxed, for the reason that `Budget::try_claim` gives: the words guard no memory.
impl Purse {
    pub(crate) fn new(max: u64) -> Purse {
        Purse {
            max: AtomicU64::new(max),
            share: AtomicU64::new(max),
            free: CachePadded::new(AtomicU64::new(max)),
            debt: AtomicU64::new(0),
        }
    }

    pub(crate) fn max(&self) -> u64 {
        self.max.load(Ordering::Relaxed)
    }

    pub(crate) fn free(&self) -> u64 {
        self.free.load(Ordering::Relaxed)
    }

    pub(crate) fn debt(&self) -> u64 {
        self.debt.load(Ordering::Relaxed)
    }

    pub(crate) fn share(&self) -> u64 {
        self.share.load(Ordering::Relaxed)
    }

    pub(crate) fn set_share(&self, share: u64) {
        self.share.store(share, Ordering::Relaxed);
    }

    /// What a cache takes at a time, and may keep unused.
    pub(crate) fn chunk(&self) -> u64 {
        (self.max() / CHUNK_SHARE).clamp(CHUNK_MIN, CHUNK_MAX)
    }

    /// Takes `least` to `most` bytes, or nothing: how many.
    pub(crate) fn take(&self, least: u64, most: u64) -> u64 {
        let mut free = self.free();
        loop {
            if free < least {
                return 0;
            }
            let taken = free.min(most);
            match self.free.compare_exchange_weak(
                free,
                free - taken,
                Ordering::Relaxed,
                Ordering::Relaxed,
            ) {
                Ok(_) => return taken,
                Err(other) => free = other,
            }
        }
    }

    /// Looks first and takes then, which is what the model's failing twin does.
    #[cfg(engine_loom)]
    pub(crate) fn take_in_two_steps(&self, amount: u64) -> u64 {
        if self.free() < amount {
            return 0;
        }
        self.free.fetch_sub(amount, Ordering::Relaxed);
        amount
    }

    /// Puts bytes back.
    pub(crate) fn put(&self, bytes: u64) {
        let mut debt = self.debt();
        let paid = loop {
            let paid = debt.min(bytes);
            if paid == 0 {
                break 0;
            }
            match self.debt.compare_exchange_weak(
                debt,
                debt - paid,
                Ordering::Relaxed,
                Ordering::Relaxed,
            ) {
                Ok(_) => break paid,
                Err(other) => debt = other,
            }
        };
        self.free.fetch_add(bytes - paid, Ordering::Relaxed);
    }

    /// Sets the bound; one caller at a time.
    pub(crate) fn set_max(&self, max: u64) {
        let before = self.max.swap(max, Ordering::Relaxed);
        match max.checked_sub(before) {
            Some(more) => self.put(more),
            None => {
                let less = before - max;
                // The debt first: what is put back meanwhile pays it.
                self.debt.fetch_add(less, Ordering::Relaxed);
                self.put(self.take(0, less));
            }
        }
    }
}
