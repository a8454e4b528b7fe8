//! A budget that takes from a purse, and gives back to it.

use super::Budget;
use crate::sync::atomic::Ordering;

impl Budget {
    /// Takes bytes for a claim that doesn't fit. Whether there were any: others may be faster to claim them.
    #[cold]
    pub(super) fn refill(&self, amount: u64) -> bool {
        let Some(purse) = &self.purse else {
            return false;
        };
        let least = amount.saturating_sub(self.idle());
        if least == 0 {
            return true;
        }
        self.take(least, least.max(purse.chunk())) > 0
    }

    /// Takes from the purse what it has, up to a chunk.
    pub(crate) fn take_chunk(&self) {
        if let Some(purse) = &self.purse {
            self.take(0, purse.chunk());
        }
    }

    /// Claims what can be had of an amount. How much.
    pub(crate) fn claim_up_to(&self, amount: u64) -> u64 {
        if self.try_claim(amount) {
            return amount;
        }
        let free = self.purse.as_ref().map_or(0, |purse| purse.free());
        let left = self.idle().saturating_add(free).min(amount);
        if self.try_claim(left) { left } else { 0 }
    }

    fn take(&self, least: u64, most: u64) -> u64 {
        let Some(purse) = &self.purse else { return 0 };
        let taken = purse.take(least, most);
        // In this order, and the other one in `lend_unused`: `used` tells too little meanwhile, rather than too much. Release pairs with
        // its first acquire.
        self.used.fetch_sub(taken, Ordering::Relaxed);
        self.away.fetch_sub(taken, Ordering::Release);
        taken
    }

    /// Claims what was just taken from the purse by other means: the model's failing twin.
    #[cfg(engine_loom)]
    pub(crate) fn claim_given(&self, amount: u64) -> bool {
        self.away.fetch_sub(amount, Ordering::Relaxed);
        true
    }

    /// What this cache has been given.
    pub(crate) fn given(&self) -> u64 {
        self.limit()
            .saturating_sub(self.away.load(Ordering::Relaxed))
    }

    /// What this cache has beyond its share.
    pub(crate) fn surplus(&self) -> u64 {
        let share = self.purse.as_ref().map_or(u64::MAX, |purse| purse.share());
        self.given().saturating_sub(share)
    }

    /// Whether this cache has less than its share, and neither it nor the purse has a chunk, or what is wanted.
    pub(crate) fn is_owed(&self, wanted: u64) -> bool {
        self.purse.as_ref().is_some_and(|purse| {
            let left = self.idle().saturating_add(purse.free());
            left < wanted.max(purse.chunk()) && self.given() < purse.share()
        })
    }

    #[inline]
    pub(super) fn idle(&self) -> u64 {
        self.limit()
            .saturating_sub(self.used.load(Ordering::Relaxed))
    }

    /// Gives up what is idle, but for a chunk.
    #[cold]
    pub(super) fn lend_idle(&self) {
        let Some(purse) = &self.purse else { return };
        let (idle, chunk) = (self.idle(), purse.chunk());
        if idle > 2 * chunk {
            self.lend_unused(idle - chunk);
        }
    }

    /// Gives up what isn't claimed, `most` bytes of it at most. How many.
    pub(crate) fn lend_unused(&self, most: u64) -> u64 {
        let Some(purse) = &self.purse else { return 0 };
        let mut used = self.used.load(Ordering::Relaxed);
        loop {
            let bytes = self.limit().saturating_sub(used).min(most);
            if bytes == 0 {
                return 0;
            }
            self.away.fetch_add(bytes, Ordering::Relaxed);
            // Release pairs with the second acquire in `used`.
            match self.used.compare_exchange_weak(
                used,
                used + bytes,
                Ordering::Release,
                Ordering::Relaxed,
            ) {
                Ok(_) => {
                    purse.put(bytes);
                    return bytes;
                }
                Err(other) => {
                    self.away.fetch_sub(bytes, Ordering::Relaxed);
                    used = other;
                }
            }
        }
    }

    /// Gives up what is claimed by the caller.
    pub(crate) fn lend_claimed(&self, bytes: u64) {
        if let Some(purse) = &self.purse {
            self.away.fetch_add(bytes, Ordering::Relaxed);
            purse.put(bytes);
        }
    }
}
