//! Properties of time:
//! - a deadline has passed from its own nanosecond on, never before, and `MAX` never (C1, C4);
//! - the coarse reading changes no answer while its lag is within bounds (C2);
//! - time never goes back, for any sequence of readings, in any thread (C3);
//! - arithmetic saturates.

use std::thread;

use proptest::prelude::*;

use super::*;

fn manual() -> (ManualClock, TimeSource) {
    let clock = ManualClock::new();
    let source = TimeSource::custom(Arc::new(clock.clone()));
    (clock, source)
}

#[test]
fn e30_f12_deadline_is_reached_at_its_nanosecond() {
    let (clock, source) = manual();
    clock.set(Nanos(999));
    assert!(!source.probe(Nanos(1000)).0);
    clock.advance(Duration::from_nanos(1));
    assert!(source.probe(Nanos(1000)).0);
    assert!(!source.probe(Nanos(1001)).0);
    assert!(source.probe(Nanos::ZERO).0);
}

#[test]
fn e29_f11_never_is_never() {
    let (clock, source) = manual();
    clock.set(Nanos::MAX);
    assert!(!source.probe(Nanos::MAX).0);
    assert!(source.probe(Nanos(u64::MAX - 1)).0);
    assert!(!probe(Nanos::MAX, Nanos::MAX, || Nanos::MAX).0);
    assert!(!probe(Nanos::MAX, Nanos(u64::MAX - 1), || Nanos::MAX).0);
    assert!(
        probe(Nanos(u64::MAX - 1), Nanos(u64::MAX - 2), || {
            Nanos(u64::MAX - 1)
        })
        .0
    );
}

#[test]
fn e29_f11_arithmetic_saturates() {
    assert_eq!(Nanos(5).saturating_add(Duration::MAX), Nanos::MAX);
    assert_eq!(
        Nanos(u64::MAX - 1).saturating_add(Duration::from_nanos(2)),
        Nanos::MAX
    );
    assert_eq!(Nanos(5).saturating_add(Duration::from_nanos(2)), Nanos(7));
    assert_eq!(Nanos(5).saturating_since(Nanos(6)), Duration::ZERO);
    assert_eq!(Nanos(6).saturating_since(Nanos(5)), Duration::from_nanos(1));
    assert_eq!(
        Nanos::from_duration(Duration::from_nanos(u64::MAX)),
        Nanos::MAX
    );
    assert_eq!(
        Nanos::from_duration(Duration::from_secs(2)),
        Nanos(2_000_000_000)
    );
    let clock = ManualClock::new();
    clock.set(Nanos(u64::MAX - 1));
    clock.advance(Duration::from_secs(1));
    assert_eq!(clock.now(), Nanos::MAX);
}

#[test]
fn e31_f16_going_back_means_that_no_time_passed() {
    let (clock, source) = manual();
    let hour = Duration::from_secs(3600);
    clock.advance(hour);
    let high = source.now();
    for back in [Duration::from_nanos(1), Duration::from_secs(1), hour] {
        clock.set(Nanos::from_duration(hour - back));
        assert_eq!(source.now(), high);
        assert!(source.probe(high).0);
        assert!(!source.probe(Nanos(high.0 + 1)).0);
    }
    clock.set(Nanos(high.0 + 1));
    assert_eq!(source.now(), Nanos(high.0 + 1));
}

proptest! {
    #[test]
    fn f16_readings_never_go_back(readings in proptest::collection::vec(any::<u64>(), 1..50)) {
        let (clock, source) = manual();
        let mut high = Nanos::ZERO;
        for reading in readings {
            clock.set(Nanos(reading));
            high = high.max(Nanos(reading));
            prop_assert_eq!(source.now(), high);
        }
    }

    #[test]
    fn f13_coarse_reading_changes_no_answer(
        now in prop_oneof![0..1_u64 << 40, u64::MAX - (1 << 30)..=u64::MAX],
        lag in 0..=64_000_000_u64,
        ahead in -200_000_000..200_000_000_i64,
    ) {
        let deadline = Nanos(now.saturating_add_signed(ahead));
        let coarse_now = Nanos(now.saturating_sub(lag));
        let exact = deadline != Nanos::MAX && now >= deadline.0;
        prop_assert_eq!(probe(deadline, coarse_now, || Nanos(now)).0, exact);
    }

    #[test]
    fn f13_late_tick_delays_but_never_hastens(now in 0..1_u64 << 40, lag in any::<u64>(), deadline in 0..1_u64 << 40) {
        let coarse_now = Nanos(now.saturating_sub(lag));
        if probe(Nanos(deadline), coarse_now, || Nanos(now)).0 {
            prop_assert!(now >= deadline);
        }
    }
}

#[test]
fn the_precise_clock_is_left_alone_when_the_coarse_one_suffices() {
    let unread = || -> Nanos { panic!("read the precise clock") };
    let lag_max = COARSE_LAG_MAX.as_nanos() as u64;
    assert!(probe(Nanos(100), Nanos(100), unread).0);
    assert!(!probe(Nanos(101 + lag_max), Nanos(100), unread).0);
    assert!(!probe(Nanos::MAX, Nanos(100), unread).0);
}

#[test]
fn system_clock_starts_at_zero_and_only_grows() {
    let source = TimeSource::system();
    let start = source.now();
    assert!(start < Nanos::from_duration(Duration::from_secs(60)));
    let TimeSource::System(clock) = &source else {
        panic!("not the system's clock")
    };
    let mut before = start;
    while before.saturating_since(start) < Duration::from_millis(5) {
        let coarse = clock.coarse_now();
        let now = source.now();
        assert!(coarse <= now && before <= now);
        assert!(source.probe(before).0);
        assert!(
            !source
                .probe(now.saturating_add(Duration::from_secs(3600)))
                .0
        );
        before = now;
    }
    // A deadline nearby is told to the nanosecond: no reading before it says yes, none after it says no.
    let deadline = source.now().saturating_add(Duration::from_micros(300));
    loop {
        let before = source.now();
        let passed = source.probe(deadline).0;
        let after = source.now();
        assert!(!(passed && after < deadline) && (passed || before < deadline));
        if passed {
            break;
        }
    }
}

#[test]
fn f16_no_thread_sees_time_go_back() {
    let (clock, source) = manual();
    let run = &|factor: u64| {
        let mut before = Nanos::ZERO;
        for step in 0..20_000 {
            clock.set(Nanos(step * factor % 10_007));
            let now = source.now();
            assert!(now >= before);
            before = now;
        }
        before
    };
    let latest = thread::scope(|scope| {
        let threads = [7919, 104_729].map(|factor| scope.spawn(move || run(factor)));
        threads
            .map(|thread| thread.join().unwrap())
            .into_iter()
            .max()
    });
    clock.set(Nanos::ZERO);
    assert_eq!(Some(source.now()), latest);
    assert!(source.now() > Nanos(9_000));
}
