//! The two windows: one that slides with every request, and one that is fixed to an anchor.
//!
//! # Idea
//! The sliding window keeps a log: when how many calls were admitted. A call leaves the window a period after its
//! admission, so every interval of that length, wherever it begins, is watched. A log of 60 instants is exact. In a
//! longer one, calls of the same 64th of the period share a record that bears the time of the latest: they leave the
//! window late by up to a 64th of the period, never early. So the limit is never exceeded, memory is bounded however
//! high the limit is, and an idle period makes room for all calls at once.
//!
//! The fixed window is two counters and the time when they are void.
//!
//! # Costs
//! Sliding: constant in the long run; at most 127 records of 16 bytes, of which the newest is part of the state and the
//! others are one heap block that grows with them. Fixed: 24 bytes; a division at the first use in a window.
//!
//! # Invariants
//! - LW1 Sliding: at any time, the sum of records is `n_used`; times increase from record to record.
//! - LW2 Sliding: a record's time is that of the latest call in it; all others are less than a 64th of a period earlier.
//! - LW3 Sliding: at most `N_RECORDS_MAX` records.
//! - LW4 Fixed: counters are void from `ends` on, which is the first `anchor + k * period` after they began.
//!
//! # Not here
//! Whose window it is; locks.

use std::collections::VecDeque;
use std::time::Duration;

use super::answer::{Cost, LimitError};
use super::rule::{Remaining, Rule, check_max, exhausted};
use crate::clock::Nanos;
use crate::limits::Metered;

/// At most so many calls in every interval of a period's length.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sliding {
    calls: u64,
    period_ns: u64,
    /// Calls of one grain of time may share a record.
    grain_ns: u64,
}

impl Sliding {
    /// Takes a limit, and a period above zero.
    pub(super) fn new(calls: u64, period_ns: u64) -> Self {
        Self {
            calls,
            period_ns,
            grain_ns: period_ns.div_ceil(N_GRAINS),
        }
    }

    /// Forgets the records that have left the window.
    #[inline]
    fn settle(&self, log: &mut Log, now: Nanos) {
        debug_assert!(log.newest.at <= now, "LR3: time went back");
        if !self.is_within(log.newest, now) {
            log.newest.n_calls = 0;
            log.n_used = 0;
            log.older.clear();
            return;
        }
        while let Some(record) = log.older.front().copied()
            && !self.is_within(record, now)
        {
            log.n_used -= record.n_calls;
            log.older.pop_front();
        }
    }

    /// Half open: a period after its time, a record is out.
    #[inline]
    fn is_within(&self, record: Record, now: Nanos) -> bool {
        now.0 - record.at.0 < self.period_ns
    }

    /// The time until so many calls have left the window.
    #[cold]
    fn wait_for(&self, log: &Log, n_calls: u64, now: Nanos) -> Duration {
        let mut n_left = 0u64;
        let leaves = |record: &&Record| {
            n_left += record.n_calls;
            n_left >= n_calls
        };
        let last = log.older.iter().find(leaves).unwrap_or(&log.newest);
        Duration::from_nanos(self.period_ns - (now.0 - last.at.0))
    }
}

/// When how many calls were admitted.
#[derive(Debug)]
pub(super) struct Log {
    newest: Record,
    /// All others that are still in the window, from the oldest on.
    older: VecDeque<Record>,
    /// The calls of all records (LW1). A debt may lift it above the limit.
    n_used: u64,
}

/// Calls that count from the same moment.
#[derive(Clone, Copy, Debug)]
struct Record {
    at: Nanos,
    n_calls: u64,
}

impl Rule for Sliding {
    type State = Log;

    fn fresh(&self, now: Nanos) -> Log {
        Log {
            newest: Record {
                at: now,
                n_calls: 0,
            },
            older: VecDeque::new(),
            n_used: 0,
        }
    }

    #[inline]
    fn check_size(&self, cost: Cost) -> Result<(), LimitError> {
        check_max(Metered::Operations, cost.calls, self.calls)
    }

    #[inline]
    fn room(&self, log: &mut Log, cost: Cost, now: Nanos) -> Result<(), LimitError> {
        self.settle(log, now);
        // A cost above the limit was refused before, so there is always a time at which enough has left.
        let n_used_max = self.calls.saturating_sub(cost.calls);
        if log.n_used <= n_used_max || cost.calls == 0 {
            return Ok(());
        }
        let wait = self.wait_for(log, log.n_used - n_used_max, now);
        Err(exhausted(Metered::Operations, Some(wait)))
    }

    #[inline]
    fn take(&self, log: &mut Log, cost: Cost, now: Nanos) {
        self.settle(log, now);
        // A debt is cut off where it can't be counted.
        let n_calls = cost.calls.min(u64::MAX - log.n_used);
        log.n_used += n_calls;
        let shares = log.newest.n_calls == 0
            || log.newest.at == now
            || log.older.len() + 1 >= N_RECORDS_EXACT
                && log.newest.at.0 / self.grain_ns == now.0 / self.grain_ns;
        if shares {
            log.newest.at = now;
            log.newest.n_calls += n_calls;
        } else {
            log.older.push_back(log.newest);
            log.newest = Record { at: now, n_calls };
        }
        debug_assert!(log.older.len() < N_RECORDS_MAX, "LW3");
    }

    fn give_back(
        &self,
        log: &mut Log,
        (_, unused): (Cost, Cost),
        (at, _): (Nanos, u128),
        now: Nanos,
    ) {
        self.settle(log, now);
        // While the call itself would be in the window, its record is: it bears that time or a later one.
        if now.0.saturating_sub(at.0) >= self.period_ns {
            return;
        }
        let idx = log.older.partition_point(|record| record.at < at);
        let record = log.older.get_mut(idx).unwrap_or(&mut log.newest);
        let n_calls = unused.calls.min(record.n_calls);
        record.n_calls -= n_calls;
        log.n_used -= n_calls;
    }

    fn remaining(&self, log: &mut Log, now: Nanos) -> Remaining {
        self.settle(log, now);
        Remaining {
            calls: self.calls.saturating_sub(log.n_used),
            bytes: None,
        }
    }

    fn idle_at(&self, log: &Log) -> Nanos {
        // Records that were given back are empty.
        let counts = |record: &&Record| record.n_calls > 0;
        let newest = std::iter::once(&log.newest).chain(log.older.iter().rev());
        newest.into_iter().find(counts).map_or(Nanos::ZERO, |last| {
            Nanos(last.at.0.saturating_add(self.period_ns))
        })
    }

    fn heap_bytes(log: &Log) -> usize {
        log.older.capacity() * size_of::<Record>()
    }
}

/// At most so many calls and bytes from one reset to the next.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fixed {
    /// `None` for no limit.
    calls: Option<u64>,
    bytes: Option<u64>,
    /// Zero for a window that never ends.
    period_ns: u64,
    /// The first reset on the clock's line, below `period_ns`.
    phase_ns: u64,
}

impl Fixed {
    /// Takes the limits, a period or zero for ever, and any reset as the time from it to the clock's birth, modulo the
    /// period.
    pub(super) fn new(
        calls: Option<u64>,
        bytes: Option<u64>,
        period_ns: u64,
        phase_ns: u64,
    ) -> Self {
        debug_assert!(phase_ns < period_ns.max(1));
        Self {
            calls,
            bytes,
            period_ns,
            phase_ns,
        }
    }

    /// The first reset after a time; `Nanos::MAX` if none comes.
    fn reset_after(&self, now: Nanos) -> Nanos {
        if self.period_ns == 0 {
            return Nanos::MAX;
        }
        let to_reset_ns = if now.0 < self.phase_ns {
            self.phase_ns - now.0
        } else {
            self.period_ns - (now.0 - self.phase_ns) % self.period_ns
        };
        Nanos(now.0.saturating_add(to_reset_ns))
    }

    /// Begins anew if a reset has come.
    #[inline]
    fn settle(&self, tally: &mut Tally, now: Nanos) {
        if now >= tally.ends && tally.ends != Nanos::MAX {
            *tally = self.fresh(now);
        }
    }
}

/// What was used in one window.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tally {
    ends: Nanos,
    /// Counted whether or not they are limited. A debt may lift them above the limits.
    calls: u64,
    bytes: u64,
}

impl Rule for Fixed {
    type State = Tally;

    fn fresh(&self, now: Nanos) -> Tally {
        Tally {
            ends: self.reset_after(now),
            calls: 0,
            bytes: 0,
        }
    }

    #[inline]
    fn check_size(&self, cost: Cost) -> Result<(), LimitError> {
        check_max(
            Metered::Operations,
            cost.calls,
            self.calls.unwrap_or(u64::MAX),
        )?;
        check_max(Metered::Bytes, cost.bytes, self.bytes.unwrap_or(u64::MAX))
    }

    #[inline]
    fn room(&self, tally: &mut Tally, cost: Cost, now: Nanos) -> Result<(), LimitError> {
        self.settle(tally, now);
        let which = if !fits(cost.calls, tally.calls, self.calls) {
            Metered::Operations
        } else if !fits(cost.bytes, tally.bytes, self.bytes) {
            Metered::Bytes
        } else {
            return Ok(());
        };
        let resets = tally.ends != Nanos::MAX;
        Err(exhausted(
            which,
            resets.then(|| tally.ends.saturating_since(now)),
        ))
    }

    #[inline]
    fn take(&self, tally: &mut Tally, cost: Cost, now: Nanos) {
        self.settle(tally, now);
        // A debt is cut off where it can't be counted.
        tally.calls = tally.calls.saturating_add(cost.calls);
        tally.bytes = tally.bytes.saturating_add(cost.bytes);
    }

    fn give_back(
        &self,
        tally: &mut Tally,
        (_, unused): (Cost, Cost),
        (at, _): (Nanos, u128),
        now: Nanos,
    ) {
        self.settle(tally, now);
        if self.reset_after(at) != tally.ends {
            return;
        }
        tally.calls = tally.calls.saturating_sub(unused.calls);
        tally.bytes = tally.bytes.saturating_sub(unused.bytes);
    }

    fn remaining(&self, tally: &mut Tally, now: Nanos) -> Remaining {
        self.settle(tally, now);
        Remaining {
            calls: self
                .calls
                .map_or(u64::MAX, |calls| calls.saturating_sub(tally.calls)),
            bytes: self.bytes.map(|bytes| bytes.saturating_sub(tally.bytes)),
        }
    }

    fn idle_at(&self, tally: &Tally) -> Nanos {
        if tally.calls == 0 && tally.bytes == 0 {
            return Nanos::ZERO;
        }
        tally.ends
    }
}

/// Whether a cost fits beside what was used; a cost of zero always does, in the midst of debt too.
#[inline]
fn fits(cost: u64, used: u64, max: Option<u64>) -> bool {
    cost == 0 || max.is_none_or(|max| cost <= max.saturating_sub(used))
}

/// Below this many records, none stands for more than one moment.
const N_RECORDS_EXACT: usize = 60;

/// Beyond, one record stands for at most this part of the period.
const N_GRAINS: u64 = 64;

/// The exact ones; those of each grain, of which a window touches one more than it has; the newest.
const N_RECORDS_MAX: usize = N_RECORDS_EXACT + N_GRAINS as usize + 2;

#[cfg(test)]
mod tests;
