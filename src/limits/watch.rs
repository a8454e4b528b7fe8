//! How a tenant's limits read the time.
//!
//! # Idea         the system's clock read exactly, or coarsely for a fifth of that; a clock of the user's, exactly only
//! # Costs        those of module `clock`
//! # Invariants   LW1 a coarse reading is not above the true time, and at most `lag_ns` below it
//! # Not here     what the readings decide

use crate::clock::{COARSE_LAG_MAX, TimeSource};

/// A clock with two faces.
pub(crate) trait Watch {
    /// The time in nanoseconds.
    fn exact(&self) -> u64;

    /// The time as it stood at most `lag_ns` ago.
    fn coarse(&self) -> u64;

    /// Zero: the coarse reading is an exact one, and costs as much.
    fn lag_ns(&self) -> u64;
}

impl Watch for TimeSource {
    #[inline]
    fn exact(&self) -> u64 {
        self.now().0
    }

    #[inline]
    fn coarse(&self) -> u64 {
        match self {
            TimeSource::System(_) => self.coarse_now().0,
            // Not among what an admission from a lease does: by such a clock nothing is lent.
            TimeSource::Custom(_) => exactly(self),
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

#[cold]
#[inline(never)]
fn exactly(time: &TimeSource) -> u64 {
    time.now().0
}
