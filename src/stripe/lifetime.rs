//! How long an entry is to live, as its write says it, and which reading of the clock that needs.
//!
//! # Idea         a long time to live is counted from the coarse reading: the precise one waits for every load of memory before it, a
//!   fifth of an insert, and a deadline that is a few milliseconds early in many seconds is no worse than an eviction
//! # Costs        arithmetic
//! # Invariants   LT1 a deadline is never later than the span after the write; it is earlier by the lag of the coarse reading at most, and
//!   not at all if the span is shorter than [`LONG_NANOS`]
//! # Not here     when an entry counts as gone: `time`

use std::time::Duration;

use crate::clock::{COARSE_LAG_MAX, Nanos};
use crate::entry::{BlockRef, RefreshAt, Times};

/// How long an entry may live, in nanoseconds; [`FOREVER`] where there is no end.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Lifetime {
    /// From its write.
    ttl: u64,
    /// From its last use.
    tti: u64,
    /// From its write until it is to be loaded anew, and until it is stale.
    refresh: (u64, u64),
    /// Whether it ends, and is stale and loaded anew, when the entry that it replaces would have.
    keeps: bool,
    /// What follows from these: whether it may end, whether it may end or be stale, and by which reading of the clock.
    is_timed: bool,
    has_times: bool,
    reading: Reading,
}

const FOREVER: u64 = u64::MAX;

/// Which reading of the clock a write needs for its deadlines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reading {
    /// None: it has no deadlines.
    Spared,
    /// The lower bound of the time: the deadlines are far off, and come by so little too early as that lags, never too late.
    Coarse,
    /// The time itself.
    Precise,
}

impl Reading {
    /// For a deadline so far off, in nanoseconds.
    #[inline(always)]
    fn of(span: u64) -> Self {
        if span < LONG_NANOS {
            Self::Precise
        } else if span != FOREVER {
            Self::Coarse
        } else {
            Self::Spared
        }
    }
}

/// A span from which on the lag of the coarse reading is less than a sixty-fourth, and mostly below a thousandth.
const LONG_NANOS: u64 = 64 * COARSE_LAG_MAX.as_nanos() as u64;

/// The same of an entry that nothing but its time to live ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stay(u64);

impl Stay {
    /// Until it is taken out.
    pub(crate) const FOREVER: Self = Stay(FOREVER);

    /// So long from its write.
    #[inline]
    pub(crate) fn of(ttl: Duration) -> Self {
        Stay(Nanos::from_duration(ttl).0)
    }

    /// Whether it ends.
    #[inline(always)]
    pub(crate) fn ends(self) -> bool {
        self.0 != FOREVER
    }

    /// What an entry that stays so asks of the clock.
    #[inline(always)]
    pub(crate) fn reading(self) -> Reading {
        Reading::of(self.0)
    }

    /// When it does, of an entry that is written now.
    #[inline(always)]
    pub(super) fn deadline(self, now: Nanos) -> Nanos {
        Nanos(now.0.saturating_add(self.0))
    }
}

impl From<Stay> for Lifetime {
    fn from(Stay(ttl): Stay) -> Self {
        let lifetime = Lifetime {
            ttl,
            ..Lifetime::default()
        };
        lifetime.told()
    }
}

impl Default for Lifetime {
    fn default() -> Self {
        Lifetime {
            ttl: FOREVER,
            tti: FOREVER,
            refresh: (FOREVER, FOREVER),
            keeps: false,
            is_timed: false,
            has_times: false,
            reading: Reading::Spared,
        }
    }
}

fn span(span: Option<Duration>) -> u64 {
    span.map_or(FOREVER, |span| Nanos::from_duration(span).0)
}

impl Lifetime {
    pub(crate) fn new(ttl: Option<Duration>, tti: Option<Duration>) -> Self {
        let lifetime = Lifetime {
            ttl: span(ttl),
            tti: span(tti),
            ..Self::default()
        };
        lifetime.told()
    }

    /// The same, with what follows from its spans.
    #[inline]
    fn told(self) -> Self {
        let is_timed = (self.ttl & self.tti) != FOREVER || self.keeps;
        let shortest = self.ttl.min(self.tti).min(self.refresh.0);
        Lifetime {
            is_timed,
            has_times: is_timed || self.is_refreshed(),
            reading: Reading::of(if self.keeps { 0 } else { shortest }),
            ..self
        }
    }

    /// The same with another time to live.
    #[inline]
    pub(crate) fn lasting(self, ttl: Option<Duration>) -> Self {
        let lifetime = Lifetime {
            ttl: span(ttl),
            ..self
        };
        lifetime.told()
    }

    /// What is left of it at a moment, where its times began to run at another; `None`: nothing is.
    pub(crate) fn since(self, now: Nanos, begun: Nanos) -> Option<Self> {
        let spent = now.0.saturating_sub(begun.0);
        let left = |span: u64| match span {
            FOREVER => FOREVER,
            span => span.saturating_sub(spent),
        };
        let lifetime = Lifetime {
            ttl: left(self.ttl),
            refresh: (left(self.refresh.0), left(self.refresh.1)),
            ..self
        };
        (lifetime.ttl > 0).then(|| lifetime.told())
    }

    /// The same, to be loaded anew, and stale, after so long.
    pub(crate) fn refreshed(self, due: Duration, stale: Duration) -> Self {
        let lifetime = Lifetime {
            refresh: (span(Some(due)), span(Some(stale))),
            ..self
        };
        lifetime.told()
    }

    /// The same, but for the times of the entry that is replaced.
    pub(crate) fn keeping(self) -> Self {
        let lifetime = Lifetime {
            keeps: true,
            ..self
        };
        lifetime.told()
    }

    /// The time to live of what asks for none, where that alone is to end it.
    pub(crate) fn stay(&self) -> Stay {
        Stay(self.ttl)
    }

    /// The same as a span.
    pub(crate) fn ttl(&self) -> Option<Duration> {
        (self.ttl != FOREVER).then(|| Duration::from_nanos(self.ttl))
    }

    /// The time to idle.
    pub(crate) fn tti(&self) -> Option<Duration> {
        (self.tti != FOREVER).then(|| Duration::from_nanos(self.tti))
    }

    /// From its write until it is stale.
    pub(crate) fn stale(&self) -> Option<Duration> {
        self.is_refreshed()
            .then(|| Duration::from_nanos(self.refresh.1))
    }

    /// Whether the times of the entry that is replaced are kept.
    pub(crate) fn keeps(&self) -> bool {
        self.keeps
    }

    pub(crate) fn is_refreshed(&self) -> bool {
        self.refresh.1 != FOREVER
    }

    pub(crate) fn is_timed(&self) -> bool {
        self.is_timed
    }

    /// What a write asks of the clock.
    pub(crate) fn reading(&self) -> Reading {
        self.reading
    }

    /// Whether what is written so may end, or be stale.
    #[inline]
    pub(crate) fn has_times(&self) -> bool {
        self.has_times
    }

    /// The times of an entry that is written now, in the place of that one.
    pub(super) fn times(&self, now: Nanos, replaced: Option<BlockRef<'_>>) -> Times {
        let after = |span: u64| Nanos(now.0.saturating_add(span));
        let kept = replaced.filter(|_| self.keeps);
        let own = || RefreshAt {
            due: after(self.refresh.0),
            stale: after(self.refresh.1),
        };
        Times {
            hard: kept.map_or_else(|| after(self.ttl), |block| block.deadline().get()),
            idle: after(self.tti),
            refresh: kept.map_or_else(own, |block| {
                let refresh = block.refresh();
                refresh.map_or(RefreshAt::NEVER, |refresh| refresh.times(now))
            }),
        }
    }
}

#[cfg(test)]
mod tests;
