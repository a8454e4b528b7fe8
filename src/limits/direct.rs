//! Limits without a cache: one rate of operations, one of bytes, for whoever holds the limiter.
//!
//! # Idea         a tenant's limits and a clock
//! # Costs        those of the limits
//! # Invariants   none of its own
//! # Not here     keys (module `limiter`), tenants

use std::mem::offset_of;

use super::home::APART;
use super::rates::{LimitExceeded, Rates};
use super::tenant::{Limits, OpenTab};
use crate::clock::{Clock, TimeSource};
use crate::sync::Arc;

/// Limits how often something is done, and how many bytes go with it.
///
/// Both limits are token buckets: full at the start, and never more is admitted in any window of time than a burst and what the
/// rate brings in it. Many threads may ask at once: where they crowd, the limiter lends shares of its tokens to them, so
/// that they don't meet on one cache line.
///
/// # Consistency
/// The windows are of the times at which requests were admitted, each within its call. Before a refusal, what other threads have
/// on loan is called in. What is used on loan counts as used at the end of a period, of at most 32 ms and a sixteenth of the time
/// that the smaller burst takes to fill: by what was used in such a time, the limiter may be stricter than an ideal one for
/// a moment, never laxer. With a clock of your own nothing is lent, and all answers are exact.
///
/// # Examples
/// ```
/// use std::time::Duration;
/// use larder::{ManualClock, Metered, Rate, RateLimiter, Rates};
///
/// let clock = ManualClock::new();
/// let limiter = RateLimiter::with_clock(
///     Rates {
///         operations: Some(Rate::per_second(100).burst(2)),
///         bytes: Some(Rate::per_second(1000)),
///     },
///     clock.clone(),
/// );
/// limiter.check(1, 400)?;
/// limiter.check(1, 400)?;
///
/// let refused = limiter.check(1, 400).unwrap_err();
/// assert_eq!(refused.which, Metered::Bytes);
/// assert_eq!(refused.retry_after, Some(Duration::from_millis(200)));
///
/// clock.advance(Duration::from_millis(200));
/// limiter.check(1, 400)?;
/// # Ok::<(), larder::LimitExceeded>(())
/// ```
// In this order: in short periods each admission looks at the clock, so that isn't behind the limits, on the line of a home.
#[derive(Debug)]
#[repr(C)]
pub struct RateLimiter {
    time: TimeSource,
    limits: Limits,
    /// Keeps what is behind it off the line of the limits' last words, as `Limits` wants.
    _apart: [u8; APART],
}

const _: () = {
    assert!(offset_of!(RateLimiter, time) < offset_of!(RateLimiter, limits));
    assert!(
        offset_of!(RateLimiter, limits) + size_of::<Limits>() + APART <= size_of::<RateLimiter>()
    );
};

impl RateLimiter {
    /// Makes a limiter on the system's monotonic clock. Cost: no allocation.
    pub fn new(rates: Rates) -> Self {
        Self {
            time: TimeSource::system(),
            limits: Limits::new(&rates),
            _apart: [0; APART],
        }
    }

    /// Makes a limiter on a clock of your own.
    pub fn with_clock(rates: Rates, clock: impl Clock) -> Self {
        Self {
            time: TimeSource::custom(Arc::new(clock)),
            limits: Limits::new(&rates),
            _apart: [0; APART],
        }
    }

    /// Counts a request, if both its operations and its bytes fit.
    ///
    /// # Errors
    /// What doesn't fit, and when it would. Neither dimension is counted then.
    ///
    /// Cost: one compare-and-swap and a reading of the coarse clock while the limiter is busy and not at its limit; a small lock
    /// else. A refusal writes nothing that is shared, but for the first of a row.
    #[inline]
    pub fn check(&self, operations: u64, bytes: u64) -> Result<(), LimitExceeded> {
        self.limits.admit(&self.time, operations, bytes)
    }

    /// Counts bytes that turned out to be needed, whether they fit or not. What doesn't fit is debt: nothing passes before
    /// it is gone. It is at most one more burst; what is beyond is forgotten.
    ///
    /// Cost: as [`check`](Self::check).
    #[inline]
    pub fn charge(&self, bytes: u64) {
        self.limits.charge(&self.time, bytes);
    }

    /// Counts a request whose cost is known only later, by an estimate.
    ///
    /// # Errors
    /// As [`check`](Self::check).
    ///
    /// Cost: the lock, and all loans are called in.
    ///
    /// # Examples
    /// ```
    /// # use larder::{Rate, RateLimiter, Rates};
    /// let limiter = RateLimiter::new(Rates {
    ///     bytes: Some(Rate::per_day(1000)),
    ///     ..Rates::UNLIMITED
    /// });
    /// let tab = limiter.reserve(1, 1000)?;
    /// assert!(limiter.check(1, 300).is_err());
    /// // It was less than feared.
    /// tab.commit(1, 600);
    /// assert!(limiter.check(1, 300).is_ok());
    /// # Ok::<(), larder::LimitExceeded>(())
    /// ```
    pub fn reserve(&self, operations: u64, bytes: u64) -> Result<Tab<'_>, LimitExceeded> {
        let open = self.limits.open_tab(&self.time, operations, bytes)?;
        Ok(Tab {
            limiter: self,
            open: Some(open),
        })
    }

    /// Sets other rates, in force when this returns. What is used stays used, up to the new burst.
    ///
    /// Cost: the lock, and all loans are called in.
    pub fn set_rates(&self, rates: Rates) {
        self.limits.set(&self.time, &rates);
    }
}

/// A request that was counted by an estimate. Dropped, it counts as not done.
#[derive(Debug)]
#[must_use = "a tab that is dropped gives everything back"]
pub struct Tab<'a> {
    limiter: &'a RateLimiter,
    open: Option<OpenTab>,
}

impl Tab<'_> {
    /// Ends the request by what it came to. Less than the estimate is given back, but for what the rate would have
    /// brought back by now in any case; more becomes debt, as by [`charge`](RateLimiter::charge). If rates were set meanwhile, nothing
    /// is given back.
    pub fn commit(mut self, operations: u64, bytes: u64) {
        self.end(operations, bytes);
    }

    /// Ends the request as if it had not been.
    pub fn release(self) {}

    fn end(&mut self, operations: u64, bytes: u64) {
        if let Some(open) = self.open.take() {
            let RateLimiter { limits, time, .. } = self.limiter;
            limits.close_tab(time, open, operations, bytes);
        }
    }
}

impl Drop for Tab<'_> {
    fn drop(&mut self) {
        self.end(0, 0);
    }
}
