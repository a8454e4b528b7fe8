//! Rates as users state them, and how a refusal answers.
//!
//! # Idea         so many tokens in a period, and a burst; either dimension may be without limit
//! # Costs        plain values
//! # Invariants   LR1 a rate that exists is valid: its period is not zero
//! # Not here     the arithmetic (module `gcra`)

use std::error::Error;
use std::fmt;
use std::num::NonZeroU64;
use std::time::Duration;

use crate::gcra::{Pace, Wait};

/// So many in a time, and how many at once.
///
/// Tokens come evenly: of 1000 in a second, one each millisecond. What isn't used is kept, up to the burst. The burst is
/// what a period brings, if it isn't set; at most 2^62 are kept.
///
/// # Examples
/// ```
/// use std::time::Duration;
/// use larder::Rate;
///
/// let steady = Rate::per_second(1000).burst(50);
/// assert_eq!(Rate::new(1000, Duration::from_secs(1)), Some(Rate::per_second(1000)));
/// assert_eq!(Rate::new(1000, Duration::ZERO), None);
/// assert_eq!(steady.burst_tokens(), 50);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub struct Rate {
    n_tokens: u64,
    period_ns: NonZeroU64,
    burst: u64,
}

impl Rate {
    /// So many in each period; `None` for a period of zero. A period is cut to 584 years.
    pub const fn new(n_tokens: u64, period: Duration) -> Option<Self> {
        let ns = period.as_nanos();
        let ns = if ns > u64::MAX as u128 {
            u64::MAX
        } else {
            ns as u64
        };
        match NonZeroU64::new(ns) {
            Some(period_ns) => Some(Self {
                n_tokens,
                period_ns,
                burst: n_tokens,
            }),
            None => None,
        }
    }

    /// So many in a second.
    pub const fn per_second(n_tokens: u64) -> Self {
        const { seconds(1) }.brings(n_tokens)
    }

    /// So many in a minute.
    pub const fn per_minute(n_tokens: u64) -> Self {
        const { seconds(60) }.brings(n_tokens)
    }

    /// So many in an hour.
    pub const fn per_hour(n_tokens: u64) -> Self {
        const { seconds(3600) }.brings(n_tokens)
    }

    /// So many in 24 hours.
    pub const fn per_day(n_tokens: u64) -> Self {
        const { seconds(86_400) }.brings(n_tokens)
    }

    const fn brings(self, n_tokens: u64) -> Self {
        Self {
            n_tokens,
            burst: n_tokens,
            ..self
        }
    }

    /// Sets how many may come at once, after enough time without any.
    #[must_use]
    pub const fn burst(self, n_tokens: u64) -> Self {
        Self {
            burst: n_tokens,
            ..self
        }
    }

    /// How many come in each period.
    pub const fn tokens(self) -> u64 {
        self.n_tokens
    }

    /// The period, at most 584 years.
    pub const fn period(self) -> Duration {
        Duration::from_nanos(self.period_ns.get())
    }

    /// How many may come at once.
    pub const fn burst_tokens(self) -> u64 {
        self.burst
    }

    fn pace(self) -> Pace {
        Pace::new(self.n_tokens, self.period_ns, self.burst)
    }
}

/// A rate of nothing in so many seconds, at compile time.
const fn seconds(n: u64) -> Rate {
    Rate::new(0, Duration::from_secs(n)).expect("a period above zero")
}

/// Rates of operations and of bytes; `None` is no limit.
///
/// # Examples
/// ```
/// use larder::{Rate, Rates};
///
/// let rates = Rates {
///     operations: Some(Rate::per_second(10_000)),
///     bytes: Some(Rate::per_second(50 << 20).burst(8 << 20)),
/// };
/// assert_ne!(rates, Rates::UNLIMITED);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Hash)]
pub struct Rates {
    /// Operations in a time.
    pub operations: Option<Rate>,
    /// Bytes in a time.
    pub bytes: Option<Rate>,
}

impl Rates {
    /// No limit at all.
    pub const UNLIMITED: Self = Self {
        operations: None,
        bytes: None,
    };

    pub(super) fn paces(&self) -> [Pace; 2] {
        [self.operations, self.bytes].map(|rate| rate.map_or(Pace::UNLIMITED, Rate::pace))
    }
}

/// What a rate counts.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
#[non_exhaustive]
pub enum Metered {
    /// Operations.
    Operations,
    /// Bytes.
    Bytes,
}

impl fmt::Display for Metered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Operations => "operations",
            Self::Bytes => "bytes",
        })
    }
}

/// A request came too early, or costs more than ever passes. Nothing was counted, in neither dimension.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct LimitExceeded {
    /// The limit that makes the request wait longest.
    pub which: Metered,
    /// The time after which the same request passes, to the nanosecond, unless others come first. `None`: never, because
    /// it costs more than the burst, or the rate is zero. Where whole seconds are asked for, as by HTTP's `Retry-After`, round it up.
    pub retry_after: Option<Duration>,
}

impl LimitExceeded {
    #[inline]
    pub(super) fn new((dimension, wait): (usize, Wait)) -> Self {
        Self {
            which: if dimension == 0 {
                Metered::Operations
            } else {
                Metered::Bytes
            },
            retry_after: wait.duration(),
        }
    }
}

impl fmt::Display for LimitExceeded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.retry_after {
            Some(time) => write!(f, "too many {} for now; try again in {time:?}", self.which),
            None => write!(f, "more {} than the limit ever lets pass", self.which),
        }
    }
}

impl Error for LimitExceeded {}
