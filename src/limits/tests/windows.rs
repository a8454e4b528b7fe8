//! # Properties
//! - WP1 (LI1) by hand: over every window of admission times, both dimensions stay within burst + rate x length, with
//!   leases, coarse readings of any lag, charges that fit, tabs, and threads in any order
//! - WP2 (LI1) the same with real threads and the system's clock
//! - WP3 (LI3) a refusal's wait is exact, if nobody else comes
//! - WP4 (LI1) by hand, while rates are set: what is admitted fits a bucket that counts each admission when it comes, and of which at most
//!   the new burst stays used

use std::sync::Barrier;
use std::thread;
use std::time::Duration;

use proptest::prelude::*;

use super::{Hand, MS, SECOND, ops};
use crate::clock::{Clock, SystemClock};
use crate::limits::rates::{Rate, Rates};
use crate::limits::tenant::Limits;
use crate::limits::{RateLimiter, watch::Watch};

#[derive(Clone, Copy, Debug)]
struct Step {
    pause: u64,
    lag: u64,
    thread: u32,
    cost: [u64; 2],
    n_times: u64,
    is_tab: bool,
    is_crowd: bool,
}

fn any_step() -> impl Strategy<Value = Step> {
    (
        prop_oneof![Just(0), 0..MS, 0..20 * MS, 0..200 * MS],
        prop_oneof![Just(0), 0..10 * MS, Just(64 * MS)],
        0..4_u32,
        (0..4_u64, prop_oneof![Just(0), 0..100_u64, 0..3000_u64]),
        prop_oneof![Just(1_u64), 1..20_u64, 50..200_u64],
        any::<bool>(),
        any::<bool>(),
    )
        .prop_map(
            |(pause, lag, thread, cost, n_times, is_tab, is_crowd)| Step {
                pause,
                lag,
                thread,
                cost: cost.into(),
                n_times,
                is_tab: is_tab && n_times == 1,
                is_crowd,
            },
        )
}

/// Rate and burst of a dimension.
#[derive(Clone, Copy, Debug)]
struct Limit {
    per_second: u64,
    burst: u64,
}

impl Limit {
    fn rate(self) -> Rate {
        Rate::per_second(self.per_second).burst(self.burst)
    }

    fn holds(self, sum: u64, length_ns: u64) -> bool {
        let second = u128::from(SECOND);
        u128::from(sum) * second
            <= u128::from(self.burst) * second + u128::from(self.per_second) * u128::from(length_ns)
    }
}

/// A bucket that lends nothing.
struct Ideal {
    limit: Limit,
    /// What is used, in parts of a token, of which there are as many as nanoseconds in a second.
    used: u128,
    at: u64,
}

impl Ideal {
    fn new(limit: Limit, at: u64) -> Ideal {
        Ideal { limit, used: 0, at }
    }

    fn sink(&mut self, now: u64) {
        let back = u128::from(now - self.at) * u128::from(self.limit.per_second);
        self.used = self.used.saturating_sub(back);
        self.at = now;
    }

    fn set(&mut self, limit: Limit, now: u64) {
        self.sink(now);
        self.limit = limit;
        self.used = self.used.min(self.burst());
    }

    fn burst(&self) -> u128 {
        u128::from(self.limit.burst) * u128::from(SECOND)
    }

    /// Counts a cost; whether it fits.
    fn take(&mut self, cost: u64, now: u64) -> bool {
        self.sink(now);
        self.used += u128::from(cost) * u128::from(SECOND);
        self.used <= self.burst()
    }
}

/// Every window from an admission to another.
fn check_windows(limits: [Limit; 2], admitted: &[(u64, [u64; 2])]) -> Result<(), TestCaseError> {
    for (first, &(from, _)) in admitted.iter().enumerate() {
        let mut sums = [0; 2];
        for &(to, cost) in &admitted[first..] {
            for at in [0, 1] {
                sums[at] += cost[at];
                prop_assert!(
                    limits[at].holds(sums[at], to - from),
                    "{} in {} ns, dimension {at}",
                    sums[at],
                    to - from
                );
            }
        }
    }
    Ok(())
}

fn any_limit() -> impl Strategy<Value = Limit> {
    let per_second = prop_oneof![1_000..5_000_u64, 5_000..1_000_000_u64];
    (per_second, 1..40_u64).prop_map(|(per_second, parts)| Limit {
        per_second,
        // From a fortieth of a second to four seconds.
        burst: per_second * parts * parts / 400 + 10,
    })
}

proptest! {
    #[test]
    fn e80_no_window_holds_more_than_it_may(
        limits in [any_limit(), any_limit()],
        steps in prop::collection::vec(any_step(), 1..120),
    ) {
        let tenant = Limits::new(&Rates {
            operations: Some(limits[0].rate()),
            bytes: Some(limits[1].rate()),
        });
        let hand = Hand::at(SECOND);
        let mut admitted: Vec<(u64, [u64; 2])> = Vec::new();
        let mut tab = None;
        for step in steps {
            hand.advance(step.pause);
            hand.lag.set(step.lag);
            if step.is_crowd {
                tenant.crowd();
            }
            let mut sums = [0; 2];
            for _ in 0..step.n_times {
                if tenant.admit_as(&hand, step.cost, step.thread).is_ok() {
                    sums = [0, 1].map(|at| sums[at] + step.cost[at]);
                }
            }
            if step.is_tab {
                if let Some((open, at, cost)) = tab.take() {
                    let cost: [u64; 2] = cost;
                    tenant.close_tab(&hand, open, cost[0] / 2, cost[1] / 3);
                    admitted.push((at, [cost[0] / 2, cost[1] / 3]));
                }
                if let Ok(open) = tenant.open_tab(&hand, step.cost[0], step.cost[1]) {
                    tab = Some((open, hand.exact(), step.cost));
                }
            }
            admitted.push((hand.exact(), sums));
        }
        admitted.sort_by_key(|&(at, _)| at);
        check_windows(limits, &admitted)?;
    }

    #[test]
    fn e80_nothing_passes_too_early_while_rates_are_set(
        limits in [any_limit(), any_limit()],
        steps in prop::collection::vec((any_step(), prop::option::of([any_limit(), any_limit()])), 1..120),
    ) {
        let rates = |limits: [Limit; 2]| Rates {
            operations: Some(limits[0].rate()),
            bytes: Some(limits[1].rate()),
        };
        let tenant = Limits::new(&rates(limits));
        let hand = Hand::at(SECOND);
        let mut ideal = limits.map(|limit| Ideal::new(limit, hand.exact()));
        for (step, limits) in steps {
            hand.advance(step.pause);
            hand.lag.set(step.lag);
            if step.is_crowd {
                tenant.crowd();
            }
            if let Some(limits) = limits {
                tenant.set(&hand, &rates(limits));
                for (ideal, limit) in ideal.iter_mut().zip(limits) {
                    ideal.set(limit, hand.exact());
                }
            }
            for _ in 0..step.n_times {
                if tenant.admit_as(&hand, step.cost, step.thread).is_ok() {
                    for (at, ideal) in ideal.iter_mut().enumerate() {
                        prop_assert!(ideal.take(step.cost[at], hand.exact()), "dimension {}", at);
                    }
                }
            }
        }
    }

    #[test]
    fn e83_a_wait_is_exact_after_any_history(
        limits in [any_limit(), any_limit()],
        steps in prop::collection::vec(any_step(), 1..60),
    ) {
        let tenant = Limits::new(&Rates {
            operations: Some(limits[0].rate()),
            bytes: Some(limits[1].rate()),
        });
        let hand = Hand::at(SECOND);
        for step in steps {
            hand.advance(step.pause);
            hand.lag.set(step.lag);
            if step.is_crowd {
                tenant.crowd();
            }
            for _ in 0..step.n_times {
                let Err(refused) = tenant.admit_as(&hand, step.cost, step.thread) else { continue };
                let Some(wait) = refused.retry_after else { continue };
                let wait = wait.as_nanos() as u64;
                hand.advance(wait - 1);
                prop_assert!(tenant.admit_as(&hand, step.cost, step.thread ^ 1).is_err());
                hand.advance(1);
                prop_assert!(tenant.admit_as(&hand, step.cost, step.thread ^ 2).is_ok());
            }
        }
    }
}

/// Admissions by threads: when each began and ended, in nanoseconds of one clock.
fn hammer(limiter: &RateLimiter, clock: SystemClock, n_threads: usize) -> Vec<(u64, u64)> {
    let barrier = Barrier::new(n_threads);
    thread::scope(|scope| {
        let threads: Vec<_> = (0..n_threads)
            .map(|_| {
                scope.spawn(|| {
                    let mut admitted = Vec::new();
                    barrier.wait();
                    for _ in 0..150_000 {
                        let begun = clock.now().0;
                        if limiter.check(1, 0).is_ok() {
                            admitted.push((begun, clock.now().0));
                        }
                    }
                    admitted
                })
            })
            .collect();
        threads
            .into_iter()
            .flat_map(|thread| thread.join().unwrap())
            .collect()
    })
}

/// What lies wholly in a window is at least what began in it or later, less what ended after it.
fn check_threads(limit: Limit, admitted: &[(u64, u64)]) {
    let slot_ns = MS / 4;
    let slot = |at: u64| (at / slot_ns) as usize;
    let n_slots = admitted.iter().map(|&(_, end)| slot(end)).max().unwrap() + 2;
    let mut begun_from = vec![0_u64; n_slots + 1];
    let mut ended_from = vec![0_u64; n_slots + 1];
    for &(begin, end) in admitted {
        begun_from[slot(begin)] += 1;
        ended_from[slot(end)] += 1;
    }
    for at in (0..n_slots).rev() {
        begun_from[at] += begun_from[at + 1];
        ended_from[at] += ended_from[at + 1];
    }
    for (from, begun) in begun_from.iter().enumerate() {
        for (to, ended) in ended_from.iter().enumerate().skip(from + 1) {
            let sum = begun.saturating_sub(*ended);
            let length = (to - from) as u64 * slot_ns;
            assert!(limit.holds(sum, length), "{sum} in {length} ns");
        }
    }
}

#[test]
fn e80_no_window_of_real_threads_holds_more_than_it_may() {
    for (per_second, burst) in [
        (1_000_000, 20_000),
        (200_000, 60_000),
        (5_000_000, 5_000_000),
    ] {
        let limit = Limit { per_second, burst };
        let limiter = RateLimiter::new(ops(limit.rate()));
        let admitted = hammer(&limiter, SystemClock::new(), 4);
        assert!(admitted.len() as u64 >= burst.min(4 * 150_000));
        check_threads(limit, &admitted);
    }
}

#[test]
fn rates_may_be_set_while_threads_ask() {
    let limiter = RateLimiter::new(ops(Rate::per_second(1_000_000)));
    let n_admitted: u64 = thread::scope(|scope| {
        let threads: Vec<_> = (0..3)
            .map(|_| {
                scope.spawn(|| {
                    (0..50_000)
                        .map(|_| u64::from(limiter.check(1, 0).is_ok()))
                        .sum::<u64>()
                })
            })
            .collect();
        // Nothing comes back at these rates, so each setting adds at most what its burst is above the last one.
        for n in 1..=100_u64 {
            let rate = Rate::new(0, Duration::from_secs(1)).unwrap();
            limiter.set_rates(ops(rate.burst(n * 100)));
        }
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .sum()
    });
    let (mut rest, mut more) = (0, true);
    while more {
        more = limiter.check(1, 0).is_ok();
        rest += u64::from(more);
    }
    // The first rate's own share came before the first setting, which keeps no more than its burst as used.
    assert!(rest <= 10_000);
    assert!(n_admitted + rest >= 9_900);
}
