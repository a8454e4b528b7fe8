//! Which keys a limiter remembers, and at what cost; and the ends of time and of costs.

use std::time::Duration;

use larder::{Cost, LimitError, Limiter, ManualClock, Nanos};

use super::{bucket, fixed, limiter, maintain_fully, sliding};

#[test]
fn e87_a_million_keys_that_came_once_leave_nothing() {
    let (limiter, clock) = limiter(sliding(3, Duration::from_secs(60)));
    let fresh_bytes = limiter.memory_bytes();
    for key in 0..1_000_000u64 {
        limiter.check(("address", key), 1).unwrap();
    }
    assert_eq!(limiter.len(), 1_000_000);
    let bytes = limiter.memory_bytes() - fresh_bytes;
    assert!(
        bytes / 1_000_000 <= 200,
        "{} bytes a key",
        bytes / 1_000_000
    );
    clock.advance(Duration::from_secs(59));
    maintain_fully(&limiter);
    assert_eq!(limiter.len(), 1_000_000, "forgotten within the window");
    clock.advance(Duration::from_secs(2));
    maintain_fully(&limiter);
    assert_eq!(limiter.len(), 0);
    assert_eq!(limiter.memory_bytes(), fresh_bytes);
}

#[test]
fn e87_buckets_that_are_full_again_leave() {
    // A call comes back in a second, so a key that made two is as good as new after two.
    let (limiter, clock) = limiter(bucket(1, Duration::from_secs(1), 10));
    for key in 0..1000u64 {
        limiter.check(key, 1 + key % 2).unwrap();
    }
    for (pause, n_left) in [(900, 1000), (200, 500), (800, 500), (200, 0)] {
        clock.advance(Duration::from_millis(pause));
        maintain_fully(&limiter);
        assert_eq!(limiter.len(), n_left);
    }
}

#[test]
fn e87_later_calls_alone_forget_keys_that_came_once() {
    let (limiter, clock) = limiter(fixed(Some(3), None, Duration::from_millis(100)));
    for key in 0..400_000u64 {
        limiter.check(key, 1).unwrap();
        clock.advance(Duration::from_micros(10));
        // Ten thousand keys a window.
        assert!(limiter.len() < 25_000, "{} keys", limiter.len());
    }
    assert!(limiter.memory_bytes() < 10 << 20);
}

#[test]
fn e87_a_full_limiter_refuses_new_keys_and_forgets_nobody() {
    let clock = ManualClock::new();
    let limiter = Limiter::builder(sliding(2, Duration::from_secs(60)))
        .clock(clock.clone())
        .max_keys(100)
        .stripes(16)
        .build()
        .unwrap();
    for key in 0..100u64 {
        limiter.check(key, 1).unwrap();
        clock.advance(Duration::from_millis(100));
    }
    let full = LimitError::TooManyKeys { max_keys: 100 };
    for stranger in 1000..1100u64 {
        assert_eq!(limiter.check(stranger, 1), Err(full));
        assert_eq!(limiter.probe(stranger, 1), Err(full));
        assert_eq!(limiter.reserve(stranger, 0).err(), Some(full));
    }
    for key in 0..100u64 {
        assert_eq!(limiter.peek(key).unwrap().remaining, 1);
    }
    // Room comes from whichever stripe has something due.
    clock.advance(Duration::from_secs(50));
    for stranger in 1000..1100u64 {
        clock.advance(Duration::from_millis(102));
        limiter.check(stranger, 1).unwrap();
        assert!(limiter.len() <= 100);
    }
    limiter.clear();
    assert_eq!(limiter.len(), 0);
    limiter.check(0, 2).unwrap();
}

#[test]
fn e87_a_new_key_finds_the_one_that_is_idle_behind_many_that_are_not() {
    let clock = ManualClock::new();
    let limiter = Limiter::builder(sliding(2, Duration::from_secs(60)))
        .clock(clock.clone())
        .max_keys(1000)
        .stripes(1)
        .build()
        .unwrap();
    (0..1000u64).for_each(|key| assert!(limiter.check(key, 1).is_ok()));
    clock.advance(Duration::from_secs(50));
    (0..999u64).for_each(|key| assert!(limiter.check(key, 1).is_ok()));
    clock.advance(Duration::from_secs(11));
    limiter.check("stranger", 1).unwrap();
    assert_eq!(limiter.len(), 1000);
    assert!(limiter.check("another", 1).is_err());
}

#[test]
fn time_at_its_ends_and_huge_costs_do_no_harm() {
    for algorithm in [
        sliding(u64::MAX, Duration::from_secs(300)),
        bucket(1, Duration::from_nanos(u64::MAX), u64::MAX),
        fixed(
            Some(u64::MAX),
            Some(u64::MAX),
            Duration::from_nanos(u64::MAX),
        ),
        fixed(Some(u64::MAX), Some(u64::MAX), Duration::ZERO),
    ] {
        let (limiter, clock) = limiter(algorithm);
        // A bucket holds less than what can be asked for.
        let most = limiter.peek("key").unwrap().remaining;
        let huge = Cost::calls(most).and_bytes(u64::MAX);
        for now in [0, u64::MAX - 1, u64::MAX, 5].map(Nanos) {
            clock.set(now);
            limiter.remove("key");
            limiter.check("key", huge).unwrap();
            assert!(limiter.check("key", 1).is_err());
            limiter.remove("key");
            let reservation = limiter.reserve("key", 1).unwrap();
            limiter.reserve("key", 1).unwrap().commit(huge);
            reservation.commit(huge);
            assert_eq!(limiter.peek("key").unwrap().remaining, 0);
            limiter.reserve("other", huge).unwrap().release();
            maintain_fully(&limiter);
        }
    }
}

#[test]
fn keys_are_checked_and_told_apart() {
    let (limiter, _clock) = limiter(sliding(1, Duration::from_secs(1)));
    let long = vec![b'x'; larder::MAX_KEY_BYTES + 1];
    for result in [limiter.check("", 1), limiter.check(&long, 1)] {
        assert!(matches!(result, Err(LimitError::Key(_))));
    }
    assert!(limiter.peek("").is_err() && !limiter.remove(""));
    limiter.check(7u64, 1).unwrap();
    limiter.check("7", 1).unwrap();
    limiter.check(("7", 7), 1).unwrap();
    limiter.check(&long[1..], 1).unwrap();
    assert!(limiter.check(7u8, 1).is_err(), "the same number");
    assert_eq!(limiter.len(), 4);
}
