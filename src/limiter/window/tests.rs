//! Properties of the windows:
//! - sliding: no interval of a period's length holds more than the limit, wherever it begins (LR1), for any limit;
//! - sliding: with few moments it agrees call by call with a log of everything; with many, it refuses nothing that
//!   would pass with a period one grain longer, and an idle period makes room for all calls at once;
//! - both: a refusal's `retry_after` is exact to the nanosecond (LA1), and from `idle_at` on a state is as new (LR2);
//! - fixed: agrees with a count by window number, for every anchor, and at the ends of what a u64 holds;
//! - both: giving back frees exactly what the reservation still takes (LR4).

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

/// Asks and takes, as a limiter does.
fn admit<R: Rule>(
    rule: &R,
    state: &mut R::State,
    cost: Cost,
    now: Nanos,
) -> Result<(), LimitError> {
    rule.check_size(cost)?;
    rule.admit(state, cost, now)
}

impl Log {
    /// Checks LW1 and LW3.
    fn validate(&self) {
        let records = || self.older.iter().chain([&self.newest]);
        assert_eq!(
            records()
                .map(|record| u128::from(record.n_calls))
                .sum::<u128>(),
            u128::from(self.n_used),
            "LW1"
        );
        assert!(
            records().zip(records().skip(1)).all(|(a, b)| a.at < b.at),
            "LW1"
        );
        assert!(records().count() <= N_RECORDS_MAX, "LW3");
    }
}

/// Gives back a part of what was admitted at a time.
fn give_back<R: Rule>(rule: &R, state: &mut R::State, unused: Cost, at: u64, now: u64) {
    let costs = (Cost::default(), unused);
    rule.give_back(state, costs, (Nanos(at), 0), Nanos(now));
}

/// The most that any half-open interval of that length holds.
fn densest(admissions: &[(u64, u64)], period: u64) -> u64 {
    let held = |(from, _): &(u64, u64)| {
        let inside = |(at, _): &&(u64, u64)| at >= from && at - from < period;
        admissions.iter().filter(inside).map(|(_, n)| n).sum()
    };
    admissions.iter().map(held).max().unwrap_or(0)
}

/// What still counts at a time, of all that was ever admitted.
fn counted(admissions: &[(u64, u64)], now: u64, period: u64) -> u64 {
    let counts = |(at, _): &&(u64, u64)| now - at < period;
    admissions.iter().filter(counts).map(|(_, n)| n).sum()
}

/// Pauses and costs beside a period of 1000. With short pauses, a window sees more moments than a log keeps exactly.
fn steps(short_max: u64, n: std::ops::Range<usize>) -> impl Strategy<Value = Vec<(u64, u64)>> {
    let pause = prop_oneof![20 => 0..short_max, 20 => 0u64..3, 1 => 100u64..1100];
    vec((pause, 0u64..4), n)
}

/// Lets a log and a list of all admissions go side by side.
fn follow(
    calls: u64,
    period: u64,
    start: u64,
    steps: Vec<(u64, u64)>,
) -> Result<(), TestCaseError> {
    let rule = Sliding::new(calls, period);
    let mut now = start;
    let mut log = rule.fresh(Nanos(now));
    let mut admissions = Vec::new();
    for (pause, n) in steps {
        now += pause;
        let cost = Cost::calls(n);
        let answer = admit(&rule, &mut log, cost, Nanos(now));
        log.validate();
        let fits = |period| counted(&admissions, now, period) + n <= calls || n == 0;
        match answer {
            Ok(()) => {
                prop_assert!(fits(period), "above the limit");
                admissions.push((now, n));
            }
            Err(LimitError::TooLarge { cost_max, .. }) => prop_assert!(n > cost_max),
            Err(error) => {
                let late = period + rule.grain_ns;
                prop_assert!(
                    !fits(late),
                    "refused, though all that shared a grain is out"
                );
                let is_exact = calls <= N_RECORDS_EXACT as u64;
                prop_assert!(!is_exact || !fits(period), "refused by an exact log");
                assert_exact(&rule, || copy_log(&log), cost, Nanos(now), error);
            }
        }
    }
    prop_assert!(densest(&admissions, period) <= calls);
    let idle_at = rule.idle_at(&log);
    prop_assert!(idle_at.0 <= now + period);
    let later = idle_at.max(Nanos(now));
    let all = admit(&rule, &mut log, Cost::calls(calls), later);
    prop_assert_eq!(all, Ok(()), "LR2: idle, and not as new");
    Ok(())
}

/// Asserts that a refused cost passes after the time that the refusal says, and not a nanosecond before.
fn assert_exact<R: Rule>(
    rule: &R,
    copy: impl Fn() -> R::State,
    cost: Cost,
    now: Nanos,
    error: LimitError,
) {
    let after = error.retry_after().unwrap().as_nanos() as u64;
    assert!(after > 0, "LA1: refused, and passes at once");
    let early = rule.room(&mut copy(), cost, Nanos(now.0 + after - 1));
    assert!(early.is_err(), "LA1: passes earlier than it says");
    assert_eq!(
        rule.room(&mut copy(), cost, Nanos(now.0 + after)),
        Ok(()),
        "LA1"
    );
}

fn copy_log(log: &Log) -> Log {
    Log {
        newest: log.newest,
        older: log.older.clone(),
        n_used: log.n_used,
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn e84_no_interval_holds_more_than_the_limit(
        calls in prop_oneof![1u64..10, 50u64..70],
        period in prop_oneof![Just(1000u64), 1u64..100],
        start in prop_oneof![Just(0u64), Just(u64::MAX - 500_000)],
        steps in steps(60, 1..400),
    ) {
        follow(calls, period, start, steps)?;
    }

    #[test]
    fn e84_no_interval_holds_more_than_a_limit_above_what_is_kept_exactly(
        calls in 120u64..180,
        steps in steps(8, 300..600),
    ) {
        follow(calls, 1000, 0, steps)?;
    }

    #[test]
    fn e86_giving_back_frees_what_the_reservation_still_takes(
        calls in prop_oneof![4u64..10, 100u64..200],
        steps in vec((0u64..15, 1u64..4, 0u64..5, any::<prop::sample::Index>()), 1..300),
    ) {
        let rule = Sliding::new(calls, 1000);
        let mut now = 0;
        let mut log = rule.fresh(Nanos(0));
        // When, how many, and how many of them are still to be decided on.
        let mut admissions: Vec<(u64, u64, u64)> = Vec::new();
        for (pause, n, used, which) in steps {
            now += pause;
            if admit(&rule, &mut log, Cost::calls(n), Nanos(now)).is_ok() {
                admissions.push((now, n, n));
            }
            if !admissions.is_empty() && used < 4 {
                let idx = which.index(admissions.len());
                let (at, n, open) = &mut admissions[idx];
                let unused = (*open).min(used);
                give_back(&rule, &mut log, Cost::calls(unused), *at, now);
                // What has left the window changes nothing, though a record of its grain may stay a little longer.
                if now - *at < 1000 {
                    *n -= unused;
                }
                *open = 0;
            }
            log.validate();
            let plain: Vec<_> = admissions.iter().map(|&(at, n, _)| (at, n)).collect();
            let remaining = rule.remaining(&mut log, Nanos(now)).calls;
            prop_assert!(counted(&plain, now, 1000) + remaining <= calls, "LR4: freed what others take");
            prop_assert!(counted(&plain, now, 1000 + rule.grain_ns) + remaining >= calls, "not freed");
            prop_assert!(densest(&plain, 1000) <= calls, "LR4");
        }
    }

    #[test]
    fn e85_a_fixed_window_agrees_with_a_count_by_window_number(
        period in prop_oneof![1u64..1000, Just(u64::MAX)],
        phase in any::<u64>(),
        calls in 1u64..6,
        bytes in 1u64..20,
        start in prop_oneof![Just(0u64), 0u64..1000, Just(u64::MAX - 1_000_000)],
        steps in vec((0u64..700, 0u64..4, 0u64..9), 1..200),
    ) {
        let phase = phase % period;
        let rule = Fixed::new(Some(calls), Some(bytes), period, phase);
        let number = |now: u64| (i128::from(now) - i128::from(phase)).div_euclid(i128::from(period));
        let mut now = start;
        let mut tally = rule.fresh(Nanos(now));
        let mut used = (number(now), 0, 0);
        for (pause, n_calls, n_bytes) in steps {
            now += pause;
            if number(now) != used.0 {
                used = (number(now), 0, 0);
            }
            let cost = Cost::calls(n_calls).and_bytes(n_bytes);
            let calls_fit = n_calls == 0 || used.1 + n_calls <= calls;
            let bytes_fit = n_bytes == 0 || used.2 + n_bytes <= bytes;
            match admit(&rule, &mut tally, cost, Nanos(now)) {
                Ok(()) => {
                    prop_assert!(calls_fit && bytes_fit);
                    used = (used.0, used.1 + n_calls, used.2 + n_bytes);
                }
                Err(LimitError::TooLarge { cost, cost_max, .. }) => prop_assert!(cost > cost_max),
                Err(LimitError::Exhausted { which, retry_after: Some(after) }) => {
                    let short = if calls_fit { Metered::Bytes } else { Metered::Operations };
                    prop_assert_eq!(which, short);
                    prop_assert!(!(calls_fit && bytes_fit));
                    let at = now + after.as_nanos() as u64;
                    prop_assert_eq!(number(at), used.0 + 1);
                    prop_assert_eq!(number(at - 1), used.0);
                }
                Err(LimitError::Exhausted { retry_after: None, .. }) => {
                    prop_assert!(!(calls_fit && bytes_fit));
                    let reset = i128::from(phase) + (used.0 + 1) * i128::from(period);
                    prop_assert!(reset >= i128::from(u64::MAX), "a reset comes, and isn't told");
                }
                Err(error) => prop_assert!(false, "{error}"),
            }
            let remaining = rule.remaining(&mut tally, Nanos(now));
            prop_assert_eq!(remaining.calls, calls - used.1, "together or not at all");
            prop_assert_eq!(remaining.bytes, Some(bytes - used.2), "together or not at all");
        }
    }
}

#[test]
fn z104_the_call_at_the_end_of_the_period_passes() {
    const SECOND: u64 = 1_000_000_000;
    let rule = Sliding::new(3, 60 * SECOND);
    let mut log = rule.fresh(Nanos(0));
    for at in [0, SECOND, 2 * SECOND] {
        assert_eq!(admit(&rule, &mut log, Cost::calls(1), Nanos(at)), Ok(()));
    }
    let refused = admit(
        &rule,
        &mut log,
        Cost::calls(1),
        Nanos(60 * SECOND - SECOND / 10),
    );
    assert_eq!(
        refused.unwrap_err().retry_after(),
        Some(Duration::from_millis(100))
    );
    assert_eq!(
        admit(&rule, &mut log, Cost::calls(1), Nanos(60 * SECOND)),
        Ok(())
    );
}

#[test]
fn e84_memory_of_a_key_is_bounded_and_idleness_gives_all_back_at_once() {
    let period = 1_000_000;
    let rule = Sliding::new(u64::MAX, period);
    let mut log = rule.fresh(Nanos(0));
    let mut now = 0;
    let mut n_most = 0;
    // Spurts and pauses, so that the log is now below and now above what it keeps exactly.
    for round in 0..200_000u64 {
        now += if round % 1000 < 900 { 97 } else { period / 50 };
        assert_eq!(admit(&rule, &mut log, Cost::calls(1), Nanos(now)), Ok(()));
        n_most = n_most.max(log.older.len() + 1);
    }
    log.validate();
    assert!(
        n_most > N_RECORDS_EXACT && n_most <= N_RECORDS_MAX,
        "{n_most}"
    );
    assert!(Sliding::heap_bytes(&log) <= 2048, "LW3");

    let rule = Sliding::new(1000, period);
    let mut log = rule.fresh(Nanos(0));
    for round in 1..=3 {
        let burst = admit(&rule, &mut log, Cost::calls(1000), Nanos(round * period));
        assert_eq!(burst, Ok(()));
        let more = admit(&rule, &mut log, Cost::calls(1), Nanos(round * period));
        assert_eq!(
            more.unwrap_err().retry_after(),
            Some(Duration::from_nanos(period))
        );
    }
}

#[test]
fn e85_a_period_of_zero_never_resets() {
    let rule = Fixed::new(Some(2), None, 0, 0);
    let mut tally = rule.fresh(Nanos(5));
    assert_eq!(rule.idle_at(&tally), Nanos::ZERO);
    assert_eq!(admit(&rule, &mut tally, Cost::calls(2), Nanos(5)), Ok(()));
    assert_eq!(rule.idle_at(&tally), Nanos::MAX);
    for now in [6, u64::MAX - 1, u64::MAX] {
        let refused = admit(&rule, &mut tally, Cost::calls(1), Nanos(now));
        assert_eq!(refused, Err(exhausted(Metered::Operations, None)));
    }
    give_back(&rule, &mut tally, Cost::calls(1), 5, u64::MAX);
    assert_eq!(
        admit(&rule, &mut tally, Cost::calls(1), Nanos(u64::MAX)),
        Ok(())
    );
}

#[test]
fn e85_what_was_reserved_before_a_reset_is_not_given_back_after_it() {
    let rule = Fixed::new(Some(5), Some(100), 1000, 300);
    let mut tally = rule.fresh(Nanos(299));
    let five = Cost::calls(5).and_bytes(100);
    assert_eq!(admit(&rule, &mut tally, five, Nanos(299)), Ok(()));
    assert_eq!(admit(&rule, &mut tally, five, Nanos(300)), Ok(()));
    give_back(&rule, &mut tally, five, 299, 301);
    assert_eq!(rule.remaining(&mut tally, Nanos(301)).calls, 0);
    give_back(&rule, &mut tally, Cost::calls(2).and_bytes(7), 300, 301);
    let remaining = rule.remaining(&mut tally, Nanos(301));
    assert_eq!((remaining.calls, remaining.bytes), (2, Some(7)));
}

#[test]
fn extremes_neither_wrap_nor_panic() {
    let huge = Cost::calls(u64::MAX).and_bytes(u64::MAX);
    for now in [0, 1, u64::MAX - 1, u64::MAX].map(Nanos) {
        for period in [1, 2, 300_000_000_000, u64::MAX] {
            let sliding = Sliding::new(u64::MAX, period);
            let mut log = sliding.fresh(now);
            assert_eq!(admit(&sliding, &mut log, huge, now), Ok(()));
            // Debt beyond what can be counted.
            sliding.take(&mut log, huge, now);
            sliding.take(&mut log, huge, Nanos::MAX);
            log.validate();
            let refused = sliding.room(&mut log, Cost::calls(1), Nanos::MAX);
            let full = log.n_used == u64::MAX;
            assert_eq!(refused.is_err(), full);
            give_back(&sliding, &mut log, huge, now.0, u64::MAX);
            log.validate();

            let fixed = Fixed::new(Some(u64::MAX), Some(u64::MAX), period, period - 1);
            let mut tally = fixed.fresh(now);
            assert_eq!(admit(&fixed, &mut tally, huge, now), Ok(()));
            fixed.take(&mut tally, huge, now);
            assert_eq!(fixed.remaining(&mut tally, now).calls, 0);
            give_back(&fixed, &mut tally, huge, now.0, now.0);
            assert_eq!(fixed.remaining(&mut tally, now).calls, u64::MAX);
            assert!(fixed.reset_after(now) > now || now == Nanos::MAX);
        }
    }
}
