//! When an entry is to be loaded anew, and who does it.
//!
//! # Idea         one word says from when on somebody is to load; who finds that time passed swaps the word for BUSY, and the one who
//!   succeeds is the one who loads. memcached hands out such a right with each stale item ("win", "stale"; its documentation of meta
//!   commands); here it comes back when the load fails, and what is loaded is a new entry with words of its own
//! # Costs        a look: one load; winning: one compare-and-swap
//! # Invariants   R1 of those who find the time passed, one wins, until it gives up, or gives it back
//! # Not here     clocks, loaders

use std::time::Duration;

use crate::clock::Nanos;
use crate::sync::atomic::{AtomicU32, AtomicU64, Ordering};

/// Somebody is loading.
const BUSY: u64 = u64::MAX;
/// Failures after which the pause between loads grows no more.
const FAILURES_MAX: u32 = 6;

/// From when on an entry is loaded anew, and from when on it is stale.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RefreshAt {
    pub(crate) due: Nanos,
    pub(crate) stale: Nanos,
}

impl RefreshAt {
    /// It is always fresh.
    pub(crate) const NEVER: RefreshAt = RefreshAt {
        due: Nanos::MAX,
        stale: Nanos::MAX,
    };
}

/// The right to load an entry anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Won {
    /// When it was won.
    pub(crate) at: Nanos,
    due: u64,
}

/// The words of one entry: as many as its flag's value.
#[repr(C)]
#[derive(Debug)]
pub(crate) struct Refresh {
    due: AtomicU64,
    stale: u64,
    failures: AtomicU32,
    spare: [u32; 3],
}

impl Refresh {
    pub(super) fn new() -> Refresh {
        Refresh {
            due: AtomicU64::new(BUSY),
            stale: Nanos::MAX.0,
            failures: AtomicU32::new(0),
            spare: [0; 3],
        }
    }

    /// Sets both times, before the entry is linked.
    pub(super) fn set(&mut self, at: RefreshAt) {
        // Relaxed: the entry's linking publishes it.
        self.due.store(at.due.0.min(BUSY - 1), Ordering::Relaxed);
        self.stale = at.stale.0;
    }

    /// Both times, for an entry that takes this one's place and keeps them. What somebody is loading for this one won't be stored
    /// over that, which is due at once then.
    pub(crate) fn times(&self, now: Nanos) -> RefreshAt {
        let due = match self.due.load(Ordering::Relaxed) {
            BUSY => now,
            due => Nanos(due),
        };
        RefreshAt {
            due,
            stale: self.stale_from(),
        }
    }

    /// From when on the entry is no longer fresh.
    pub(crate) fn stale_from(&self) -> Nanos {
        Nanos(self.stale)
    }

    /// Wins the right to load it, if it is time and nobody does (R1); to be given up by [`give_up`](Self::give_up), or given back
    /// by [`give_back`](Self::give_back), unless a new entry comes.
    pub(crate) fn try_win(&self, now: Nanos) -> Option<Won> {
        // Relaxed: who wins is decided by the word itself, and what is loaded comes by a new entry.
        let due = self.due.load(Ordering::Relaxed);
        if due == BUSY || now.0 < due {
            return None;
        }
        let won = self
            .due
            .compare_exchange(due, BUSY, Ordering::Relaxed, Ordering::Relaxed);
        won.ok().map(|due| Won { at: now, due })
    }

    /// Nothing was loaded, and nothing has failed: it is due as it was, or after a pause.
    pub(crate) fn give_back(&self, won: Won, pause: Option<Duration>) {
        let due = pause.map_or(won.due, |pause| won.at.saturating_add(pause).0);
        self.due.store(due.min(BUSY - 1), Ordering::Relaxed);
    }

    /// The load has failed: the next is due after a pause, which doubles with each failure, up to 64 times the first.
    pub(crate) fn give_up(&self, now: Nanos, pause: Duration) {
        let failures = self.failures.fetch_add(1, Ordering::Relaxed);
        let pause = pause.saturating_mul(1 << failures.min(FAILURES_MAX));
        let due = now.saturating_add(pause).0.min(BUSY - 1);
        self.due.store(due, Ordering::Relaxed);
    }
}

#[cfg(test)]
#[cfg(not(engine_loom))]
mod tests {
    use super::*;

    fn at(due: u64, stale: u64) -> Refresh {
        let mut refresh = Refresh::new();
        refresh.set(RefreshAt {
            due: Nanos(due),
            stale: Nanos(stale),
        });
        refresh
    }

    fn wins(refresh: &Refresh, now: u64) -> bool {
        refresh.try_win(Nanos(now)).is_some()
    }

    #[test]
    fn one_wins_until_it_gives_up() {
        let refresh = at(10, 20);
        assert_eq!(refresh.try_win(Nanos(9)), None);
        assert!(wins(&refresh, 10) && !wins(&refresh, 11));
        refresh.give_up(Nanos(12), Duration::from_nanos(5));
        assert!(!wins(&refresh, 16) && wins(&refresh, 17));
        assert_eq!(refresh.stale_from(), Nanos(20));
    }

    #[test]
    fn what_is_given_back_is_due_as_before_and_counts_for_nothing() {
        let refresh = at(10, 20);
        for _ in 0..9 {
            let won = refresh.try_win(Nanos(15)).unwrap();
            assert_eq!(won.at, Nanos(15));
            assert!(!wins(&refresh, 15));
            refresh.give_back(won, None);
            assert!(!wins(&refresh, 9));
        }
        // Where another was met, it is due after a pause, which is no failure either.
        let won = refresh.try_win(Nanos(10)).unwrap();
        refresh.give_back(won, Some(Duration::from_nanos(7)));
        assert!(!wins(&refresh, 16) && wins(&refresh, 17));
        refresh.give_up(Nanos(17), Duration::from_nanos(5));
        assert!(!wins(&refresh, 21) && wins(&refresh, 22));
    }

    #[test]
    fn pauses_double_up_to_an_end() {
        let refresh = at(0, 0);
        let mut now = Nanos(0);
        for failures in 0..10u32 {
            assert!(wins(&refresh, now.0), "{failures}");
            refresh.give_up(now, Duration::from_nanos(3));
            let pause = 3 << failures.min(6);
            assert!(!wins(&refresh, now.0 + pause - 1), "{failures}");
            now = Nanos(now.0 + pause);
        }
        refresh.give_up(Nanos(u64::MAX - 9), Duration::MAX);
        assert!(!wins(&refresh, u64::MAX - 2));
    }

    #[test]
    fn threads_that_find_it_due_at_once_have_one_winner() {
        for _ in 0..200 {
            let refresh = at(1, 1);
            let n_winners = std::thread::scope(|scope| {
                let threads: Vec<_> = (0..4).map(|_| scope.spawn(|| wins(&refresh, 5))).collect();
                let wins = threads.into_iter().map(|thread| thread.join().unwrap());
                wins.filter(|&won| won).count()
            });
            assert_eq!(n_winners, 1);
        }
    }
}
