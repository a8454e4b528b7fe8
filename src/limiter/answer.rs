//! What a limiter is asked, and what it answers.
//!
//! # Idea         a cost has two dimensions; a refusal names the one that is short, and when to come back
//! # Costs        plain values, nothing is allocated
//! # Invariants   LA1 a `retry_after` is exact: the same request passes that much later and not a nanosecond earlier, provided
//!   that nobody else takes or gives back room meanwhile
//! # Not here     the arithmetic

use std::error::Error;
use std::fmt;
use std::time::Duration;

use crate::clock::Nanos;
use crate::error::KeyError;
use crate::limits::Metered;

/// What one request takes from its key's limit.
///
/// A number converts into a cost of so many calls.
///
/// # Examples
/// ```
/// use larder::Cost;
///
/// assert_eq!(Cost::from(3), Cost::calls(3));
/// assert_eq!(Cost::calls(1).and_bytes(500).bytes, 500);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Cost {
    /// Calls, or whatever else the limit counts.
    pub calls: u64,
    /// Bytes. Only a fixed window with a bound on bytes looks at them.
    pub bytes: u64,
}

impl Cost {
    /// So many calls, and no bytes.
    pub const fn calls(calls: u64) -> Self {
        Self { calls, bytes: 0 }
    }

    /// The same calls, and so many bytes.
    #[must_use]
    pub const fn and_bytes(self, bytes: u64) -> Self {
        Self { bytes, ..self }
    }

    /// What this is above another cost, in each dimension; zero where it isn't.
    pub(crate) fn beyond(self, other: Self) -> Self {
        Self {
            calls: self.calls.saturating_sub(other.calls),
            bytes: self.bytes.saturating_sub(other.bytes),
        }
    }

    pub(crate) fn is_zero(self) -> bool {
        self == Self::default()
    }
}

impl From<u64> for Cost {
    fn from(calls: u64) -> Self {
        Self::calls(calls)
    }
}

/// Where a key stands in its limit.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Standing {
    /// The calls that would pass now, at once.
    pub remaining: u64,
    /// The bytes that would pass now, at once; `None` if they aren't limited.
    pub remaining_bytes: Option<u64>,
    /// When the key will be as if it had never been used, if it isn't used again: now, if it is so already;
    /// [`Nanos::MAX`] if that never comes. On the limiter's clock.
    pub reset_at: Nanos,
    /// When this was so, on the limiter's clock.
    pub now: Nanos,
}

impl Standing {
    /// The time that was left then until the reset; `None` if it never comes.
    pub fn reset_after(&self) -> Option<Duration> {
        (self.reset_at != Nanos::MAX).then(|| self.reset_at.saturating_since(self.now))
    }
}

/// Why a request was refused. Nothing was counted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum LimitError {
    /// The key is empty or too long.
    Key(KeyError),
    /// There is no room at present.
    Exhausted {
        /// What there is no room for.
        which: Metered,
        /// The time after which the same request passes, to the nanosecond, unless others take the room first; what is
        /// reserved may be given back earlier. `None` if that time never comes.
        retry_after: Option<Duration>,
    },
    /// The request costs more than a key that was never used has room for, so it never passes.
    TooLarge {
        /// What it costs too much of.
        which: Metered,
        /// What it costs.
        cost: u64,
        /// The highest cost that passes.
        cost_max: u64,
    },
    /// The key is new, and as many keys as the limiter may know are in use. Forgetting one of them could let somebody
    /// exceed a limit.
    TooManyKeys {
        /// The bound on keys.
        max_keys: u64,
    },
}

impl LimitError {
    /// The time after which the same request passes, if it is known; to be rounded up where it is told in seconds.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Exhausted { retry_after, .. } => *retry_after,
            Self::Key(_) | Self::TooLarge { .. } | Self::TooManyKeys { .. } => None,
        }
    }
}

impl From<KeyError> for LimitError {
    fn from(error: KeyError) -> Self {
        Self::Key(error)
    }
}

impl fmt::Display for LimitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Key(error) => error.fmt(f),
            Self::Exhausted {
                which,
                retry_after: Some(after),
            } => write!(f, "the limit of {which} is reached; try again in {after:?}"),
            Self::Exhausted {
                which,
                retry_after: None,
            } => write!(f, "the limit of {which} is reached, and is never reset"),
            Self::TooLarge {
                which,
                cost,
                cost_max,
            } => write!(
                f,
                "the request costs {cost} {which}, and at most {cost_max} ever pass at once"
            ),
            Self::TooManyKeys { max_keys } => write!(
                f,
                "{max_keys} keys are in use, and the limiter may know no more; raise max_keys or wait until one is idle"
            ),
        }
    }
}

impl Error for LimitError {}

/// Why a limiter could not be built.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum LimiterBuildError {
    /// The rate is zero, or its period is.
    ZeroRate,
    /// A fixed window bounds neither calls nor bytes.
    NoLimit,
    /// A limit of zero calls, zero bytes or a burst of zero, which nothing would ever pass.
    ZeroLimit(Metered),
    /// The period is one that the algorithm doesn't take.
    Period {
        /// The period that was asked for.
        period: Duration,
        /// The longest one that is taken; the shortest is a nanosecond, or zero for a fixed window that never ends.
        period_max: Duration,
    },
    /// The number of keys is zero, or above 2^30.
    MaxKeys(u64),
    /// The number of stripes is zero, no power of two, or above 1024.
    Stripes(usize),
}

impl fmt::Display for LimiterBuildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ZeroRate => f.write_str(
                "the rate is zero; give at least one call in a period of at least a nanosecond",
            ),
            Self::NoLimit => {
                f.write_str("a fixed window needs a limit: of calls, of bytes, or of both")
            }
            Self::ZeroLimit(which) => {
                write!(
                    f,
                    "a limit of zero {which} lets nothing pass; give at least one"
                )
            }
            Self::Period { period, period_max } => write!(
                f,
                "a period of {period:?} isn't taken; give one above zero and up to {period_max:?}"
            ),
            Self::MaxKeys(n) => {
                write!(f, "{n} keys were asked for; take a number from 1 to 2^30")
            }
            Self::Stripes(n) => write!(
                f,
                "{n} stripes were asked for; take a power of two from 1 to 1024"
            ),
        }
    }
}

impl Error for LimiterBuildError {}
