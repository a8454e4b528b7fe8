//! Which reading of the clock each lifetime asks for, and what comes of it (LT1).

use super::*;
use crate::{Cache, Clock, SystemClock};

const LONG: Duration = Duration::from_nanos(LONG_NANOS);
const SHORT: Duration = Duration::from_nanos(LONG_NANOS - 1);

#[test]
fn f13_short_spans_ask_for_the_precise_time_and_long_ones_do_not() {
    let stays = [SHORT, LONG].map(|ttl| Stay::of(ttl).reading());
    assert_eq!(stays, [Reading::Precise, Reading::Coarse]);
    assert_eq!(
        Stay::of(Duration::from_nanos(1)).reading(),
        Reading::Precise
    );
    assert_eq!(Stay::FOREVER.reading(), Reading::Spared);
    assert_eq!(Lifetime::default().told().reading(), Reading::Spared);
}

#[test]
fn f13_the_shortest_of_all_spans_decides() {
    let reading = |ttl, tti| Lifetime::new(ttl, tti).reading();
    assert_eq!(reading(Some(LONG), None), Reading::Coarse);
    assert_eq!(reading(None, Some(LONG)), Reading::Coarse);
    assert_eq!(reading(Some(LONG), Some(SHORT)), Reading::Precise);
    assert_eq!(reading(Some(SHORT), Some(LONG)), Reading::Precise);
    let long = Lifetime::new(Some(2 * LONG), None);
    assert_eq!(long.refreshed(LONG, LONG).reading(), Reading::Coarse);
    assert_eq!(long.refreshed(SHORT, LONG).reading(), Reading::Precise);
    assert_eq!(long.lasting(Some(SHORT)).reading(), Reading::Precise);
    // What the entry that is replaced leaves of its time may be short.
    assert_eq!(long.keeping().reading(), Reading::Precise);
}

/// By the system's clock, which is read before and after.
#[test]
fn f13_a_near_deadline_is_kept_to_the_nanosecond_and_a_far_one_comes_early_at_most() {
    let built = Cache::<u64>::builder().max_entries(8).build();
    let cache = built.expect("a bound is a valid configuration");
    let watch = SystemClock::new();
    // Ticks of the kernel come somewhere between these.
    for (ttl, lag_max) in [(SHORT, Duration::ZERO), (LONG, COARSE_LAG_MAX)].repeat(2_000) {
        let before = watch.now();
        let left = left_of(&cache, ttl);
        let took = watch.now().saturating_since(before);
        assert!(left <= ttl, "{left:?} is longer than was asked for");
        assert!(left + took + lag_max >= ttl, "{left:?} after {took:?}");
    }
}

/// How long an entry that was just written has left.
fn left_of(cache: &Cache<u64>, ttl: Duration) -> Duration {
    let answer = cache.insert_with_ttl("k", 1, ttl);
    answer.expect("an entry this small is never refused");
    cache.ttl("k").flatten().expect("it has a deadline")
}
