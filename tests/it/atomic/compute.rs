//! Computations: what they are given, what they leave, and that none is lost.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{scope, yield_now};
use std::time::Duration;

use larder::{Cache, Change, ComputeError, KeyError, Refusal, Tag, Ttl, WriteOptions};

use super::{SECOND, by_hand};
use crate::tools::{Census, Counted, SetAtEnd, ends, maintain_fully, panics};

#[test]
fn f2_a_computation_says_what_was_and_what_is() {
    let (cache, clock) = by_hand::<str>();
    let keep = |_: Option<&larder::Entry<str>>| Change::<&str>::Keep;
    let remove = |_: Option<&larder::Entry<str>>| Change::<&str>::Remove;
    let computed = cache.compute("k", keep).unwrap();
    assert!(computed.was.is_none() && computed.is.is_none());
    let computed = cache.compute("k", remove).unwrap();
    assert!(computed.was.is_none() && computed.is.is_none());
    let computed = cache.compute("k", |_| Change::Insert("a")).unwrap();
    assert!(computed.was.is_none());
    let first = computed.is.unwrap();
    assert!(first.same(&cache.get("k").unwrap()));
    assert_eq!((first.ttl(), first.tag(), &*first), (None, Tag::Bytes, "a"));
    let computed = cache.compute("k", keep).unwrap();
    assert!(first.same(&computed.was.unwrap()) && first.same(&computed.is.unwrap()));
    let options = WriteOptions::new().ttl(9 * SECOND).tag(Tag::Text);
    let computed = cache.compute("k", |present| {
        assert_eq!(present.unwrap().version(), first.version());
        Change::InsertWith("b", options)
    });
    let computed = computed.unwrap();
    assert!(first.same(&computed.was.unwrap()));
    let second = computed.is.unwrap();
    assert!(second.version() > first.version());
    assert_eq!((second.ttl(), second.tag()), (Some(9 * SECOND), Tag::Text));
    // The deadline is kept, or the default is taken.
    clock.advance(2 * SECOND);
    cache
        .compute("k", |_| Change::InsertWith("c", Ttl::KEEP.into()))
        .unwrap();
    assert_eq!(cache.ttl("k"), Some(Some(7 * SECOND)));
    cache.compute("k", |_| Change::Insert("d")).unwrap();
    assert_eq!(cache.ttl("k"), Some(None));
    let computed = cache.compute("k", remove).unwrap();
    assert_eq!(
        (computed.was.as_deref(), computed.is.is_none()),
        (Some("d"), true)
    );
    assert!(cache.get("k").is_none());
    // At its deadline it is absent for a computation as well.
    cache.insert_with_ttl("k", "e", SECOND).unwrap();
    clock.advance(SECOND);
    let computed = cache.compute("k", keep).unwrap();
    assert!(computed.was.is_none() && computed.is.is_none());
    let stats = cache.stats();
    assert_eq!((stats.replaced, stats.removed), (3, 1));
}

#[test]
fn f2_a_computation_sees_what_is_stale_and_stores_it_fresh() {
    let (cache, clock) = by_hand::<u64>();
    let ttl = Ttl::after(SECOND).stale(SECOND);
    cache.insert_with("k", 1, ttl).unwrap();
    clock.advance(SECOND);
    let computed = cache.compute("k", |present| {
        let present = present.unwrap();
        assert!(present.is_stale());
        Change::InsertWith(**present + 1, ttl.into())
    });
    let is = computed.unwrap().is.unwrap();
    assert_eq!((*is, is.is_stale(), is.ttl()), (2, false, Some(2 * SECOND)));
    assert!(!cache.get("k").unwrap().is_stale());
}

#[test]
fn f2_a_refused_value_comes_back_and_the_present_one_stays() {
    let census = Census::default();
    let cache: Cache<Counted> = Cache::builder()
        .max_bytes(1 << 16)
        .weigher(|_, value: &Counted| value.number)
        .build()
        .unwrap();
    cache.insert("k", census.value(1)).unwrap();
    let refused = cache.compute("k", |_| Change::Insert(census.value(1 << 17)));
    let Err(ComputeError::Refused(error)) = refused else {
        panic!("it is too large");
    };
    assert!(matches!(error.refusal, Refusal::TooLarge { .. }));
    assert_eq!((error.value.number, census.alive()), (1 << 17, 2));
    drop(error);
    let zero = WriteOptions::new().ttl(Duration::ZERO);
    let refused = cache.compute("k", |_| Change::InsertWith(census.value(2), zero));
    assert!(
        matches!(&refused, Err(ComputeError::Refused(error)) if error.refusal == Refusal::ZeroTtl)
    );
    drop(refused);
    let refused = cache.compute("", |_| Change::Insert(census.value(2)));
    let expected = Refusal::Key(KeyError::Empty);
    assert!(matches!(&refused, Err(ComputeError::Refused(error)) if error.refusal == expected));
    drop(refused);
    assert_eq!((cache.get("k").unwrap().number, census.alive()), (1, 1));
    // Nor does a panic change anything.
    assert!(panics(|| {
        let _ = cache.compute("k", |_| -> Change<Counted> {
            std::panic::resume_unwind(Box::new("provoked"))
        });
    }));
    assert_eq!((cache.get("k").unwrap().number, census.alive()), (1, 1));
    drop(cache);
    assert_eq!(census.alive(), 0);
}

#[test]
fn f2_computations_by_eight_threads_lose_no_update() {
    const THREADS: u64 = 8;
    const EACH: u64 = 300;
    ends("computations of one key", || {
        let (cache, _clock) = by_hand::<Counted>();
        let census = Census::default();
        let n_calls = AtomicU64::new(0);
        scope(|scope| {
            for thread in 0..THREADS {
                let (cache, census, n_calls) = (&cache, &census, &n_calls);
                scope.spawn(move || {
                    for i in 0..EACH {
                        let computed = cache.compute("k", |present| {
                            n_calls.fetch_add(1, Ordering::Relaxed);
                            if (i + thread) % 3 == 0 {
                                yield_now();
                            }
                            let before = present.map_or(0, |entry| entry.number);
                            Change::Insert(census.value(before + 1))
                        });
                        let computed = computed.unwrap();
                        let was = computed.was.map_or(0, |entry| entry.number);
                        assert_eq!(computed.is.unwrap().number, was + 1);
                    }
                });
            }
        });
        assert_eq!(cache.get("k").unwrap().number, THREADS * EACH);
        assert!(n_calls.into_inner() > THREADS * EACH, "they never met");
        maintain_fully(&cache);
        assert_eq!(census.alive(), 1);
        drop(cache);
        assert_eq!(census.alive(), 0);
    });
}

#[test]
fn f2_computations_that_insert_and_remove_by_turns_agree() {
    const THREADS: u64 = 6;
    ends("computations that insert and remove", || {
        let (cache, _clock) = by_hand::<u64>();
        let (n_inserted, n_removed) = (AtomicU64::new(0), AtomicU64::new(0));
        scope(|scope| {
            for _ in 0..THREADS {
                scope.spawn(|| {
                    for _ in 0..500 {
                        let computed = cache.compute("k", |present| {
                            yield_now();
                            match present {
                                None => Change::Insert(1),
                                Some(_) => Change::Remove,
                            }
                        });
                        let computed = computed.unwrap();
                        assert!(computed.was.is_none() == computed.is.is_some());
                        let count = if computed.is.is_some() {
                            &n_inserted
                        } else {
                            &n_removed
                        };
                        count.fetch_add(1, Ordering::Relaxed);
                    }
                });
            }
        });
        // Each of them turned it round once.
        let (n_inserted, n_removed) = (n_inserted.into_inner(), n_removed.into_inner());
        assert_eq!((n_inserted, n_removed), (THREADS * 250, THREADS * 250));
        assert!(cache.get("k").is_none());
        assert_eq!(
            (cache.stats().inserted, cache.stats().removed),
            (n_inserted, n_removed)
        );
    });
}

#[test]
fn f31_a_closure_that_writes_its_own_key_each_time_is_told_so() {
    type Act = fn(&Cache<u64>, u64);
    let acts: [Act; 4] = [
        |cache, n| drop(cache.insert("k", n).unwrap()),
        |cache, n| {
            cache.insert("k", n).unwrap();
            cache.remove("k");
            cache.insert("k", n).unwrap();
        },
        |cache, n| drop(cache.compute("k", |_| Change::Insert(n)).unwrap()),
        |cache, n| {
            cache.remove("k");
            let _ = cache.put_if("k", n, SECOND, larder::Condition::ABSENT);
        },
    ];
    ends("closures that write their own key", move || {
        for act in acts {
            let (cache, _clock) = by_hand::<u64>();
            let mut n_calls = 0;
            let answer = cache.compute("k", |_| {
                n_calls += 1;
                act(&cache, n_calls);
                Change::Insert(1_000_000)
            });
            assert!(matches!(answer, Err(ComputeError::Reentrant)));
            assert_eq!(
                cache.get("k").as_deref(),
                Some(&n_calls),
                "its own write stays"
            );
            assert!((8..1000).contains(&n_calls), "{n_calls}");
            // The key is nobody's.
            assert_eq!(
                cache
                    .compute("k", |_| Change::Insert(5))
                    .unwrap()
                    .is
                    .as_deref(),
                Some(&5)
            );
            assert_eq!(
                *cache.get_or_insert_with("k", Ttl::DEFAULT, || 6).unwrap(),
                5
            );
            cache.insert("k", 7).unwrap();
        }
    });
}

#[test]
fn f31_a_closure_may_use_the_cache() {
    ends("a closure that uses the cache", || {
        let (cache, _clock) = by_hand::<u64>();
        for i in 0..100u64 {
            let computed = cache.compute("k", |present| {
                let before = present.map_or(0, |entry| **entry);
                // Another key of the same stripe, by all kinds of calls; its own by those that don't write.
                cache.insert("l", i).unwrap();
                cache.compute("m", |_| Change::Insert(i)).unwrap();
                assert_eq!(cache.get("k").map_or(0, |entry| *entry), before);
                let _ = cache.set_ttl("k", Some(9 * SECOND));
                cache.remove("l").unwrap();
                assert!(cache.len() <= 2);
                cache.maintain(10);
                Change::Insert(before + 1)
            });
            assert_eq!(computed.unwrap().is.as_deref(), Some(&(i + 1)));
        }
        cache.insert("k", 0).unwrap();
        let answer = cache.compute("k", |present| {
            cache.clear();
            match present {
                Some(_) => Change::Insert(1),
                None => Change::Insert(2),
            }
        });
        assert_eq!(
            answer.unwrap().is.as_deref(),
            Some(&2),
            "what it was given is gone"
        );
    });
}

#[test]
fn f2_a_slow_computation_comes_through_against_plain_writes() {
    const N: u64 = 50;
    ends("a computation among writers of its key", || {
        let (cache, _clock) = by_hand::<Counted>();
        let census = Census::default();
        let (done, n_calls) = (AtomicBool::new(false), AtomicU64::new(0));
        let n_written = AtomicU64::new(0);
        scope(|scope| {
            for writer in 1..=3u64 {
                let (cache, census, done, n_written) = (&cache, &census, &done, &n_written);
                scope.spawn(move || {
                    while !done.load(Ordering::Relaxed) {
                        match writer {
                            1 => drop(cache.insert("k", census.value(1)).unwrap()),
                            2 => drop(cache.put_if(
                                "k",
                                census.value(2),
                                SECOND,
                                larder::Condition::PRESENT,
                            )),
                            _ => drop(cache.remove_if("k", |entry| entry.number == 2)),
                        }
                        n_written.fetch_add(u64::from(writer == 1), Ordering::Relaxed);
                    }
                });
            }
            let _done = SetAtEnd(&done);
            while n_written.load(Ordering::Relaxed) == 0 {
                yield_now();
            }
            for i in 0..N {
                let computed = cache.compute("k", |_| {
                    n_calls.fetch_add(1, Ordering::Relaxed);
                    // So slow that others write meanwhile, if they may.
                    let before = n_written.load(Ordering::Relaxed);
                    for _ in 0..20 {
                        yield_now();
                        if n_written.load(Ordering::Relaxed) > before + 1 {
                            break;
                        }
                    }
                    Change::Insert(census.value(100 + i))
                });
                assert_eq!(computed.unwrap().is.unwrap().number, 100 + i);
            }
        });
        let n_calls = n_calls.into_inner();
        assert!(n_calls > N, "nobody came between");
        assert!(n_calls <= 20 * N, "{n_calls} calls for {N}");
        maintain_fully(&cache);
        assert_eq!(census.alive(), cache.len());
        drop(cache);
        assert_eq!(census.alive(), 0);
    });
}

#[test]
fn f31_computations_that_write_each_others_keys_end() {
    ends("computations in a circle", || {
        let (cache, _clock) = by_hand::<u64>();
        for _ in 0..20 {
            scope(|scope| {
                for (own, other) in [("a", "b"), ("b", "a")] {
                    let cache = &cache;
                    scope.spawn(move || {
                        for i in 0..50 {
                            let answer = cache.compute(own, |_| {
                                cache.insert(other, i).unwrap();
                                yield_now();
                                Change::Insert(i)
                            });
                            assert!(matches!(answer, Ok(_) | Err(ComputeError::Reentrant)));
                        }
                    });
                }
            });
        }
        assert_eq!(
            *cache.get_or_insert_with("c", Ttl::DEFAULT, || 1).unwrap(),
            1
        );
        for key in ["a", "b"] {
            assert!(
                cache.compute(key, |_| Change::Insert(1)).is_ok(),
                "the key is free"
            );
        }
    });
}

#[test]
fn f2_a_computation_whose_scope_ends_meanwhile_is_done_in_the_next_life() {
    let (cache, _clock) = by_hand::<u64>();
    let scope = cache.scope("s").unwrap();
    scope.insert("k", 1).unwrap();
    let mut seen = Vec::new();
    let computed = scope.compute("k", |present| {
        seen.push(present.map(|entry| **entry));
        if seen.len() == 1 {
            scope.invalidate();
        }
        Change::Insert(2)
    });
    assert_eq!(computed.unwrap().is.as_deref(), Some(&2));
    assert_eq!(seen, [Some(1), None]);
    assert_eq!(scope.get("k").as_deref(), Some(&2));
    let never = scope.compute("k", |_| {
        scope.invalidate();
        Change::Insert(3)
    });
    assert!(matches!(never, Err(ComputeError::Reentrant)));
    maintain_fully(&cache);
    assert_eq!(cache.len(), 0);
}
