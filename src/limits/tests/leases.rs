//! Leases, driven by hand: they add nothing to a limit and take nothing from it for long.

use std::cell::Cell;
use std::time::Duration;

use super::{Hand, MS, SECOND, ops, rates};
use crate::clock::{ManualClock, TimeSource};
use crate::limits::rates::{LimitExceeded, Metered, Rate, Rates};
use crate::limits::tenant::Limits;
use crate::limits::watch::Watch;
use crate::sync::Arc;
use crate::sync::counted::writes_of;

/// Asks so often, by a crowd, that each thread gets leases in a cell of its own. Nothing is used in the end.
fn heat(limits: &Limits, hand: &Hand, cost: [u64; 2]) {
    for _ in 0..3 {
        for n in 0..100 {
            limits.admit_as(hand, cost, n % 4).unwrap();
        }
        limits.crowd();
        hand.advance(100 * MS);
    }
    assert!(limits.has_cells());
    assert!(limits.lock_for_tests().is_spread());
    assert!(limits.lock_for_tests().has_leases());
    hand.advance(SECOND);
}

/// How many requests pass before the first refusal, asked by the threads in turn.
fn count_until_refused(limits: &Limits, hand: &Hand, cost: [u64; 2]) -> (u64, LimitExceeded) {
    for n in 0.. {
        if let Err(refusal) = limits.admit_as(hand, cost, (n % 4) as u32) {
            return (n, refusal);
        }
    }
    unreachable!("a limit is reached")
}

#[test]
fn e80_leases_add_nothing_to_a_burst() {
    for lag in [0, 4 * MS, 64 * MS] {
        let hand = Hand::at(SECOND);
        hand.lag.set(lag);
        let limits = Limits::new(&rates(200_000, 3_000_000));
        heat(&limits, &hand, [1, 1]);
        let (n, refused) = count_until_refused(&limits, &hand, [1, 30]);
        assert_eq!(n, 100_000, "what others had on loan is called in");
        assert_eq!(refused.which, Metered::Bytes);
        assert!(!limits.lock_for_tests().has_leases());
        for _ in 0..100 {
            let refused = limits.admit_as(&hand, [1, 30], 1).unwrap_err();
            let wait = refused.retry_after.unwrap().as_nanos() as u64;
            hand.advance(wait - 1);
            assert!(limits.admit_as(&hand, [1, 30], 2).is_err());
            hand.advance(1);
            limits.admit_as(&hand, [1, 30], 3).unwrap();
        }
    }
}

#[test]
fn e81_an_item_of_the_burst_passes_an_idle_bucket_even_after_leases() {
    let hand = Hand::at(SECOND);
    let limits = Limits::new(&rates(10_000, 1_000_000));
    heat(&limits, &hand, [1, 100]);
    for n in 0..400 {
        limits.admit_as(&hand, [1, 100], n % 4).unwrap();
    }
    assert!(limits.lock_for_tests().has_leases());
    // The period, the lag of the coarse clock, and what was used.
    hand.advance(32 * MS + 64 * MS + 400 * SECOND / 10_000);
    limits.admit_as(&hand, [10_000, 1_000_000], 2).unwrap();

    let limits = Limits::new(&rates(10_000, 1_000_000));
    limits.admit_as(&hand, [1, 1_000_000], 0).unwrap();
    let never = limits.admit_as(&hand, [1, 1_000_001], 0).unwrap_err();
    assert_eq!((never.which, never.retry_after), (Metered::Bytes, None));
}

#[test]
fn a_refusal_writes_nothing_and_takes_no_lock() {
    let hand = Hand::at(SECOND);
    let limits = Limits::new(&rates(100_000, 3_000_000));
    heat(&limits, &hand, [1, 1]);
    count_until_refused(&limits, &hand, [1, 30]);

    let before = format!("{limits:?}");
    for thread in 0..8 {
        hand.advance(1);
        assert!(limits.admit_as(&hand, [1, 300], thread).is_err());
        assert!(limits.admit_as(&hand, [0, u64::MAX], thread).is_err());
    }
    assert_eq!(format!("{limits:?}"), before);
    let guard = limits.lock_for_tests();
    assert!(limits.admit_as(&hand, [1, 300], 3).is_err());
    drop(guard);
}

#[test]
fn debt_stops_everything_until_it_is_paid() {
    let hand = Hand::at(SECOND);
    let limits = Limits::new(&rates(100_000, 1_000_000));
    heat(&limits, &hand, [1, 0]);
    // From leases first, and not more than a burst beyond what there was.
    for _ in 0..4 {
        limits.charge(&hand, 600_000);
    }
    assert!(
        !limits.lock_for_tests().has_leases(),
        "debt calls all leases in"
    );
    let refused = limits.admit_as(&hand, [1, 0], 0).unwrap_err();
    assert_eq!(
        (refused.which, refused.retry_after),
        (Metered::Bytes, Some(Duration::from_secs(1)))
    );
    hand.advance(SECOND - 1);
    assert!(limits.admit_as(&hand, [0, 0], 1).is_err());
    hand.advance(1);
    limits.admit_as(&hand, [1, 0], 1).unwrap();
    assert!(limits.admit_as(&hand, [1, 1], 1).is_err());
}

#[test]
fn rates_change_at_run_time() {
    let hand = Hand::at(SECOND);
    let limits = Limits::new(&rates(100_000, 1_000_000));
    heat(&limits, &hand, [1, 1]);
    for n in 0..1000 {
        limits.admit_as(&hand, [1, 1], n % 4).unwrap();
    }
    limits.set(&hand, &rates(200_000, 2_000_000));
    assert!(!limits.lock_for_tests().has_leases());
    let (more, _) = count_until_refused(&limits, &hand, [1, 1]);
    assert_eq!(1000 + more, 200_000, "what is used stays used");

    limits.set(&hand, &rates(10, 10));
    let refused = limits.admit_as(&hand, [1, 0], 0).unwrap_err();
    assert_eq!(refused.retry_after, Some(Duration::from_millis(100)));
    limits.set(&hand, &Rates::UNLIMITED);
    limits.admit(&hand, u64::MAX, u64::MAX).unwrap();
    limits.set(&hand, &rates(10, 10));
    let (more, _) = count_until_refused(&limits, &hand, [1, 1]);
    assert_eq!(more, 10);
}

#[test]
fn what_leases_were_used_for_sinks_again() {
    // Half the rate for a hundred times what the burst takes to fill, by four threads: nobody is refused.
    for lag in [0, 4 * MS, 10 * MS] {
        let hand = Hand::at(SECOND);
        hand.lag.set(lag);
        let limits = Limits::new(&rates(400_000, 4_000_000));
        for n in 0..10_000_u64 {
            for thread in 0..4 {
                for _ in 0..50 {
                    limits
                        .admit_as(&hand, [1, 10], thread)
                        .unwrap_or_else(|refusal| panic!("{n}, {lag}: {refusal:?}"));
                }
            }
            hand.advance(MS);
        }
        assert!(limits.lock_for_tests().has_leases());
    }
}

#[test]
fn at_twice_the_rate_all_of_the_rate_is_used() {
    let hand = Hand::at(SECOND);
    let limits = Limits::new(&ops(Rate::per_second(100_000)));
    let mut n_admitted = 0;
    for _ in 0..10_000 {
        for n in 0..200 {
            n_admitted += u64::from(limits.admit_as(&hand, [1, 0], n % 4).is_ok());
        }
        hand.advance(MS);
    }
    let all = 100_000 * 11;
    assert!(n_admitted <= all);
    assert!(n_admitted >= all / 100 * 98, "{n_admitted} of {all}");
}

#[test]
fn an_idle_tenant_is_small_and_has_no_cells() {
    assert!(size_of::<Limits>() <= 400, "{}", size_of::<Limits>());
    let hand = Hand::at(SECOND);
    let limits = Limits::new(&rates(100_000, 1_000_000));
    for _ in 0..1000 {
        hand.advance(MS);
        limits.admit_as(&hand, [1, 1], 0).unwrap();
    }
    assert!(!limits.has_cells());
    heat(&limits, &hand, [1, 1]);
    assert!(limits.has_cells());
}

#[test]
fn whoever_used_a_lease_gets_the_next_at_once_however_late_and_nobody_else_does() {
    let hand = Hand::at(SECOND);
    let limits = Limits::new(&rates(100_000, 1_000_000));
    let admit_then = |n_times: u64, pause: u64| {
        for _ in 0..n_times {
            limits.admit_as(&hand, [1, 1], 0).unwrap();
        }
        let has_leases = limits.lock_for_tests().has_leases();
        hand.advance(pause);
        has_leases
    };
    assert!(!admit_then(1, MS), "nobody comes for long");
    assert!(
        admit_then(2, 100 * SECOND),
        "the second of these is on loan"
    );
    assert!(admit_then(1, 100 * SECOND), "what was lent was used");
    assert!(!admit_then(1, 100 * SECOND), "what was lent was not used");
    assert!(!admit_then(1, 0));
}

#[test]
fn threads_of_unlike_numbers_write_lines_of_their_own() {
    let hand = Hand::at(SECOND);
    let limits = Limits::new(&ops(Rate::per_second(100_000)));
    for _ in 0..2 {
        limits.admit_as(&hand, [1, 0], 0).unwrap();
    }
    // One visit has filled both.
    let guard = limits.lock_for_tests();
    let [zero, one, two] = [0, 1, 2].map(|thread| {
        let writes = writes_of(|| limits.admit_as(&hand, [1, 0], thread).unwrap());
        assert_eq!(writes.len(), 1, "{writes:?}");
        writes[0].address
    });
    drop(guard);
    assert_eq!(zero, two);
    assert!(zero.abs_diff(one) >= 64, "one line holds both");
}

#[test]
fn with_a_clock_of_the_users_nothing_is_lent() {
    let time = TimeSource::custom(Arc::new(ManualClock::new()));
    let limits = Limits::new(&rates(1_000_000, 1_000_000));
    for _ in 0..1000 {
        limits.crowd();
        limits.admit(&time, 1, 1).unwrap();
        assert!(!limits.lock_for_tests().has_leases());
    }
}

#[test]
fn leases_meter_one_dimension_too() {
    let hand = Hand::at(SECOND);
    let limits = Limits::new(&ops(Rate::per_second(100_000)));
    heat(&limits, &hand, [1, 1 << 20]);
    let (n, _) = count_until_refused(&limits, &hand, [1, u64::MAX]);
    assert_eq!(n, 100_000);
}

#[test]
fn short_periods_of_a_crowd_end_in_time() {
    // A burst that fills in 10 ms, used at half the rate by four threads.
    let hand = Hand::at(SECOND);
    let limits = Limits::new(&ops(Rate::per_second(1_000_000).burst(10_000)));
    let ask = |n_times: u64| {
        for n in 0..n_times {
            hand.advance(2000);
            limits.admit_as(&hand, [1, 0], (n % 4) as u32).unwrap();
        }
        assert!(limits.lock_for_tests().has_leases());
    };
    ask(1000);
    limits.crowd();
    ask(40_000);
    assert!(limits.lock_for_tests().is_spread());

    hand.advance(SECOND);
    ask(4000);
    // An ideal bucket is full at this moment; this one forgets what is older than a period.
    limits.admit_as(&hand, [9000, 0], 0).unwrap();
}

#[test]
fn short_bursts_are_leased_by_the_exact_clock() {
    // A burst that fills in 10 ms.
    let hand = Hand::at(SECOND);
    hand.lag.set(4 * MS);
    let limits = Limits::new(&ops(Rate::per_second(1_000_000).burst(10_000)));
    for n in 0..20_000_u64 {
        // Half the rate.
        hand.advance(2 * MS / 1000);
        limits.admit_as(&hand, [1, 0], (n % 4) as u32).unwrap();
    }
    assert!(limits.lock_for_tests().has_leases());
    hand.advance(100 * MS);
    let (n, _) = count_until_refused(&limits, &hand, [1, 0]);
    assert_eq!(n, 10_000);
}

/// A clock whose reader is put aside right after it has read the time.
struct Late<'a> {
    hand: &'a Hand,
    meanwhile: Cell<Option<&'a dyn Fn()>>,
}

impl Watch for Late<'_> {
    fn exact(&self) -> u64 {
        let now = self.hand.exact();
        if let Some(meanwhile) = self.meanwhile.take() {
            meanwhile();
        }
        now
    }

    fn coarse(&self) -> u64 {
        self.hand.coarse()
    }

    fn coarse_line(&self, time: u64) -> u64 {
        time
    }

    fn lag_ns(&self) -> u64 {
        self.hand.lag_ns()
    }
}

const BURST: u64 = 20_000;

/// A tenant of that burst, and a million in a second, who has used ten of it; the others are on loan.
fn on_loan() -> (Limits, Hand) {
    let tenant = Limits::new(&ops(Rate::per_second(1_000_000).burst(BURST)));
    let hand = Hand::at(SECOND);
    for _ in 0..10 {
        assert!(tenant.admit_as(&hand, [1, 0], 0).is_ok());
    }
    assert!(tenant.lock_for_tests().has_leases());
    (tenant, hand)
}

#[test]
fn e80_what_is_used_on_loan_after_a_visitor_has_read_the_time_sinks_from_then_on_and_not_before() {
    let (tenant, hand) = on_loan();
    let n_admitted = Cell::new(0);
    let admit = |n_max: u64| {
        while n_admitted.get() < n_max && tenant.admit_as(&hand, [1, 0], 0).is_ok() {
            n_admitted.set(n_admitted.get() + 1);
        }
    };
    // The lease is good for a little longer.
    let meanwhile = || {
        hand.advance(MS);
        admit(15_000);
        assert!(tenant.lock_for_tests().has_leases());
    };
    let late = Late {
        hand: &hand,
        meanwhile: Cell::new(Some(&meanwhile)),
    };
    assert!(tenant.admit_as(&late, [BURST, 0], 1).is_err());
    admit(u64::MAX);
    // All of them at one moment; some of the ten may count as not yet over.
    assert!((BURST - 10..=BURST).contains(&n_admitted.get()));
}

#[test]
fn e83_a_refusal_counts_what_was_used_on_loan() {
    let (tenant, hand) = on_loan();
    assert!(tenant.refusal(&hand, 10_000, 0).is_none());
    for _ in 0..15_000 {
        assert!(tenant.admit_as(&hand, [1, 0], 0).is_ok());
    }
    assert!(tenant.lock_for_tests().has_leases());
    let refused = tenant.refusal(&hand, 10_000, 0).unwrap();
    // Some 5,010 are missing, at a thousand in a millisecond.
    let wait = refused.retry_after.unwrap();
    assert!(wait.as_micros().abs_diff(5_010) <= 10, "{wait:?}");
}
