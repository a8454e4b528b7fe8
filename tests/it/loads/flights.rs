//! One load a key at a time, and none for who finds the value.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Barrier, mpsc};
use std::thread::{scope, spawn};
use std::time::Duration;

use larder::{Cache, KeyError, Limits, LoadError, LoadOptions, MAX_KEY_BYTES, Refusal, Ttl};

use super::{Brought, Failed, Loaded, SECOND, by_hand, gate, let_others_wait};
use crate::tools::{Census, Counted, ends, panics};

#[test]
fn f30_a_thousand_callers_of_one_missing_key_load_once() {
    const THREADS: usize = 40;
    ends("callers of one missing key", || {
        let (cache, _clock) = by_hand::<Counted>();
        let census = Census::default();
        let (n_loads, n_inside, n_begun) =
            (AtomicU64::new(0), AtomicU64::new(0), Barrier::new(THREADS));
        for key in 0..25u64 {
            scope(|scope| {
                for _ in 0..THREADS {
                    scope.spawn(|| {
                        n_begun.wait();
                        let entry = cache
                            .get_or_insert_with(key, Ttl::DEFAULT, || {
                                assert_eq!(
                                    n_inside.fetch_add(1, Ordering::Relaxed),
                                    0,
                                    "one at a time"
                                );
                                n_loads.fetch_add(1, Ordering::Relaxed);
                                let_others_wait();
                                n_inside.fetch_sub(1, Ordering::Relaxed);
                                census.value(key)
                            })
                            .unwrap();
                        // Nobody is given what a look-up doesn't find.
                        assert!(entry.same(&cache.get(key).unwrap()));
                    });
                }
            });
        }
        assert_eq!(
            n_loads.load(Ordering::Relaxed),
            25,
            "one a key, for 1,000 calls"
        );
        assert_eq!((cache.stats().inserted, census.alive()), (25, 25));
        drop(cache);
        assert_eq!(census.alive(), 0);
    });
}

#[test]
fn f30_other_keys_of_the_stripe_go_on_during_a_load() {
    ends("other keys during a load", || {
        let (cache, _clock) = by_hand::<u64>();
        let (gate, pass) = gate();
        let own = cache.clone();
        let loader = spawn(move || {
            own.get_or_insert_with("k", Ttl::DEFAULT, || {
                pass();
                1
            })
            .map(|entry| *entry)
        });
        gate.wait();
        for i in 0..2000u64 {
            let loaded = cache.get_or_insert_with(i, Ttl::DEFAULT, || i).unwrap();
            assert_eq!(*loaded, i);
            cache.insert(i, i + 1).unwrap();
            cache.compute(i, |_| larder::Change::Insert(i)).unwrap();
            assert!(cache.remove(i).is_some());
            cache.maintain(1);
        }
        assert!(cache.get("k").is_none() && cache.is_empty());
        gate.open();
        assert!(matches!(loader.join().unwrap(), Ok(1)));
        assert_eq!(cache.get("k").as_deref(), Some(&1));
    });
}

#[test]
fn f29_an_error_goes_to_its_caller_and_the_next_loads() {
    ends("loads that fail", || {
        for _ in 0..50 {
            let (cache, _clock) = by_hand::<Counted>();
            let census = Census::default();
            let n_loads = AtomicU64::new(0);
            // The first three loads fail; each of the callers loads at most once.
            let answers: Vec<_> = scope(|scope| {
                let call = || {
                    let load = || match n_loads.fetch_add(1, Ordering::Relaxed) {
                        n @ 0..3 => {
                            let_others_wait();
                            Err(n)
                        }
                        n => Ok(census.value(n)),
                    };
                    let loaded = cache.try_get_or_insert_with("k", Ttl::DEFAULT, load);
                    loaded
                        .map(|entry| entry.number)
                        .map_err(|error| match error {
                            LoadError::Loader(n) => n,
                            other => panic!("{other:?}"),
                        })
                };
                let callers: Vec<_> = (0..8).map(|_| scope.spawn(call)).collect();
                callers
                    .into_iter()
                    .map(|caller| caller.join().unwrap())
                    .collect()
            });
            let mut errors: Vec<_> = answers.iter().filter_map(|answer| answer.err()).collect();
            errors.sort_unstable();
            assert_eq!(errors, [0, 1, 2], "each to one caller");
            assert_eq!(n_loads.into_inner(), 4);
            assert_eq!(answers.iter().filter(|answer| **answer == Ok(3)).count(), 5);
            assert_eq!(census.alive(), 1);
        }
    });
}

#[test]
fn f29_a_panic_goes_to_its_caller_and_the_next_loads() {
    ends("loads that panic", || {
        let (cache, _clock) = by_hand::<u64>();
        for key in 0..50u64 {
            let n_loads = AtomicU64::new(0);
            let n_panics: usize = scope(|scope| {
                let call = || {
                    let load = || {
                        if n_loads.fetch_add(1, Ordering::Relaxed) < 2 {
                            let_others_wait();
                            std::panic::resume_unwind(Box::new("provoked"));
                        }
                        7
                    };
                    let load = || cache.get_or_insert_with(key, Ttl::DEFAULT, load);
                    match catch_unwind(AssertUnwindSafe(load)) {
                        Ok(loaded) => {
                            assert_eq!(*loaded.unwrap(), 7);
                            0
                        }
                        Err(panic) => {
                            assert_eq!(panic.downcast_ref(), Some(&"provoked"));
                            1
                        }
                    }
                };
                let callers: Vec<_> = (0..6).map(|_| scope.spawn(call)).collect();
                callers
                    .into_iter()
                    .map(|caller| caller.join().unwrap())
                    .sum()
            });
            assert_eq!((n_panics, n_loads.into_inner()), (2, 3));
            assert_eq!(cache.get(key).as_deref(), Some(&7));
        }
        assert_eq!(cache.stats().panics, 0, "its caller had it");
    });
}

#[test]
fn f30_who_waits_no_longer_than_that_is_told_so_and_the_load_goes_on() {
    ends("waits with a limit", || {
        let (cache, _clock) = by_hand::<u64>();
        let (gate, pass) = gate();
        let own = cache.clone();
        let loader = spawn(move || {
            let load = || {
                pass();
                1
            };
            // Its own load is no wait.
            let options = LoadOptions::new().timeout(Duration::ZERO);
            own.get_or_insert_with("k", options, load)
                .map(|entry| *entry)
        });
        gate.wait();
        for timeout in [Duration::ZERO, Duration::from_millis(3)] {
            let options = LoadOptions::new().timeout(timeout);
            let unused = || -> u64 { unreachable!("somebody loads") };
            let error = cache.get_or_insert_with("k", options, unused).unwrap_err();
            assert_eq!(error, LoadError::TimedOut);
            assert_eq!(error.to_string(), "another caller is still loading the key");
        }
        // One who gives up takes the next one's turn with it in no case.
        let (sender, receiver) = mpsc::channel();
        let patient = cache.clone();
        let waiter = spawn(move || {
            sender.send(()).unwrap();
            let options = LoadOptions::new().timeout(Duration::MAX);
            *patient.get_or_insert_with("k", options, || 2).unwrap()
        });
        receiver.recv().unwrap();
        let_others_wait();
        gate.open();
        assert!(matches!(loader.join().unwrap(), Ok(1)));
        assert_eq!(waiter.join().unwrap(), 1);
    });
}

#[test]
fn e46_what_cannot_be_stored_is_refused_before_the_loader_is_called() {
    let (cache, _clock) = by_hand::<u64>();
    let unused = || -> u64 { unreachable!("nothing is loaded") };
    let refusal_of = |answer: Result<_, LoadError<u64, _>>| match answer {
        Err(LoadError::Invalid(refusal)) => Some(refusal),
        Ok(_) | Err(_) => None,
    };
    let options = LoadOptions::new();
    let refused = refusal_of(cache.get_or_insert_with("", options, unused));
    assert_eq!(refused, Some(Refusal::Key(KeyError::Empty)));
    let long = "k".repeat(MAX_KEY_BYTES + 1);
    let refused = refusal_of(cache.get_or_insert_with(&*long, options, unused));
    assert!(matches!(
        refused,
        Some(Refusal::Key(KeyError::TooLong { .. }))
    ));
    let refused = refusal_of(cache.get_or_insert_with("k", Duration::ZERO, unused));
    assert_eq!(refused, Some(Refusal::ZeroTtl));
    let limits = Limits {
        ttl_max: Some(SECOND),
        ..Limits::default()
    };
    let tenant = cache.create_tenant("acme", limits).unwrap();
    let scope = tenant.default_cache().unwrap().scope().clone().into_owned();
    let refused = refusal_of(scope.get_or_insert_with("k", 2 * SECOND, unused));
    assert_eq!(refused, Some(Refusal::TtlTooLong { ttl_max: SECOND }));
    assert!(cache.delete_tenant("acme"));
    let refused = refusal_of(scope.get_or_insert_with("k", SECOND, unused));
    assert_eq!(refused, Some(Refusal::Closed));
    // None of the keys is wedged, and nothing is there.
    assert!(cache.is_empty());
    assert_eq!(*cache.get_or_insert_with("k", SECOND, || 3).unwrap(), 3);
}

#[test]
fn e46_a_loaded_value_that_is_refused_comes_back_and_the_key_is_free() {
    ends("loads of what is refused", || {
        let census = Census::default();
        let cache: Cache<Counted> = Cache::builder()
            .max_bytes(1 << 20)
            .weigher(|_, value: &Counted| match value.number {
                1 => u64::MAX,
                2 => 1 << 21,
                3 => std::panic::resume_unwind(Box::new("provoked")),
                _ => 10,
            })
            .build()
            .unwrap();
        for number in [1, 2] {
            let answer = cache.get_or_insert_with("k", SECOND, || census.value(number));
            let Err(LoadError::Refused(error)) = answer else {
                panic!("a value of {number} is taken");
            };
            assert!(matches!(error.refusal, Refusal::TooLarge { .. }));
            assert_eq!((error.value.number, census.alive()), (number, 1));
        }
        assert!(panics(|| drop(cache.get_or_insert_with(
            "k",
            SECOND,
            || census.value(3)
        ))));
        assert_eq!(census.alive(), 0);
        // Options of the loader's own that can't be.
        let load = || -> Brought<_> { Ok(Loaded::With(census.value(5), Duration::ZERO.into())) };
        let answer: Result<_, Failed<_>> = cache.get_or_load("k", SECOND, load);
        let Err(LoadError::Refused(error)) = answer else {
            panic!("a time to live of zero is taken");
        };
        assert_eq!((error.refusal, error.value.number), (Refusal::ZeroTtl, 5));
        drop(error);
        assert!(cache.get("k").is_none());
        let entry = cache.get_or_insert_with("k", SECOND, || census.value(4));
        assert_eq!((entry.unwrap().number, census.alive()), (4, 1));
        drop(cache);
        assert_eq!(census.alive(), 0);
    });
}

#[test]
fn f29_who_waits_for_a_value_that_is_refused_loads_next() {
    ends("waits for what is refused", || {
        let cache: Cache<[u8]> = Cache::builder().max_bytes(1 << 16).build().unwrap();
        for key in 0..20u64 {
            let (gate, pass) = gate();
            let own = cache.clone();
            let loader = spawn(move || {
                let load = || {
                    pass();
                    vec![0; 1 << 20]
                };
                own.get_or_insert_with(key, SECOND, load).is_err()
            });
            gate.wait();
            let is_loading = AtomicBool::new(true);
            scope(|scope| {
                let waiter = scope.spawn(|| {
                    let load = || {
                        assert!(!is_loading.load(Ordering::Relaxed), "one at a time");
                        vec![1]
                    };
                    cache
                        .get_or_insert_with(key, SECOND, load)
                        .unwrap()
                        .to_vec()
                });
                let_others_wait();
                is_loading.store(false, Ordering::Relaxed);
                gate.open();
                assert_eq!(waiter.join().unwrap(), [1]);
            });
            assert!(loader.join().unwrap(), "it is larger than the cache");
        }
    });
}

#[test]
fn f29_many_loads_that_fail_at_random_leave_nothing_behind() {
    const KEYS: u64 = 5;
    ends("loads that fail at random", || {
        let (cache, _clock) = by_hand::<Counted>();
        let census = Census::default();
        let inside: [AtomicBool; KEYS as usize] = Default::default();
        scope(|scope| {
            for seed in 0..6u64 {
                let (cache, census, inside) = (&cache, &census, &inside);
                scope.spawn(move || {
                    let mut word = seed + 1;
                    for _ in 0..3000 {
                        word = word.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                        let (key, what) = (word >> 33, word >> 40);
                        let key = key % KEYS;
                        let load = || -> Brought<_> {
                            let flag = &inside[key as usize];
                            assert!(!flag.swap(true, Ordering::Relaxed), "one at a time");
                            std::thread::yield_now();
                            flag.store(false, Ordering::Relaxed);
                            match what % 5 {
                                0 => Err("failed"),
                                1 => std::panic::resume_unwind(Box::new("provoked")),
                                2 => Ok(Loaded::Absent(SECOND)),
                                _ => Ok(Loaded::Value(census.value(key))),
                            }
                        };
                        let timeout = Duration::from_micros(what % 64);
                        let options = match what % 3 {
                            0 => LoadOptions::new().timeout(timeout),
                            _ => LoadOptions::new(),
                        };
                        let load = || cache.get_or_load(key, options, load);
                        if let Ok(Ok(Some(entry))) = catch_unwind(AssertUnwindSafe(load)) {
                            assert_eq!(entry.number, key);
                        }
                        if what % 4 == 0 {
                            cache.remove(key);
                        }
                    }
                });
            }
        });
        for key in 0..KEYS {
            let load = || census.value(key);
            assert_eq!(
                cache
                    .get_or_insert_with(key, Ttl::DEFAULT, load)
                    .unwrap()
                    .number,
                key
            );
        }
        drop(cache);
        assert_eq!(census.alive(), 0);
    });
}
