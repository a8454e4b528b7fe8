//! Faults 19 to 23, of `docs/faults.md`: the bound.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::scope;
use std::time::Duration;

use larder::{BuildError, Cache, Capacity, Refusal};

use crate::tools::{Census, Counted, SetAtEnd, maintain_fully};

fn bytes(max: u64, stripes: usize) -> Cache<[u8]> {
    Cache::builder()
        .max_bytes(max)
        .stripes(stripes)
        .build()
        .unwrap()
}

#[test]
fn f19_threads_that_insert_at_a_full_cache_never_pass_the_bound() {
    const BOUND: u64 = 1 << 20;
    // One stripe: its counters are read under one lock, so that the sum is of one moment.
    let cache = bytes(BOUND, 1);
    let entries: Cache<u64> = Cache::builder().max_entries(50).stripes(1).build().unwrap();
    let done = AtomicBool::new(false);
    scope(|scope| {
        let _done = SetAtEnd(&done);
        let (cache, entries, done) = (&cache, &entries, &done);
        scope.spawn(move || {
            while !done.load(Ordering::Relaxed) {
                assert!(cache.weight() <= BOUND, "{:?}", cache.stats());
                assert!(entries.len() <= 50);
            }
        });
        let writers = [1, 2, 3].map(|seed: u64| {
            scope.spawn(move || {
                for i in 0..6_000u64 {
                    let len = [16, 100, 1_000, 20_000, 70_000][(i * seed % 5) as usize];
                    // It may be refused when others were quicker.
                    let _ = cache.insert((seed, i), vec![0; len]);
                    entries.insert((seed, i), i).unwrap();
                }
            })
        });
        writers
            .into_iter()
            .for_each(|writer| writer.join().unwrap());
    });
    assert_eq!(entries.len(), 50);
    // And with many stripes, at rest.
    let cache = bytes(BOUND, 8);
    scope(|scope| {
        for seed in 0..3u64 {
            let cache = &cache;
            scope.spawn(move || {
                for i in 0..6_000u64 {
                    let _ = cache.insert((seed, i), vec![0; (i % 3_000) as usize]);
                }
            });
        }
    });
    assert!(
        cache.weight() <= BOUND && cache.weight() > BOUND / 2,
        "{:?}",
        cache.stats()
    );
}

#[test]
fn f19_deadlines_that_are_set_at_a_full_cache_do_not_pass_the_bound() {
    const BOUND: u64 = 1 << 20;
    let cache = bytes(BOUND, 2);
    for i in 0..20_000u64 {
        cache.insert(i, [0; 40]).unwrap();
    }
    // Each deadline takes a record in the wheel.
    for i in 0..20_000u64 {
        cache
            .set_ttl(i, Some(Duration::from_secs(1000 + i)))
            .unwrap();
        assert!(cache.weight() <= BOUND, "{:?}", cache.stats());
    }
    assert!(cache.len() > 1_000);
}

#[test]
fn f19_what_fits_is_not_refused_because_others_insert_as_well() {
    for (stripes, len_max) in [(1, 1_000), (4, 1_000), (1, 70_000)] {
        let cache = bytes(1 << 20, stripes);
        scope(|scope| {
            for seed in 0..3u64 {
                let cache = &cache;
                scope.spawn(move || {
                    for i in 0..4_000u64 {
                        let _ = cache.insert((seed, i), vec![0; (i * 997 % len_max) as usize]);
                    }
                });
            }
        });
        // Others may be quicker once in a while; but it's no rule.
        let stats = cache.stats();
        assert!(
            stats.refused <= 120,
            "{stripes} stripes, values up to {len_max}: {stats:?}"
        );
    }
}

#[test]
fn f20_a_parked_reader_holds_back_one_value_and_not_the_garbage_of_others() {
    const BOUND: u64 = 2 << 20;
    const EACH: u64 = 1_000;
    let census = Census::default();
    let cache: Cache<Counted> = Cache::builder()
        .max_bytes(BOUND)
        .stripes(2)
        .weigher(|_, _| EACH)
        .build()
        .unwrap();
    cache.insert("k", census.value(0)).unwrap();
    cache.read("k", |value| {
        scope(|scope| {
            scope.spawn(|| {
                assert!(cache.remove("k").is_some());
                for i in 0..20_000u64 {
                    cache.insert(i, census.value(i)).unwrap();
                    assert!(
                        census.alive() as u64 * EACH <= BOUND,
                        "{} values live",
                        census.alive()
                    );
                }
            });
        });
        assert_eq!(value.number, 0);
    });
    maintain_fully(&cache);
    assert_eq!(census.alive(), cache.len());
}

#[test]
fn f20_a_million_replacements_beside_a_parked_reader_end_and_stay_within_the_bound() {
    const BOUND: u64 = 1 << 20;
    let cache = bytes(BOUND, 1);
    cache.insert(0u64, [7; 500]).unwrap();
    let seen = cache.read(0u64, |value| {
        scope(|scope| {
            scope.spawn(|| {
                for i in 0..1_000_000u64 {
                    let value = [i as u8; 64];
                    assert!(cache.insert(i % 64, &value[..]).is_ok());
                    if i % 4096 == 0 {
                        let stats = cache.stats();
                        assert!(cache.weight() <= BOUND, "{stats:?}");
                        // What the reader names, what waits for the next look, and what is kept for the next entries.
                        assert!(stats.garbage_bytes <= BOUND / 16, "{stats:?}");
                    }
                }
            });
        });
        assert_eq!(value, [7; 500]);
        value.len()
    });
    assert_eq!(seen, Some(500));
    maintain_fully(&cache);
    assert_eq!(cache.stats().evicted, 0, "nothing had to go");
}

/// What a cache charges for entries alone.
fn live_bytes(cache: &Cache<[u8]>) -> u64 {
    cache.stats().live_bytes
}

#[test]
fn f21_an_update_is_charged_exactly_and_evicts_nothing_that_need_not_go() {
    let cache = bytes(1 << 20, 1);
    for i in 0..20u64 {
        cache.insert(i, [0; 100]).unwrap();
    }
    for len in [5_000, 100, 0, 1, 100_000, 300, 100] {
        cache.insert(3u64, vec![1; len]).unwrap();
        let fresh = bytes(1 << 20, 1);
        for i in 0..20u64 {
            fresh
                .insert(i, vec![0; if i == 3 { len } else { 100 }])
                .unwrap();
        }
        assert_eq!(
            live_bytes(&cache),
            live_bytes(&fresh),
            "after an update to {len} bytes"
        );
        assert_eq!(cache.len(), 20);
    }
    let before = live_bytes(&cache);
    let error = cache.insert(3u64, vec![2; 2 << 20]).unwrap_err();
    assert!(matches!(error.refusal, Refusal::TooLarge { .. }));
    assert_eq!(error.value.len(), 2 << 20);
    assert_eq!(
        cache.get(3u64).as_deref(),
        Some(&[1; 100][..]),
        "a refused update leaves the old value"
    );
    assert_eq!(
        (live_bytes(&cache), cache.len(), cache.stats().evicted),
        (before, 20, 0)
    );
}

#[test]
fn f22_a_value_too_heavy_for_the_cache_is_refused_and_one_too_heavy_for_a_stripe_fits() {
    let cache = bytes(1 << 20, 8);
    for i in 0..500u64 {
        cache.insert(i, [0; 100]).unwrap();
    }
    let Refusal::TooLarge { bytes, bytes_max } =
        cache.insert("big", vec![0; 1 << 20]).unwrap_err().refusal
    else {
        panic!("refused for another reason");
    };
    assert!(bytes > 1 << 20 && bytes_max <= 1 << 20);
    assert_eq!(cache.len(), 500, "others stay");
    for round in 0..20u64 {
        // A stripe's share is 128 KiB; small entries fill all of them in between.
        for i in 0..3_000u64 {
            cache.insert((round, i), [0; 200]).unwrap();
        }
        cache.insert("big", vec![7; 600 << 10]).unwrap();
        assert_eq!(cache.read("big", <[u8]>::len), Some(600 << 10));
        assert!(cache.weight() <= 1 << 20);
    }
}

#[test]
fn f23_capacities_at_their_ends_and_changes_between_them() {
    for max in [u64::MAX, u64::MAX - 1, (1 << 62) + 1] {
        for builder in [
            Cache::<u64>::builder().max_bytes(max),
            Cache::<u64>::builder().max_entries(max),
        ] {
            assert!(matches!(
                builder.build().unwrap_err(),
                BuildError::BoundTooLarge { .. }
            ));
        }
    }
    let entries: Cache<u64> = Cache::builder().max_entries(0).build().unwrap();
    for (bound, kept) in [
        (0, 0),
        (1, 1),
        (0, 0),
        (7, 7),
        (1 << 40, 100),
        (1, 1),
        (50, 50),
        (0, 0),
    ] {
        entries.set_capacity(Capacity::entries(bound)).unwrap();
        maintain_fully(&entries);
        assert!(entries.len() as u64 <= bound);
        for i in 0..100u64 {
            let answer = entries.insert(i, i);
            assert_eq!(answer.is_err(), bound == 0);
            assert!(answer.is_ok() || answer.unwrap_err().refusal == Refusal::NoCapacity);
        }
        assert_eq!(entries.len(), kept, "at a bound of {bound}");
    }
    assert!(entries.set_capacity(Capacity::entries(u64::MAX)).is_err());
    assert_eq!(
        entries.set_capacity(Capacity::bytes(1)),
        Err(BuildError::OtherBound)
    );

    let cache = bytes(0, 1);
    assert_eq!(
        cache.insert("k", [0; 10]).unwrap_err().refusal,
        Refusal::NoCapacity
    );
    cache.set_capacity(Capacity::bytes(1 << 61)).unwrap();
    cache.insert("k", [0; 10]).unwrap();
    let one = live_bytes(&cache);
    // One unit less than one entry, the slack for garbage aside.
    cache.set_capacity(Capacity::bytes(one - 1)).unwrap();
    maintain_fully(&cache);
    assert_eq!(cache.len(), 0);
    assert!(
        matches!(cache.insert("k", [0; 10]).unwrap_err().refusal, Refusal::TooLarge { bytes, .. } if bytes == one)
    );
    cache.set_capacity(Capacity::bytes(1)).unwrap();
    assert!(matches!(
        cache.insert("k", [0; 10]).unwrap_err().refusal,
        Refusal::TooLarge { .. }
    ));
    cache.set_capacity(Capacity::bytes(1 << 20)).unwrap();
    cache.insert("k", [0; 10]).unwrap();
}
