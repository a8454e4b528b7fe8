//! Two buckets that change together or not at all, and may hand tokens out before they are used.
//!
//! # Idea
//! Tokens that are handed out (leased, or admitted by a coarse reading of the time) are used at some later moment, or
//! handed back. So each level has two parts: `base` was right at one exact moment and sinks from then on; `given` has
//! been handed out since then, and doesn't sink. When all that was unused has been handed back, both become a new base.
//!
//! ```text
//!            settle            lend      put back            settle
//! base  ------\________________________________________/-----\______
//! given ______|____________/---------\_________________|____________
//! ```
//!
//! # Costs
//! As two buckets.
//!
//! # Invariants
//! - M1 The level less what is still unused of `given` is never below the level that the admissions alone would have
//!   left (G1). Proof: a use moves both sides alike; the left side sinks at most as fast as the right one, and is not
//!   below zero when its base has sunk away.
//! - M2 `given` is zero at the moment after a settling. No coarse reading is above the true time, so a level by one is
//!   too high if anything.
//! - M3 What was given between two settlings was used up to the time that the first of them named, which is why it may
//!   sink from then on.
//!
//! # Not here
//! Who holds what was handed out.

use std::mem::offset_of;

use super::{Bucket, Pace, Wait};

/// Words of a settled meter, see [`Meter::to_words`].
pub(crate) const METER_WORDS: usize = 11;

/// The first index of pairs: operations; the second: bytes.
const BOTH: [usize; 2] = [0, 1];

/// Two buckets.
// Packed to words: aligned to 16 bytes for its levels, it would make the lock that protects it take as much.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C, packed(8))]
pub(crate) struct Meter {
    base: [u128; 2],
    given: [u128; 2],
    /// When `base` was right.
    settled_at: u64,
    /// By when all of `given` is used or void (M3).
    given_until: u64,
    /// Last: what requests write lies together, and these change seldom.
    paces: [Pace; 2],
}

/// What a cost did to the levels, so that it can be undone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Hold {
    cost: [u64; 2],
    below: [u128; 2],
    at: u64,
}

impl Hold {
    /// Whether that is just what was held.
    pub(crate) fn is(&self, used: [u64; 2]) -> bool {
        self.cost == used
    }

    /// What was used beyond what was held.
    pub(crate) fn beyond(&self, used: [u64; 2]) -> [u64; 2] {
        BOTH.map(|at| used[at].saturating_sub(self.cost[at]))
    }
}

impl Meter {
    /// The bytes, from the first on, that requests write.
    pub(crate) const N_WRITTEN: usize = offset_of!(Meter, paces);

    /// Two full buckets.
    pub(crate) fn new(paces: [Pace; 2], now: u64) -> Meter {
        Meter {
            paces,
            base: [0; 2],
            given: [0; 2],
            settled_at: now,
            given_until: now,
        }
    }

    #[inline]
    pub(crate) fn settled_at(&self) -> u64 {
        self.settled_at
    }

    #[inline]
    pub(crate) fn is_settled(&self) -> bool {
        let given = self.given;
        given == [0; 2]
    }

    /// A level at `now`, which may be a coarse reading (M2).
    #[inline]
    fn level(&self, dimension: usize, now: u64) -> u128 {
        let pace = &self.paces[dimension];
        let base = |now: u64| pace.sink(self.base[dimension], now.saturating_sub(self.settled_at));
        let given = self.given[dimension];
        if given == 0 || now <= self.given_until {
            return base(now) + given;
        }
        pace.sink(base(self.given_until) + given, now - self.given_until)
    }

    /// Begins a new base at an exact time. All that was given is used by now, or has been put back; what will be given
    /// from here on is used within `grace_ns`.
    #[inline]
    pub(crate) fn settle(&mut self, now: u64, grace_ns: u64) {
        let now = now.max(self.settled_at);
        self.base = [self.level(0, now), self.level(1, now)];
        self.given = [0; 2];
        self.settled_at = now;
        self.given_until = now.saturating_add(grace_ns);
    }

    /// Hands out a cost if it fits by a reading of the time that may be coarse.
    #[inline]
    pub(crate) fn try_give(&mut self, now: u64, cost: [u64; 2]) -> bool {
        let fits = self.fits(now, cost);
        if fits {
            self.lend(cost);
        }
        fits
    }

    /// Whether a cost fits though all that was handed out be used.
    #[inline]
    pub(crate) fn fits(&self, now: u64, cost: [u64; 2]) -> bool {
        let fits = |at: usize| self.paces[at].lift(self.level(at, now), cost[at]).is_some();
        fits(0) && fits(1)
    }

    /// Admits a cost, or says which dimension makes it wait longest; settled at `now`.
    #[inline]
    pub(crate) fn try_take(&mut self, cost: [u64; 2]) -> Result<(), (usize, Wait)> {
        debug_assert!(self.is_settled(), "M2: a cost is taken from a base");
        if let Some(refusal) = self.refusal(self.settled_at, cost) {
            return Err(refusal);
        }
        self.base[0] += self.paces[0].units(cost[0]);
        self.base[1] += self.paces[1].units(cost[1]);
        Ok(())
    }

    /// What `try_take` would say at `now`, for a settled meter; nothing is changed.
    #[inline(always)]
    pub(crate) fn refusal(&self, now: u64, cost: [u64; 2]) -> Option<(usize, Wait)> {
        let now = now.max(self.settled_at);
        let elapsed = now - self.settled_at;
        let [ops, bytes] = &self.paces;
        let excess = [
            ops.excess(ops.sink(self.base[0], elapsed), cost[0]),
            bytes.excess(bytes.sink(self.base[1], elapsed), cost[1]),
        ];
        if excess == [0; 2] {
            return None;
        }
        let waits = [ops.wait_ns(excess[0], now), bytes.wait_ns(excess[1], now)];
        let longer = usize::from(waits[1] > waits[0]);
        Some((longer, Wait::of(waits[0].max(waits[1]))))
    }

    /// Hands out tokens that fit; see [`spare`](Self::spare).
    #[inline]
    pub(crate) fn lend(&mut self, tokens: [u64; 2]) {
        for at in BOTH {
            self.given[at] += self.paces[at].units(tokens[at]);
        }
    }

    /// Takes back tokens that were handed out since the last settling and not used.
    #[inline]
    pub(crate) fn put_back(&mut self, tokens: [u64; 2]) {
        for at in BOTH {
            let units = self.paces[at].units(tokens[at]);
            debug_assert!(units <= self.given[at], "tokens come back once");
            self.given[at] = self.given[at].saturating_sub(units);
        }
    }

    /// Adds a cost whether it fits or not, settled at `now`; true if it left a debt. See [`Pace::charge`].
    pub(crate) fn charge(&mut self, cost: [u64; 2]) -> bool {
        debug_assert!(self.is_settled(), "M2: a cost is charged to a base");
        for at in BOTH {
            self.base[at] = self.paces[at].charge(self.base[at], cost[at]);
        }
        BOTH.iter()
            .any(|&at| self.base[at] > self.paces[at].capacity())
    }

    /// What fits at `now`, in each dimension.
    #[inline]
    pub(crate) fn spare(&self, now: u64) -> [u64; 2] {
        [0, 1].map(|at: usize| self.paces[at].spare(self.level(at, now)))
    }

    /// Whether at least one part in `parts` of each burst is there.
    #[inline]
    pub(crate) fn has_part(&self, now: u64, parts: u128) -> bool {
        BOTH.iter().all(|&at| {
            let capacity = self.paces[at].capacity();
            self.level(at, now) <= capacity - capacity / parts
        })
    }

    /// As `try_take`, and remembers what to undo.
    pub(crate) fn hold(&mut self, cost: [u64; 2]) -> Result<Hold, (usize, Wait)> {
        let below = self.base;
        self.try_take(cost)?;
        Ok(Hold {
            cost,
            below,
            at: self.settled_at,
        })
    }

    /// Ends a hold, settled at `now`: what it used more than was held is charged, what it used less is given back, but for
    /// what would have sunk away without it. `returned` is what other holds got back meanwhile. Gives the units that
    /// went back, and whether there is a debt.
    pub(crate) fn end_hold(
        &mut self,
        hold: &Hold,
        used: [u64; 2],
        returned: [u128; 2],
    ) -> ([u128; 2], bool) {
        let is_in_debt = self.charge(hold.beyond(used));
        let back = BOTH.map(|at| {
            let pace = &self.paces[at];
            let less = hold.cost[at].saturating_sub(used[at]);
            let below = hold.below[at].saturating_sub(returned[at]);
            // What was used lies below what comes back.
            let below = below + pace.units(used[at].min(hold.cost[at]));
            Bucket::returnable(pace, less, below, hold.at, self.settled_at).min(self.base[at])
        });
        for at in BOTH {
            self.base[at] -= back[at];
        }
        (back, is_in_debt)
    }

    /// Changes the paces of a settled meter: what is used stays used, as [`Pace::convert`] says.
    pub(crate) fn set_paces(&mut self, paces: [Pace; 2]) {
        debug_assert!(self.is_settled(), "M2: a base is converted");
        self.base = BOTH.map(|at| paces[at].convert(self.base[at], &self.paces[at]));
        self.paces = paces;
    }

    #[inline]
    pub(crate) fn paces(&self) -> [Pace; 2] {
        self.paces
    }

    /// A settled meter as words.
    #[inline]
    pub(crate) fn to_words(self) -> [u64; METER_WORDS] {
        debug_assert!(self.is_settled(), "only a base is shown");
        let [ops, bytes] = self.paces;
        let halves = |wide: u128| [wide as u64, (wide >> 64) as u64];
        let [[a, b], [c, d]] = self.base.map(halves);
        [
            a,
            b,
            c,
            d,
            self.settled_at,
            ops.units_per_ns,
            ops.units_per_token,
            ops.burst,
            bytes.units_per_ns,
            bytes.units_per_token,
            bytes.burst,
        ]
    }

    /// The settled meter that these words show.
    #[inline]
    pub(crate) fn from_words(words: [u64; METER_WORDS]) -> Meter {
        let [a, b, c, d, settled_at, rest @ ..] = words;
        let wide = |low: u64, high: u64| u128::from(high) << 64 | u128::from(low);
        let pace = |[units_per_ns, units_per_token, burst]: [u64; 3]| Pace {
            units_per_ns,
            units_per_token,
            burst,
        };
        let [e, f, g, h, i, j] = rest;
        Meter {
            paces: [pace([e, f, g]), pace([h, i, j])],
            base: [wide(a, b), wide(c, d)],
            given: [0; 2],
            settled_at,
            given_until: settled_at,
        }
    }
}

#[cfg(test)]
#[cfg(not(engine_loom))]
mod tests;
