//! Bytes (or entries) that a cache may hold, and who has claimed how many of them.
//!
//! # Idea         One shared counter of claims, never above the bound; each stripe keeps an account of what it claimed:
//!   live entries, garbage, structure, and a little spare that it takes from without touching the counter.
//!
//! ```text
//! used (shared) = sum over stripes of  live + structure + max(garbage, allowance) + spare   + reservations   <= max
//! ```
//!
//! An entry that is evicted becomes garbage until no reader can name it. Each stripe's allowance for garbage is claimed
//! beforehand, so that in normal running a victim's bytes can be given to the newcomer at once; garbage beyond the
//! allowance keeps its own claim.
//!
//! A cache that shares its bound with others (`purse`) claims from a bound that nobody can reach, and what it wasn't given is claimed from the
//! start, as being `away`. So to be given bytes is to have a claim given back, and to give bytes up is to claim them: B1 holds for the sum.
//!
//! # Costs        common case: additions under the stripe's lock; the shared counter moves by net differences only
//! # Invariants   B1 `used <= max` after every claim: claiming is one compare-and-swap from a sum that fits
//!   B2 an account's claim is the sum of its parts, and is given back exactly once
//! # Not here     what garbage is waiting for (module `reclaim`), whom to evict (module `policy`)

mod lend;
mod purse;

pub(crate) use self::purse::Purse;
use crate::sync::atomic::{AtomicU64, Ordering};
use crate::sync::{Arc, CachePadded, planted};

/// The allowance for garbage is this part of the bound.
const SLACK_SHARE: u64 = 64;

/// No stripe lets more garbage than this wait in normal running, however large the bound.
const ALLOWANCE_MAX: u64 = 4 << 20;

/// The bound of what isn't bounded, or not here; far from where sums would overflow.
pub(crate) const UNBOUNDED: u64 = 1 << 62;

/// An entry is small if it takes no more than this share of the bound...
const SMALL_SHARE: u64 = 4096;
/// ... or no more than this.
const SMALL_MIN: u64 = 1024;

/// Looks at a counter that others move.
const LOOKS_MAX: usize = 8;

/// The shared side: a bound, and the sum of all claims.
#[derive(Debug)]
pub(crate) struct Budget {
    max: AtomicU64,
    /// What one stripe may let wait as garbage, what one entry may take, and what it may without being claimed before it is built: all
    /// follow from `max`.
    allowance: AtomicU64,
    largest: AtomicU64,
    small: AtomicU64,
    n_stripes: u64,
    purse: Option<Arc<Purse>>,
    /// Of the claims, what stands for bytes that the purse or other caches have.
    away: AtomicU64,
    used: CachePadded<AtomicU64>,
}

impl Budget {
    pub(crate) fn new(max: u64, n_stripes: usize) -> Budget {
        let budget = Budget {
            max: AtomicU64::new(0),
            allowance: AtomicU64::new(0),
            largest: AtomicU64::new(0),
            small: AtomicU64::new(0),
            n_stripes: n_stripes as u64,
            purse: None,
            away: AtomicU64::new(0),
            used: CachePadded::new(AtomicU64::new(0)),
        };
        budget.set_max(max);
        budget
    }

    /// Of a cache that has nothing yet, and takes from a purse.
    pub(crate) fn with_purse(purse: Arc<Purse>, n_stripes: usize) -> Budget {
        let mut budget = Budget::new(UNBOUNDED, n_stripes);
        budget.away = AtomicU64::new(UNBOUNDED);
        budget.used = CachePadded::new(AtomicU64::new(UNBOUNDED));
        budget.purse = Some(purse);
        budget.follow_purse();
        budget
    }

    /// Fits the slack to the share of the purse that this cache may have.
    pub(crate) fn follow_purse(&self) {
        if let Some(purse) = &self.purse {
            self.set_slack(purse.share(), purse.max());
        }
    }

    /// The bound of this cache's claims.
    #[inline]
    pub(crate) fn limit(&self) -> u64 {
        self.max.load(Ordering::Relaxed)
    }

    /// The bound, which may be shared with other caches.
    #[inline]
    pub(crate) fn max(&self) -> u64 {
        self.purse
            .as_ref()
            .map_or_else(|| self.limit(), |purse| purse.max())
    }

    /// Sets the bound. Claims above it stay until they're given back.
    pub(crate) fn set_max(&self, max: u64) {
        self.max.store(max, Ordering::Relaxed);
        self.set_slack(max, max);
    }

    fn set_slack(&self, share: u64, max: u64) {
        let allowance = (share / SLACK_SHARE / self.n_stripes).min(ALLOWANCE_MAX);
        self.allowance.store(allowance, Ordering::Relaxed);
        let largest = max.saturating_sub(allowance * self.n_stripes);
        self.largest.store(largest, Ordering::Relaxed);
        let small = (largest / SMALL_SHARE).max(SMALL_MIN).min(largest);
        self.small.store(small, Ordering::Relaxed);
    }

    /// The claims of this cache. Bytes that come or go at this moment may be left out.
    #[inline]
    pub(crate) fn used(&self) -> u64 {
        // Acquire pairs with the releases in `lend`: `used` is as new as `away`, and then `away` as `used`.
        let mut away = self.away.load(Ordering::Acquire);
        let mut used = 0;
        for _ in 0..LOOKS_MAX {
            used = self.used.load(Ordering::Acquire);
            let again = self.away.load(Ordering::Acquire);
            if again == away {
                break;
            }
            away = again;
        }
        used.saturating_sub(away)
    }

    /// How far the claims are above the bound, after it was lowered.
    #[inline]
    pub(crate) fn excess(&self) -> u64 {
        self.used
            .load(Ordering::Relaxed)
            .saturating_sub(self.limit())
    }

    /// Claims all of `amount` or nothing (B1).
    pub(crate) fn try_claim(&self, amount: u64) -> bool {
        let mut used = self.used.load(Ordering::Relaxed);
        loop {
            let Some(sum) = used.checked_add(amount).filter(|&sum| sum <= self.limit()) else {
                if !self.refill(amount) {
                    return false;
                }
                used = self.used.load(Ordering::Relaxed);
                continue;
            };
            if planted!(Claim) {
                // Each look is a point where others may come between.
                (0..8).for_each(|_| _ = self.excess());
                self.used.fetch_add(amount, Ordering::Relaxed);
                return true;
            }
            // Relaxed: the counter guards no memory; who frees bytes has freed them before it gives the claim back,
            // and an allocation that comes a moment early is within the allocator's own slack.
            match self
                .used
                .compare_exchange_weak(used, sum, Ordering::Relaxed, Ordering::Relaxed)
            {
                Ok(_) => return true,
                Err(other) => used = other,
            }
        }
    }

    /// Claims the most, or the least where that doesn't fit: how much, if anything (B1).
    #[inline]
    pub(crate) fn claim_between(&self, least: u64, most: u64) -> Option<u64> {
        // One look, for where there is nothing: so is it for each insert into a full cache.
        let is_full = self.purse.is_none() && self.idle() < least;
        if is_full {
            return None;
        }
        [most, least]
            .into_iter()
            .find(|&amount| self.try_claim(amount))
    }

    /// Claims in two steps, which is what the model's failing twin does.
    #[cfg(engine_loom)]
    pub(crate) fn claim_in_two_steps(&self, amount: u64) -> bool {
        let fits = self.used() + amount <= self.limit();
        if fits {
            self.used.fetch_add(amount, Ordering::Relaxed);
        }
        fits
    }

    /// Gives a claim back.
    pub(crate) fn give_back(&self, amount: u64) {
        let before = self.used.fetch_sub(amount, Ordering::Relaxed);
        debug_assert!(before >= amount, "B2: a claim is given back once");
        if self.purse.is_some() {
            self.lend_idle();
        }
    }

    /// A stripe's part of the slack that is kept for garbage.
    #[inline]
    pub(crate) fn allowance(&self) -> u64 {
        self.allowance.load(Ordering::Relaxed)
    }

    /// The largest single entry that can ever fit: the bound without the slack.
    #[inline]
    pub(crate) fn largest(&self) -> u64 {
        self.largest.load(Ordering::Relaxed)
    }

    /// The largest one that may be built before it is claimed; it fits as well.
    #[inline]
    pub(crate) fn small(&self) -> u64 {
        self.small.load(Ordering::Relaxed)
    }
}

/// One stripe's side, under its lock.
#[derive(Debug, Default)]
pub(crate) struct Account {
    live: u64,
    structure: u64,
    garbage: u64,
    allowance: u64,
    spare: u64,
    /// Garbage that the last look at the hazards could not free.
    stuck: u64,
    /// Of the garbage, what is kept for the next blocks.
    kept: u64,
}

impl Account {
    pub(crate) fn live(&self) -> u64 {
        self.live
    }

    pub(crate) fn structure(&self) -> u64 {
        self.structure
    }

    pub(crate) fn garbage(&self) -> u64 {
        self.garbage
    }

    /// What the stripe really holds.
    pub(crate) fn held(&self) -> u64 {
        self.live + self.structure + self.garbage
    }

    /// All that the account has claimed (B2).
    #[inline]
    pub(crate) fn claimed(&self) -> u64 {
        self.live + self.structure + self.garbage.max(self.allowance) + self.spare
    }

    /// Whether so much fresh garbage waits that it should be looked at now: half the allowance, so that the other half
    /// lasts while it is.
    #[inline]
    pub(crate) fn wants_look(&self) -> bool {
        self.garbage - self.stuck - self.kept > self.allowance / 2
    }

    /// Whether evicting more would help before the fresh garbage is gone.
    #[inline]
    pub(crate) fn can_exchange(&self) -> bool {
        self.garbage - self.stuck < self.allowance.max(1)
    }

    #[inline]
    pub(crate) fn has_allowance(&self, allowance: u64) -> bool {
        self.allowance == allowance
    }

    /// Makes `spare` hold `amount` at least, from the shared counter, and a chunk more while there is plenty.
    #[inline(always)]
    pub(crate) fn fund(&mut self, budget: &Budget, amount: u64, chunk: u64) -> bool {
        if amount <= self.spare {
            return true;
        }
        let missing = amount - self.spare;
        let claimed = budget.claim_between(missing, missing.saturating_add(chunk));
        self.spare += claimed.unwrap_or(0);
        claimed.is_some()
    }

    /// Gives back what is spare beyond `keep`.
    pub(crate) fn trim(&mut self, budget: &Budget, keep: u64) {
        if self.spare > keep {
            budget.give_back(self.spare - keep);
            self.spare = keep;
        }
    }

    /// Takes spare bytes out of the account, claim and all.
    pub(crate) fn take_spare(&mut self, amount_max: u64) -> u64 {
        let taken = self.spare.min(amount_max);
        self.spare -= taken;
        taken
    }

    /// Puts claimed bytes into the account.
    #[inline]
    pub(crate) fn add_spare(&mut self, amount: u64) {
        self.spare += amount;
    }

    /// Spare bytes become an entry's. The caller has funded them.
    #[inline(always)]
    pub(crate) fn admit(&mut self, amount: u64) {
        debug_assert!(
            self.spare >= amount,
            "an entry is funded before it is linked"
        );
        self.spare -= amount;
        self.live += amount;
    }

    /// An entry's bytes become garbage; within the allowance, as many become spare at the same moment.
    #[inline]
    pub(crate) fn discard(&mut self, amount: u64) {
        debug_assert!(self.live >= amount);
        let claimed = self.claimed();
        self.live -= amount;
        self.garbage += amount;
        self.spare += claimed - self.claimed();
    }

    /// Garbage that was not an entry: a retired segment, which leaves the structure by itself.
    pub(crate) fn discard_structure(&mut self, amount: u64) {
        self.live += amount;
        self.structure -= amount;
        self.discard(amount);
    }

    /// Garbage is gone, and `kept` bytes more are kept for the next blocks. After a look at the hazards, `stuck` are the bytes that it
    /// could not clear; `None` if there was none.
    pub(crate) fn settle(&mut self, freed: u64, stuck: Option<u64>, kept: u64) {
        let claimed = self.claimed();
        debug_assert!(self.garbage >= freed);
        self.garbage -= freed;
        self.kept += kept;
        let stuck = stuck.unwrap_or(self.stuck);
        self.stuck = stuck.min(self.garbage - self.kept);
        self.spare += claimed - self.claimed();
    }

    /// Garbage that was kept is used again, or freed.
    #[inline]
    pub(crate) fn reuse(&mut self, bytes: u64) {
        let claimed = self.claimed();
        debug_assert!(self.kept >= bytes);
        self.kept -= bytes;
        self.garbage -= bytes;
        self.spare += claimed - self.claimed();
    }

    /// Sets what the structure holds, from or to the spare bytes.
    pub(crate) fn set_structure(&mut self, structure: u64, budget: &Budget) {
        let grown = structure.saturating_sub(self.structure);
        if grown > self.spare {
            let missing = grown - self.spare;
            if !budget.try_claim(missing) {
                // A structure that grew beyond its estimate is claimed even so; the next insert evicts for it.
                budget.used.fetch_add(missing, Ordering::Relaxed);
            }
            self.spare += missing;
        }
        let claimed = self.claimed();
        self.structure = structure;
        self.spare = (self.spare + claimed) - self.claimed();
    }

    /// Follows a new bound; true once the allowance is what it should be.
    pub(crate) fn set_allowance(&mut self, allowance: u64, budget: &Budget) -> bool {
        let before = self.garbage.max(self.allowance);
        let after = self.garbage.max(allowance);
        if after > before && !self.fund(budget, after - before, 0) {
            return false;
        }
        self.spare = self.spare + before - after;
        self.allowance = allowance;
        true
    }
}

#[cfg(test)]
#[cfg(not(engine_loom))]
mod tests;
