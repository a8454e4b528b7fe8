//! Limits by key: an address, a subscription, anything that is a [`Key`].
//!
//! # Idea
//! One rule for all keys, one small state for each that was used lately. A key's hash picks a stripe; under its lock,
//! the state is found, asked and changed. A state that is as good as new is forgotten through the stripe's timing wheel,
//! so keys that came once leave nothing.
//!
//! ```text
//! Limiter -> Keyed<Rule> { stripes: Mutex<Stripe> }     Stripe = Counters (keys, states) + Wheel (their ends)
//! ```
//!
//! # Costs
//! An operation: the key's hash, a reading of the clock, one lock, one search. No allocation on a present key. A refusal
//! writes nothing but the stripe that was locked.
//!
//! # Invariants
//! - LL1 No interval holds more admissions than its limit allows, however threads and clock readings interleave: time
//!   is taken as not going back within a stripe.
//! - LL2 A key is forgotten only when it is as if never used, or when it is asked for.
//! - LL3 No user code runs under a lock; the clock is read before.
//!
//! # Not here
//! Tenants and their rates; limits of a cache.

mod answer;
mod bucket;
mod builder;
mod counters;
mod keyed;
mod keys;
mod reservation;
mod rule;
mod stripe;
mod window;

use std::fmt;

pub use self::answer::{Cost, LimitError, LimiterBuildError, Standing};
pub use self::builder::{Algorithm, Anchor, LimiterBuilder};
use self::keyed::Operations;
pub use self::reservation::Reservation;
use crate::error::KeyError;
use crate::key::{Key, with_key};
use crate::store::Maintained;
use crate::sync::Arc;

/// Limits how often each key may do something.
///
/// A handle is cheap to clone and may be sent to any thread; all clones are the same limiter, which ends with the last
/// clone and reservation.
///
/// # Consistency
/// Operations on one key are linearizable; the limit holds for the times at which they took effect, each within its
/// call. `len`, `clear` and `maintain` see each stripe at some moment during the call.
///
/// # Examples
/// ```
/// use std::time::Duration;
/// use larder::{Algorithm, Limiter, LimitError, ManualClock};
///
/// let clock = ManualClock::new();
/// let limiter = Limiter::builder(Algorithm::SlidingWindow {
///     calls: 3,
///     period: Duration::from_secs(60),
/// })
/// .clock(clock.clone())
/// .build()?;
///
/// for _ in 0..3 {
///     limiter.check("203.0.113.7", 1)?;
///     clock.advance(Duration::from_secs(1));
/// }
/// let refused = limiter.check("203.0.113.7", 1).unwrap_err();
/// assert_eq!(refused.retry_after(), Some(Duration::from_secs(57)));
/// assert_eq!(limiter.check("203.0.113.8", 1)?.remaining, 2);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Limiter {
    operations: Arc<dyn Operations>,
}

impl Limiter {
    /// Starts a configuration.
    pub fn builder(algorithm: Algorithm) -> LimiterBuilder {
        LimiterBuilder::new(algorithm)
    }

    fn from_operations(operations: Arc<dyn Operations>) -> Self {
        Self { operations }
    }

    /// Counts a cost if there is room for it, and says where the key stands then. A cost of zero always passes, and
    /// leaves nothing.
    ///
    /// # Errors
    /// [`LimitError`] says why not, and when it would pass. Nothing is counted then.
    ///
    /// Cost: one lock; for a new key, about 100 to 130 bytes, and a heap block if the key is longer than 21 bytes.
    #[inline]
    pub fn check<K: Key>(&self, key: K, cost: impl Into<Cost>) -> Result<Standing, LimitError> {
        let cost = cost.into();
        with_key(&key, |key| self.operations.check(key, cost))?
    }

    /// Counts a cost for the moment, if there is room for it: the answer decides later how much it was.
    ///
    /// # Errors
    /// As [`check`](Self::check).
    ///
    /// Cost: as `check`, a reference count, and one lock when it ends.
    ///
    /// # Examples
    /// ```
    /// # use std::time::Duration;
    /// # use larder::{Algorithm, Anchor, Cost, Limiter};
    /// # let limiter = Limiter::builder(Algorithm::FixedWindow {
    /// #     calls: Some(10), bytes: Some(1000), period: Duration::ZERO, anchor: Anchor::default(),
    /// # }).build()?;
    /// let reservation = limiter.reserve("subscription", Cost::calls(1).and_bytes(1))?;
    /// // The response turns out to have 700 bytes.
    /// reservation.commit(Cost::calls(1).and_bytes(700));
    /// assert_eq!(limiter.peek("subscription")?.remaining_bytes, Some(300));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[inline]
    pub fn reserve<K: Key>(
        &self,
        key: K,
        cost: impl Into<Cost>,
    ) -> Result<Reservation, LimitError> {
        let cost = cost.into();
        let admitted = with_key(&key, |key| self.operations.reserve(key, cost))??;
        let operations = Arc::clone(&self.operations);
        Ok(Reservation::new(operations, admitted, cost))
    }

    /// Whether [`check`](Self::check) would pass; counts nothing.
    ///
    /// # Errors
    /// What `check` would answer.
    ///
    /// Cost: one lock.
    pub fn probe<K: Key>(&self, key: K, cost: impl Into<Cost>) -> Result<(), LimitError> {
        let cost = cost.into();
        with_key(&key, |key| self.operations.probe(key, cost))?
    }

    /// Says where a key stands; a key that was never used, or was forgotten, has everything.
    ///
    /// # Errors
    /// A key that is empty or too long.
    ///
    /// Cost: one lock.
    pub fn peek<K: Key>(&self, key: K) -> Result<Standing, KeyError> {
        with_key(&key, |key| self.operations.peek(key))
    }

    /// Forgets what a key has used; whether there was anything. Its open reservations change nothing when they end.
    ///
    /// Cost: one lock.
    pub fn remove<K: Key>(&self, key: K) -> bool {
        with_key(&key, |key| self.operations.remove(key)).unwrap_or(false)
    }

    /// Forgets all keys, stripe by stripe, as [`remove`](Self::remove) does.
    ///
    /// Cost: one lock a stripe; what is freed, is freed without it.
    pub fn clear(&self) {
        self.operations.clear();
    }

    /// The number of keys that are remembered. Those that are as good as new count until they are forgotten.
    pub fn len(&self) -> u64 {
        self.operations.len()
    }

    /// Whether no key is remembered.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Forgets keys that are as good as new and gives memory back, in at most `budget` steps; says whether there is
    /// more. Other operations forget a few keys of their stripe each, so this is for limiters that nobody calls.
    ///
    /// Cost: one lock a stripe, and for each few steps; a step is a key forgotten, or looked at and put off.
    pub fn maintain(&self, budget: usize) -> Maintained {
        self.operations.maintain(budget)
    }

    /// The bytes that keys, states and structure take.
    ///
    /// Cost: one lock a stripe.
    pub fn memory_bytes(&self) -> u64 {
        self.operations.memory_bytes()
    }
}

impl fmt::Debug for Limiter {
    /// Shows how many keys there are, not which.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Limiter")
            .field("len", &self.len())
            .finish_non_exhaustive()
    }
}
