use std::cell::Cell;
use std::time::Duration;

use super::RateLimiter;
use super::rates::{Metered, Rate, Rates};
use super::tenant::Limits;
use super::terms::{FLAGS, is_in_force};
use super::watch::Watch;
use crate::clock::{ManualClock, TimeSource};

mod leases;
mod terms;
mod windows;

const MS: u64 = 1_000_000;
const SECOND: u64 = 1000 * MS;

/// A system clock that is moved by hand, with a coarse face.
#[derive(Debug, Default)]
struct Hand {
    now: Cell<u64>,
    lag: Cell<u64>,
}

impl Hand {
    fn at(now: u64) -> Hand {
        let hand = Hand::default();
        hand.now.set(now);
        hand
    }

    fn advance(&self, by: u64) {
        self.now.set(self.now.get() + by);
    }
}

impl Watch for Hand {
    fn exact(&self) -> u64 {
        self.now.get()
    }

    fn coarse(&self) -> u64 {
        self.now.get().saturating_sub(self.lag.get())
    }

    fn coarse_line(&self, time: u64) -> u64 {
        time
    }

    fn lag_ns(&self) -> u64 {
        64 * MS
    }
}

fn rates(ops: u64, bytes: u64) -> Rates {
    Rates {
        operations: Some(Rate::per_second(ops)),
        bytes: Some(Rate::per_second(bytes)),
    }
}

fn ops(rate: Rate) -> Rates {
    Rates {
        operations: Some(rate),
        bytes: None,
    }
}

fn by_hand(rates: Rates) -> (RateLimiter, ManualClock) {
    let clock = ManualClock::new();
    (RateLimiter::with_clock(rates, clock.clone()), clock)
}

#[test]
fn limits_take_some_three_hundred_bytes() {
    let n_bytes = size_of::<Limits>();
    assert!((288..=312).contains(&n_bytes), "{n_bytes}");
}

#[test]
fn e80_a_burst_at_one_instant_then_one_per_interval() {
    let (limiter, clock) = by_hand(ops(Rate::per_second(1000)));
    for _ in 0..1000 {
        limiter.check(1, 1 << 40).unwrap();
    }
    for _ in 0..2000 {
        let refused = limiter.check(1, 0).unwrap_err();
        assert_eq!(refused.retry_after, Some(Duration::from_millis(1)));
        clock.advance(Duration::from_nanos(999_999));
        assert!(limiter.check(1, 0).is_err());
        clock.advance(Duration::from_nanos(1));
        limiter.check(1, 0).unwrap();
    }
}

#[test]
fn e82_a_refusal_takes_from_neither_dimension() {
    let (limiter, _clock) = by_hand(rates(10, 100));
    limiter.check(4, 90).unwrap();
    let refused = limiter.check(1, 11).unwrap_err();
    assert_eq!(refused.which, Metered::Bytes);
    let refused = limiter.check(7, 5).unwrap_err();
    assert_eq!(refused.which, Metered::Operations);
    limiter.check(6, 10).unwrap();
    limiter.check(0, 0).unwrap();
}

#[test]
fn e83_a_wait_is_exact_to_the_nanosecond() {
    let rates = Rates {
        operations: Some(Rate::new(7, Duration::from_secs(3)).unwrap().burst(5)),
        bytes: Some(Rate::per_day(1).burst(1000)),
    };
    let (limiter, clock) = by_hand(rates);
    limiter.check(5, 999).unwrap();
    for (cost, which) in [
        ((3, 0), Metered::Operations),
        ((1, 1), Metered::Operations),
        ((0, 2), Metered::Bytes),
    ] {
        let refused = limiter.check(cost.0, cost.1).unwrap_err();
        assert_eq!(refused.which, which);
        clock.advance(refused.retry_after.unwrap() - Duration::from_nanos(1));
        assert!(limiter.check(cost.0, cost.1).is_err());
        clock.advance(Duration::from_nanos(1));
        limiter.check(cost.0, cost.1).unwrap();
        // As it was before the loop, but for what came back.
        limiter.check(0, 0).unwrap();
        while limiter.check(1, 0).is_ok() {}
    }
}

#[test]
fn e86_a_tab_ends_by_what_it_came_to() {
    let (limiter, clock) = by_hand(rates(10, 1000));
    let tab = limiter.reserve(1, 1000).unwrap();
    assert!(limiter.check(1, 1).is_err());
    tab.commit(1, 600);
    limiter.check(1, 400).unwrap();
    assert!(limiter.check(0, 1).is_err());

    clock.advance(Duration::from_secs(1));
    drop(limiter.reserve(10, 1000).unwrap());
    limiter.reserve(10, 1000).unwrap().release();
    let tab = limiter.reserve(10, 1000).unwrap();
    tab.commit(10, 1500);
    let refused = limiter.check(0, 0).unwrap_err();
    assert_eq!(
        (refused.which, refused.retry_after),
        (Metered::Bytes, Some(Duration::from_millis(500)))
    );
    assert!(limiter.reserve(0, 0).is_err());
}

#[test]
fn e86_a_tab_over_a_change_of_rates_gives_nothing_back() {
    let (limiter, _clock) = by_hand(rates(10, 1000));
    let tab = limiter.reserve(5, 500).unwrap();
    limiter.set_rates(rates(20, 700));
    tab.commit(0, 600);
    assert!(limiter.check(0, 101).is_err());
    limiter.check(15, 100).unwrap();
    assert!(limiter.check(1, 0).is_err());
}

#[test]
fn e88_without_limits_nothing_is_written() {
    let hand = Hand::at(SECOND);
    let limits = Limits::new(&Rates::UNLIMITED);
    let before = format!("{limits:?}");
    let guard = limits.lock_for_tests();
    for _ in 0..1000 {
        limits.admit(&hand, u64::MAX, u64::MAX).unwrap();
        limits.charge(&hand, u64::MAX);
        let tab = limits.open_tab(&hand, u64::MAX, u64::MAX).unwrap();
        limits.close_tab(&hand, tab, u64::MAX, u64::MAX);
    }
    drop(guard);
    assert_eq!(format!("{limits:?}"), before);
}

#[test]
fn one_dimension_may_be_free() {
    let (limiter, _clock) = by_hand(ops(Rate::per_second(3)));
    limiter.check(3, u64::MAX).unwrap();
    limiter.charge(u64::MAX);
    assert!(limiter.check(1, 0).is_err());
    let (limiter, _clock) = by_hand(Rates {
        bytes: Some(Rate::per_second(3)),
        ..Rates::UNLIMITED
    });
    limiter.check(u64::MAX, 3).unwrap();
    assert!(limiter.check(0, 1).is_err());
}

#[test]
fn extremes_neither_wrap_nor_panic() {
    let all = [0, 1, u64::from(u32::MAX), 1 << 62, u64::MAX];
    for n_tokens in all {
        for period in [1, SECOND, u64::MAX] {
            for burst in all {
                let rate = Rate::new(n_tokens, Duration::from_nanos(period)).unwrap();
                let rates = Rates {
                    operations: Some(rate.burst(burst)),
                    bytes: Some(rate.burst(burst)),
                };
                let hand = Hand::at(0);
                let limits = Limits::new(&rates);
                for cost in all {
                    for now in [0, 1, SECOND, u64::MAX - 1, u64::MAX, 5] {
                        hand.now.set(now);
                        let _ = limits.admit_as(&hand, [cost, cost / 2], 0);
                        limits.charge(&hand, cost);
                        if let Ok(tab) = limits.open_tab(&hand, cost, 1) {
                            limits.close_tab(&hand, tab, 1, cost);
                        }
                    }
                    limits.set(&hand, &self::rates(cost, n_tokens));
                    for n in 0..10 {
                        limits.crowd();
                        hand.now.set(n * 20 * MS);
                        let _ = limits.admit_as(&hand, [1, 1], n as u32 % 4);
                    }
                    limits.set(&hand, &rates);
                }
            }
        }
    }
}

#[test]
fn the_systems_clock_serves_too() {
    let limits = Limits::new(&rates(1_000_000_000, 1_000_000_000));
    let time = TimeSource::system();
    for _ in 0..10_000 {
        limits.admit(&time, 1, 1).unwrap();
        limits.charge(&time, 1);
    }
    assert!(limits.lock_for_tests().has_leases());
    limits.set(&time, &ops(Rate::per_day(1)));
    limits.admit(&time, 1, 0).unwrap_err();
}

#[test]
fn the_systems_coarse_face_is_on_the_line_of_the_exact_one_and_never_ahead() {
    let time = TimeSource::system();
    for _ in 0..1000 {
        let coarse = time.coarse();
        let exact = time.coarse_line(time.exact());
        assert!(coarse <= exact, "{coarse} {exact}");
        // Ticks are milliseconds apart; a machine that was put aside for longer than this runs no tests.
        assert!(exact - coarse < 60 * SECOND, "{coarse} {exact}");
    }
}

#[test]
fn flags_add_nothing_to_the_end_of_leases() {
    let end = SECOND;
    assert_eq!(end & FLAGS, 0);
    for flags in 0..=FLAGS {
        assert!(is_in_force(end | flags, &Hand::at(end - 1)), "{flags:b}");
        assert!(!is_in_force(end | flags, &Hand::at(end)), "{flags:b}");
    }
}

#[test]
fn a_refusal_says_what_is_the_matter() {
    let (limiter, _clock) = by_hand(rates(1, 1));
    limiter.check(1, 1).unwrap();
    let check = |ops, bytes, expected: &str| {
        let refused = limiter.check(ops, bytes).unwrap_err();
        assert_eq!(refused.to_string(), expected);
    };
    check(1, 0, "too many operations for now; try again in 1s");
    check(0, 2, "more bytes than the limit ever lets pass");
}
