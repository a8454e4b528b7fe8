//! Time: nanoseconds since a clock's birth, where they come from, and whether a deadline has passed.
//!
//! # Idea
//! All deadlines are points on one monotonic line that begins when the cache is built. The system's line is read in
//! two ways: precisely, and coarsely. The coarse reading is the precise one as of the last kernel tick, so it's never
//! ahead, and costs a tenth. Most deadlines are far away in either direction, and then the coarse reading decides.
//!
//! # Costs
//! Asking whether a deadline has passed: one coarse reading, a few nanoseconds; and a precise one, some tens, only
//! while the deadline lies at most [`COARSE_LAG_MAX`] ahead of the coarse reading. A clock of the user's: one call.
//!
//! # Invariants
//! - C1 A deadline is passed from its own nanosecond on: at the deadline a thing is absent.
//! - C2 The answer is as exact as the precise reading, whose grain is a nanosecond on common hardware. The one
//!   exception is a kernel tick late by more than [`COARSE_LAG_MAX`] (common ticks come every 1 to 10 ms; a paused
//!   virtual machine may be later, for the moment until its next tick): a deadline may then seem not to have passed,
//!   for as long as the tick is late. A deadline never seems passed before its time.
//! - C3 Time never goes back: a reading below an earlier one means that no time has passed.
//! - C4 [`Nanos::MAX`] is never reached.
//!
//! Deadlines themselves are counted from the precise reading where they are near, and from the coarse one where they are far off (`Reading`,
//! module `stripe`): such a one may come early by what that lags, never late.
//!
//! # Not here
//! Calendar time, time-to-live rules, the wheel.

use std::fmt::Debug;
use std::time::Duration;

use crate::sync::Arc;
use crate::sync::atomic::{AtomicU64, Ordering};
use crate::sync::time::{monotonic_coarse_ns, monotonic_ns};

/// A point in time: nanoseconds since the birth of a clock, which is enough for 584 years.
///
/// Arithmetic saturates, so a huge time to live is [`Nanos::MAX`], which means never.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Nanos(pub u64);

impl Nanos {
    /// The birth of the clock.
    pub const ZERO: Self = Self(0);

    /// Never.
    pub const MAX: Self = Self(u64::MAX);

    /// Turns a time since birth into a point in time; what doesn't fit is [`Nanos::MAX`].
    #[inline]
    pub const fn from_duration(since_birth: Duration) -> Self {
        let nanos = since_birth.as_nanos();
        if nanos < u64::MAX as u128 {
            Self(nanos as u64)
        } else {
            Self::MAX
        }
    }

    /// The point that much later, at most [`Nanos::MAX`].
    #[inline]
    #[must_use]
    pub const fn saturating_add(self, later_by: Duration) -> Self {
        Self(self.0.saturating_add(Self::from_duration(later_by).0))
    }

    /// The time from `earlier` to this point, zero if `earlier` is later.
    #[inline]
    pub const fn saturating_since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

/// Where a cache reads the time.
///
/// Readings are taken as monotonic: one below an earlier one counts as that earlier one. A clock may be read under a
/// lock of the cache, so `now` must not call the cache, and should be quick.
pub trait Clock: Send + Sync + Debug + 'static {
    /// The time since the clock's birth.
    fn now(&self) -> Nanos;
}

/// A clock that others hold as well.
impl<C: Clock + ?Sized> Clock for Arc<C> {
    fn now(&self) -> Nanos {
        (**self).now()
    }
}

/// The system's monotonic clock, born when it's made. Calendar changes don't move it.
#[derive(Clone, Copy, Debug)]
pub struct SystemClock {
    birth_ns: u64,
}

impl SystemClock {
    /// Makes a clock that stands at zero.
    pub fn new() -> Self {
        Self {
            birth_ns: monotonic_ns(),
        }
    }

    /// A time of this clock on the system's own line, which begins earlier.
    #[inline]
    pub(crate) fn system_ns(&self, time: Nanos) -> u64 {
        time.0.saturating_add(self.birth_ns)
    }

    /// The time as of the last kernel tick: at most the precise time, and mostly within 10 ms of it.
    #[inline]
    fn coarse_now(&self) -> Nanos {
        // Right after birth the last tick may be older than the clock.
        Nanos(monotonic_coarse_ns().saturating_sub(self.birth_ns))
    }
}

impl Default for SystemClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for SystemClock {
    #[inline]
    fn now(&self) -> Nanos {
        Nanos(monotonic_ns().saturating_sub(self.birth_ns))
    }
}

/// A clock that stands still until it's moved by hand; clones show and move the same time.
///
/// It can be set back, to see that nothing comes of it.
#[derive(Clone, Debug)]
pub struct ManualClock {
    now: Arc<AtomicU64>,
}

impl ManualClock {
    /// Makes a clock that stands at zero.
    pub fn new() -> Self {
        Self {
            now: Arc::new(AtomicU64::new(0)),
        }
    }

    /// Moves the clock forward, at most to [`Nanos::MAX`].
    pub fn advance(&self, by: Duration) {
        let later = |now| Some(Nanos(now).saturating_add(by).0);
        // The closure never refuses, so there is no failure to handle.
        let _ = self
            .now
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, later);
    }

    /// Moves the clock to a time, which may lie in its past.
    pub fn set(&self, now: Nanos) {
        self.now.store(now.0, Ordering::Relaxed);
    }
}

impl Default for ManualClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Nanos {
        Nanos(self.now.load(Ordering::Relaxed))
    }
}

/// How far the coarse reading is trusted to lag behind at most: six times the longest common kernel tick.
pub(crate) const COARSE_LAG_MAX: Duration = Duration::from_millis(64);
const COARSE_LAG_MAX_NANOS: u64 = COARSE_LAG_MAX.as_nanos() as u64;

/// The clock of one cache. The system's is not behind a pointer, and needs no guard against going back.
#[derive(Debug)]
pub(crate) enum TimeSource {
    /// The operating system's monotonic clock.
    System(SystemClock),
    /// A clock of the user's.
    Custom(CustomClock),
}

/// A user's clock, kept from going back.
#[derive(Debug)]
pub(crate) struct CustomClock {
    clock: Arc<dyn Clock>,
    /// The latest reading so far.
    high_water: AtomicU64,
}

impl TimeSource {
    /// Starts the system's clock.
    pub(crate) fn system() -> Self {
        Self::System(SystemClock::new())
    }

    /// Takes a clock of the user's.
    pub(crate) fn custom(clock: Arc<dyn Clock>) -> Self {
        Self::Custom(CustomClock {
            clock,
            high_water: AtomicU64::new(0),
        })
    }

    /// The time, precisely.
    #[inline]
    pub(crate) fn now(&self) -> Nanos {
        match self {
            Self::System(clock) => clock.now(),
            Self::Custom(clock) => clock.now(),
        }
    }

    /// A lower bound of the time, which costs less than the time.
    #[inline]
    pub(crate) fn coarse_now(&self) -> Nanos {
        match self {
            Self::System(clock) => clock.coarse_now(),
            Self::Custom(clock) => clock.now(),
        }
    }

    /// A coarse reading, if by that alone the deadline lies ahead (C2).
    #[inline]
    pub(crate) fn long_before(&self, deadline: Nanos) -> Option<Nanos> {
        match self {
            Self::System(clock) => {
                let now = clock.coarse_now();
                (deadline.0.saturating_sub(now.0) > COARSE_LAG_MAX_NANOS).then_some(now)
            }
            Self::Custom(_) => None,
        }
    }

    /// Whether the deadline has been reached (C1, C2), and the reading by which that was decided.
    #[inline]
    pub(crate) fn probe(&self, deadline: Nanos) -> (bool, Nanos) {
        match self {
            Self::System(clock) => probe(deadline, clock.coarse_now(), || clock.now()),
            Self::Custom(clock) => {
                let now = clock.now();
                (deadline != Nanos::MAX && now >= deadline, now)
            }
        }
    }
}

impl CustomClock {
    fn now(&self) -> Nanos {
        let reading = self.clock.now();
        // Relaxed: all that matters is the order of this one word's values, and a word's own order is always kept.
        let high_water = self.high_water.load(Ordering::Relaxed);
        // A clock that stands still must not make its readers fight for the line.
        if reading.0 <= high_water {
            return Nanos(high_water);
        }
        let before = self.high_water.fetch_max(reading.0, Ordering::Relaxed);
        Nanos(reading.0.max(before))
    }
}

/// Decides by a reading that is at most the true time, and takes a precise one if that leaves it open.
#[inline]
fn probe(deadline: Nanos, coarse_now: Nanos, precise_now: impl FnOnce() -> Nanos) -> (bool, Nanos) {
    if deadline == Nanos::MAX {
        return (false, coarse_now);
    }
    if deadline <= coarse_now {
        return (true, coarse_now);
    }
    // Below this, `deadline` is above `coarse_now`, so the difference doesn't wrap.
    if deadline.0 - coarse_now.0 > COARSE_LAG_MAX_NANOS {
        return (false, coarse_now);
    }
    let now = precise_now();
    (now >= deadline, now)
}

#[cfg(test)]
mod tests;
