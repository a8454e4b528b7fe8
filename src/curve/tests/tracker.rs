//! References of many threads.

use std::thread;

use super::*;
use crate::clock::{ManualClock, Nanos, TimeSource};
use crate::hash::KeyHash;
use crate::sync::Arc;

fn still() -> TimeSource {
    TimeSource::custom(Arc::new(ManualClock::new()))
}

const LEFT: Nanos = Nanos::MAX;

/// A reference to a key that the tracked cache has.
fn hit(tracker: &Tracker, n: u64, time: &TimeSource) {
    tracker.note(
        KeyHash::from_bits(key(n)),
        Note::Hit {
            bytes: 1,
            left: LEFT,
        },
        time,
    );
}

#[test]
fn all_references_count_and_sampled_ones_are_simulated() {
    let (tracker, time) = (Tracker::new(entries(1_000), 1_000), still());
    (0..30_000).for_each(|n| hit(&tracker, n % 2_000, &time));
    let curve = tracker.curve();
    assert_eq!(
        (curve.n_references, curve.n_sampled, curve.rate),
        (30_000, 30_000, 1.0)
    );
    let factors: Vec<f64> = curve.points.iter().map(|point| point.factor).collect();
    assert_eq!(factors, FACTORS);
    // A loop of 2,000: from twice the size on each key misses once.
    for point in &curve.points[4..] {
        assert_eq!((point.misses, point.hit_ratio), (2_000.0, 1.0 - 1.0 / 15.0));
    }
    assert!(curve.points.is_sorted_by(|a, b| a.hit_ratio <= b.hit_ratio));
    assert!(curve.points[0].hit_ratio < 0.4);
}

#[test]
fn nothing_is_known_before_the_first_reference() {
    let curve = Tracker::new(entries(1_000), 1_000).curve();
    assert_eq!((curve.n_references, curve.n_sampled), (0, 0));
    assert!(
        curve
            .points
            .iter()
            .all(|point| point.hit_ratio == 0.0 && point.misses == 0.0)
    );
}

#[test]
fn stores_and_removals_are_no_references() {
    let (tracker, time) = (Tracker::new(entries(1_000), 1_000), still());
    let hash = KeyHash::from_bits(key(1));
    tracker.note(
        hash,
        Note::Stored {
            bytes: 1,
            left: LEFT,
        },
        &time,
    );
    tracker.note(hash, Note::Gone, &time);
    assert_eq!(tracker.curve().n_references, 0);
    tracker.note(hash, Note::Miss, &time);
    assert!(
        tracker
            .curve()
            .points
            .iter()
            .all(|point| point.misses == 1.0)
    );
}

#[test]
fn deadlines_are_those_of_the_clock() {
    let clock = ManualClock::new();
    let time = TimeSource::custom(Arc::new(clock.clone()));
    let tracker = Tracker::new(entries(1_000), 1_000);
    let left = Nanos(10_000_000_000);
    let hash = KeyHash::from_bits(key(1));
    tracker.note(hash, Note::Stored { bytes: 1, left }, &time);
    let misses_after = |seconds| {
        clock.advance(std::time::Duration::from_secs(seconds));
        tracker.note(hash, Note::Miss, &time);
        tracker.curve().points.map(|point| point.misses)
    };
    assert_eq!(misses_after(9), [0.0; N_POINTS]);
    assert_eq!(misses_after(2), [1.0; N_POINTS]);
}

#[test]
fn the_time_between_two_curves() {
    let (tracker, time) = (Tracker::new(entries(1_000), 1_000), still());
    (0..1_000).for_each(|n| hit(&tracker, n, &time));
    let before = tracker.curve();
    assert!(before.points.iter().all(|point| point.hit_ratio == 0.0));
    (0..400).for_each(|n| hit(&tracker, n, &time));
    let between = tracker.curve().since(&before);
    assert_eq!((between.n_references, between.n_sampled), (400, 400));
    // What fits has no misses any more.
    assert!(
        between.points[2..]
            .iter()
            .all(|point| point.hit_ratio == 1.0)
    );
    // After a change of size nothing is known of before.
    tracker.set_max(entries(2_000));
    (0..10).for_each(|n| hit(&tracker, n, &time));
    let after = tracker.curve();
    assert_eq!(after.n_references, 10);
    assert_eq!(after.since(&before), after);
}

#[test]
fn who_holds_the_caches_stalls_nobody_and_the_lost_are_made_up_for() {
    let (tracker, time) = (Tracker::new(entries(1_000), 1_000), still());
    tracker.hold(|| (0..100).for_each(|n| hit(&tracker, n, &time)));
    assert_eq!(tracker.n_lost(), 100 - 64);
    let curve = tracker.curve();
    assert_eq!((curve.n_references, curve.n_sampled), (100, 64));
    assert!(
        curve
            .points
            .iter()
            .all(|point| (point.misses - 100.0).abs() < 1e-9)
    );
}

#[test]
fn where_many_are_lost_fewer_keys_are_simulated() {
    let (tracker, time) = (Tracker::new(entries(1_000), 1_000), still());
    let mut random = SmallRng::seed_from_u64(8);
    let mut round = |n_hits: u32| {
        tracker.hold(|| {
            (0..n_hits).for_each(|_| hit(&tracker, random.random_range(0..2_000), &time));
        });
        tracker.curve().rate
    };
    // What fits the queue isn't lost.
    assert!((0..200).all(|_| round(64) == 1.0));
    // Twice as many: half of them are lost, until the rate is lower than a half.
    let rates: Vec<f64> = (0..400).map(|_| round(128)).collect();
    assert!(rates.is_sorted_by(|a, b| a >= b));
    assert!((0.25..0.6).contains(&rates[399]), "{}", rates[399]);
    // However many come, enough keys stay.
    let lowest = (0..400).map(|_| round(2_000)).fold(1.0, f64::min);
    assert!((0.03..0.13).contains(&lowest), "{lowest}");
    // It isn't raised again on account of how few they are.
    assert!((0..400).all(|_| round(64) <= lowest));
}

#[test]
fn each_reference_of_threads_is_simulated_or_lost() {
    let (tracker, time) = (Tracker::new(entries(500), 500), still());
    thread::scope(|scope| {
        for seed in 0..3 {
            let (tracker, time) = (&tracker, &time);
            scope.spawn(move || {
                let mut random = SmallRng::seed_from_u64(seed);
                // All of them together are fewer than a look at the losses waits for.
                (0..80).for_each(|_| hit(tracker, random.random_range(0..2_000), time));
            });
        }
    });
    let curve = tracker.curve();
    assert_eq!((curve.n_references, curve.rate), (240, 1.0));
    assert_eq!(curve.n_sampled + tracker.n_lost(), 240);
}
