//! Which limit, and how many keys: checked before anything is built.
//!
//! # Idea         durations become nanoseconds and an anchor becomes a phase here, once; below there are integers only
//! # Costs        a wheel of 3 KiB a stripe; keys cost memory when they come
//! # Invariants   LB1 what is built obeys every bound that the parts below rely on
//! # Not here     the arithmetic

use std::num::NonZeroU64;
use std::time::Duration;

use super::Limiter;
use super::answer::LimiterBuildError;
use super::bucket::TokenBucket;
use super::keyed::{Keyed, Operations};
use super::rule::Rule;
use super::window::{Fixed, Sliding};
use crate::clock::{Clock, Nanos, TimeSource};
use crate::hash::Hasher64;
use crate::limits::Metered;
use crate::sync::Arc;

/// How a limiter counts.
///
/// | | admits | memory a key | after idleness |
/// |---|---|---|---|
/// | token bucket | `burst` at once, and `calls` per `period` in the long run | three words | `burst` at once |
/// | sliding window | `calls` in every interval of `period`, wherever it begins | up to 2 KiB, see there | `calls` at once |
/// | fixed window | `calls` and `bytes` from one reset to the next, so twice that around a reset | three words | as before |
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Algorithm {
    /// `burst` calls at once, and `calls` in each `period` in the long run, evenly spread: never more than
    /// `burst + calls / period * length` in any interval.
    TokenBucket {
        /// The calls that come back in each period, above zero.
        calls: u64,
        /// The time in which they do, above zero and up to 584 years.
        period: Duration,
        /// The most calls that are kept, above zero; cut to 2^62.
        burst: u64,
    },
    /// At most `calls` in every interval of `period`, wherever it begins.
    ///
    /// Exact while at most 60 moments of the last period saw admissions, so always for up to 60 calls. With more, a
    /// call may count for up to a 64th of the period longer than it should; the limit is never exceeded. A key takes
    /// 16 bytes for each moment remembered, 127 at most.
    SlidingWindow {
        /// The limit, above zero.
        calls: u64,
        /// The length of an interval, above zero and up to 300 s.
        period: Duration,
    },
    /// At most so many calls, so many bytes, or both, from one reset to the next.
    FixedWindow {
        /// The limit of calls, above zero; `None` for none. Without one, [`Standing::remaining`](super::Standing) is
        /// `u64::MAX`.
        calls: Option<u64>,
        /// The limit of bytes, above zero; `None` for none.
        bytes: Option<u64>,
        /// The time from reset to reset, up to 584 years; zero for no reset at all: then a key that was used stays until
        /// it is removed.
        period: Duration,
        /// Any one reset; the others are whole periods before and after it.
        anchor: Anchor,
    },
}

/// A reset of a fixed window.
///
/// The limiter's clock knows no calendar. A reset in the past is told as its distance from the clock's birth, which is
/// the moment when the clock, or a limiter without one, was made:
///
/// ```
/// use std::time::{Duration, SystemTime, UNIX_EPOCH};
/// use larder::{Algorithm, Anchor, Limiter};
///
/// // Resets at every full hour.
/// let since_hour = SystemTime::now().duration_since(UNIX_EPOCH)?;
/// let limiter = Limiter::builder(Algorithm::FixedWindow {
///     calls: Some(1000),
///     bytes: None,
///     period: Duration::from_secs(3600),
///     anchor: Anchor::BeforeBirth(since_hour),
/// })
/// .build()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Anchor {
    /// So long before the clock's birth.
    BeforeBirth(Duration),
    /// At a time of the clock, in its past or future.
    At(Nanos),
}

impl Default for Anchor {
    /// The clock's birth.
    fn default() -> Self {
        Self::At(Nanos::ZERO)
    }
}

impl Anchor {
    /// The first reset at or after the clock's birth, below the period; zero for a period of zero.
    fn phase_ns(self, period_ns: u64) -> u64 {
        if period_ns == 0 {
            return 0;
        }
        match self {
            Self::At(reset) => reset.0 % period_ns,
            Self::BeforeBirth(distance) => {
                // A remainder of a division by a u64 is a u64.
                let since_reset_ns = (distance.as_nanos() % u128::from(period_ns)) as u64;
                (period_ns - since_reset_ns) % period_ns
            }
        }
    }
}

/// Sets a limiter up; made by [`Limiter::builder`].
#[derive(Debug)]
pub struct LimiterBuilder {
    algorithm: Algorithm,
    max_keys: u64,
    stripes: Option<usize>,
    time: TimeSource,
    seeds: Option<[u64; 4]>,
}

impl LimiterBuilder {
    pub(super) fn new(algorithm: Algorithm) -> Self {
        Self {
            algorithm,
            max_keys: MAX_KEYS_DEFAULT,
            stripes: None,
            time: TimeSource::system(),
            seeds: None,
        }
    }

    /// Bounds the number of keys that are in use at a time, from 1 to 2^30; by default 2^20. A new key above it is
    /// refused: no key that could still be refused something is ever forgotten to make room.
    #[must_use]
    pub fn max_keys(mut self, max: u64) -> Self {
        self.max_keys = max;
        self
    }

    /// Sets the number of stripes, a power of two up to 1024: operations on keys of different stripes don't wait for
    /// each other. By default eight a core, but fewer where a stripe would have less than 64 keys.
    #[must_use]
    pub fn stripes(mut self, n: usize) -> Self {
        self.stripes = Some(n);
        self
    }

    /// Takes the time from this clock instead of the system's.
    #[must_use]
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.time = TimeSource::custom(Arc::new(clock));
        self
    }

    /// Fixes the secret of the key hash, so that a test repeats itself to the bit. With known seeds, whoever chooses
    /// the keys can make them collide: for tests only.
    #[must_use]
    pub fn hash_seeds(mut self, seeds: [u64; 4]) -> Self {
        self.seeds = Some(seeds);
        self
    }

    /// Builds the limiter.
    ///
    /// # Errors
    /// [`LimiterBuildError`] says which parameter was wrong and what would be right.
    pub fn build(self) -> Result<Limiter, LimiterBuildError> {
        if !(1..=MAX_KEYS_MAX).contains(&self.max_keys) {
            return Err(LimiterBuildError::MaxKeys(self.max_keys));
        }
        let stripes = self
            .stripes
            .unwrap_or_else(|| default_stripes(self.max_keys));
        if !stripes.is_power_of_two() || stripes > STRIPES_MAX {
            return Err(LimiterBuildError::Stripes(stripes));
        }
        let operations = match self.algorithm {
            Algorithm::TokenBucket {
                calls,
                period,
                burst,
            } => {
                check_limit(burst, Metered::Operations)?;
                let period_ns = NonZeroU64::new(nanos_of(period, LONG_PERIOD_MAX)?)
                    .filter(|_| calls > 0)
                    .ok_or(LimiterBuildError::ZeroRate)?;
                self.keyed(TokenBucket::new(calls, period_ns, burst), stripes)
            }
            Algorithm::SlidingWindow { calls, period } => {
                let period_ns = nanos_of(period, SLIDING_PERIOD_MAX)?;
                check_limit(calls, Metered::Operations)?;
                if period_ns == 0 {
                    return Err(period_error(period, SLIDING_PERIOD_MAX));
                }
                self.keyed(Sliding::new(calls, period_ns), stripes)
            }
            Algorithm::FixedWindow {
                calls,
                bytes,
                period,
                anchor,
            } => {
                let period_ns = nanos_of(period, LONG_PERIOD_MAX)?;
                if calls.is_none() && bytes.is_none() {
                    return Err(LimiterBuildError::NoLimit);
                }
                check_limit(calls.unwrap_or(u64::MAX), Metered::Operations)?;
                check_limit(bytes.unwrap_or(u64::MAX), Metered::Bytes)?;
                let phase_ns = anchor.phase_ns(period_ns);
                self.keyed(Fixed::new(calls, bytes, period_ns, phase_ns), stripes)
            }
        };
        Ok(Limiter::from_operations(operations))
    }

    fn keyed<R: Rule>(self, rule: R, stripes: usize) -> Arc<dyn Operations> {
        let hasher = self.seeds.map_or_else(Hasher64::new, |[a, b, c, d]| {
            Hasher64::with_seeds(a, b, c, d)
        });
        Arc::new(Keyed::new(
            rule,
            self.time,
            hasher,
            stripes.trailing_zeros(),
            self.max_keys,
        ))
    }
}

fn check_limit(limit: u64, which: Metered) -> Result<(), LimiterBuildError> {
    if limit == 0 {
        return Err(LimiterBuildError::ZeroLimit(which));
    }
    Ok(())
}

fn nanos_of(period: Duration, period_max: Duration) -> Result<u64, LimiterBuildError> {
    if period > period_max {
        return Err(period_error(period, period_max));
    }
    // No maximum is above what a u64 holds.
    Ok(period.as_nanos() as u64)
}

fn period_error(period: Duration, period_max: Duration) -> LimiterBuildError {
    LimiterBuildError::Period { period, period_max }
}

fn default_stripes(max_keys: u64) -> usize {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let most = (max_keys / 64).clamp(1, STRIPES_MAX as u64);
    // The largest power of two that is not above `most`.
    (cores * 8).next_power_of_two().min(1 << most.ilog2())
}

/// About a hundred megabytes of keys.
const MAX_KEYS_DEFAULT: u64 = 1 << 20;

/// All of them may meet in one stripe, and the wheel names its records by 31 bits.
const MAX_KEYS_MAX: u64 = 1 << 30;

/// More stripes than this would only cost memory.
const STRIPES_MAX: usize = 1024;

const SLIDING_PERIOD_MAX: Duration = Duration::from_secs(300);
const LONG_PERIOD_MAX: Duration = Duration::from_nanos(u64::MAX);

#[cfg(test)]
mod tests;
