//! What every algorithm of a limiter can do with the state of one key.
//!
//! # Idea
//! A rule is what all keys of a limiter have in common: rates, periods. A state is what one key has used. Admission is
//! two steps, `room` and `take`, so that several dimensions change together or not at all.
//!
//! # Costs
//! Arithmetic on a few words. A sliding window looks at as many records as have left the window, which is constant
//! in the long run, and when it refuses at no more than it may hold.
//!
//! # Invariants
//! - LR1 `take` after a successful `room` at the same time never exceeds the limit.
//! - LR2 From `idle_at` on a state behaves as a fresh one.
//! - LR3 Times given to one state never decrease; nothing overflows at any time or cost.
//! - LR4 `give_back` never frees room that the reservation no longer takes.
//!
//! # Not here
//! Keys, locks, clocks.

use std::fmt::Debug;
use std::time::Duration;

use super::answer::{Cost, LimitError};
use crate::clock::Nanos;
use crate::limits::Metered;

/// What remains of a limit.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Remaining {
    pub(super) calls: u64,
    /// `None` if bytes aren't limited.
    pub(super) bytes: Option<u64>,
}

/// An algorithm and its parameters.
pub(super) trait Rule: Debug + Send + Sync + 'static {
    /// What one key has used.
    type State: Debug + Send + 'static;

    /// The state of a key that was never used.
    fn fresh(&self, now: Nanos) -> Self::State;

    /// Refuses a cost that not even a fresh state has room for.
    fn check_size(&self, cost: Cost) -> Result<(), LimitError>;

    /// Whether there is room for a cost; refuses otherwise.
    fn room(&self, state: &mut Self::State, cost: Cost, now: Nanos) -> Result<(), LimitError>;

    /// Counts a cost, whether or not there is room for it.
    fn take(&self, state: &mut Self::State, cost: Cost, now: Nanos);

    /// Counts a cost if there is room for it.
    #[inline]
    fn admit(&self, state: &mut Self::State, cost: Cost, now: Nanos) -> Result<(), LimitError> {
        self.room(state, cost, now)?;
        self.take(state, cost, now);
        Ok(())
    }

    /// What `give_back` has to know of the state as it was before a cost was counted.
    fn below(&self, _: &Self::State, _: Nanos) -> u128 {
        0
    }

    /// Takes back the unused part of what was admitted at `at`, when the state was `below`.
    fn give_back(
        &self,
        state: &mut Self::State,
        used_and_unused: (Cost, Cost),
        at_and_below: (Nanos, u128),
        now: Nanos,
    );

    /// What remains.
    fn remaining(&self, state: &mut Self::State, now: Nanos) -> Remaining;

    /// From when on the state may be forgotten; `Nanos::MAX` for never.
    fn idle_at(&self, state: &Self::State) -> Nanos;

    /// The bytes that a state owns outside of itself.
    fn heap_bytes(_: &Self::State) -> usize {
        0
    }
}

/// Refuses for the time being.
#[cold]
pub(super) fn exhausted(which: Metered, retry_after: Option<Duration>) -> LimitError {
    LimitError::Exhausted { which, retry_after }
}

/// Refuses for good if a cost is above what passes at most.
#[inline]
pub(super) fn check_max(which: Metered, cost: u64, cost_max: u64) -> Result<(), LimitError> {
    if cost <= cost_max {
        return Ok(());
    }
    Err(LimitError::TooLarge {
        which,
        cost,
        cost_max,
    })
}
