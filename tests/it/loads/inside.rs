//! Loaders that use the cache that they load for.

use std::sync::Barrier;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::{scope, spawn};

use larder::{Cache, Change, ComputeError, LoadError, Ttl};

use super::{Brought, Failed, Loaded, SECOND, by_hand, gate};
use crate::tools::ends;

/// Loads `key`, and says whether it was told that it asks for what it loads itself.
fn is_reentrant(cache: &Cache<u64>, key: &str) -> bool {
    let answer = cache.get_or_insert_with(key, Ttl::DEFAULT, || 99);
    matches!(answer, Err(LoadError::Reentrant))
}

#[test]
fn f31_a_loader_that_asks_for_its_own_key_is_told_so() {
    ends("a load inside itself", || {
        let (cache, _clock) = by_hand::<u64>();
        let loaded = cache.get_or_insert_with("k", Ttl::DEFAULT, || {
            for _ in 0..3 {
                assert!(is_reentrant(&cache, "k"));
            }
            1
        });
        assert_eq!(*loaded.unwrap(), 1);
        // By way of other keys, three deep.
        let loaded = cache.get_or_insert_with("a", Ttl::DEFAULT, || {
            let inner = cache.get_or_insert_with("b", Ttl::DEFAULT, || {
                let inner = cache.get_or_insert_with("c", Ttl::DEFAULT, || {
                    assert!(is_reentrant(&cache, "a") && is_reentrant(&cache, "b"));
                    1
                });
                *inner.unwrap() + 1
            });
            *inner.unwrap() + 1
        });
        assert_eq!(*loaded.unwrap(), 3);
        assert_eq!(cache.get("b").as_deref(), Some(&2));
        assert_eq!(cache.len(), 4);
        // The error may be handed on: the key is free again.
        let load = || match cache.get_or_insert_with("e", Ttl::DEFAULT, || 1) {
            Err(LoadError::Reentrant) => Err("reentrant"),
            _ => Ok(2),
        };
        let answer = cache.try_get_or_insert_with("e", Ttl::DEFAULT, load);
        assert_eq!(answer.unwrap_err(), LoadError::Loader("reentrant"));
        assert_eq!(
            *cache.get_or_insert_with("e", Ttl::DEFAULT, || 5).unwrap(),
            5
        );
    });
}

#[test]
fn f31_a_loader_may_change_its_own_key_and_that_is_newer() {
    type Act = fn(&Cache<u64>);
    let acts: [(&str, Act, u64, Option<u64>); 8] = [
        (
            "insert",
            |cache| drop(cache.insert("k", 2).unwrap()),
            2,
            Some(2),
        ),
        (
            "remove",
            |cache| assert!(cache.remove("k").is_none()),
            1,
            None,
        ),
        ("clear", |cache| cache.clear(), 1, None),
        (
            "len",
            |cache| assert!(cache.len() == 1 && cache.iter().count() == 1),
            1,
            Some(1),
        ),
        (
            "maintain",
            |cache| assert!(!cache.maintain(9).more),
            1,
            Some(1),
        ),
        (
            "compute",
            |cache| drop(cache.compute("k", |_| Change::Insert(3)).unwrap()),
            3,
            Some(3),
        ),
        (
            "insert and remove",
            |cache| {
                cache.insert("k", 2).unwrap();
                cache.remove("k").unwrap();
            },
            1,
            None,
        ),
        (
            "other",
            |cache| drop(cache.insert("l", 2).unwrap()),
            1,
            Some(1),
        ),
    ];
    ends("loaders that change their own key", move || {
        for (what, act, given, left) in acts {
            let (cache, _clock) = by_hand::<u64>();
            cache.insert("other", 0).unwrap();
            let loaded = cache.get_or_insert_with("k", Ttl::DEFAULT, || {
                act(&cache);
                1
            });
            assert_eq!(*loaded.unwrap(), given, "{what}");
            assert_eq!(cache.get("k").as_deref().copied(), left, "{what}");
        }
    });
}

#[test]
fn f31_a_computation_that_loads_its_own_key_ends() {
    ends("loads and computations inside each other", || {
        let (cache, _clock) = by_hand::<u64>();
        // The load comes first and is a write of the key; the second call of the closure sees it.
        let computed = cache.compute("k", |present| match present {
            None => {
                Change::Insert(*cache.get_or_insert_with("k", Ttl::DEFAULT, || 1).unwrap() + 10)
            }
            Some(entry) => Change::Insert(**entry + 1),
        });
        assert_eq!(computed.unwrap().is.as_deref(), Some(&2));
        // One that is alone with its key at last, and loads it then.
        let mut n_reentrant = 0;
        let computed = cache.compute("l", |_| {
            cache.remove("l");
            match cache.get_or_insert_with("l", Ttl::DEFAULT, || 1) {
                Err(LoadError::Reentrant) => n_reentrant += 1,
                loaded => drop(loaded.unwrap()),
            }
            Change::Insert(2)
        });
        // Alone, it takes out what it was given once more, and then nothing comes between.
        assert!(computed.is_ok() && n_reentrant == 2, "{n_reentrant}");
        assert_eq!(cache.get("l").as_deref(), Some(&2));
        // A computation of the key that is being loaded waits for nobody, as long as it isn't overtaken.
        let loaded = cache.get_or_insert_with("m", Ttl::DEFAULT, || {
            let always = cache.compute("m", |_| {
                cache.insert("m", 7).unwrap();
                Change::Insert(8)
            });
            assert!(matches!(always, Err(ComputeError::Reentrant)));
            9
        });
        assert_eq!(*loaded.unwrap(), 7);
    });
}

#[test]
fn f31_circles_of_two_threads_end_for_one_of_them() {
    ends("two loaders that ask for each other's key", || {
        let (cache, _clock) = by_hand::<u64>();
        for round in 0..200u64 {
            let (both, n_told) = (Barrier::new(2), AtomicU64::new(0));
            scope(|scope| {
                for (own, other) in [(0u64, 1u64), (1, 0)] {
                    let (cache, both, n_told) = (&cache, &both, &n_told);
                    scope.spawn(move || {
                        let loaded = cache.get_or_insert_with((round, own), Ttl::DEFAULT, || {
                            both.wait();
                            let unused = || -> u64 { unreachable!("it is being loaded") };
                            match cache.get_or_insert_with((round, other), Ttl::DEFAULT, unused) {
                                Ok(entry) => *entry + 1,
                                Err(error) => {
                                    assert_eq!(error, LoadError::Reentrant);
                                    n_told.fetch_add(1, Ordering::Relaxed);
                                    10
                                }
                            }
                        });
                        assert!((10..=11).contains(&*loaded.unwrap()));
                    });
                }
            });
            assert_eq!(
                n_told.into_inner(),
                1,
                "one of them, and the other one waits"
            );
            let values = [0u64, 1].map(|own| *cache.get((round, own)).unwrap());
            assert_eq!(values.iter().sum::<u64>(), 21);
        }
    });
}

#[test]
fn f31_a_circle_of_four_threads_and_two_caches_ends() {
    const N: u64 = 4;
    ends("four loaders in a circle", || {
        let caches = [by_hand::<u64>().0, by_hand::<u64>().0];
        for round in 0..50u64 {
            let (all, n_told) = (Barrier::new(N as usize), AtomicU64::new(0));
            scope(|scope| {
                for own in 0..N {
                    let (caches, all, n_told) = (&caches, &all, &n_told);
                    let of = |key: u64| &caches[key as usize % 2];
                    scope.spawn(move || {
                        let load = || -> Brought<u64> {
                            all.wait();
                            let next = (own + 1) % N;
                            let load = || -> Brought<u64> { unreachable!("it is being loaded") };
                            match of(next).get_or_load((round, next), SECOND, load) {
                                Ok(entry) => Ok(Loaded::Value(*entry.unwrap() + 1)),
                                Err(error) => {
                                    assert_eq!(error, Failed::Reentrant);
                                    n_told.fetch_add(1, Ordering::Relaxed);
                                    Ok(Loaded::Value(0))
                                }
                            }
                        };
                        of(own).get_or_load((round, own), SECOND, load).unwrap();
                    });
                }
            });
            assert_eq!(n_told.into_inner(), 1);
        }
    });
}

#[test]
fn f31_a_chain_of_waits_is_no_circle() {
    ends("a chain of loaders", || {
        let (cache, _clock) = by_hand::<u64>();
        for round in 0..20u64 {
            let (gate, pass) = gate();
            let own = cache.clone();
            let last = spawn(move || {
                let load = || {
                    pass();
                    1
                };
                *own.get_or_insert_with((round, 0u64), Ttl::DEFAULT, load)
                    .unwrap()
            });
            gate.wait();
            let links: Vec<_> = (1..5u64)
                .map(|link| {
                    let own = cache.clone();
                    spawn(move || {
                        let load = || {
                            // Where the one before has not begun, this one loads in its place.
                            let before =
                                own.get_or_insert_with((round, link - 1), Ttl::DEFAULT, || link);
                            *before.unwrap() + 1
                        };
                        *own.get_or_insert_with((round, link), Ttl::DEFAULT, load)
                            .unwrap()
                    })
                })
                .collect();
            super::let_others_wait();
            gate.open();
            assert_eq!(last.join().unwrap(), 1);
            for (link, thread) in links.into_iter().enumerate() {
                assert_eq!(thread.join().unwrap(), link as u64 + 2);
            }
        }
    });
}
