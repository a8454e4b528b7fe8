//! The token bucket, as a rule for keys.
//!
//! # Idea         module `gcra` has the arithmetic; here it meets costs, refusals and reservations
//! # Costs        a few multiplications; what remains takes a division
//! # Invariants   those of `gcra`; LT1 what is given back never lowers a level below what it would be without the reservation
//! # Not here     how a bucket works

use std::num::NonZeroU64;

use super::answer::{Cost, LimitError};
use super::rule::{Remaining, Rule, check_max, exhausted};
use crate::clock::Nanos;
use crate::gcra::{BURST_MAX, Bucket, Pace, Wait};
use crate::limits::Metered;

/// At most a burst at once, and a rate in the long run.
#[derive(Clone, Copy, Debug)]
pub(super) struct TokenBucket {
    pace: Pace,
    burst: u64,
}

impl TokenBucket {
    /// Takes a rate of so many calls, above zero, in a period, and a burst.
    pub(super) fn new(calls: u64, period_ns: NonZeroU64, burst: u64) -> Self {
        let burst = burst.min(BURST_MAX);
        Self {
            pace: Pace::new(calls, period_ns, burst),
            burst,
        }
    }
}

#[cold]
fn refused(wait: Wait) -> LimitError {
    exhausted(Metered::Operations, wait.duration())
}

impl Rule for TokenBucket {
    type State = Bucket;

    fn fresh(&self, _: Nanos) -> Bucket {
        Bucket::default()
    }

    #[inline]
    fn check_size(&self, cost: Cost) -> Result<(), LimitError> {
        check_max(Metered::Operations, cost.calls, self.burst)
    }

    #[inline]
    fn room(&self, bucket: &mut Bucket, cost: Cost, now: Nanos) -> Result<(), LimitError> {
        // In the midst of debt, too, nothing asked for is nothing refused.
        if cost.calls == 0 {
            return Ok(());
        }
        let lifted = bucket.admit(&self.pace, now.0, cost.calls);
        lifted.map(drop).map_err(refused)
    }

    fn take(&self, bucket: &mut Bucket, cost: Cost, now: Nanos) {
        *bucket = bucket.charge(&self.pace, now.0, cost.calls);
    }

    #[inline]
    fn admit(&self, bucket: &mut Bucket, cost: Cost, now: Nanos) -> Result<(), LimitError> {
        if cost.calls > 0 {
            *bucket = bucket
                .admit(&self.pace, now.0, cost.calls)
                .map_err(refused)?;
        }
        Ok(())
    }

    fn below(&self, bucket: &Bucket, now: Nanos) -> u128 {
        bucket.level(&self.pace, now.0)
    }

    fn give_back(
        &self,
        bucket: &mut Bucket,
        (used, unused): (Cost, Cost),
        (at, below): (Nanos, u128),
        now: Nanos,
    ) {
        // The part that is kept lifted the level first, the other from there.
        let below = self.pace.lift(below, used.calls).unwrap_or(below);
        let units = Bucket::returnable(&self.pace, unused.calls, below, at.0, now.0);
        *bucket = bucket.give_back(&self.pace, now.0, units);
    }

    fn remaining(&self, bucket: &mut Bucket, now: Nanos) -> Remaining {
        Remaining {
            calls: self.pace.spare(bucket.level(&self.pace, now.0)),
            bytes: None,
        }
    }

    fn idle_at(&self, bucket: &Bucket) -> Nanos {
        bucket.full_at(&self.pace).map_or(Nanos::MAX, Nanos)
    }
}

#[cfg(test)]
mod tests;
