//! BR1 and BR2, by pauses that are over at once or never.

use super::*;

const LONG: Duration = Duration::from_secs(3600);

fn breaker(pause: Duration) -> Breaker {
    Breaker::new(Breaking {
        failures: 3,
        pause_min: pause,
        pause_max: pause,
    })
}

fn may(breaker: &Breaker) -> bool {
    breaker.lets_through(Duration::from_secs(1))
}

#[test]
fn f48_some_failures_in_a_row_open_it_and_a_success_closes_it() {
    let breaker = breaker(LONG);
    for _ in 0..10 {
        assert!(!breaker.failed() && !breaker.failed() && may(&breaker));
        breaker.succeeded();
    }
    let opened = [(); 4].map(|()| breaker.failed());
    assert_eq!(opened, [false, false, true, false]);
    assert!(!may(&breaker) && breaker.is_open());
    breaker.succeeded();
    assert!(may(&breaker) && !breaker.is_open());
}

#[test]
fn e_60_after_the_pause_one_call_tries_and_the_others_are_turned_away() {
    let breaker = breaker(Duration::ZERO);
    for _ in 0..3 {
        breaker.failed();
    }
    for _ in 0..5 {
        assert!(may(&breaker));
        assert!((0..10).all(|_| !may(&breaker)));
        // It fails, and the next one tries.
        assert!(!breaker.failed());
    }
    assert!(may(&breaker));
    breaker.succeeded();
    assert!(may(&breaker) && may(&breaker));
}

#[test]
fn e_60_pauses_grow_are_drawn_and_have_a_limit() {
    let draw = || {
        let breaking = Breaking::default();
        backoff(breaking).build().take(20).collect::<Vec<_>>()
    };
    let (one, other) = (draw(), draw());
    let Breaking {
        pause_min,
        pause_max,
        ..
    } = Breaking::default();
    assert_ne!(one, other);
    assert!(
        one.iter()
            .all(|&pause| pause >= pause_min && pause <= 2 * pause_max)
    );
    assert!(one[19] >= pause_max && one[0] <= 2 * pause_min);
}
