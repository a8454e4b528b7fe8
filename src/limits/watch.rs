//! How a tenant's limits read the time.
//!
//! # Idea         the system's clock read exactly, or coarsely for an eighth of that; a clock of the user's, exactly only
//! # Costs        those of module `clock`
//! # Invariants   LW1 a coarse reading is not above the true time, and at most `lag_ns` below it; where that is zero, nobody relies on one
//! # Not here     what the readings decide

use crate::clock::{COARSE_LAG_MAX, Nanos, TimeSource};
use crate::sync::time::monotonic_coarse_ns;

/// A clock with two faces.
pub(crate) trait Watch {
    /// The time in nanoseconds.
    fn exact(&self) -> u64;

    /// The time as it stood at most `lag_ns` ago, on a line of its own.
    fn coarse(&self) -> u64;

    /// Where a time is on the line of `coarse`.
    fn coarse_line(&self, time: u64) -> u64;

    /// Zero: there is no coarse face, and nothing of what it says may count.
    fn lag_ns(&self) -> u64;
}

impl Watch for TimeSource {
    #[inline]
    fn exact(&self) -> u64 {
        self.now().0
    }

    /// The system's, whose line begins before all others: so the clock itself isn't looked at.
    #[inline]
    fn coarse(&self) -> u64 {
        monotonic_coarse_ns()
    }

    #[inline]
    fn coarse_line(&self, time: u64) -> u64 {
        match self {
            TimeSource::System(clock) => clock.system_ns(Nanos(time)),
            TimeSource::Custom(_) => 0,
        }
    }

    #[inline]
    fn lag_ns(&self) -> u64 {
        match self {
            TimeSource::System(_) => COARSE_LAG_MAX.as_nanos() as u64,
            TimeSource::Custom(_) => 0,
        }
    }
}
