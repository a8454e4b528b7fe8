//! The door to time: the clock that deadlines are kept on, and the wall's, which the records of all processes have in common.
//!
//! # Idea         a call has a moment when it must be over ([`Until`]), and everything that it waits for is given what is left
//! # Costs        a reading of the system's clock
//! # Not here     how long a record lives: module `envelope`

use std::time::{Duration, Instant, SystemTime};

/// When a call has to be over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Until(Instant);

impl Until {
    pub(crate) fn after(within: Duration) -> Self {
        // A year is for ever, and no sum overflows.
        Self(now() + within.min(Duration::from_secs(365 * 86_400)))
    }

    /// What is left; `None` if nothing is.
    pub(crate) fn left(self) -> Option<Duration> {
        let left = self.0.saturating_duration_since(now());
        (!left.is_zero()).then_some(left)
    }

    /// The same, or so long from now on if that is sooner.
    pub(crate) fn at_most(self, within: Duration) -> Self {
        self.min(Self::after(within))
    }

    pub(crate) fn instant(self) -> Instant {
        self.0
    }
}

#[allow(clippy::disallowed_methods, reason = "this is the door")]
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// The wall clock, in microseconds since 1970.
pub(crate) fn wall_us() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    since.map_or(0, |since| since.as_micros() as u64)
}
