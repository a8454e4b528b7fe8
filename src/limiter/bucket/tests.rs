//! Properties of the token bucket as a rule:
//! - no interval holds more than burst + rate x length (E-80, LR1), and a refusal's `retry_after` is exact (LA1);
//! - from `idle_at` on a bucket is as new (LR2);
//! - a reservation that is settled leaves the bucket as if only what was used had been admitted, or fuller (LT1).

use std::time::Duration;

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

fn rule(calls: u64, period_ns: u64, burst: u64) -> TokenBucket {
    TokenBucket::new(calls, NonZeroU64::new(period_ns).unwrap(), burst)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn e80_no_interval_holds_more_than_burst_and_rate_allow(
        calls in 1u64..50,
        period_ns in 1u64..2000,
        burst in 1u64..30,
        start in prop_oneof![Just(0u64), Just(u64::MAX - 1_000_000)],
        steps in vec((prop_oneof![0u64..30, 0u64..300], 0u64..8), 1..150),
    ) {
        let rule = rule(calls, period_ns, burst);
        let mut now = start;
        let mut bucket = rule.fresh(Nanos(now));
        let mut admissions: Vec<(u64, u64)> = Vec::new();
        for (pause, n) in steps {
            now += pause;
            let cost = Cost::calls(n);
            if rule.check_size(cost).is_err() {
                prop_assert!(n > burst);
                continue;
            }
            match rule.admit(&mut bucket, cost, Nanos(now)) {
                Ok(()) => {
                    admissions.push((now, n));
                    let mut sum = 0;
                    for (at, n) in admissions.iter().rev() {
                        sum += n;
                        // sum <= burst + calls / period * length
                        let above = u128::from(sum.saturating_sub(burst)) * u128::from(period_ns);
                        prop_assert!(above <= u128::from(calls) * u128::from(now - at));
                    }
                }
                Err(error) => {
                    let after = error.retry_after().unwrap().as_nanos() as u64;
                    prop_assert!(after > 0);
                    prop_assert!(rule.room(&mut bucket, cost, Nanos(now + after - 1)).is_err());
                    prop_assert!(rule.room(&mut bucket, cost, Nanos(now + after)).is_ok());
                }
            }
        }
        let idle_at = rule.idle_at(&bucket).max(Nanos(now));
        prop_assert_eq!(rule.room(&mut bucket, Cost::calls(burst), idle_at), Ok(()), "LR2");
    }

    #[test]
    fn e86_a_settled_reservation_is_as_if_only_what_was_used_had_been_admitted(
        (calls, period_ns, burst) in (1u64..50, 1u64..2000, 5u64..30),
        before in vec((0u64..100, 1u64..5), 0..10),
        (reserved, used) in (1u64..6, 0u64..6),
        between in vec((0u64..100, 1u64..5), 0..5),
        pause in 0u64..200,
    ) {
        let used = used.min(reserved);
        let rule = rule(calls, period_ns, burst);
        let mut now = 0;
        let mut bucket = rule.fresh(Nanos(0));
        for (pause, n) in before {
            now += pause;
            let _ = rule.admit(&mut bucket, Cost::calls(n), Nanos(now));
        }
        let (at, below) = (Nanos(now), rule.below(&bucket, Nanos(now)));
        let mut other = bucket;
        if rule.admit(&mut bucket, Cost::calls(reserved), at).is_err() {
            return Ok(());
        }
        rule.admit(&mut other, Cost::calls(used), at).unwrap();
        let mut is_alone = true;
        for (pause, n) in between {
            now += pause;
            if rule.admit(&mut bucket, Cost::calls(n), Nanos(now)).is_ok() {
                rule.admit(&mut other, Cost::calls(n), Nanos(now)).unwrap();
                is_alone = false;
            }
        }
        now += pause;
        let costs = (Cost::calls(used), Cost::calls(reserved - used));
        rule.give_back(&mut bucket, costs, (at, below), Nanos(now));
        let (level, right) = (rule.below(&bucket, Nanos(now)), rule.below(&other, Nanos(now)));
        prop_assert!(level >= right, "LT1: {level} is below {right}");
        prop_assert!(!is_alone || level == right, "{level} isn't {right}");
    }
}

#[test]
fn e80_a_burst_at_one_instant_and_then_one_per_interval() {
    const SECOND: u64 = 1_000_000_000;
    let rule = rule(10, SECOND, 10);
    let mut bucket = rule.fresh(Nanos(0));
    let one = Cost::calls(1);
    for n in (0..10).rev() {
        assert_eq!(rule.admit(&mut bucket, one, Nanos(SECOND)), Ok(()));
        assert_eq!(rule.remaining(&mut bucket, Nanos(SECOND)).calls, n);
    }
    for n in 1..=20 {
        let refused = rule.admit(&mut bucket, one, Nanos(SECOND + n * SECOND / 10 - 1));
        assert_eq!(
            refused.unwrap_err().retry_after(),
            Some(Duration::from_nanos(1))
        );
        assert_eq!(
            rule.admit(&mut bucket, one, Nanos(SECOND + n * SECOND / 10)),
            Ok(())
        );
    }
}

#[test]
fn extremes_neither_wrap_nor_panic() {
    let huge = Cost::calls(u64::MAX);
    for (calls, period_ns, burst) in [
        (1, u64::MAX, 1),
        (u64::MAX, 1, u64::MAX),
        (u64::MAX, u64::MAX - 1, u64::MAX),
        (1, u64::MAX, u64::MAX),
    ] {
        let rule = rule(calls, period_ns, burst);
        for now in [0, 1, u64::MAX - 1, u64::MAX].map(Nanos) {
            let mut bucket = rule.fresh(now);
            assert!(rule.check_size(huge).is_err());
            let most = Cost::calls(rule.burst);
            assert_eq!(rule.admit(&mut bucket, most, now), Ok(()));
            assert!(rule.admit(&mut bucket, Cost::calls(1), now).is_err());
            rule.take(&mut bucket, huge, now);
            assert_eq!(rule.remaining(&mut bucket, now).calls, 0);
            assert_eq!(
                rule.admit(&mut bucket, Cost::default(), now),
                Ok(()),
                "nothing is asked for"
            );
            rule.give_back(&mut bucket, (Cost::default(), huge), (now, 0), Nanos::MAX);
            assert!(rule.idle_at(&bucket) >= now);
        }
    }
}
