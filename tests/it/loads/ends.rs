//! Caches that end during a load, and times at the edges.

use std::thread::spawn;
use std::time::Duration;

use larder::{Cache, LoadOptions, Lookup, Nanos, Ttl};

use super::{Brought, Loaded, SECOND, by_hand, gate, let_others_wait};
use crate::tools::{Census, Counted, ends};

#[test]
fn f26_a_cache_whose_other_handles_are_dropped_during_loads_ends_with_the_last_of_them() {
    ends("a cache that is dropped during loads", || {
        for round in 0..30 {
            let (cache, _clock) = by_hand::<Counted>();
            let census = Census::default();
            cache.insert("other", census.value(0)).unwrap();
            let (gate, pass) = gate();
            let (own, load) = (cache.clone(), census.clone());
            let loader = spawn(move || {
                own.try_get_or_insert_with("k", Ttl::DEFAULT, || {
                    pass();
                    match round % 3 {
                        0 => Err("failed"),
                        1 => Ok(load.value(1)),
                        _ => {
                            own.clear();
                            Ok(load.value(1))
                        }
                    }
                })
                .ok()
            });
            gate.wait();
            let waiters: Vec<_> = (0..3)
                .map(|_| {
                    let (own, load) = (cache.clone(), census.clone());
                    spawn(move || {
                        own.get_or_insert_with("k", Ttl::DEFAULT, || load.value(2))
                            .unwrap()
                    })
                })
                .collect();
            let_others_wait();
            drop(cache);
            gate.open();
            let entry = loader.join().unwrap();
            assert_eq!(entry.is_some(), round % 3 != 0);
            let entries: Vec<_> = waiters
                .into_iter()
                .map(|waiter| waiter.join().unwrap())
                .collect();
            // The cache is gone, and what the handles hold is there.
            let distinct = census.alive();
            assert!((1..=2).contains(&distinct), "{distinct}");
            assert!(entries.iter().all(|other| other.same(&entries[0])));
            drop((entry, entries));
            assert_eq!(census.alive(), 0);
        }
    });
}

#[test]
fn f26_a_loader_may_hold_the_last_handle_and_what_is_loaded_outlives_the_cache() {
    ends("a loader with the last handle", || {
        let census = Census::default();
        for is_absent in [false, true] {
            let (cache, _clock) = by_hand::<Counted>();
            let other = cache.clone();
            let entry = cache.get_or_load("k", Ttl::DEFAULT, || -> Brought<Counted> {
                drop(other);
                Ok(match is_absent {
                    false => Loaded::Value(census.value(1)),
                    true => Loaded::Absent(SECOND),
                })
            });
            drop(cache);
            let entry = entry.unwrap();
            assert_eq!(entry.map(|entry| entry.number), (!is_absent).then_some(1));
            assert_eq!(census.alive(), 0);
        }
    });
}

#[test]
fn f26_a_cache_ends_with_absences_and_stale_entries_in_it() {
    let census = Census::default();
    let (cache, clock) = by_hand::<Counted>();
    for i in 0..100u64 {
        let load = || -> Brought<Counted> {
            Ok(match i % 2 {
                0 => Loaded::Absent(SECOND),
                _ => Loaded::Value(census.value(i)),
            })
        };
        let ttl = Ttl::after(SECOND).stale(SECOND);
        cache.get_or_load(i, ttl, load).unwrap();
    }
    clock.advance(SECOND);
    assert_eq!(census.alive(), 50);
    let held = cache.get(1u64).unwrap();
    drop(cache);
    assert_eq!((held.number, held.is_stale(), census.alive()), (1, true, 1));
    drop(held);
    assert_eq!(census.alive(), 0);
}

#[test]
fn f11_the_longest_times_are_no_fault() {
    ends("loads with the longest times", || {
        let max = Duration::MAX;
        let short = Duration::from_nanos(1);
        let spans = [short, SECOND, Duration::from_secs(u64::MAX), max];
        for start in [0, u64::MAX / 2, u64::MAX - 1] {
            let (cache, clock) = by_hand::<u64>();
            clock.set(Nanos(start));
            for (n, fresh) in spans.into_iter().enumerate() {
                for stale in spans {
                    for (ahead, jitter) in [
                        (1.0, 0.0),
                        (0.999_999_999, 0.0),
                        (1e-300, 1e-300),
                        (1.0, 1.0),
                    ] {
                        let ttl = Ttl::after(fresh)
                            .stale(stale)
                            .refresh_ahead(ahead)
                            .jitter(jitter);
                        let options = LoadOptions::from(ttl).back_off(max).timeout(max);
                        cache.insert_with("k", 1, ttl).unwrap();
                        assert!(cache.get("k").is_some());
                        assert!(cache.get_or_insert_with("k", options, || 2).is_ok());
                        let load = || Err::<u64, _>("failed");
                        assert!(cache.try_get_or_insert_with("k", options, load).is_ok());
                        cache.remove("k");
                        assert!(cache.get_or_insert_with("k", options, || 3).is_ok());
                        cache.remove("k");
                        let load = || -> Brought<u64> { Ok(Loaded::Absent(fresh)) };
                        assert!(cache.get_or_load("k", options, load).unwrap().is_none());
                        assert!(matches!(cache.lookup("k"), Lookup::Negative), "{n}");
                    }
                }
            }
        }
    });
}

#[test]
fn f11_a_wait_without_end_is_one() {
    ends("the longest time-out there is", || {
        let cache: Cache<u64> = Cache::builder().max_entries(10).build().unwrap();
        let (gate, pass) = gate();
        let own = cache.clone();
        let loader = spawn(move || {
            let load = || {
                pass();
                1
            };
            *own.get_or_insert_with("k", Ttl::DEFAULT, load).unwrap()
        });
        gate.wait();
        let waiters = [
            Duration::MAX,
            Duration::from_secs(u64::MAX),
            Duration::from_secs(1 << 40),
        ]
        .map(|timeout| {
            let own = cache.clone();
            spawn(move || {
                let options = LoadOptions::new().timeout(timeout);
                *own.get_or_insert_with("k", options, || 2).unwrap()
            })
        });
        let_others_wait();
        gate.open();
        assert_eq!(loader.join().unwrap(), 1);
        for waiter in waiters {
            assert_eq!(waiter.join().unwrap(), 1);
        }
    });
}
