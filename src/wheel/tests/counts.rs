//! What an advance says that it did, and memory that comes back.

use super::*;

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
