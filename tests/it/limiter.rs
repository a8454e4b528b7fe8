//! Limits by key, through the public API. The properties:
//! 1. no interval of a period's length holds more admissions of a key than its limit, wherever it begins, under a clock
//!    that is moved by hand and set back, and under the system's clock with threads;
//! 2. a refusal's `retry_after` is exact, and a refusal counts nothing;
//! 3. calls and bytes are counted together or not at all; what is reserved comes back unless it's used;
//! 4. keys that aren't used leave nothing; a full limiter refuses new keys and forgets nobody (`keys`).

mod keys;

use std::sync::Barrier;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use larder::{
    Algorithm, Anchor, Clock, Cost, LimitError, Limiter, ManualClock, Metered, Nanos, SystemClock,
};
use proptest::collection::vec;
use proptest::prelude::*;

fn sliding(calls: u64, period: Duration) -> Algorithm {
    Algorithm::SlidingWindow { calls, period }
}

fn fixed(calls: Option<u64>, bytes: Option<u64>, period: Duration) -> Algorithm {
    Algorithm::FixedWindow {
        calls,
        bytes,
        period,
        anchor: Anchor::default(),
    }
}

fn bucket(calls: u64, period: Duration, burst: u64) -> Algorithm {
    Algorithm::TokenBucket {
        calls,
        period,
        burst,
    }
}

fn limiter(algorithm: Algorithm) -> (Limiter, ManualClock) {
    let clock = ManualClock::new();
    let limiter = Limiter::builder(algorithm).clock(clock.clone());
    (limiter.build().unwrap(), clock)
}

fn maintain_fully(limiter: &Limiter) {
    for _ in 0..1_000_000 {
        if !limiter.maintain(1000).more {
            return;
        }
    }
    panic!("maintenance does not end");
}

/// The most admissions that are sure to lie in one half-open interval of that length. An admission took effect between
/// the two times.
fn densest(admissions: &mut [(u64, u64, u64)], period: u64) -> u64 {
    admissions.sort_unstable();
    let held = |idx: usize| -> u64 {
        let from = admissions[idx].0;
        let ahead = &admissions[idx..];
        let near = ahead
            .iter()
            .take_while(|(begin, _, _)| begin - from < period);
        let inside = near.filter(|(_, end, _)| end - from < period);
        inside.map(|(_, _, n)| n).sum()
    };
    (0..admissions.len()).map(held).max().unwrap_or(0)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn e84_no_interval_holds_more_than_the_limit_whatever_the_clock_does(
        calls in 1u64..80,
        stripes in prop_oneof![Just(1usize), Just(4)],
        steps in vec((0u64..5, 1u64..9, -30i64..40), 1..300),
    ) {
        let clock = ManualClock::new();
        let period = 1000;
        let limiter = Limiter::builder(sliding(calls, Duration::from_nanos(period)))
            .clock(clock.clone())
            .stripes(stripes)
            .build()
            .unwrap();
        let (mut now, mut latest) = (5_000u64, 0);
        let mut admissions = vec![Vec::new(); 5];
        for (key, n, pause) in steps {
            now = now.saturating_add_signed(pause);
            latest = now.max(latest);
            clock.set(Nanos(now));
            let before = limiter.peek(key).unwrap().remaining;
            match limiter.check(key, n) {
                Ok(standing) => {
                    prop_assert_eq!(standing.remaining, before - n);
                    admissions[key as usize].push((latest, latest, n));
                }
                Err(LimitError::TooLarge { cost_max, .. }) => prop_assert!(n > cost_max),
                Err(error) => {
                    prop_assert!(before < n);
                    prop_assert_eq!(limiter.probe(key, n), Err(error));
                    prop_assert_eq!(limiter.peek(key).unwrap().remaining, before, "a refusal counts nothing");
                    prop_assert_eq!(limiter.probe(key, before), Ok(()));
                }
            }
        }
        for admissions in &mut admissions {
            prop_assert!(densest(admissions, period) <= calls);
        }
    }

    #[test]
    fn e83_the_same_request_passes_after_retry_after_and_not_before(
        algorithm in prop_oneof![
            (1u64..100).prop_map(|calls| sliding(calls, Duration::from_nanos(1000))),
            (1u64..100).prop_map(|burst| bucket(3, Duration::from_nanos(41), burst)),
            (1u64..100).prop_map(|calls| fixed(Some(calls), Some(50), Duration::from_nanos(700))),
        ],
        steps in vec((0u64..60, 1u64..9, 0u64..9), 1..200),
    ) {
        let (limiter, clock) = limiter(algorithm);
        let mut now = 0;
        for (pause, calls, bytes) in steps {
            now += pause;
            clock.set(Nanos(now));
            let cost = Cost::calls(calls).and_bytes(bytes);
            if let Some(after) = limiter.check("key", cost).err().and_then(|error| error.retry_after()) {
                clock.set(Nanos(now + after.as_nanos() as u64 - 1));
                prop_assert!(limiter.probe("key", cost).is_err());
                now += after.as_nanos() as u64;
                clock.set(Nanos(now));
                prop_assert!(limiter.check("key", cost).is_ok());
            }
        }
    }
}

#[test]
fn e84_no_interval_holds_more_than_the_limit_with_threads() {
    let period = Duration::from_micros(300);
    for calls in [7, 200] {
        let limiter = Limiter::builder(sliding(calls, period))
            .stripes(1)
            .build()
            .unwrap();
        let watch = SystemClock::new();
        let start = Barrier::new(4);
        let run = || {
            let mut admissions = vec![Vec::new(); 3];
            start.wait();
            for round in 0..30_000u64 {
                let key = round % 3;
                let begin = watch.now().0;
                if limiter.check(key, 1).is_ok() {
                    admissions[key as usize].push((begin, watch.now().0, 1));
                }
            }
            admissions
        };
        let per_thread: Vec<_> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..4).map(|_| scope.spawn(run)).collect();
            threads
                .into_iter()
                .map(|thread| thread.join().unwrap())
                .collect()
        });
        for key in 0..3 {
            let mut all: Vec<_> = per_thread
                .iter()
                .flat_map(|keys| keys[key].clone())
                .collect();
            assert!(all.len() as u64 > 2 * calls, "the window never slid");
            assert!(densest(&mut all, period.as_nanos() as u64) <= calls);
        }
    }
}

#[test]
fn e80_a_burst_passes_at_once_and_then_what_the_rate_brings() {
    let (limiter, clock) = limiter(bucket(100, Duration::from_secs(1), 100));
    for remaining in (0..100).rev() {
        assert_eq!(limiter.check("key", 1).unwrap().remaining, remaining);
    }
    let refused = limiter.check("key", 1).unwrap_err();
    assert_eq!(refused.retry_after(), Some(Duration::from_millis(10)));
    for _ in 0..250 {
        clock.advance(Duration::from_millis(10));
        limiter.check("key", 1).unwrap();
        assert!(limiter.check("key", 1).is_err());
    }
    clock.set(Nanos::ZERO);
    assert!(limiter.check("key", 1).is_err(), "time went back");
    let too_large = limiter.check("key", 101).unwrap_err();
    assert!(matches!(
        too_large,
        LimitError::TooLarge { cost_max: 100, .. }
    ));
}

#[test]
fn e80_no_interval_holds_more_than_burst_and_rate_allow_with_threads() {
    let burst = 20;
    let limiter = Limiter::builder(bucket(1, Duration::from_micros(50), burst))
        .stripes(1)
        .build()
        .unwrap();
    let watch = SystemClock::new();
    let run = || {
        let mut admissions = Vec::new();
        for _ in 0..30_000 {
            let begin = watch.now().0;
            if limiter.check("key", 1).is_ok() {
                admissions.push((begin, watch.now().0, 1));
            }
        }
        admissions
    };
    let mut all: Vec<_> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..4).map(|_| scope.spawn(run)).collect();
        let each = threads.into_iter().map(|thread| thread.join().unwrap());
        each.flatten().collect()
    });
    assert!(all.len() as u64 > 2 * burst, "the rate brought nothing");
    for n_periods in [1, 5, 50, 500] {
        // Half open, so the last of the periods is not complete.
        assert!(densest(&mut all, n_periods * 50_000) < burst + n_periods + 1);
    }
}

#[test]
fn e85_windows_begin_at_the_anchor_before_or_after_now() {
    let minute = Duration::from_secs(60);
    let anchors = [
        Anchor::At(Nanos::from_duration(Duration::from_secs(10))),
        Anchor::At(Nanos::from_duration(Duration::from_secs(3610))),
        Anchor::BeforeBirth(Duration::from_secs(50)),
        Anchor::BeforeBirth(Duration::from_secs(86_400 * 365 * 2025 + 50)),
    ];
    for anchor in anchors {
        let (limiter, clock) = limiter(Algorithm::FixedWindow {
            calls: Some(2),
            bytes: None,
            period: minute,
            anchor,
        });
        clock.advance(Duration::from_secs(5));
        assert_eq!(
            limiter.check("key", 2).unwrap().reset_after(),
            Some(Duration::from_secs(5))
        );
        let refused = limiter.check("key", 1).unwrap_err();
        assert_eq!(
            refused.retry_after(),
            Some(Duration::from_secs(5)),
            "{anchor:?}"
        );
        clock.advance(Duration::from_secs(5));
        limiter.check("key", 2).unwrap();
        clock.advance(minute - Duration::from_nanos(1));
        let refused = limiter.check("key", 1).unwrap_err();
        assert_eq!(refused.retry_after(), Some(Duration::from_nanos(1)));
    }
}

#[test]
fn e85_a_period_of_zero_is_for_ever() {
    let (limiter, clock) = limiter(fixed(Some(3), None, Duration::ZERO));
    limiter.check("key", 3).unwrap();
    clock.advance(Duration::from_secs(86_400 * 365 * 100));
    maintain_fully(&limiter);
    let refused = LimitError::Exhausted {
        which: Metered::Operations,
        retry_after: None,
    };
    assert_eq!(limiter.check("key", 1), Err(refused));
    assert_eq!(limiter.peek("key").unwrap().reset_after(), None);
    assert!(limiter.remove("key"));
    assert!(!limiter.remove("key"));
    assert!(limiter.is_empty());
    limiter.check("key", 3).unwrap();
}

#[test]
fn z133_calls_and_bytes_count_together_or_not_at_all() {
    let (limiter, _clock) = limiter(fixed(Some(3), Some(1000), Duration::from_secs(300)));
    let cost = |calls, bytes| Cost::calls(calls).and_bytes(bytes);
    limiter.check("key", cost(1, 900)).unwrap();
    let which = |answer: Result<_, LimitError>| match answer {
        Err(LimitError::Exhausted { which, .. } | LimitError::TooLarge { which, .. }) => {
            Some(which)
        }
        _ => None,
    };
    assert_eq!(
        which(limiter.check("key", cost(1, 101))),
        Some(Metered::Bytes)
    );
    assert_eq!(
        which(limiter.check("key", cost(3, 1))),
        Some(Metered::Operations)
    );
    assert_eq!(
        which(limiter.check("key", cost(1, 1001))),
        Some(Metered::Bytes)
    );
    let standing = limiter.check("key", cost(2, 100)).unwrap();
    assert_eq!((standing.remaining, standing.remaining_bytes), (0, Some(0)));
    // Nothing asked for, nothing refused.
    limiter.check("key", cost(0, 0)).unwrap();
}

#[test]
fn e86_what_is_reserved_counts_until_it_is_released_and_debt_is_paid_by_waiting() {
    let (limiter, clock) = limiter(sliding(10, Duration::from_secs(60)));
    let first = limiter.reserve("key", 6).unwrap();
    assert_eq!((first.reserved().calls, first.standing().remaining), (6, 4));
    assert!(limiter.check("key", 5).is_err());
    clock.advance(Duration::from_secs(10));
    first.commit(2);
    assert_eq!(limiter.peek("key").unwrap().remaining, 8);
    let second = limiter.reserve("key", 8).unwrap();
    second.release();
    drop(limiter.reserve("key", 8).unwrap());
    assert_eq!(limiter.peek("key").unwrap().remaining, 8);
    // 2 from the beginning, and 12 from ten seconds later on.
    limiter.reserve("key", 1).unwrap().commit(12);
    assert_eq!(limiter.peek("key").unwrap().remaining, 0);
    let after = |cost| limiter.probe("key", cost).unwrap_err().retry_after();
    assert_eq!(after(1), Some(Duration::from_secs(60)));
    clock.advance(Duration::from_secs(60));
    assert_eq!(limiter.peek("key").unwrap().remaining, 10);

    // Whoever holds nothing but a reservation of zero can be charged.
    let open = limiter.reserve("other", 0).unwrap();
    clock.advance(Duration::from_secs(3600));
    maintain_fully(&limiter);
    open.commit(4);
    assert_eq!(limiter.peek("other").unwrap().remaining, 6);
}

#[test]
fn e86_threads_that_reserve_commit_and_release_never_pass_the_limit_and_lose_nothing() {
    let (limiter, _clock) = limiter(fixed(Some(1000), None, Duration::ZERO));
    let held = AtomicU64::new(0);
    let used = AtomicU64::new(0);
    std::thread::scope(|scope| {
        for thread in 0..4u64 {
            let (limiter, held, used) = (&limiter, &held, &used);
            scope.spawn(move || {
                for round in 0..5_000u64 {
                    let n = 1 + (round + thread) % 97;
                    let Ok(reservation) = limiter.reserve("key", n) else {
                        continue;
                    };
                    let now_held = held.fetch_add(n, Ordering::SeqCst) + n;
                    assert!(now_held <= 1000, "{now_held} of 1000 are out");
                    // Told before it's given back, so that what is out is never counted too high.
                    if round % 100 == 0 {
                        held.fetch_sub(n - 1, Ordering::SeqCst);
                        used.fetch_add(1, Ordering::SeqCst);
                        reservation.commit(1);
                    } else {
                        held.fetch_sub(n, Ordering::SeqCst);
                        drop(reservation);
                    }
                }
            });
        }
    });
    let used = used.load(Ordering::SeqCst);
    assert!(used > 0);
    assert_eq!(limiter.peek("key").unwrap().remaining, 1000 - used);
}
