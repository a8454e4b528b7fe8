//! Limiter arithmetic: how full a token bucket is, whether a cost fits, and if not, when it will.
//!
//! # Idea
//! The generic cell rate algorithm (ITU-T I.371, annex A) in its leaky-bucket form: a level rises with each admission
//! and sinks at the rate, and nothing is admitted that would lift it above the burst. A rate is a fraction, so many
//! tokens in so many nanoseconds; in lowest terms its numerator and denominator give the units in which the level is
//! counted, so nothing is ever rounded:
//!
//! ```text
//! rate 3 in 1 s  =  3 / 1,000,000,000 ns      a nanosecond takes 3 units away, a token adds 1,000,000,000
//! ```
//!
//! # Costs
//! An admission: three multiplications of 64 by 64 bits. A refusal: one division more.
//!
//! # Invariants
//! - G1 Over every window, what is admitted is at most burst + rate x length: a level is never below what the admissions
//!   up to now have left of it, and never lifted above the burst by an admission.
//! - G2 A wait is exact: at its end the same cost passes, a nanosecond earlier it doesn't, if nothing else came between.
//! - G3 Nothing wraps. The largest burst is [`BURST_MAX`], and debt is at most one burst more, so a level stays below
//!   2^127; time is any `u64` of nanoseconds, and if it goes back, no time has passed.
//!
//! # Not here
//! Where levels are kept, who may change them, clocks.

mod meter;

use std::num::NonZeroU64;
use std::time::Duration;

pub(crate) use self::meter::{Hold, METER_WORDS, Meter};

/// The largest burst; a larger one is cut to it.
pub(crate) const BURST_MAX: u64 = 1 << 62;

/// Why a cost doesn't fit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Wait {
    /// It will after this time, if nothing else is admitted.
    For(Duration),
    /// It never will: it's above the burst, or the rate is zero, or the time would come after [`u64::MAX`].
    Forever,
}

/// No time at all; no clock comes so far.
const FOREVER: u64 = u64::MAX;

impl Wait {
    #[inline]
    fn of(ns: u64) -> Wait {
        if ns == FOREVER {
            Wait::Forever
        } else {
            Wait::For(Duration::from_nanos(ns))
        }
    }

    /// The time, if it comes.
    #[inline]
    pub(crate) fn duration(self) -> Option<Duration> {
        match self {
            Wait::For(time) => Some(time),
            Wait::Forever => None,
        }
    }
}

/// A rate with a burst.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Pace {
    /// Units that a nanosecond takes away; no common divisor with the next.
    units_per_ns: u64,
    /// Units that a token adds; zero: there is no limit.
    units_per_token: u64,
    /// Tokens.
    burst: u64,
}

impl Pace {
    /// Everything fits, and the level stays zero.
    pub(crate) const UNLIMITED: Pace = Pace {
        units_per_ns: 0,
        units_per_token: 0,
        burst: 0,
    };

    /// `n_tokens` come in each period, evenly spread; at most `burst` of them are kept.
    pub(crate) fn new(n_tokens: u64, period_ns: NonZeroU64, burst: u64) -> Pace {
        let common = common_divisor(n_tokens, period_ns.get());
        Pace {
            units_per_ns: n_tokens / common,
            units_per_token: period_ns.get() / common,
            burst: burst.min(BURST_MAX),
        }
    }

    #[inline]
    pub(crate) fn is_unlimited(&self) -> bool {
        self.units_per_token == 0
    }

    /// How long an empty bucket takes to fill.
    pub(crate) fn fill_ns(&self) -> u64 {
        if self.units_per_ns == 0 {
            return u64::MAX;
        }
        self.sink_ns(self.capacity())
    }

    /// The highest level that an admission may leave.
    #[inline]
    fn capacity(&self) -> u128 {
        self.units(self.burst)
    }

    #[inline]
    fn units(&self, n_tokens: u64) -> u128 {
        u128::from(n_tokens) * u128::from(self.units_per_token)
    }

    /// What is left of a level after some time.
    #[inline]
    pub(crate) fn sink(&self, level: u128, elapsed_ns: u64) -> u128 {
        level.saturating_sub(u128::from(elapsed_ns) * u128::from(self.units_per_ns))
    }

    /// The level with a cost added, if that fits.
    #[inline]
    pub(crate) fn lift(&self, level: u128, cost: u64) -> Option<u128> {
        (self.excess(level, cost) == 0).then(|| level + self.units(cost))
    }

    /// By how much a cost lifts a level above the burst; zero: it fits. The most there is: it never does.
    #[inline]
    fn excess(&self, level: u128, cost: u64) -> u128 {
        if cost > self.burst && !self.is_unlimited() {
            return u128::MAX;
        }
        // A cost without limit adds nothing.
        let cost = if self.is_unlimited() { 0 } else { cost };
        (level + self.units(cost)).saturating_sub(self.capacity())
    }

    /// How many nanoseconds a cost with such an excess at `now` has to wait (G2); [`FOREVER`], if the time never comes.
    #[inline]
    fn wait_ns(&self, excess: u128, now: u64) -> u64 {
        if excess == 0 {
            return 0;
        }
        if excess == u128::MAX || self.units_per_ns == 0 {
            return FOREVER;
        }
        let ns = self.sink_ns(excess);
        if now.checked_add(ns).is_some() {
            ns
        } else {
            FOREVER
        }
    }

    /// How many nanoseconds take so many units away, if some do; what doesn't fit is [`FOREVER`].
    #[inline]
    fn sink_ns(&self, units: u128) -> u64 {
        match u64::try_from(units) {
            // So it is for a thousand in a second, and most rates that people choose.
            Ok(units) if self.units_per_ns == 1 => units,
            // Most are short enough for the machine's own division.
            Ok(units) => units.div_ceil(self.units_per_ns),
            Err(_) => narrow(units.div_ceil(u128::from(self.units_per_ns))),
        }
    }

    /// Adds a cost that was not asked for: the level may rise above the burst, by at most another burst. What is above
    /// is debt, and nothing is admitted before it is gone, not even a cost of zero.
    pub(crate) fn charge(&self, level: u128, cost: u64) -> u128 {
        let highest = self.capacity() * 2;
        // Not below `level`: a new pace may have left it higher.
        level
            .saturating_add(self.units(cost))
            .min(highest.max(level))
    }

    /// Tokens that fit at this level.
    pub(crate) fn spare(&self, level: u128) -> u64 {
        if self.is_unlimited() {
            return u64::MAX;
        }
        let units = self.capacity().saturating_sub(level);
        match u64::try_from(units) {
            Ok(units) => units / self.units_per_token,
            Err(_) => narrow(units / u128::from(self.units_per_token)),
        }
    }

    /// The level in this pace's units, for one in another's: tokens that are used stay used, but no more than this burst;
    /// debt stays debt, rounded up to whole tokens, but no more than another burst.
    pub(crate) fn convert(&self, level: u128, from: &Pace) -> u128 {
        if self.is_unlimited() || from.is_unlimited() {
            return 0;
        }
        let owed = level.saturating_sub(from.capacity());
        if owed > 0 {
            let n_tokens = narrow(owed.div_ceil(u128::from(from.units_per_token)));
            return self.capacity() + self.units(n_tokens.min(self.burst));
        }
        let whole = narrow(level / u128::from(from.units_per_token));
        let part = level % u128::from(from.units_per_token);
        // Both factors are below 2^64. Rounded up: a unit more used is on the safe side.
        let part =
            (part * u128::from(self.units_per_token)).div_ceil(u128::from(from.units_per_token));
        (self.units(whole.min(self.burst)) + part).min(self.capacity())
    }
}

/// One bucket and the time at which its level was right. The default is full: nothing is used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Bucket {
    level: u128,
    at: u64,
}

impl Bucket {
    /// The level at a time.
    #[inline]
    pub(crate) fn level(&self, pace: &Pace, now: u64) -> u128 {
        pace.sink(self.level, now.saturating_sub(self.at))
    }

    /// The bucket as it stands at a time.
    #[inline]
    fn settled(&self, pace: &Pace, now: u64) -> Bucket {
        Bucket {
            level: self.level(pace, now),
            at: self.at.max(now),
        }
    }

    /// Admits a cost, or says how long it has to wait.
    #[inline]
    pub(crate) fn admit(&self, pace: &Pace, now: u64, cost: u64) -> Result<Bucket, Wait> {
        let now = self.at.max(now);
        let level = self.level(pace, now);
        match pace.lift(level, cost) {
            Some(level) => Ok(Bucket { level, at: now }),
            None => Err(Wait::of(pace.wait_ns(pace.excess(level, cost), now))),
        }
    }

    /// Adds a cost whether it fits or not; see [`Pace::charge`].
    pub(crate) fn charge(&self, pace: &Pace, now: u64, cost: u64) -> Bucket {
        let settled = self.settled(pace, now);
        Bucket {
            level: pace.charge(settled.level, cost),
            ..settled
        }
    }

    /// What can still be given back at `now` of a cost that was admitted at `admitted_at` and lifted the level from
    /// `below`: its units, but for those that have sunk away and would not have without it.
    pub(crate) fn returnable(
        pace: &Pace,
        cost: u64,
        below: u128,
        admitted_at: u64,
        now: u64,
    ) -> u128 {
        let sunk = u128::from(now.saturating_sub(admitted_at)) * u128::from(pace.units_per_ns);
        pace.units(cost.min(pace.burst))
            .saturating_sub(sunk.saturating_sub(below))
    }

    /// Takes units off the level.
    pub(crate) fn give_back(&self, pace: &Pace, now: u64, units: u128) -> Bucket {
        let settled = self.settled(pace, now);
        Bucket {
            level: settled.level.saturating_sub(units),
            ..settled
        }
    }

    /// When the bucket is as good as new, if nothing else comes: then it needs not be kept.
    pub(crate) fn full_at(&self, pace: &Pace) -> Option<u64> {
        if self.level == 0 {
            return Some(self.at);
        }
        if pace.units_per_ns == 0 {
            return None;
        }
        // Not even from zero on does a clock come as far as the most there is.
        self.at.checked_add(pace.sink_ns(self.level))
    }
}

fn common_divisor(mut a: u64, mut b: u64) -> u64 {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}

/// As many as fit.
fn narrow(wide: u128) -> u64 {
    u64::try_from(wide).unwrap_or(u64::MAX)
}

#[cfg(test)]
#[cfg(not(engine_loom))]
mod tests;
