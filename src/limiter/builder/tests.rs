use super::*;

fn sliding(calls: u64, period: Duration) -> LimiterBuilder {
    Limiter::builder(Algorithm::SlidingWindow { calls, period })
}

fn fixed(calls: Option<u64>, bytes: Option<u64>, period: Duration) -> LimiterBuilder {
    Limiter::builder(Algorithm::FixedWindow {
        calls,
        bytes,
        period,
        anchor: Anchor::default(),
    })
}

#[track_caller]
fn refuses(builder: LimiterBuilder, error: LimiterBuildError) {
    assert_eq!(builder.build().err(), Some(error));
    assert!(!error.to_string().is_empty());
}

#[test]
fn parameters_are_checked() {
    let second = Duration::from_secs(1);
    let period = |period, period_max| LimiterBuildError::Period { period, period_max };
    refuses(
        sliding(0, second),
        LimiterBuildError::ZeroLimit(Metered::Operations),
    );
    for wrong in [
        Duration::ZERO,
        SLIDING_PERIOD_MAX + Duration::from_nanos(1),
        Duration::MAX,
    ] {
        refuses(sliding(1, wrong), period(wrong, SLIDING_PERIOD_MAX));
    }
    assert!(sliding(1, SLIDING_PERIOD_MAX).build().is_ok());
    assert!(sliding(u64::MAX, Duration::from_nanos(1)).build().is_ok());

    refuses(fixed(None, None, second), LimiterBuildError::NoLimit);
    refuses(
        fixed(Some(0), None, second),
        LimiterBuildError::ZeroLimit(Metered::Operations),
    );
    refuses(
        fixed(Some(1), Some(0), second),
        LimiterBuildError::ZeroLimit(Metered::Bytes),
    );
    refuses(
        fixed(Some(1), None, Duration::MAX),
        period(Duration::MAX, LONG_PERIOD_MAX),
    );
    for right in [Duration::ZERO, Duration::from_nanos(1), LONG_PERIOD_MAX] {
        assert!(fixed(Some(1), None, right).build().is_ok());
        assert!(fixed(None, Some(1), right).build().is_ok());
    }

    for wrong in [0, MAX_KEYS_MAX + 1, u64::MAX] {
        refuses(
            sliding(1, second).max_keys(wrong),
            LimiterBuildError::MaxKeys(wrong),
        );
    }
    for wrong in [0, 3, 2048, usize::MAX] {
        refuses(
            sliding(1, second).stripes(wrong),
            LimiterBuildError::Stripes(wrong),
        );
    }
    assert_eq!(default_stripes(1), 1);
    assert!((1..=STRIPES_MAX).contains(&default_stripes(MAX_KEYS_MAX)));
}

#[test]
fn e85_an_anchor_is_any_reset_before_or_after_the_birth() {
    let at = |ns| Anchor::At(Nanos(ns));
    let before = |ns| Anchor::BeforeBirth(Duration::from_nanos(ns));
    let cases = [
        (at(0), 0),
        (at(30), 30),
        (at(130), 30),
        (at(100), 0),
        (before(0), 0),
        (before(30), 70),
        (before(130), 70),
        (before(100), 0),
    ];
    for (anchor, phase_ns) in cases {
        assert_eq!(anchor.phase_ns(100), phase_ns, "{anchor:?}");
    }
    assert_eq!(at(u64::MAX).phase_ns(u64::MAX), 0);
    assert_eq!(before(1).phase_ns(u64::MAX), u64::MAX - 1);
    assert_eq!(before(7).phase_ns(0), 0);
    // The first of January of the year one, two thousand years before a birth, needs more than a u64 of nanoseconds.
    let long_ago = Duration::from_secs(63_900_000_000 + 59);
    let minute = 60_000_000_000;
    assert_eq!(
        Anchor::BeforeBirth(long_ago).phase_ns(minute),
        1_000_000_000
    );
}
