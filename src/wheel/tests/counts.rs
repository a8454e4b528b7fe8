//! What an advance says that it did, how long a wheel rests, and memory that comes back.

use super::*;
use crate::sync::counted;

#[test]
fn f15_what_is_filed_again_is_counted_and_takes_of_the_budget() {
    let mut wheel = Wheel::new();
    for payload in 0..10 {
        wheel.schedule(Nanos(10 * TICK_NANOS), payload);
    }
    let later = Nanos(1_000 * TICK_NANOS);
    let mut calls = Vec::new();
    for _ in 0..4 {
        let advanced = wheel.advance(
            Nanos(20 * TICK_NANOS),
            3,
            |_, _| later,
            |payload, _| panic!("{payload} is not due"),
        );
        calls.push((advanced.fired, advanced.moved, advanced.done));
    }
    let moved = |n, done| (0, n, done);
    assert_eq!(
        calls,
        [
            moved(3, false),
            moved(3, false),
            moved(3, false),
            moved(1, true)
        ]
    );
    assert_eq!(wheel.len(), 10);
}

#[test]
fn f16_a_wheel_rests_until_the_slot_of_its_first_deadline_begins() {
    for level in 0..N_LEVELS as u32 {
        for slot in [1, 2, 63] {
            let width = TICK_NANOS << (SLOT_BITS * level);
            let begin = Nanos(slot * width);
            let mut wheel = Wheel::new();
            assert!(wheel.rests(Nanos::ZERO), "it is empty");
            // Within a slot of the lowest level lies no time but its beginning.
            let within = if level == 0 { 0 } else { width / 2 };
            wheel.schedule(Nanos(begin.0 + within), 7);
            wheel.schedule(Nanos(begin.0 + 70 * width), 8);
            // An idle look would come to the same, but not by itself.
            for now in [0, width / 3, begin.0 / 2, begin.0 - 1] {
                assert!(wheel.rests(Nanos(now)), "{now} of {begin:?}");
            }
            assert!(!wheel.rests(begin), "{begin:?}");
            wheel.advance(begin, 0, |_, _| unreachable!(), |_, _| unreachable!());
            assert!(!wheel.rests(begin), "what is due waits for a budget");
        }
    }
}

#[test]
fn the_line_that_is_asked_for_is_that_of_the_record() {
    let mut wheel = Wheel::new();
    let tokens: Vec<Token> = (0..3).map(|n| wheel.schedule(Nanos(n), n)).collect();
    for token in tokens {
        let asked = counted::asked_by(|| wheel.prefetch(token));
        assert_eq!(asked.len(), 1);
        assert_eq!(asked, counted::asked_by(|| wheel.rings.prefetch(token)));
    }
}

#[test]
fn memory_of_deadlines_that_went_comes_back_and_the_others_are_told() {
    const N: u64 = 10_000;
    let mut wheel = Wheel::new();
    let empty = wheel.memory_bytes();
    assert!(wheel.growth_bytes() > 0, "the first one needs room");
    let mut tokens: Vec<Token> = (0..N)
        .map(|payload| wheel.schedule(Nanos(payload * TICK_NANOS), payload))
        .collect();
    let full = wheel.memory_bytes();
    assert!(full > empty + N as usize);
    for payload in (0..N).filter(|payload| payload % 100 != 0) {
        assert_eq!(wheel.cancel(tokens[payload as usize]), payload);
    }
    for _ in 0..N {
        wheel.shrink(16, |payload, old, new| {
            assert_eq!(tokens[payload as usize], old);
            tokens[payload as usize] = new;
        });
    }
    assert!(wheel.memory_bytes() < full / 4, "{}", wheel.memory_bytes());
    wheel.validate(|payload, token| {
        assert_eq!(tokens[payload as usize], token);
        Nanos(payload * TICK_NANOS)
    });
    for payload in (0..N).step_by(100) {
        assert_eq!(wheel.cancel(tokens[payload as usize]), payload);
    }
    assert_eq!(wheel.len(), 0);
}
