//! # Properties
//! - GP1 (G1) the sum of admissions in every window is at most burst + rate x length, by plain fractions
//! - GP2 (G2) at the end of a wait the cost passes, a nanosecond earlier it doesn't
//! - GP3 (G3) no argument wraps or panics

use std::num::NonZeroU64;
use std::time::Duration;

use proptest::prelude::*;

use super::{BURST_MAX, Bucket, Pace, Wait};

const SECOND: u64 = 1_000_000_000;

fn pace(n_tokens: u64, period_ns: u64, burst: u64) -> Pace {
    let period_ns = NonZeroU64::new(period_ns).expect("a period above zero");
    Pace::new(n_tokens, period_ns, burst)
}

fn ns(wait: Wait) -> u64 {
    wait.duration().expect("a wait that ends").as_nanos() as u64
}

/// Whether `n_tokens` are at most burst + rate x length; by fractions that fit the machine.
fn is_within(n_tokens: u128, rate: (u64, u64), burst: u64, length_ns: u64) -> bool {
    let (count, period_ns) = rate;
    n_tokens * u128::from(period_ns)
        <= u128::from(burst) * u128::from(period_ns) + u128::from(count) * u128::from(length_ns)
}

#[test]
fn e80_a_burst_at_one_instant_then_one_per_interval() {
    let pace = pace(10, SECOND, 10);
    let mut bucket = Bucket::default();
    for _ in 0..10 {
        bucket = bucket.admit(&pace, 77, 1).unwrap();
    }
    let mut now = 77;
    for _ in 0..50 {
        assert_eq!(ns(bucket.admit(&pace, now, 1).unwrap_err()), SECOND / 10);
        now += SECOND / 10;
        bucket = bucket.admit(&pace, now, 1).unwrap();
    }
}

#[test]
fn e81_a_cost_of_the_burst_passes_an_idle_bucket_and_one_more_never() {
    for burst in [1, 7, 1 << 20, BURST_MAX] {
        let pace = pace(3, SECOND, burst);
        let bucket = Bucket::default().admit(&pace, 5, burst).unwrap();
        let wait = bucket.admit(&pace, 5, burst);
        if burst < BURST_MAX {
            let now = 5 + ns(wait.unwrap_err());
            assert_eq!(
                now - 5,
                (u128::from(burst) * u128::from(SECOND)).div_ceil(3) as u64
            );
            assert!(bucket.admit(&pace, now, burst).is_ok());
            assert!(bucket.admit(&pace, now - 1, burst).is_err());
        } else {
            assert_eq!(
                wait,
                Err(Wait::Forever),
                "that long isn't told in nanoseconds"
            );
        }
        assert_eq!(
            Bucket::default().admit(&pace, 5, burst + 1),
            Err(Wait::Forever)
        );
    }
}

#[test]
fn a_rate_of_zero_gives_its_burst_once() {
    let pace = pace(0, SECOND, 2);
    let bucket = Bucket::default().admit(&pace, 0, 2).unwrap();
    assert_eq!(bucket.admit(&pace, u64::MAX, 1), Err(Wait::Forever));
    assert_eq!(bucket.full_at(&pace), None);
    assert_eq!(pace.fill_ns(), u64::MAX);
}

#[test]
fn without_a_limit_everything_passes_and_nothing_is_kept() {
    let bucket = Bucket::default();
    assert_eq!(
        bucket
            .admit(&Pace::UNLIMITED, 0, u64::MAX)
            .map(|bucket| bucket.full_at(&Pace::UNLIMITED)),
        Ok(Some(0))
    );
    assert_eq!(Pace::UNLIMITED.spare(0), u64::MAX);
}

#[test]
fn rates_above_one_in_a_nanosecond_and_below_one_a_day_are_exact() {
    let quick = pace(7_000_000_003, SECOND, 10_000_000_000);
    let bucket = Bucket::default().admit(&quick, 0, 10_000_000_000).unwrap();
    // After a nanosecond there are seven and a bit.
    assert!(bucket.admit(&quick, 1, 7).is_ok());
    assert_eq!(ns(bucket.admit(&quick, 1, 8).unwrap_err()), 1);

    let day = 86_400 * SECOND;
    let slow = pace(1, day, 1_000_000);
    let bucket = Bucket::default().admit(&slow, 9, 1_000_000).unwrap();
    assert_eq!(ns(bucket.admit(&slow, 9, 1).unwrap_err()), day);
    assert!(bucket.admit(&slow, 9 + day, 1).is_ok());
    assert!(bucket.admit(&slow, 8 + day, 1).is_err());
}

#[test]
fn a_rate_is_what_it_is_in_lowest_terms() {
    assert_eq!(pace(20, 2 * SECOND, 5), pace(10, SECOND, 5));
    assert_eq!(pace(0, SECOND, 5), pace(0, 1, 5));
    assert_ne!(pace(20, SECOND, 5), pace(10, SECOND, 5));
    let (large, small) = (pace(u64::MAX - 1, u64::MAX - 1, 7), pace(1, 1, 7));
    assert_eq!(large, small);
}

#[test]
fn time_that_goes_back_counts_as_none() {
    let pace = pace(1, 10, 1);
    let bucket = Bucket::default().admit(&pace, 100, 1).unwrap();
    assert_eq!(ns(bucket.admit(&pace, 50, 1).unwrap_err()), 10);
    assert!(bucket.admit(&pace, 110, 1).is_ok());
}

#[test]
fn e86_what_is_given_back_is_what_would_not_have_sunk() {
    let pace = pace(1, 1, 10);
    let check = |below: u64, elapsed: u64, expected: u128| {
        let units = Bucket::returnable(&pace, 4, u128::from(below), 100, 100 + elapsed);
        assert_eq!(units, expected, "below {below}, after {elapsed}");
    };
    check(0, 0, 4);
    check(0, 3, 1);
    check(0, 9, 0);
    check(2, 3, 3);
    check(6, 6, 4);

    let bucket = Bucket::default().admit(&pace, 100, 10).unwrap();
    let bucket = bucket.give_back(&pace, 102, 4);
    assert_eq!(bucket.level(&pace, 102), 4);
}

#[test]
fn debt_is_at_most_a_burst_and_is_paid_before_anything_passes() {
    let pace = pace(1, 10, 5);
    let bucket = Bucket::default().charge(&pace, 0, 1_000_000);
    assert_eq!(ns(bucket.admit(&pace, 0, 0).unwrap_err()), 50);
    assert_eq!(ns(bucket.admit(&pace, 0, 1).unwrap_err()), 60);
    assert!(bucket.admit(&pace, 50, 0).is_ok());
    assert!(bucket.admit(&pace, 49, 0).is_err());
}

#[test]
fn a_new_pace_keeps_what_is_used() {
    let old = pace(10, SECOND, 10);
    let used = |n| old.lift(0, n).unwrap();
    let check = |new: Pace, level: u128, spare: u64| {
        assert_eq!(new.spare(new.convert(level, &old)), spare);
    };
    check(pace(3, SECOND, 20), used(4), 16);
    check(pace(3, SECOND, 2), used(4), 0);
    check(pace(3, SECOND, 0), used(4), 0);
    check(Pace::UNLIMITED, used(4), u64::MAX);
    let tiny = pace(1, u64::MAX, BURST_MAX);
    check(tiny, used(4), BURST_MAX - 4);
    // Parts of a token are rounded against the user.
    check(pace(1, 3, 10), used(4) + 1, 5);
    let debt = old.charge(used(10), 3);
    let new = pace(1, SECOND, 6);
    let excess = new.excess(new.convert(debt, &old), 0);
    assert_eq!(new.wait_ns(excess, 0), 3 * SECOND);
}

#[test]
fn what_had_no_limit_is_not_used_under_a_new_one() {
    let limited = pace(10, SECOND, 10);
    for (new, old) in [
        (&limited, &Pace::UNLIMITED),
        (&Pace::UNLIMITED, &limited),
        (&Pace::UNLIMITED, &Pace::UNLIMITED),
    ] {
        assert_eq!(new.convert(0, old), 0);
        assert_eq!(new.convert(5, old), 0);
    }
}

#[test]
fn a_bucket_says_when_it_is_as_good_as_new() {
    let pace = pace(3, 10, 100);
    let bucket = Bucket::default().admit(&pace, 1000, 7).unwrap();
    let full_at = bucket.full_at(&pace).unwrap();
    assert_eq!(full_at, 1024);
    assert_eq!(bucket.level(&pace, full_at), 0);
    assert!(bucket.level(&pace, full_at - 1) > 0);
}

/// Rates and periods of all magnitudes.
fn any_rate() -> impl Strategy<Value = (u64, u64)> {
    let wide = prop_oneof![0..10_u64, 1..2_000_000_000_u64, any::<u64>()];
    let period = prop_oneof![1..10_u64, Just(SECOND), Just(86_400 * SECOND), 1..u64::MAX];
    (wide, period)
}

proptest! {
    /// GP1, GP2, with steps of time that mix crowds and pauses.
    #[test]
    fn no_window_holds_more_than_it_may(
        rate in (1..2_000_u64, 1..3_000_u64),
        burst in 0..50_u64,
        steps in prop::collection::vec((prop_oneof![Just(0_u64), 0..5_u64, 0..200_u64], 0..60_u64), 1..80),
    ) {
        let pace = pace(rate.0, rate.1, burst);
        let mut bucket = Bucket::default();
        let mut now = 0;
        let mut admitted: Vec<(u64, u128)> = Vec::new();
        for (step, cost) in steps {
            now += step;
            match bucket.admit(&pace, now, cost) {
                Ok(next) => {
                    bucket = next;
                    admitted.push((now, u128::from(cost)));
                }
                Err(Wait::For(wait)) => {
                    let wait = wait.as_nanos() as u64;
                    prop_assert!(wait > 0);
                    prop_assert!(bucket.admit(&pace, now + wait, cost).is_ok());
                    prop_assert!(bucket.admit(&pace, now + wait - 1, cost).is_err());
                }
                Err(Wait::Forever) => prop_assert!(cost > burst),
            }
            for (first, &(from, _)) in admitted.iter().enumerate() {
                let sum: u128 = admitted[first..].iter().map(|&(_, cost)| cost).sum();
                prop_assert!(is_within(sum, rate, burst, now - from));
            }
        }
    }

    /// GP2, GP3.
    #[test]
    fn extremes_neither_wrap_nor_panic(
        rate in any_rate(),
        burst in prop_oneof![0..10_u64, any::<u64>(), Just(u64::MAX)],
        steps in prop::collection::vec((any::<u64>(), prop_oneof![0..10_u64, any::<u64>(), Just(u64::MAX)], any::<bool>()), 1..20),
        other in any_rate(),
    ) {
        let pace = pace(rate.0, rate.1, burst);
        let mut bucket = Bucket::default();
        for (now, cost, is_charged) in steps {
            match bucket.admit(&pace, now, cost) {
                Ok(next) => bucket = next,
                Err(Wait::For(wait)) => {
                    let now = now.max(bucket.at);
                    let later = now + wait.as_nanos() as u64;
                    prop_assert!(bucket.admit(&pace, later, cost).is_ok());
                    prop_assert!(bucket.admit(&pace, later - 1, cost).is_err());
                }
                Err(Wait::Forever) => {}
            }
            if is_charged {
                bucket = bucket.charge(&pace, now, cost);
            }
            bucket = bucket.give_back(&pace, now, Bucket::returnable(&pace, cost / 2, 3, now / 2, now));
            let spare = pace.spare(bucket.level(&pace, now.max(bucket.at)));
            prop_assert!(spare <= burst.min(BURST_MAX));
            let new = super::tests::pace(other.0, other.1, burst / 2);
            let _ = new.spare(new.convert(bucket.level, &pace));
            let _ = bucket.full_at(&pace);
        }
    }
}

#[test]
fn durations_are_in_nanoseconds() {
    assert_eq!(
        Wait::For(Duration::from_millis(1)).duration(),
        Some(Duration::from_nanos(1_000_000))
    );
    assert!(Wait::For(Duration::MAX) < Wait::Forever);
}
